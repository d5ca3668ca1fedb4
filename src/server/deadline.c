#include "server/deadline.h"
#include "server/worker.h"

#include "clock.h"

#include <assert.h>
#include <stddef.h>

void deadline_init(
    struct deadlines *deadlines, const struct deadline_limits *limits)
{
    *deadlines = (struct deadlines){.held_max = limits->held_max};
    deadlines->lists[DEADLINE_REST].limit_ms = limits->idle_ms;
    deadlines->lists[DEADLINE_REQUEST].limit_ms = limits->request_ms;
    deadlines->lists[DEADLINE_REPLY].limit_ms = limits->request_ms;
    deadlines->now_ms = clock_coarse_ms();
}

/* ---- The lists ----------------------------------------------------------- */

static void take_out(struct deadlines *deadlines, struct conn *conn)
{
    struct conn **before = conn->sooner != NULL
                               ? &conn->sooner->later
                               : &deadlines->lists[conn->wait].first;
    struct conn **after = conn->later != NULL
                              ? &conn->later->sooner
                              : &deadlines->lists[conn->wait].last;
    *before = conn->later;
    *after = conn->sooner;
}

/* The wait begins now. */
static void put_last(
    struct deadlines *deadlines, struct conn *conn, enum deadline wait)
{
    struct conn *last = deadlines->lists[wait].last;
    assert(last == NULL || last->since_ms <= deadlines->now_ms);
    conn->wait = (uint8_t)wait;
    conn->since_ms = deadlines->now_ms;
    conn->sooner = last;
    conn->later = NULL;
    if (last != NULL) {
        last->later = conn;
    } else {
        deadlines->lists[wait].first = conn;
    }
    deadlines->lists[wait].last = conn;
}

void deadline_enter(struct worker *worker, struct conn *conn)
{
    conn->opened_ms = worker->deadlines.now_ms;
    conn->active_ms = conn->opened_ms;
    put_last(&worker->deadlines, conn, DEADLINE_REST);
}

void deadline_leave(struct worker *worker, struct conn *conn)
{
    assert(worker->deadlines.held >= conn->held);
    worker->deadlines.held -= conn->held;
    take_out(&worker->deadlines, conn);
}

/* True if the peer has taken enough since this was last true, or began to
 * wait just now. */
static bool takes_replies(struct conn *conn, bool begins)
{
    uint32_t owed = conn_owed(conn);
    if (!begins && conn->owed < owed + DEADLINE_TAKEN_MIN) {
        return false;
    }
    conn->owed = owed;
    return true;
}

void deadline_note(struct worker *worker, struct conn *conn)
{
    struct deadlines *deadlines = &worker->deadlines;
    uint32_t held = conn_held(conn);
    enum deadline wait = DEADLINE_REST;
    bool begins;
    deadlines->held += held;
    deadlines->held -= conn->held;
    conn->held = held;
    conn->active_ms = deadlines->now_ms;
    if (conn->output != NULL) {
        wait = DEADLINE_REPLY;
        begins = takes_replies(conn, conn->wait != wait);
    } else if (conn_is_unfinished(conn)) {
        wait = DEADLINE_REQUEST;
        begins = conn->wait != wait || conn->finished;
    } else {
        begins = conn->wait != wait || deadlines->lists[wait].limit_ms > 0;
    }
    conn->finished = false;
    if (begins) {
        take_out(deadlines, conn);
        put_last(deadlines, conn, wait);
    }
}

/* ---- Those that are late ------------------------------------------------- */

static void give_up(
    struct worker *worker, struct conn *conn, uint64_t *figure, const char *why)
{
    worker_tell(worker, conn, why);
    ++*figure;
    conn_give_up(conn);
    deadline_note(worker, conn);
    worker_queue(worker, conn);
}

/* True if it is the peer that has not done its part. */
static bool is_late(struct conn *conn)
{
    if (conn->parked || conn->queued) {
        return false;
    }
    switch (conn->wait) {
    case DEADLINE_REPLY:
        return !takes_replies(conn, false);
    case DEADLINE_REST:
        return !conn_has_input(conn);
    default:
        return true;
    }
}

