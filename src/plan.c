/* plan.c: see plan.h. */
#include "plan.h"

#include <assert.h>

#include "bytes.h"
#include "storage/storage.h"

enum {
    MIB = 1 << 20,
    PROGRAM_BYTES =
        16 * MIB,          /* code, libraries, what the kernel holds for it */
    THREAD_BYTES = MIB,    /* of a stack in use, and of buffers in passing */
    THREADS_BESIDE = 3,    /* committer, keeper, backup */
    PAGE_TABLE_SHARE = 512 /* 8 bytes for each page of 4096 */
};

enum { ADVICE_MAX = 64 };

static uint64_t total_bytes(const struct storage_plan *plan)
{
    return plan->record_bytes + plan->bucket_bytes + plan->overflow_bytes +
           plan->fixed_bytes;
}

/* Memory, if all of it is taken. */
static uint64_t memory_needed(
    const struct plan_demand *demand, uint64_t capacity)
{
    struct storage_plan plan;
    storage_plan(capacity, &plan);
    uint64_t bytes = total_bytes(&plan) + demand->server_bytes;
    return bytes + bytes / PAGE_TABLE_SHARE + PROGRAM_BYTES +
           (demand->workers + THREADS_BESIDE) * THREAD_BYTES;
}

static uint64_t addresses_needed(const struct plan_demand *demand,
    const struct machine_memory *memory, uint64_t capacity)
{
    struct storage_plan plan;
    storage_plan(capacity, &plan);
    return plan.reserved_bytes + plan.fixed_bytes + demand->server_bytes +
           PROGRAM_BYTES +
           (demand->workers + THREADS_BESIDE) * (memory->stack + THREAD_BYTES);
}

static uint64_t memory_had(const struct machine_memory *memory)
{
    return u64_min(memory->physical, memory->limit);
}

/* ---- How many fit -------------------------------------------------------- */

enum measure { HALF_OF_MEMORY, ALL_OF_MEMORY, ADDRESSES };

static bool fits(const struct plan_demand *demand,
    const struct machine_memory *memory, enum measure measure,
    uint64_t capacity)
{
    struct storage_plan plan;
    switch (measure) {
    case HALF_OF_MEMORY:
        storage_plan(capacity, &plan);
        return total_bytes(&plan) <= memory_had(memory) / 2;
    case ALL_OF_MEMORY:
        return memory_needed(demand, capacity) <= memory_had(memory);
    case ADDRESSES:
        return addresses_needed(demand, memory, capacity) <= memory->addresses;
    }
    return false;
}

/* The most records up to max that fit; 0 if none does. */
static uint64_t most(const struct plan_demand *demand,
    const struct machine_memory *memory, enum measure measure, uint64_t max)
{
    uint64_t least = 0;
    uint64_t too_many = max + 1;
    while (too_many - least > 1) {
        uint64_t middle = least + (too_many - least) / 2;
        if (fits(demand, memory, measure, middle)) {
            least = middle;
        } else {
            too_many = middle;
        }
    }
    return least;
}

uint64_t plan_capacity(const struct plan_demand *demand,
    const struct machine_memory *memory, uint64_t capacity_max)
{
    assert(capacity_max >= 1);
    uint64_t capacity = most(demand, memory, HALF_OF_MEMORY, capacity_max);
    return u64_max(most(demand, memory, ADDRESSES, capacity), 1);
}

/* What helps, besides more memory or addresses. */
static const char *advise(const struct plan_demand *demand,
    const struct machine_memory *memory, enum measure measure,
    char text[ADVICE_MAX])
{
    uint64_t capacity = most(demand, memory, measure, demand->capacity);
    if (capacity == 0) {
        return "set KV_WORKERS or KV_MAX_CONNECTIONS to less: they leave no "
               "room for records";
    }
    (void)snprintf(text, ADVICE_MAX, "set KV_CAPACITY to at most %llu",
        (unsigned long long)capacity);
    return text;
}

bool plan_fits(const struct plan_demand *demand,
    const struct machine_memory *memory, bool all, char why[PLAN_WHY_MAX])
{
    char text[ADVICE_MAX];
    uint64_t capacity = demand->capacity;
    assert(capacity >= 1);
    if (!fits(demand, memory, ADDRESSES, capacity)) {
        (void)snprintf(why, PLAN_WHY_MAX,
            "KV_CAPACITY=%llu records and %llu workers need %llu bytes of "
            "address space, and this process may have %llu more; raise that "
            "limit (ulimit -v, LimitAS= of systemd), or %s",
            (unsigned long long)capacity, (unsigned long long)demand->workers,
            (unsigned long long)addresses_needed(demand, memory, capacity),
            (unsigned long long)memory->addresses,
            advise(demand, memory, ADDRESSES, text));
        return false;
    }
    if (all && !fits(demand, memory, ALL_OF_MEMORY, capacity)) {
        bool group = memory->limit < memory->physical;
        (void)snprintf(why, PLAN_WHY_MAX,
            "KV_PREALLOCATE=1: KV_CAPACITY=%llu records and %llu workers need "
            "%llu bytes of memory, and %s %llu; %s%s",
            (unsigned long long)capacity, (unsigned long long)demand->workers,
            (unsigned long long)memory_needed(demand, capacity),
            group ? "the cgroup allows" : "the machine has",
            (unsigned long long)memory_had(memory),
            group ? "raise that limit (memory.max, memory.limit_in_bytes, "
                    "MemoryMax= of systemd), or "
                  : "",
            advise(demand, memory, ALL_OF_MEMORY, text));
        return false;
    }
    return true;
}

/* ---- For people ---------------------------------------------------------- */

static void print_bytes(FILE *out, const char *what, uint64_t bytes)
{
    (void)fprintf(out, "%-34s %16llu\n", what, (unsigned long long)bytes);
}

static void print_limit(FILE *out, const char *what, uint64_t bytes)
{
    if (bytes == UINT64_MAX) {
        (void)fprintf(out, "%-34s %16s\n", what, "none");
    } else {
        print_bytes(out, what, bytes);
    }
}

void plan_print(const struct plan_demand *demand,
    const struct machine_memory *memory, FILE *out)
{
    struct storage_plan plan;
    uint64_t capacity = demand->capacity;
    assert(capacity >= 1);
    storage_plan(capacity, &plan);
    (void)fprintf(out, "KV_CAPACITY=%llu records take, in bytes:\n",
        (unsigned long long)capacity);
    print_bytes(out, "  slots", plan.record_bytes);
    print_bytes(out, "  bucket array", plan.bucket_bytes);
    print_bytes(out, "  overflow buckets, at most", plan.overflow_bytes);
    print_bytes(out, "  fixed buffers", plan.fixed_bytes);
    print_bytes(out, "  total, when full", total_bytes(&plan));
    (void)fprintf(out, "%-34s %18.1f\n", "  for each record",
        (double)total_bytes(&plan) / (double)capacity);
    print_bytes(out, "workers, connections at rest", demand->server_bytes);
    print_bytes(out, "all, as KV_PREALLOCATE=1 takes it",
        memory_needed(demand, capacity));
    print_bytes(out, "memory of the machine", memory->physical);
    print_limit(out, "limit of the cgroup", memory->limit);
    print_bytes(out, "address space for the records", plan.reserved_bytes);
    print_bytes(out, "address space for all",
        addresses_needed(demand, memory, capacity));
    print_limit(out, "address space that may be had", memory->addresses);
}
