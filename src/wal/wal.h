/* wal.h: the write-ahead log: frames, appended, written, synced, read again.
 *
 * Not the rule when to do which: that is storage's commit.  It knows frames,
 * chains and marks, not what the requests mean.
 *
 * Segment: a file log-<LSN of its first frame, 20 digits> of a fixed size:
 *
 *     0     4096  head (head.h), of the kind "fixkvlog"; its numbers:
 *                 LSN of the first frame
 *                 LSN up to which the log was durable when it began
 *                 LSN of the next segment's first frame, once that segment is
 *                 durable; 0 before
 *                 size of the file
 *     4096  320   frame with the first LSN
 *     ...         frame n at 4096 + 320 * (n - first)
 *
 * A segment ends where the next one begins, at the latest when it is full; a
 * group of frames that are written together never spans two.  What stands
 * behind that end is void: zeros, or old frames of a file that is used again.
 *
 * Marks: a frame of type MARK says up to which LSN the log was durable when it
 * was written; one opens each write after a sync.  So recovery can tell what a
 * power loss may do from damage:
 *  1. The log ends before the first frame that is not valid, and before a chain
 *     whose last frame is not there.
 *  2. If a valid mark behind that end, or the head of a later segment, says
 *     that a frame at or behind it was durable, that is damage: refused.
 *  3. If it is read from behind a backup, and holds nothing where the backup's
 *     last frame stood, it is of an earlier time: refused.
 *  4. Otherwise what is behind the end was never acknowledged as durable: it is
 *     cut off, and the cut is synced, before anything is appended. */
#ifndef WAL_H
#define WAL_H

#include "diag.h"
#include "frame.h"
#include "head.h"

struct wal;

enum {
    WAL_IDENTITY_SIZE = HEAD_IDENTITY_SIZE,
    WAL_GROUP_MAX = 4096, /* frames written at once, a mark included */
    WAL_CHAIN_MAX = WAL_GROUP_MAX - 1, /* frames of one chain */
    WAL_NAME_MAX = 32,
    WAL_WHY_MAX = HEAD_WHY_MAX,
    WAL_EXTENT = 1 << 18, /* bytes of a segment first written at once */
    WAL_BUFFER_SIZE =     /* whole pages for a group and the page before it, and
                         zeros to the end of an extent */
    (WAL_GROUP_MAX + 1) * FRAME_SIZE / DISK_PAGE * DISK_PAGE + 2 * DISK_PAGE +
    WAL_EXTENT,
    WAL_SEGMENT_MIN = 1 << 21 /* bytes: room for the largest group */
};
#define WAL_SEGMENT_MAX (UINT64_C(4) << 30)

struct wal_options {
    int directory; /* an open descriptor, the caller's */
    uint8_t identity[WAL_IDENTITY_SIZE];
    uint64_t segment_bytes;
    bool begun;       /* a log is known to have begun: none at all is damage */
    uint64_t durable; /* LSN up to which something else tells that the log was
                         durable: if it ends before, that is damage */
    bool always; /* every group is synced: new segments are written over once
                    before use, and durable before the first frame */
    struct diag *diag;
};

enum { WAL_ENOUGH = 1 };

/* Takes count valid frames in order, chains whole, marks among them; 0, or
 * WAL_ENOUGH: reading ends here, or -errno, with a sentence in why. */
struct wal_sink {
    int (*take)(void *context, const struct frame *frames, uint32_t count,
        char why[WAL_WHY_MAX]);
    void *context;
};

/* Where the log ends and what is to be done about it. */
struct wal_end {
    uint64_t lsn;        /* of the last frame that counts; from if none */
    uint64_t first_lsn;  /* of the segment that it ends in; 0: no segment */
    uint64_t data_lsn;   /* of the last frame that is no mark; 0: none read */
    uint64_t durable;    /* the most that marks and heads tell */
    uint64_t cut_frames; /* valid ones behind the end, which are cut off */
    uint64_t cut_lsn;    /* of the last of these in the segment first_lsn; lsn
                            if none */
    bool torn;           /* a frame begins there that is not whole */
    uint64_t frames;     /* handed to the sink */
    uint64_t room_lsn;   /* of the last frame that the segments have room for;
                            known before the first is handed over */
    uint32_t segments;   /* files of the log */
};

