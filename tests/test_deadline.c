/* Who is late, at times that the test says. */
#include "server/worker.h"
#include "support.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IDLE_MS = 1000, REQUEST_MS = 300, HELD_MAX = 100000, CONNS = 4 };

/* A worker that does not run, and connections of it. */
struct fixture {
    struct worker worker;
    struct conn *conns[CONNS];
    int peers[CONNS];
    uint8_t bytes[CONN_ROOM];
};

static void set_up(struct fixture *fixture)
{
    const struct deadline_limits limits = {
        .idle_ms = IDLE_MS, .request_ms = REQUEST_MS, .held_max = HELD_MAX};
    memset(fixture, 0, sizeof *fixture);
    fixture->worker.ready_end = &fixture->worker.ready;
    deadline_init(&fixture->worker.deadlines, &limits);
    fixture->worker.deadlines.now_ms = 1000000;
    for (int i = 0; i < CONNS; i++) {
        const union conn_address address = {.v4 = {.sin_family = AF_INET}};
        int pair[2];
        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
        fixture->conns[i] = conn_create(pair[0], &address);
        fixture->peers[i] = pair[1];
        REQUIRE(fixture->conns[i] != NULL);
        deadline_enter(&fixture->worker, fixture->conns[i]);
    }
}

static void tear_down(struct fixture *fixture)
{
    for (int i = 0; i < CONNS; i++) {
        deadline_leave(&fixture->worker, fixture->conns[i]);
        fixture->conns[i]->queued = false;
        fixture->conns[i]->parked = false;
        conn_destroy(fixture->conns[i]);
        close(fixture->peers[i]);
    }
    CHECK_U64(fixture->worker.deadlines.held, 0);
    for (int i = 0; i < DEADLINE_KINDS; i++) {
        CHECK(fixture->worker.deadlines.lists[i].first == NULL);
        CHECK(fixture->worker.deadlines.lists[i].last == NULL);
    }
}

/* Time passes, and the worker looks who is late; returns how many it gave up
 * since the beginning. */
static uint64_t pass(struct fixture *fixture, int64_t ms)
{
    const struct stats *stats = &fixture->worker.turn_stats;
    fixture->worker.deadlines.now_ms += ms;
    deadline_run(&fixture->worker);
    return stats->connections_idle + stats->connections_slow +
           stats->connections_shed;
}

/* It has something of an unfinished request now. */
static void begin_request(struct fixture *fixture, struct conn *conn)
{
    conn_keep(conn, fixture->bytes, conn->input_size + 1);
    deadline_note(&fixture->worker, conn);
}

/* All others than those of the test rest, and something happens on them. */
static void stir_from(struct fixture *fixture, int first)
{
    for (int i = first; i < CONNS; i++) {
        deadline_note(&fixture->worker, fixture->conns[i]);
    }
}

static size_t take(int peer, size_t size)
{
    uint8_t bytes[CONN_ROOM];
    ssize_t got = recv(peer, bytes, u64_min(size, sizeof bytes), 0);
    REQUIRE(got > 0);
    return (size_t)got;
}

/* Replies of which the socket does not take all. */
static void send_too_much(struct fixture *fixture, struct conn *conn)
{
    int limit = 1; /* the kernel makes a few thousand of it */
    CHECK_INT(
        setsockopt(conn->fd, SOL_SOCKET, SO_SNDBUF, &limit, sizeof limit), 0);
    conn_send(conn, fixture->bytes, sizeof fixture->bytes);
    REQUIRE(conn->output != NULL);
    deadline_note(&fixture->worker, conn);
}

/* ---- Who rests ----------------------------------------------------------- */

static void who_is_silent_is_closed_in_time(void)
{
    struct fixture fixture;
    set_up(&fixture);
    CHECK_INT(deadline_sleep_ms(&fixture.worker), IDLE_MS);
    CHECK_U64(pass(&fixture, IDLE_MS - 1), 0);
    CHECK_INT(deadline_sleep_ms(&fixture.worker), DEADLINE_TICK_MS);
    stir_from(&fixture, 1);
    CHECK_U64(pass(&fixture, 1), 1);
    CHECK_U64(fixture.worker.turn_stats.connections_idle, 1);
    CHECK(fixture.conns[0]->broken && fixture.conns[0]->queued);
    CHECK(!fixture.conns[1]->broken);
    CHECK_U64(pass(&fixture, IDLE_MS), CONNS);
    CHECK_U64(pass(&fixture, 100 * IDLE_MS), CONNS);
    tear_down(&fixture);
}

