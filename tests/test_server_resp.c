/* The Redis protocol at a server, over sockets: beside the native one, in long
 * pipelines, in transactions, with large replies.  What the decoder makes of
 * bytes stands in test_conn_resp.c, the limits in test_server_resp_limits.c. */
#include "dialog.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct served_options in_memory = {.memory = true};

/* ---- Beside the native protocol ------------------------------------------ */

static void both_protocols_see_the_same_records(void)
{
    for (int kind = 0; kind < SERVED_KINDS; kind++) {
        struct served served;
        served_start(&served, &served_kinds[kind]);
        int native = served_dial(&served);
        int redis = served_dial(&served);
        kv_message_t get = served_request(KV_GET, "a", "");
        kv_message_t count = served_request(KV_COUNT, "", "");
        (void)served_call(native, KV_PUT, "n", "41");
        dialog_ask(redis, "SET a one\r\nINCR n\r\n", "+OK\r\n:42\r\n");
        served_check(native, &get, KV_SUCCESS, "one");
        served_check(native, &count, KV_SUCCESS, "2");
        (void)served_call(native, KV_ADD, "n", "8");
        (void)served_call(native, KV_DELETE, "a", "");
        dialog_ask(
            redis, "GET n\r\nGET a\r\nDBSIZE\r\n", "$2\r\n50\r\n$-1\r\n:1\r\n");
        dialog_ask(redis, "FLUSHALL\r\nEXISTS n\r\n", "+OK\r\n:0\r\n");
        served_check(native, &count, KV_SUCCESS, "0");
        close(redis);
        close(native);
        served_end(&served);
    }
}

/* ---- Pipelines ----------------------------------------------------------- */

static void add_round(
    struct buffer *requests, struct buffer *expected, int who, int i)
{
    dialog_add(requests, "SET k%d:%d v%d\r\n", who, i, i);
    dialog_add(expected, "+OK\r\n");
    dialog_add(requests, "*2\r\n$4\r\nINCR\r\n$2\r\nn%d\r\n", who);
    dialog_add(expected, ":%d\r\n", 2 * i + 1);
    dialog_add(requests, "MULTI\r\nINCR n%d\r\nGET n%d\r\nEXEC\r\n", who, who);
    dialog_add(expected,
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:%d\r\n$%d\r\n%d\r\n", 2 * i + 2,
        snprintf(NULL, 0, "%d", 2 * i + 2), 2 * i + 2);
    if (i % 10 == 0) {
        dialog_add(
            requests, "WATCH n%d\r\nECHO here\r\nUNWATCH\r\nBAD\r\n", who);
        dialog_add(expected,
            "+OK\r\n$4\r\nhere\r\n+OK\r\n-ERR unknown command 'BAD', with args "
            "beginning with: \r\n");
    }
}

static void long_pipelines_are_answered_in_order(void)
{
    enum { PEERS = 3, ROUNDS = 1500 };
    for (int kind = 0; kind < SERVED_KINDS; kind++) {
        struct served served;
        struct served_options options = served_kinds[kind];
        options.workers = 2;
        served_start(&served, &options);
        for (int who = 0; who < PEERS; who++) {
            struct buffer requests = dialog_text();
            struct buffer expected = dialog_text();
            int fd = served_dial(&served);
            for (int i = 0; i < ROUNDS; i++) {
                add_round(&requests, &expected, who, i);
            }
            dialog_exchange(fd, &requests, &expected);
            close(fd);
            buffer_free(&requests);
            buffer_free(&expected);
        }
        served_end(&served);
    }
}

/* ---- Transactions -------------------------------------------------------- */

/* Opens a transaction, and queues so many values of 200 bytes. */
static void queue(int fd, int count)
{
    struct buffer requests = dialog_text();
    struct buffer expected = dialog_text();
    dialog_add(&requests, "MULTI\r\n");
    dialog_add(&expected, "+OK\r\n");
    for (int i = 0; i < count; i++) {
        dialog_add(&requests, "SET key %0200d\r\n", i);
        dialog_add(&expected, "+QUEUED\r\n");
    }
    dialog_exchange(fd, &requests, &expected);
    buffer_free(&requests);
    buffer_free(&expected);
}

