/* state.h: an open log; for the files of this folder only. */
#ifndef WAL_STATE_H
#define WAL_STATE_H

#include "wal/segment.h"

#include <pthread.h>

#define WAL_NEW "log-new"

enum { SEALED_MAX = 64 /* segments that wait for their sync */ };

/* A segment that is full, while it waits for its sync. */
struct sealed {
    int fd;
    struct segment_head head; /* its next_lsn is the one that follows */
};

struct wal {
    struct wal_options options;

    /* The committing thread's. */
    uint8_t *buffer;        /* whole pages; the first may hold older frames */
    uint64_t buffer_at;     /* offset in the segment of its first byte */
    uint64_t fill;          /* bytes in it */
    uint64_t clean;         /* of these, bytes that are written */
    uint64_t extents_end;   /* offset up to which whole extents are written */
    uint64_t next_lsn;      /* of the next frame */
    uint64_t appended_data; /* LSN of the last frame that is no mark */
    uint64_t marked;        /* LSN that the last mark names */
    uint64_t mark_lsn;      /* of the last mark appended; 0: none */
    bool ended;             /* a write failed: nothing more in this segment */
    bool unsure;            /* what it left could not be wiped */

    pthread_mutex_t spare_lock; /* held while a spare is made; before lock */
    /* under it */
    int spare_fd;      /* of the one that is half made; -1: none is */
    uint64_t spare_at; /* bytes of it that are written over */

    pthread_mutex_t sync_lock; /* held while syncing; before lock */
    pthread_mutex_t lock;      /* guards all that follows */
    int fd;                    /* the segment written to; -1: none yet */
    struct segment_head head;  /* of that one */
    struct sealed sealed[SEALED_MAX];
    uint32_t sealed_count;
    struct segment_list list;
    struct wal_figures figures;
    bool spare;       /* a file named WAL_SPARE is ready */
    bool names_dirty; /* names changed since the directory was synced */
    int broken;       /* a sync failed: -errno */
};

/* ---- spare.c ------------------------------------------------------------- */

/* Removes the spare segment that is half made, if one is. */
void spare_abandon_locked(struct wal *wal);

#endif
