/* keeper.c: what has to be done now and then, by a thread of its own: the sync
 * of every second, a log segment ahead, the sweep, backups at intervals and on
 * demand.  Nobody waits for it. */
#include "storage/state.h"

#include "clock.h"
#include "command/collection.h"
#include "thread.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum {
    SYNC_INTERVAL_MS = 1000,
    PREPARE_RETRY_MS = 1000,
    NOTE_RETRY_MS = 60000,
    SWEEP_BUCKETS = 16384, /* looked at in one tick */
    OUTGROWN_SHARE = 2     /* of a backup's size, that the log may reach */
};

struct keeper {
    struct storage *storage;
    int64_t now_ms; /* steady */
    int64_t sync_ms;
    int64_t prepare_ms;
    int64_t note_ms; /* when to try, at the earliest */
    int64_t backup_ms;
    bool prepare_failed;
    bool preparing; /* the next segment ahead is half made */
};

/* ---- The log ------------------------------------------------------------- */

static void sync_log(struct keeper *keeper)
{
    struct storage *storage = keeper->storage;
    bool everysec = storage->options.sync == KV_SYNC_EVERYSEC;
    if (storage->options.sync == KV_SYNC_ALWAYS ||
        keeper->now_ms - keeper->sync_ms < SYNC_INTERVAL_MS) {
        return;
    }
    keeper->sync_ms = keeper->now_ms;
    int error = 0;
    if (!everysec) {
        error = wal_sync_sealed(storage->wal);
    } else if (wal_dirty(storage->wal)) {
        stall_begin(storage);
        error = wal_sync(storage->wal);
        stall_end(storage);
    }
    if (error != 0) {
        storage_fail(storage, "the sync of the log", error);
    } else {
        committer_mark(storage); /* the next sync covers it */
    }
}

/* Once in a store's life: from then on a directory without a log has lost it.
 * The log is durable first, or a loss of power might take it and leave the
 * note; with none nobody else syncs it. */
static void note_log(struct keeper *keeper)
{
    struct storage *storage = keeper->storage;
    struct wal_figures log;
    wal_figures(storage->wal, &log);
    bool none = storage->options.sync == KV_SYNC_NONE;
    if (storage->begun || log.segments == 0 || (log.durable == 0 && !none) ||
        keeper->now_ms < keeper->note_ms) {
        return;
    }
    keeper->note_ms = keeper->now_ms + NOTE_RETRY_MS;
    int error = log.durable == 0 ? wal_sync(storage->wal) : 0;
    if (error != 0) {
        storage_fail(storage, "the sync of the log", error);
        return;
    }
    error = identity_note_log(storage);
    if (error != 0) {
        diag_line(storage->options.diag,
            "storage: cannot note in hash.key that there is a log: %s",
            strerror(-error));
    }
}

static void prepare_log(struct keeper *keeper)
{
    struct storage *storage = keeper->storage;
    if (keeper->prepare_failed &&
        keeper->now_ms - keeper->prepare_ms < PREPARE_RETRY_MS) {
        return;
    }
    int error = wal_prepare(storage->wal);
    keeper->preparing = error == -EAGAIN;
    if (keeper->preparing) {
        return;
    }
    if (error != 0 && !keeper->prepare_failed) {
        diag_line(storage->options.diag,
            "log: cannot allocate the next segment of %" PRIu64
            " bytes ahead: %s; writes will be refused when this one is full",
            storage->options.segment_bytes, strerror(-error));
    }
    keeper->prepare_failed = error != 0;
    keeper->prepare_ms = keeper->now_ms;
}

/* ---- The sweep ----------------------------------------------------------- */

static void sweep_done(struct batch *batch)
{
    struct storage *storage = batch->owner;
    struct sweeper *sweeper = storage->sweeper;
    uint64_t expired = 0;
    sweeper->left = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct op *op = &batch->ops[i];
        bool more = op->message->status == KV_END && op->number == SWEEP_MORE;
        expired += op->message->status == KV_SUCCESS ? 1 : 0;
        if (more && sweeper->left < SWEEP_LEFT_MAX) {
            sweeper->found[sweeper->left++] = sweeper->found[i];
        }
    }
    lock(&storage->figures_lock);
    storage->figures.expired += expired;
    unlock(&storage->figures_lock);
    lock(&storage->keeper_lock);
    storage->sweeping = false;
    /* What was refused is not tried again before the next tick. */
    storage->sweep_goes_on =
        (batch->count == SWEEP_KEYS_MAX && expired > 0) || sweeper->left > 0;
    pthread_cond_signal(&storage->keeper_wakes);
    unlock(&storage->keeper_lock);
}

