/* recover.c: the table, filled again: the newest valid backup, then the log
 * from its LSN on, through the same storage_apply as at first; to the end, to
 * go on there, or up to a moment, to look. */
#include "storage/apply.h"
#include "storage/state.h"

#include "clock.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- The log ------------------------------------------------------------- */

struct replay {
    struct storage *storage;
    struct recovery *recovery;
    const struct wal_end *end;
    int64_t told_ms;
    kv_message_t messages[WAL_GROUP_MAX];
    struct op ops[WAL_GROUP_MAX];
};

/* True if the frame is one that commit could have written. */
static bool frame_known(const struct frame *frame)
{
    unsigned verb = frame_verb(frame);
    bool keyed = (verb_flags(verb) & VERB_KEY) != 0;
    bool kind = verb != VERB_RECORD && verb != VERB_DROP;
    return verb == VERB_MARK ||
           ((verb_flags(verb) & VERB_WRITE) != 0 &&
               (kind || kind_known(frame->message.status)) &&
               frame->message.value_len <= KV_VALUE_MAX &&
               (!keyed || !bytes_all_zero(frame->message.key, KV_KEY_SIZE)));
}

static void decode(struct replay *replay, const struct frame *frame, uint32_t i)
{
    struct table *table = replay->storage->table;
    const uint8_t *key = frame->message.key;
    bool inner = kind_inner(frame->message.status);
    replay->messages[i] = frame->message;
    replay->ops[i] = (struct op){
        .message = &replay->messages[i],
        .hash = inner ? table_hash_inner(table, key) : table_hash(table, key),
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
            frame->lsn, verb_name(op->verb),
            kv_error_text(op->message->status));
        return -EUCLEAN;
    }
    return 0;
}

static void tell_replay(struct replay *replay, uint64_t lsn)
{
    int64_t now_ms = clock_steady_ms();
    uint64_t from = replay->recovery->from;
    uint64_t end = u64_min(replay->end->room_lsn, replay->recovery->until.lsn);
    uint64_t all = u64_max(end, lsn) - from;
    if (now_ms - replay->told_ms >= PROGRESS_MS) {
        replay->told_ms = now_ms;
        diag_verbose(replay->storage->options.diag, 0,
            "recovery: log up to LSN %" PRIu64 ", at least %" PRIu64 " %%", lsn,
            (lsn - from) * 100 / all);
    }
}

/* How many of the frames count: those up to the moment, of a chain all or none.
 * Marks have no time of their own: a clock that ran back between two starts is
 * known from what else stands in the log. */
static uint32_t count_until(
    const struct recovery *recovery, const struct frame *frames, uint32_t count)
{
    const struct storage_moment *until = &recovery->until;
    uint64_t last = u64_min(until->lsn, recovery->room);
    uint32_t used = 0;
    while (used < count && frames[used].lsn <= last &&
           (frames[used].time_ms <= until->time_ms ||
               frame_verb(&frames[used]) == VERB_MARK)) {
        used++;
    }
    while (used < count && used > 0 && frame_linked(&frames[used - 1])) {
        used--;
    }
    return used;
}

static int replay_take(void *context, const struct frame *frames,
    uint32_t count, char why[WAL_WHY_MAX])
{
    struct replay *replay = context;
    struct recovery *recovery = replay->recovery;
    uint32_t used = count_until(recovery, frames, count);
    int error = 0;
    assert(count >= 1 && count <= WAL_GROUP_MAX);
    for (uint32_t i = 0; i < used; i++) {
        if (!frame_known(&frames[i])) {
            snprintf(why, WAL_WHY_MAX,
                "the frame with LSN %" PRIu64
                " has type %u, which is not known here",
                frames[i].lsn, frame_verb(&frames[i]));
            return -EUCLEAN;
        }
        decode(replay, &frames[i], i);
    }
    view_begin(&replay->storage->view, VIEW_CHANGES_MAX);
    for (uint32_t i = 0; i < used && error == 0; i++) {
        error = replay_frame(replay, &frames[i], &replay->ops[i], why);
    }
    if (error != 0) {
        view_abandon(&replay->storage->view);
        return error;
    }
    view_publish(&replay->storage->view);
    if (used > 0) {
        replay->storage->applied_lsn = frames[used - 1].lsn;
        tell_replay(replay, frames[used - 1].lsn);
    }
    recovery->stopped =
        used < count || frames[count - 1].lsn == recovery->until.lsn;
    return recovery->stopped ? WAL_ENOUGH : 0;
}

/* append: and opens the log for appending.  Where there are backups, valid or
 * not, there was a log; but for one of a store that nothing was written to. */
