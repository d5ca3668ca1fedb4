/* plan.h: how many records fit, what they and those who serve them cost, and
 * whether that can be had: storage_plan made into an answer for people. */
#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "machine.h"

enum { PLAN_WHY_MAX = 512 };

/* What is to be served, and by how much. */
struct plan_demand {
    uint64_t capacity;     /* records */
    uint64_t server_bytes; /* workers and connections at rest */
    uint64_t workers;
};

/* The most records, 1..capacity_max, whose store takes at most half of what
 * this process may use of the machine's memory, and which its addresses
 * suffice for; 1 if not even that fits.  The demand's capacity is not used. */
uint64_t plan_capacity(const struct plan_demand *demand,
    const struct machine_memory *memory, uint64_t capacity_max);

/* What the demand takes, part by part, and what there is. */
void plan_print(const struct plan_demand *demand,
    const struct machine_memory *memory, FILE *out);

/* False if the addresses that this process may have cannot suffice; or, with
 * all, if its memory cannot, were all of it taken; with a line in why: what is
 * needed, what there is, what to do. */
bool plan_fits(const struct plan_demand *demand,
    const struct machine_memory *memory, bool all, char why[PLAN_WHY_MAX]);

#endif
