#include "stats.h"

#include <string.h>

#include "support.h"

/* Figure i of the struct, by the order that the map promises. */
static void set_figure(struct stats *stats, size_t index, uint64_t value)
{
    memcpy((char *)stats + index * sizeof value, &value, sizeof value);
}

static void value_follows_the_order_of_the_struct(void)
{
    struct stats stats = {0};
    for (size_t i = 0; i < STATS_COUNT; i++) {
        set_figure(&stats, i, 1000 + i);
    }
    for (size_t i = 0; i < STATS_COUNT; i++) {
        CHECK_U64(stats_value(&stats, i), 1000 + i);
    }
    CHECK_U64(stats.uptime_s, 1000);
    CHECK_U64(stats.recovery_frames, 1000 + STATS_COUNT - 1);
}

static void names_are_those_of_the_fields(void)
{
    size_t index = 0;
#define X(field, text)                                                         \
    CHECK_TEXT(stats_name(index), #field);                                     \
    CHECK_TEXT(stats_text(index), text);                                       \
    index++;
    STATS_MAP(X)
#undef X
    CHECK_U64(index, STATS_COUNT);
}

static void names_fit_a_key_and_differ(void)
{
    for (size_t i = 0; i < STATS_COUNT; i++) {
        CHECK(strlen(stats_name(i)) <= 32);
        for (size_t j = 0; j < i; j++) {
            CHECK(strcmp(stats_name(i), stats_name(j)) != 0);
        }
    }
}

static void add_adds_each_figure(void)
{
    struct stats sum = {0};
    struct stats part = {0};
    for (size_t i = 0; i < STATS_COUNT; i++) {
        set_figure(&sum, i, i);
        set_figure(&part, i, 10 * i + 1);
    }
    stats_add(&sum, &part);
    for (size_t i = 0; i < STATS_COUNT; i++) {
        CHECK_U64(stats_value(&sum, i), 11 * i + 1);
        CHECK_U64(stats_value(&part, i), 10 * i + 1);
    }
}

const struct test_case test_stats[] = {
    TEST_CASE(value_follows_the_order_of_the_struct),
    TEST_CASE(names_are_those_of_the_fields),
    TEST_CASE(names_fit_a_key_and_differ),
    TEST_CASE(add_adds_each_figure),
    TEST_END,
};
