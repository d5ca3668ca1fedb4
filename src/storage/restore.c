/* restore.c: what a store was at a moment becomes a store of its own.
 *
 * Not how that is found: storage_open_at does it.
 *
 *  1. The new store is made beside its place and renamed: it is there whole, or
 *     not at all.
 *  2. It has an identity of its own, for its history parts from the other's:
 *     from the moment's LSN on both write other frames with the same numbers,
 *     and no file of one may be taken for the other's.
 *  3. It consists of a backup of exactly the moment's LSN and of a segment that
 *     begins behind it, without which the backup would be refused. */
#include "storage/state.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- The new store ------------------------------------------------------- */

static int found_entry(void *context, const char *name)
{
    (void)context;
    (void)name;
    return 1;
}

int storage_check_new(const char *path, char why[STORAGE_WHY_MAX])
{
    int directory = file_open_directory(path, false);
    int found =
        directory < 0 ? directory : file_list(directory, found_entry, NULL);
    file_close(directory < 0 ? -1 : directory);
    if (found == 0 || found == -ENOENT) {
        return 0;
    }
    if (found > 0) {
        snprintf(why, STORAGE_WHY_MAX,
            "%s is there, and not empty: choose another directory", path);
        return -EEXIST;
    }
    snprintf(why, STORAGE_WHY_MAX, "cannot make a store at %s: %s", path,
        strerror(-found));
    return found;
}

/* An empty segment behind the moment.  The smallest: the server goes on with
 * segments of its own size. */
static int make_log(struct storage *storage, char why[STORAGE_WHY_MAX])
{
    char reason[WAL_WHY_MAX];
    struct wal_end end;
    struct wal_sink nobody = {NULL, NULL};
    struct wal_options options = {
        .directory = storage->directory,
        .segment_bytes = WAL_SEGMENT_MIN,
        .always = true,
        .diag = storage->options.diag,
    };
    memcpy(options.identity, storage->identity, sizeof options.identity);
    int error = wal_open(
        &storage->wal, &options, storage->applied_lsn, &nobody, &end, reason);
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "%.400s", reason);
        return error;
    }
    error = wal_reserve(storage->wal, 1);
    if (error == 0) {
        error = wal_sync(storage->wal);
    }
    if (error != 0) {
        snprintf(
            why, STORAGE_WHY_MAX, "cannot write the log: %s", strerror(-error));
    }
    return error;
}

/* The files, in the empty directory that is open. */
static int make_files(struct storage *storage, char why[STORAGE_WHY_MAX])
{
    uint8_t secret[SIPHASH_SECRET_SIZE]; /* the next start's */
    struct backup_head head;
    int error = identity_open(storage, secret, why);
    if (error == 0) {
        error = identity_keep(storage, secret, why);
    }
    if (error == 0) {
        error = make_log(storage, why);
    }
    if (error == 0 && storage->applied_lsn > 0) {
        error = snapshot_save(storage, &head, false);
        if (error != 0) {
            snprintf(why, STORAGE_WHY_MAX, "cannot write the backup: %s",
                strerror(-error));
        }
    }
    wal_close(storage->wal);
    storage->wal = NULL;
    return error;
}

/* beside: where it is if that fails. */
static int give_name(struct storage *storage, char beside[PATH_MAX],
    const char *path, char why[STORAGE_WHY_MAX])
{
    int error = file_sync_directory(storage->directory);
    if (error == 0) {
        error = file_rename(AT_FDCWD, beside, path);
    }
    if (error != 0) {
        /* So it is where that is a mount point, a link, or ends in a dot. */
        snprintf(why, STORAGE_WHY_MAX,
            "cannot rename %.150s to %.150s: %s; choose a name that is not "
            "there yet",
            beside, path, strerror(-error));
        return error;
    }
    error = file_sync_parent(storage->directory);
    if (error != 0) {
        snprintf(beside, PATH_MAX, "%s", path);
        snprintf(why, STORAGE_WHY_MAX, "cannot sync the name of %.200s: %s",
            path, strerror(-error));
    }
    return error;
}

