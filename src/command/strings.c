#include "command/strings.h"

#include "command/collection.h"
#include "command/command.h"

#include <inttypes.h>

/* ---- One string ---------------------------------------------------------- */

bool strings_find(struct call *call, const struct record **record)
{
    bool wrong;
    *record = call_find_kind(call, &call->key, KIND_STRING, &wrong);
    return !wrong;
}

void strings_reply(struct call *call, const struct record *record)
{
    if (record != NULL) {
        resp_bulk(&call->reply, record->value, record->value_len);
    } else {
        resp_null(&call->reply);
    }
}

bool strings_put(struct call *call, const struct string *string)
{
    if (string->expire_ms == 0 || string->expire_ms > call->view->now_ms) {
        return call_put(call, &call->key, string);
    }
    return view_find_any(call->view, key_name(&call->key)) == NULL ||
           call_remove(call, &call->key);
}

bool strings_size(struct call *call, uint64_t size)
{
    if (size <= KV_VALUE_MAX) {
        return true;
    }
    resp_error(&call->reply,
        "ERR the value would have %" PRIu64 " bytes; a value has at most %d",
        size, KV_VALUE_MAX);
    return false;
}

void strings_get(struct call *call)
{
    const struct record *record = view_find(call->view, key_name(&call->key));
    if (record != NULL && record->kind != KIND_STRING) {
        call_wrong_type(call);
    } else {
        strings_reply(call, record);
    }
}

void strings_getdel(struct call *call)
{
    const struct record *record;
    if (!strings_find(call, &record)) {
        return;
    }
    strings_reply(call, record);
    if (record != NULL) {
        (void)call_remove(call, &call->key); /* false: all is undone */
    }
}

static struct string string_of(const struct resp_arg *arg)
{
    return (struct string){.bytes = arg->bytes, .size = arg->size};
}

void strings_getset(struct call *call)
{
    const struct record *record;
    struct record old;
    if (!strings_find(call, &record)) {
        return;
    }
    if (record != NULL) {
        old = *record;
    }
    const struct string string = string_of(&call->args[2]);
    if (call_put(call, &call->key, &string)) {
        strings_reply(call, record != NULL ? &old : NULL);
    }
}

void strings_setnx(struct call *call)
{
    if (call_find(call, &call->key) != NULL) {
        resp_number(&call->reply, 0);
        return;
    }
    const struct string string = string_of(&call->args[2]);
    if (call_put(call, &call->key, &string)) {
        resp_number(&call->reply, 1);
    }
}

/* ---- Several ------------------------------------------------------------- */

void strings_mget(struct call *call)
{
    struct call_walk walk;
    const struct key *key;
    call_walk_begin(&walk, 1);
    resp_array(&call->reply, call->count - 1);
    while ((key = call_walk_next(call, &walk)) != NULL) {
        const struct record *record = call_find(call, key);
        bool value = record != NULL && record->kind == KIND_STRING;
        strings_reply(call, value ? record : NULL);
    }
}

/* What setting all keys takes.  A new key that occurs twice counts twice: near
 * the capacity that is refused, though it would fit. */
struct need {
    uint64_t records;
    uint64_t changes;
    bool live; /* one of them is there */
};

static struct need count_need(struct call *call)
{
    struct need need = {0};
    struct call_walk walk;
    const struct key *key;
    call_walk_begin(&walk, 2);
    while ((key = call_walk_next(call, &walk)) != NULL) {
        const struct record *record = view_find_any(call->view, key_name(key));
        bool simple = record == NULL || record->kind == KIND_STRING;
        bool live =
            record != NULL && !record_expired(record, call->view->now_ms);
        need.records += record == NULL ? 1 : 0;
        need.changes += simple ? 1 : 1 + REMAINS_CHANGES;
        need.live = need.live || live;
    }
    return need;
}

static bool set_all(struct call *call)
{
    for (uint32_t i = 1; i < call->count; i += 2) {
        struct key key;
        const struct string string = string_of(&call->args[i + 1]);
        if (!call_key(call, i, &key) || !call_put(call, &key, &string)) {
            return false;
        }
    }
    return true;
}

static bool in_pairs(struct call *call)
{
    if (call->count % 2 != 0) {
        return true;
    }
    resp_error(&call->reply, "ERR wrong number of arguments for '%s' command",
        call->command->name);
    return false;
}

void strings_mset(struct call *call)
{
    if (!in_pairs(call)) {
        return;
    }
    struct need need = count_need(call);
    if (call_fits(call, need.records, need.changes) && set_all(call)) {
        resp_ok(&call->reply);
    }
}

void strings_msetnx(struct call *call)
{
    if (!in_pairs(call)) {
        return;
    }
    struct need need = count_need(call);
    if (need.live) {
        resp_number(&call->reply, 0);
    } else if (call_fits(call, need.records, need.changes) && set_all(call)) {
        resp_number(&call->reply, 1);
    }
}
