#include "storage/storage.h"
#include "storage/state.h"

#include "clock.h"
#include "file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LOCK_FILE "lock"

/* ---- Opening ------------------------------------------------------------- */

static void init_locks(struct storage *storage)
{
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_mutex_init(&storage->commit, NULL);
    pthread_mutex_init(&storage->queue, NULL);
    pthread_mutex_init(&storage->figures_lock, NULL);
    pthread_mutex_init(&storage->keeper_lock, NULL);
    pthread_cond_init(&storage->queued, &steady);
    pthread_cond_init(&storage->keeper_wakes, &steady);
    pthread_condattr_destroy(&steady);
}

/* Before anything is touched. */
static int check_options(
    const struct storage_options *options, char why[STORAGE_WHY_MAX])
{
    if (options->capacity < 1 || options->capacity > TABLE_CAPACITY_MAX) {
        snprintf(why, STORAGE_WHY_MAX,
            "KV_CAPACITY is %" PRIu64 "; allowed is 1 to %d", options->capacity,
            TABLE_CAPACITY_MAX);
        return -EINVAL;
    }
    if ((unsigned)options->sync > KV_SYNC_NONE) {
        snprintf(why, STORAGE_WHY_MAX, "KV_SYNC is %d; allowed is %d to %d",
            (int)options->sync, KV_SYNC_ALWAYS, KV_SYNC_NONE);
        return -EINVAL;
    }
    if (options->directory != NULL &&
        (options->segment_bytes < WAL_SEGMENT_MIN ||
            options->segment_bytes > WAL_SEGMENT_MAX ||
            options->segment_bytes % DISK_PAGE != 0)) {
        snprintf(why, STORAGE_WHY_MAX,
            "KV_LOG_SEGMENT is %" PRIu64 " bytes; allowed are multiples of %d "
            "from %d to %" PRIu64,
            options->segment_bytes, DISK_PAGE, WAL_SEGMENT_MIN,
            WAL_SEGMENT_MAX);
        return -EINVAL;
    }
    return 0;
}

static int open_directory(struct storage *storage, char why[STORAGE_WHY_MAX])
{
    const char *path = storage->options.directory;
    storage->directory = file_open_directory(path, true);
    if (storage->directory < 0) {
        snprintf(why, STORAGE_WHY_MAX, "cannot open the data directory %s: %s",
            path, strerror(-storage->directory));
        return storage->directory;
    }
    storage->lock_fd = file_lock(storage->directory, LOCK_FILE);
    if (storage->lock_fd == -EWOULDBLOCK) {
        snprintf(why, STORAGE_WHY_MAX,
            "the data directory %s is in use by another process: stop that, "
            "or choose another directory",
            path);
        return -EBUSY;
    }
    if (storage->lock_fd < 0) {
        snprintf(why, STORAGE_WHY_MAX, "cannot write in %s: %s", path,
            strerror(-storage->lock_fd));
        return storage->lock_fd;
    }
    return 0;
}

static int make_table(struct storage *storage,
    const uint8_t secret[SIPHASH_SECRET_SIZE], char why[STORAGE_WHY_MAX])
{
    uint64_t capacity = storage->options.capacity;
    int error =
        table_create(&storage->table, capacity, VIEW_CHANGES_MAX, secret);
    if (error != 0) {
        struct storage_plan plan;
        storage_plan(capacity, &plan);
        snprintf(why, STORAGE_WHY_MAX,
            "KV_CAPACITY is %" PRIu64 ", which takes %" PRIu64
            " bytes of address space; the system refuses that: %s; set it to "
            "less, or allow more (vm.overcommit_memory)",
            capacity, plan.reserved_bytes, strerror(-error));
    }
    return error;
}

static int make_buffers(struct storage *storage, char why[STORAGE_WHY_MAX])
{
    storage->sweeper = calloc(1, sizeof *storage->sweeper);
    storage->view.overlay = calloc(1, sizeof *storage->view.overlay);
    if (storage->sweeper == NULL || storage->view.overlay == NULL) {
        snprintf(why, STORAGE_WHY_MAX, "out of memory");
        return -ENOMEM;
    }
    storage->view.table = storage->table;
    storage->sweeper->batch.owner = storage;
    return 0;
}

