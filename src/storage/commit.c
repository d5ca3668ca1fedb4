/* commit.c: how writes take effect: planned in a view, logged, synced where
 * KV_SYNC=always says so, published, answered.
 *
 * One thread at a time does all this, as committer.c sees to, and lets go of
 * the commit lock while the disk works; view and log stay its own meanwhile,
 * since nobody else plans.  With always it is the committer, for whole groups
 * of batches; otherwise whoever has a batch, unless somebody else is at it. */
#include "storage/apply.h"
#include "storage/group.h"
#include "storage/state.h"

#include "clock.h"
#include "command/collection.h"
#include "command/command.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

/* ---- Time and figures ---------------------------------------------------- */

/* The wall clock, but where that has run back: then time goes on from where it
 * was, at the pace of the steady clock, so that what is to expire does. */
static int64_t now_locked(struct storage *storage)
{
    struct figures *figures = &storage->figures;
    int64_t wall_ms = clock_wall_ms();
    int64_t steady_ms = clock_steady_ms();
    figures->now_ms += steady_ms - figures->steady_ms;
    figures->steady_ms = steady_ms;
    if (wall_ms > figures->now_ms) {
        figures->now_ms = wall_ms;
    }
    return figures->now_ms;
}

int64_t storage_now(struct storage *storage)
{
    lock(&storage->figures_lock);
    int64_t now_ms = now_locked(storage);
    unlock(&storage->figures_lock);
    return now_ms;
}

int64_t commit_time_locked(struct storage *storage)
{
    int64_t now_ms = storage_now(storage);
    assert(now_ms >= storage->last_ms);
    storage->last_ms = now_ms;
    return now_ms;
}

void figures_update_locked(struct storage *storage, uint32_t frames)
{
    lock(&storage->figures_lock);
    struct figures *figures = &storage->figures;
    figures->commits++;
    figures->frames += frames;
    figures->records = table_records(storage->table);
    figures->inner = table_inner(storage->table);
    figures->buckets = table_buckets(storage->table);
    figures->overflow_buckets = table_overflow_buckets(storage->table);
    figures->applied_lsn = storage->applied_lsn;
    figures->read_only = storage->refusal[0] != '\0';
    unlock(&storage->figures_lock);
}

/* ---- Planning ------------------------------------------------------------ */

/* Makes sure that the group can be written; if not, the view says why its
 * writes are refused. */
static void reserve(struct storage *storage, uint32_t frames)
{
    struct view *view = &storage->view;
    int error = 0;
    if (storage->wal != NULL && !storage->broken) {
        error = wal_reserve(storage->wal, frames);
        if (error != 0) {
            snprintf(storage->refusal, sizeof storage->refusal,
                "the log cannot be written: %s: make room in the data "
                "directory; writes go on by themselves then",
                strerror(-error));
        } else {
            storage->refusal[0] = '\0';
        }
    }
    view->refusal = storage->refusal[0] != '\0' ? storage->refusal : NULL;
}

/* Plans from *from on; returns how many frames wait to be written.  A mark goes
 * before them, and alone it is not worth a write. */
static uint32_t plan_locked(
    struct storage *storage, struct position *from, bool most)
{
    struct view *view = &storage->view;
    uint32_t wanted = group_frames(view, *from, most);
    reserve(storage, wanted);
    view_begin(view, wanted);
    view->now_ms = commit_time_locked(storage);
    view->wal = view->refusal == NULL ? storage->wal : NULL;
    uint64_t first = 0;
    uint64_t marked = 0;
    if (view->wal != NULL) {
        first = wal_next_lsn(view->wal);
        wal_mark(view->wal, view->now_ms);
        marked = wal_next_lsn(view->wal);
    }
    group_plan(view, from);
    if (view->wal == NULL) {
        return 0;
    }
    if (wal_next_lsn(view->wal) == marked) {
        wal_take_back(view->wal, first);
    }
    return (uint32_t)(wal_next_lsn(view->wal) - first);
}

void commit_refuse(
    struct view *view, struct batch *batch, kv_error_t status, const char *why)
{
    struct batch *next = batch->next;
    batch->next = NULL;
    group_refuse(
        view, (struct position){batch, 0}, (struct position){0}, status, why);
    batch->next = next;
}

/* ---- Groups -------------------------------------------------------------- */