static void note_cycle(struct keeper *keeper, struct sweeper *sweeper)
{
    struct storage *storage = keeper->storage;
    lock(&storage->figures_lock);
    storage->figures.sweep_cycle_ms =
        (uint64_t)(keeper->now_ms - sweeper->cycle_started_ms);
    unlock(&storage->figures_lock);
    sweeper->cycle_started_ms = keeper->now_ms;
}

/* What is left counts as expired, so it is found again: once is enough. */
static uint32_t drop_known(struct sweeper *sweeper, uint32_t count)
{
    uint32_t kept = sweeper->left;
    for (uint32_t i = sweeper->left; i < count; i++) {
        bool known = false;
        for (uint32_t j = 0; j < sweeper->left && !known; j++) {
            known = sweeper->found[j].hash == sweeper->found[i].hash &&
                    memcmp(sweeper->found[j].key, sweeper->found[i].key,
                        KV_KEY_SIZE) == 0;
        }
        if (!known) {
            sweeper->found[kept++] = sweeper->found[i];
        }
    }
    return kept;
}

static void fill_sweep(struct sweeper *sweeper, uint32_t count)
{
    uint32_t share = REMAINS_STEP / (sweeper->left > 0 ? sweeper->left : 1);
    sweeper->batch.count = count;
    for (uint32_t i = 0; i < count; i++) {
        kv_message_t *message = &sweeper->messages[i];
        *message = (kv_message_t){.type = VERB_SWEEP};
        memcpy(message->key, sweeper->found[i].key, KV_KEY_SIZE);
        sweeper->batch.ops[i] = (struct op){
            .message = message,
            .hash = sweeper->found[i].hash,
            .number = i < sweeper->left ? share : 1,
            .verb = VERB_SWEEP,
            .state = OP_COMMIT,
        };
    }
}

/* Hands one batch of expired records to commit, if there are any. */
static void sweep(struct keeper *keeper)
{
    struct storage *storage = keeper->storage;
    struct sweeper *sweeper = storage->sweeper;
    lock(&storage->keeper_lock);
    bool busy = storage->sweeping;
    storage->sweep_goes_on = false;
    unlock(&storage->keeper_lock);
    if (busy) {
        return;
    }
    uint32_t count = sweeper->left;
    count += table_sweep(storage->table, &sweeper->position, SWEEP_BUCKETS,
        storage_now(storage), sweeper->found + count, SWEEP_KEYS_MAX - count);
    if (sweeper->position == 0) {
        note_cycle(keeper, sweeper);
    }
    count = drop_known(sweeper, count);
    if (count == 0) {
        return;
    }
    fill_sweep(sweeper, count);
    lock(&storage->keeper_lock);
    storage->sweeping = true;
    unlock(&storage->keeper_lock);
    storage_read(storage, &sweeper->batch);
    if (storage_commit(storage, &sweeper->batch)) {
        sweep_done(&sweeper->batch);
    }
}

/* ---- Backups ------------------------------------------------------------- */

static void *backup_run(void *context)
{
    struct storage *storage = context;
    uint64_t lsn;
    int error = snapshot_write(storage, true, &lsn);
    lock(&storage->keeper_lock);
    struct storage_backup_request *request = storage->served;
    storage->served = NULL;
    storage->backup_writes = false;
    unlock(&storage->keeper_lock);
    while (request != NULL) {
        struct storage_backup_request *next = request->next;
        request->done(request, error, lsn);
        request = next;
    }
    lock(&storage->keeper_lock);
    storage->backup_done = true;
    pthread_cond_signal(&storage->keeper_wakes);
    unlock(&storage->keeper_lock);
    return NULL;
}

/* Anything changed, and the log has outgrown its share of the last backup. */
static bool outgrown(struct storage *storage)
{
    struct wal_figures log;
    wal_figures(storage->wal, &log);
    lock(&storage->figures_lock);
    uint64_t lsn = storage->figures.backup_lsn;
    uint64_t records = storage->figures.backup_records;
    unlock(&storage->figures_lock);
    return log.data > lsn && log.written - lsn > records / OUTGROWN_SHARE;
}

static void join_backup(struct keeper *keeper)
{
    struct storage *storage = keeper->storage;
    lock(&storage->keeper_lock);
    bool done = storage->backup_done;
    unlock(&storage->keeper_lock);
    if (done) {
        pthread_join(storage->backup_thread, NULL);
        lock(&storage->keeper_lock);
        storage->backup_done = false;
        storage->backup_runs = false;
        unlock(&storage->keeper_lock);
        keeper->backup_ms = keeper->now_ms;
    }
}

