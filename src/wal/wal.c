#include "wal/wal.h"
#include "wal/state.h"

#include "file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What a failed sync has left: nothing is written after it. */
int wal_broken(struct wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    int error = wal->broken;
    pthread_mutex_unlock(&wal->lock);
    return error;
}

/* ---- Appending ---------------------------------------------------------- */

uint64_t wal_next_lsn(const struct wal *wal)
{
    return wal->next_lsn;
}

kv_message_t *wal_add(
    struct wal *wal, uint8_t type, int64_t arg, int64_t time_ms)
{
    assert(wal->fill + FRAME_SIZE <= WAL_BUFFER_SIZE);
    struct frame *frame = (void *)(wal->buffer + wal->fill);
    frame->lsn = wal->next_lsn++;
    frame->time_ms = time_ms;
    frame->arg = arg;
    frame->message.type = type;
    wal->fill += FRAME_SIZE;
    if (type != VERB_MARK) {
        wal->appended_data = frame->lsn;
    }
    return &frame->message;
}

uint64_t wal_append(struct wal *wal, const kv_message_t *message, uint8_t type,
    int64_t arg, int64_t time_ms)
{
    uint64_t lsn = wal->next_lsn;
    kv_message_t *added = wal_add(wal, type, arg, time_ms);
    memcpy(added, message, offsetof(kv_message_t, value));
    lines_copy(added->value, message->value, KV_VALUE_MAX);
    added->type = type;
    return lsn;
}

/* LSN up to which all that matters is durable. */
static uint64_t durable_data(struct wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    uint64_t durable = u64_min(wal->figures.durable, wal->figures.data);
    pthread_mutex_unlock(&wal->lock);
    return durable;
}

bool wal_mark_due(struct wal *wal)
{
    return durable_data(wal) > wal->marked;
}

bool wal_mark(struct wal *wal, int64_t time_ms)
{
    static const kv_message_t mark = {0};
    uint64_t durable = durable_data(wal);
    if (durable <= wal->marked) {
        return false;
    }
    wal->mark_lsn =
        wal_append(wal, &mark, VERB_MARK, (int64_t)durable, time_ms);
    wal->marked = durable;
    return true;
}

void wal_close_chain(struct wal *wal)
{
    assert(wal->fill - wal->clean >= FRAME_SIZE);
    struct frame *frame = (void *)(wal->buffer + wal->fill - FRAME_SIZE);
    frame->message.type &= (uint8_t)~KV_LINKED;
}

void wal_take_back(struct wal *wal, uint64_t next_lsn)
{
    assert(next_lsn <= wal->next_lsn);
    uint64_t frames = wal->next_lsn - next_lsn;
    assert(frames * FRAME_SIZE <= wal->fill - wal->clean);
    wal->fill -= frames * FRAME_SIZE;
    wal->next_lsn = next_lsn;
    if (wal->appended_data >= next_lsn) {
        /* Of the frames that are left, only the first can be a mark; what is
         * written is told by the figures, which this thread alone changes. */
        bool data = wal->fill > wal->clean && wal->mark_lsn != next_lsn - 1;
        wal->appended_data = data ? next_lsn - 1 : wal->figures.data;
    }
    if (next_lsn <= wal->mark_lsn) {
        wal->mark_lsn = 0;
        wal->marked = 0;
    }
}

void wal_discard(struct wal *wal)
{
    wal_take_back(wal, wal->next_lsn - (wal->fill - wal->clean) / FRAME_SIZE);
}

/* Overwrites with zeros what a failed write may have left, if it can; the
 * segment ends before it all the same once the next one begins there. */
static void wipe(struct wal *wal, uint64_t bytes)
{
    memset(wal->buffer + wal->clean, 0, bytes - wal->clean);
    int error = file_write_at(wal->fd, wal->buffer, bytes, wal->buffer_at);
    if (error == 0 && wal->options.always) {
        error = file_sync(wal->fd);
    }
    wal->unsure = error != 0;
    if (error != 0) {
        diag_line(wal->options.diag,
            "log: cannot wipe a failed write at LSN %" PRIu64 ": %s",
            wal->next_lsn, strerror(-error));
    }
}

/* Keeps the last page, which the next group goes on with. */
static void keep_tail(struct wal *wal)
{
    uint64_t tail = wal->fill / DISK_PAGE * DISK_PAGE;
    if (tail > 0) {
        memcpy(wal->buffer, wal->buffer + tail, wal->fill - tail);
        wal->buffer_at += tail;
        wal->fill -= tail;
    }
    wal->clean = wal->fill;
}

bool wal_unsure(const struct wal *wal)
{
    return wal->unsure;
}