/* Reads the log's frames from LSN from + 1 to its end, changing nothing.  0,
 * WAL_ENOUGH if the sink said so (of end only frames, room_lsn and segments
 * count then), -EUCLEAN for damage, or another -errno; why names file, offset
 * and LSN.  A log that grows meanwhile is read to an end that it had. */
int wal_read(const struct wal_options *options, uint64_t from,
    const struct wal_sink *sink, struct wal_end *end, char why[WAL_WHY_MAX]);

/* What frames the files of a directory have room for. */
struct wal_extent {
    uint64_t first_lsn; /* 0: there is no segment */
    uint64_t room_lsn;  /* of the last frame that has room; 0: none */
};
int wal_extent_read(int directory, struct wal_extent *extent);

/* The identity in the head of any segment there is; -ENOENT without one. */
int wal_find_identity(int directory, uint8_t identity[WAL_IDENTITY_SIZE]);

/* Reads as wal_read, cuts what is torn, and makes ready to append.  The sink
 * takes all. */
int wal_open(struct wal **wal, const struct wal_options *options, uint64_t from,
    const struct wal_sink *sink, struct wal_end *end, char why[WAL_WHY_MAX]);
/* Frees; does not sync. */
void wal_close(struct wal *wal);

/* ---- For the committing thread ------------------------------------------ */

/* Makes sure that frames (at most WAL_GROUP_MAX - 1) and a mark have room in
 * space that is allocated; goes to the next segment if need be.  0 or -errno:
 * nothing can be written now. */
int wal_reserve(struct wal *wal, uint32_t frames);
/* LSN that the next frame will get. */
uint64_t wal_next_lsn(const struct wal *wal);
/* Appends a frame in memory; returns its LSN.  A type with KV_LINKED opens or
 * continues a chain, which wal_close_chain ends with the frame before. */
uint64_t wal_append(struct wal *wal, const kv_message_t *message, uint8_t type,
    int64_t arg, int64_t time_ms);
/* The same; the message, of which only the type is set, is to be filled before
 * the next call. */
kv_message_t *wal_add(
    struct wal *wal, uint8_t type, int64_t arg, int64_t time_ms);
void wal_close_chain(struct wal *wal);
/* Forgets the frames appended from LSN next_lsn on; none may be written. */
void wal_take_back(struct wal *wal, uint64_t next_lsn);
/* Appends a mark if a sync has gone by since the last one.  True if so. */
bool wal_mark(struct wal *wal, int64_t time_ms);
/* True if wal_mark would append one. */
bool wal_mark_due(struct wal *wal);
/* Forgets what was appended and not written. */
void wal_discard(struct wal *wal);
/* Writes what was appended.  On -errno it is discarded: the next group goes to
 * a new segment, and what the failed write has left is wiped. */
int wal_write(struct wal *wal);
/* True if that could not be wiped after the last wal_write: unless a new
 * segment begins before, recovery may find it. */
bool wal_unsure(const struct wal *wal);

/* ---- For any thread ----------------------------------------------------- */

/* Syncs what is written; one thread at a time (it waits for the other).  After
 * an error the log must not be used any more. */
int wal_sync(struct wal *wal);
/* Syncs segments that are no longer written to, so that not too many wait. */
int wal_sync_sealed(struct wal *wal);
/* The error of a sync that failed, after which nothing is written; 0: none. */
int wal_broken(struct wal *wal);
/* True if frames other than marks are written and not synced. */
bool wal_dirty(struct wal *wal);
/* Makes the next segment ahead if it is not there, or a part of it, so that a
 * call takes no longer than 8 MiB take to write and sync.  0: it is there;
 * -EAGAIN: to be called again, soon; another -errno: it cannot be had now. */
int wal_prepare(struct wal *wal);
/* Removes, or keeps to be used again, segments with no LSN above lsn.  One
 * thread at a time. */
int wal_remove_before(struct wal *wal, uint64_t lsn);

/* The segments with no LSN above lsn. */
struct wal_part {
    uint64_t segments;
    uint64_t frames; /* that they hold */
};
void wal_measure_before(struct wal *wal, uint64_t lsn, struct wal_part *part);

struct wal_figures {
    uint64_t written; /* LSN of the last frame written */
    uint64_t durable; /* LSN up to which all is on disk */
    uint64_t data;    /* LSN of the last frame that is no mark */
    uint64_t syncs;
    uint64_t segments;
};
void wal_figures(struct wal *wal, struct wal_figures *figures);

#endif
