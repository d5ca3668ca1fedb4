/* recover.c: the table, filled again: the newest valid backup, loaded by
 * several threads in slices, then the log from its LSN on, through the same
 * storage_apply as at first. */
#include "storage/apply.h"
#include "storage/state.h"

#include "clock.h"
#include "thread.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SLICE_RECORDS = 2048, /* read at once by a loading thread */
    LOAD_THREADS_MAX = 64,
    PROGRESS_MS = 1000
};

/* ---- The backup ---------------------------------------------------------- */

struct load {
    struct storage *storage;
    struct backup_reader reader;
    int64_t started_ms;
    int64_t told_ms;

    pthread_mutex_t lock; /* guards what follows */
    uint64_t next;        /* number of the first record of the next slice */
    int error;
    char why[BACKUP_WHY_MAX];
};

static void tell_load(struct load *load)
{
    int64_t now_ms = clock_steady_ms();
    if (now_ms - load->told_ms >= PROGRESS_MS) {
        load->told_ms = now_ms;
        diag_line(load->storage->options.diag,
            "recovery: backup of LSN %" PRIu64 ": %" PRIu64 " of %" PRIu64
            " records, %" PRIu64 " %%",
            load->reader.head.lsn, load->next - 1, load->reader.head.count,
            (load->next - 1) * 100 / load->reader.head.count);
    }
}

/* The next slice's first record and length; 0 when there is none. */
static uint32_t take_slice(struct load *load, uint64_t *first)
{
    lock(&load->lock);
    uint64_t left = load->reader.head.count + 1 - load->next;
    uint32_t count =
        load->error != 0 ? 0 : (uint32_t)u64_min(left, SLICE_RECORDS);
    *first = load->next;
    load->next += count;
    if (count != 0) {
        tell_load(load);
    }
    unlock(&load->lock);
    return count;
}

static int load_slice(struct load *load, uint64_t first, uint32_t count,
    struct frame *frames, char why[BACKUP_WHY_MAX])
{
    struct table *table = load->storage->table;
    int error = backup_read(&load->reader, first, count, frames, why);
    if (error != 0) {
        return error;
    }
    for (uint32_t i = 0; i < count; i++) {
        table_prefetch_bucket(table, table_hash(table, frames[i].message.key));
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct frame *frame = &frames[i];
        struct record *record = table_load_slot(table, first + i - 1);
        record->expire_ms = frame->arg;
        record->value_len = frame->message.value_len;
        memcpy(record->key, frame->message.key, KV_KEY_SIZE);
        memcpy(record->value, frame->message.value, KV_VALUE_MAX);
        if (!table_load(table, record)) {
            snprintf(why, BACKUP_WHY_MAX,
                "its record number %" PRIu64 " has the key of another",
                first + i);
            return -EUCLEAN;
        }
    }
    return 0;
}

static void *load_run(void *context)
{
    struct load *load = context;
    struct frame *frames = malloc(SLICE_RECORDS * sizeof *frames);
    char why[BACKUP_WHY_MAX] = "out of memory";
    int error = frames == NULL ? -ENOMEM : 0;
    uint64_t first;
    uint32_t count;
    while (error == 0 && (count = take_slice(load, &first)) > 0) {
        error = load_slice(load, first, count, frames, why);
    }
    if (error != 0) {
        lock(&load->lock);
        load->error = error;
        memcpy(load->why, why, sizeof load->why);
        unlock(&load->lock);
    }
    free(frames);
    return NULL;
}

static void load_all(struct load *load)
{
    pthread_t threads[LOAD_THREADS_MAX];
    uint32_t wanted = (uint32_t)u64_min(
        load->storage->options.load_threads, LOAD_THREADS_MAX);
    uint32_t started = 0;
    while (started + 1 < wanted &&
           thread_start(&threads[started], load_run, load) == 0) {
        started++;
    }
    load_run(load);
    while (started > 0) {
        pthread_join(threads[--started], NULL);
    }
}