static void who_has_sent_what_was_not_received_is_not_silent(void)
{
    struct fixture fixture;
    set_up(&fixture);
    CHECK_INT(send(fixture.peers[0], "x", 1, 0), 1);
    fixture.conns[1]->parked = true;
    fixture.conns[2]->queued = true;
    CHECK_U64(pass(&fixture, IDLE_MS), 1);
    CHECK(fixture.conns[3]->broken);
    begin_request(&fixture, fixture.conns[1]);
    begin_request(&fixture, fixture.conns[2]);
    CHECK_U64(pass(&fixture, REQUEST_MS), 1);
    fixture.conns[1]->parked = false;
    deadline_note(&fixture.worker, fixture.conns[1]);
    CHECK_U64(pass(&fixture, REQUEST_MS - 1), 1);
    CHECK_U64(pass(&fixture, 1), 2);
    CHECK(fixture.conns[1]->broken && !fixture.conns[2]->broken);
    tear_down(&fixture);
}

static void without_limits_nobody_wakes_up(void)
{
    const struct deadline_limits none = {.held_max = HELD_MAX};
    const struct deadline_limits requests = {
        .request_ms = REQUEST_MS, .held_max = HELD_MAX};
    struct fixture fixture;
    set_up(&fixture);
    for (int i = 0; i < CONNS; i++) {
        deadline_leave(&fixture.worker, fixture.conns[i]);
    }
    deadline_init(&fixture.worker.deadlines, &none);
    for (int i = 0; i < CONNS; i++) {
        deadline_enter(&fixture.worker, fixture.conns[i]);
    }
    begin_request(&fixture, fixture.conns[0]);
    CHECK_INT(deadline_sleep_ms(&fixture.worker), -1);
    CHECK_U64(pass(&fixture, INT64_C(1) << 40), 0);
    /* Those who rest wake nobody, if requests alone are limited. */
    fixture.worker.deadlines.lists[DEADLINE_REQUEST].limit_ms =
        requests.request_ms;
    conn_keep(fixture.conns[0], NULL, 0);
    deadline_note(&fixture.worker, fixture.conns[0]);
    CHECK_INT(deadline_sleep_ms(&fixture.worker), -1);
    tear_down(&fixture);
}

/* ---- Requests ------------------------------------------------------------ */

/* A byte now and then does not prolong it. */
static void a_request_is_dated_from_its_first_byte(void)
{
    struct fixture fixture;
    set_up(&fixture);
    begin_request(&fixture, fixture.conns[0]);
    for (int i = 1; i < 10; i++) {
        CHECK_U64(pass(&fixture, REQUEST_MS / 10), 0);
        begin_request(&fixture, fixture.conns[0]);
    }
    CHECK_U64(pass(&fixture, REQUEST_MS / 10), 1);
    CHECK_U64(fixture.worker.turn_stats.connections_slow, 1);
    CHECK(fixture.conns[0]->broken && fixture.conns[0]->input == NULL);
    tear_down(&fixture);
}

/* Nor does one that stands in the socket when it is due: it is received first,
 * since it may be the last. */
static void a_byte_that_has_just_come_does_not_prolong_it(void)
{
    struct fixture fixture;
    set_up(&fixture);
    begin_request(&fixture, fixture.conns[0]);
    CHECK_INT(send(fixture.peers[0], "x", 1, 0), 1);
    CHECK_U64(pass(&fixture, REQUEST_MS), 0);
    CHECK(!fixture.conns[0]->broken);
    CHECK_U64(take(fixture.conns[0]->fd, 1), 1);
    begin_request(&fixture, fixture.conns[0]);
    CHECK_U64(pass(&fixture, 0), 1);
    CHECK(fixture.conns[0]->broken);
    tear_down(&fixture);
}

/* Who never stops sending is given up all the same, and hides nobody. */
static void who_never_stops_sending_is_closed_too(void)
{
    struct fixture fixture;
    set_up(&fixture);
    begin_request(&fixture, fixture.conns[0]);
    begin_request(&fixture, fixture.conns[1]);
    CHECK_INT(send(fixture.peers[0], "x", 1, 0), 1);
    CHECK_U64(pass(&fixture, REQUEST_MS), 1);
    CHECK(!fixture.conns[0]->broken && fixture.conns[1]->broken);
    CHECK_U64(pass(&fixture, DEADLINE_TICK_MS), 2);
    CHECK(fixture.conns[0]->broken);
    tear_down(&fixture);
}

/* Who always has begun the next request, but finishes one after the other, is
 * in time; so is one who rests in between. */
static void each_request_has_its_own_time(void)
{
    struct fixture fixture;
    set_up(&fixture);
    for (int i = 0; i < 10; i++) {
        begin_request(&fixture, fixture.conns[0]);
        begin_request(&fixture, fixture.conns[1]);
        CHECK_U64(pass(&fixture, REQUEST_MS - 1), 0);
        fixture.conns[0]->finished = true;
        begin_request(&fixture, fixture.conns[0]);
        conn_keep(fixture.conns[1], NULL, 0);
        stir_from(&fixture, 1);
    }
    CHECK_U64(pass(&fixture, REQUEST_MS), 1);
    CHECK(fixture.conns[0]->broken);
    tear_down(&fixture);
}

