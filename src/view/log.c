/* log.c: frames for what a view has changed. */
#include "view/view.h"

#include <assert.h>

static void append(
    struct view *view, kv_message_t *message, uint8_t verb, int64_t number)
{
    wal_append(view->wal, message, verb, number, view->now_ms);
}

static void append_record(
    struct view *view, const struct record *record, unsigned linked)
{
    kv_message_t *message = wal_add(view->wal, (uint8_t)(VERB_RECORD | linked),
        record->expire_ms, view->now_ms);
    message->status = record->kind;
    message->value_len = record->value_len;
    memcpy(message->key, record->key, KV_KEY_SIZE);
    lines_copy(message->value, record->value, KV_VALUE_MAX);
}

/* Of the kind only the name space counts. */
static void append_drop(struct view *view, struct name name, unsigned linked)
{
    bool inner = (name.hash & TABLE_INNER) != 0;
    kv_message_t message = {.status = inner ? KIND_INNER : KIND_STRING};
    memcpy(message.key, name.key, KV_KEY_SIZE);
    append(view, &message, (uint8_t)(VERB_DROP | linked), 0);
}

static void append_flush(struct view *view, unsigned linked)
{
    kv_message_t message = {0};
    append(view, &message, (uint8_t)(VERB_FLUSH | linked), 0);
}

/* ---- At once ------------------------------------------------------------- */

static unsigned linked(const struct view *view)
{
    return view->overlay->in_chain ? KV_LINKED : 0;
}

void view_log(struct view *view, const kv_message_t *message, uint8_t verb,
    int64_t number)
{
    assert(!view->overlay->deferred);
    if (view->wal != NULL) {
        wal_append(view->wal, message, (uint8_t)(verb | linked(view)), number,
            view->now_ms);
    }
}

void view_log_record(struct view *view, const struct record *record)
{
    if (view_at_once(view)) {
        append_record(view, record, linked(view));
    }
}

void view_log_drop(struct view *view, struct name name)
{
    if (view_at_once(view)) {
        append_drop(view, name, linked(view));
    }
}

void view_log_flush(struct view *view)
{
    if (view_at_once(view)) {
        append_flush(view, linked(view));
    }
}

/* ---- Later --------------------------------------------------------------- */

static void append_gone(struct view *view)
{
    struct overlay *overlay = view->overlay;
    for (uint32_t i = 0; i < overlay->pending_count; i++) {
        struct change *change = &overlay->changes[overlay->pending[i]];
        if (change->record == NULL && change->in_log) {
            struct name name = {change->hash, change->key};
            append_drop(view, name, KV_LINKED);
            change->in_log = false;
        }
    }
}

static void append_there(struct view *view)
{
    struct overlay *overlay = view->overlay;
    for (uint32_t i = 0; i < overlay->pending_count; i++) {
        struct change *change = &overlay->changes[overlay->pending[i]];
        if (change->record != NULL) {
            append_record(view, change->record, KV_LINKED);
            change->in_log = true;
        }
    }
}

/* What is gone comes first: so recovery never has more records on the way than
 * in the end. */
static void append_pending(struct view *view)
{
    uint64_t first = wal_next_lsn(view->wal);
    if (view->overlay->pending_flush) {
        append_flush(view, KV_LINKED);
    }
    append_gone(view);
    append_there(view);
    if (wal_next_lsn(view->wal) > first) {
        wal_close_chain(view->wal);
    }
}

void view_log_pending(struct view *view)
{
    struct overlay *overlay = view->overlay;
    assert(!overlay->in_chain);
    if (view->wal != NULL && view_pending(view)) {
        append_pending(view);
    }
    for (uint32_t i = 0; i < overlay->pending_count; i++) {
        overlay->changes[overlay->pending[i]].pending = false;
    }
    overlay->pending_count = 0;
    overlay->pending_flush = false;
}
