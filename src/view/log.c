/* log.c: frames for what a view has changed. */
#include "view/view.h"

void view_log(struct view *view, const kv_message_t *message, uint8_t verb,
    int64_t number)
{
    if (view->wal != NULL) {
        unsigned linked = view->overlay->in_chain ? KV_LINKED : 0;
        wal_append(
            view->wal, message, (uint8_t)(verb | linked), number, view->now_ms);
    }
}

void view_log_record(struct view *view, const struct record *record)
{
    if (view->wal == NULL) {
        return;
    }
    kv_message_t message = {
        .status = record->kind, .value_len = record->value_len};
    memcpy(message.key, record->key, KV_KEY_SIZE);
    memcpy(message.value, record->value, KV_VALUE_MAX);
    view_log(view, &message, VERB_RECORD, record->expire_ms);
}

void view_log_drop(struct view *view, struct name name, unsigned kind)
{
    if (view->wal == NULL) {
        return;
    }
    kv_message_t message = {.status = (uint8_t)kind};
    memcpy(message.key, name.key, KV_KEY_SIZE);
    view_log(view, &message, VERB_DROP, 0);
}

void view_log_flush(struct view *view)
{
    static const kv_message_t message = {0};
    view_log(view, &message, VERB_FLUSH, 0);
}
