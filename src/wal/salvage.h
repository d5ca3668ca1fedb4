/* salvage.h: the log of a directory that recovery refuses: how far it is sound,
 * which frames behind that can be read, and files that end there.
 *
 * Not whether to cut: that is for a person who was asked.  It changes no file
 * of the log: what is to take a segment's place is written elsewhere.
 *
 *  1. Sound is what follows from a given LSN without a gap: frames that are
 *     valid where arithmetic says that they stand, chains whole.
 *  2. A segment whose head is damaged counts by its frames, which must go on
 *     where those before them end.
 *  3. A segment whose head is whole, but says that it is another store's or
 *     belongs in another place, counts for nothing: it is strange. */
#ifndef WAL_SALVAGE_H
#define WAL_SALVAGE_H

#include "wal/wal.h"

struct salvage_segment {
    char name[WAL_NAME_MAX];
    uint64_t first_lsn; /* by its name */
    uint64_t limit;     /* LSN behind the last frame that it can hold */
    uint64_t bytes;     /* of the file */
    uint64_t durable;   /* as its head says; 0 if that is damaged */
    uint64_t next_lsn;  /* the same */
    bool headless;      /* the head is damaged, or the file is too short */
};

struct salvage {
    struct wal_options options;
    struct frame *frames; /* room for WAL_GROUP_MAX */
    struct salvage_segment *segments;
    uint32_t count;
    struct salvage_segment *strange;
    uint32_t strange_count;
};

/* Finds the segments; of the options directory and identity count.  0 or
 * -errno with the reason in why: -EPROTONOSUPPORT for a segment that was
 * written in a format which is not known here.  Close it in any case. */
int salvage_open(struct salvage *salvage, const struct wal_options *options,
    char why[WAL_WHY_MAX]);
void salvage_close(struct salvage *salvage);

/* The segment where an LSN stands, or would; count if all begin behind it. */
uint32_t salvage_find(const struct salvage *salvage, uint64_t lsn);

/* Hands the sound frames from LSN from + 1 on to the sink.  *last: the LSN of
 * the last one; from if there is none.  0, what the sink returned, or another
 * -errno; the reason in why. */
int salvage_reach(struct salvage *salvage, uint64_t from,
    const struct wal_sink *sink, uint64_t *last, char why[WAL_WHY_MAX]);

/* Hands every valid frame above lsn to the sink, in order, one by one. */
int salvage_behind(struct salvage *salvage, uint64_t lsn,
    const struct wal_sink *sink, char why[WAL_WHY_MAX]);
/* The highest LSN that the heads speak of; frames may tell of more. */
uint64_t salvage_claimed(const struct salvage *salvage);

/* Makes the file name in the directory into, synced: a segment like that of
 * this index, which ends with LSN last. */
struct salvage_target {
    int into;
    const char *name;
};
int salvage_rewrite(struct salvage *salvage, uint32_t index, uint64_t last,
    const struct salvage_target *target);
/* The same of an empty segment, the first LSN of which will be first_lsn. */
int salvage_begin(const struct salvage *salvage, uint64_t first_lsn,
    const struct salvage_target *target);

void salvage_name(char name[WAL_NAME_MAX], uint64_t first_lsn);

/* Calls take with the identity in each segment's head that is whole, until it
 * returns non-zero.  Returns that, 0 or -errno. */
int salvage_identities(int directory,
    int (*take)(void *context, const uint8_t identity[WAL_IDENTITY_SIZE]),
    void *context);

#endif
