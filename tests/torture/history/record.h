/* record.h: connections that send random requests to a server, many at a time
 * to few keys, and take down what they asked, when, and what was answered.
 *
 * It does not judge the answers, unless one belongs to no request at all: that
 * is linear.h's.
 *
 * 1. An operation's call is stamped before its first byte is sent, its return
 *    after its last byte was received.
 * 2. What was not answered when the server died is open until the moment in
 *    which its end was known: it took effect by then or never.  The same holds
 *    of a write that was answered BUSY, READ_ONLY or INTERNAL. */
#ifndef TORTURE_RECORD_H
#define TORTURE_RECORD_H

#include <pthread.h>

#include "support.h"
#include "torture/linear.h"

enum { RECORD_CONNECTIONS_MAX = 64, RECORD_DEPTH_MAX = 16 };

struct record_shape {
    uint32_t connections; /* 1..RECORD_CONNECTIONS_MAX */
    uint32_t keys;        /* 1..LINEAR_HISTORY_KEYS */
    uint32_t group;       /* keys that chains join: 1..LINEAR_KEYS_MAX */
    uint32_t depth;       /* operations sent ahead: 1..RECORD_DEPTH_MAX */
};

struct record_connection;

struct recorder {
    struct record_shape shape;
    uint32_t number; /* of the history: its keys are its own */
    uint16_t port;
    struct record_connection *connections;
    uint32_t sessions; /* begun */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t moved;
    uint64_t answered; /* operations */
    uint64_t awaited;  /* somebody waits for so many */
    uint32_t running;
    bool over;
    bool complained;
};

/* False if there is no memory. */
bool record_init(struct recorder *recorder, const struct record_shape *shape,
    uint32_t number, uint64_t seed);
/* Every connection begins, or goes on in a new session. */
void record_start(struct recorder *recorder, uint16_t port);
/* Waits until that many operations have been answered in all, or until no
 * connection is left. */
void record_await(struct recorder *recorder, uint64_t answered);
/* Has the connections end when all they sent is answered, and waits for them.
 * False, with a complaint printed, if one was lost, or got a reply that belongs
 * to no request. */
bool record_stop(struct recorder *recorder);
/* After the server was killed: waits for the connections.  death_ns: when its
 * end was known.  False as above, but being lost is no fault. */
bool record_died(struct recorder *recorder, int64_t death_ns);
/* All operations of all sessions, for linear_check; NULL: no memory.  The
 * caller frees them. */
struct linear_op *record_collect(
    const struct recorder *recorder, uint32_t *count);
void record_free(struct recorder *recorder);

#endif
