/* storage.h: the engine: open, recover, read, commit, scan, back up, close.
 *
 * It knows operations, not connections or protocols.  It is the only user of
 * table, wal and backup. */
#ifndef STORAGE_H
#define STORAGE_H

#include "batch.h"
#include "diag.h"
#include "stats.h"

struct storage;

enum {
    STORAGE_WHY_MAX = 512,
    /* A disk that has not answered for so long is slow: no more than is lent
     * already is handed to it. */
    STORAGE_SLOW_MS = 200,
    STORAGE_STALL_MS = 2000
};

struct storage_options {
    const char *directory; /* NULL: memory alone, nothing on disk */
    uint64_t capacity;     /* records */
    kv_sync_t sync;
    uint32_t backup_interval_s; /* 0: only at close and on demand */
    uint32_t backup_keep;       /* at least 1 */
    uint64_t segment_bytes;     /* of the log */
    /* How much of the log stays behind what recovery needs: so much time, or so
     * many bytes, or with both 0 nothing. */
    int64_t log_keep_ms;
    uint64_t log_keep_bytes;
    uint32_t load_threads; /* of recovery; at least 1 */
    bool preallocate;      /* takes all memory when it is opened */
    /* A disk that has not answered for so long is stalled, and writes are told
     * BUSY at once; a write waits for it as long.  0: STORAGE_STALL_MS. */
    int64_t stall_ms;
    struct diag *diag; /* must outlive the storage */
    /* Called when the log can no longer be trusted (a sync failed).  The
     * server ends the process.  If it returns, or is NULL, the storage refuses
     * all writes from then on. */
    void (*fatal)(void *context, const char *why);
    void *context;
};

/* Opens and recovers.  0, or -errno with a sentence in why: what, with which
 * numbers, what to do.  -EBUSY: held by another process; -EUCLEAN: damage;
 * -ENOSPC: capacity below what is on disk. */
int storage_open(struct storage **storage,
    const struct storage_options *options, char why[STORAGE_WHY_MAX]);

/* A moment in a store's history: what those frames have done that neither
 * excludes.  Of a chain all count, or none. */
struct storage_moment {
    uint64_t lsn;    /* frames behind it do not count */
    int64_t time_ms; /* frames of a later time do not count */
};
#define STORAGE_NEWEST ((struct storage_moment){UINT64_MAX, INT64_MAX})

/* Opens, in memory and without threads, the store in options->directory as it
 * was at a moment, for looking at it: scan, count, stats; then storage_close.
 * Changes nothing there and takes no lock: a server may be running.  Capacity
 * 0: as much as the files may need.  0, or -errno with a sentence in why:
 * -ENOENT: no store; -ERANGE: the moment is before what is left or behind the
 * end; -EUCLEAN: damage on the way; -EAGAIN: the server removes files faster
 * than they can be read. */
int storage_open_at(struct storage **storage,
    const struct storage_options *options, const struct storage_moment *until,
    char why[STORAGE_WHY_MAX]);
/* LSN and time of the last frame that counts. */
struct storage_moment storage_reached(const struct storage *storage);

/* Which moments storage_open_at can reach: all between these two.  0, or
 * -errno with a sentence in why: of -EUCLEAN *range is what lies before the
 * damage, and first.lsn UINT64_MAX if that is nothing. */
struct storage_range {
    struct storage_moment first; /* LSN 0: all of the log is there; the time is
                                    that of the first frame then */
    struct storage_moment last;
};
int storage_reach(
    const char *path, struct storage_range *range, char why[STORAGE_WHY_MAX]);

/* 0 if a store can be made at path: there is nothing, or an empty directory. */
int storage_check_new(const char *path, char why[STORAGE_WHY_MAX]);
/* Makes of a storage that storage_open_at has opened a store at path, with an
 * identity of its own, whose first frame follows the moment's last: all of it,
 * durably, or nothing.  Only storage_close and storage_count may follow.  0, or
 * -errno with a sentence in why. */
int storage_restore(
    struct storage *storage, const char *path, char why[STORAGE_WHY_MAX]);

/* Ends the threads, writes a backup if one is wanted and anything has changed,
 * syncs the log, closes, frees.  No batch may be under way.  0, or -errno if
 * the backup or the sync failed (a diagnostic says what). */
