/* The Redis protocol at a server, over sockets: beside the native one, in long
 * pipelines, in transactions, under the limits.  What the decoder makes of
 * bytes stands in test_conn_resp.c. */
#include "buffer.h"
#include "resp/resp.h"
#include "served.h"

#include "clock.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct served_options in_memory = {.memory = true};

/* ---- Helpers ------------------------------------------------------------- */

enum { SHOWN_MAX = 300 };

/* The next bytes from fd are exactly these. */
static void check_next(int fd, const char *expected)
{
    size_t size = strlen(expected);
    char *text = calloc(1, size + 1);
    REQUIRE(text != NULL);
    size_t received = served_receive(fd, text, size);
    if (received != size || memcmp(text, expected, size) != 0) {
        text[received < SHOWN_MAX ? received : SHOWN_MAX] = '\0';
        CHECK_TEXT(text, expected);
    } else {
        CHECK(true);
    }
    free(text);
}

static void say(int fd, const char *requests)
{
    served_send(fd, requests, strlen(requests));
}

static void ask(int fd, const char *requests, const char *expected)
{
    say(fd, requests);
    check_next(fd, expected);
}

/* The next line; its end is cut off. */
static void receive_line(int fd, char *line, size_t room)
{
    size_t length = 0;
    while (length + 1 < room && served_receive(fd, line + length, 1) == 1 &&
           line[length] != '\n') {
        length++;
    }
    line[length > 0 && line[length - 1] == '\r' ? length - 1 : length] = '\0';
}

static void check_line(int fd, const char *words)
{
    char line[SHOWN_MAX + 1];
    receive_line(fd, line, sizeof line);
    if (strstr(line, words) == NULL) {
        CHECK_TEXT(line, words);
    } else {
        CHECK(true);
    }
}

__attribute__((format(printf, 2, 3))) static void add(
    struct buffer *buffer, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    REQUIRE(length >= 0 && (size_t)length < sizeof text);
    REQUIRE(buffer_append(buffer, text, (size_t)length));
}

static struct buffer new_text(void)
{
    return (struct buffer){.max = 64 << 20};
}

/* Sends all while it takes what comes; the replies must be these. */
static void exchange(
    int fd, const struct buffer *requests, const struct buffer *expected)
{
    size_t sent = 0;
    size_t received = 0;
    uint8_t *got = malloc(expected->size + 1);
    REQUIRE(got != NULL);
    while (received < expected->size) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        wait.events |= sent < requests->size ? POLLOUT : 0;
        REQUIRE(poll(&wait, 1, SERVED_WAIT_MS) == 1);
        if ((wait.revents & POLLOUT) != 0) {
            ssize_t part = send(fd, requests->bytes + sent,
                requests->size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            sent += part > 0 ? (size_t)part : 0;
        }
        if ((wait.revents & POLLIN) != 0) {
            ssize_t part =
                recv(fd, got + received, expected->size - received, 0);
            REQUIRE(part > 0);
            received += (size_t)part;
        }
    }
    CHECK_BYTES(got, expected->bytes, expected->size);
    free(got);
}

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
        ask(redis, "SET a one\r\nINCR n\r\n", "+OK\r\n:42\r\n");
        served_check(native, &get, KV_SUCCESS, "one");
        served_check(native, &count, KV_SUCCESS, "2");
        (void)served_call(native, KV_ADD, "n", "8");
        (void)served_call(native, KV_DELETE, "a", "");
        ask(redis, "GET n\r\nGET a\r\nDBSIZE\r\n", "$2\r\n50\r\n$-1\r\n:1\r\n");
        ask(redis, "FLUSHALL\r\nEXISTS n\r\n", "+OK\r\n:0\r\n");
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
    add(requests, "SET k%d:%d v%d\r\n", who, i, i);
    add(expected, "+OK\r\n");
    add(requests, "*2\r\n$4\r\nINCR\r\n$2\r\nn%d\r\n", who);
    add(expected, ":%d\r\n", 2 * i + 1);
    add(requests, "MULTI\r\nINCR n%d\r\nGET n%d\r\nEXEC\r\n", who, who);
    add(expected, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:%d\r\n$%d\r\n%d\r\n",
        2 * i + 2, snprintf(NULL, 0, "%d", 2 * i + 2), 2 * i + 2);
    if (i % 10 == 0) {
        add(requests, "WATCH n%d\r\nECHO here\r\nUNWATCH\r\nBAD\r\n", who);
        add(expected,
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
            struct buffer requests = new_text();
            struct buffer expected = new_text();
            int fd = served_dial(&served);
            for (int i = 0; i < ROUNDS; i++) {
                add_round(&requests, &expected, who, i);
            }
            exchange(fd, &requests, &expected);
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
    struct buffer requests = new_text();
    struct buffer expected = new_text();
    add(&requests, "MULTI\r\n");
    add(&expected, "+OK\r\n");
    for (int i = 0; i < count; i++) {
        add(&requests, "SET key %0200d\r\n", i);
        add(&expected, "+QUEUED\r\n");
    }
    exchange(fd, &requests, &expected);
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
            say(partial, "ECHO wh");
        }
    }
    uint64_t shed = served_figure(watcher, "connections_shed");
    CHECK(shed >= PEERS - HELD_MAX / EACH_MIN);
    CHECK(served_figure(watcher, "bytes_held") <= HELD_MAX);
    CHECK_U64(served_figure(watcher, "connections"), PEERS + 2 - shed);
    CHECK(served_is_over(fds[0]));
    ask(fds[PEERS - 1], "DISCARD\r\n", "+OK\r\n");
    ask(partial, "ole\r\n", "$5\r\nwhole\r\n");
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
        ask(other, "EXISTS key\r\n", ":0\r\n");
        uint64_t accepted = served_figure(native, "connections_accepted");
        /* Closed before its EXEC is answered: it is executed all the same. */
        fd = served_dial(&served);
        say(fd, "MULTI\r\nSET key 1\r\nSET other 2\r\nEXEC\r\nMULTI\r\n");
        close(fd);
        served_await_figure(native, "connections_accepted", accepted + 1);
        served_await_figure(native, "connections", 2);
        ask(other, "MGET key other\r\n", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
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
        ask(watching, "WATCH a\r\n", "+OK\r\n");
        say(watching, "MULTI\r\nSET a");
        check_next(watching, "+OK\r\n");
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
        ask(fd, "SET a 1\r\nWATCH a b\r\n", "+OK\r\n+OK\r\n");
        ask(other, "SET a 1\r\n", "+OK\r\n");
        ask(fd, "MULTI\r\nSET c 1\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n*-1\r\n");
        ask(fd, "WATCH b\r\n", "+OK\r\n");
        (void)served_call(native, KV_PUT, "b", "x");
        ask(fd, "MULTI\r\nSET c 1\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n*-1\r\n");
        ask(fd, "WATCH a b\r\nMULTI\r\nSET c 1\r\nEXEC\r\n",
            "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
        close(native);
        close(other);
        close(fd);
        served_end(&served);
    }
}