/* Loads the backup of this LSN into the empty table. */
static int load_backup(
    struct storage *storage, uint64_t lsn, char why[STORAGE_WHY_MAX])
{
    struct load load = {.storage = storage, .next = 1};
    int error = backup_open(
        &load.reader, storage->directory, lsn, storage->identity, load.why);
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "%.*s", BACKUP_WHY_MAX - 1, load.why);
        return error;
    }
    uint64_t count = load.reader.head.count;
    error = table_load_start(storage->table, count);
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX,
            "KV_CAPACITY is %" PRIu64 ", but the backup of LSN %" PRIu64
            " in %s holds %" PRIu64 " records: raise it",
            table_capacity(storage->table), lsn, storage->options.directory,
            count);
        backup_close(&load.reader);
        return error;
    }
    load.told_ms = clock_steady_ms();
    pthread_mutex_init(&load.lock, NULL);
    load_all(&load);
    pthread_mutex_destroy(&load.lock);
    storage->last_ms = load.reader.head.time_ms;
    backup_close(&load.reader);
    storage->figures.backup_records = count;
    snprintf(why, STORAGE_WHY_MAX, "%.*s", BACKUP_WHY_MAX - 1, load.why);
    return load.error;
}

/* Loads the newest backup that is valid.  *lsn: its LSN, 0 if there is none;
 * *damaged: how many are not valid. */
static int load_newest(struct storage *storage, uint64_t *lsn,
    uint32_t *damaged, char why[STORAGE_WHY_MAX])
{
    struct backup_list *list = malloc(sizeof *list);
    int error =
        list == NULL ? -ENOMEM : backup_list_read(storage->directory, list);
    bool loaded = false;
    *lsn = 0;
    *damaged = 0;
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "cannot read the backups in %s: %s",
            storage->options.directory, strerror(-error));
    }
    for (uint32_t i = 0; error == 0 && !loaded && i < list->count; i++) {
        error = load_backup(storage, list->lsns[i], why);
        loaded = error == 0;
        if (loaded) {
            *lsn = list->lsns[i];
        } else if (error == -EUCLEAN || error == -EIO) {
            diag_line(storage->options.diag,
                "recovery: the backup of LSN %" PRIu64
                " is not used: %s; going back to the one before",
                list->lsns[i], why);
            table_clear(storage->table);
            storage->figures.backup_records = 0;
            (*damaged)++;
            why[0] = '\0';
            error = 0;
        }
    }
    free(list);
    return error;
}

/* The backups behind the one that was loaded are damaged: they must not count
 * among those that are kept, nor the log be cut for their sake. */
static void set_damaged_aside(struct storage *storage, uint64_t loaded)
{
    struct backup_list *list = malloc(sizeof *list);
    int error =
        list == NULL ? -ENOMEM : backup_list_read(storage->directory, list);
    for (uint32_t i = 0;
         error == 0 && i < list->count && list->lsns[i] > loaded; i++) {
        error = backup_set_aside(storage->directory, list->lsns[i]);
    }
    if (error != 0) {
        diag_line(storage->options.diag,
            "recovery: cannot set the damaged backups aside: %s",
            strerror(-error));
    }
    free(list);
}

/* ---- The log ------------------------------------------------------------- */

struct replay {
    struct storage *storage;
    const struct wal_end *end;
    uint64_t from;
    int64_t told_ms;
    kv_message_t messages[WAL_GROUP_MAX];
    struct op ops[WAL_GROUP_MAX];
};

/* True if the frame is one that commit could have written. */
static bool frame_known(const struct frame *frame)
{
    unsigned verb = frame_verb(frame);
    return verb == VERB_MARK ||
           ((verb_flags(verb) & VERB_WRITE) != 0 &&
               frame->message.value_len <= KV_VALUE_MAX &&
               !bytes_all_zero(frame->message.key, KV_KEY_SIZE));
}

static void decode(struct replay *replay, const struct frame *frame, uint32_t i)
{
    struct table *table = replay->storage->table;
    replay->messages[i] = frame->message;
    replay->ops[i] = (struct op){
        .message = &replay->messages[i],
        .hash = table_hash(table, frame->message.key),
        .number = frame->arg,
        .verb = (uint8_t)frame_verb(frame),
    };
    table_prefetch_bucket(table, replay->ops[i].hash);
}

static int replay_frame(struct replay *replay, const struct frame *frame,
    struct op *op, char why[WAL_WHY_MAX])
{
    struct storage *storage = replay->storage;
    if (op->verb == VERB_MARK) {
        return 0;
    }
    storage->view.now_ms = frame->time_ms;
    storage->last_ms = frame->time_ms;
    storage_apply(&storage->view, op);
    if (op->message->status == KV_NO_SPACE) {
        snprintf(why, WAL_WHY_MAX,
            "KV_CAPACITY is %" PRIu64 ", but %s holds more records: raise it",
            table_capacity(storage->table), storage->options.directory);
        return -ENOSPC;
    }
    if (op->message->status != KV_SUCCESS) {
        snprintf(why, WAL_WHY_MAX,
            "the frame with LSN %" PRIu64 ", a valid %s, cannot be applied: "
            "%s: log and backup do not belong together",
            frame->lsn, kv_request_name(op->verb),
            kv_error_text(op->message->status));
        return -EUCLEAN;
    }
    return 0;
}