/* What is queued counts as held; who has held it for longest is closed when
 * that is too much, and nobody else. */
static void transactions_count_as_memory_held(void)
{
    enum { PEERS = 12, QUEUED = 1000, HELD_MAX = 2 << 20, EACH_MIN = 250000 };
    struct served served;
    int fds[PEERS];
    served_start(&served,
        &(struct served_options){.memory = true, .held_max = HELD_MAX});
    int watcher = served_dial(&served);
    int partial = served_dial(&served);
    for (int i = 0; i < PEERS; i++) {
        fds[i] = served_dial(&served);
        queue(fds[i], QUEUED);
        if (i == 0) {
            CHECK(served_figure(watcher, "bytes_held") >= EACH_MIN);
            dialog_say(partial, "ECHO wh");
        }
    }
    uint64_t shed = served_figure(watcher, "connections_shed");
    CHECK(shed >= PEERS - HELD_MAX / EACH_MIN);
    CHECK(served_figure(watcher, "bytes_held") <= HELD_MAX);
    CHECK_U64(served_figure(watcher, "connections"), PEERS + 2 - shed);
    CHECK(served_is_over(fds[0]));
    dialog_ask(fds[PEERS - 1], "DISCARD\r\n", "+OK\r\n");
    dialog_ask(partial, "ole\r\n", "$5\r\nwhole\r\n");
    for (int i = 0; i < PEERS; i++) {
        close(fds[i]);
    }
    served_await_figure(watcher, "bytes_held", 0);
    close(partial);
    close(watcher);
    served_end(&served);
}

