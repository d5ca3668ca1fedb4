/* write.c: a backup, while it is written.
 *
 * Records wait in a ring until the thread that paces writes them, some at a
 * time.  The ring is large so that commits seldom wait when the disk pauses for
 * a tenth of a second; where it is full, whoever adds writes himself. */
#include "backup/names.h"

#include "file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PACE_BYTES = 32 << 20, /* through the cache, between two syncs */
    STEP_FRAMES = 3200,    /* written at once: 1 MB */
    PAGES_FRAMES = 64      /* the fewest that are whole pages */
};

_Static_assert((PAGES_FRAMES * FRAME_SIZE) % DISK_PAGE == 0, "whole pages");
_Static_assert(STEP_FRAMES % PAGES_FRAMES == 0, "whole pages");
_Static_assert(BACKUP_RING_FRAMES % PAGES_FRAMES == 0, "whole pages");

struct backup_writer {
    int directory;
    int fd;
    struct backup_head head;
    struct frame *ring;
    uint64_t synced; /* frames, by the thread that paces */

    pthread_mutex_t lock; /* innermost; guards what follows */
    pthread_cond_t moved; /* written is further on */
    uint64_t added;       /* frames, in all */
    uint64_t written;     /* how many of them the file has */
    uint32_t kept;        /* room in the ring, for backup_add_at_once */
    bool writing;         /* somebody writes what comes next */
    bool direct;          /* past the cache, in whole pages */
    int error;
};

void backup_name(char name[BACKUP_NAME_MAX], uint64_t lsn)
{
    snprintf(name, BACKUP_NAME_MAX, "%s%020" PRIu64, BACKUP_PREFIX, lsn);
}

static int write_head(const struct backup_writer *writer)
{
    struct head head = {
        .numbers = {[BACKUP_LSN] = writer->head.lsn,
            [BACKUP_COUNT] = writer->head.count,
            [BACKUP_TIME_MS] = (uint64_t)writer->head.time_ms},
    };
    memcpy(head.kind, BACKUP_KIND, sizeof head.kind);
    memcpy(head.identity, writer->head.identity, sizeof head.identity);
    return head_write(writer->fd, &head);
}

static void release(struct backup_writer *writer)
{
    file_close(writer->fd);
    free(writer->ring);
    pthread_cond_destroy(&writer->moved);
    pthread_mutex_destroy(&writer->lock);
    free(writer);
}

int backup_create(struct backup_writer **result, int directory, bool beside)
{
    *result = NULL;
    struct backup_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        return -ENOMEM;
    }
    writer->directory = directory;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->moved, NULL);
    writer->ring =
        aligned_alloc(DISK_PAGE, BACKUP_RING_FRAMES * sizeof *writer->ring);
    writer->fd = file_create(directory, BACKUP_NEW);
    int error = writer->fd < 0 ? writer->fd : 0;
    if (writer->ring == NULL) {
        error = -ENOMEM;
    }
    if (error != 0) {
        backup_abandon(writer);
        return error;
    }
    writer->direct = beside && file_set_direct(writer->fd, true) == 0;
    *result = writer;
    return 0;
}

void backup_begin(struct backup_writer *writer, const struct backup_head *head)
{
    assert(writer->added == 0);
    writer->head = *head;
}

/* Some file systems refuse the first write only, and past the cache none can go
 * on where one was cut short: then all of it goes through the cache, and so
 * does what follows. */
static int write_frames(const struct backup_writer *writer,
    struct frame *frames, uint32_t count, bool *direct)
{
    uint64_t offset = frame_offset(frames->lsn);
    size_t size = (size_t)count * FRAME_SIZE;
    for (uint32_t i = 0; i < count; i++) {
        frames[i].crc = frame_crc(&frames[i]);
    }
    int error = file_write_at(writer->fd, frames, size, offset);
    if (error == -EINVAL && *direct) {
        *direct = false;
        error = file_set_direct(writer->fd, false);
        if (error == 0) {
            error = file_write_at(writer->fd, frames, size, offset);
        }
    }
    return error;
}

/* The first one is told at the end. */
static void note_error_locked(struct backup_writer *writer, int error)
{
    writer->error = writer->error != 0 ? writer->error : error;
}

/* Writes what comes next, or waits while another does; past the cache it leaves
 * what fills no page.  The lock is let go meanwhile. */
