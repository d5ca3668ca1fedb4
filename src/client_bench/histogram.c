#include "client_bench/histogram.h"

#include <assert.h>
#include <stddef.h>

static size_t bucket_of(uint64_t duration)
{
    if (duration < HISTOGRAM_UNITS) {
        return (size_t)duration;
    }
    unsigned shift =
        63u - (unsigned)__builtin_clzll(duration) - HISTOGRAM_UNIT_BITS;
    /* duration >> shift is in HISTOGRAM_UNITS .. 2 * HISTOGRAM_UNITS - 1 */
    return (size_t)shift * HISTOGRAM_UNITS + (size_t)(duration >> shift);
}

/* The longest duration of a bucket. */
static uint64_t bucket_end(size_t bucket)
{
    if (bucket < 2 * HISTOGRAM_UNITS) {
        return bucket;
    }
    unsigned shift = (unsigned)(bucket / HISTOGRAM_UNITS) - 1;
    uint64_t unit = bucket % HISTOGRAM_UNITS + HISTOGRAM_UNITS;
    return (unit << shift) + (((uint64_t)1 << shift) - 1);
}

void histogram_add(
    struct histogram *histogram, uint64_t duration, uint64_t times)
{
    size_t bucket = bucket_of(duration);
    assert(bucket < HISTOGRAM_BUCKETS);
    histogram->buckets[bucket] += times;
    histogram->count += times;
    if (times > 0 && duration > histogram->most) {
        histogram->most = duration;
    }
}

void histogram_merge(struct histogram *sum, const struct histogram *part)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        sum->buckets[i] += part->buckets[i];
    }
    sum->count += part->count;
    sum->most = part->most > sum->most ? part->most : sum->most;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    assert(share >= 0 && share <= 1);
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= share * (double)histogram->count) {
            uint64_t end = bucket_end(i);
            return end < histogram->most ? end : histogram->most;
        }
    }
    return histogram->most;
}
