/* load.c: the newest valid backup, loaded into the empty table by several
 * threads in slices.  Changes nothing on disk but in load_set_aside. */
#include "storage/state.h"

#include "clock.h"
#include "thread.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SLICE_RECORDS = 256, /* read at once by a loading thread: 80 KiB, which
                            stay in the processor's cache until they are used */
    LOAD_THREADS_MAX = 64
};

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
        diag_verbose(load->storage->options.diag, 0,
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
        const struct frame *frame = &frames[i];
        struct record *record = table_load_slot(table, first + i - 1);
        record->expire_ms = frame->arg;
        record->kind = frame->message.status;
        record->value_len = frame->message.value_len;
        memcpy(record->key, frame->message.key, KV_KEY_SIZE);
        memcpy(record->value, frame->message.value, KV_VALUE_MAX);
        table_load_hash(table, record);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!table_load(table, table_load_slot(table, first + i - 1))) {
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

/* Loads the backup of this LSN into the empty table; -ERANGE: it is later than
 * until_ms. */
static int load_backup(struct storage *storage, uint64_t lsn, int64_t until_ms,
    char why[STORAGE_WHY_MAX])
{
    struct load load = {.storage = storage, .next = 1};
    int error = backup_open(
        &load.reader, storage->directory, lsn, storage->identity, load.why);
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "%.*s", BACKUP_WHY_MAX - 1, load.why);
        return error;
    }
    if (load.reader.head.time_ms > until_ms) {
        backup_close(&load.reader);
        return -ERANGE;
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
    storage->figures.backup_time_ms = storage->last_ms;
    snprintf(why, STORAGE_WHY_MAX, "%.*s", BACKUP_WHY_MAX - 1, load.why);
    return load.error;
}

/* Says why a backup is not used, and empties the table again. */
static void pass_over(struct storage *storage, uint64_t lsn, const char *why)
{
    diag_line(storage->options.diag,
        "recovery: the backup of LSN %" PRIu64
        " is not used: %s; going back to the one before",
        lsn, why);
    table_clear(storage->table);
    storage->figures.backup_records = 0;
    storage->figures.backup_time_ms = 0;
}

int load_newest(struct storage *storage, struct recovery *recovery,
    char why[STORAGE_WHY_MAX])
{
    struct backup_list *list = malloc(sizeof *list);
    int error =
        list == NULL ? -ENOMEM : backup_list_read(storage->directory, list);
    bool loaded = false;
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "cannot read the backups in %s: %s",
            storage->options.directory, strerror(-error));
    }
    for (uint32_t i = 0; error == 0 && !loaded && i < list->count; i++) {
        uint64_t lsn = list->lsns[i];
        error = lsn > recovery->until.lsn
                    ? -ERANGE
                    : load_backup(storage, lsn, recovery->until.time_ms, why);
        loaded = error == 0;
        if (loaded) {
            recovery->from = lsn;
        } else if (error == -ERANGE) {
            recovery->later++;
            error = 0;
        } else if (error == -EUCLEAN || error == -EIO) {
            pass_over(storage, lsn, why);
            recovery->damaged++;
            recovery->durable = u64_max(recovery->durable,
                backup_claim(storage->directory, lsn, storage->identity));
            why[0] = '\0';
            error = 0;
        } else if (error != -ENOSPC) {
            char reason[BACKUP_WHY_MAX];
            memcpy(reason, why, sizeof reason);
            snprintf(why, STORAGE_WHY_MAX,
                "the backup of LSN %" PRIu64 " in %s: %.300s", lsn,
                storage->options.directory, reason);
        }
    }
    free(list);
    return error;
}

int load_capacity(const struct storage *storage, uint64_t until_lsn,
    const struct wal_extent *extent, uint64_t *capacity)
{
    uint64_t end = u64_min(until_lsn, extent->room_lsn);
    uint64_t most = extent->first_lsn == 1 ? end : 0;
    struct backup_list *list = malloc(sizeof *list);
    int error =
        list == NULL ? -ENOMEM : backup_list_read(storage->directory, list);
    for (uint32_t i = 0; error == 0 && i < list->count; i++) {
        struct backup_reader reader;
        char why[BACKUP_WHY_MAX];
        uint64_t lsn = list->lsns[i];
        if (lsn <= until_lsn && backup_open(&reader, storage->directory, lsn,
                                    storage->identity, why) == 0) {
            uint64_t frames = end > lsn ? end - lsn : 0;
            most = u64_max(most, reader.head.count + frames);
            backup_close(&reader);
        }
    }
    free(list);
    *capacity = u64_max(1, u64_min(most, TABLE_CAPACITY_MAX));
    return error;
}

void load_set_aside(struct storage *storage, uint64_t loaded)
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
