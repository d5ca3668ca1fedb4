/* segment.h: the files of the log; for the files of this folder only. */
#ifndef WAL_SEGMENT_H
#define WAL_SEGMENT_H

#include "wal/wal.h"

#define WAL_SPARE "log-spare"
#define WAL_SPARE_NEW "log-spare-new"

struct segment_head {
    uint64_t first_lsn;
    uint64_t durable;
    uint64_t next_lsn; /* 0: not known */
    uint64_t bytes;
};

/* The segments of a directory, by their first LSN. */
struct segment_list {
    uint64_t *first_lsns;
    uint32_t count;
    uint32_t room;
};

static inline uint64_t segment_offset(uint64_t first_lsn, uint64_t lsn)
{
    return DISK_PAGE + (lsn - first_lsn) * FRAME_SIZE;
}

static inline uint64_t segment_frames(uint64_t bytes)
{
    return (bytes - DISK_PAGE) / FRAME_SIZE;
}

void segment_name(char name[WAL_NAME_MAX], uint64_t first_lsn);
/* Finds the segments, in order.  0 or -errno.  segment_list_free frees them. */
int segment_list_read(int directory, struct segment_list *list);
void segment_list_free(struct segment_list *list);

/* Writes the head page.  0 or -errno. */
int segment_write_head(int fd, const uint8_t identity[WAL_IDENTITY_SIZE],
    const struct segment_head *head);
/* Reads and checks it.  identity: the expected one.  0, -EUCLEAN with the
 * reason in why, or another -errno. */
int segment_read_head(int fd, const uint8_t identity[WAL_IDENTITY_SIZE],
    struct segment_head *head, char why[WAL_WHY_MAX]);
/* The identity in a head that is valid.  0, -EUCLEAN or another -errno. */
int segment_identity(int fd, uint8_t identity[WAL_IDENTITY_SIZE]);

/* LSN of the last frame that the segment has room for.  0 or -errno. */
int segment_room(int directory, uint64_t first_lsn, uint64_t *room_lsn);

/* Makes a file of bytes bytes, allocated.  Returns its descriptor; on -errno
 * nothing is left. */
int segment_make(int directory, const char *name, uint64_t bytes);
/* Writes a part of the file, from *at on, over with zeros, syncs it, and moves
 * *at on, up to bytes.  0 or -errno. */
int segment_write_over(int fd, uint64_t *at, uint64_t bytes);

#endif
