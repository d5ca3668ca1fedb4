/* machine.h: what this process may use of the machine. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdint.h>

struct machine_memory {
    uint64_t physical;  /* bytes */
    uint64_t limit;     /* the lowest of this cgroup and those above it;
                         * UINT64_MAX: none */
    uint64_t addresses; /* of RLIMIT_AS, what is not used yet; UINT64_MAX: no
                         * limit */
    uint64_t stack;     /* addresses that a thread takes for its stack */
};

/* Reads the limits of cgroup v2 (memory.max) and v1 (memory.limit_in_bytes)
 * under root, which is "" but in tests: there root holds proc/self/cgroup and
 * sys/fs/cgroup.  What cannot be read is no limit. */
void machine_memory(const char *root, struct machine_memory *memory);

/* Bytes of memory that this process has; 0 if the kernel does not say. */
uint64_t machine_resident(void);

/* Processors that this process may run on; at least 1. */
unsigned machine_cores(void);

#endif
