#include "wal/segment.h"

#include "file.h"
#include "head.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LSN_DIGITS = 20,
    SEGMENTS_MAX = 1 << 20, /* files in one directory that are looked at */
    OVER_CHUNK = 1 << 20,   /* bytes written over at once */
    OVER_PART = 8 << 20     /* bytes written over and synced by one call */
};

/* The numbers of a segment's head. */
enum { FIRST_LSN, DURABLE, NEXT_LSN, BYTES };

#define KIND "fixkvlog"

static const char prefix[] = "log-";

void segment_name(char name[WAL_NAME_MAX], uint64_t first_lsn)
{
    snprintf(name, WAL_NAME_MAX, "%s%020" PRIu64, prefix, first_lsn);
}

/* The LSN in a segment's name; 0 if it is not one. */
static uint64_t name_lsn(const char *name)
{
    size_t length = sizeof prefix - 1;
    if (strncmp(name, prefix, length) != 0 ||
        strlen(name) != length + LSN_DIGITS ||
        strspn(name + length, "0123456789") != LSN_DIGITS) {
        return 0;
    }
    errno = 0;
    uint64_t lsn = strtoull(name + length, NULL, 10);
    return errno == 0 ? lsn : 0;
}

static int add_entry(void *context, const char *name)
{
    struct segment_list *list = context;
    uint64_t lsn = name_lsn(name);
    if (lsn == 0) {
        return 0;
    }
    if (list->count == list->room) {
        uint32_t room = list->room == 0 ? 64 : 2 * list->room;
        uint64_t *grown = room <= SEGMENTS_MAX
                              ? realloc(list->first_lsns, room * sizeof *grown)
                              : NULL;
        if (grown == NULL) {
            return -ENOMEM;
        }
        list->first_lsns = grown;
        list->room = room;
    }
    list->first_lsns[list->count++] = lsn;
    return 0;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

int segment_list_read(int directory, struct segment_list *list)
{
    *list = (struct segment_list){0};
    int error = file_list(directory, add_entry, list);
    if (error != 0) {
        segment_list_free(list);
        return error;
    }
    if (list->count > 0) {
        qsort(list->first_lsns, list->count, sizeof *list->first_lsns, compare);
    }
    return 0;
}

void segment_list_free(struct segment_list *list)
{
    free(list->first_lsns);
    *list = (struct segment_list){0};
}

int segment_write_head(int fd, const uint8_t identity[WAL_IDENTITY_SIZE],
    const struct segment_head *head)
{
    struct head page = {
        .numbers = {[FIRST_LSN] = head->first_lsn,
            [DURABLE] = head->durable,
            [NEXT_LSN] = head->next_lsn,
            [BYTES] = head->bytes},
    };
    memcpy(page.kind, KIND, sizeof page.kind);
    memcpy(page.identity, identity, sizeof page.identity);
    return head_write(fd, &page);
}

int segment_read_head(int fd, const uint8_t identity[WAL_IDENTITY_SIZE],
    struct segment_head *head, char why[WAL_WHY_MAX])
{
    struct head page;
    memcpy(page.kind, KIND, sizeof page.kind);
    int error = head_read(fd, &page, identity, why);
    int64_t size = file_size(fd);
    if (error != 0 || size < 0) {
        return error != 0 ? error : (int)size;
    }
    if (page.numbers[BYTES] < WAL_SEGMENT_MIN ||
        (uint64_t)size < page.numbers[BYTES]) {
        snprintf(why, WAL_WHY_MAX, "it is shorter than its head says");
        return -EUCLEAN;
    }
    if (page.numbers[DURABLE] >= page.numbers[FIRST_LSN] ||
        (page.numbers[NEXT_LSN] != 0 &&
            page.numbers[NEXT_LSN] <= page.numbers[FIRST_LSN])) {
        snprintf(why, WAL_WHY_MAX, "its head contradicts itself");
        return -EUCLEAN;
    }
    *head = (struct segment_head){
        .first_lsn = page.numbers[FIRST_LSN],
        .durable = page.numbers[DURABLE],
        .next_lsn = page.numbers[NEXT_LSN],
        .bytes = page.numbers[BYTES],
    };
    return 0;
}

int segment_write_over(int fd, uint64_t *at, uint64_t bytes)
{
    void *zeros = calloc(1, OVER_CHUNK);
    if (zeros == NULL) {
        return -ENOMEM;
    }
    int error = 0;
    uint64_t end = u64_min(*at + OVER_PART, bytes);
    while (*at < end && error == 0) {
        uint64_t size = u64_min(OVER_CHUNK, end - *at);
        error = file_write_at(fd, zeros, size, *at);
        *at += size;
    }
    free(zeros);
    return error != 0 ? error : file_sync(fd);
}

int segment_make(int directory, const char *name, uint64_t bytes)
{
    int fd = file_create(directory, name);
    if (fd < 0) {
        return fd;
    }
    int error = file_allocate(fd, bytes);
    if (error != 0) {
        file_close(fd);
        /* What is left of it is overwritten by the next attempt. */
        (void)file_remove(directory, name);
        return error;
    }
    return fd;
}

int segment_identity(int fd, uint8_t identity[WAL_IDENTITY_SIZE])
{
    char why[HEAD_WHY_MAX];
    struct head page;
    memcpy(page.kind, KIND, sizeof page.kind);
    int error = head_read(fd, &page, NULL, why);
    if (error == 0) {
        memcpy(identity, page.identity, WAL_IDENTITY_SIZE);
    }
    return error;
}

int wal_find_identity(int directory, uint8_t identity[WAL_IDENTITY_SIZE])
{
    struct segment_list list;
    int error = segment_list_read(directory, &list);
    bool found = false;
    for (uint32_t i = 0; i < list.count && !found; i++) {
        char name[WAL_NAME_MAX];
        segment_name(name, list.first_lsns[i]);
        int fd = file_open_read(directory, name);
        found = fd >= 0 && segment_identity(fd, identity) == 0;
        file_close(fd < 0 ? -1 : fd);
    }
    segment_list_free(&list);
    return error != 0 ? error : found ? 0 : -ENOENT;
}

int segment_room(int directory, uint64_t first_lsn, uint64_t *room_lsn)
{
    char name[WAL_NAME_MAX];
    segment_name(name, first_lsn);
    int fd = file_open_read(directory, name);
    int64_t size = fd < 0 ? fd : file_size(fd);
    file_close(fd < 0 ? -1 : fd);
    if (size < 0) {
        return (int)size;
    }
    uint64_t bytes = u64_max((uint64_t)size, DISK_PAGE);
    *room_lsn = first_lsn - 1 + segment_frames(bytes);
    return 0;
}

int wal_extent_read(int directory, struct wal_extent *extent)
{
    struct segment_list list;
    *extent = (struct wal_extent){0};
    int error = segment_list_read(directory, &list);
    if (error == 0 && list.count > 0) {
        extent->first_lsn = list.first_lsns[0];
        error = segment_room(
            directory, list.first_lsns[list.count - 1], &extent->room_lsn);
    }
    segment_list_free(&list);
    return error;
}
