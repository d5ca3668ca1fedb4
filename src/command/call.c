#include "command/call.h"

#include "command/collection.h"
#include "command/command.h"

#include <assert.h>
#include <inttypes.h>
#include <strings.h>

/* ---- Arguments ----------------------------------------------------------- */

bool call_key(struct call *call, uint32_t i, struct key *key)
{
    const struct resp_arg *arg = &call->args[i];
    if ((int)i == call->command->first) {
        *key = call->key;
        return true;
    }
    if (!command_key(arg, key->bytes)) {
        char why[COMMAND_WHY_MAX];
        command_key_why(arg, why);
        resp_error(&call->reply, "%s", why);
        return false;
    }
    key->hash = view_name(call->view, key->bytes).hash;
    return true;
}

void call_walk_begin(struct call_walk *walk, uint32_t step)
{
    walk->next = 1;
    walk->step = step;
    walk->used = 0;
    walk->filled = 0;
}

static void ask_for_block(struct call *call, struct call_walk *walk)
{
    walk->used = 0;
    walk->filled = 0;
    for (; walk->next < call->count && walk->filled < CALL_BLOCK;
         walk->next += walk->step) {
        struct key *key = &walk->keys[walk->filled++];
        bool is_key = call_key(call, walk->next, key);
        assert(is_key); /* command_prepare has looked */
        view_prefetch(call->view, key_name(key));
    }
    /* A single one, mostly the first, has been asked for with the batch. */
    for (uint32_t i = 0; walk->filled > 1 && i < walk->filled; i++) {
        view_prefetch_record(call->view, key_name(&walk->keys[i]));
    }
}

const struct key *call_walk_next(struct call *call, struct call_walk *walk)
{
    if (walk->used == walk->filled) {
        ask_for_block(call, walk);
    }
    return walk->used < walk->filled ? &walk->keys[walk->used++] : NULL;
}

bool call_integer(struct call *call, uint32_t i, int64_t *number)
{
    bool overflow;
    if (decimal_parse(
            call->args[i].bytes, call->args[i].size, number, &overflow)) {
        return true;
    }
    call_not_integer(call);
    return false;
}

bool call_range(
    struct call *call, uint32_t i, int64_t least, int64_t most, int64_t *number)
{
    if (!call_integer(call, i, number)) {
        return false;
    }
    if (*number < least || *number > most) {
        resp_error(&call->reply,
            "ERR value is out of range, value must between %" PRId64
            " and %" PRId64,
            least, most);
        return false;
    }
    return true;
}

bool call_database(struct call *call, uint32_t i)
{
    int64_t number;
    if (!call_range(call, i, INT32_MIN, INT32_MAX, &number)) {
        return false;
    }
    if (number != 0) {
        resp_error(&call->reply, "ERR DB index is out of range");
    }
    return number == 0;
}

bool call_is(const struct call *call, uint32_t i, const char *word)
{
    const struct resp_arg *arg = &call->args[i];
    return arg->size == strlen(word) &&
           strncasecmp((const char *)arg->bytes, word, arg->size) == 0;
}

/* ---- Errors -------------------------------------------------------------- */

void call_wrong_type(struct call *call)
{
    resp_error(&call->reply, "WRONGTYPE Operation against a key holding the "
                             "wrong kind of value");
}

void call_syntax(struct call *call)
{
    resp_error(&call->reply, "ERR syntax error");
}

void call_not_integer(struct call *call)
{
    resp_error(&call->reply, "ERR value is not an integer or out of range");
}

/* ---- Records ------------------------------------------------------------- */

const struct record *call_find(struct call *call, const struct key *key)
{
    view_release(call->view);
    return view_find(call->view, key_name(key));
}

const struct record *call_find_kind(
    struct call *call, const struct key *key, unsigned kind, bool *wrong)
{
    const struct record *record = call_find(call, key);
    *wrong = record != NULL && record->kind != kind;
    if (*wrong) {
        call_wrong_type(call);
        return NULL;
    }
    return record;
}

bool call_fits(struct call *call, uint64_t records, uint64_t changes)
{
    struct view *view = call->view;
    if (changes >= VIEW_CHANGES_MAX) { /* whatever room there is */
        view->overlay->full = true;
        return false;
    }
    if (records > view_space(view)) {
        if (!remains_reclaim(view, records - view_space(view), changes)) {
            view->overlay->full = true;
            return false;
        }
    }
    if (records > view_space(view)) {
        resp_error(&call->reply,
            "OOM the table is full: KV_CAPACITY is %" PRIu64
            " records, and this needs %" PRIu64 " more: %" PRIu64 " are free",
            table_capacity(view->table), records, view_space(view));
        return false;
    }
    if (changes > view_room(view)) {
        view->overlay->full = true;
        return false;
    }
    return true;
}

/* A record to be filled, in place of whatever there was; NULL: it does not fit,
 * as call_fits.  Each collection has inner records, and most stores have none:
 * then all that can be wrong is that there is no room. */
static struct record *edit_string(struct call *call, struct name name)
{
    struct view *view = call->view;
    struct record *record =
        view_inner(view) == 0 ? view_edit(view, name, NULL) : NULL;
    if (record != NULL) {
        return record;
    }
    const struct record *old = view_find_any(view, name);
    if (!call_fits(call, old == NULL ? 1 : 0, 1 + REMAINS_CHANGES)) {
        return NULL;
    }
    if (old != NULL && old->kind != KIND_STRING && !remains_leave(view, old)) {
        return NULL;
    }
    record = view_edit(view, name, NULL);
    assert(record != NULL);
    return record;
}

bool call_put(
    struct call *call, const struct key *key, const struct string *string)
{
    struct record *record = edit_string(call, key_name(key));
    if (record == NULL) {
        return false;
    }
    assert(string->size <= KV_VALUE_MAX);
    record->kind = KIND_STRING;
    record->expire_ms = string->expire_ms;
    record->value_len = (uint16_t)string->size;
    /* The bytes may be those of the record itself. */
    memmove(record->value, string->bytes, string->size);
    memset(record->value + string->size, 0, KV_VALUE_MAX - string->size);
    view_log_record(call->view, record);
    return true;
}

bool call_remove(struct call *call, const struct key *key)
{
    struct view *view = call->view;
    struct name name = key_name(key);
    const struct record *record = view_find_any(view, name);
    assert(record != NULL);
    unsigned kind = record->kind;
    if (!call_fits(call, 0, 1 + REMAINS_CHANGES)) {
        return false;
    }
    if (kind != KIND_STRING && !remains_leave(view, record)) {
        return false;
    }
    return collection_drop(view, name, kind);
}
