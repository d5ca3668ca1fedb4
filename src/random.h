/* random.h: random numbers that nobody can foresee, from the kernel.
 *
 * Each thread keeps some bytes of its own in advance, so that most draws cost
 * no system call: the one thing here that outlives a call, and nobody sees
 * it. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stddef.h>
#include <stdint.h>

uint64_t random_next(void);
/* 0..limit-1, each as likely as any other; limit is at least 1. */
uint64_t random_below(uint64_t limit);
void random_fill(void *bytes, size_t size);

#endif