static void back_up(struct keeper *keeper)
{
    struct storage *storage = keeper->storage;
    int64_t interval_ms = (int64_t)storage->options.backup_interval_s * 1000;
    bool due =
        interval_ms != 0 && keeper->now_ms - keeper->backup_ms >= interval_ms;
    join_backup(keeper);
    if (due && !outgrown(storage)) {
        keeper->backup_ms = keeper->now_ms;
        due = false;
    }
    lock(&storage->keeper_lock);
    bool start = !storage->backup_runs && (due || storage->waiting != NULL);
    if (start) {
        storage->served = storage->waiting;
        storage->waiting = NULL;
        storage->waiting_count = 0;
        storage->backup_runs = true;
        storage->backup_writes = true;
    }
    unlock(&storage->keeper_lock);
    if (!start) {
        return;
    }
    if (thread_start(&storage->backup_thread, backup_run, storage) != 0) {
        /* Without a thread it is written here, and all else waits. */
        backup_run(storage);
        lock(&storage->keeper_lock);
        storage->backup_done = false;
        storage->backup_runs = false;
        unlock(&storage->keeper_lock);
    }
}

bool storage_backup(
    struct storage *storage, struct storage_backup_request *request)
{
    if (storage->wal == NULL) {
        return false;
    }
    lock(&storage->keeper_lock);
    bool taken =
        storage->waiting_count < BACKUP_WAITING_MAX && !storage->keeper_stops;
    if (taken) {
        request->next = storage->waiting;
        storage->waiting = request;
        storage->waiting_count++;
        pthread_cond_signal(&storage->keeper_wakes);
    }
    unlock(&storage->keeper_lock);
    return taken;
}

/* ---- The thread ---------------------------------------------------------- */

/* Sleeps until the next tick, until somebody wants something, or not at all
 * while there is much to sweep, or a segment half made; false when the thread
 * is to end. */
static bool wait_for_tick(struct keeper *keeper)
{
    struct storage *storage = keeper->storage;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += KEEPER_TICK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    lock(&storage->keeper_lock);
    int error = 0;
    while (!storage->keeper_stops && !storage->backup_done &&
           (storage->waiting == NULL || storage->backup_runs) &&
           !storage->sweep_goes_on && !keeper->preparing &&
           error != ETIMEDOUT) {
        error = pthread_cond_timedwait(
            &storage->keeper_wakes, &storage->keeper_lock, &until);
    }
    bool goes_on = !storage->keeper_stops;
    unlock(&storage->keeper_lock);
    return goes_on;
}

static void *keeper_run(void *context)
{
    struct keeper keeper = {.storage = context};
    struct storage *storage = context;
    keeper.backup_ms = clock_steady_ms();
    keeper.sync_ms = keeper.backup_ms;
    storage->sweeper->batch.done = sweep_done;
    storage->sweeper->cycle_started_ms = keeper.backup_ms;
    do {
        keeper.now_ms = clock_steady_ms();
        sweep(&keeper);
        if (storage->wal != NULL) {
            sync_log(&keeper);
            note_log(&keeper);
            prepare_log(&keeper);
            back_up(&keeper);
        }
    } while (wait_for_tick(&keeper));
    return NULL;
}

int keeper_start(struct storage *storage)
{
    int error = thread_start(&storage->keeper, keeper_run, storage);
    storage->keeper_runs = error == 0;
    return error;
}

/* Waits for a backup that runs and a sweep that commit has; answers requests
 * that came too late. */
void keeper_stop(struct storage *storage)
{
    if (!storage->keeper_runs) {
        return;
    }
    lock(&storage->keeper_lock);
    storage->keeper_stops = true;
    pthread_cond_signal(&storage->keeper_wakes);
    unlock(&storage->keeper_lock);
    pthread_join(storage->keeper, NULL);
    storage->keeper_runs = false;
    if (storage->backup_runs) {
        pthread_join(storage->backup_thread, NULL);
        storage->backup_runs = false;
    }
    lock(&storage->keeper_lock);
    while (storage->sweeping) {
        pthread_cond_wait(&storage->keeper_wakes, &storage->keeper_lock);
    }
    struct storage_backup_request *request = storage->waiting;
    storage->waiting = NULL;
    unlock(&storage->keeper_lock);
    while (request != NULL) {
        struct storage_backup_request *next = request->next;
        request->done(request, -ECANCELED, 0);
        request = next;
    }
}