static void take_memory(struct storage *storage)
{
    int64_t started_ms = clock_steady_ms();
    uint64_t bytes = table_touch(storage->table);
    file_touch_memory(storage->sweeper, sizeof *storage->sweeper);
    file_touch_memory(storage->view.overlay, sizeof *storage->view.overlay);
    bytes += sizeof *storage->sweeper + sizeof *storage->view.overlay;
    diag_line(storage->options.diag,
        "storage: %" PRIu64 " bytes of memory taken in %" PRId64
        " ms, for all of %" PRIu64 " records",
        bytes, clock_steady_ms() - started_ms, storage->options.capacity);
}

static int start_threads(struct storage *storage, char why[STORAGE_WHY_MAX])
{
    int error = 0;
    if (storage->wal != NULL) {
        error = committer_start(storage);
    }
    if (error == 0) {
        error = keeper_start(storage);
    }
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "cannot start a thread: %s",
            strerror(-error));
    }
    return error;
}

static int make_secret(
    uint8_t secret[SIPHASH_SECRET_SIZE], char why[STORAGE_WHY_MAX])
{
    int error = file_random(secret, SIPHASH_SECRET_SIZE);
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "the system has no random bytes: %s",
            strerror(-error));
    }
    return error;
}

/* The secret of the hash: the directory's, or one for memory alone. */
static int find_secret(struct storage *storage,
    uint8_t secret[SIPHASH_SECRET_SIZE], char why[STORAGE_WHY_MAX])
{
    if (storage->options.directory != NULL) {
        int error = open_directory(storage, why);
        return error != 0 ? error : identity_open(storage, secret, why);
    }
    return make_secret(secret, why);
}

static int fill(struct storage *storage, char why[STORAGE_WHY_MAX])
{
    uint8_t secret[SIPHASH_SECRET_SIZE];
    int error = check_options(&storage->options, why);
    if (error == 0) {
        error = find_secret(storage, secret, why);
    }
    if (error == 0) {
        error = make_table(storage, secret, why);
    }
    if (error == 0) {
        error = make_buffers(storage, why);
    }
    if (error == 0 && storage->options.preallocate) {
        take_memory(storage);
    }
    if (error == 0 && storage->options.directory != NULL) {
        error = storage_recover(storage, why);
        if (error == 0) {
            error = identity_keep(storage, secret, why);
        }
    }
    if (error == 0) {
        figures_update_locked(storage, 0);
        error = start_threads(storage, why);
    }
    return error;
}

static void release(struct storage *storage)
{
    wal_close(storage->wal);
    table_destroy(storage->table);
    free(storage->view.overlay);
    free(storage->sweeper);
    file_close(storage->lock_fd < 0 ? -1 : storage->lock_fd);
    file_close(storage->directory < 0 ? -1 : storage->directory);
    pthread_cond_destroy(&storage->keeper_wakes);
    pthread_cond_destroy(&storage->queued);
    pthread_mutex_destroy(&storage->keeper_lock);
    pthread_mutex_destroy(&storage->figures_lock);
    pthread_mutex_destroy(&storage->queue);
    pthread_mutex_destroy(&storage->commit);
    free(storage);
}

/* A storage with nothing open and nothing in it. */
static int create(struct storage **result,
    const struct storage_options *options, char why[STORAGE_WHY_MAX])
{
    *result = NULL;
    why[0] = '\0';
    struct storage *storage = calloc(1, sizeof *storage);
    if (storage == NULL) {
        snprintf(why, STORAGE_WHY_MAX, "out of memory");
        return -ENOMEM;
    }
    storage->options = *options;
    if (options->stall_ms == 0) {
        storage->options.stall_ms = STORAGE_STALL_MS;
    }
    storage->directory = -1;
    storage->lock_fd = -1;
    init_locks(storage);
    *result = storage;
    return 0;
}

