#include "client_bench/zipf.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>

static double uniform(struct test_random *random)
{
    return (double)(test_random_next(random) >> 11) / 9007199254740992.0;
}

/* The sum, term by term. */
static double zeta(uint64_t count, double theta)
{
    double sum = 0;
    for (uint64_t k = 1; k <= count; k++) {
        sum += pow((double)k, -theta);
    }
    return sum;
}

static void frequencies_follow_the_law(void)
{
    enum { COUNT = 1000, DRAWS = 2000000 };
    const double theta = 0.99;
    static uint32_t seen[COUNT];
    struct zipf zipf;
    struct test_random random;
    test_random_init(&random);
    zipf_init(&zipf, COUNT, theta);
    for (unsigned i = 0; i < DRAWS; i++) {
        uint64_t number = zipf_next(&zipf, uniform(&random));
        REQUIRE(number < COUNT);
        seen[number]++;
    }
    /* Exact for the first two; the paper's approximation takes up to a third
     * more or less of the others, but keeps the shares of whole ranges. */
    for (unsigned k = 0; k < 2; k++) {
        double wanted = DRAWS * pow(k + 1, -theta) / zipf.zeta;
        CHECK(fabs(seen[k] - wanted) < wanted * 0.02);
    }
    uint32_t head = 0;
    for (unsigned k = 0; k < 100; k++) {
        head += seen[k];
    }
    double wanted = DRAWS * zeta(100, theta) / zipf.zeta;
    CHECK(fabs(head - wanted) < wanted * 0.05);
    CHECK(seen[COUNT - 1] > 0);
}

static void the_sum_of_many_is_close(void)
{
    static const double thetas[] = {0.01, 0.5, 0.99, 0.999};
    for (size_t i = 0; i < sizeof thetas / sizeof thetas[0]; i++) {
        struct zipf zipf;
        zipf_init(&zipf, 1000000, thetas[i]);
        double wanted = zeta(1000000, thetas[i]);
        CHECK(fabs(zipf.zeta - wanted) < wanted * 1e-9);
    }
}

static void few_numbers_stay_inside(void)
{
    for (uint64_t count = 1; count < 5; count++) {
        struct zipf zipf;
        zipf_init(&zipf, count, 0.5);
        CHECK_U64(zipf_next(&zipf, 0), 0);
        CHECK_U64(zipf_next(&zipf, nextafter(1, 0)), count - 1);
    }
}

const struct test_case test_zipf[] = {
    TEST_CASE(frequencies_follow_the_law),
    TEST_CASE(the_sum_of_many_is_close),
    TEST_CASE(few_numbers_stay_inside),
    TEST_END,
};
