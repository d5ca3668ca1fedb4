/* deadline.h: for how long a worker waits for its peers, and how much it keeps
 * for them meanwhile.
 *
 * 1. Each connection of a worker stands in one list, by what is waited for, in
 *    the order of since when: so the first is the first that is due, and
 *    nothing is asked of the others.
 * 2. REST: nothing is kept but an open transaction, or what is watched, and
 *    the time counts from the last that happened.
 *    REQUEST: from the first byte of the unfinished message or chain.
 *    REPLY: from when replies began to wait, and anew whenever the peer has
 *    taken DEADLINE_TAKEN_MIN bytes more: a slow reader goes on, one that
 *    takes a byte now and then does not.
 * 3. A connection whose turn it is to be served, or that the committer or a
 *    backup has, is waiting for us: it is never closed for being late.
 * 4. A worker that nobody keeps waiting does not wake up for it. */
#ifndef DEADLINE_H
#define DEADLINE_H

#include "conn/conn.h"

struct worker;

enum {
    DEADLINE_TAKEN_MIN = 4096, /* bytes in the time of a REPLY */
    DEADLINE_TICK_MS = 100,    /* lateness, so that many are closed at a time */
    DEADLINE_SLEEP_MAX_MS = 3600 * 1000,
    DEADLINE_BUDGET = 64 /* looked at for being due, of each list a turn */
};

enum deadline {
    DEADLINE_REST,
    DEADLINE_REQUEST,
    DEADLINE_REPLY,
    DEADLINE_KINDS
};

struct deadlines {
    struct {
        struct conn *first;
        struct conn *last;
        int64_t limit_ms; /* 0: for ever */
    } lists[DEADLINE_KINDS];
    int64_t now_ms;
    uint64_t held; /* bytes, of all connections */
    uint64_t held_max;
};

struct deadline_limits {
    int64_t idle_ms;    /* 0: for ever */
    int64_t request_ms; /* and for replies; 0: for ever */
    uint64_t held_max;
};

void deadline_init(
    struct deadlines *deadlines, const struct deadline_limits *limits);
void deadline_enter(struct worker *worker, struct conn *conn);
void deadline_leave(struct worker *worker, struct conn *conn);
/* Something was received from the connection, sent to it or kept for it. */
void deadline_note(struct worker *worker, struct conn *conn);

/* Reads the clock; once a turn, before anything is noted. */
void deadline_tick(struct worker *worker);
/* Gives up those that are due, and, while more is held than may be, those that
 * have been late for longest; they are closed in the next turn.  No connection
 * may stand in the bundle that is being filled. */
void deadline_run(struct worker *worker);
/* Milliseconds until somebody is due; -1: never. */
int deadline_sleep_ms(const struct worker *worker);

/* True while more is held than may be. */
static inline bool deadline_overfull(const struct deadlines *deadlines)
{
    return deadlines->held > deadlines->held_max;
}

#endif
