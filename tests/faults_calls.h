/* faults_calls.h: the calls of the C library that tests/faults lets fail: all
 * that the store asks of the kernel, and of memory.  The linker's --wrap puts
 * them in the place of the real ones (WRAPPED in tests.mk).
 *
 * A fault strikes the n-th call of its kind after calls_arm, and if it lasts
 * all later ones; every other one, if it is EINTR, so that who tries again gets
 * on.  One process, one fault; threads may call at once.
 *
 * Time passes CALLS_SPEED times as fast for the store: what its threads do
 * every tick or second happens within a short test.  No call to sync reaches
 * the disk: a killed process loses no page, and where the power fails it does
 * so in faults_power.c, which takes note of every sync. */
#ifndef FAULTS_CALLS_H
#define FAULTS_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#define CALLS_MAP(X)                                                           \
    X(openat)                                                                  \
    X(mkdir)                                                                   \
    X(flock)                                                                   \
    X(fcntl)                                                                   \
    X(fstat)                                                                   \
    X(fdopendir)                                                               \
    X(pread)                                                                   \
    X(pwrite)                                                                  \
    X(fallocate)                                                               \
    X(fdatasync)                                                               \
    X(fsync)                                                                   \
    X(renameat)                                                                \
    X(unlinkat)                                                                \
    X(getrandom)                                                               \
    X(mmap)                                                                    \
    X(malloc)                                                                  \
    X(calloc)                                                                  \
    X(realloc)                                                                 \
    X(aligned_alloc)                                                           \
    X(pthread_create)

enum libc_call {
#define X(name) CALL_##name,
    CALLS_MAP(X)
#undef X
        CALL_COUNT
};

enum effect {
    EFFECT_FAIL,       /* nothing is done, error is returned */
    EFFECT_SHORT,      /* half is done, and so it says; pread, pwrite */
    EFFECT_TORN,       /* half is done, and error is returned; later calls do
                           nothing and fail; pwrite */
    EFFECT_KILL_HALF,  /* the process is killed, half is done; pwrite */
    EFFECT_KILL_AFTER, /* all is done */
    EFFECT_POWER_ALL,  /* killed before it, and the power fails: all that was
                           not synced is gone */
    EFFECT_POWER_PART  /* the same, part of it */
};

struct fault {
    enum libc_call call;
    enum effect effect;
    int error; /* errno */
    bool lasting;
};

enum { CALLS_SPEED = 50, CALLS_WAIT_MS = 20000 };

/* The fault strikes the nth call from now on, 1 being the next. */
void calls_arm(const struct fault *fault, uint32_t nth);
/* No fault from now on; the next says how often the last one struck. */
void calls_disarm(void);
uint32_t calls_struck(void);

/* Calls of this kind since the process began. */
uint32_t calls_count(enum libc_call call);
/* Waits until there were more than count; false if that takes too long. */
bool calls_await(enum libc_call call, uint32_t count);
/* Memory mapped and not unmapped, in pieces. */
int64_t calls_mappings(void);

const char *calls_name(enum libc_call call);

#endif
