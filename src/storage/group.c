#include "storage/group.h"

#include "command/command.h"
#include "storage/apply.h"
#include "storage/storage.h"

#include <assert.h>
#include <stdio.h>

static bool chain_member_refused(const struct op *ops, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ops[i].state == OP_REFUSED) {
            return true;
        }
    }
    return false;
}

/* The others tell that it was not their fault. */
static void abort_others(struct op *ops, uint32_t count, uint32_t guilty)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i != guilty && ops[i].state != OP_REFUSED) {
            op_reply(&ops[i], KV_ABORTED);
        }
    }
}

/* How many operations the chain has that begins here. */
static uint32_t chain_length(const struct batch *batch, uint32_t i)
{
    uint32_t length = 1;
    while (batch->ops[i + length - 1].linked) {
        length++;
        assert(i + length <= batch->count);
    }
    return length;
}

static void plan_chain(struct view *view, struct op *ops, uint32_t count)
{
    if (count > KV_CHAIN_MAX || chain_member_refused(ops, count)) {
        abort_others(ops, count, UINT32_MAX);
        return;
    }
    view_chain_begin(view, false);
    for (uint32_t i = 0; i < count; i++) {
        storage_apply(view, &ops[i]);
        if (ops[i].message->status != KV_SUCCESS) {
            view_chain_abort(view);
            abort_others(ops, count, i);
            return;
        }
    }
    view_chain_end(view);
}

static struct buffer *replies_of(struct batch *batch, const struct op *op)
{
    return op->state == OP_COMMIT ? &batch->commit_replies : &batch->replies;
}

bool group_call(struct view *view, struct batch *batch, struct op *op)
{
    struct buffer *out = replies_of(batch, op);
    uint32_t before = out->size;
    bool done = command_run(op->call, view, out);
    if (view_full(view)) {
        out->size = before;
        return false;
    }
    op->reply_at = before;
    op->reply_size = out->size - before;
    return done;
}

static void refuse_call(
    struct batch *batch, struct op *op, kv_error_t status, const char *why)
{
    struct buffer *out = replies_of(batch, op);
    op->reply_at = out->size;
    command_refuse(op->call, out,
        status == KV_READ_ONLY ? "MISCONF"
        : status == KV_BUSY    ? "BUSY"
                               : "ERR",
        why);
    op->reply_size = out->size - op->reply_at;
}

/* False: the group has no room for what it changes. */
static bool plan_call(struct view *view, struct batch *batch, struct op *op)
{
    if (view->refusal != NULL && command_writes(op->call)) {
        refuse_call(batch, op, KV_READ_ONLY, view->refusal);
        return true;
    }
    view_chain_begin(view, true);
    if (group_call(view, batch, op)) {
        view_chain_end(view);
        return true;
    }
    bool full = view_full(view);
    view_chain_abort(view);
    bool fresh = view->overlay->frames == 0 &&
                 view->overlay->frames_max == GROUP_CHANGES_MAX;
    if (full && fresh) {
        char why[STORAGE_WHY_MAX];
        snprintf(why, sizeof why,
            "this changes more than %d records, which is the most that can "
            "take effect at once: do it in parts",
            GROUP_CHANGES_MAX);
        refuse_call(batch, op, KV_INVALID, why);
    }
    return !full || fresh;
}

/* Changes that a request may make at the most: where there is a collection it
 * may meet it. */
static uint32_t request_changes(const struct view *view)
{
    return view_inner(view) == 0 ? 1 : REQUEST_CHANGES;
}

/* Plans operation number i, and the chain that it begins; returns how many
 * that are, 0 if the group has no room for them. */
static uint32_t plan_op(struct view *view, struct batch *batch, uint32_t i)
{
    struct op *op = &batch->ops[i];
    if (op->verb == VERB_CALL && op->state == OP_COMMIT) {
        return plan_call(view, batch, op) ? 1 : 0;
    }
    uint32_t length = op->linked ? chain_length(batch, i) : 1;
    if (op->state == OP_COMMIT && view_pending(view)) {
        view_log_pending(view); /* this one is logged at once */
    }
    if (op->linked) {
        if (view_room(view) < length * request_changes(view) &&
            length <= KV_CHAIN_MAX) {
            return 0;
        }
        plan_chain(view, op, length);
    } else if (op->state == OP_COMMIT) {
        if (view_room(view) < request_changes(view)) {
            return 0;
        }
        storage_apply(view, op);
    }
    return length;
}

static void plan_batches(struct view *view, struct position *from)
{
    while (from->batch != NULL) {
        struct batch *batch = from->batch;
        uint32_t asked = from->op;
        while (from->op < batch->count) {
            while (asked < from->op + AHEAD) {
                asked = group_prefetch(view->table, batch, asked, OP_COMMIT);
            }
            uint32_t planned = plan_op(view, batch, from->op);
            if (planned == 0) {
                return;
            }
            from->op += planned;
        }
        *from = (struct position){batch->next, 0};
    }
}

void group_plan(struct view *view, struct position *from)
{
    plan_batches(view, from);
    view_log_pending(view);
}

static void refuse_op(struct view *view, struct batch *batch, struct op *op,
    kv_error_t status, const char *why)
{
    unsigned flags = verb_flags(op->verb);
    if (op->verb == VERB_CALL) {
        if (command_writes(op->call)) {
            refuse_call(batch, op, status, why);
        } else {
            (void)group_call(view, batch, op);
        }
    } else if ((flags & VERB_WRITE) != 0 ||
               ((flags & VERB_VALUE) != 0 && op->verb != KV_PING)) {
        op_refuse(op, status, "%s", why);
    } else {
        storage_apply(view, op);
    }
}

void group_refuse(struct view *view, struct position from, struct position end,
    kv_error_t status, const char *why)
{
    bool linked = false;
    while (
        from.batch != NULL && (from.batch != end.batch || from.op < end.op)) {
        if (from.op == from.batch->count) {
            from = (struct position){from.batch->next, 0};
            continue;
        }
        struct op *op = &from.batch->ops[from.op++];
        bool chained = linked || op->linked;
        linked = op->linked;
        if (op->state == OP_COMMIT && chained) {
            op_refuse(op, status, "%s", why);
        } else if (op->state == OP_COMMIT) {
            refuse_op(view, from.batch, op, status, why);
        }
    }
}

uint32_t group_more_changes(const struct op *op)
{
    return op->verb == VERB_CALL ? command_changes(op->call)
                                 : (uint32_t)op->number;
}

uint32_t group_frames(const struct view *view, struct position from, bool most)
{
    uint64_t wanted = table_inner(view->table) == 0 ? 0 : RESERVE_SLACK;
    for (; from.batch != NULL; from.batch = from.batch->next) {
        wanted += from.batch->commits + from.batch->more_changes;
    }
    return most ? GROUP_CHANGES_MAX
                : (uint32_t)u64_min(wanted, GROUP_CHANGES_MAX);
}
