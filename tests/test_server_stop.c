/* The end: of a server with work in its hands, of peers with replies due. */
#include "served.h"

#include "clock.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 20, MESSAGES = 60 };

static void put_many(int fd, int connection)
{
    kv_message_t messages[MESSAGES];
    for (int i = 0; i < MESSAGES; i++) {
        char key[KV_KEY_SIZE];
        (void)snprintf(key, sizeof key, "%d.%d", connection, i);
        messages[i] = served_request(KV_PUT, key, "value");
    }
    served_send(fd, messages, sizeof messages);
}

static void try_stop(const struct served_options *options)
{
    struct served served;
    int fds[CONNECTIONS];
    served_start(&served, options);
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = served_dial(&served);
        (void)served_call(fds[i], KV_PING, "", "");
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        put_many(fds[i], i);
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        served_await_sent(fds[i]);
    }
    server_stop(served.server);
    for (int i = 0; i < CONNECTIONS; i++) {
        kv_message_t replies[MESSAGES];
        CHECK_INT(
            served_receive(fds[i], replies, sizeof replies), sizeof replies);
        for (int j = 0; j < MESSAGES; j++) {
            served_check_reply(&replies[j], KV_SUCCESS, "");
        }
        CHECK(served_is_over(fds[i]));
        close(fds[i]);
    }
    served_join(&served);
    CHECK(!server_hurried(served.server));
    CHECK_U64(storage_count(served.storage), CONNECTIONS * MESSAGES);
    served_end(&served);
}

static void what_was_received_is_answered_before_the_stop(void)
{
    for (size_t i = 0; i < SERVED_KINDS; i++) {
        struct served_options options = served_kinds[i];
        options.workers = 2;
        try_stop(&options);
    }
}

static void a_server_that_never_ran_can_be_taken_down(void)
{
    struct served served;
    char why[SERVER_WHY_MAX];
    served_start(&served, &served_kinds[3]);
    struct server *second = NULL;
    struct server_options options = {.host = "localhost",
        .workers = 3,
        .connections_max = 10,
        .storage = served.storage,
        .config = &served.config};
    CHECK_OK(server_create(&second, &options, why));
    CHECK(server_port(second) != 0);
    CHECK(!server_hurried(second));
    server_destroy(second);
    served_end(&served);
}

static void a_stop_before_the_run_ends_it_at_once(void)
{
    struct served served;
    char why[SERVER_WHY_MAX];
    served_start(&served, &served_kinds[3]);
    struct server *second = NULL;
    struct server_options options = {.host = "127.0.0.1",
        .workers = 2,
        .connections_max = 10,
        .storage = served.storage,
        .config = &served.config};
    REQUIRE(server_create(&second, &options, why) == 0);
    server_stop(second);
    CHECK_OK(server_run(second));
    server_destroy(second);
    served_end(&served);
}

/* Leaves a connection with replies that its peer does not take. */
static int dial_and_clog(const struct served *served)
{
    enum { SCANS = 60 };
    int fd = served_dial(served);
    int small = 4096;
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    for (int i = 0; i < 1000; i++) {
        char key[KV_KEY_SIZE];
        (void)snprintf(key, sizeof key, "%d", i);
        (void)served_call(fd, KV_PUT, key, "value");
    }
    kv_message_t scan = served_request(KV_SCAN, "", "");
    for (int i = 0; i < SCANS; i++) {
        served_send(fd, &scan, sizeof scan);
    }
    served_await_sent(fd);
    return fd;
}

static void a_second_stop_does_not_wait_for_peers(void)
{
    struct served served;
    served_start(&served, &served_kinds[3]);
    int fd = dial_and_clog(&served);
    int64_t begin = clock_steady_ms();
    server_stop(served.server);
    server_stop(served.server);
    served_join(&served);
    CHECK(clock_steady_ms() - begin < 4000);
    CHECK(server_hurried(served.server));
    close(fd);
    served_end(&served);
}

/* Two different ones, because two of a kind may be taken for one. */
static void a_signal_stops_it_and_a_second_one_hurries(void)
{
    struct served served;
    sigset_t set;
    CHECK_INT(sigemptyset(&set), 0);
    CHECK_INT(sigaddset(&set, SIGTERM), 0);
    CHECK_INT(sigaddset(&set, SIGINT), 0);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    for (int signals = 1; signals <= 2; signals++) {
        served_start(
            &served, &(struct served_options){.memory = true, .signals = true});
        int fd = signals == 2 ? dial_and_clog(&served) : served_dial(&served);
        CHECK_INT(kill(getpid(), SIGTERM), 0);
        if (signals == 2) {
            CHECK_INT(kill(getpid(), SIGINT), 0);
        }
        served_join(&served);
        CHECK_INT(server_hurried(served.server), signals == 2);
        close(fd);
        served_end(&served);
    }
}

