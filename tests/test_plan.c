/* How many records fit, and what is told of their cost. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "storage/storage.h"

enum { CAPACITY_MAX = 1000000000 };

static uint64_t total(uint64_t capacity)
{
    struct storage_plan plan;
    storage_plan(capacity, &plan);
    return plan.record_bytes + plan.bucket_bytes + plan.overflow_bytes +
           plan.fixed_bytes;
}

static void as_many_records_as_fit_half_of_the_memory(void)
{
    static const uint64_t sizes[] = {(uint64_t)64 << 20, (uint64_t)1 << 30,
        (uint64_t)24 << 30, (uint64_t)1 << 36};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct machine_memory memory = {sizes[i], UINT64_MAX};
        uint64_t capacity = plan_capacity(&memory, CAPACITY_MAX);
        CHECK(total(capacity) <= sizes[i] / 2);
        CHECK(total(capacity + 1) > sizes[i] / 2);
    }
}

static void the_lower_of_memory_and_limit_counts(void)
{
    struct machine_memory small = {(uint64_t)1 << 30, UINT64_MAX};
    struct machine_memory limited = {(uint64_t)8 << 30, (uint64_t)1 << 30};
    CHECK_U64(plan_capacity(&limited, CAPACITY_MAX),
        plan_capacity(&small, CAPACITY_MAX));
}

static void the_bounds_hold(void)
{
    struct machine_memory none = {4096, UINT64_MAX};
    struct machine_memory much = {(uint64_t)1 << 60, UINT64_MAX};
    CHECK_U64(plan_capacity(&none, CAPACITY_MAX), 1);
    CHECK_U64(plan_capacity(&much, CAPACITY_MAX), CAPACITY_MAX);
    CHECK_U64(plan_capacity(&much, 1), 1);
}

static void the_total_and_the_memory_are_told(void)
{
    struct machine_memory memory = {(uint64_t)8 << 30, UINT64_MAX};
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    REQUIRE(out != NULL);
    plan_print(1000, &memory, out);
    memory.limit = 12345;
    plan_print(1000, &memory, out);
    CHECK(fclose(out) == 0);
    CHECK(strstr(text, "KV_CAPACITY=1000 records take, in bytes:\n") == text);
    CHECK(strstr(text, "8589934592\n") != NULL);
    CHECK(strstr(text, " none\n") != NULL);
    CHECK(strstr(text, " 12345\n") != NULL);
    const char *line = strstr(text, "total, when full");
    REQUIRE(line != NULL);
    CHECK_U64(
        strtoull(line + strlen("total, when full"), NULL, 10), total(1000));
    free(text);
}

const struct test_case test_plan[] = {
    TEST_CASE(as_many_records_as_fit_half_of_the_memory),
    TEST_CASE(the_lower_of_memory_and_limit_counts),
    TEST_CASE(the_bounds_hold),
    TEST_CASE(the_total_and_the_memory_are_told),
    TEST_END,
};
