/* group.h: the batches of a group, executed in a view as far as it has room; or
 * refused.  For the files of this folder. */
#ifndef STORAGE_GROUP_H
#define STORAGE_GROUP_H

#include "command/collection.h"
#include "view/view.h"

enum {
    AHEAD = 16, /* operations that records are asked for ahead */
    /* Changes that a request may make that meets a collection. */
    REQUEST_CHANGES = 1 + REMAINS_CHANGES,
    GROUP_CHANGES_MAX = WAL_GROUP_MAX - 1, /* and a mark */
    RESERVE_SLACK = KV_CHAIN_MAX * REQUEST_CHANGES
};

_Static_assert((int)RESERVE_SLACK < (int)GROUP_CHANGES_MAX, "a chain fits");

/* Where somebody is in batches that hang together by next. */
struct position {
    struct batch *batch; /* NULL: behind the last */
    uint32_t op;
};

/* Asks for the records of AHEAD operations from number from on, of those in
 * this state; returns the number behind them.  Many at a time: the processor
 * waits for the address of a page at a prefetch, but looks for several pages at
 * once where prefetches follow each other.  The value too where it is
 * overwritten, since its slot is one of the next that are filled. */
static inline uint32_t group_prefetch(const struct table *table,
    const struct batch *batch, uint32_t from, enum op_state state)
{
    for (uint32_t i = from; i < from + AHEAD && i < batch->count; i++) {
        const struct op *op = &batch->ops[i];
        if (op->state == (uint8_t)state &&
            (verb_flags(op->verb) & VERB_KEY) != 0) {
            table_prefetch_record(table, op->hash);
        }
    }
    return from + AHEAD;
}

/* Executes a call, its reply in the buffer of its state: in a view that does
 * not change, or within a chain.  False if that chain is to be aborted. */
bool group_call(struct view *view, struct batch *batch, struct op *op);

/* Executes what is in state OP_COMMIT from *from on, in the view of a group
 * that has begun.  *from then is the first for which there is no room, or
 * behind the last. */
void group_plan(struct view *view, struct position *from);

/* Answers, with status and why, what may write or belongs to a chain, between
 * two positions; plain reads that still have their arguments are executed in
 * the view. */
void group_refuse(struct view *view, struct position from, struct position end,
    kv_error_t status, const char *why);

/* How many changes a call or a SWEEP is likely to make beside one, at the
 * most. */
uint32_t group_more_changes(const struct op *op);
/* How many frames may be needed from a position on; with most, because one
 * found no room, as many as there can be. */
uint32_t group_frames(const struct view *view, struct position from, bool most);

#endif
