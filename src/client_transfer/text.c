#include "client_transfer/text.h"

#include <assert.h>

#include "bytes.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { SEXTETS = sizeof alphabet - 1, NO_SEXTET = 255 };

_Static_assert(SEXTETS == 64, "six bits a character");

/* The bytes of the character at the beginning; 0: none. */
static size_t utf8_length(const uint8_t *bytes, size_t size)
{
    /* What the second byte may be is what keeps out long forms, surrogates,
     * and what is past U+10FFFF (RFC 3629, section 4). */
    static const struct {
        uint8_t first;
        uint8_t last;
        uint8_t length;
        uint8_t low;
        uint8_t high;
    } kinds[] = {{0x00, 0x7f, 1, 0, 0}, {0xc2, 0xdf, 2, 0x80, 0xbf},
        {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
        {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
        {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf},
        {0xf4, 0xf4, 4, 0x80, 0x8f}};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (bytes[0] < kinds[i].first || bytes[0] > kinds[i].last) {
            continue;
        }
        size_t length = kinds[i].length;
        if (length > size) {
            return 0;
        }
        if (length > 1 &&
            (bytes[1] < kinds[i].low || bytes[1] > kinds[i].high)) {
            return 0;
        }
        for (size_t at = 2; at < length; at++) {
            if ((bytes[at] & 0xc0) != 0x80) {
                return 0;
            }
        }
        return length;
    }
    return 0;
}

bool text_is_utf8(const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t length = utf8_length(bytes + at, size - at);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

size_t text_put_utf8(uint32_t code, uint8_t bytes[TEXT_UTF8_MAX])
{
    assert(code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
    if (code < 0x80) {
        bytes[0] = (uint8_t)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t at = length - 1; at > 0; at--) {
        bytes[at] = (uint8_t)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    /* As many ones as there are bytes, then a zero. */
    bytes[0] = (uint8_t)((0xf00 >> length) | code);
    return length;
}

size_t text_put_base64(const uint8_t *bytes, size_t size, char *text)
{
    size_t written = 0;
    for (size_t at = 0; at < size; at += 3) {
        size_t here = u64_min(size - at, 3);
        uint32_t group = 0;
        for (size_t i = 0; i < 3; i++) {
            group = group << 8 | (i < here ? bytes[at + i] : 0);
        }
        for (size_t i = 0; i < 4; i++) {
            uint32_t sextet = group >> (18 - 6 * i) & 0x3f;
            text[written++] = i <= here ? alphabet[sextet] : '=';
        }
    }
    assert(written == TEXT_BASE64_SIZE(size));
    return written;
}

static uint8_t sextet_of(uint8_t letter)
{
    if (letter >= 'A' && letter <= 'Z') {
        return (uint8_t)(letter - 'A');
    }
    if (letter >= 'a' && letter <= 'z') {
        return (uint8_t)(letter - 'a' + 26);
    }
    if (letter >= '0' && letter <= '9') {
        return (uint8_t)(letter - '0' + 52);
    }
    return letter == '+' ? 62 : letter == '/' ? 63 : NO_SEXTET;
}

int64_t text_take_base64(uint8_t *text, size_t length)
{
    size_t written = 0;
    if (length % 4 != 0) {
        return -1;
    }
    size_t padding = 0;
    while (
        padding < 2 && padding < length && text[length - 1 - padding] == '=') {
        padding++;
    }
    uint32_t group = 0;
    for (size_t at = 0; at < length - padding; at++) {
        uint8_t sextet = sextet_of(text[at]);
        if (sextet == NO_SEXTET) {
            return -1;
        }
        group = group << 6 | sextet;
        /* Each character but the first of four completes a byte. */
        if (at % 4 != 0) {
            unsigned over = 6 - 2 * (unsigned)(at % 4);
            text[written++] = (uint8_t)(group >> over);
            group &= (1U << over) - 1;
        }
    }
    /* Bits behind the last byte would make two texts of the same bytes. */
    return group == 0 ? (int64_t)written : -1;
}
