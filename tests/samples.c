#include "samples.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_DIGITS = 20, PREFIX_LETTERS = 3, HEAD = 2 * sizeof(uint64_t) };

void sample_key(uint64_t number, uint8_t key[KV_KEY_SIZE])
{
    char text[KV_KEY_SIZE + 1] = "";
    (void)snprintf(text, sizeof text, "%c%c-%0*" PRIu64,
        (char)('a' + number % PREFIX_LETTERS),
        (char)('a' + number / PREFIX_LETTERS % PREFIX_LETTERS), NUMBER_DIGITS,
        number);
    memcpy(key, text, KV_KEY_SIZE);
}

bool sample_number(const uint8_t key[KV_KEY_SIZE], uint64_t *number)
{
    char text[KV_KEY_SIZE + 1] = "";
    uint8_t again[KV_KEY_SIZE];
    memcpy(text, key, KV_KEY_SIZE);
    *number = strtoull(text + 3, NULL, 10);
    sample_key(*number, again);
    return memcmp(again, key, KV_KEY_SIZE) == 0;
}

uint16_t sample_value(
    uint64_t number, uint64_t version, uint8_t value[KV_VALUE_MAX])
{
    uint16_t length =
        (uint16_t)(HEAD + (number + version) % (KV_VALUE_MAX - HEAD + 1));
    memset(value, 0, KV_VALUE_MAX);
    memcpy(value, &number, sizeof number);
    memcpy(value + sizeof number, &version, sizeof version);
    for (unsigned i = HEAD; i < length; i++) {
        value[i] = (uint8_t)(number * 31 + version * 7 + i);
    }
    return length;
}

bool sample_check(uint64_t number, const uint8_t value[KV_VALUE_MAX],
    uint16_t value_len, uint64_t *version)
{
    uint8_t expected[KV_VALUE_MAX];
    memcpy(version, value + sizeof number, sizeof *version);
    return value_len == sample_value(number, *version, expected) &&
           memcmp(value, expected, KV_VALUE_MAX) == 0;
}

kv_message_t sample_request(int type, uint64_t number, uint64_t version)
{
    kv_message_t message = {.type = (uint8_t)type};
    sample_key(number, message.key);
    if ((type & ~KV_LINKED) == KV_PUT) {
        message.value_len = sample_value(number, version, message.value);
    }
    return message;
}
