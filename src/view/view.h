/* view.h: the table as the group that is being committed sees it: what the
 * group has changed so far over what is published.
 *
 * Changes are records in slots of their own that no reader can reach; publish
 * puts them into the table, abandon gives them back.  A chain, which takes
 * effect as a whole or not at all, is undone alone if it fails.  A group has
 * room for so many frames and no more: each change counts as one when it is
 * made, and what finds no room is undone and goes to the next group.
 *
 * What a chain of requests does is logged as it is done.  What a deferred chain
 * does is logged later, with that of others: each record once, as it is when
 * view_log_pending is called, which must be before anything is logged at once.
 * So a record that many commands of a group change is in the log once.
 *
 * Two more views change nothing: a shared one reads the table under the
 * bucket's mutex, from any thread; a still one is for whoever has the commit
 * lock while nothing is planned, and sees all records at one instant.
 *
 * Not thread-safe: it belongs to whoever plans, under the commit lock. */
#ifndef VIEW_H
#define VIEW_H

#include "table/table.h"
#include "wal/wal.h"

#include <assert.h>

enum {
    VIEW_CHANGES_MAX = WAL_GROUP_MAX,
    VIEW_INDEX_SIZE = 2 * WAL_GROUP_MAX,
    VIEW_NOTED_MAX = 64
};

/* What names a record: its key, and the hash of that, which tells the name
 * space too. */
struct name {
    uint64_t hash;
    const uint8_t *key; /* KV_KEY_SIZE bytes */
};

/* What the group does to one name. */
struct change {
    uint64_t hash;
    struct record *record; /* as it will be; NULL: removed */
    uint32_t chain;        /* the last that has noted how it was before */
    bool in_table;         /* the table has a record with this name */
    bool in_log;           /* there is one by what is logged so far */
    bool pending;          /* how it is now is to be logged */
    uint16_t place;        /* where the index has it */
    uint8_t key[KV_KEY_SIZE];
};

/* How a change was before the chain touched it, which did not make it. */
struct undo {
    uint32_t change;
    bool removed;
    bool in_log;
    struct record record;
};

/* The changes of one group. */
struct overlay {
    int64_t added; /* records more than in the table, after publish */
    int64_t inner; /* of these */
    uint32_t count;
    uint32_t undo_count;
    uint32_t frames;     /* changes counted */
    uint32_t frames_max; /* that there is room for */
    bool full;    /* something found no room: the chain is to be undone */
    bool flushed; /* the table is to be emptied before the changes */
    bool in_chain;
    bool deferred;        /* what the chain does is logged later */
    bool pending_flush;   /* that all records are gone is to be logged */
    bool together;        /* readers must see all changes at once */
    uint32_t chain;       /* of the group's, the one that has begun last */
    uint32_t flush_chain; /* of the one that flushed */
    uint32_t chain_count; /* changes when the chain began */
    uint64_t chain_lsn; /* of the next frame then, of what is logged at once */
    uint32_t chain_frames; /* frames then */
    uint32_t pending_count;
    uint64_t stamp;         /* of the last change */
    uint32_t chain_pending; /* pending_count when the chain began */
    /* Keys of inner records that may have to be found again without a search,
     * the newest ones; some may be gone. */
    uint8_t noted[VIEW_NOTED_MAX][KV_KEY_SIZE];
    uint32_t noted_count;
    uint16_t index[VIEW_INDEX_SIZE];    /* by hash: number of a change + 1 */
    uint16_t pending[VIEW_CHANGES_MAX]; /* numbers of changes */
    struct change changes[VIEW_CHANGES_MAX];
    struct undo undo[VIEW_CHANGES_MAX];
};

struct view {
    struct table *table;
    struct overlay *overlay; /* NULL: nothing can be changed */
    struct wal *wal;         /* gets a frame for each change; NULL: none */
    int64_t now_ms;
    const char *refusal; /* why writes are refused; NULL: they are not */
    bool still;          /* without overlay: the commit lock is held */
    bool moved; /* of a shared view: what was read in several records may be of
                   several instants; the call is executed again, still */
    struct bucket *held; /* while a record of a shared view is looked at */
    uint64_t records;    /* that the table has */
    uint64_t inner;      /* of these */
};

