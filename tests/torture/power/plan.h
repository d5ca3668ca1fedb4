/* plan.h: of which moments of a trace images are made, and which. */
#ifndef POWER_PLAN_H
#define POWER_PLAN_H

#include "torture/power/disk.h"

struct power_planned {
    uint64_t number;
    struct power_image image;
};

struct power_plan {
    struct power_planned *images; /* in the order of their moments */
    /* Of the whole trace: */
    uint64_t calls; /* to disk */
    uint64_t syncs;
    int64_t sync_ns; /* the longest */
};

/* Half of the images are of the moments when a sync had returned, or was about
 * to; a quarter are of recoveries, what comes shortly after, and orderly stops;
 * the others of random moments.  The same seed makes the same images.  False
 * without memory. */
bool power_plan_make(struct power_plan *plan, const struct power_trace *trace,
    uint64_t images, uint64_t seed);
void power_plan_free(struct power_plan *plan);

#endif
