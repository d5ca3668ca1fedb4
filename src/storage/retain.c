/* retain.c: which backups stay, and how much of the log: the newest backups and
 * what recovery from the oldest of them needs; with KV_LOG_KEEP also what going
 * back to an earlier moment needs.
 *
 * A moment can be reached from a backup that is not later, with all of the log
 * between.  So beside the log some older backups stay, the anchors, a quarter
 * of what is to be kept apart, so that they are few.  One of them is the base:
 * the log behind it stays, and what is older goes, anchors too.
 *  1. Of a time: the base is the newest that is old enough, so that each moment
 *     of that time can be reached; a quarter, or the time between two backups,
 *     is kept beyond.
 *  2. Of a size: the base is the oldest from which on the log is small enough,
 *     but for what its first segment holds before. */
#include "storage/retain.h"
#include "storage/state.h"

#include <errno.h>
#include <stdlib.h>

enum { ANCHORS = 4 /* over what is to be kept */ };

/* ---- Deciding ------------------------------------------------------------ */

/* How far from is before to, in the unit of the rule. */
static uint64_t distance(const struct retain_rule *rule,
    const struct retained *from, const struct retained *to)
{
    if (rule->keep_ms == 0) {
        return (to->lsn - from->lsn) * FRAME_SIZE;
    }
    /* Times never run back, unless a person has put files together. */
    return to->time_ms > from->time_ms ? (uint64_t)(to->time_ms - from->time_ms)
                                       : 0;
}

/* Keeps the oldest of those behind the newest, and each that is far enough from
 * the one kept before. */
static void keep_anchors(
    const struct retain_rule *rule, struct retained *backups, uint32_t count)
{
    uint64_t apart =
        (rule->keep_ms != 0 ? (uint64_t)rule->keep_ms : rule->keep_bytes) /
        ANCHORS;
    const struct retained *before = NULL;
    for (uint32_t i = count; i > rule->newest; i--) {
        struct retained *backup = &backups[i - 1];
        backup->kept =
            backup->valid &&
            (before == NULL || distance(rule, before, backup) >= apart);
        before = backup->kept ? backup : before;
    }
}

/* The number of the base; count: it is the beginning of the store, LSN 0. */
static uint32_t find_base(const struct retain_rule *rule,
    const struct retained *backups, uint32_t count, int64_t now_ms)
{
    static const struct retained beginning = {.lsn = 0};
    uint32_t needed = rule->newest - 1;
    if (rule->keep_ms != 0) {
        for (uint32_t i = needed; i < count; i++) {
            if (backups[i].kept && backups[i].valid &&
                backups[i].time_ms <= now_ms - rule->keep_ms) {
                return i;
            }
        }
        return count;
    }
    const struct retained *end = &backups[needed];
    if (distance(rule, &beginning, end) <= rule->keep_bytes) {
        return count;
    }
    uint32_t base = needed;
    for (uint32_t i = needed; i < count; i++) {
        if (backups[i].kept &&
            distance(rule, &backups[i], end) <= rule->keep_bytes) {
            base = i;
        }
    }
    return base;
}

uint64_t retain_decide(const struct retain_rule *rule, struct retained *backups,
    uint32_t count, int64_t now_ms)
{
    uint32_t newest = (uint32_t)u64_min(rule->newest, count);
    assert(rule->newest >= 1);
    for (uint32_t i = 0; i < count; i++) {
        backups[i].kept = i < newest;
    }
    if (count < rule->newest) {
        return 0;
    }
    if (rule->keep_ms == 0 && rule->keep_bytes == 0) {
        return backups[newest - 1].lsn;
    }
    keep_anchors(rule, backups, count);
    uint32_t base = find_base(rule, backups, count, now_ms);
    for (uint32_t i = base + 1; i < count; i++) {
        backups[i].kept = false;
    }
    return base < count ? backups[base].lsn : 0;
}

/* ---- Doing --------------------------------------------------------------- */

/* What the rule asks of a backup.  One that is damaged is none; but one that
 * cannot be looked at now may be as good as any: nothing is decided then. */
static int look_at(const struct storage *storage, uint64_t lsn, bool open,
    struct retained *backup)
{
    struct backup_reader reader;
    char why[BACKUP_WHY_MAX];
    *backup = (struct retained){.lsn = lsn, .valid = true};
    int error = !open ? 0
                      : backup_open(&reader, storage->directory, lsn,
                            storage->identity, why);
    if (open && error == 0) {
        backup->time_ms = reader.head.time_ms;
        backup_close(&reader);
    }
    backup->valid = error == 0;
    return error == -EUCLEAN || error == -EIO ? 0 : error;
}

static int remove_others(struct storage *storage,
    const struct backup_list *list, struct retained *backups)
{
    const struct storage_options *options = &storage->options;
    const struct retain_rule rule = {
        .newest = options->backup_keep,
        .keep_ms = options->log_keep_ms,
        .keep_bytes = options->log_keep_bytes,
    };
    bool open = rule.keep_ms != 0 || rule.keep_bytes != 0;
    int error = 0;
    for (uint32_t i = 0; error == 0 && i < list->count; i++) {
        error = look_at(storage, list->lsns[i], open, &backups[i]);
    }
    if (error != 0) {
        return error;
    }
    uint64_t lsn =
        retain_decide(&rule, backups, list->count, storage_now(storage));
    for (uint32_t i = 0; error == 0 && i < list->count; i++) {
        error = backups[i].kept
                    ? 0
                    : backup_remove(storage->directory, backups[i].lsn);
    }
    if (error == 0 && lsn > 0) {
        error = wal_remove_before(storage->wal, lsn);
    }
    return error;
}

/* Up to which LSN recovery does not need the log. */
static void note_needed(struct storage *storage, const struct backup_list *list)
{
    uint32_t keep = storage->options.backup_keep;
    lock(&storage->figures_lock);
    storage->figures.needless_lsn =
        list->count >= keep ? list->lsns[keep - 1] : 0;
    unlock(&storage->figures_lock);
}

static int look_or_apply(struct storage *storage, bool remove)
{
    struct backup_list *list = malloc(sizeof *list);
    struct retained *backups = malloc(BACKUP_LIST_MAX * sizeof *backups);
    int error = list == NULL || backups == NULL
                    ? -ENOMEM
                    : backup_list_read(storage->directory, list);
    if (error == 0) {
        note_needed(storage, list);
    }
    if (error == 0 && remove) {
        error = remove_others(storage, list, backups);
    }
    free(backups);
    free(list);
    return error;
}

int retain_apply(struct storage *storage)
{
    return look_or_apply(storage, true);
}

void retain_at_start(struct storage *storage, bool apply)
{
    int error = look_or_apply(storage, apply);
    if (error != 0) {
        diag_line(storage->options.diag,
            "recovery: cannot remove what is superfluous: %s",
            strerror(-error));
    }
}
