/* strings_part.c: parts of values. */
#include "command/strings.h"

void strings_strlen(struct call *call)
{
    const struct record *record;
    if (strings_find(call, &record)) {
        resp_number(&call->reply, record != NULL ? record->value_len : 0);
    }
}

/* Writes bytes at a place of the value, zeros where it had none; what follows
 * them stays. */
static void write_at(struct call *call, const struct record *record,
    uint64_t at, const struct resp_arg *arg)
{
    uint8_t value[KV_VALUE_MAX] = {0};
    uint64_t old_size = record != NULL ? record->value_len : 0;
    uint64_t end = at + arg->size;
    if (!strings_size(call, u64_max(old_size, end))) {
        return;
    }
    if (record != NULL) {
        memcpy(value, record->value, old_size);
    }
    memcpy(value + at, arg->bytes, arg->size);
    const struct string string = {
        .bytes = value,
        .size = u64_max(old_size, end),
        .expire_ms = record != NULL ? record->expire_ms : 0,
    };
    if (call_put(call, &call->key, &string)) {
        resp_number(&call->reply, (int64_t)string.size);
    }
}

void strings_append(struct call *call)
{
    const struct record *record;
    if (strings_find(call, &record)) {
        write_at(call, record, record != NULL ? record->value_len : 0,
            &call->args[2]);
    }
}

void strings_setrange(struct call *call)
{
    const struct record *record;
    int64_t offset;
    if (!call_integer(call, 2, &offset)) {
        return;
    }
    if (offset < 0) {
        resp_error(&call->reply, "ERR offset is out of range");
        return;
    }
    if (!strings_find(call, &record)) {
        return;
    }
    if (call->args[3].size == 0) {
        resp_number(&call->reply, record != NULL ? record->value_len : 0);
        return;
    }
    write_at(call, record, (uint64_t)offset, &call->args[3]);
}

/* An end of a range as a place in a value; a negative one counts from its
 * end. */
static int64_t place_of(int64_t index, int64_t size)
{
    int64_t place = index < 0 ? size + index : index;
    return place < 0 ? 0 : place;
}

void strings_getrange(struct call *call)
{
    const struct record *record;
    int64_t from;
    int64_t to;
    if (!call_integer(call, 2, &from) || !call_integer(call, 3, &to) ||
        !strings_find(call, &record)) {
        return;
    }
    int64_t size = record != NULL ? record->value_len : 0;
    int64_t first = place_of(from, size);
    int64_t last = place_of(to, size);
    last = last < size ? last : size - 1;
    bool crossed = from < 0 && to < 0 && from > to;
    if (record == NULL || crossed || first > last) {
        resp_bulk(&call->reply, "", 0);
        return;
    }
    resp_bulk(&call->reply, record->value + first, (size_t)(last - first + 1));
}
