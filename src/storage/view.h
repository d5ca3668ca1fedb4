/* view.h: the table as the group that is being committed sees it: what the
 * group has changed so far over what is published.
 *
 * Changes are records in slots of their own that no reader can reach; publish
 * puts them into the table, abandon gives them back.  A chain that fails is
 * undone alone.  A shared view has no changes: it reads the table under the
 * bucket's mutex, from any thread.
 *
 * Not thread-safe: it belongs to whoever plans, under the commit lock. */
#ifndef STORAGE_VIEW_H
#define STORAGE_VIEW_H

#include "batch.h"
#include "table/table.h"
#include "wal/wal.h"

enum { VIEW_CHANGES_MAX = WAL_GROUP_MAX, VIEW_INDEX_SIZE = 2 * WAL_GROUP_MAX };

/* What the group does to one key. */
struct change {
    uint64_t hash;
    struct record *record; /* as it will be; NULL: removed */
    bool in_table;         /* the table has a record with this key */
    uint16_t place;        /* where the index has it */
    uint8_t key[KV_KEY_SIZE];
};

/* How a change was before the chain touched it. */
struct undo {
    uint32_t change;
    bool made; /* by the chain: it goes altogether */
    bool removed;
    struct record record;
};

/* The changes of one group. */
struct overlay {
    int64_t added; /* records more than in the table, after publish */
    uint32_t count;
    uint32_t undo_count;
    bool in_chain;
    bool together;      /* readers must see all changes at once */
    uint64_t chain_lsn; /* of the next frame when the chain began */
    uint16_t index[VIEW_INDEX_SIZE]; /* by hash: number of a change + 1 */
    struct change changes[VIEW_CHANGES_MAX];
    struct undo undo[KV_CHAIN_MAX];
};

struct view {
    struct table *table;
    struct overlay *overlay; /* NULL: shared */
    struct wal *wal;         /* gets a frame for each change; NULL: none */
    int64_t now_ms;
    const char *refusal; /* why writes are refused; NULL: they are not */
    struct bucket *held; /* while a record of a shared view is looked at */
    uint64_t records;    /* what COUNT answers in a shared view */
};

_Static_assert(VIEW_CHANGES_MAX <= UINT16_MAX, "numbers in the index");

/* The record of op's key, expired or not; NULL if none.  In a shared view it
 * is held until view_release. */
const struct record *view_find_any(struct view *view, const struct op *op);
/* The same, NULL if it has expired. */
const struct record *view_find(struct view *view, const struct op *op);
void view_release(struct view *view);

/* A record of op's key to be filled or changed: a copy of from, or of
 * undefined content if from is NULL.  hash and key are set.  NULL if the table
 * is full. */
struct record *view_edit(
    struct view *view, const struct op *op, const struct record *from);
void view_remove(struct view *view, const struct op *op);
/* Logs op as it is now; after all that can refuse it, before its reply is
 * written over it. */
void view_log(struct view *view, const struct op *op);
/* Records after publish. */
uint64_t view_records(const struct view *view);

void view_chain_begin(struct view *view);
void view_chain_end(struct view *view);
/* Undoes what was changed and logged since view_chain_begin. */
void view_chain_abort(struct view *view);

/* Shows all changes to readers.  Returns how many keys were changed. */
uint32_t view_publish(struct view *view);
void view_abandon(struct view *view);

#endif
