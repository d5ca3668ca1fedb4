#include "random.h"

#include "support.h"

#include <string.h>

enum { DRAWS = 30000 };

/* Each of a few numbers comes about as often as the others: 6 sigma. */
static void draws_are_fair(void)
{
    enum { LIMIT = 3, EXPECTED = DRAWS / LIMIT, FAR_OFF = 490 };
    unsigned counts[LIMIT] = {0};
    for (unsigned i = 0; i < DRAWS; i++) {
        uint64_t number = random_below(LIMIT);
        REQUIRE(number < LIMIT);
        counts[number]++;
    }
    for (unsigned i = 0; i < LIMIT; i++) {
        CHECK(counts[i] > EXPECTED - FAR_OFF);
        CHECK(counts[i] < EXPECTED + FAR_OFF);
    }
}

/* Without rejection the lower half would come twice as often as the upper. */
static void large_limits_are_fair(void)
{
    const uint64_t limit = UINT64_C(3) << 62;
    unsigned low = 0;
    for (unsigned i = 0; i < DRAWS; i++) {
        uint64_t number = random_below(limit);
        REQUIRE(number < limit);
        low += number < UINT64_C(1) << 62 ? 1 : 0;
    }
    CHECK(low > DRAWS / 3 - 490);
    CHECK(low < DRAWS / 3 + 490);
    CHECK_U64(random_below(1), 0);
}

static void all_bytes_are_filled(void)
{
    uint8_t bytes[21] = {0};
    uint8_t seen[21] = {0};
    for (unsigned i = 0; i < 64; i++) {
        random_fill(bytes, 20);
        for (unsigned n = 0; n < sizeof bytes; n++) {
            seen[n] |= bytes[n];
        }
    }
    for (unsigned n = 0; n < 20; n++) {
        CHECK_INT(seen[n], 0xff);
    }
    CHECK_INT(bytes[20], 0);
}

const struct test_case test_random[] = {
    TEST_CASE(draws_are_fair),
    TEST_CASE(large_limits_are_fair),
    TEST_CASE(all_bytes_are_filled),
    TEST_END,
};