/* ---- Replies ------------------------------------------------------------- */

enum {
    NAMES = 256,   /* keys of a large MGET are these, again and again */
    LARGE = 16384, /* values that one MGET asks for, and a bit less */
    VALUE = KV_VALUE_MAX
};

static void fill_names(int fd)
{
    struct buffer requests = new_text();
    struct buffer expected = new_text();
    for (int i = 0; i < NAMES; i++) {
        add(&requests, "SET k%d %0*d\r\n", i, VALUE, i);
        add(&expected, "+OK\r\n");
    }
    exchange(fd, &requests, &expected);
    buffer_free(&requests);
    buffer_free(&expected);
}

/* An MGET of count values. */
static void add_mget(struct buffer *requests, int count)
{
    add(requests, "*%d\r\n$4\r\nMGET\r\n", count + 1);
    for (int i = 0; i < count; i++) {
        char key[16];
        int length = snprintf(key, sizeof key, "k%d", i % NAMES);
        add(requests, "$%d\r\n%s\r\n", length, key);
    }
}

/* Takes one reply to a large MGET, or an error.  Returns how many values. */
static int take_mget(int fd)
{
    char line[SHOWN_MAX + 1];
    receive_line(fd, line, sizeof line);
    if (line[0] != '*') {
        CHECK_INT(line[0], '-');
        return 0;
    }
    int count = atoi(line + 1);
    size_t size = (size_t)count * (VALUE + sizeof "$256\r\n\r\n" - 1);
    char *values = malloc(size);
    REQUIRE(values != NULL);
    CHECK_U64(served_receive(fd, values, size), size);
    CHECK_BYTES(values, "$256\r\n", 6);
    free(values);
    return count;
}

/* Each request has its reply, whatever there is room for, and the connection
 * goes on. */
static void every_request_has_a_reply_though_they_are_large(void)
{
    enum { REQUESTS = 6 };
    struct served served;
    served_start(&served, &in_memory);
    int fd = served_dial(&served);
    fill_names(fd);
    struct buffer requests = new_text();
    say(fd, "MULTI\r\n");
    check_next(fd, "+OK\r\n");
    for (int i = 0; i < REQUESTS; i++) {
        add_mget(&requests, LARGE - 2);
    }
    for (int i = 0; i < REQUESTS; i++) {
        requests.size = 0;
        add_mget(&requests, LARGE / 2 - 2);
        served_send(fd, requests.bytes, requests.size);
        check_next(fd, "+QUEUED\r\n");
    }
    say(fd, "EXEC\r\nPING\r\n");
    int total = 0;
    char line[SHOWN_MAX + 1];
    receive_line(fd, line, sizeof line);
    if (line[0] == '*') {
        for (int i = 0; i < REQUESTS; i++) {
            total += take_mget(fd);
        }
        CHECK_INT(total, REQUESTS * (LARGE / 2 - 2));
    } else {
        CHECK_TEXT(line, "*");
    }
    check_next(fd, "+PONG\r\n");
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
    fill_names(fd);
    struct buffer requests = new_text();
    say(fd, "MULTI\r\n");
    check_next(fd, "+OK\r\n");
    for (int i = 0; i < REQUESTS; i++) {
        requests.size = 0;
        add_mget(&requests, LARGE / 2 - 2);
        served_send(fd, requests.bytes, requests.size);
        check_next(fd, "+QUEUED\r\n");
    }
    ask(fd, "SET changed 1\r\n", "+QUEUED\r\n");
    say(fd, "EXEC\r\nPING\r\n");
    check_line(fd, "-ERR the replies to this, and to what came");
    check_next(fd, "+PONG\r\n");
    ask(other, "EXISTS changed\r\n", ":0\r\n");
    buffer_free(&requests);
    close(other);
    close(fd);
    served_end(&served);
}

