/* apply.c: what each verb does; the only switch over verbs.
 *
 * It is deterministic: what it does follows from the view, the operation and
 * the view's time, which is the frame's; so recovery does again what commit
 * did.  What can fail is decided before anything is logged or changed. */
#include "storage/apply.h"

#include "command/collection.h"

#include <assert.h>
#include <inttypes.h>

static struct name name_of(const struct op *op)
{
    return (struct name){op->hash, op->message->key};
}

static void refuse_kind(struct op *op, const struct record *record)
{
    op_refuse(op, KV_WRONG_TYPE, "the key holds a %s, not a value",
        kind_name(record->kind));
}

/* The record of a verb that works on values; of a collection it is refused,
 * with *refused. */
static const struct record *find_value(
    struct view *view, struct op *op, bool *refused)
{
    const struct record *record = view_find(view, name_of(op));
    *refused = record != NULL && record->kind != KIND_STRING;
    if (*refused) {
        refuse_kind(op, record);
    }
    return record;
}

static void refuse_full(struct view *view, struct op *op)
{
    op_refuse(op, KV_NO_SPACE,
        "the table is full: KV_CAPACITY is %" PRIu64
        " records; delete some, or raise it and restart",
        table_capacity(view->table));
}

static void record_fill(struct record *record, const kv_message_t *message)
{
    record->kind = KIND_STRING;
    record->expire_ms = 0;
    record->value_len = message->value_len;
    lines_copy(record->value, message->value, KV_VALUE_MAX);
}

static void copy_value(kv_message_t *message, const struct record *record)
{
    size_t used = u64_round_up(record->value_len, CACHE_LINE);
    message->status = KV_SUCCESS;
    message->value_len = record->value_len;
    if (used == KV_VALUE_MAX) {
        lines_copy(message->value, record->value, KV_VALUE_MAX);
        return;
    }
    memcpy(message->value, record->value, used);
    memset(message->value + used, 0, KV_VALUE_MAX - used);
}

/* Overwrites a collection, or removes it without a record: all in one chain, as
 * records. */
static void replace_collection(struct view *view, const struct op *op,
    const struct record *head, const kv_message_t *message)
{
    bool alone = !view->overlay->in_chain;
    if (alone) {
        view_chain_begin(view, false);
    }
    bool done = remains_leave(view, head);
    if (message != NULL) {
        struct record *record = view_edit(view, name_of(op), NULL);
        assert(done && record != NULL);
        record_fill(record, message);
        view_log_record(view, record);
    } else {
        done = done && view_remove(view, name_of(op));
        assert(done);
        view_log_drop(view, name_of(op));
    }
    if (alone) {
        view_chain_end(view);
    }
}

/* The collection that a write is about to overwrite, expired or not; NULL:
 * none. Each has inner records, and most stores have none. */
static const struct record *find_collection(
    struct view *view, const struct op *op)
{
    if (view_inner(view) == 0) {
        return NULL;
    }
    const struct record *record = view_find_any(view, name_of(op));
    return record != NULL && record->kind != KIND_STRING ? record : NULL;
}

static void put(struct view *view, struct op *op)
{
    const struct record *collection = find_collection(view, op);
    if (collection != NULL) {
        replace_collection(view, op, collection, op->message);
        op_reply(op, KV_SUCCESS);
        return;
    }
    struct record *record = view_edit(view, name_of(op), NULL);
    if (record == NULL) {
        refuse_full(view, op);
        return;
    }
    view_log(view, op->message, KV_PUT, op->number);
    record_fill(record, op->message);
    op_reply(op, KV_SUCCESS);
}

static void get(struct view *view, struct op *op)
{
    const struct record *record = view_find(view, name_of(op));
    if (record == NULL) {
        op_reply(op, KV_NOT_FOUND);
    } else if (record->kind != KIND_STRING) {
        refuse_kind(op, record);
    } else {
        copy_value(op->message, record);
    }
}

static void remove_record(struct view *view, struct op *op)
{
    const struct record *record = view_find(view, name_of(op));
    if (record == NULL) {
        op_reply(op, KV_NOT_FOUND);
        return;
    }
    if (record->kind != KIND_STRING) {
        replace_collection(view, op, record, NULL);
    } else {
        view_log(view, op->message, KV_DELETE, op->number);
        view_remove(view, name_of(op));
    }
    op_reply(op, KV_SUCCESS);
}

static void exists(struct view *view, struct op *op)
{
    bool found = view_find(view, name_of(op)) != NULL;
    op_reply(op, found ? KV_SUCCESS : KV_NOT_FOUND);
}

