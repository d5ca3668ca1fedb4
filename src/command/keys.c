#include "command/keys.h"

#include "command/collection.h"

void keys_del(struct call *call)
{
    int64_t removed = 0;
    struct call_walk walk;
    const struct key *key;
    call_walk_begin(&walk, 1);
    while ((key = call_walk_next(call, &walk)) != NULL) {
        if (call_find(call, key) == NULL) {
            continue;
        }
        if (!call_remove(call, key)) {
            return;
        }
        removed++;
    }
    resp_number(&call->reply, removed);
}

void keys_exists(struct call *call)
{
    int64_t found = 0;
    struct call_walk walk;
    const struct key *key;
    call_walk_begin(&walk, 1);
    while ((key = call_walk_next(call, &walk)) != NULL) {
        found += call_find(call, key) != NULL ? 1 : 0;
    }
    resp_number(&call->reply, found);
}

void keys_type(struct call *call)
{
    const struct record *record = call_find(call, &call->key);
    resp_simple(
        &call->reply, record == NULL ? "none" : kind_name(record->kind));
}

void keys_flushall(struct call *call)
{
    if (call->count > 2 || (call->count == 2 && !call_is(call, 1, "async") &&
                               !call_is(call, 1, "sync"))) {
        call_syntax(call);
        return;
    }
    if (view_flush(call->view)) {
        view_log_flush(call->view);
        resp_ok(&call->reply);
    }
}

void keys_dbsize(struct call *call)
{
    resp_number(&call->reply,
        (int64_t)(view_records(call->view) - view_inner(call->view)));
}