/* True if what it has sent is to be received first: it may be the end of the
 * request, and if it is not, the wait is as long as it was.  Who never stops
 * sending has a tick for it. */
static bool is_sending(const struct deadlines *deadlines, struct conn *conn)
{
    int64_t due_ms = conn->since_ms + deadlines->lists[conn->wait].limit_ms;
    return conn->wait == DEADLINE_REQUEST && !conn->parked && !conn->queued &&
           deadlines->now_ms < due_ms + DEADLINE_TICK_MS &&
           conn_has_input(conn);
}

static void judge(struct worker *worker, struct conn *conn)
{
    struct stats *stats = &worker->turn_stats;
    enum deadline wait = conn->wait;
    if (is_sending(&worker->deadlines, conn)) {
        return;
    }
    take_out(&worker->deadlines, conn);
    put_last(&worker->deadlines, conn, wait);
    if (!is_late(conn)) {
        return;
    }
    if (wait == DEADLINE_REST) {
        give_up(worker, conn, &stats->connections_idle,
            "silent for KV_IDLE_TIMEOUT seconds");
    } else {
        give_up(worker, conn, &stats->connections_slow,
            wait == DEADLINE_REQUEST
                ? "has not finished a request in KV_REQUEST_TIMEOUT seconds"
                : "has not taken its replies for KV_REQUEST_TIMEOUT seconds");
    }
}

/* In one pass over those that keep us waiting in this way. */
static void shed(struct worker *worker, enum deadline wait)
{
    struct deadlines *deadlines = &worker->deadlines;
    struct conn *later;
    for (struct conn *conn = deadlines->lists[wait].first;
         conn != NULL && deadline_overfull(deadlines); conn = later) {
        later = conn->later;
        if (conn->held > 0 && !conn->parked) {
            give_up(worker, conn, &worker->turn_stats.connections_shed,
                "all hold too much memory, and this one for longest");
        }
    }
}

void deadline_tick(struct worker *worker)
{
    worker->deadlines.now_ms = clock_coarse_ms();
}

void deadline_run(struct worker *worker)
{
    struct deadlines *deadlines = &worker->deadlines;
    for (enum deadline wait = 0; wait < DEADLINE_KINDS; wait++) {
        int64_t limit_ms = deadlines->lists[wait].limit_ms;
        struct conn *conn = deadlines->lists[wait].first;
        for (int i = 0; limit_ms > 0 && i < DEADLINE_BUDGET; i++) {
            if (conn == NULL || conn->since_ms + limit_ms > deadlines->now_ms) {
                break;
            }
            struct conn *later = conn->later;
            judge(worker, conn);
            conn = later;
        }
    }
    shed(worker, DEADLINE_REPLY);
    shed(worker, DEADLINE_REST); /* of open transactions */
    shed(worker, DEADLINE_REQUEST);
}

int deadline_sleep_ms(const struct worker *worker)
{
    const struct deadlines *deadlines = &worker->deadlines;
    int64_t due_ms = INT64_MAX;
    for (enum deadline wait = 0; wait < DEADLINE_KINDS; wait++) {
        const struct conn *conn = deadlines->lists[wait].first;
        int64_t limit_ms = deadlines->lists[wait].limit_ms;
        if (conn != NULL && limit_ms > 0 &&
            conn->since_ms + limit_ms < due_ms) {
            due_ms = conn->since_ms + limit_ms;
        }
    }
    if (due_ms == INT64_MAX) {
        return -1;
    }
    if (due_ms <= deadlines->now_ms) {
        return 0;
    }
    uint64_t left_ms = (uint64_t)(due_ms - deadlines->now_ms);
    left_ms = u64_max(left_ms, DEADLINE_TICK_MS);
    return (int)u64_min(left_ms, DEADLINE_SLEEP_MAX_MS);
}
