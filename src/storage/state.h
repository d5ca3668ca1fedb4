/* state.h: an open storage; for the files of this folder only.
 *
 * Invariants of the engine:
 *  1. No reply leaves before what it acknowledges is as durable as KV_SYNC
 *     says.
 *  2. With always, the table holds only what is on disk: no reader sees what a
 *     crash may take back.
 *  3. Log order = apply order = recovery order.
 *  4. What cannot succeed is refused before it is logged (a slot is taken
 *     first); so replay never fails where the original did not.
 *  5. A failed sync is fatal: nothing is acknowledged after it.  A failed write
 *     or a full disk is not: writes answer READ_ONLY, reads go on, and it heals
 *     when a segment can be allocated again.
 *
 * The locks and their order stand in src/README.md. */
#ifndef STORAGE_STATE_H
#define STORAGE_STATE_H

#include "backup/backup.h"
#include "storage/storage.h"
#include "view/view.h"

#include <assert.h>
#include <pthread.h>

enum {
    SWEEP_KEYS_MAX = 256,    /* expired records removed by one commit */
    SWEEP_LEFT_MAX = 8,      /* remains that it goes on with in the next */
    BACKUP_WAITING_MAX = 64, /* requests for a backup */
    KEEPER_TICK_MS = 100
};

struct figures {
    int64_t now_ms;    /* the latest time that anybody was told */
    int64_t steady_ms; /* when that was, by the steady clock */
    uint64_t records;
    uint64_t inner;       /* of these */
    uint64_t applied_lsn; /* of the last frame whose change is visible */
    uint64_t commits;
    uint64_t frames;
    uint64_t expired;
    uint64_t buckets;
    uint64_t overflow_buckets;
    uint64_t write_failures;
    bool read_only;
    /* Since when, by the steady clock, the disk has not answered to what every
     * write waits for; 0: it is not asked.  Set by one thread: the committer
     * with always, the keeper with everysec. */
    int64_t silent_since_ns;
    bool stalled; /* writes were told BUSY since it last answered */
    uint64_t stalls;
    uint64_t writes_busy;
    uint64_t sweep_cycle_ms;
    uint64_t backups;
    uint64_t backup_failures;
    uint64_t backup_lsn;
    uint64_t backup_records;
    uint64_t backup_ms;
    int64_t backup_time_ms; /* since 1970; 0: there is none */
    bool backup_failed;
    uint64_t needless_lsn; /* up to which recovery does not need the log */
    uint64_t recovery_ms;
    uint64_t recovery_frames;
};

/* The sweep's batch; the keeper's, but while commit has it. */
struct sweeper {
    uint64_t position; /* bucket */
    uint32_t left;     /* of found, the first ones: remains with more to take;
                          together REMAINS_STEP members in one commit */
    int64_t cycle_started_ms;
    struct batch batch;
    kv_message_t messages[SWEEP_KEYS_MAX];
    struct table_found found[SWEEP_KEYS_MAX];
};

struct storage {
    struct storage_options options;
    int directory; /* -1: memory alone */
    int lock_fd;
    bool key_kept; /* hash.key was read */
    bool begun;    /* it says that a log has begun */
    uint8_t identity[WAL_IDENTITY_SIZE];
    struct table *table;
    struct wal *wal; /* NULL: memory alone */

    pthread_mutex_t commit;
    struct view view;     /* the group being committed */
    uint64_t applied_lsn; /* as in figures */
    int64_t last_ms;      /* time of the last group */
    char refusal[STORAGE_WHY_MAX];
    bool broken;                         /* a sync failed: no writes any more */
    struct backup_writer *backup_writer; /* while a snapshot is saved */

    pthread_mutex_t queue; /* guards the committer's queue */
    pthread_cond_t queued;
    /* Somebody commits: with always the committer; else whoever has begun, who
     * hands what has queued to the committer when he is done. */
    bool committing;
    bool handed;
    struct batch *queue_first;
    struct batch *queue_last;
    uint32_t queued_commits; /* operations in the queue */
    uint32_t wanted_commits; /* for which the committer wants to be woken */
    bool committer_stops;
    bool committer_runs;
    pthread_t committer;

    pthread_mutex_t figures_lock;
    struct figures figures;

    pthread_mutex_t keeper_lock; /* guards what follows */
    pthread_cond_t keeper_wakes;
    bool keeper_stops;
    bool keeper_runs;
    bool sweeping;      /* commit has the sweeper's batch */
    bool sweep_goes_on; /* it removed all that one commit may: there is more */
    struct storage_backup_request *waiting; /* for the next backup */
    struct storage_backup_request *served;  /* by the one that runs */
    uint32_t waiting_count;
    bool backup_runs;
    bool backup_writes; /* it runs, and nobody has been told of its end */
    bool backup_done;   /* its thread wants to be joined */
    pthread_t keeper;
    pthread_t backup_thread;
    struct sweeper *sweeper;
};

static inline void lock(pthread_mutex_t *mutex)
{
    int error = pthread_mutex_lock(mutex);
    assert(error == 0);
    (void)error;
}

static inline void unlock(pthread_mutex_t *mutex)
{
    int error = pthread_mutex_unlock(mutex);
    assert(error == 0);
    (void)error;
}

/* ---- committer.c --------------------------------------------------------- */

