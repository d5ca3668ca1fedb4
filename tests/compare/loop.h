/* loop.h: the generator's connections and its one loop.
 *
 * 1. A connection sends a batch of `depth` requests at once, and the next one
 *    when all of it is answered: a closed loop, as those of redis-benchmark
 *    and `client bench` are.
 * 2. With a rate, batches are due at fixed times, and a duration counts from
 *    then: a server that stalls is asked no less, and whoever waits behind the
 *    stall is counted.
 * 3. A duration ends when the bytes of the reply were received; the clock is
 *    read once for all that one call brought.
 * 4. Every reply is compared with its request, unless the run is blind: then
 *    it counts bytes, since the server is tests/echo.c.  A reply that does not
 *    fit ends the run. */
#ifndef LOOP_H
#define LOOP_H

#include "client_bench/histogram.h"
#include "client_bench/zipf.h"
#include "compare/exchange.h"
#include "compare/usage.h"

enum {
    LOOP_CONNECTIONS_MAX = 10000,
    LOOP_DEPTH_MAX = 1024,
    LOOP_WHY_MAX = 320
};

enum loop_order {
    LOOP_UNIFORM,
    LOOP_ZIPF,  /* theta 0.99, the frequent ones all over the keys */
    LOOP_ONCE,  /* one after the other, and each but once */
    LOOP_ROUND, /* each once in so many requests as there are keys, mixed */
};

struct loop_settings {
    uint64_t port;
    uint64_t connections; /* of those that do the work */
    uint64_t readers;     /* connections more, that get with depth 1 */
    uint64_t depth;
    uint64_t reads; /* percent; of the connections */
    uint64_t rate;  /* requests a second, of the readers if there are any, else
                     * of all; 0: as fast as replies come */
    uint64_t first; /* the first key of LOOP_ONCE */
    uint64_t keys;
    uint64_t warmup_ms;  /* and until each connection has a reply; 0: none */
    uint64_t measure_ms; /* and until there is a reply; LOOP_ONCE ends by
                          * itself */
    uint64_t pid;        /* of the server; 0: not known */
    enum loop_order order;
    bool blind;
};

struct loop_result {
    struct histogram reads; /* nanoseconds */
    struct histogram writes;
    uint64_t misses;
    struct usage begin;
    struct usage end;
    char why[LOOP_WHY_MAX]; /* what ended the run too early; empty: nothing */
};

/* Runs until time is over, or SIGTERM or SIGINT ends it earlier; they are
 * blocked when it returns.  False: result->why tells. */
bool loop_run(const struct loop_settings *settings,
    const struct exchange exchanges[EXCHANGE_KINDS],
    struct loop_result *result);

#endif
