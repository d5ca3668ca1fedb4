/* plant.h: faults, planted in the history of a sound server: what a checker
 * that is worth anything must find. */
#ifndef TORTURE_PLANT_H
#define TORTURE_PLANT_H

#include "support.h"
#include "torture/linear.h"

struct plant {
    const char *name;
    /* Alters one answer, so that no order can explain the history.  False if
     * it has no place for this fault. */
    bool (*into)(
        struct test_random *random, struct linear_op *ops, uint32_t count);
};

enum { PLANTS = 4 };

extern const struct plant plants[PLANTS];

#endif