int committer_start(struct storage *storage);
/* Commits what is queued, then ends the thread. */
void committer_stop(struct storage *storage);
/* True: the batch is committed.  False: it is queued, and the committer calls
 * its done. */
bool committer_commit(struct storage *storage, struct batch *batch);
/* With everysec and none: writes a mark, if one is due, and nobody is at a
 * group, which would bring it. */
void committer_mark(struct storage *storage);
/* Takes the batch out of the queue; false if it is not there any more. */
bool committer_withdraw(struct storage *storage, struct batch *batch);

/* ---- commit.c ------------------------------------------------------------ */

/* Plans, writes, syncs where every group is synced, publishes and answers the
 * batches, which hang together by next.  One thread at a time. */
void commit_group(struct storage *storage, struct batch *batches);
/* Writes a mark, if one is due; it is not synced.  True if so.  For who might
 * commit a group now. */
bool commit_mark(struct storage *storage);
/* Answers, with status and why, what may write or belongs to a chain; plain
 * reads that still have their arguments are executed in the view. */
void commit_refuse(
    struct view *view, struct batch *batch, kv_error_t status, const char *why);
/* A view of what is published, for any thread. */
struct view commit_shared_view(struct storage *storage);
/* The end of trust in the log. */
void storage_fail(struct storage *storage, const char *what, int error);
void figures_update_locked(struct storage *storage, uint32_t frames);
/* The time for a new group: commit lock held. */
int64_t commit_time_locked(struct storage *storage);

/* ---- stall.c ------------------------------------------------------------- */

/* Around what the disk is asked for and every write waits for. */
void stall_begin(struct storage *storage);
void stall_end(struct storage *storage);
/* True if the disk has been silent for too long: the batch is answered. */
bool stall_refuses(struct storage *storage, struct batch *batch);

/* ---- keeper.c ------------------------------------------------------------ */

int keeper_start(struct storage *storage);
void keeper_stop(struct storage *storage);

/* ---- snapshot.c ---------------------------------------------------------- */

/* Writes a backup; *head: what it is of; beside: writers go on.  0 or -errno.
 * One thread at a time. */
int snapshot_save(
    struct storage *storage, struct backup_head *head, bool beside);
/* Writes a backup, removes old ones and log that is no longer needed.  0 or
 * -errno; *lsn: its LSN.  One thread at a time. */
int snapshot_write(struct storage *storage, bool beside, uint64_t *lsn);

/* ---- retain.c ------------------------------------------------------------ */

/* Removes the backups and the log that are superfluous.  0 or -errno. */
int retain_apply(struct storage *storage);
/* At the start: what a setting that was lowered leaves over goes now, since on
 * a full disk no backup could be written before.  apply: all backups are valid;
 * else it only looks what of the log recovery does not need. */
void retain_at_start(struct storage *storage, bool apply);

/* ---- load.c -------------------------------------------------------------- */

struct recovery {
    struct storage_moment until;
    uint64_t room;    /* LSN behind which the table was not measured for */
    uint64_t from;    /* LSN of the backup that was loaded; 0: none */
    uint32_t damaged; /* backups passed over, since they are not valid */
    uint64_t durable; /* LSN up to which they tell that the log was */
    uint32_t later;   /* backups passed over, since they are later */
    bool stopped;     /* at the moment, before the end of the log */
};

/* Loads the newest valid backup that is not later than the moment, if there is
 * one, into the empty table. */
int load_newest(struct storage *storage, struct recovery *recovery,
    char why[STORAGE_WHY_MAX]);
/* How many records the table may need up to until_lsn, at the most. */
int load_capacity(const struct storage *storage, uint64_t until_lsn,
    const struct wal_extent *extent, uint64_t *capacity);
/* The backups behind the one that was loaded are damaged: they must not count
 * among those that are kept, nor the log be cut for their sake. */
void load_set_aside(struct storage *storage, uint64_t loaded);

/* ---- recover.c ----------------------------------------------------------- */

enum { PROGRESS_MS = 1000 };

/* Fills the empty table from the newest valid backup and the log, and opens
 * the log for appending. */
int storage_recover(struct storage *storage, char why[STORAGE_WHY_MAX]);
/* Fills the empty table as the store was at a moment, with no frame behind LSN
 * room: for what a server adds meanwhile the table may be too small.  Changes
 * nothing on disk.  -ERANGE: it cannot be reached; -EAGAIN: a running server
 * has removed what was being read. */
int storage_recover_at(struct storage *storage,
    const struct storage_moment *until, uint64_t room,
    char why[STORAGE_WHY_MAX]);

/* ---- identity.c ---------------------------------------------------------- */

/* Writes hash.key if identity_open had to make it.  0 or -errno. */
int identity_keep(struct storage *storage,
    const uint8_t secret[SIPHASH_SECRET_SIZE], char why[STORAGE_WHY_MAX]);
/* Notes in hash.key that there is a log, which must be durable.  0 or -errno.
 */
int identity_note_log(struct storage *storage);
/* Reads the store's identity and the secret of its hash, or makes them. */
int identity_open(struct storage *storage, uint8_t secret[SIPHASH_SECRET_SIZE],
    char why[STORAGE_WHY_MAX]);
/* The identity in hash.key, or else of the data; changes nothing.  -ENOENT if
 * there is neither. */
int identity_find(int directory, uint8_t identity[WAL_IDENTITY_SIZE]);

#endif
