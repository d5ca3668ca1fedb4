/* Moments as people write them, and as they are printed. */
#include "client_moment.h"

#include <string.h>
#include <time.h>

#include "bytes.h"
#include "support.h"

/* 2026-11-21T12:00:00Z */
#define NOON_MS INT64_C(1795262400000)

enum { HOUR_MS = 3600 * 1000 };

static void set_zone(const char *zone)
{
    CHECK(setenv("TZ", zone, 1) == 0);
    tzset();
}

static void an_lsn(void)
{
    struct storage_moment moment;
    CHECK(moment_parse("0", NOON_MS, &moment));
    CHECK_U64(moment.lsn, 0);
    CHECK(moment_parse("9223372036854775807", NOON_MS, &moment));
    CHECK_U64(moment.lsn, INT64_MAX);
    CHECK_INT(moment.time_ms, INT64_MAX);
}

static void a_time(void)
{
    static const struct {
        const char *text;
        int64_t time_ms;
    } cases[] = {
        {"2026-11-21T12:00:00Z", NOON_MS},
        {"2026-11-21T12:00:00", NOON_MS - HOUR_MS},
        {"2026-07-21T12:00:00", INT64_C(1784628000000)}, /* in summer */
        {"2026-11-21T12:00:00+01:00", NOON_MS - HOUR_MS},
        {"2026-11-21T06:29:59.999-05:30", NOON_MS - 1},
        {"2026-11-21T11:59:59.5Z", NOON_MS - 500},
        {"2026-11-21T11:59:59.25Z", NOON_MS - 750},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
        {"1970-01-01T00:00:00Z", 0},
        {"@1795262400000", NOON_MS},
        {"@0", 0},
        {"-10m", NOON_MS - 600000},
        {"-1500ms", NOON_MS - 1500},
        {"-10", NOON_MS - 10000},
    };
    set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct storage_moment moment = {0, 0};
        if (!moment_parse(cases[i].text, NOON_MS, &moment)) {
            CHECK_TEXT(cases[i].text, "a moment");
        }
        CHECK_INT(moment.time_ms, cases[i].time_ms);
        CHECK_U64(moment.lsn, UINT64_MAX);
    }
}

static void no_moment(void)
{
    static const char *const cases[] = {"", "now", "-", "-0m", "-1x", "@",
        "@-1", "@1795262400001", "2026-11-21T12:00:00.001Z", "2026-11-21",
        "2026-11-21 12:00:00", "2026-11-21T12:00", "2026-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z", "2026-00-01T12:00:00Z", "2026-01-00T12:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T12:60:00Z", "2026-01-01T12:00:60Z",
        "2026-01-01T12:00:00.Z", "2026-01-01T12:00:00.1234Z",
        "2026-01-01T12:00:00z", "2026-01-01T12:00:00ZZ",
        "2026-01-01T12:00:00+1:00", "2026-01-01T12:00:00+01:000",
        "2026-01-01T12:00:00+0100", "1969-12-31T23:59:59Z", "-60y", "-99999d",
        "9223372036854775808", "+1", "01", "1.5", " 1"};
    set_zone("UTC0");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct storage_moment moment;
        if (moment_parse(cases[i], NOON_MS, &moment)) {
            CHECK_TEXT(cases[i], "no moment");
        }
        CHECK(true);
    }
}

/* What is printed can be given back. */
static void there_and_back(void)
{
    static const char *const zones[] = {
        "UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "NST3:30", "XXX-12:45"};
    char text[MOMENT_TEXT_MAX];
    struct test_random random;
    test_random_init(&random);
    for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
        set_zone(zones[i]);
        for (int round = 0; round < 1000; round++) {
            struct storage_moment moment = {0, 0};
            int64_t time_ms = (int64_t)test_random_below(&random, NOON_MS);
            (void)moment_text(time_ms, text);
            CHECK(moment_parse(text, NOON_MS, &moment));
            if (!CHECK_INT(moment.time_ms, time_ms)) {
                CHECK_TEXT(text, zones[i]);
            }
        }
    }
    set_zone("NST3:30");
    CHECK_TEXT(moment_text(NOON_MS + 7, text), "2026-11-21T08:30:00.007-03:30");
}

const struct test_case test_client_moment[] = {
    TEST_CASE(an_lsn),
    TEST_CASE(a_time),
    TEST_CASE(no_moment),
    TEST_CASE(there_and_back),
    TEST_END,
};
