#include "client_transfer/item.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "bytes.h"
#include "client_transfer/text.h"

static const char *const names[ITEM_FIELDS] = {[ITEM_KEY] = "key",
    [ITEM_VALUE] = "value",
    [ITEM_EXPIRE_AT_MS] = "expire_at_ms",
    [ITEM_KEY_BASE64] = "key_base64",
    [ITEM_VALUE_BASE64] = "value_base64"};

const char *item_field_name(enum item_field field)
{
    assert(field < ITEM_FIELDS);
    return names[field];
}

enum item_field item_field_find(const void *name, size_t length)
{
    enum item_field field = 0;
    while (
        field < ITEM_FIELDS && (strlen(names[field]) != length ||
                                   memcmp(names[field], name, length) != 0)) {
        field++;
    }
    return field;
}

bool item_is_text(const uint8_t *bytes, size_t size)
{
    return memchr(bytes, 0, size) == NULL && text_is_utf8(bytes, size);
}

static bool set_key(
    struct item *item, const uint8_t *bytes, size_t length, char *why)
{
    if (length == 0 || length > KV_KEY_SIZE) {
        (void)snprintf(why, ITEM_WHY_MAX,
            "it has %zu bytes; 1 to %d are allowed", length, KV_KEY_SIZE);
        return false;
    }
    memcpy(item->key, bytes, length);
    item->key_len = bytes_unpadded(bytes, length);
    if (item->key_len == 0) {
        (void)snprintf(why, ITEM_WHY_MAX,
            "it is nothing but zero bytes; one must not be zero");
    }
    return item->key_len > 0;
}

static bool set_value(
    struct item *item, const uint8_t *bytes, size_t length, char *why)
{
    if (length > KV_VALUE_MAX) {
        (void)snprintf(why, ITEM_WHY_MAX,
            "it has %zu bytes; at most %d are allowed", length, KV_VALUE_MAX);
        return false;
    }
    memcpy(item->value, bytes, length);
    item->value_len = length;
    return true;
}

static bool set_expiry(
    struct item *item, const uint8_t *bytes, size_t length, char *why)
{
    bool overflow;
    int64_t number;
    if (!decimal_parse(bytes, length, &number, &overflow) || number < 1 ||
        number > ITEM_EXPIRE_MAX_MS) {
        (void)snprintf(why, ITEM_WHY_MAX,
            "it is \"%.*s\"; it must be a whole number from 1 to %" PRId64
            ", milliseconds since 1970",
            (int)u64_min(length, 40), (const char *)bytes, ITEM_EXPIRE_MAX_MS);
        return false;
    }
    item->expire_at_ms = number;
    return true;
}

bool item_set(struct item *item, enum item_field field, uint8_t *bytes,
    size_t length, char why[ITEM_WHY_MAX])
{
    assert(field < ITEM_FIELDS);
    if ((item->given & 1U << field) != 0) {
        (void)snprintf(why, ITEM_WHY_MAX, "it is there twice");
        return false;
    }
    item->given |= 1U << field;
    if (field == ITEM_EXPIRE_AT_MS) {
        return set_expiry(item, bytes, length, why);
    }
    if (field == ITEM_KEY_BASE64 || field == ITEM_VALUE_BASE64) {
        int64_t size = text_take_base64(bytes, length);
        if (size < 0) {
            (void)snprintf(why, ITEM_WHY_MAX,
                "its %zu characters are not base64 (RFC 4648, with padding)",
                length);
            return false;
        }
        length = (size_t)size;
    } else if (!text_is_utf8(bytes, length)) {
        (void)snprintf(why, ITEM_WHY_MAX,
            "it is not UTF-8; %s_base64 takes any bytes",
            field == ITEM_KEY ? "key" : "value");
        return false;
    }
    return field == ITEM_KEY || field == ITEM_KEY_BASE64
               ? set_key(item, bytes, length, why)
               : set_value(item, bytes, length, why);
}

bool item_finish(const struct item *item, char why[ITEM_WHY_MAX])
{
    static const enum item_field needed[][2] = {
        {ITEM_KEY, ITEM_KEY_BASE64}, {ITEM_VALUE, ITEM_VALUE_BASE64}};
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
        const char *text = names[needed[i][0]];
        const char *bytes = names[needed[i][1]];
        bool has_text = (item->given & 1U << needed[i][0]) != 0;
        bool has_bytes = (item->given & 1U << needed[i][1]) != 0;
        if (has_text == has_bytes) {
            (void)snprintf(why, ITEM_WHY_MAX,
                has_text ? "%s and %s are both there; one of them is enough"
                         : "neither %s nor %s is there",
                text, bytes);
            return false;
        }
    }
    return true;
}
