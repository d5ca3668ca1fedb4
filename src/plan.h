/* plan.h: how many records fit, and what they cost: storage_plan made into an
 * answer for people. */
#ifndef PLAN_H
#define PLAN_H

#include <stdint.h>
#include <stdio.h>

#include "machine.h"

/* The most records, 1..capacity_max, whose store takes at most half of what
 * this process may use of the machine's memory; 1 if not even that fits. */
uint64_t plan_capacity(
    const struct machine_memory *memory, uint64_t capacity_max);

/* What capacity records take, part by part, and the machine's memory. */
void plan_print(
    uint64_t capacity, const struct machine_memory *memory, FILE *out);

#endif
