/* item.h: an item: a record as it stands in a file.  Its fields, their limits,
 * and what a field may hold; how a file writes them down is json.h's and
 * csv.h's.
 *
 *     key            1 to 32 bytes of text
 *     value          0 to 256 bytes of text
 *     expire_at_ms   milliseconds since 1970, UTC; not given: never
 *     key_base64     in place of key, value: bytes that are no text
 *     value_base64
 *
 * 1. Text is UTF-8 without the zero byte, which many programs take for an end.
 *    What is no text is written in base64; so every record has one way to be
 *    written, and a person can read what is readable.
 * 2. A key is written without the zeros that pad it. */
#ifndef ITEM_H
#define ITEM_H

#include "kv_store.h"

enum item_field {
    ITEM_KEY,
    ITEM_VALUE,
    ITEM_EXPIRE_AT_MS,
    ITEM_KEY_BASE64,
    ITEM_VALUE_BASE64,
    ITEM_FIELDS
};

enum { ITEM_WHY_MAX = 200 };

/* Past any expiry that a server takes (WIRE_EXPIRE_MAX_MS from now). */
#define ITEM_EXPIRE_MAX_MS INT64_C(2000000000000000)

struct item {
    uint8_t key[KV_KEY_SIZE]; /* padded with zeros */
    uint8_t value[KV_VALUE_MAX];
    size_t key_len;
    size_t value_len;
    int64_t expire_at_ms; /* 0: never */
    unsigned given;       /* a bit for each field */
};

/* The name of a field; and the field of a name, ITEM_FIELDS if it is none. */
const char *item_field_name(enum item_field field);
enum item_field item_field_find(const void *name, size_t length);

/* Puts what was read of a field into the item, which was zero at first.  bytes
 * may be overwritten.  False, with what is wrong in why. */
bool item_set(struct item *item, enum item_field field, uint8_t *bytes,
    size_t length, char why[ITEM_WHY_MAX]);
/* After the last field: false if one is missing. */
bool item_finish(const struct item *item, char why[ITEM_WHY_MAX]);

/* True if the bytes are written as text, not in base64. */
bool item_is_text(const uint8_t *bytes, size_t size);

#endif
