/* logged.h: a log of the test's own, which remembers what was appended: what
 * is read of it later is compared frame by frame. */
#ifndef LOGGED_H
#define LOGGED_H

#include "disk.h"
#include "samples.h"
#include "wal/wal.h"

struct logged {
    struct disk disk;
    struct wal_options options;
    struct wal *wal;      /* NULL: closed */
    struct frame *frames; /* what was appended: frame n at n - 1 */
    uint64_t count;
    uint64_t room;
    bool shared; /* other threads sync: marks may tell of more */

    /* of the last reading */
    struct wal_end end;
    char why[WAL_WHY_MAX];
    uint64_t from;
    uint64_t delivered; /* frames */
    uint64_t wrong;     /* of these, not as appended, or not in order */
};

enum { LOGGED_SEGMENT = WAL_SEGMENT_MIN };

/* An empty directory, the log closed; segments of the least size. */
void logged_make(struct logged *log, bool always);
void logged_remove(struct logged *log);
/* Frames that one segment holds. */
uint64_t logged_segment_frames(void);

/* Each returns what wal_open or wal_read does; a reading that succeeds must
 * have delivered what was appended. */
int logged_open(struct logged *log, uint64_t from);
int logged_read(struct logged *log, uint64_t from);
void logged_close(struct logged *log);

/* Appends, and remembers. */
uint64_t logged_append(struct logged *log, unsigned type);
bool logged_mark(struct logged *log);
void logged_close_chain(struct logged *log);
void logged_take_back(struct logged *log, uint64_t next_lsn);
/* Reserves, marks, appends so many PUTs; of more than one, linked makes a
 * chain. */
void logged_group(struct logged *log, uint32_t frames, bool linked);
/* The same, and writes; true if that went well. */
bool logged_write(struct logged *log, uint32_t frames, bool linked);
/* The same, and syncs: what KV_SYNC=always does. */
bool logged_commit(struct logged *log, uint32_t frames, bool linked);

/* What was remembered from next_lsn on is not expected any more. */
void logged_forget(struct logged *log, uint64_t next_lsn);

/* The name of the segment number index, from 0. */
void logged_segment(
    const struct logged *log, uint32_t index, char name[WAL_NAME_MAX]);
/* The first LSN of it. */
uint64_t logged_first(const struct logged *log, uint32_t index);
/* Where in its segment a frame stands. */
uint64_t logged_offset(uint64_t first_lsn, uint64_t lsn);

#endif