static void set_expiry(struct view *view, struct op *op, int64_t expire_ms)
{
    const struct record *record = view_find(view, name_of(op));
    if (record == NULL) {
        op_reply(op, KV_NOT_FOUND);
        return;
    }
    view_log(view, op->message, op->verb, op->number);
    view_edit(view, name_of(op), record)->expire_ms = expire_ms;
    op_reply(op, KV_SUCCESS);
}

static void ttl(struct view *view, struct op *op)
{
    const struct record *record = view_find(view, name_of(op));
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
    bool refused;
    const struct record *found = find_value(view, op, &refused);
    int64_t number;
    int64_t sum;
    if (refused || !read_number(op, found, &number)) {
        return;
    }
    if (__builtin_add_overflow(number, op->number, &sum)) {
        op_refuse(op, KV_OVERFLOW,
            "%" PRId64 " and %" PRId64 " have a sum beyond 64 bits", number,
            op->number);
        return;
    }
    int64_t expire_ms = found != NULL ? found->expire_ms : 0;
    const struct record *collection = find_collection(view, op);
    if (collection != NULL) {
        op_reply_number(op, sum);
        replace_collection(view, op, collection, op->message);
        return;
    }
    struct record *record = view_edit(view, name_of(op), found);
    if (record == NULL) {
        refuse_full(view, op);
        return;
    }
    view_log(view, op->message, KV_ADD, op->number);
    op_reply_number(op, sum);
    record_fill(record, op->message);
    record->expire_ms = expire_ms;
}

static void expect(struct view *view, struct op *op)
{
    bool refused;
    const struct record *record = find_value(view, op, &refused);
    if (refused) {
        return;
    }
    bool same = record != NULL && record_holds(record, op->message->value,
                                      op->message->value_len);
    op_reply(op, same ? KV_SUCCESS : KV_MISMATCH);
}

static void expect_absent(struct view *view, struct op *op)
{
    bool found = view_find(view, name_of(op)) != NULL;
    op_reply(op, found ? KV_MISMATCH : KV_SUCCESS);
}

/* Takes away some of what is left of a collection. */
static void shrink(
    struct view *view, struct op *op, const struct record *record)
{
    bool alone = !view->overlay->in_chain;
    assert(op->number > 0 && op->number <= REMAINS_STEP);
    if (alone) {
        view_chain_begin(view, false);
    }
    bool over = remains_shrink(view, record, (uint32_t)op->number);
    if (alone) {
        view_chain_end(view);
    }
    op->number = over ? 0 : SWEEP_MORE;
    op_reply(op, KV_END);
}

static void sweep(struct view *view, struct op *op)
{
    const struct record *record = view_find_any(view, name_of(op));
    if (record == NULL || !record_expired(record, view->now_ms)) {
        op_reply(op, KV_NOT_FOUND);
        return;
    }
    if (record->kind == KIND_REMAINS) {
        shrink(view, op, record);
        return;
    }
    if (record->kind != KIND_STRING) {
        replace_collection(view, op, record, NULL);
    } else {
        view_log(view, op->message, VERB_SWEEP, op->number);
        view_remove(view, name_of(op));
    }
    op_reply(op, KV_SUCCESS);
}

/* ---- What the log says was done ------------------------------------------ */

static void set_record(struct view *view, struct op *op)
{
    struct record *record = view_edit(view, name_of(op), NULL);
    if (record == NULL) {
        refuse_full(view, op);
        return;
    }
    record_fill(record, op->message);
    record->kind = op->message->status;
    if (record->kind == KIND_REMAINS) {
        remains_note(view, op->message->key);
    }
    record->expire_ms = op->number;
    op_reply(op, KV_SUCCESS);
}

static void drop_record(struct view *view, struct op *op)
{
    if (view_find_any(view, name_of(op)) == NULL) {
        op_reply(op, KV_NOT_FOUND);
        return;
    }
    view_remove(view, name_of(op));
    op_reply(op, KV_SUCCESS);
}

static void flush(struct view *view, struct op *op)
{
    view_flush(view);
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
        op_reply_number(op, (int64_t)(view_records(view) - view_inner(view)));
        break;
    case KV_PING:
        op->message->status = KV_SUCCESS;
        break;
    case VERB_SWEEP:
        sweep(view, op);
        break;
    case VERB_RECORD:
        set_record(view, op);
        break;
    case VERB_DROP:
        drop_record(view, op);
        break;
    case VERB_FLUSH:
        flush(view, op);
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
