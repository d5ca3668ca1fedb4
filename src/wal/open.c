/* open.c: the log's beginning and end: cutting what is torn, making ready to
 * append, removing what is no longer needed. */
#include "wal/state.h"

#include "file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(char why[WAL_WHY_MAX], const char *what, int error)
{
    snprintf(why, WAL_WHY_MAX, "cannot %s: %s", what, strerror(-error));
    return error;
}

/* What a process that was killed left, and nobody has synced, counts from now
 * on: so the segments before the last one are synced, as that one is. */
static int sync_before(struct wal *wal, uint64_t first_lsn)
{
    int error = 0;
    const struct segment_list *list = &wal->list;
    for (uint32_t i = 0;
         error == 0 && i < list->count && list->first_lsns[i] < first_lsn;
         i++) {
        char name[WAL_NAME_MAX];
        segment_name(name, list->first_lsns[i]);
        int fd = file_open_write(wal->options.directory, name);
        error = fd < 0 ? fd : file_sync(fd);
        file_close(fd < 0 ? -1 : fd);
    }
    return error;
}

/* Removes the segments behind the one that the log ends in: the newest first,
 * so that no gap can come about. */
static int remove_behind(struct wal *wal, uint64_t first_lsn)
{
    int error = 0;
    struct segment_list *list = &wal->list;
    while (error == 0 && list->count > 0 &&
           list->first_lsns[list->count - 1] > first_lsn) {
        char name[WAL_NAME_MAX];
        segment_name(name, list->first_lsns[list->count - 1]);
        error = file_remove(wal->options.directory, name);
        list->count -= error == 0 ? 1 : 0;
    }
    return error != 0 ? error : file_sync_directory(wal->options.directory);
}

/* Writes zeros from offset to end, durably.  In place: what is allocated stays
 * so, and a cut that is interrupted leaves what the next one cuts. */
static int cut(struct wal *wal, uint64_t offset, uint64_t end)
{
    int error = 0;
    memset(wal->buffer, 0, WAL_BUFFER_SIZE);
    while (error == 0 && offset < end) {
        uint64_t part = u64_min(end - offset, WAL_BUFFER_SIZE);
        error = file_write_at(wal->fd, wal->buffer, part, offset);
        offset += part;
    }
    return error != 0 ? error : file_sync(wal->fd);
}

/* Opens the segment that the log ends in, and takes its last page. */
static int open_last(
    struct wal *wal, const struct wal_end *end, char why[WAL_WHY_MAX])
{
    char name[WAL_NAME_MAX];
    char reason[WAL_WHY_MAX];
    segment_name(name, end->first_lsn);
    wal->fd = file_open_write(wal->options.directory, name);
    int error = wal->fd < 0 ? wal->fd
                            : segment_read_head(wal->fd, wal->options.identity,
                                  &wal->head, reason);
    uint64_t offset = segment_offset(end->first_lsn, wal->next_lsn);
    if (error == 0 && end->cut_frames > 0) {
        error =
            cut(wal, offset, segment_offset(end->first_lsn, end->cut_lsn + 1));
    }
    wal->buffer_at = offset / DISK_PAGE * DISK_PAGE;
    wal->fill = offset - wal->buffer_at;
    wal->clean = wal->fill;
    if (error == 0 && offset <= wal->head.bytes) {
        int64_t got =
            file_read_at(wal->fd, wal->buffer, wal->fill, wal->buffer_at);
        error = got < 0 ? (int)got : (uint64_t)got < wal->fill ? -EIO : 0;
    }
    /* What a crash left unsynced counts now, so it is synced before use. */
    if (error == 0) {
        error = file_sync(wal->fd);
    }
    return error == 0 ? 0 : failed(why, name, error);
}

/* What was left half made goes, and the spare: a loss of power may have taken
 * back that it became a segment, and left the frames that were written to it.
 * The log may end just before the first of these. */
static int remove_left_over(struct wal *wal)
{
    static const char *const names[] = {WAL_NEW, WAL_SPARE_NEW, WAL_SPARE};
    int error = 0;
    for (size_t i = 0; i < ARRAY_SIZE(names) && error == 0; i++) {
        error = file_remove(wal->options.directory, names[i]);
        error = error == -ENOENT ? 0 : error;
    }
    return error;
}

/* What stands in the log behind from is marked as durable by the next mark;
 * where nothing but marks does, the backup says enough. */
static int start(struct wal *wal, uint64_t from, const struct wal_end *end,
    char why[WAL_WHY_MAX])
{
    uint64_t data = end->data_lsn != 0 ? end->data_lsn : from;
    wal->next_lsn = end->lsn + 1;
    wal->appended_data = data;
    wal->marked = end->data_lsn != 0 ? 0 : data;
    wal->figures.written = end->lsn;
    wal->figures.data = data;
    wal->figures.durable = end->lsn;
    int error = segment_list_read(wal->options.directory, &wal->list);
    if (error == 0) {
        error = sync_before(wal, end->first_lsn);
    }
    if (error != 0) {
        return failed(why, "make the log ready", error);
    }
    error = end->first_lsn != 0 ? open_last(wal, end, why) : 0;
    if (error != 0) {
        return error;
    }
    /* Only now: a log that is refused is left as it was. */
    error = remove_left_over(wal);
    if (error == 0) {
        error = remove_behind(wal, end->first_lsn);
    }
    wal->figures.segments = wal->list.count;
    return error != 0 ? failed(why, "remove void segments", error) : 0;
}

