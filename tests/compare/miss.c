/* miss.c: what a cache miss costs here: nanoseconds from one load to the next
 * that depends on it, in memory of so many MiB that is walked at random.
 *
 *     miss MIB
 *
 * The area asks for huge pages, as the server's table does. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "arguments.h"

enum { LINE = 64, STEPS = 5000000, HUGE_PAGE = 2 << 20, MIB_MAX = 16384 };

struct line {
    uint64_t next;
    uint8_t rest[LINE - sizeof(uint64_t)];
};

/* One cycle through all lines, in an order that no prefetcher foresees: after
 * S. Sattolo, "An algorithm to generate a random cyclic permutation", 1986. */
static void link_lines(struct line *lines, uint64_t count)
{
    uint64_t random = 88172645463325252u;
    for (uint64_t i = 0; i < count; i++) {
        lines[i].next = i;
    }
    for (uint64_t i = count - 1; i > 0; i--) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint64_t other = random % i;
        uint64_t next = lines[i].next;
        lines[i].next = lines[other].next;
        lines[other].next = next;
    }
}

/* Processor time, so that others do not count. */
static int64_t used_ns(void)
{
    struct timespec used = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * INT64_C(1000000000) + used.tv_nsec;
}

int main(int argc, char **argv)
{
    char *end = NULL;
    uint64_t mib = argc == 2 ? strtoull(argv[1], &end, 10) : 0;
    if (mib == 0 || mib > MIB_MAX || *end != '\0') {
        (void)fprintf(stderr, "usage: miss MIB, 1 to %d\n", MIB_MAX);
        return EXIT_USAGE;
    }
    uint64_t size = mib << 20;
    struct line *lines =
        aligned_alloc(HUGE_PAGE, size < HUGE_PAGE ? HUGE_PAGE : size);
    if (lines == NULL) {
        perror("miss");
        return EXIT_FAILURE;
    }
    /* Without huge pages it tells more than a miss of the cache. */
    (void)madvise(lines, size, MADV_HUGEPAGE);
    link_lines(lines, size / LINE);
    uint64_t at = 0;
    int64_t begin_ns = used_ns();
    for (int i = 0; i < STEPS; i++) {
        at = lines[at].next;
    }
    double taken_ns = (double)(used_ns() - begin_ns);
    /* The end of the walk is printed, so that nobody leaves it out. */
    (void)printf("%.1f ns, at %" PRIu64 "\n", taken_ns / STEPS, at);
    free(lines);
    return EXIT_SUCCESS;
}
