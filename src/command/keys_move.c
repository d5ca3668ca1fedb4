/* keys_move.c: what one key holds goes to another: RENAME, RENAMENX, COPY. */
#include "command/keys.h"

#include "command/collection.h"

#include <assert.h>

/* Puts a record's kind, value and expiry under another key, in place of
 * whatever there is.  There must be room. */
static void place(
    struct call *call, const struct key *key, const struct record *content)
{
    struct view *view = call->view;
    struct name name = key_name(key);
    const struct record *old = view_find_any(view, name);
    bool left =
        old == NULL || old->kind == KIND_STRING || remains_leave(view, old);
    struct record *record = view_edit(view, name, NULL);
    assert(left && record != NULL);
    (void)left;
    record->kind = content->kind;
    record->expire_ms = content->expire_ms;
    record->value_len = content->value_len;
    memcpy(record->value, content->value, KV_VALUE_MAX);
    view_log_record(view, record);
}

struct keys {
    struct key from;
    struct key to;
};

static bool read_keys(struct call *call, struct keys *keys)
{
    return call_key(call, 1, &keys->from) && call_key(call, 2, &keys->to);
}

static bool are_same(const struct keys *keys)
{
    return memcmp(keys->from.bytes, keys->to.bytes, KV_KEY_SIZE) == 0;
}

/* ---- RENAME -------------------------------------------------------------- */

/* The old record goes first, so that a full table is no obstacle.  Of a
 * collection only the head moves: its owner stays.  False if the group is
 * full. */
static bool move(
    struct call *call, const struct keys *keys, const struct record *record)
{
    struct record content = *record;
    if (!call_fits(call, 0, 2 + REMAINS_CHANGES)) {
        return false;
    }
    bool dropped =
        collection_drop(call->view, key_name(&keys->from), content.kind);
    assert(dropped);
    (void)dropped;
    place(call, &keys->to, &content);
    return true;
}

/* The record to be renamed; NULL if there is none: the reply says so. */
static const struct record *find_source(struct call *call, struct keys *keys)
{
    if (!read_keys(call, keys)) {
        return NULL;
    }
    const struct record *record = call_find(call, &keys->from);
    if (record == NULL) {
        resp_error(&call->reply, "ERR no such key");
    }
    return record;
}

void keys_rename(struct call *call)
{
    struct keys keys;
    const struct record *record = find_source(call, &keys);
    if (record != NULL && (are_same(&keys) || move(call, &keys, record))) {
        resp_ok(&call->reply);
    }
}

void keys_renamenx(struct call *call)
{
    struct keys keys;
    const struct record *record = find_source(call, &keys);
    if (record == NULL) {
        return;
    }
    if (call_find(call, &keys.to) != NULL) {
        resp_number(&call->reply, 0);
    } else if (move(call, &keys, record)) {
        resp_number(&call->reply, 1);
    }
}

/* ---- COPY ---------------------------------------------------------------- */

static bool read_options(struct call *call, bool *replace)
{
    *replace = false;
    for (uint32_t i = 3; i < call->count; i++) {
        if (call_is(call, i, "replace")) {
            *replace = true;
        } else if (call_is(call, i, "db") && i + 1 < call->count) {
            i++;
            if (!call_database(call, i)) {
                return false;
            }
        } else {
            call_syntax(call);
            return false;
        }
    }
    return true;
}

/* Makes content what the copy is to be, all of it but its own record.  False
 * if it does not fit. */
static bool duplicate(
    struct call *call, const struct key *to, struct record *content)
{
    bool fresh = view_find_any(call->view, key_name(to)) == NULL;
    struct collection from = {0};
    struct collection copy;
    uint64_t parts = 0;
    if (content->kind != KIND_STRING) {
        collection_read(content, &from);
        parts = collection_kind(from.kind)->parts(&from);
    }
    if (!call_fits(
            call, parts + (fresh ? 1 : 0), parts + 1 + REMAINS_CHANGES)) {
        return false;
    }
    if (parts > 0) {
        collection_begin(call->view, from.kind, &copy);
        collection_kind(from.kind)->copy(call->view, &from, &copy);
        memcpy(content->value, copy.owner, OWNER_SIZE);
    }
    return true;
}

void keys_copy(struct call *call)
{
    struct keys keys;
    bool replace;
    if (!read_options(call, &replace) || !read_keys(call, &keys)) {
        return;
    }
    if (are_same(&keys)) {
        resp_error(
            &call->reply, "ERR source and destination objects are the same");
        return;
    }
    const struct record *record = call_find(call, &keys.from);
    if (record == NULL || (!replace && call_find(call, &keys.to) != NULL)) {
        resp_number(&call->reply, 0);
        return;
    }
    struct record content = *record;
    if (duplicate(call, &keys.to, &content)) {
        place(call, &keys.to, &content);
        resp_number(&call->reply, 1);
    }
}