static void one_stop_waits_for_peers_but_not_for_ever(void)
{
    struct served served;
    served_start(&served, &served_kinds[3]);
    int fd = dial_and_clog(&served);
    int64_t begin = clock_steady_ms();
    server_stop(served.server);
    served_join(&served);
    int64_t took = clock_steady_ms() - begin;
    CHECK(took >= 4900 && took < 15000);
    close(fd);
    served_end(&served);
}

/* ---- Peers that leave ---------------------------------------------------- */

static void who_shuts_its_side_gets_its_replies(void)
{
    for (size_t i = 0; i < SERVED_KINDS; i++) {
        struct served served;
        kv_message_t replies[MESSAGES];
        served_start(&served, &served_kinds[i]);
        int fd = served_dial(&served);
        put_many(fd, 1);
        CHECK_INT(shutdown(fd, SHUT_WR), 0);
        CHECK_INT(served_receive(fd, replies, sizeof replies), sizeof replies);
        CHECK(served_is_over(fd));
        close(fd);
        served_end(&served);
    }
}

/* Peers reset while their writes are with the committer, or their backup is
 * being written. */
static void who_leaves_while_parked_is_forgotten_later(void)
{
    enum { ROUNDS = 100 };
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct served served;
    served_start(&served, &served_kinds[0]);
    int fd = served_dial(&served);
    for (int i = 0; i < ROUNDS; i++) {
        int leaving = served_dial(&served);
        put_many(leaving, i);
        kv_message_t backup = served_request(KV_BACKUP, "", "");
        if (i % 20 == 0) {
            served_send(leaving, &backup, sizeof backup);
            kv_message_t replies[MESSAGES];
            CHECK_INT(served_receive(leaving, replies, sizeof replies),
                sizeof replies);
        }
        if (i % 2 == 0) {
            CHECK_INT(setsockopt(
                          leaving, SOL_SOCKET, SO_LINGER, &reset, sizeof reset),
                0);
        }
        close(leaving);
        (void)served_call(fd, KV_PUT, "mine", "value");
    }
    served_await_figure(fd, "connections_accepted", ROUNDS + 1);
    served_await_figure(fd, "connections", 1);
    close(fd);
    served_end(&served);
}

/* More turns than there are bundles, with the disk between them. */
static void many_may_wait_for_the_disk_at_once(void)
{
    enum { WRITERS = 300, ROUNDS = 5 };
    struct served served;
    int fds[WRITERS];
    kv_message_t requests[2] = {
        served_request(KV_ADD, "sum", "1"), served_request(KV_GET, "sum", "")};
    served_start(&served, &served_kinds[0]);
    for (int i = 0; i < WRITERS; i++) {
        fds[i] = served_dial(&served);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < WRITERS; i++) {
            served_send(fds[i], requests, sizeof requests);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        kv_message_t replies[2 * ROUNDS];
        REQUIRE(
            served_receive(fds[i], replies, sizeof replies) == sizeof replies);
        for (int j = 0; j < 2 * ROUNDS; j++) {
            served_check_reply(&replies[j], KV_SUCCESS, NULL);
        }
    }
    served_check(fds[0], &requests[1], KV_SUCCESS, "1500");
    for (int i = 0; i < WRITERS; i++) {
        close(fds[i]);
    }
    served_end(&served);
}

/* All stay open until the stop, with writes under way. */
static void a_hurried_stop_waits_for_the_committer(void)
{
    struct served served;
    int fds[CONNECTIONS];
    served_start(&served, &served_kinds[0]);
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = served_dial(&served);
        put_many(fds[i], i);
    }
    kv_message_t replies[MESSAGES];
    CHECK_INT(served_receive(fds[0], replies, sizeof replies), sizeof replies);
    server_stop(served.server);
    server_stop(served.server);
    served_join(&served);
    for (int i = 0; i < CONNECTIONS; i++) {
        close(fds[i]);
    }
    CHECK(storage_count(served.storage) <= CONNECTIONS * MESSAGES);
    served_end(&served);
}

const struct test_case test_server_stop[] = {
    TEST_CASE(what_was_received_is_answered_before_the_stop),
    TEST_CASE(a_server_that_never_ran_can_be_taken_down),
    TEST_CASE(a_stop_before_the_run_ends_it_at_once),
    TEST_CASE(a_second_stop_does_not_wait_for_peers),
    TEST_CASE(a_signal_stops_it_and_a_second_one_hurries),
    TEST_CASE(one_stop_waits_for_peers_but_not_for_ever),
    TEST_CASE(who_shuts_its_side_gets_its_replies),
    TEST_CASE(who_leaves_while_parked_is_forgotten_later),
    TEST_CASE(many_may_wait_for_the_disk_at_once),
    TEST_CASE(a_hurried_stop_waits_for_the_committer),
    TEST_END,
};