/* How much of the buffer is to be written.  Whole pages, so that the kernel
 * never has to read one in order to write a part of it; and where not every
 * group is synced, the first write to an extent fills it with zeros: then the
 * page cache holds it in one piece instead of page by page, which makes this
 * write, those that follow, the sync and the letting go cheaper than the zeros
 * are dear. */
static uint64_t bytes_to_write(struct wal *wal)
{
    uint64_t end = wal->buffer_at + u64_round_up(wal->fill, DISK_PAGE);
    if (!wal->options.always && end > wal->extents_end) {
        uint64_t whole = wal->head.bytes / DISK_PAGE * DISK_PAGE;
        wal->extents_end = u64_min(u64_round_up(end, WAL_EXTENT), whole);
        end = u64_max(end, wal->extents_end);
    }
    return end - wal->buffer_at;
}

int wal_write(struct wal *wal)
{
    if (wal->fill == wal->clean) {
        return 0;
    }
    uint64_t bytes = bytes_to_write(wal);
    memset(wal->buffer + wal->fill, 0, bytes - wal->fill);
    for (uint64_t at = wal->clean; at < wal->fill; at += FRAME_SIZE) {
        struct frame *frame = (void *)(wal->buffer + at);
        frame->crc = frame_crc(frame);
    }
    int error = wal_broken(wal);
    if (error == 0) {
        error = file_write_at(wal->fd, wal->buffer, bytes, wal->buffer_at);
    }
    if (error != 0) {
        wal_discard(wal);
        wal->ended = true;
        wipe(wal, bytes);
        return error;
    }
    wal->unsure = false;
    keep_tail(wal);
    pthread_mutex_lock(&wal->lock);
    wal->figures.written = wal->next_lsn - 1;
    wal->figures.data = wal->appended_data;
    pthread_mutex_unlock(&wal->lock);
    return 0;
}

/* ---- Segments ----------------------------------------------------------- */

/* A file named WAL_NEW for the next segment: the spare one, or a new one where
 * there is none.  The spare one is renamed while it still counts as there, so
 * that nobody makes another of its name meanwhile. */
static int take_spare(struct wal *wal)
{
    int directory = wal->options.directory;
    pthread_mutex_lock(&wal->lock);
    bool spare = wal->spare;
    pthread_mutex_unlock(&wal->lock);
    if (!spare) {
        return segment_make(directory, WAL_NEW, wal->options.segment_bytes);
    }
    int error = file_rename(directory, WAL_SPARE, WAL_NEW);
    pthread_mutex_lock(&wal->lock);
    wal->spare = false;
    pthread_mutex_unlock(&wal->lock);
    return error != 0 ? error : file_open_write(directory, WAL_NEW);
}

static int list_add(struct segment_list *list, uint64_t first_lsn)
{
    if (list->count == list->room) {
        uint32_t room = list->room == 0 ? 64 : 2 * list->room;
        uint64_t *grown =
            realloc(list->first_lsns, room * sizeof *list->first_lsns);
        if (grown == NULL) {
            return -ENOMEM;
        }
        list->first_lsns = grown;
        list->room = room;
    }
    list->first_lsns[list->count++] = first_lsn;
    return 0;
}

/* Gives the file its head and its name, durably if every group is. */
static int begin_segment(
    struct wal *wal, int fd, const struct segment_head *head)
{
    char segment[WAL_NAME_MAX];
    segment_name(segment, head->first_lsn);
    int error = segment_write_head(fd, wal->options.identity, head);
    if (error == 0 && wal->options.always) {
        error = file_sync(fd);
    }
    if (error == 0) {
        error = file_rename(wal->options.directory, WAL_NEW, segment);
    }
    if (error == 0 && wal->options.always) {
        error = file_sync_directory(wal->options.directory);
    }
    return error;
}

/* The segment written to becomes a sealed one, the new one takes its place. */
static int exchange(struct wal *wal, int fd, const struct segment_head *head)
{
    pthread_mutex_lock(&wal->lock);
    /* Where the first write to a segment failed, the new one has its name and
     * has taken its place already. */
    bool again = wal->fd >= 0 && wal->head.first_lsn == head->first_lsn;
    int error = again ? 0 : list_add(&wal->list, head->first_lsn);
    if (error == 0) {
        if (wal->fd >= 0) {
            struct sealed *sealed = &wal->sealed[wal->sealed_count++];
            *sealed = (struct sealed){wal->fd, wal->head};
            sealed->head.next_lsn = head->first_lsn;
        }
        wal->fd = fd;
        wal->head = *head;
        wal->names_dirty = true;
        wal->figures.segments = wal->list.count;
    }
    pthread_mutex_unlock(&wal->lock);
    return error;
}

