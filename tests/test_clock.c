#include "clock.h"

#include <time.h>

#include "support.h"

static void steady_never_runs_back(void)
{
    int64_t last_ns = clock_steady_ns();
    int64_t last_ms = clock_steady_ms();
    bool ran_back = false;
    for (int i = 0; i < 100000; i++) {
        int64_t now_ns = clock_steady_ns();
        int64_t now_ms = clock_steady_ms();
        ran_back = ran_back || now_ns < last_ns || now_ms < last_ms;
        last_ns = now_ns;
        last_ms = now_ms;
    }
    CHECK(!ran_back);
}

static void steady_units_agree(void)
{
    int64_t before = clock_steady_ns() / 1000000;
    int64_t between = clock_steady_ms();
    int64_t after = clock_steady_ns() / 1000000;
    CHECK(before <= between);
    CHECK(between <= after);
}

static void wall_is_the_time_of_day_in_milliseconds(void)
{
    struct timespec before;
    struct timespec after;
    REQUIRE(clock_gettime(CLOCK_REALTIME, &before) == 0);
    int64_t between = clock_wall_ms();
    REQUIRE(clock_gettime(CLOCK_REALTIME, &after) == 0);
    CHECK(before.tv_sec <= between / 1000);
    CHECK(between / 1000 <= after.tv_sec);
}

const struct test_case test_clock[] = {
    TEST_CASE(steady_never_runs_back),
    TEST_CASE(steady_units_agree),
    TEST_CASE(wall_is_the_time_of_day_in_milliseconds),
    TEST_END,
};
