/* histogram.h: how often each duration was seen, in bounded memory.
 *
 * Buckets are exact below 64 ns and then 64 to each power of two, so that any
 * duration is told to within 1.6 %: the shape of G. Tene's HdrHistogram. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_UNIT_BITS = 6,
    HISTOGRAM_UNITS = 1 << HISTOGRAM_UNIT_BITS,
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_UNIT_BITS + 1) * HISTOGRAM_UNITS
};

struct histogram {
    uint64_t count;
    uint64_t most;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Adds times observations of one duration. */
void histogram_add(
    struct histogram *histogram, uint64_t duration, uint64_t times);
void histogram_merge(struct histogram *sum, const struct histogram *part);
/* The duration that a share (0 to 1) of all does not exceed; 0 if there are
 * none. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

#endif