static int next_segment(struct wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    bool crowded = wal->sealed_count == SEALED_MAX;
    struct segment_head head = {
        .first_lsn = wal->next_lsn,
        .durable = u64_min(wal->figures.durable, wal->figures.data),
        .bytes = wal->options.segment_bytes,
    };
    pthread_mutex_unlock(&wal->lock);
    int error = crowded ? wal_sync_sealed(wal) : 0;
    if (error != 0) {
        return error;
    }
    int fd = take_spare(wal);
    if (fd < 0) {
        return fd;
    }
    int64_t size = file_size(fd);
    head.bytes = size > 0 ? (uint64_t)size : head.bytes;
    error = begin_segment(wal, fd, &head);
    if (error == 0) {
        error = exchange(wal, fd, &head);
    }
    if (error != 0) {
        /* The new file may have its name already, and the segment before ends
         * where that begins: nothing more goes there. */
        wal->ended = true;
        file_close(fd);
        return error;
    }
    wal->buffer_at = DISK_PAGE;
    wal->fill = 0;
    wal->clean = 0;
    wal->extents_end = 0;
    wal->ended = false;
    return 0;
}

int wal_reserve(struct wal *wal, uint32_t frames)
{
    assert(frames < WAL_GROUP_MAX && wal->fill == wal->clean);
    uint64_t used = wal->next_lsn - wal->head.first_lsn;
    int error = wal_broken(wal);
    if (error != 0) {
        return error;
    }
    if (wal->fd >= 0 && !wal->ended &&
        used + frames + 1 <= segment_frames(wal->head.bytes)) {
        return 0;
    }
    return next_segment(wal);
}

/* ---- Syncing ------------------------------------------------------------ */

bool wal_dirty(struct wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    bool dirty = wal->figures.data > wal->figures.durable;
    pthread_mutex_unlock(&wal->lock);
    return dirty;
}

/* Notes in a synced segment's head which one follows, so that this one cannot
 * go missing unseen.  Only a help: if it fails, or is lost, the log is whole.
 * Its pages are let go, so that the log passes through a few that stay warm
 * instead of through all memory. */
static void seal(struct wal *wal, const struct sealed *sealed)
{
    file_forget(sealed->fd);
    (void)segment_write_head(sealed->fd, wal->options.identity, &sealed->head);
    file_close(sealed->fd);
}

/* Syncs the sealed segments among goal, the names, and with fd the segment
 * written to. */
static int sync_files(
    struct wal *wal, const struct sealed *sealed, uint32_t count, int fd)
{
    int error = 0;
    for (uint32_t i = 0; i < count && error == 0; i++) {
        error = file_sync(sealed[i].fd);
    }
    if (error == 0 && fd >= 0) {
        error = file_sync(fd);
    }
    pthread_mutex_lock(&wal->lock);
    bool names = wal->names_dirty;
    wal->names_dirty = false;
    pthread_mutex_unlock(&wal->lock);
    if (error == 0 && names) {
        error = file_sync_directory(wal->options.directory);
    }
    return error;
}

static int sync_up(struct wal *wal, bool current)
{
    struct sealed sealed[SEALED_MAX];
    pthread_mutex_lock(&wal->sync_lock);
    pthread_mutex_lock(&wal->lock);
    uint32_t count = wal->sealed_count;
    int fd = current ? wal->fd : -1;
    uint64_t goal = wal->figures.durable;
    if (current) {
        goal = wal->figures.written;
    } else if (count > 0) {
        goal = wal->sealed[count - 1].head.next_lsn - 1;
    }
    int error = wal->broken;
    memcpy(sealed, wal->sealed, count * sizeof *sealed);
    pthread_mutex_unlock(&wal->lock);

    if (error == 0 && (count > 0 || fd >= 0)) {
        error = sync_files(wal, sealed, count, fd);
    }
    /* The last one waits until its successor, the one written to, is synced. */
    uint32_t sealable = current || count == 0 ? count : count - 1;
    if (error == 0) {
        for (uint32_t i = 0; i < sealable; i++) {
            seal(wal, &sealed[i]);
        }
    }
    pthread_mutex_lock(&wal->lock);
    if (error == 0) {
        wal->figures.durable = u64_max(wal->figures.durable, goal);
        wal->figures.syncs += current ? 1 : 0;
        wal->sealed_count -= sealable;
        memmove(wal->sealed, wal->sealed + sealable,
            wal->sealed_count * sizeof *wal->sealed);
    }
    wal->broken = error;
    pthread_mutex_unlock(&wal->lock);
    pthread_mutex_unlock(&wal->sync_lock);
    return error;
}

int wal_sync(struct wal *wal)
{
    return sync_up(wal, true);
}

int wal_sync_sealed(struct wal *wal)
{
    return sync_up(wal, false);
}
