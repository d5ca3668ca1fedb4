/* worlds.h: a set of worlds.  A world is what may be the case at some moment of
 * a history: which of the operations under way have taken effect already, and
 * the values that follow.
 *
 * It knows nothing of operations: linear.c says what follows from what. */
#ifndef TORTURE_WORLDS_H
#define TORTURE_WORLDS_H

#include "torture/linear.h"

struct world {
    uint64_t done; /* bit i: the operation in place i has taken effect */
    int64_t values[LINEAR_KEYS_MAX];
};

struct worlds {
    uint32_t count_max;   /* set by the caller */
    struct world *worlds; /* in the order in which they were added */
    uint32_t count;
    uint32_t room;       /* a power of two, or 0 */
    uint64_t *index;     /* 2 * room: generation and number of a world */
    uint32_t generation; /* of what the index holds */
};

/* Adds it unless it is there.  False if there is no room: count_max, or
 * no memory.  A pointer into worlds lives until then. */
bool worlds_add(struct worlds *worlds, const struct world *world);
/* Takes all out, in constant time. */
void worlds_empty(struct worlds *worlds);
/* Frees what it holds; an empty set again. */
void worlds_free(struct worlds *worlds);

#endif
