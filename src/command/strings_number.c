/* strings_number.c: values that are numbers, and stay text. */
#include "command/strings.h"

#include "decimal.h"

#include <math.h>

/* Writes what the record's value has become; it keeps its expiry. */
static bool put_number(
    struct call *call, const struct record *record, struct string string)
{
    string.expire_ms = record != NULL ? record->expire_ms : 0;
    return call_put(call, &call->key, &string);
}

static void add(struct call *call, int64_t delta)
{
    const struct record *record;
    bool overflow;
    int64_t number = 0;
    uint8_t text[DECIMAL_MAX];
    if (!strings_find(call, &record)) {
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
    const struct string string = {
        .bytes = text, .size = decimal_format(number, text)};
    if (put_number(call, record, string)) {
        resp_number(&call->reply, number);
    }
}

void strings_incr(struct call *call)
{
    add(call, 1);
}

void strings_decr(struct call *call)
{
    add(call, -1);
}

void strings_incrby(struct call *call)
{
    int64_t delta;
    if (call_integer(call, 2, &delta)) {
        add(call, delta);
    }
}

void strings_decrby(struct call *call)
{
    int64_t delta;
    if (!call_integer(call, 2, &delta)) {
        return;
    }
    if (delta == INT64_MIN) {
        resp_error(&call->reply, "ERR decrement would overflow");
        return;
    }
    add(call, -delta);
}

void strings_incrbyfloat(struct call *call)
{
    const struct record *record;
    const struct resp_arg *arg = &call->args[2];
    long double number = 0;
    long double delta;
    uint8_t text[DECIMAL_FLOAT_MAX];
    if (!strings_find(call, &record)) {
        return;
    }
    if ((record != NULL &&
            !decimal_parse_float(record->value, record->value_len, &number)) ||
        !decimal_parse_float(arg->bytes, arg->size, &delta)) {
        resp_error(&call->reply, "ERR value is not a valid float");
        return;
    }
    number += delta;
    if (!isfinite(number)) {
        resp_error(&call->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    const struct string string = {
        .bytes = text, .size = decimal_format_float(number, text)};
    if (strings_size(call, string.size) && put_number(call, record, string)) {
        resp_bulk(&call->reply, text, string.size);
    }
}
