/* plan.c: see plan.h. */
#include "plan.h"

#include <assert.h>

#include "bytes.h"
#include "storage/storage.h"

static uint64_t total_bytes(const struct storage_plan *plan)
{
    return plan->record_bytes + plan->bucket_bytes + plan->overflow_bytes +
           plan->fixed_bytes;
}

uint64_t plan_capacity(
    const struct machine_memory *memory, uint64_t capacity_max)
{
    uint64_t bytes = u64_min(memory->physical, memory->limit) / 2;
    uint64_t fits = 1;
    uint64_t too_many = capacity_max + 1;
    assert(capacity_max >= 1);
    while (too_many - fits > 1) {
        struct storage_plan plan;
        uint64_t middle = fits + (too_many - fits) / 2;
        storage_plan(middle, &plan);
        if (total_bytes(&plan) <= bytes) {
            fits = middle;
        } else {
            too_many = middle;
        }
    }
    return fits;
}

static void print_bytes(FILE *out, const char *what, uint64_t bytes)
{
    (void)fprintf(out, "%-34s %16llu\n", what, (unsigned long long)bytes);
}

void plan_print(
    uint64_t capacity, const struct machine_memory *memory, FILE *out)
{
    struct storage_plan plan;
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
    print_bytes(out, "address space taken at start", plan.reserved_bytes);
    print_bytes(out, "memory of the machine", memory->physical);
    if (memory->limit == UINT64_MAX) {
        (void)fprintf(out, "%-34s %16s\n", "limit of the cgroup", "none");
    } else {
        print_bytes(out, "limit of the cgroup", memory->limit);
    }
}