int storage_restore(
    struct storage *storage, const char *path, char why[STORAGE_WHY_MAX])
{
    char beside[PATH_MAX];
    size_t length = strlen(path);
    assert(storage->wal == NULL);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    int needed = snprintf(
        beside, sizeof beside, "%.*s.restore-XXXXXX", (int)length, path);
    int error = needed >= (int)sizeof beside ? -ENAMETOOLONG
                                             : file_make_temporary(beside);
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "cannot make a directory beside %s: %s",
            path, strerror(-error));
        return error;
    }
    file_close(storage->directory);
    storage->directory = file_open_directory(beside, false);
    storage->options.directory = beside;
    error = storage->directory < 0 ? storage->directory : 0;
    if (error == 0) {
        error = make_files(storage, why);
    } else {
        snprintf(why, STORAGE_WHY_MAX, "cannot open %.200s: %s", beside,
            strerror(-error));
    }
    if (error == 0) {
        error = give_name(storage, beside, path, why);
    }
    if (error != 0 && file_remove_tree(beside) != 0) {
        diag_line(storage->options.diag, "remove %s: it is of no use", beside);
    }
    storage->options.directory = NULL;
    return error;
}

/* ---- What can be reached ------------------------------------------------- */

struct scout {
    int directory;
    struct wal_options log;
    struct wal_extent extent;
    struct storage_range range;
    bool one; /* the first frame that is no mark is enough */
};

static int scout_take(void *context, const struct frame *frames, uint32_t count,
    char why[WAL_WHY_MAX])
{
    struct scout *scout = context;
    why[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        scout->range.last.lsn = frames[i].lsn;
        if (frame_verb(&frames[i]) != VERB_MARK) {
            scout->range.last.time_ms = frames[i].time_ms;
            if (scout->one) {
                return WAL_ENOUGH;
            }
        }
    }
    return 0;
}

/* From the oldest backup whose log is there; *newest: LSN of the newest. */
static int scout_backups(struct scout *scout, uint64_t *newest)
{
    struct backup_list *list = malloc(sizeof *list);
    int error =
        list == NULL ? -ENOMEM : backup_list_read(scout->directory, list);
    for (uint32_t i = 0; error == 0 && i < list->count; i++) {
        struct backup_reader reader;
        char why[BACKUP_WHY_MAX];
        uint64_t lsn = list->lsns[i];
        if (lsn + 1 < scout->extent.first_lsn ||
            backup_open(&reader, scout->directory, lsn, scout->log.identity,
                why) != 0) {
            continue;
        }
        const struct storage_moment moment = {lsn, reader.head.time_ms};
        backup_close(&reader);
        scout->range.first = moment;
        if (*newest == 0) {
            *newest = lsn;
            scout->range.last = moment;
        }
    }
    free(list);
    return error;
}

static int scout_log(
    struct scout *scout, uint64_t from, char why[STORAGE_WHY_MAX])
{
    char reason[WAL_WHY_MAX];
    struct wal_end end;
    struct wal_sink sink = {scout_take, scout};
    int error = wal_read(&scout->log, from, &sink, &end, reason);
    if (error < 0) {
        snprintf(why, STORAGE_WHY_MAX, "%.400s", reason);
    }
    return error < 0 ? error : 0;
}

static int scout_all(struct scout *scout, char why[STORAGE_WHY_MAX])
{
    uint64_t newest = 0;
    int error = identity_find(scout->directory, scout->log.identity);
    if (error == 0) {
        error = wal_extent_read(scout->directory, &scout->extent);
    }
    if (error == 0) {
        error = scout_backups(scout, &newest);
    }
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "%s",
            error == -ENOENT ? "no store is there" : strerror(-error));
        return error;
    }
    if (scout->extent.first_lsn == 1) {
        struct storage_moment last = scout->range.last;
        scout->range.last = (struct storage_moment){0, 0};
        scout->one = true;
        error = scout_log(scout, 0, why);
        scout->range.first =
            (struct storage_moment){0, scout->range.last.time_ms};
        scout->one = false;
        scout->range.last = newest != 0 ? last : scout->range.last;
    }
    return error != 0 ? error : scout_log(scout, newest, why);
}

int storage_reach(
    const char *path, struct storage_range *range, char why[STORAGE_WHY_MAX])
{
    struct scout scout = {
        .directory = file_open_directory(path, false),
        .range.first.lsn = UINT64_MAX,
    };
    scout.log.directory = scout.directory;
    int error = scout.directory;
    if (error < 0) {
        snprintf(why, STORAGE_WHY_MAX, "cannot open the data directory %s: %s",
            path, strerror(-error));
    } else {
        error = scout_all(&scout, why);
        file_close(scout.directory);
    }
    *range = scout.range;
    return error;
}
