/* snapshot.c: writing a backup while writers go on. */
#include "storage/state.h"

#include "clock.h"
#include "file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static void fill(kv_message_t *message, const struct record *record)
{
    message->type = KV_PUT;
    message->status = record->kind;
    message->value_len = record->value_len;
    memcpy(message->key, record->key, KV_KEY_SIZE);
    memcpy(message->value, record->value, KV_VALUE_MAX);
}

/* From the committing thread; may wait for the disk. */
static void save(void *context, const struct record *record)
{
    struct storage *storage = context;
    kv_message_t message;
    fill(&message, record);
    backup_add(storage->backup_writer, &message, record->expire_ms);
}

/* Under a bucket's mutex. */
static void save_at_once(void *context, const struct record *record)
{
    struct storage *storage = context;
    kv_message_t message;
    fill(&message, record);
    backup_add_at_once(storage->backup_writer, &message, record->expire_ms);
}

/* The instant: under the commit lock, between two groups. */
static void begin(struct storage *storage, struct backup_writer *writer,
    struct backup_head *head)
{
    lock(&storage->commit);
    head->lsn = storage->applied_lsn;
    head->count = table_records(storage->table);
    head->time_ms = commit_time_locked(storage);
    memcpy(head->identity, storage->identity, sizeof head->identity);
    backup_begin(writer, head);
    storage->backup_writer = writer;
    table_snapshot_start(storage->table, save, storage);
    unlock(&storage->commit);
}

/* Nobody waits for the disk with a bucket's mutex held.  An error shows at the
 * end; until then commits must find the snapshot in order. */
static void save_all(struct storage *storage, struct backup_writer *writer)
{
    enum table_saved saved = TABLE_SAVED;
    for (uint64_t i = 0; saved != TABLE_ALL_SAVED; i++) {
        (void)backup_pace(writer);
        saved =
            table_snapshot_bucket(storage->table, i, BACKUP_ROOM, save_at_once);
        if (saved == TABLE_CROWDED) {
            /* Only who wants to make it slow can have filled it so. */
            lock(&storage->commit);
            table_save(storage->table, i);
            unlock(&storage->commit);
        }
    }
    /* What a commit has begun to save is saved when it lets go of the lock. */
    lock(&storage->commit);
    unlock(&storage->commit);
}

int snapshot_save(
    struct storage *storage, struct backup_head *head, bool beside)
{
    struct backup_writer *writer;
    int error = backup_create(&writer, storage->directory, beside);
    if (error != 0) {
        return error;
    }
    begin(storage, writer, head);
    save_all(storage, writer);
    /* The backup must not be ahead of the log. */
    error = wal_sync(storage->wal);
    if (error != 0) {
        backup_abandon(writer);
        storage_fail(storage, "the sync of the log", error);
        return error;
    }
    return backup_finish(writer);
}

static void note(struct storage *storage, const struct backup_head *head,
    int64_t took_ms, int error)
{
    lock(&storage->figures_lock);
    struct figures *figures = &storage->figures;
    figures->backup_failed = error != 0;
    if (error != 0) {
        figures->backup_failures++;
    } else {
        figures->backups++;
        figures->backup_lsn = head->lsn;
        figures->backup_records = head->count;
        figures->backup_time_ms = head->time_ms;
        figures->backup_ms = (uint64_t)took_ms;
    }
    unlock(&storage->figures_lock);
}

int snapshot_write(struct storage *storage, bool beside, uint64_t *lsn)
{
    struct backup_head head = {0};
    struct diag *diag = storage->options.diag;
    int64_t started_ms = clock_steady_ms();
    int error = snapshot_save(storage, &head, beside);
    int64_t took_ms = clock_steady_ms() - started_ms;
    note(storage, &head, took_ms, error);
    *lsn = head.lsn;
    if (error != 0) {
        diag_line(diag, "backup: failed: %s; the log keeps everything",
            strerror(-error));
        return error;
    }
    diag_verbose(diag, 1,
        "backup: LSN %" PRIu64 ", %" PRIu64 " records in %" PRId64 " ms",
        head.lsn, head.count, took_ms);
    int unclean = retain_apply(storage);
    if (unclean != 0) {
        diag_line(diag, "backup: cannot remove what is superfluous: %s",
            strerror(-unclean));
    }
    if (wal_broken(storage->wal) != 0) {
        storage_fail(storage, "the sync of the log", wal_broken(storage->wal));
    }
    return 0;
}