int storage_open(struct storage **result, const struct storage_options *options,
    char why[STORAGE_WHY_MAX])
{
    assert(options->backup_keep >= 1 && options->load_threads >= 1);
    int error = create(result, options, why);
    if (error != 0) {
        return error;
    }
    error = fill(*result, why);
    if (error != 0) {
        keeper_stop(*result);
        committer_stop(*result);
        release(*result);
        *result = NULL;
    }
    return error;
}

/* ---- Looking at a moment ------------------------------------------------- */

enum { LOOKS_MAX = 3 /* while a running server adds and removes files */ };

/* Whose files these are, and how many records they may hold up to LSN *room. */
static int look_around(struct storage *storage,
    const struct storage_moment *until, uint64_t *room,
    char why[STORAGE_WHY_MAX])
{
    struct storage_options *options = &storage->options;
    struct wal_extent extent;
    int error = identity_find(storage->directory, storage->identity);
    if (error == -ENOENT) {
        snprintf(why, STORAGE_WHY_MAX,
            "%s holds no store: no hash.key, and no backup-* or log-* that "
            "could be one's",
            options->directory);
        return error;
    }
    if (error == 0) {
        error = wal_extent_read(storage->directory, &extent);
    }
    *room = UINT64_MAX;
    if (error == 0 && options->capacity == 0) {
        *room = extent.room_lsn;
        error = load_capacity(storage, until->lsn, &extent, &options->capacity);
    }
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "cannot read %s: %s", options->directory,
            strerror(-error));
    }
    return error;
}

static int fill_at(struct storage *storage, const struct storage_moment *until,
    char why[STORAGE_WHY_MAX])
{
    uint8_t secret[SIPHASH_SECRET_SIZE];
    uint64_t room;
    const char *path = storage->options.directory;
    storage->directory = file_open_directory(path, false);
    if (storage->directory < 0) {
        snprintf(why, STORAGE_WHY_MAX, "cannot open the data directory %s: %s",
            path, strerror(-storage->directory));
        return storage->directory;
    }
    int error = look_around(storage, until, &room, why);
    if (error == 0) {
        error = make_secret(secret, why);
    }
    if (error == 0) {
        error = make_table(storage, secret, why);
    }
    if (error == 0) {
        error = make_buffers(storage, why);
    }
    if (error == 0) {
        error = storage_recover_at(storage, until, room, why);
    }
    if (error == 0) {
        figures_update_locked(storage, 0);
    }
    return error;
}

/* Beside a running server what is wrong must be so at every look: between the
 * list of files and their reading, some come, go and grow. */
int storage_open_at(struct storage **result,
    const struct storage_options *options, const struct storage_moment *until,
    char why[STORAGE_WHY_MAX])
{
    int error = -EAGAIN;
    bool again = true;
    assert(options->directory != NULL && options->load_threads >= 1);
    for (int looks = 0; looks < LOOKS_MAX && error != 0 && again; looks++) {
        error = create(result, options, why);
        if (error != 0) {
            return error;
        }
        error = fill_at(*result, until, why);
        again = (error == -EAGAIN || error == -EUCLEAN || error == -ENOENT ||
                    (error == -ENOSPC && options->capacity == 0)) &&
                (*result)->directory >= 0 &&
                file_is_locked((*result)->directory, LOCK_FILE);
        if (error != 0) {
            release(*result);
            *result = NULL;
        }
    }
    return error;
}

struct storage_moment storage_reached(const struct storage *storage)
{
    return (struct storage_moment){storage->applied_lsn, storage->last_ms};
}

/* ---- Closing ------------------------------------------------------------- */

int storage_close(struct storage *storage, bool backup)
{
    int error = 0;
    keeper_stop(storage);
    committer_stop(storage);
    if (storage->wal != NULL && !storage->broken) {
        struct wal_figures log;
        uint64_t lsn;
        wal_figures(storage->wal, &log);
        if (backup && log.data > storage->figures.backup_lsn) {
            error = snapshot_write(storage, false, &lsn);
        }
        int unsynced = wal_sync(storage->wal);
        if (unsynced != 0) {
            diag_line(storage->options.diag,
                "storage: the sync of the log failed: %s", strerror(-unsynced));
        }
        if (unsynced == 0 && !storage->begun && log.segments > 0) {
            /* If this fails, the next one who opens it does it. */
            (void)identity_note_log(storage);
        }
        error = error != 0 ? error : unsynced;
    }
    release(storage);
    return error;
}