void storage_fail(struct storage *storage, const char *what, int error)
{
    char why[STORAGE_WHY_MAX];
    snprintf(why, sizeof why,
        "%s failed: %s: what was written last may not be on disk; "
        "restart: the log decides what is there",
        what, strerror(-error));
    lock(&storage->commit);
    bool before = storage->broken;
    storage->broken = true;
    memcpy(storage->refusal, why, sizeof storage->refusal);
    unlock(&storage->commit);
    if (before) {
        return;
    }
    if (storage->options.fatal != NULL) {
        storage->options.fatal(storage->options.context, why);
    }
    diag_line(storage->options.diag, "storage: %s", why);
}

/* What is to be said once when writes begin to be refused, and once when they
 * are taken again. */
static void tell_refusal(struct storage *storage, bool before)
{
    bool now = storage->refusal[0] != '\0';
    if (now && !before) {
        diag_line(
            storage->options.diag, "storage: READ_ONLY: %s", storage->refusal);
    } else if (before && !now) {
        diag_line(storage->options.diag, "storage: writes are taken again");
    }
}

/* What became of a group. */
struct outcome {
    int error; /* 0 or -errno */
    bool written;
};

/* The error of a sync that failed on the way and was not told yet; or 0. */
static int log_lost_locked(const struct storage *storage)
{
    return storage->wal != NULL && !storage->broken ? wal_broken(storage->wal)
                                                    : 0;
}

/* What was written, or could not be wiped, may be there after a restart: that
 * is no refusal, but nobody knows. */
static void undo_group_locked(struct storage *storage, struct position from,
    struct position end, struct outcome outcome)
{
    struct view *view = &storage->view;
    bool unsure = outcome.written || wal_unsure(storage->wal);
    if (!storage->broken) {
        snprintf(storage->refusal, sizeof storage->refusal,
            "the log cannot be written: %s%s", strerror(-outcome.error),
            unsure ? "; a restart may bring this write back" : "");
    }
    lock(&storage->figures_lock);
    storage->figures.write_failures++;
    unlock(&storage->figures_lock);
    view_abandon(view);
    view->wal = NULL;
    /* What changed nothing is read again, without the group's changes. */
    group_refuse(
        view, from, end, unsure ? KV_INTERNAL : KV_READ_ONLY, storage->refusal);
}

/* Writes the group, and syncs it where every group is; the commit lock is let
 * go of meanwhile. */
static struct outcome write_group_locked(struct storage *storage)
{
    bool always = storage->options.sync == KV_SYNC_ALWAYS;
    struct outcome outcome = {0};
    unlock(&storage->commit);
    outcome.error = wal_write(storage->wal);
    outcome.written = outcome.error == 0;
    if (always && outcome.written) {
        outcome.error = wal_sync(storage->wal);
        if (outcome.error != 0) {
            storage_fail(storage, "the sync of the log", outcome.error);
        }
    }
    lock(&storage->commit);
    return outcome;
}

/* Commits from *from on what has room in one group; *most: as in
 * group_frames, and set if something found no room. */
static void commit_part_locked(
    struct storage *storage, struct position *from, bool *most)
{
    struct position first = *from;
    struct outcome outcome = {0};
    uint32_t frames = plan_locked(storage, from, *most);
    *most = from->batch != NULL;
    if (frames > 0) {
        outcome = write_group_locked(storage);
    }
    if (outcome.error != 0) {
        undo_group_locked(storage, first, *from, outcome);
    } else {
        view_publish(&storage->view);
        storage->applied_lsn =
            frames > 0 ? wal_next_lsn(storage->wal) - 1 : storage->applied_lsn;
    }
    figures_update_locked(storage, frames);
}

void commit_group(struct storage *storage, struct batch *batches)
{
    struct position from = {batches, 0};
    bool most = false;
    lock(&storage->commit);
    bool refused = storage->refusal[0] != '\0';
    while (from.batch != NULL) {
        commit_part_locked(storage, &from, &most);
    }
    tell_refusal(storage, refused);
    int error = log_lost_locked(storage);
    unlock(&storage->commit);
    if (error != 0) {
        storage_fail(storage, "the sync of the log", error);
    }
}

bool commit_mark(struct storage *storage)
{
    bool written = false;
    lock(&storage->commit);
    if (storage->wal != NULL && !storage->broken &&
        wal_mark_due(storage->wal) && wal_reserve(storage->wal, 0) == 0) {
        wal_mark(storage->wal, commit_time_locked(storage));
        unlock(&storage->commit);
        written = wal_write(storage->wal) == 0;
        lock(&storage->commit);
        if (written) {
            storage->applied_lsn = wal_next_lsn(storage->wal) - 1;
        }
    }
    unlock(&storage->commit);
    return written;
}