_Static_assert(VIEW_CHANGES_MAX <= UINT16_MAX, "numbers in the index");

/* The name of a key that a client uses, and of an inner one.  key must stay. */
struct name view_name(const struct view *view, const uint8_t key[KV_KEY_SIZE]);
struct name view_name_inner(
    const struct view *view, const uint8_t key[KV_KEY_SIZE]);

/* The record of this name, expired or not; NULL if none.  It stays as it is
 * until it is changed; in a shared view until view_release, which must come
 * before the next record is looked for. */
const struct record *view_find_any(struct view *view, struct name name);
/* The same, NULL if it has expired. */
const struct record *view_find(struct view *view, struct name name);
static inline void view_release(struct view *view)
{
    if (view->held != NULL) {
        table_release(view->held);
        view->held = NULL;
    }
}

/* Two passes over names that will be looked for, as the table's: first the
 * buckets, then the records with their values. */
static inline void view_prefetch(const struct view *view, struct name name)
{
    table_prefetch_bucket(view->table, name.hash);
}

static inline void view_prefetch_record(
    const struct view *view, struct name name)
{
    table_prefetch_record(view->table, name.hash);
}

/* ---- Changing ------------------------------------------------------------ */

/* A record of that name to be filled or changed: a copy of from, or of
 * undefined content but for name and stamp if from is NULL.  NULL if the table
 * is full, or the group is (view_full). */
struct record *view_edit(
    struct view *view, struct name name, const struct record *from);
/* As view_edit without from, of a name that the table is known not to have,
 * unless the group has removed it: so the table is not asked. */
struct record *view_add(struct view *view, struct name name);
/* It must be there.  False if the group is full. */
bool view_remove(struct view *view, struct name name);
/* Removes all records.  False if the group is: it must be this chain's. */
bool view_flush(struct view *view);

/* Logs what has been done, but in a deferred chain: message as a request of
 * that verb; the record as it is now; that it is gone; that all are. */
void view_log(struct view *view, const kv_message_t *message, uint8_t verb,
    int64_t number);
void view_log_record(struct view *view, const struct record *record);
void view_log_drop(struct view *view, struct name name);
void view_log_flush(struct view *view);
/* True if they do; what a deferred chain does is logged after its end. */
static inline bool view_at_once(const struct view *view)
{
    return view->wal != NULL && !view->overlay->deferred;
}
/* Logs, in one chain, what deferred chains have done. */
void view_log_pending(struct view *view);
/* True if they have done anything. */
static inline bool view_pending(const struct view *view)
{
    return view->overlay->pending_count > 0 || view->overlay->pending_flush;
}

/* Records after publish; how many of them are inner; how many more there may
 * be. */
static inline uint64_t view_records(const struct view *view)
{
    int64_t added = view->overlay != NULL ? view->overlay->added : 0;
    return view->records + (uint64_t)added;
}

static inline uint64_t view_inner(const struct view *view)
{
    int64_t added = view->overlay != NULL ? view->overlay->inner : 0;
    return view->inner + (uint64_t)added;
}

uint64_t view_space(const struct view *view);

/* Changes that the group has room for yet. */
static inline uint32_t view_room(const struct view *view)
{
    const struct overlay *overlay = view->overlay;
    assert(overlay != NULL && overlay->frames <= overlay->frames_max);
    return overlay->frames_max - overlay->frames;
}

/* True if something found no room. */
static inline bool view_full(const struct view *view)
{
    return view->overlay != NULL && view->overlay->full;
}

/* Shows every record of one bucket, as table_visit does, as the view has them;
 * before the first call *position is 0 or any, after the last one 0. */
void view_visit(struct view *view, uint64_t *position,
    void (*see)(void *context, const struct record *record), void *context);

/* ---- Chains and groups --------------------------------------------------- */

/* A new group, with room for frames changes; the last one is published or
 * abandoned. */
void view_begin(struct view *view, uint32_t frames);

void view_chain_begin(struct view *view, bool deferred);
void view_chain_end(struct view *view);
/* Undoes what was changed and logged since view_chain_begin. */
void view_chain_abort(struct view *view);

/* Shows all changes to readers.  Returns how many names were changed. */
uint32_t view_publish(struct view *view);
void view_abandon(struct view *view);

#endif
