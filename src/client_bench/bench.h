/* bench.h: the frame of `client bench`, which measures a running server.
 *
 *     bench.c        options, phases, threads
 *     runner.c       one thread: connections, requests, replies
 *     report.c       what is printed
 *     histogram.c    durations
 *     zipf.c         numbers of which few are frequent
 *
 * 1. A closed loop: each connection sends a batch of `depth` requests, and the
 *    next one when all of it is answered.  A server that stalls is therefore
 *    asked less, and the worst times look better than they would to users who
 *    do not wait for each other.
 * 2. Nothing is allocated, and the clock is read once, per batch.
 * 3. Every reply is compared with its request. */
#ifndef BENCH_H
#define BENCH_H

#include <pthread.h>
#include <stdatomic.h>

#include "client_bench/histogram.h"
#include "client_bench/zipf.h"
#include "client_program.h"

enum {
    BENCH_DIGITS = 8, /* of a key's number, hexadecimal, after the prefix */
    BENCH_PREFIX_MAX = KV_KEY_SIZE - BENCH_DIGITS,
    BENCH_WHY_MAX = 320
};

struct bench_settings {
    int64_t threads;
    int64_t connections; /* in all */
    int64_t depth;
    int64_t reads; /* percent */
    int64_t keys;
    int64_t size;
    int64_t seconds;
    int64_t warmup;
    double zipf; /* 0: each key is as likely as any other */
    const char *prefix;
    bool fill;
    bool no_fill;
    bool json;
    bool keep;
};

enum bench_phase {
    BENCH_FILL,  /* each key is put once */
    BENCH_MIX,   /* what is measured */
    BENCH_CLEAN, /* each key is deleted */
    BENCH_PHASES
};

struct bench_counts {
    uint64_t put;    /* writes acknowledged */
    uint64_t misses; /* reads of keys that are not there */
    uint64_t errors; /* replies with another status than these */
};

/* Shared by the runners: constant while they run, but for stop. */
struct bench {
    struct program *program;
    struct bench_settings settings;
    char prefix[BENCH_PREFIX_MAX + 1];
    struct zipf zipf;
    enum bench_phase phase;
    int64_t measure_from_ns;
    int64_t measure_to_ns;
    int finished; /* eventfd: a runner is at its end */
    atomic_bool stop;
};

struct bench_connection;

/* One thread.  Nobody else looks at it while it runs. */
struct bench_runner {
    struct bench *bench;
    pthread_t thread;
    unsigned number;
    int epoll;
    struct bench_connection *connections;
    size_t connections_count;
    size_t busy;       /* connections that wait for replies */
    uint64_t random;   /* state of the generator */
    uint64_t next_key; /* of a phase that takes them one after the other */
    uint64_t end_key;
    kv_message_t templates[KV_DELETE + 1]; /* by type */
    kv_message_t *replies;                 /* one batch */

    struct bench_counts counts;
    struct histogram reads; /* nanoseconds */
    struct histogram writes;
    kv_error_t first_error; /* of those counted, with its sentence */
    kv_error_t failure;     /* what ended the run too early */
    char why[BENCH_WHY_MAX];
};

/* NULL with a sentence printed, *status the exit status. */
struct bench_runner *bench_runner_create(
    struct bench *bench, unsigned number, int *status);
void bench_runner_destroy(struct bench_runner *runner);
/* Runs bench->phase; returns when it is over, and writes to bench->finished. */
void bench_runner_run(struct bench_runner *runner);

struct bench_result {
    struct histogram reads;
    struct histogram writes;
    struct histogram all;
    double seconds;
    double fill_seconds; /* 0: none */
    struct bench_counts counts;
};

void bench_report(const struct bench *bench, const struct bench_result *result);

#endif