static void write_some_locked(struct backup_writer *writer)
{
    if (writer->writing) {
        pthread_cond_wait(&writer->moved, &writer->lock);
        return;
    }
    uint64_t at = writer->written % BACKUP_RING_FRAMES;
    uint64_t left =
        u64_min(writer->added - writer->written, BACKUP_RING_FRAMES - at);
    uint32_t count = (uint32_t)u64_min(left, STEP_FRAMES);
    bool direct = writer->direct;
    count -= direct ? count % PAGES_FRAMES : 0;
    if (count > 0 && writer->error == 0) {
        writer->writing = true;
        pthread_mutex_unlock(&writer->lock);
        int error = write_frames(writer, &writer->ring[at], count, &direct);
        pthread_mutex_lock(&writer->lock);
        writer->writing = false;
        writer->direct = direct;
        note_error_locked(writer, error);
    }
    writer->written += count;
    if (writer->error != 0) {
        writer->written = writer->added; /* nothing is written any more */
    }
    pthread_cond_broadcast(&writer->moved);
}

static void add_locked(struct backup_writer *writer,
    const kv_message_t *message, uint8_t type, int64_t arg)
{
    assert(writer->added - writer->written < BACKUP_RING_FRAMES);
    struct frame *frame = &writer->ring[writer->added % BACKUP_RING_FRAMES];
    frame->lsn = ++writer->added;
    frame->time_ms = writer->head.time_ms;
    frame->arg = arg;
    frame->message = *message;
    frame->message.type = type;
}

static void add(struct backup_writer *writer, const kv_message_t *message,
    uint8_t type, int64_t arg)
{
    pthread_mutex_lock(&writer->lock);
    while (
        writer->added - writer->written + writer->kept >= BACKUP_RING_FRAMES) {
        write_some_locked(writer);
    }
    add_locked(writer, message, type, arg);
    pthread_mutex_unlock(&writer->lock);
}

void backup_add(
    struct backup_writer *writer, const kv_message_t *record, int64_t expire_ms)
{
    add(writer, record, KV_PUT, expire_ms);
}

void backup_add_at_once(
    struct backup_writer *writer, const kv_message_t *record, int64_t expire_ms)
{
    pthread_mutex_lock(&writer->lock);
    assert(writer->kept > 0);
    writer->kept--;
    add_locked(writer, record, KV_PUT, expire_ms);
    pthread_mutex_unlock(&writer->lock);
}

int backup_pace(struct backup_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->kept = 0;
    /* It ends: commits add what was there when the backup began, once. */
    while (writer->added - writer->written >= STEP_FRAMES) {
        write_some_locked(writer);
    }
    writer->kept = BACKUP_ROOM;
    uint64_t unsynced = writer->written - writer->synced;
    bool cached = !writer->direct;
    int error = writer->error;
    pthread_mutex_unlock(&writer->lock);
    if (error == 0 && cached && unsynced * FRAME_SIZE >= PACE_BYTES) {
        writer->synced += unsynced;
        error = file_sync(writer->fd);
        pthread_mutex_lock(&writer->lock);
        note_error_locked(writer, error);
        error = writer->error;
        pthread_mutex_unlock(&writer->lock);
    }
    return error;
}

/* What fills no page goes through the cache, and so does the head. */
static int write_rest(struct backup_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    while (writer->added - writer->written >= PAGES_FRAMES) {
        write_some_locked(writer);
    }
    if (writer->direct) {
        writer->direct = false;
        note_error_locked(writer, file_set_direct(writer->fd, false));
    }
    while (writer->written < writer->added) {
        write_some_locked(writer);
    }
    int error = writer->error;
    pthread_mutex_unlock(&writer->lock);
    return error;
}

int backup_finish(struct backup_writer *writer)
{
    static const kv_message_t footer = {0};
    char name[BACKUP_NAME_MAX];
    int directory = writer->directory;
    assert(writer->error != 0 || writer->added == writer->head.count);
    add(writer, &footer, VERB_MARK, (int64_t)writer->head.lsn);
    int error = write_rest(writer);
    if (error == 0) {
        error = write_head(writer);
    }
    if (error == 0) {
        error = file_sync(writer->fd);
    }
    if (error != 0) {
        backup_abandon(writer);
        return error;
    }
    backup_name(name, writer->head.lsn);
    release(writer);
    error = file_rename(directory, BACKUP_NEW, name);
    if (error != 0) {
        (void)file_remove(directory, BACKUP_NEW);
        return error;
    }
    return file_sync_directory(directory);
}

void backup_abandon(struct backup_writer *writer)
{
    if (writer->fd >= 0) {
        /* What stays behind is removed at the next start. */
        (void)file_remove(writer->directory, BACKUP_NEW);
    }
    release(writer);
}