static void tell_replay(struct replay *replay, uint64_t lsn)
{
    int64_t now_ms = clock_steady_ms();
    uint64_t all = u64_max(replay->end->room_lsn, lsn) - replay->from;
    if (now_ms - replay->told_ms >= PROGRESS_MS) {
        replay->told_ms = now_ms;
        diag_line(replay->storage->options.diag,
            "recovery: log up to LSN %" PRIu64 ", at least %" PRIu64 " %%", lsn,
            (lsn - replay->from) * 100 / all);
    }
}

static int replay_take(void *context, const struct frame *frames,
    uint32_t count, char why[WAL_WHY_MAX])
{
    struct replay *replay = context;
    int error = 0;
    assert(count <= WAL_GROUP_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (!frame_known(&frames[i])) {
            snprintf(why, WAL_WHY_MAX,
                "the frame with LSN %" PRIu64
                " has type %u, which is not known here",
                frames[i].lsn, frame_verb(&frames[i]));
            return -EUCLEAN;
        }
        decode(replay, &frames[i], i);
    }
    for (uint32_t i = 0; i < count && error == 0; i++) {
        error = replay_frame(replay, &frames[i], &replay->ops[i], why);
    }
    if (error != 0) {
        view_abandon(&replay->storage->view);
        return error;
    }
    view_publish(&replay->storage->view);
    tell_replay(replay, frames[count - 1].lsn);
    return 0;
}

static int replay_log(
    struct storage *storage, uint64_t from, char why[STORAGE_WHY_MAX])
{
    struct wal_end end;
    struct replay *replay = malloc(sizeof *replay);
    struct wal_options options = {
        .directory = storage->directory,
        .segment_bytes = storage->options.segment_bytes,
        .always = storage->options.sync == KV_SYNC_ALWAYS,
        .diag = storage->options.diag,
    };
    if (replay == NULL) {
        snprintf(why, STORAGE_WHY_MAX, "out of memory in recovery");
        return -ENOMEM;
    }
    memcpy(options.identity, storage->identity, sizeof options.identity);
    replay->storage = storage;
    replay->end = &end;
    replay->from = from;
    replay->told_ms = clock_steady_ms();
    struct wal_sink sink = {replay_take, replay};
    char reason[WAL_WHY_MAX];
    int error = wal_open(&storage->wal, &options, from, &sink, &end, reason);
    free(replay);
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "%.400s", reason);
        return error;
    }
    if (end.cut_frames > 0) {
        diag_line(storage->options.diag,
            "recovery: the log ends with LSN %" PRIu64 "; %" PRIu64
            " frames behind it that were never durable are cut off",
            end.lsn, end.cut_frames);
    }
    storage->applied_lsn = end.lsn;
    storage->figures.recovery_frames = end.frames;
    return end.segments == 0 && from > 0 ? -ENOENT : 0;
}

int storage_recover(struct storage *storage, char why[STORAGE_WHY_MAX])
{
    int64_t started_ms = clock_steady_ms();
    uint64_t from;
    uint32_t damaged;
    int error = backup_clean(storage->directory);
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "cannot write in %s: %s",
            storage->options.directory, strerror(-error));
        return error;
    }
    error = load_newest(storage, &from, &damaged, why);
    if (error == 0) {
        error = replay_log(storage, from, why);
    }
    if (error == -ENOENT ||
        (error == 0 && damaged > 0 && from == 0 && storage->applied_lsn == 0)) {
        snprintf(why, STORAGE_WHY_MAX,
            "%s holds %s, but no log: what was written after it is missing; "
            "put the files log-* back",
            storage->options.directory,
            from > 0 ? "a backup" : "only damaged backups");
        error = -EUCLEAN;
    }
    if (error != 0) {
        return error;
    }
    if (damaged > 0) {
        set_damaged_aside(storage, from);
    }
    struct figures *figures = &storage->figures;
    figures->backup_lsn = from;
    figures->now_ms = storage->last_ms;
    figures->steady_ms = clock_steady_ms();
    if (storage->last_ms > clock_wall_ms()) {
        diag_line(storage->options.diag,
            "recovery: the clock is %" PRId64
            " ms behind the last write: time goes on from there",
            storage->last_ms - clock_wall_ms());
    }
    figures->recovery_ms = (uint64_t)(clock_steady_ms() - started_ms);
    return 0;
}