/* ---- Looking ------------------------------------------------------------- */

uint32_t storage_scan(struct storage *storage,
    const uint8_t prefix[KV_KEY_SIZE], uint64_t *cursor,
    kv_message_t records[KV_SCAN_MAX])
{
    return table_scan(
        storage->table, prefix, storage_now(storage), cursor, records);
}

bool storage_waits(const struct storage *storage)
{
    return storage->wal != NULL && storage->options.sync == KV_SYNC_ALWAYS;
}

bool storage_durable(const struct storage *storage)
{
    return storage->wal != NULL;
}

uint64_t storage_count(struct storage *storage)
{
    lock(&storage->figures_lock);
    uint64_t records = storage->figures.records;
    unlock(&storage->figures_lock);
    return records;
}

uint64_t storage_keys(struct storage *storage)
{
    lock(&storage->figures_lock);
    uint64_t keys = storage->figures.records - storage->figures.inner;
    unlock(&storage->figures_lock);
    return keys;
}

void storage_stats(struct storage *storage, struct stats *stats)
{
    struct wal_figures log = {0};
    struct wal_part kept = {0};
    lock(&storage->figures_lock);
    const struct figures figures = storage->figures;
    unlock(&storage->figures_lock);
    lock(&storage->keeper_lock);
    bool writing = storage->backup_writes || storage->waiting != NULL;
    unlock(&storage->keeper_lock);
    if (storage->wal != NULL) {
        wal_figures(storage->wal, &log);
        wal_measure_before(storage->wal, figures.needless_lsn, &kept);
    }
    struct stats part = {
        .records = figures.records,
        .members = figures.inner,
        .capacity = table_capacity(storage->table),
        .buckets = figures.buckets,
        .overflow_buckets = figures.overflow_buckets,
        .expired = figures.expired,
        .sweep_cycle_ms = figures.sweep_cycle_ms,
        .commits = figures.commits,
        .frames = figures.frames,
        .syncs = log.syncs,
        .lsn = figures.applied_lsn,
        .lsn_durable = log.durable,
        .log_bytes = (log.written - u64_min(figures.backup_lsn, log.written)) *
                     FRAME_SIZE,
        .log_segments = log.segments,
        .log_kept_bytes = kept.frames * FRAME_SIZE,
        .log_kept_segments = kept.segments,
        .backups = figures.backups,
        .backup_lsn = figures.backup_lsn,
        .backup_records = figures.backup_records,
        .backup_ms = figures.backup_ms,
        .backup_time_s = (uint64_t)figures.backup_time_ms / 1000,
        .backup_writing = writing ? 1 : 0,
        .backup_failed = figures.backup_failed ? 1 : 0,
        .backup_failures = figures.backup_failures,
        .read_only = figures.read_only ? 1 : 0,
        .write_failures = figures.write_failures,
        .disk_silent_ms = (uint64_t)storage_silent_ms(storage),
        .stalls = figures.stalls,
        .writes_busy = figures.writes_busy,
        .recovery_ms = figures.recovery_ms,
        .recovery_frames = figures.recovery_frames,
    };
    stats_add(stats, &part);
}

void storage_plan(uint64_t capacity, struct storage_plan *plan)
{
    struct table_size size;
    table_measure(capacity, VIEW_CHANGES_MAX, &size);
    *plan = (struct storage_plan){
        .record_bytes = size.slot_bytes,
        .bucket_bytes = size.bucket_bytes,
        .overflow_bytes = size.overflow_bytes,
        .fixed_bytes = sizeof(struct storage) + sizeof(struct sweeper) +
                       sizeof(struct overlay) + WAL_BUFFER_SIZE +
                       BACKUP_RING_FRAMES * sizeof(struct frame),
        .reserved_bytes =
            size.slot_bytes + size.bucket_bytes + size.overflow_bytes,
    };
}
