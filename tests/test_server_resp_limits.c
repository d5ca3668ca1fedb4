/* What a peer that speaks the Redis protocol can do to a server, and a disk
 * that does not answer it. */
#include "clock.h"
#include "resp/resp.h"
#include "dialog.h"
#include "storage/state.h"
#include "wal/state.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct served_options in_memory = {.memory = true};

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
    dialog_ask(waiting, "MULTI\r\nSET a 1\r\n", "+OK\r\n+QUEUED\r\n");
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        int fd = served_dial(&served);
        dialog_ask(fd, "PING\r\n", "+PONG\r\n");
        CHECK(drip(fd, requests[i]) >= LIMIT_MS - CLOCK_MS);
        close(fd);
    }
    served_await_figure(other, "connections_slow", ARRAY_SIZE(requests));
    /* A transaction may be as long as its client likes. */
    dialog_ask(waiting, "EXEC\r\n", "*1\r\n+OK\r\n");
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
    struct buffer requests = dialog_text();
    struct buffer expected = dialog_text();
    for (int i = 0; i < 3; i++) {
        dialog_add(&requests,
            "SET before 1\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n", SIZE);
        uint8_t *body = buffer_reserve(&requests, SIZE);
        REQUIRE(body != NULL);
        memset(body, 'x', SIZE);
        requests.size += SIZE;
        dialog_add(&requests, "\r\nGET a\r\n");
        dialog_add(&expected,
            "+OK\r\n-ERR an argument has %d bytes; a request has at most %d"
            "\r\n$-1\r\n",
            SIZE, RESP_REQUEST_MAX);
    }
    dialog_exchange(fd, &requests, &expected);
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
    struct buffer request = dialog_text();
    dialog_add(&request, "*2\r\n$4\r\nECHO\r\n$%d\r\n", SIZE);
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
    dialog_ask(fds[PEERS - 1], "\r\n",
        "-ERR a value has at most 256 bytes, and argument 1 of 'echo' 900000"
        "\r\n");
    dialog_ask(fds[PEERS - 1], "PING\r\n", "+PONG\r\n");
    for (int i = 0; i < PEERS; i++) {
        close(fds[i]);
    }
    served_await_figure(watcher, "bytes_held", 0);
    buffer_free(&request);
    close(watcher);
    served_end(&served);
}

/* ---- A disk that does not answer ----------------------------------------- */

/* Waits until what is written waits for the disk. */
static void await_silence(int native)
{
    enum { SILENT_MS = 100 };
    int64_t limit = clock_steady_ms() + SERVED_WAIT_MS;
    while (served_figure(native, "disk_silent_ms") < SILENT_MS &&
           clock_steady_ms() < limit) {
    }
}

/* Writes are told BUSY in time, one reply for each request; reads go on, those
 * of several records too; what was queued did not happen, what the disk had
 * may. */
static void a_stalled_disk_keeps_nobody(void)
{
    enum { STALL_MS = 2 * STORAGE_STALL_MS };
    struct served served;
    served_start(&served,
        &(struct served_options){.sync = KV_SYNC_ALWAYS, .stall_ms = STALL_MS});
    int native = served_dial(&served);
    int reader = served_dial(&served);
    int first = served_dial(&served);
    int next = served_dial(&served);
    int gone = served_dial(&served);
    dialog_ask(reader, "SET here before\r\n", "+OK\r\n");
    const uint64_t put_and_mark = 2;
    served_await_figure(native, "lsn_durable", put_and_mark);
    served_await_figure(native, "disk_silent_ms", 0);
    CHECK_INT(pthread_mutex_lock(&served.storage->wal->sync_lock), 0);
    dialog_say(
        first, "GET here\r\nMULTI\r\nSET first 1\r\nEXEC\r\nGET here\r\n");
    await_silence(native);
    dialog_say(next, "SET next 1\r\nPING\r\nBAD\r\n");
    dialog_say(gone, "SET gone 1\r\n");
    served_await_sent(gone);
    close(gone);
    dialog_ask(reader, "MGET here first\r\nWATCH here\r\n",
        "*2\r\n$6\r\nbefore\r\n$-1\r\n+OK\r\n");
    dialog_next(first, "$6\r\nbefore\r\n+OK\r\n+QUEUED\r\n");
    dialog_line(first, "-BUSY this has waited");
    dialog_line(first, "-BUSY this has waited");
    dialog_line(next, "-BUSY this has waited");
    dialog_line(next, "PONG");
    dialog_line(next, "-ERR unknown command 'BAD'");
    dialog_say(reader, "SET late 1\r\nGET here\r\n");
    dialog_line(reader, "-BUSY the disk has not answered");
    dialog_next(reader, "$6\r\nbefore\r\n");
    served_await_figure(native, "connections", 4); /* gone was told, too */
    CHECK_INT(pthread_mutex_unlock(&served.storage->wal->sync_lock), 0);
    served_await_figure(native, "disk_silent_ms", 0);
    dialog_ask(next, "SET here after\r\n", "+OK\r\n");
    dialog_ask(reader, "MGET first next late gone\r\n",
        "*4\r\n$1\r\n1\r\n$-1\r\n$-1\r\n$-1\r\n");
    dialog_ask(
        reader, "MULTI\r\nGET here\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n*-1\r\n");
    close(next);
    close(first);
    close(reader);
    close(native);
    served_end(&served);
}

