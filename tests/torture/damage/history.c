#include "torture/damage/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

enum {
    KINDS = 8, /* of steps, one after the other */
    LONG_MS = 1000000000
};

static const char prefix[] = "key-";

static void name(kv_message_t *message, int type, uint32_t key)
{
    *message = (kv_message_t){.type = (uint8_t)type};
    (void)snprintf((char *)message->key, sizeof message->key, "%s%02u", prefix,
        (unsigned)key);
}

static void put(struct history *history, uint64_t number, uint32_t key,
    kv_message_t *message)
{
    struct history_record *record = &history->records[key];
    name(message, KV_PUT, key);
    memset(record->value, 0, sizeof record->value);
    record->there = true;
    record->length = (uint16_t)(8 + number % (KV_VALUE_MAX - 8));
    for (unsigned i = 0; i < record->length; i++) {
        record->value[i] = (uint8_t)(number >> (8 * (i % 8)) ^ i);
    }
    message->value_len = record->length;
    memcpy(message->value, record->value, sizeof message->value);
}

static void add(struct history *history, uint64_t number, kv_message_t *message)
{
    uint32_t key = HISTORY_TEXTS + (uint32_t)(number % HISTORY_SUMS);
    struct history_record *record = &history->records[key];
    name(message, KV_ADD, key);
    message->value_len =
        (uint16_t)decimal_format((int64_t)number + 1, message->value);
    record->there = true;
    record->sum += (int64_t)number + 1;
    memset(record->value, 0, sizeof record->value);
    record->length = (uint16_t)decimal_format(record->sum, record->value);
}

/* What needs a record that is there; a PUT where there is none. */
static void change(
    struct history *history, uint64_t number, int type, kv_message_t *message)
{
    uint32_t key = (uint32_t)(number * 5 % HISTORY_TEXTS);
    struct history_record *record = &history->records[key];
    if (!record->there) {
        put(history, number, key, message);
        return;
    }
    name(message, type, key);
    if (type == KV_DELETE) {
        *record = (struct history_record){.there = false};
    } else {
        message->value_len = (uint16_t)decimal_format(LONG_MS, message->value);
    }
}

uint32_t history_step(struct history *history, uint64_t number,
    kv_message_t messages[HISTORY_STEP_MAX])
{
    uint32_t key = (uint32_t)(number * 7 % HISTORY_TEXTS);
    switch (number % KINDS) {
    case 2:
        add(history, number, &messages[0]);
        return 1;
    case 4:
        put(history, number, key, &messages[0]);
        put(history, number + 1, (key + 3) % HISTORY_TEXTS, &messages[1]);
        add(history, number, &messages[2]);
        messages[0].type |= KV_LINKED;
        messages[1].type |= KV_LINKED;
        return HISTORY_STEP_MAX;
    case 6:
        change(history, number, KV_DELETE, &messages[0]);
        return 1;
    case 7:
        change(history, number, KV_EXPIRE, &messages[0]);
        return 1;
    default:
        put(history, number, key, &messages[0]);
        return 1;
    }
}

uint32_t history_count(const struct history *history)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < HISTORY_KEYS; i++) {
        count += history->records[i].there ? 1 : 0;
    }
    return count;
}

bool history_has(const struct history *history, const kv_message_t *record)
{
    kv_message_t again;
    const char *digits = (const char *)record->key + sizeof prefix - 1;
    unsigned long key = strtoul(digits, NULL, 10);
    if (key >= HISTORY_KEYS || record->key[KV_KEY_SIZE - 1] != 0) {
        return false;
    }
    name(&again, KV_PUT, (uint32_t)key);
    const struct history_record *own = &history->records[key];
    return memcmp(again.key, record->key, KV_KEY_SIZE) == 0 && own->there &&
           own->length == record->value_len &&
           memcmp(own->value, record->value, own->length) == 0;
}