static int replay_log(struct storage *storage, struct recovery *recovery,
    bool append, char why[STORAGE_WHY_MAX])
{
    struct wal_end end;
    struct replay *replay = malloc(sizeof *replay);
    struct wal_options options = {
        .directory = storage->directory,
        .segment_bytes = storage->options.segment_bytes,
        .begun = storage->begun || recovery->from > 0 || recovery->durable > 0,
        .always = storage->options.sync == KV_SYNC_ALWAYS,
        .durable = recovery->durable,
        .diag = storage->options.diag,
    };
    uint64_t from = recovery->from;
    if (replay == NULL) {
        snprintf(why, STORAGE_WHY_MAX, "out of memory in recovery");
        return -ENOMEM;
    }
    memcpy(options.identity, storage->identity, sizeof options.identity);
    replay->storage = storage;
    replay->recovery = recovery;
    replay->end = &end;
    replay->told_ms = clock_steady_ms();
    struct wal_sink sink = {replay_take, replay};
    char reason[WAL_WHY_MAX];
    int error =
        append ? wal_open(&storage->wal, &options, from, &sink, &end, reason)
               : wal_read(&options, from, &sink, &end, reason);
    free(replay);
    if (error < 0) {
        snprintf(why, STORAGE_WHY_MAX, "%.400s", reason);
        return error;
    }
    if (append && end.cut_frames > 0) {
        diag_line(storage->options.diag,
            "recovery: the log ends with LSN %" PRIu64 "; %" PRIu64
            " frames behind it that were never durable are cut off",
            end.lsn, end.cut_frames);
    } else if (end.torn) {
        diag_line(storage->options.diag,
            "recovery: the log ends with LSN %" PRIu64
            "; the frame behind it is not whole: a write that was cut short, "
            "or the last one, damaged before a mark told of it",
            end.lsn);
    }
    storage->figures.recovery_frames = end.frames;
    return 0;
}

/* Where the moment is that of the backup itself, the log is not asked. */
static int fill_table(struct storage *storage, struct recovery *recovery,
    bool append, char why[STORAGE_WHY_MAX])
{
    int error = load_newest(storage, recovery, why);
    uint64_t from = recovery->from;
    storage->applied_lsn = from;
    if (error == 0 && from < recovery->until.lsn) {
        error = replay_log(storage, recovery, append, why);
        if (error == 0 && recovery->damaged > 0 && from == 0 &&
            storage->applied_lsn == 0) {
            snprintf(why, STORAGE_WHY_MAX,
                "%s holds only damaged backups, and an empty log: put the "
                "files back from a copy of the directory",
                storage->options.directory);
            error = -EUCLEAN;
        }
    }
    storage->figures.backup_lsn = from;
    return error;
}

/* ---- To its end ---------------------------------------------------------- */

int storage_recover(struct storage *storage, char why[STORAGE_WHY_MAX])
{
    int64_t started_ms = clock_steady_ms();
    struct recovery recovery = {.until = STORAGE_NEWEST, .room = UINT64_MAX};
    int error = backup_clean(storage->directory);
    if (error != 0) {
        snprintf(why, STORAGE_WHY_MAX, "cannot write in %s: %s",
            storage->options.directory, strerror(-error));
        return error;
    }
    error = fill_table(storage, &recovery, true, why);
    if (error != 0) {
        return error;
    }
    if (recovery.damaged > 0) {
        load_set_aside(storage, recovery.from);
    }
    struct figures *figures = &storage->figures;
    figures->now_ms = storage->last_ms;
    figures->steady_ms = clock_steady_ms();
    if (storage->last_ms > clock_wall_ms()) {
        diag_line(storage->options.diag,
            "recovery: the clock is %" PRId64
            " ms behind the last write: time goes on from there",
            storage->last_ms - clock_wall_ms());
    }
    retain_at_start(storage, recovery.damaged == 0);
    figures->recovery_ms = (uint64_t)(clock_steady_ms() - started_ms);
    return 0;
}

/* ---- Up to a moment ------------------------------------------------------ */

/* True if the log still has all frames behind from.  The oldest segment goes
 * first, and what a file holds is changed after its name: so if it is there
 * after it was read, nothing that was read was gone. */
static bool log_reaches(
    const struct storage *storage, uint64_t from, struct wal_extent *extent)
{
    return wal_extent_read(storage->directory, extent) == 0 &&
           extent->first_lsn <= from + 1;
}

/* Why what was filled is not the moment that was asked for. */
static int check_moment(struct storage *storage,
    const struct recovery *recovery, char why[STORAGE_WHY_MAX])
{
    const struct storage_moment *until = &recovery->until;
    bool by_lsn = until->lsn != UINT64_MAX;
    bool by_time = !by_lsn && until->time_ms != INT64_MAX;
    if (by_time && recovery->stopped && storage->applied_lsn == 0) {
        snprintf(why, STORAGE_WHY_MAX,
            "the first write in %s is later than that",
            storage->options.directory);
        return -ERANGE;
    }
    bool ended = !recovery->stopped || recovery->room < until->lsn;
    if (by_lsn && ended && recovery->from < until->lsn) {
        snprintf(why, STORAGE_WHY_MAX,
            "LSN %" PRIu64 " is behind the end of the log in %s, LSN %" PRIu64,
            until->lsn, storage->options.directory, storage->applied_lsn);
        return -ERANGE;
    }
    return 0;
}

int storage_recover_at(struct storage *storage,
    const struct storage_moment *until, uint64_t room,
    char why[STORAGE_WHY_MAX])
{
    struct recovery recovery = {.until = *until, .room = room};
    struct wal_extent extent;
    int error = fill_table(storage, &recovery, false, why);
    bool reaches = log_reaches(storage, recovery.from, &extent);
    if (recovery.from == 0 && recovery.damaged == 0 && recovery.later > 0 &&
        (!reaches || extent.first_lsn == 0)) {
        snprintf(why, STORAGE_WHY_MAX,
            "%s has neither a backup nor a log from so far back",
            storage->options.directory);
        return -ERANGE;
    }
    if (error == 0 && recovery.from < until->lsn && !reaches) {
        snprintf(why, STORAGE_WHY_MAX,
            "the server in %s removes its log while that is read: try again",
            storage->options.directory);
        return -EAGAIN;
    }
    storage->figures.now_ms = storage->last_ms;
    storage->figures.steady_ms = clock_steady_ms();
    return error != 0 ? error : check_moment(storage, &recovery, why);
}