static void nothing_is_left_of_a_transaction_that_is_given_up(void)
{
    for (int kind = 0; kind < SERVED_KINDS; kind++) {
        struct served served;
        served_start(&served, &served_kinds[kind]);
        int other = served_dial(&served);
        int fd = served_dial(&served);
        queue(fd, 10);
        close(fd);
        int native = served_dial(&served);
        served_await_figure(native, "connections", 2);
        dialog_ask(other, "EXISTS key\r\n", ":0\r\n");
        uint64_t accepted = served_figure(native, "connections_accepted");
        /* Closed before its EXEC is answered: it is executed all the same. */
        fd = served_dial(&served);
        dialog_say(
            fd, "MULTI\r\nSET key 1\r\nSET other 2\r\nEXEC\r\nMULTI\r\n");
        close(fd);
        served_await_figure(native, "connections_accepted", accepted + 1);
        served_await_figure(native, "connections", 2);
        dialog_ask(other, "MGET key other\r\n", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
        close(native);
        close(other);
        served_end(&served);
    }
}

static void a_stop_does_not_wait_for_open_transactions(void)
{
    for (int kind = 0; kind < SERVED_KINDS; kind++) {
        struct served served;
        served_start(&served, &served_kinds[kind]);
        int fd = served_dial(&served);
        int watching = served_dial(&served);
        queue(fd, 100);
        dialog_ask(watching, "WATCH a\r\n", "+OK\r\n");
        dialog_say(watching, "MULTI\r\nSET a");
        dialog_next(watching, "+OK\r\n");
        server_stop(served.server);
        CHECK(served_is_over(fd));
        CHECK(served_is_over(watching));
        served_join(&served);
        close(watching);
        close(fd);
        served_end(&served);
    }
}

static void watched_keys_are_seen_to_change(void)
{
    for (int kind = 0; kind < SERVED_KINDS; kind++) {
        struct served served;
        served_start(&served, &served_kinds[kind]);
        int fd = served_dial(&served);
        int other = served_dial(&served);
        int native = served_dial(&served);
        dialog_ask(fd, "SET a 1\r\nWATCH a b\r\n", "+OK\r\n+OK\r\n");
        dialog_ask(other, "SET a 1\r\n", "+OK\r\n");
        dialog_ask(
            fd, "MULTI\r\nSET c 1\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n*-1\r\n");
        dialog_ask(fd, "WATCH b\r\n", "+OK\r\n");
        (void)served_call(native, KV_PUT, "b", "x");
        dialog_ask(
            fd, "MULTI\r\nSET c 1\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n*-1\r\n");
        dialog_ask(fd, "WATCH a b\r\nMULTI\r\nSET c 1\r\nEXEC\r\n",
            "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
        close(native);
        close(other);
        close(fd);
        served_end(&served);
    }
}

/* ---- Replies ------------------------------------------------------------- */

/* Each request has its reply, whatever there is room for, and the connection
 * goes on. */
static void every_request_has_a_reply_though_they_are_large(void)
{
    enum { REQUESTS = 6 };
    struct served served;
    served_start(&served, &in_memory);
    int fd = served_dial(&served);
    dialog_fill(fd);
    struct buffer requests = dialog_text();
    dialog_say(fd, "MULTI\r\n");
    dialog_next(fd, "+OK\r\n");
    for (int i = 0; i < REQUESTS; i++) {
        dialog_add_mget(&requests, DIALOG_LARGE - 2);
    }
    for (int i = 0; i < REQUESTS; i++) {
        requests.size = 0;
        dialog_add_mget(&requests, DIALOG_LARGE / 2 - 2);
        served_send(fd, requests.bytes, requests.size);
        dialog_next(fd, "+QUEUED\r\n");
    }
    dialog_say(fd, "EXEC\r\nPING\r\n");
    int total = 0;
    char line[DIALOG_LINE_MAX + 1];
    dialog_receive(fd, line, sizeof line);
    if (line[0] == '*') {
        for (int i = 0; i < REQUESTS; i++) {
            total += dialog_take_mget(fd);
        }
        CHECK_INT(total, REQUESTS * (DIALOG_LARGE / 2 - 2));
    } else {
        CHECK_TEXT(line, "*");
    }
    dialog_next(fd, "+PONG\r\n");
    buffer_free(&requests);
    close(fd);
    served_end(&served);
}

/* Replies of more than a buffer holds: an error for the one that does not fit,
 * and for nobody else. */
static void a_reply_that_is_too_large_is_an_error(void)
{
    enum { REQUESTS = 9 };
    struct served served;
    served_start(&served, &in_memory);
    int fd = served_dial(&served);
    int other = served_dial(&served);
    dialog_fill(fd);
    struct buffer requests = dialog_text();
    dialog_say(fd, "MULTI\r\n");
    dialog_next(fd, "+OK\r\n");
    for (int i = 0; i < REQUESTS; i++) {
        requests.size = 0;
        dialog_add_mget(&requests, DIALOG_LARGE / 2 - 2);
        served_send(fd, requests.bytes, requests.size);
        dialog_next(fd, "+QUEUED\r\n");
    }
    dialog_ask(fd, "SET changed 1\r\n", "+QUEUED\r\n");
    dialog_say(fd, "EXEC\r\nPING\r\n");
    dialog_line(fd, "-ERR the replies to this, and to what came");
    dialog_next(fd, "+PONG\r\n");
    dialog_ask(other, "EXISTS changed\r\n", ":0\r\n");
    buffer_free(&requests);
    close(other);
    close(fd);
    served_end(&served);
}

const struct test_case test_server_resp[] = {
    TEST_CASE(both_protocols_see_the_same_records),
    TEST_CASE(long_pipelines_are_answered_in_order),
    TEST_CASE(transactions_count_as_memory_held),
    TEST_CASE(nothing_is_left_of_a_transaction_that_is_given_up),
    TEST_CASE(a_stop_does_not_wait_for_open_transactions),
    TEST_CASE(watched_keys_are_seen_to_change),
    TEST_CASE(every_request_has_a_reply_though_they_are_large),
    TEST_CASE(a_reply_that_is_too_large_is_an_error),
    TEST_END,
};