/* Refused for its protocol, or inside a chain that is too long: neither may
 * stay for ever. */
static void what_was_refused_has_to_end_too(void)
{
    struct fixture fixture;
    set_up(&fixture);
    fixture.conns[0]->discarding = true;
    fixture.conns[1]->skipping = true;
    stir_from(&fixture, 0);
    CHECK_U64(pass(&fixture, REQUEST_MS), 2);
    CHECK(fixture.conns[0]->broken && fixture.conns[1]->broken);
    tear_down(&fixture);
}

/* ---- Replies ------------------------------------------------------------- */

static void who_takes_nothing_is_closed_and_its_memory_freed(void)
{
    struct fixture fixture;
    set_up(&fixture);
    send_too_much(&fixture, fixture.conns[0]);
    CHECK(fixture.worker.deadlines.held > 0);
    CHECK_U64(pass(&fixture, REQUEST_MS - 1), 0);
    (void)take(fixture.peers[0], 1);
    CHECK_U64(pass(&fixture, 1), 1);
    CHECK_U64(fixture.worker.turn_stats.connections_slow, 1);
    CHECK(fixture.conns[0]->broken && fixture.conns[0]->output == NULL);
    CHECK_U64(fixture.worker.deadlines.held, 0);
    tear_down(&fixture);
}

static void who_takes_a_part_in_time_goes_on(void)
{
    struct fixture fixture;
    struct conn *conn;
    size_t taken = 0;
    set_up(&fixture);
    conn = fixture.conns[0];
    send_too_much(&fixture, conn);
    while (conn->output != NULL) {
        size_t before = taken;
        while (taken - before < (size_t)2 * DEADLINE_TAKEN_MIN &&
               !conn_drain(conn)) {
            taken += take(fixture.peers[0], DEADLINE_TAKEN_MIN);
        }
        CHECK_U64(pass(&fixture, REQUEST_MS), 0);
        stir_from(&fixture, 0);
        REQUIRE(!conn->broken);
    }
    CHECK(taken > (size_t)4 * DEADLINE_TAKEN_MIN);
    tear_down(&fixture);
}

/* ---- Memory -------------------------------------------------------------- */

/* Those who do not take their replies go first, the one that began first before
 * the others; then those who do not finish requests. */
static void too_much_is_shed_from_those_who_are_late_for_longest(void)
{
    struct fixture fixture;
    set_up(&fixture);
    fixture.worker.deadlines.held_max = 2 * CONN_ROOM;
    conn_keep(fixture.conns[3], fixture.bytes, CONN_ROOM - 1);
    deadline_note(&fixture.worker, fixture.conns[3]);
    for (int i = 0; i < 3; i++) {
        CHECK_U64(pass(&fixture, 1), i > 0 ? i - 1 : 0);
        send_too_much(&fixture, fixture.conns[i]);
        CHECK(deadline_overfull(&fixture.worker.deadlines) == (i >= 1));
        (void)pass(&fixture, 0);
        CHECK(!deadline_overfull(&fixture.worker.deadlines));
    }
    CHECK(fixture.conns[0]->broken && fixture.conns[1]->broken);
    CHECK(!fixture.conns[2]->broken && !fixture.conns[3]->broken);
    fixture.worker.deadlines.held_max = 1;
    fixture.conns[3]->parked = true;
    CHECK_U64(pass(&fixture, 0), 3);
    CHECK(fixture.conns[2]->broken && !fixture.conns[3]->broken);
    fixture.conns[3]->parked = false;
    CHECK_U64(pass(&fixture, 0), 4);
    CHECK_U64(fixture.worker.turn_stats.connections_shed, 4);
    CHECK_U64(fixture.worker.deadlines.held, 0);
    tear_down(&fixture);
}

const struct test_case test_deadline[] = {
    TEST_CASE(who_is_silent_is_closed_in_time),
    TEST_CASE(who_has_sent_what_was_not_received_is_not_silent),
    TEST_CASE(without_limits_nobody_wakes_up),
    TEST_CASE(a_request_is_dated_from_its_first_byte),
    TEST_CASE(a_byte_that_has_just_come_does_not_prolong_it),
    TEST_CASE(who_never_stops_sending_is_closed_too),
    TEST_CASE(each_request_has_its_own_time),
    TEST_CASE(what_was_refused_has_to_end_too),
    TEST_CASE(who_takes_nothing_is_closed_and_its_memory_freed),
    TEST_CASE(who_takes_a_part_in_time_goes_on),
    TEST_CASE(too_much_is_shed_from_those_who_are_late_for_longest),
    TEST_END,
};
