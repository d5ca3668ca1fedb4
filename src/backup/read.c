/* read.c: backups, found, checked and read. */
#include "backup/names.h"

#include "file.h"
#include "kind.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LSN_DIGITS = 20 };

/* The LSN in a backup's name; false if it is not one. */
static bool name_lsn(const char *name, uint64_t *lsn)
{
    size_t length = sizeof BACKUP_PREFIX - 1;
    if (strncmp(name, BACKUP_PREFIX, length) != 0 ||
        strlen(name) != length + LSN_DIGITS ||
        strspn(name + length, "0123456789") != LSN_DIGITS) {
        return false;
    }
    errno = 0;
    *lsn = strtoull(name + length, NULL, 10);
    return errno == 0;
}

static int add_entry(void *context, const char *name)
{
    struct backup_list *list = context;
    uint64_t lsn;
    if (!name_lsn(name, &lsn)) {
        return 0;
    }
    if (list->count == BACKUP_LIST_MAX) {
        return -E2BIG;
    }
    list->lsns[list->count++] = lsn;
    return 0;
}

static int newest_first(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a > b ? -1 : a < b;
}

int backup_list_read(int directory, struct backup_list *list)
{
    list->count = 0;
    int error = file_list(directory, add_entry, list);
    qsort(list->lsns, list->count, sizeof *list->lsns, newest_first);
    return error;
}

int backup_remove(int directory, uint64_t lsn)
{
    char name[BACKUP_NAME_MAX];
    backup_name(name, lsn);
    return file_remove(directory, name);
}

int backup_set_aside(int directory, uint64_t lsn)
{
    char name[BACKUP_NAME_MAX];
    char aside[BACKUP_NAME_MAX + sizeof ".damaged"];
    backup_name(name, lsn);
    snprintf(aside, sizeof aside, "%s.damaged", name);
    return file_rename(directory, name, aside);
}

int backup_clean(int directory)
{
    int error = file_remove(directory, BACKUP_NEW);
    return error == -ENOENT ? 0 : error;
}

static int refuse(char why[BACKUP_WHY_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int refuse(char why[BACKUP_WHY_MAX], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, BACKUP_WHY_MAX, format, arguments);
    va_end(arguments);
    return -EUCLEAN;
}

static int failed(char why[BACKUP_WHY_MAX], int error)
{
    snprintf(why, BACKUP_WHY_MAX, "cannot read it: %s", strerror(-error));
    return error;
}

static int check_head(struct backup_reader *reader, uint64_t lsn,
    const uint8_t *identity, char why[BACKUP_WHY_MAX])
{
    struct head head;
    memcpy(head.kind, BACKUP_KIND, sizeof head.kind);
    int error = head_read(reader->fd, &head, identity, why);
    int64_t size = file_size(reader->fd);
    if (error == -EUCLEAN) {
        return error;
    }
    if (error != 0 || size < 0) {
        return failed(why, error != 0 ? error : (int)size);
    }
    if (head.numbers[BACKUP_LSN] != lsn) {
        return refuse(
            why, "its head says LSN %" PRIu64, head.numbers[BACKUP_LSN]);
    }
    uint64_t count = head.numbers[BACKUP_COUNT];
    uint64_t frames = ((uint64_t)size - DISK_PAGE) / FRAME_SIZE;
    if (((uint64_t)size - DISK_PAGE) % FRAME_SIZE != 0 || frames == 0 ||
        frames - 1 != count) {
        return refuse(why,
            "it has %" PRId64 " bytes, which is not the size of %" PRIu64
            " records",
            size, count);
    }
    memcpy(reader->head.identity, head.identity, sizeof head.identity);
    reader->head.lsn = lsn;
    reader->head.count = count;
    reader->head.time_ms = (int64_t)head.numbers[BACKUP_TIME_MS];
    return 0;
}

static int check_footer(
    const struct backup_reader *reader, char why[BACKUP_WHY_MAX])
{
    struct frame footer;
    uint64_t number = reader->head.count + 1;
    int64_t got =
        file_read_at(reader->fd, &footer, sizeof footer, frame_offset(number));
    if (got < 0) {
        return failed(why, (int)got);
    }
    if (got < FRAME_SIZE || !frame_valid(&footer, number) ||
        frame_verb(&footer) != VERB_MARK ||
        (uint64_t)footer.arg != reader->head.lsn) {
        return refuse(why, "its footer at offset %" PRIu64 " is damaged",
            frame_offset(number));
    }
    return 0;
}

int backup_open(struct backup_reader *reader, int directory, uint64_t lsn,
    const uint8_t identity[BACKUP_IDENTITY_SIZE], char why[BACKUP_WHY_MAX])
{
    char name[BACKUP_NAME_MAX];
    backup_name(name, lsn);
    reader->fd = file_open_read(directory, name);
    if (reader->fd < 0) {
        return failed(why, reader->fd);
    }
    int error = check_head(reader, lsn, identity, why);
    if (error == 0) {
        error = check_footer(reader, why);
    }
    if (error != 0) {
        backup_close(reader);
    }
    return error;
}

int backup_read(const struct backup_reader *reader, uint64_t first,
    uint32_t count, struct frame *frames, char why[BACKUP_WHY_MAX])
{
    int64_t got = file_read_at(
        reader->fd, frames, (size_t)count * FRAME_SIZE, frame_offset(first));
    if (got < 0) {
        return failed(why, (int)got);
    }
    for (uint32_t i = 0; i < count; i++) {
        if ((uint64_t)got < (uint64_t)(i + 1) * FRAME_SIZE ||
            !frame_valid(&frames[i], first + i) ||
            frames[i].time_ms != reader->head.time_ms ||
            frames[i].message.type != KV_PUT ||
            !kind_known(frames[i].message.status) ||
            frames[i].message.value_len > KV_VALUE_MAX ||
            bytes_all_zero(frames[i].message.key, KV_KEY_SIZE)) {
            return refuse(why,
                "its record number %" PRIu64 " at offset %" PRIu64
                " is damaged",
                first + i, frame_offset(first + i));
        }
    }
    return 0;
}

uint64_t backup_claim(
    int directory, uint64_t lsn, const uint8_t identity[BACKUP_IDENTITY_SIZE])
{
    char name[BACKUP_NAME_MAX];
    char why[BACKUP_WHY_MAX];
    struct head head;
    memcpy(head.kind, BACKUP_KIND, sizeof head.kind);
    backup_name(name, lsn);
    int fd = file_open_read(directory, name);
    bool whole = fd >= 0 && head_read(fd, &head, NULL, why) == 0;
    file_close(fd < 0 ? -1 : fd);
    if (!whole) {
        return lsn;
    }
    return memcmp(head.identity, identity, BACKUP_IDENTITY_SIZE) == 0
               ? head.numbers[BACKUP_LSN]
               : 0;
}

void backup_close(struct backup_reader *reader)
{
    file_close(reader->fd);
    reader->fd = -1;
}