int storage_close(struct storage *storage, bool backup);

/* Milliseconds since 1970 as this store counts them: never runs back. */
int64_t storage_now(struct storage *storage);

/* Hashes and prefetches all operations of the batch, then executes those in
 * state OP_READ.  Counts those in OP_COMMIT into batch->commits. */
void storage_read(struct storage *storage, struct batch *batch);

/* Executes those in state OP_COMMIT, in order, chains all or none.  Every
 * operation of a chain must be in state OP_COMMIT or OP_REFUSED, and its last
 * one not linked.  Call after storage_read.
 *
 * True: done, the replies are written.  False (always so with KV_SYNC=always,
 * otherwise if somebody else commits just now; never in memory alone): the
 * committer has the batch, and calls batch->done when its replies are written;
 * until then the batch and its messages must not be touched.
 *
 * Where the disk has not answered for stall_ms to what every write has
 * to wait for (always: its group; everysec: the sync of the second), they are
 * refused as by storage_refuse. */
bool storage_commit(struct storage *storage, struct batch *batch);

/* Executes a call that changes nothing, at once, as one in state OP_STILL; its
 * reply is appended to out. */
void storage_call(
    struct storage *storage, struct call *call, struct buffer *out);

/* Milliseconds that the disk has not answered for to what every write waits
 * for; 0: it is not asked.  Any thread. */
int64_t storage_silent_ms(struct storage *storage);
/* For how long at most a write waits for it. */
int64_t storage_stall_ms(const struct storage *storage);

/* Executes nothing that may write: answers it BUSY, with a text that tells how
 * many batches wait for the disk already (0: the disk is silent, whoever
 * waits).  Plain reads of the batch are executed. */
void storage_refuse(
    struct storage *storage, struct batch *batch, unsigned waiting);

/* For a batch that the committer has had for waited_ms, and has not given back.
 * True: it was still queued, and is the caller's again, answered as by
 * storage_refuse; done is not called.  False: the disk has it, or had it a
 * moment ago; done is called as ever, and may have been.  Of its operations'
 * messages only type and key may be read until then; why is what may be said
 * instead of their replies: that they may take effect yet. */
bool storage_withdraw(struct storage *storage, struct batch *batch,
    int64_t waited_ms, char why[STORAGE_WHY_MAX]);

/* One SCAN call: up to KV_SCAN_MAX records with the prefix (32 bytes, zero-
 * padded; all zero: every key) from *cursor on (0: the beginning) into records
 * (type, status SUCCESS, key, value).  *cursor: where to go on, 0 at the end.
 * Returns how many; possibly none before the end. */
uint32_t storage_scan(struct storage *storage,
    const uint8_t prefix[KV_KEY_SIZE], uint64_t *cursor,
    kv_message_t records[KV_SCAN_MAX]);

/* Asks for a backup: done is called from the backup's thread when one that
 * began after this call is durable, or failed (error: 0 or -errno, lsn).  True
 * if so; false if there is no directory or too many are waiting (64): done is
 * not called then. */
struct storage_backup_request {
    void (*done)(
        struct storage_backup_request *request, int error, uint64_t lsn);
    void *owner;
    struct storage_backup_request *next; /* the storage's while it waits */
};
bool storage_backup(
    struct storage *storage, struct storage_backup_request *request);

/* True if every reply to a write waits for the disk: KV_SYNC=always. */
bool storage_waits(const struct storage *storage);

/* True if it has a directory, false if it is in memory alone. */
bool storage_durable(const struct storage *storage);

/* Adds the storage's figures to *stats. */
void storage_stats(struct storage *storage, struct stats *stats);

/* All records, and those that are not parts of collections. */
uint64_t storage_count(struct storage *storage);
uint64_t storage_keys(struct storage *storage);

/* Memory of a store with this capacity, in bytes. */
struct storage_plan {
    uint64_t record_bytes;   /* slots, the spare ones of commit included */
    uint64_t bucket_bytes;   /* the bucket array at full size */
    uint64_t overflow_bytes; /* the most that overflow buckets can take */
    uint64_t fixed_bytes;    /* buffers of log, commit and backup */
    uint64_t reserved_bytes; /* address space taken at start */
};
void storage_plan(uint64_t capacity, struct storage_plan *plan);

#endif
