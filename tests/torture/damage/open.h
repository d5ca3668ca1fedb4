/* open.h: what recovery makes of a damaged directory, and whether it may
 * make that of it. */
#ifndef DAMAGE_OPEN_H
#define DAMAGE_OPEN_H

#include "torture/damage/world.h"

/* Where the damage is, if it is in frames of a log: then a refusal names file,
 * offset and LSN. */
struct place {
    uint64_t segment; /* the LSN in the file's name; 0: elsewhere */
    uint64_t first;   /* LSN of the first frame that is damaged */
    uint64_t last;
    uint64_t marked; /* no log that is opened ends before */
};

enum outcome { OUTCOME_WHOLE, OUTCOME_PREFIX, OUTCOME_REFUSED, OUTCOME_WRONG };

struct opened {
    enum outcome outcome;
    uint64_t lsn;
    uint32_t records;
    char why[2 * STORAGE_WHY_MAX]; /* it was refused, or what is wrong */
};

/* Opens the store, compares all of it with the history, closes it; twice if
 * again. */
void open_damaged(const struct world *world, const char *directory,
    const struct place *place, bool again, struct opened *opened);

/* Whether the server's program opens what was opened, with as many records,
 * and refuses what was refused, for the same reason; and whether `client check`
 * calls nothing sound that was refused.  False: opened->why says what is
 * wrong. */
bool programs_agree(const struct world *world, const char *directory,
    const char *build, struct opened *opened);

#endif
