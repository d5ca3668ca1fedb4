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

static const struct plan_demand demand = {1000, 1 << 20, 2};

static struct machine_memory machine(uint64_t physical, uint64_t limit)
{
    return (struct machine_memory){physical, limit, UINT64_MAX, 8 << 20};
}

static void as_many_records_as_fit_half_of_the_memory(void)
{
    static const uint64_t sizes[] = {(uint64_t)64 << 20, (uint64_t)1 << 30,
        (uint64_t)24 << 30, (uint64_t)1 << 36};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct machine_memory memory = machine(sizes[i], UINT64_MAX);
        uint64_t capacity = plan_capacity(&demand, &memory, CAPACITY_MAX);
        CHECK(total(capacity) <= sizes[i] / 2);
        CHECK(total(capacity + 1) > sizes[i] / 2);
    }
}

static void the_lower_of_memory_and_limit_counts(void)
{
    struct machine_memory small = machine((uint64_t)1 << 30, UINT64_MAX);
    struct machine_memory limited =
        machine((uint64_t)8 << 30, (uint64_t)1 << 30);
    CHECK_U64(plan_capacity(&demand, &limited, CAPACITY_MAX),
        plan_capacity(&demand, &small, CAPACITY_MAX));
}

static void the_bounds_hold(void)
{
    struct machine_memory none = machine(4096, UINT64_MAX);
    struct machine_memory much = machine((uint64_t)1 << 60, UINT64_MAX);
    CHECK_U64(plan_capacity(&demand, &none, CAPACITY_MAX), 1);
    CHECK_U64(plan_capacity(&demand, &much, CAPACITY_MAX), CAPACITY_MAX);
    CHECK_U64(plan_capacity(&demand, &much, 1), 1);
}

static void the_total_and_the_memory_are_told(void)
{
    struct machine_memory memory = machine((uint64_t)8 << 30, UINT64_MAX);
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    REQUIRE(out != NULL);
    plan_print(&demand, &memory, out);
    memory.limit = 12345;
    plan_print(&demand, &memory, out);
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

/* The number behind these words. */
static uint64_t number_behind(const char *text, const char *words)
{
    const char *at = strstr(text, words);
    REQUIRE(at != NULL);
    return strtoull(at + strlen(words), NULL, 10);
}

static uint64_t planned(const struct plan_demand *what,
    const struct machine_memory *memory, const char *words)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    REQUIRE(out != NULL);
    plan_print(what, memory, out);
    CHECK(fclose(out) == 0);
    uint64_t number = number_behind(text, words);
    free(text);
    return number;
}

/* What is told to be needed is the least that suffices, and the capacity that
 * is told to fit does, and one more does not. */
static void what_cannot_suffice_is_refused(void)
{
    static const char all_words[] = "all, as KV_PREALLOCATE=1 takes it";
    struct plan_demand what = {1000000, 1 << 20, 2};
    struct machine_memory memory = machine((uint64_t)8 << 30, UINT64_MAX);
    char why[PLAN_WHY_MAX] = "";
    CHECK(plan_fits(&what, &memory, true, why));
    memory.limit = planned(&what, &memory, all_words);
    CHECK(memory.limit > total(what.capacity) + what.server_bytes);
    CHECK(plan_fits(&what, &memory, true, why));
    memory.limit--;
    CHECK(plan_fits(&what, &memory, false, why));
    CHECK(!plan_fits(&what, &memory, true, why));
    CHECK_U64(number_behind(why, "need "), memory.limit + 1);
    CHECK_U64(number_behind(why, "allows "), memory.limit);
    what.capacity = number_behind(why, "at most ");
    CHECK(plan_fits(&what, &memory, true, why));
    what.capacity++;
    CHECK(!plan_fits(&what, &memory, true, why));
    memory.limit = 1 << 20;
    CHECK(!plan_fits(&what, &memory, true, why));
    CHECK(strstr(why, "at most ") == NULL);
    CHECK(strstr(why, "set KV_WORKERS or KV_MAX_CONNECTIONS to less") != NULL);
    memory.physical = 1 << 19;
    CHECK(!plan_fits(&what, &memory, true, why));
    CHECK_U64(number_behind(why, "the machine has "), 1 << 19);
}

static void addresses_that_cannot_suffice_are_refused(void)
{
    struct plan_demand what = {1000000, 1 << 20, 2};
    struct machine_memory memory = machine((uint64_t)8 << 30, UINT64_MAX);
    char why[PLAN_WHY_MAX] = "";
    memory.addresses = planned(&what, &memory, "address space for all");
    CHECK(plan_fits(&what, &memory, false, why));
    CHECK_U64(plan_capacity(&what, &memory, CAPACITY_MAX), what.capacity);
    memory.addresses--;
    CHECK(!plan_fits(&what, &memory, false, why));
    CHECK_U64(number_behind(why, "may have "), memory.addresses);
    what.capacity = number_behind(why, "at most ");
    CHECK(plan_fits(&what, &memory, false, why));
    what.capacity++;
    CHECK(!plan_fits(&what, &memory, false, why));
}

const struct test_case test_plan[] = {
    TEST_CASE(as_many_records_as_fit_half_of_the_memory),
    TEST_CASE(the_lower_of_memory_and_limit_counts),
    TEST_CASE(the_bounds_hold),
    TEST_CASE(the_total_and_the_memory_are_told),
    TEST_CASE(what_cannot_suffice_is_refused),
    TEST_CASE(addresses_that_cannot_suffice_are_refused),
    TEST_END,
};
