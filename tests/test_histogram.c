#include "client_bench/histogram.h"
#include "support.h"

#include <stdlib.h>

static struct histogram *make(void)
{
    struct histogram *histogram = calloc(1, sizeof *histogram);
    REQUIRE(histogram != NULL);
    return histogram;
}

static void nothing_has_no_quantiles(void)
{
    struct histogram *histogram = make();
    CHECK_U64(histogram_quantile(histogram, 0.5), 0);
    histogram_add(histogram, 99, 0);
    CHECK_U64(histogram_quantile(histogram, 1), 0);
    CHECK_U64(histogram->most, 0);
    free(histogram);
}

static void small_numbers_are_exact(void)
{
    struct histogram *histogram = make();
    for (uint64_t i = 0; i < 128; i++) {
        histogram_add(histogram, i, 1);
    }
    CHECK_U64(histogram_quantile(histogram, 0), 0);
    CHECK_U64(histogram_quantile(histogram, 0.5), 63);
    CHECK_U64(histogram_quantile(histogram, 1), 127);
    free(histogram);
}

/* Each duration by itself, over the whole range: told a little too high, never
 * too low. */
static void large_numbers_are_close(void)
{
    struct test_random random;
    test_random_init(&random);
    for (unsigned i = 0; i < 2000; i++) {
        struct histogram *histogram = make();
        uint64_t duration =
            test_random_next(&random) >> test_random_below(&random, 64);
        duration = i == 0 ? UINT64_MAX : duration;
        histogram_add(histogram, duration, 1);
        histogram_add(histogram, UINT64_MAX, 1);
        uint64_t told = histogram_quantile(histogram, 0.5);
        CHECK(told >= duration);
        CHECK(told - duration <= duration / HISTOGRAM_UNITS);
        free(histogram);
    }
}

static void sums_are_as_one(void)
{
    struct histogram *sum = make();
    struct histogram *part = make();
    histogram_add(sum, 10, 90);
    histogram_add(part, 1000000, 9);
    histogram_add(part, 5, 1);
    histogram_merge(sum, part);
    CHECK_U64(sum->count, 100);
    CHECK_U64(sum->most, 1000000);
    CHECK_U64(histogram_quantile(sum, 0.01), 5);
    CHECK_U64(histogram_quantile(sum, 0.91), 10);
    CHECK_U64(histogram_quantile(sum, 0.92), 1000000);
    free(part);
    free(sum);
}

const struct test_case test_histogram[] = {
    TEST_CASE(nothing_has_no_quantiles),
    TEST_CASE(small_numbers_are_exact),
    TEST_CASE(large_numbers_are_close),
    TEST_CASE(sums_are_as_one),
    TEST_END,
};
