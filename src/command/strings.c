#include "command/strings.h"

#include <inttypes.h>

static void reply_value(struct call *call, const struct record *record)
{
    if (record != NULL) {
        resp_bulk(&call->reply, record->value, record->value_len);
    } else {
        resp_null(&call->reply);
    }
}

void strings_get(struct call *call)
{
    struct key key;
    bool wrong;
    if (!call_key(call, 1, &key)) {
        return;
    }
    const struct record *record =
        call_find_kind(call, &key, KIND_STRING, &wrong);
    if (!wrong) {
        reply_value(call, record);
    }
}

void strings_set(struct call *call)
{
    struct key key;
    const struct string string = {
        .bytes = call->args[2].bytes, .size = call->args[2].size};
    if (call_key(call, 1, &key) && call_put(call, &key, &string)) {
        resp_simple(&call->reply, "OK");
    }
}

/* Adds to the number that a record holds; the record keeps its expiry. */
static void add(struct call *call, int64_t delta)
{
    struct key key;
    bool wrong;
    bool overflow;
    int64_t number = 0;
    if (!call_key(call, 1, &key)) {
        return;
    }
    const struct record *record =
        call_find_kind(call, &key, KIND_STRING, &wrong);
    if (wrong) {
        return;
    }
    if (record != NULL &&
        !decimal_parse(record->value, record->value_len, &number, &overflow)) {
        call_not_integer(call);
        return;
    }
    if (__builtin_add_overflow(number, delta, &number)) {
        resp_error(&call->reply, "ERR increment or decrement would overflow");
        return;
    }
    uint8_t text[DECIMAL_MAX];
    const struct string string = {
        .bytes = text,
        .size = decimal_format(number, text),
        .expire_ms = record != NULL ? record->expire_ms : 0,
    };
    if (call_put(call, &key, &string)) {
        resp_number(&call->reply, number);
    }
}

void strings_incr(struct call *call)
{
    add(call, 1);
}

void strings_mget(struct call *call)
{
    resp_array(&call->reply, call->count - 1);
    for (uint32_t i = 1; i < call->count; i++) {
        struct key key;
        if (!call_key(call, i, &key)) {
            return;
        }
        const struct record *record = call_find(call, &key);
        bool value = record != NULL && record->kind == KIND_STRING;
        reply_value(call, value ? record : NULL);
    }
}