/* ---- Parts of requests --------------------------------------------------- */

/* Sends byte by byte until the server closes; returns after how long. */
static int64_t drip(int fd, const char *bytes)
{
    enum { STEP_MS = 20 };
    int64_t began = clock_steady_ms();
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    size_t sent = 0;
    while (poll(&wait, 1, STEP_MS) == 0 && sent < strlen(bytes) &&
           send(fd, bytes + sent, 1, MSG_NOSIGNAL) == 1) {
        sent++;
    }
    CHECK(sent < strlen(bytes));
    CHECK(served_is_over(fd));
    return clock_steady_ms() - began;
}

static void who_does_not_finish_a_request_is_closed(void)
{
    enum { LIMIT_MS = 300, CLOCK_MS = 20 };
    static const char *const requests[] = {
        "*2\r\n$4\r\nECHO\r\n$100\r\n"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "a",
        "ECHO "
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "a",
        "*1\r\n$2000000\r\n"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "a",
    };
    struct served served;
    served_start(&served, &(struct served_options){
                              .memory = true, .request_timeout_ms = LIMIT_MS});
    int other = served_dial(&served);
    int waiting = served_dial(&served);
    ask(waiting, "MULTI\r\nSET a 1\r\n", "+OK\r\n+QUEUED\r\n");
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        int fd = served_dial(&served);
        ask(fd, "PING\r\n", "+PONG\r\n");
        CHECK(drip(fd, requests[i]) >= LIMIT_MS - CLOCK_MS);
        close(fd);
    }
    served_await_figure(other, "connections_slow", ARRAY_SIZE(requests));
    /* A transaction may be as long as its client likes. */
    ask(waiting, "EXEC\r\n", "*1\r\n+OK\r\n");
    close(waiting);
    close(other);
    served_end(&served);
}

/* What is dropped is not kept, and the connection goes on. */
static void what_is_too_long_is_dropped(void)
{
    enum { SIZE = 3 << 20 };
    struct served served;
    served_start(&served, &in_memory);
    int fd = served_dial(&served);
    int other = served_dial(&served);
    struct buffer requests = new_text();
    struct buffer expected = new_text();
    for (int i = 0; i < 3; i++) {
        add(&requests, "SET before 1\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n",
            SIZE);
        uint8_t *body = buffer_reserve(&requests, SIZE);
        REQUIRE(body != NULL);
        memset(body, 'x', SIZE);
        requests.size += SIZE;
        add(&requests, "\r\nGET a\r\n");
        add(&expected,
            "+OK\r\n-ERR an argument has %d bytes; a request has at most %d"
            "\r\n$-1\r\n",
            SIZE, RESP_REQUEST_MAX);
    }
    exchange(fd, &requests, &expected);
    served_check_alive(other);
    CHECK_U64(served_figure(other, "bytes_held"), 0);
    buffer_free(&requests);
    buffer_free(&expected);
    close(other);
    close(fd);
    served_end(&served);
}

static void large_partial_requests_count_as_memory_held(void)
{
    enum { PEERS = 8, SIZE = 900000, HELD_MAX = 3 << 20 };
    struct served served;
    int fds[PEERS];
    served_start(&served,
        &(struct served_options){.memory = true, .held_max = HELD_MAX});
    int watcher = served_dial(&served);
    struct buffer request = new_text();
    add(&request, "*2\r\n$4\r\nECHO\r\n$%d\r\n", SIZE);
    uint8_t *body = buffer_reserve(&request, SIZE);
    REQUIRE(body != NULL);
    memset(body, 'x', SIZE);
    request.size += SIZE;
    for (int i = 0; i < PEERS; i++) {
        fds[i] = served_dial(&served);
        served_send(fds[i], request.bytes, request.size);
        served_await_sent(fds[i]);
        served_check_alive(watcher);
    }
    CHECK(served_figure(watcher, "connections_shed") > 0);
    ask(fds[PEERS - 1], "\r\n",
        "-ERR a value has at most 256 bytes, and argument 1 of 'echo' 900000"
        "\r\n");
    ask(fds[PEERS - 1], "PING\r\n", "+PONG\r\n");
    for (int i = 0; i < PEERS; i++) {
        close(fds[i]);
    }
    served_await_figure(watcher, "bytes_held", 0);
    buffer_free(&request);
    close(watcher);
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
    TEST_CASE(who_does_not_finish_a_request_is_closed),
    TEST_CASE(what_is_too_long_is_dropped),
    TEST_CASE(large_partial_requests_count_as_memory_held),
    TEST_END,
};
