/* write.c: a backup, while it is written. */
#include "backup/names.h"

#include "file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { PACE_BYTES = 32 << 20 /* written between two syncs */ };

struct backup_writer {
    int directory;
    int fd;
    struct backup_head head;
    uint64_t synced; /* bytes, by the thread that paces */

    pthread_mutex_t lock; /* innermost; guards what follows */
    pthread_cond_t written;
    struct frame *filling;
    struct frame *resting; /* being written out, or empty */
    uint32_t fill;         /* frames in filling */
    uint32_t kept;         /* of its room, for backup_add_at_once */
    uint64_t count;        /* frames added in all */
    uint64_t offset;       /* where filling goes */
    bool writing;          /* somebody writes resting out */
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
    free(writer->filling);
    free(writer->resting);
    pthread_cond_destroy(&writer->written);
    pthread_mutex_destroy(&writer->lock);
    free(writer);
}

int backup_create(struct backup_writer **result, int directory)
{
    *result = NULL;
    struct backup_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        return -ENOMEM;
    }
    writer->directory = directory;
    writer->offset = DISK_PAGE;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->written, NULL);
    writer->filling = malloc(BACKUP_BUFFER_FRAMES * sizeof(struct frame));
    writer->resting = malloc(BACKUP_BUFFER_FRAMES * sizeof(struct frame));
    writer->fd = file_create(directory, BACKUP_NEW);
    int error = writer->fd < 0 ? writer->fd : 0;
    if (writer->filling == NULL || writer->resting == NULL) {
        error = -ENOMEM;
    }
    if (error != 0) {
        backup_abandon(writer);
        return error;
    }
    *result = writer;
    return 0;
}

void backup_begin(struct backup_writer *writer, const struct backup_head *head)
{
    assert(writer->count == 0);
    writer->head = *head;
}

/* Writes out what is filling; the lock is held, and let go meanwhile. */
static void write_out_locked(struct backup_writer *writer)
{
    while (writer->writing) {
        pthread_cond_wait(&writer->written, &writer->lock);
    }
    uint32_t fill = writer->fill;
    uint64_t offset = writer->offset;
    struct frame *frames = writer->filling;
    if (fill == 0 || writer->error != 0) {
        writer->fill = 0;
        return;
    }
    writer->filling = writer->resting;
    writer->resting = frames;
    writer->fill = 0;
    writer->offset += (uint64_t)fill * FRAME_SIZE;
    writer->writing = true;
    pthread_mutex_unlock(&writer->lock);

    for (uint32_t i = 0; i < fill; i++) {
        frames[i].crc = frame_crc(&frames[i]);
    }
    int error =
        file_write_at(writer->fd, frames, (size_t)fill * FRAME_SIZE, offset);

    pthread_mutex_lock(&writer->lock);
    writer->writing = false;
    if (error != 0 && writer->error == 0) {
        writer->error = error;
    }
    pthread_cond_broadcast(&writer->written);
}

static void add_locked(struct backup_writer *writer,
    const kv_message_t *message, uint8_t type, int64_t arg)
{
    assert(writer->fill + writer->kept < BACKUP_BUFFER_FRAMES);
    struct frame *frame = &writer->filling[writer->fill++];
    frame->lsn = ++writer->count;
    frame->time_ms = writer->head.time_ms;
    frame->arg = arg;
    frame->message = *message;
    frame->message.type = type;
}

static void add(struct backup_writer *writer, const kv_message_t *message,
    uint8_t type, int64_t arg)
{
    pthread_mutex_lock(&writer->lock);
    while (writer->fill + writer->kept >= BACKUP_BUFFER_FRAMES) {
        write_out_locked(writer);
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
    if (writer->fill > BACKUP_BUFFER_FRAMES / 2) {
        write_out_locked(writer);
    }
    while (writer->fill + BACKUP_ROOM > BACKUP_BUFFER_FRAMES) {
        write_out_locked(writer);
    }
    writer->kept = BACKUP_ROOM;
    uint64_t offset = writer->offset;
    int error = writer->error;
    pthread_mutex_unlock(&writer->lock);
    if (error == 0 && offset - writer->synced >= PACE_BYTES) {
        writer->synced = offset;
        error = file_sync(writer->fd);
        pthread_mutex_lock(&writer->lock);
        /* A write of another thread may have failed meanwhile. */
        writer->error = writer->error != 0 ? writer->error : error;
        error = writer->error;
        pthread_mutex_unlock(&writer->lock);
    }
    return error;
}

int backup_finish(struct backup_writer *writer)
{
    static const kv_message_t footer = {0};
    char name[BACKUP_NAME_MAX];
    int directory = writer->directory;
    assert(writer->error != 0 || writer->count == writer->head.count);
    add(writer, &footer, VERB_MARK, (int64_t)writer->head.lsn);
    pthread_mutex_lock(&writer->lock);
    write_out_locked(writer);
    int error = writer->error;
    pthread_mutex_unlock(&writer->lock);
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
