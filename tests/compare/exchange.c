#include "compare/exchange.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "kv_store.h"

/* By so many bytes at its front a hit is told from a miss in any protocol. */
enum { TELLING = 2, KEY_PREFIX = 4, KEY_SIZE = 16, DIGITS = 8 };

#define KEY "key:000000000000"
_Static_assert(sizeof KEY - 1 == KEY_SIZE, "all of a key is there");

/* ---- Templates ----------------------------------------------------------- */

/* Values that no compression shortens much, and that look like no number. */
static void write_value(uint8_t *to, size_t size)
{
    uint64_t random = 88172645463325252u;
    for (size_t i = 0; i < size; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        to[i] = (uint8_t)('a' + random % 26);
    }
}

static void add(struct exchange_text *text, const char *bytes, size_t size)
{
    assert(text->size + size <= sizeof text->bytes);
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

static void add_key(struct exchange_text *text)
{
    text->head = text->head == 0 ? text->size + KEY_PREFIX : text->head;
    text->key_at = text->size;
    add(text, KEY, KEY_SIZE);
}

static void add_value(struct exchange_text *text, size_t size)
{
    assert(text->size + size <= sizeof text->bytes);
    text->head = text->head == 0 ? text->size : text->head;
    text->value_at = text->size;
    write_value(text->bytes + text->size, size);
    text->size += size;
}

/* What the protocols of text say; %k is the key, %v the value, %n its size.
 * meta: memcached's meta commands, whose replies to a pipeline are sent
 * together, where get sends each on its own. */
static const struct form {
    const char *protocol;
    const char *get;
    const char *hit;
    const char *miss;
    const char *set;
    const char *stored;
} forms[] = {
    {"resp", "*2\r\n$3\r\nGET\r\n$16\r\n%k\r\n", "$%n\r\n%v\r\n", "$-1\r\n",
        "*3\r\n$3\r\nSET\r\n$16\r\n%k\r\n$%n\r\n%v\r\n", "+OK\r\n"},
    {"meta", "mg %k v\r\n", "VA %n\r\n%v\r\n", "EN\r\n", "ms %k %n\r\n%v\r\n",
        "HD\r\n"},
    {"memcached", "get %k\r\n", "VALUE %k 0 %n\r\n%v\r\nEND\r\n", "END\r\n",
        "set %k 0 0 %n\r\n%v\r\n", "STORED\r\n"},
};

static void write_text(
    struct exchange_text *text, const char *form, size_t size)
{
    char number[24];
    int digits = snprintf(number, sizeof number, "%zu", size);
    assert(digits > 0);
    for (; *form != '\0'; form++) {
        if (*form != '%') {
            add(text, form, 1);
            continue;
        }
        form++;
        if (*form == 'k') {
            add_key(text);
        } else if (*form == 'v') {
            add_value(text, size);
        } else {
            assert(*form == 'n');
            add(text, number, (size_t)digits);
        }
    }
    /* What has neither key nor value never changes. */
    text->head = text->head == 0 ? text->size : text->head;
}

static void make_text(struct exchange exchanges[EXCHANGE_KINDS],
    const struct form *form, size_t size)
{
    write_text(&exchanges[EXCHANGE_GET].request, form->get, size);
    write_text(&exchanges[EXCHANGE_GET].hit, form->hit, size);
    write_text(&exchanges[EXCHANGE_GET].miss, form->miss, size);
    write_text(&exchanges[EXCHANGE_SET].request, form->set, size);
    write_text(&exchanges[EXCHANGE_SET].hit, form->stored, size);
}

static void write_message(struct exchange_text *text, int type, int status)
{
    kv_message_t message = {.type = (uint8_t)type, .status = (uint8_t)status};
    memcpy(text->bytes, &message, sizeof message);
    text->size = sizeof message;
    text->head = offsetof(kv_message_t, value_len);
    text->key_at = offsetof(kv_message_t, key);
    memcpy(text->bytes + text->key_at, KEY, KEY_SIZE);
}

static void write_message_value(struct exchange_text *text, size_t size)
{
    uint16_t length = (uint16_t)size;
    memcpy(text->bytes + offsetof(kv_message_t, value_len), &length,
        sizeof length);
    text->head = offsetof(kv_message_t, key);
    text->value_at = offsetof(kv_message_t, value);
    write_value(text->bytes + text->value_at, size);
}

static void make_native(struct exchange exchanges[EXCHANGE_KINDS], size_t size)
{
    struct exchange *get = &exchanges[EXCHANGE_GET];
    struct exchange *set = &exchanges[EXCHANGE_SET];
    write_message(&get->request, KV_GET, KV_SUCCESS);
    write_message(&get->hit, KV_GET, KV_SUCCESS);
    write_message_value(&get->hit, size);
    write_message(&get->miss, KV_GET, KV_NOT_FOUND);

    write_message(&set->request, KV_PUT, KV_SUCCESS);
    write_message_value(&set->request, size);
    write_message(&set->hit, KV_PUT, KV_SUCCESS);
    set->hit.head = offsetof(kv_message_t, key); /* without a value */
}

bool exchange_make(struct exchange exchanges[EXCHANGE_KINDS],
    const char *protocol, size_t value_size)
{
    memset(exchanges, 0, EXCHANGE_KINDS * sizeof *exchanges);
    if (value_size < EXCHANGE_STAMP || value_size > KV_VALUE_MAX) {
        return false;
    }
    if (strcmp(protocol, "native") == 0) {
        make_native(exchanges, value_size);
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        if (strcmp(forms[i].protocol, protocol) == 0) {
            make_text(exchanges, &forms[i], value_size);
            return true;
        }
    }
    return false;
}

/* ---- Requests and replies ------------------------------------------------ */

/* The last digits of a key: what stands before them is always zero. */
static void write_digits(uint8_t digits[DIGITS], uint64_t number)
{
    uint32_t left = (uint32_t)number;
    for (size_t i = DIGITS; i > 0; i--) {
        digits[i - 1] = (uint8_t)('0' + left % 10);
        left /= 10;
    }
}

static void write_stamp(uint8_t stamp[EXCHANGE_STAMP], uint64_t number)
{
    for (unsigned i = 0; i < EXCHANGE_STAMP; i++) {
        stamp[i] = (uint8_t)('a' + (number >> 4 * i & 15));
    }
}

size_t exchange_request(
    const struct exchange *exchange, uint8_t *to, uint64_t number)
{
    const struct exchange_text *text = &exchange->request;
    assert(number < EXCHANGE_NUMBERS && text->key_at > 0);
    memcpy(to, text->bytes, text->size);
    write_digits(to + text->key_at + KEY_SIZE - DIGITS, number);
    if (text->value_at > 0) {
        write_stamp(to + text->value_at, number);
    }
    return text->size;
}

static bool fits(
    const struct exchange_text *text, uint64_t number, const uint8_t *bytes)
{
    uint8_t own[DIGITS];
    if (memcmp(bytes, text->bytes, text->head) != 0) {
        return false;
    }
    if (text->key_at > 0) {
        write_digits(own, number);
        if (memcmp(bytes + text->key_at + KEY_SIZE - DIGITS, own, DIGITS) !=
            0) {
            return false;
        }
    }
    if (text->value_at > 0) {
        write_stamp(own, number);
        return memcmp(bytes + text->value_at, own, EXCHANGE_STAMP) == 0;
    }
    return true;
}

_Static_assert(
    (int)DIGITS == (int)EXCHANGE_STAMP, "one buffer holds either of them");

size_t exchange_reply(const struct exchange *exchange, uint64_t number,
    const uint8_t *bytes, size_t size, enum exchange_found *found)
{
    const struct exchange_text *text = &exchange->hit;
    *found = EXCHANGE_HIT;
    if (size < TELLING) {
        return 0;
    }
    if (exchange->miss.size > 0 &&
        memcmp(bytes, exchange->miss.bytes, TELLING) == 0) {
        text = &exchange->miss;
        *found = EXCHANGE_MISS;
    } else if (memcmp(bytes, text->bytes, TELLING) != 0) {
        *found = EXCHANGE_OTHER;
        return 0;
    }
    if (size < text->size) {
        return 0;
    }
    if (!fits(text, number, bytes)) {
        *found = EXCHANGE_OTHER;
        return 0;
    }
    return text->size;
}