int wal_open(struct wal **result, const struct wal_options *options,
    uint64_t from, const struct wal_sink *sink, struct wal_end *end,
    char why[WAL_WHY_MAX])
{
    *result = NULL;
    int error = wal_read(options, from, sink, end, why);
    assert(error <= 0);
    if (error != 0) {
        return error;
    }
    struct wal *wal = calloc(1, sizeof *wal);
    if (wal == NULL) {
        return failed(why, "open the log", -ENOMEM);
    }
    wal->options = *options;
    wal->fd = -1;
    wal->spare_fd = -1;
    pthread_mutex_init(&wal->lock, NULL);
    pthread_mutex_init(&wal->sync_lock, NULL);
    pthread_mutex_init(&wal->spare_lock, NULL);
    wal->buffer = aligned_alloc(DISK_PAGE, WAL_BUFFER_SIZE);
    error = wal->buffer == NULL ? failed(why, "open the log", -ENOMEM)
                                : start(wal, from, end, why);
    if (error != 0) {
        wal_close(wal);
        return error;
    }
    *result = wal;
    return 0;
}

void wal_close(struct wal *wal)
{
    if (wal == NULL) {
        return;
    }
    for (uint32_t i = 0; i < wal->sealed_count; i++) {
        file_close(wal->sealed[i].fd);
    }
    file_close(wal->fd);
    spare_abandon_locked(wal);
    segment_list_free(&wal->list);
    free(wal->buffer);
    pthread_mutex_destroy(&wal->spare_lock);
    pthread_mutex_destroy(&wal->sync_lock);
    pthread_mutex_destroy(&wal->lock);
    free(wal);
}

/* ---- Removing ----------------------------------------------------------- */

/* The file becomes the spare one: its head is wiped first, durably, so that it
 * can never be taken for a segment in the wrong place. */
static int keep_as_spare(struct wal *wal, const char *name)
{
    static const uint8_t zeros[DISK_PAGE];
    int fd = file_open_write(wal->options.directory, name);
    if (fd < 0) {
        return fd;
    }
    int error =
        file_size(fd) == (int64_t)wal->options.segment_bytes ? 0 : -EINVAL;
    if (error == 0) {
        spare_abandon_locked(wal);
        error = file_rename(wal->options.directory, name, WAL_SPARE_NEW);
    }
    if (error == 0) {
        error = file_write_at(fd, zeros, sizeof zeros, 0);
    }
    if (error == 0) {
        error = file_sync(fd);
    }
    file_close(fd);
    if (error == 0) {
        error = file_rename(wal->options.directory, WAL_SPARE_NEW, WAL_SPARE);
    }
    return error;
}

static int drop(struct wal *wal, uint64_t first_lsn)
{
    char name[WAL_NAME_MAX];
    segment_name(name, first_lsn);
    pthread_mutex_lock(&wal->spare_lock);
    pthread_mutex_lock(&wal->lock);
    bool spare = wal->spare;
    pthread_mutex_unlock(&wal->lock);
    bool kept = !spare && keep_as_spare(wal, name) == 0;
    pthread_mutex_lock(&wal->lock);
    wal->spare = wal->spare || kept;
    pthread_mutex_unlock(&wal->lock);
    pthread_mutex_unlock(&wal->spare_lock);
    if (kept) {
        return 0;
    }
    int error = file_remove(wal->options.directory, name);
    return error == -ENOENT ? 0 : error;
}

/* The first LSN of the oldest segment, if nothing in it is above lsn, and if it
 * does not wait for a sync: its head would be written once more then, into
 * whatever the file is by then. */
static bool oldest(struct wal *wal, uint64_t lsn, uint64_t *first_lsn)
{
    pthread_mutex_lock(&wal->lock);
    const struct segment_list *list = &wal->list;
    bool found = list->count >= 2 && list->first_lsns[1] <= lsn + 1 &&
                 (wal->sealed_count == 0 ||
                     wal->sealed[0].head.first_lsn > list->first_lsns[0]);
    *first_lsn = found ? list->first_lsns[0] : 0;
    pthread_mutex_unlock(&wal->lock);
    return found;
}

int wal_remove_before(struct wal *wal, uint64_t lsn)
{
    int error = wal_sync_sealed(wal);
    uint64_t first_lsn = 0;
    while (error == 0 && oldest(wal, lsn, &first_lsn)) {
        error = drop(wal, first_lsn);
        if (error == 0) {
            pthread_mutex_lock(&wal->lock);
            wal->list.count--;
            memmove(wal->list.first_lsns, wal->list.first_lsns + 1,
                wal->list.count * sizeof *wal->list.first_lsns);
            wal->figures.segments = wal->list.count;
            pthread_mutex_unlock(&wal->lock);
        }
    }
    return error != 0 ? error : file_sync_directory(wal->options.directory);
}

void wal_figures(struct wal *wal, struct wal_figures *figures)
{
    pthread_mutex_lock(&wal->lock);
    *figures = wal->figures;
    pthread_mutex_unlock(&wal->lock);
}

void wal_measure_before(struct wal *wal, uint64_t lsn, struct wal_part *part)
{
    pthread_mutex_lock(&wal->lock);
    const struct segment_list *list = &wal->list;
    uint32_t count = 0;
    while (count + 1 < list->count && list->first_lsns[count + 1] <= lsn + 1) {
        count++;
    }
    part->segments = count;
    part->frames =
        count > 0 ? list->first_lsns[count] - list->first_lsns[0] : 0;
    pthread_mutex_unlock(&wal->lock);
}