/* What waits for the disk with large replies and requests is bounded: who comes
 * then is told so at once. */
static void what_waits_for_the_disk_is_bounded(void)
{
    enum { PEERS = 14 };
    struct served served;
    int fds[PEERS];
    served_start(&served, &served_kinds[0]);
    int native = served_dial(&served);
    struct buffer request = dialog_text();
    dialog_add_mget(&request, DIALOG_LARGE - 2);
    dialog_add(&request, "SET more 1\r\n");
    for (int i = 0; i < PEERS; i++) {
        fds[i] = served_dial(&served);
        dialog_ask(fds[i], "PING\r\n", "+PONG\r\n");
    }
    dialog_fill(fds[0]);
    CHECK_INT(pthread_mutex_lock(&served.storage->wal->sync_lock), 0);
    dialog_say(fds[0], "SET here 2\r\n");
    await_silence(native);
    for (int i = 1; i < PEERS; i++) {
        served_send(fds[i], request.bytes, request.size);
        served_await_sent(fds[i]);
        served_check_alive(native);
    }
    CHECK_INT(pthread_mutex_unlock(&served.storage->wal->sync_lock), 0);
    served_await_figure(native, "disk_silent_ms", 0);
    int told = 0;
    for (int i = 1; i < PEERS; i++) {
        char line[DIALOG_LINE_MAX + 1];
        CHECK_INT(dialog_take_mget(fds[i]), DIALOG_LARGE - 2);
        dialog_receive(fds[i], line, sizeof line);
        bool busy = strncmp(line, "-BUSY ", 6) == 0;
        CHECK(busy ? strstr(line, "as many as may") != NULL
                   : strcmp(line, "+OK") == 0);
        told += busy ? 1 : 0;
    }
    CHECK(told > 0 && told < PEERS - 1);
    for (int i = 1; i < PEERS; i++) {
        dialog_ask(fds[i], "SET more 1\r\n", "+OK\r\n");
        close(fds[i]);
    }
    buffer_free(&request);
    close(fds[0]);
    close(native);
    served_end(&served);
}

/* ---- A client that does not read ----------------------------------------- */

static void who_does_not_read_is_not_read_from(void)
{
    enum { REQUESTS = 40, LIMIT_MS = 300 };
    struct served served;
    served_start(&served, &(struct served_options){
                              .memory = true, .request_timeout_ms = LIMIT_MS});
    int mute = served_dial(&served);
    int other = served_dial(&served);
    int native = served_dial(&served);
    dialog_fill(other);
    struct buffer request = dialog_text();
    dialog_add_mget(&request, DIALOG_LARGE / 4);
    for (int i = 0; i < REQUESTS; i++) {
        (void)send(mute, request.bytes, request.size, MSG_DONTWAIT);
    }
    served_await_figure(native, "connections_slow", 1);
    dialog_ask(other, "PING\r\n", "+PONG\r\n");
    served_await_figure(native, "bytes_held", 0);
    buffer_free(&request);
    close(native);
    close(other);
    close(mute);
    served_end(&served);
}

const struct test_case test_server_resp_limits[] = {
    TEST_CASE(who_does_not_finish_a_request_is_closed),
    TEST_CASE(what_is_too_long_is_dropped),
    TEST_CASE(large_partial_requests_count_as_memory_held),
    TEST_CASE(a_stalled_disk_keeps_nobody),
    TEST_CASE(what_waits_for_the_disk_is_bounded),
    TEST_CASE(who_does_not_read_is_not_read_from),
    TEST_END,
};
