/* zipf.h: numbers 0..count-1 of which few are frequent: number k comes with a
 * frequency in proportion to 1 / (k + 1)^theta.
 *
 * After J. Gray, P. Sundaresan, S. Englert, K. Baclawski and P. J. Weinberger,
 * "Quickly generating billion-record synthetic databases", SIGMOD 1994,
 * section 3.2: exact for the first two numbers, close for the others. */
#ifndef ZIPF_H
#define ZIPF_H

#include <stdint.h>

struct zipf {
    uint64_t count;
    double theta;
    double alpha;
    double eta;
    double zeta; /* the sum of 1 / k^theta for k in 1..count */
};

/* count is at least 1, 0 < theta < 1. */
void zipf_init(struct zipf *zipf, uint64_t count, double theta);
/* uniform: from 0 to less than 1. */
uint64_t zipf_next(const struct zipf *zipf, double uniform);

#endif
