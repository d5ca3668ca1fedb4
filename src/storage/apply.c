/* apply.c: what each verb does; the only switch over verbs.
 *
 * It is deterministic: what it does follows from the view, the operation and
 * the view's time, which is the frame's; so recovery does again what commit
 * did.  What can fail is decided before anything is logged or changed. */
#include "storage/apply.h"

#include <inttypes.h>

static void copy_value(kv_message_t *message, const struct record *record)
{
    size_t used = u64_round_up(record->value_len, CACHE_LINE);
    message->status = KV_SUCCESS;
    message->value_len = record->value_len;
    if (used == KV_VALUE_MAX) {
        memcpy(message->value, record->value, KV_VALUE_MAX);
        return;
    }
    memcpy(message->value, record->value, used);
    memset(message->value + used, 0, KV_VALUE_MAX - used);
}

static void put(struct view *view, struct op *op)
{
    struct record *record = view_edit(view, op, NULL);
    if (record == NULL) {
        op_refuse(op, KV_NO_SPACE,
            "the table is full: KV_CAPACITY is %" PRIu64
            " records; delete some, or raise it and restart",
            table_capacity(view->table));
        return;
    }
    view_log(view, op);
    record->expire_ms = 0;
    record->value_len = op->message->value_len;
    memcpy(record->value, op->message->value, KV_VALUE_MAX);
    op_reply(op, KV_SUCCESS);
}

static void get(struct view *view, struct op *op)
{
    const struct record *record = view_find(view, op);
    if (record != NULL) {
        copy_value(op->message, record);
    } else {
        op_reply(op, KV_NOT_FOUND);
    }
}

static void remove_record(struct view *view, struct op *op)
{
    if (view_find(view, op) == NULL) {
        op_reply(op, KV_NOT_FOUND);
        return;
    }
    view_log(view, op);
    view_remove(view, op);
    op_reply(op, KV_SUCCESS);
}

static void exists(struct view *view, struct op *op)
{
    bool found = view_find(view, op) != NULL;
    op_reply(op, found ? KV_SUCCESS : KV_NOT_FOUND);
}

static void set_expiry(struct view *view, struct op *op, int64_t expire_ms)
{
    const struct record *record = view_find(view, op);
    if (record == NULL) {
        op_reply(op, KV_NOT_FOUND);
        return;
    }
    view_log(view, op);
    view_edit(view, op, record)->expire_ms = expire_ms;
    op_reply(op, KV_SUCCESS);
}

static void ttl(struct view *view, struct op *op)
{
    const struct record *record = view_find(view, op);
    if (record == NULL) {
        op_reply(op, KV_NOT_FOUND);
    } else if (record->expire_ms == 0) {
        op_reply_number(op, -1);
    } else {
        op_reply_number(op, record->expire_ms - view->now_ms);
    }
}

/* The number that a record holds, 0 without one; false with a refusal. */
static bool read_number(
    struct op *op, const struct record *record, int64_t *number)
{
    bool overflow;
    *number = 0;
    if (record == NULL ||
        decimal_parse(record->value, record->value_len, number, &overflow)) {
        return true;
    }
    op_refuse(op, KV_NOT_A_NUMBER,
        "the record's value of %d bytes is not a decimal number of 64 bits",
        record->value_len);
    return false;
}

static void add(struct view *view, struct op *op)
{
    const struct record *found = view_find(view, op);
    int64_t number;
    int64_t sum;
    if (!read_number(op, found, &number)) {
        return;
    }
    if (__builtin_add_overflow(number, op->number, &sum)) {
        op_refuse(op, KV_OVERFLOW,
            "%" PRId64 " and %" PRId64 " have a sum beyond 64 bits", number,
            op->number);
        return;
    }
    struct record *record = view_edit(view, op, found);
    if (record == NULL) {
        op_refuse(op, KV_NO_SPACE,
            "the table is full: KV_CAPACITY is %" PRIu64 " records",
            table_capacity(view->table));
        return;
    }
    view_log(view, op);
    record->expire_ms = found != NULL ? record->expire_ms : 0;
    op_reply_number(op, sum);
    record->value_len = op->message->value_len;
    memcpy(record->value, op->message->value, KV_VALUE_MAX);
}

static void expect(struct view *view, struct op *op)
{
    const struct record *record = view_find(view, op);
    bool same =
        record != NULL && record->value_len == op->message->value_len &&
        memcmp(record->value, op->message->value, record->value_len) == 0;
    op_reply(op, same ? KV_SUCCESS : KV_MISMATCH);
}

static void expect_absent(struct view *view, struct op *op)
{
    bool found = view_find(view, op) != NULL;
    op_reply(op, found ? KV_MISMATCH : KV_SUCCESS);
}

static void sweep(struct view *view, struct op *op)
{
    const struct record *record = view_find_any(view, op);
    if (record == NULL || !record_expired(record, view->now_ms)) {
        op_reply(op, KV_NOT_FOUND);
        return;
    }
    view_log(view, op);
    view_remove(view, op);
    op_reply(op, KV_SUCCESS);
}

static void apply_verb(struct view *view, struct op *op)
{
    switch (op->verb) {
    case KV_PUT:
        put(view, op);
        break;
    case KV_GET:
        get(view, op);
        break;
    case KV_DELETE:
        remove_record(view, op);
        break;
    case KV_EXISTS:
        exists(view, op);
        break;
    case KV_EXPIRE:
        set_expiry(view, op, view->now_ms + op->number);
        break;
    case KV_TTL:
        ttl(view, op);
        break;
    case KV_PERSIST:
        set_expiry(view, op, 0);
        break;
    case KV_ADD:
        add(view, op);
        break;
    case KV_EXPECT:
        expect(view, op);
        break;
    case KV_EXPECT_ABSENT:
        expect_absent(view, op);
        break;
    case KV_COUNT:
        op_reply_number(op, (int64_t)view_records(view));
        break;
    case KV_PING:
        op->message->status = KV_SUCCESS;
        break;
    case VERB_SWEEP:
        sweep(view, op);
        break;
    default:
        op_refuse(
            op, KV_INVALID, "request %d cannot be part of a batch", op->verb);
        break;
    }
}

void storage_apply(struct view *view, struct op *op)
{
    bool write = (verb_flags(op->verb) & VERB_WRITE) != 0;
    if (write && view->refusal != NULL) {
        op_refuse(op, KV_READ_ONLY, "%s", view->refusal);
        return;
    }
    apply_verb(view, op);
    view_release(view);
}