/* ---- Batches ------------------------------------------------------------- */

/* The key that is to be hashed; NULL: none. */
static const uint8_t *key_of(const struct op *op)
{
    if (op->verb == VERB_CALL) {
        return op->state != OP_REFUSED ? op->call->key.bytes : NULL;
    }
    bool has = op->verb != VERB_SWEEP && (verb_flags(op->verb) & VERB_KEY) != 0;
    return has ? op->message->key : NULL;
}

static void note_hash(struct table *table, struct op *op, uint64_t hash)
{
    op->hash = hash;
    if (op->verb == VERB_CALL) {
        op->call->key.hash = hash;
    }
    table_prefetch_bucket(table, hash);
}

static void hash_four(struct table *table, struct op *const ops[SIPHASH_LANES])
{
    const uint8_t *keys[SIPHASH_LANES];
    uint64_t hashes[SIPHASH_LANES];
    for (size_t i = 0; i < SIPHASH_LANES; i++) {
        keys[i] = key_of(ops[i]);
    }
    table_hash_four(table, keys, hashes);
    for (size_t i = 0; i < SIPHASH_LANES; i++) {
        note_hash(table, ops[i], hashes[i]);
    }
}

/* The hashes of the whole batch first, so that the waits for the buckets
 * overlap; then the records are asked for some operations ahead. */
static void hash_batch(struct table *table, struct batch *batch)
{
    struct op *ops[SIPHASH_LANES];
    size_t count = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        ops[count] = &batch->ops[i];
        count += key_of(ops[count]) != NULL ? 1 : 0;
        if (count == SIPHASH_LANES) {
            hash_four(table, ops);
            count = 0;
        }
    }
    for (size_t i = 0; i < count; i++) {
        note_hash(table, ops[i], table_hash(table, key_of(ops[i])));
    }
}

struct view commit_shared_view(struct storage *storage)
{
    struct view view = {.table = storage->table};
    lock(&storage->figures_lock);
    view.now_ms = now_locked(storage);
    view.records = storage->figures.records;
    view.inner = storage->figures.inner;
    unlock(&storage->figures_lock);
    return view;
}

/* Executes the calls that see all records at one instant: nothing is published
 * meanwhile. */
static void read_still(struct storage *storage, struct batch *batch)
{
    lock(&storage->commit);
    struct view view = commit_shared_view(storage);
    view.still = true;
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->ops[i].state == OP_STILL) {
            (void)group_call(&view, batch, &batch->ops[i]);
        }
    }
    unlock(&storage->commit);
}

void storage_call(
    struct storage *storage, struct call *call, struct buffer *out)
{
    lock(&storage->commit);
    struct view view = commit_shared_view(storage);
    view.still = true;
    call->key.hash = table_hash(storage->table, call->key.bytes);
    (void)command_run(call, &view, out);
    unlock(&storage->commit);
}

/* A call that found no single instant in a shared view waits for a still one,
 * and so do those behind it, which must not see an older state. */
static void read_call(struct view *view, struct batch *batch, struct op *op)
{
    if (!view->moved) {
        (void)group_call(view, batch, op);
    }
    if (view->moved) {
        batch->replies.size -= op->reply_size;
        op->state = OP_STILL;
    }
}

void storage_read(struct storage *storage, struct batch *batch)
{
    assert(batch->count <= BATCH_OPS_MAX);
    hash_batch(storage->table, batch);
    struct view view = commit_shared_view(storage);
    bool still = false;
    batch->commits = 0;
    batch->more_changes = 0;
    uint32_t asked = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct op *op = &batch->ops[i];
        while (asked < i + AHEAD) {
            asked = group_prefetch(storage->table, batch, asked, OP_READ);
        }
        if (op->state == OP_READ && op->verb == VERB_CALL) {
            read_call(&view, batch, op);
        } else if (op->state == OP_READ) {
            storage_apply(&view, op);
        } else if (op->state == OP_COMMIT) {
            batch->commits++;
            if (op->verb == VERB_CALL || op->verb == VERB_SWEEP) {
                batch->more_changes += group_more_changes(op);
            }
        }
        still = still || op->state == OP_STILL;
    }
    if (still) {
        read_still(storage, batch);
    }
}

bool storage_commit(struct storage *storage, struct batch *batch)
{
    batch->next = NULL;
    if (batch->commits == 0 || stall_refuses(storage, batch)) {
        return true;
    }
    if (!storage->committer_runs) {
        commit_group(storage, batch);
        return true;
    }
    return committer_commit(storage, batch);
}
