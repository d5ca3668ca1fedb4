/* bytes.h: small arithmetic on bytes and numbers.  All that is stored or sent
 * is little-endian, and so is every machine that this is built for. */
#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
    "fixkv is built for little-endian machines");

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum { CACHE_LINE = 64, DISK_PAGE = 4096 };

static inline uint16_t bytes_u16(const void *bytes)
{
    uint16_t number;
    memcpy(&number, bytes, sizeof number);
    return number;
}

static inline uint64_t bytes_u64(const void *bytes)
{
    uint64_t number;
    memcpy(&number, bytes, sizeof number);
    return number;
}

static inline uint64_t u64_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t u64_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* number rounded up to a multiple of unit, which is a power of two */
static inline uint64_t u64_round_up(uint64_t number, uint64_t unit)
{
    return (number + unit - 1) & ~(unit - 1);
}

/* Copies size bytes, 1 to BYTES_PADDED, and zeros behind them; from eight on in
 * two pieces that overlap, without a loop. */
enum { BYTES_PADDED = 32 };
static inline void bytes_pad(
    uint8_t to[BYTES_PADDED], const uint8_t *from, size_t size)
{
    enum { HALF = BYTES_PADDED / 2 };
    uint64_t word;
    memset(to, 0, BYTES_PADDED);
    if (size >= HALF) {
        uint8_t end[HALF];
        memcpy(end, from + size - HALF, HALF);
        memcpy(to, from, HALF);
        memcpy(to + (size - HALF), end, HALF);
    } else if (size >= sizeof word) {
        memcpy(&word, from + size - sizeof word, sizeof word);
        memcpy(to, from, sizeof word);
        memcpy(to + (size - sizeof word), &word, sizeof word);
    } else {
        for (size_t i = 0; i < size; i++) {
            to[i] = from[i];
        }
    }
}

/* The bits of number in the opposite order. */
static inline uint64_t u64_reverse(uint64_t number)
{
    number = ((number >> 1) & 0x5555555555555555u) |
             ((number & 0x5555555555555555u) << 1);
    number = ((number >> 2) & 0x3333333333333333u) |
             ((number & 0x3333333333333333u) << 2);
    number = ((number >> 4) & 0x0f0f0f0f0f0f0f0fu) |
             ((number & 0x0f0f0f0f0f0f0f0fu) << 4);
    return __builtin_bswap64(number);
}

/* Copies, and zeroes, whole lines of 64 bytes, wherever they begin.  Of a copy
 * of 256 bytes gcc makes one string instruction, which takes twice as long. */
static inline void lines_copy(void *to, const void *from, size_t size)
{
    for (size_t i = 0; i < size; i += CACHE_LINE) {
        memcpy((uint8_t *)to + i, (const uint8_t *)from + i, CACHE_LINE);
    }
}

static inline void lines_zero(void *to, size_t size)
{
    for (size_t i = 0; i < size; i += CACHE_LINE) {
        memset((uint8_t *)to + i, 0, CACHE_LINE);
    }
}

/* True if size bytes, a multiple of eight, are all zero. */
static inline bool bytes_all_zero(const uint8_t *bytes, size_t size)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < size; i += sizeof seen) {
        seen |= bytes_u64(bytes + i);
    }
    return seen == 0;
}

/* Copies size bytes, A to Z in lower case. */
static inline void bytes_lower(void *lower, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    uint8_t *to = lower;
    for (size_t i = 0; i < size; i++) {
        bool upper = from[i] >= 'A' && from[i] <= 'Z';
        to[i] = (uint8_t)(from[i] + (upper ? 'a' - 'A' : 0));
    }
}

/* The size without the zeros that it ends with. */
static inline size_t bytes_unpadded(const uint8_t *bytes, size_t size)
{
    while (size > 0 && bytes[size - 1] == 0) {
        size--;
    }
    return size;
}

/* Reads the decimal number that fills text exactly: an optional minus sign and
 * digits, no leading zeros, no plus, no blanks, as in Redis's INCR.  False if
 * it is none or leaves 64 bits; *overflow then tells which. */
static inline bool decimal_parse(
    const void *text, size_t length, int64_t *number, bool *overflow)
{
    const uint8_t *digit = text;
    const uint8_t *end = digit + length;
    bool negative = length > 1 && *digit == '-';
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t sum = 0;
    *overflow = false;
    digit += negative ? 1 : 0;
    if (digit == end || (*digit == '0' && (negative || end - digit > 1))) {
        return false;
    }
    for (; digit < end; digit++) {
        if (*digit < '0' || *digit > '9') {
            *overflow = false;
            return false;
        }
        unsigned unit = (unsigned)(*digit - '0');
        if (*overflow || sum > (limit - unit) / 10) {
            *overflow = true;
            continue;
        }
        sum = sum * 10 + unit;
    }
    if (*overflow) {
        return false;
    }
    *number = (int64_t)(negative ? ~sum + 1 : sum);
    return true;
}

enum { DECIMAL_MAX = 20 }; /* characters of the longest 64-bit number */

/* Writes number in decimal, without a zero byte; returns its length. */
static inline size_t decimal_format(int64_t number, uint8_t text[DECIMAL_MAX])
{
    uint8_t reversed[DECIMAL_MAX];
    size_t digits = 0;
    size_t length = 0;
    uint64_t rest = number < 0 ? ~(uint64_t)number + 1 : (uint64_t)number;
    do {
        reversed[digits++] = (uint8_t)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (number < 0) {
        text[length++] = '-';
    }
    while (digits > 0) {
        text[length++] = reversed[--digits];
    }
    return length;
}

#endif
