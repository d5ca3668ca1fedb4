/* Peers that are late, and peers that make the server keep much, end to end;
 * the rules one by one stand in test_deadline.c. */
#include "clock.h"
#include "served.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LIMIT_MS = 300,
    IN_TIME_MS = 1500, /* where the test has to be in time, on any machine */
    STEP_MS = 20,
    CLOCK_MS = 20 /* how coarse it is */
};

/* Nothing comes from fd for a step. */
static bool is_quiet(int fd)
{
    struct pollfd poll_for = {.fd = fd, .events = POLLIN};
    return poll(&poll_for, 1, STEP_MS) == 0;
}

static void the_silent_are_closed_and_the_others_are_not(void)
{
    struct served served;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    REQUIRE(stream != NULL);
    served_start(&served, &(struct served_options){.memory = true,
                              .idle_timeout_ms = IN_TIME_MS,
                              .verbose = 1,
                              .diagnostics = stream});
    int busy = served_dial(&served);
    int64_t began = clock_steady_ms();
    int silent = served_dial(&served);
    while (is_quiet(silent) && clock_steady_ms() - began < SERVED_WAIT_MS) {
        served_check_alive(busy);
    }
    CHECK(served_is_over(silent));
    CHECK(clock_steady_ms() - began >= IN_TIME_MS - CLOCK_MS);
    served_check_alive(busy);
    CHECK_U64(served_figure(busy, "connections_idle"), 1);
    CHECK_U64(served_figure(busy, "connections"), 1);
    CHECK_U64(served_figure(busy, "connections_slow"), 0);
    close(silent);
    close(busy);
    served_end(&served);
    CHECK_INT(fclose(stream), 0);
    CHECK(strstr(text, ": silent for KV_IDLE_TIMEOUT seconds\n") != NULL);
    free(text);
}

/* Sends the bytes of size, one a step, until the server closes; returns how
 * many milliseconds that took. */
static int64_t drip(int fd, const void *bytes, size_t size)
{
    int64_t began = clock_steady_ms();
    size_t sent = 0;
    while (is_quiet(fd) && sent < size) {
        if (send(fd, (const uint8_t *)bytes + sent, 1, MSG_NOSIGNAL) != 1) {
            break;
        }
        sent++;
    }
    CHECK(sent < size);
    CHECK(served_is_over(fd));
    return clock_steady_ms() - began;
}

static void who_does_not_finish_is_closed_though_bytes_come(void)
{
    struct served served;
    kv_message_t chain[2] = {
        served_request(KV_PUT, "key", "v"), served_request(KV_GET, "key", "")};
    chain[0].type |= KV_LINKED;
    served_start(&served, &(struct served_options){
                              .memory = true, .request_timeout_ms = LIMIT_MS});
    int other = served_dial(&served);
    int message = served_dial(&served);
    CHECK(drip(message, chain, sizeof chain) >= LIMIT_MS - CLOCK_MS);
    int half = served_dial(&served);
    served_send(half, &chain[0], sizeof chain[0]);
    CHECK(drip(half, &chain[1], sizeof chain[1]) >= LIMIT_MS - CLOCK_MS);
    int foreign = served_dial(&served);
    char answer[512];
    served_send(foreign, "QUIT\r\n", 6);
    CHECK(served_receive(foreign, answer, sizeof answer) < sizeof answer);
    served_await_figure(other, "connections_slow", 3);
    CHECK_U64(served_figure(other, "connections"), 1);
    kv_message_t get = served_request(KV_GET, "key", "");
    served_check(other, &get, KV_NOT_FOUND, NULL);
    close(foreign);
    close(half);
    close(message);
    close(other);
    served_end(&served);
}

/* ---- Replies ------------------------------------------------------------- */

static void put_records(int fd, int records)
{
    for (int i = 0; i < records; i++) {
        char key[KV_KEY_SIZE];
        (void)snprintf(key, sizeof key, "%d", i);
        (void)served_call(fd, KV_PUT, key, "v");
    }
}

/* At once: the connection may be closed for the first of them. */
static void ask_for_streams(int fd)
{
    enum { STREAMS = 20 }; /* six million bytes */
    kv_message_t scans[STREAMS];
    for (int i = 0; i < STREAMS; i++) {
        scans[i] = served_request(KV_SCAN, "", "");
    }
    served_send(fd, scans, sizeof scans);
}

static void who_does_not_take_replies_is_closed(void)
{
    struct served served;
    served_start(&served, &(struct served_options){
                              .memory = true, .request_timeout_ms = LIMIT_MS});
    int other = served_dial(&served);
    put_records(other, KV_SCAN_MAX);
    int mute = served_dial(&served);
    ask_for_streams(mute);
    served_await_figure(other, "connections_slow", 1);
    served_await_figure(other, "connections", 1);
    CHECK_U64(served_figure(other, "bytes_held"), 0);
    close(mute);
    close(other);
    served_end(&served);
}

/* It takes more than twice a limit's time for all, and goes on. */
static void who_takes_them_slowly_is_not_closed(void)
{
    enum { PART = 128 * 1024, PARTS = 30, SLOW_MS = 120 };
    struct served served;
    char *bytes = malloc(PART);
    served_start(&served, &(struct served_options){.memory = true,
                              .request_timeout_ms = IN_TIME_MS});
    int other = served_dial(&served);
    put_records(other, KV_SCAN_MAX);
    int slow = served_dial(&served);
    int64_t began = clock_steady_ms();
    ask_for_streams(slow);
    REQUIRE(bytes != NULL);
    for (int i = 0; i < PARTS; i++) {
        REQUIRE(served_receive(slow, bytes, PART) == PART);
        (void)poll(NULL, 0, SLOW_MS); /* this is how slow it is */
    }
    CHECK(clock_steady_ms() - began > 2 * IN_TIME_MS);
    CHECK_U64(served_figure(other, "connections_slow"), 0);
    CHECK_U64(served_figure(other, "connections"), 2);
    free(bytes);
    close(slow);
    close(other);
    served_end(&served);
}

/* ---- Memory -------------------------------------------------------------- */

static void who_makes_it_hold_most_pays_and_nobody_else(void)
{
    enum { MUTES = 40, HELD_MAX = 256 << 10, ONE = 400 * 1000 };
    struct served served;
    int mutes[MUTES];
    uint64_t most = 0;
    served_start(&served,
        &(struct served_options){.memory = true, .held_max = HELD_MAX});
    int other = served_dial(&served);
    put_records(other, KV_SCAN_MAX);
    for (int i = 0; i < MUTES; i++) {
        mutes[i] = served_dial(&served);
        ask_for_streams(mutes[i]);
        most = u64_max(most, served_figure(other, "bytes_held"));
    }
    int64_t limit = clock_steady_ms() + SERVED_WAIT_MS;
    while (served_figure(other, "connections_shed") < MUTES / 2 &&
           clock_steady_ms() < limit) {
        most = u64_max(most, served_figure(other, "bytes_held"));
    }
    CHECK(served_figure(other, "connections_shed") >= MUTES / 2);
    CHECK(served_figure(other, "connections") > 1);
    CHECK(most > HELD_MAX / 2 && most <= HELD_MAX + ONE);
    served_check_alive(other);
    for (int i = 0; i < MUTES; i++) {
        close(mutes[i]);
    }
    served_await_figure(other, "connections", 1);
    CHECK_U64(served_figure(other, "bytes_held"), 0);
    close(other);
    served_end(&served);
}

const struct test_case test_server_late[] = {
    TEST_CASE(the_silent_are_closed_and_the_others_are_not),
    TEST_CASE(who_does_not_finish_is_closed_though_bytes_come),
    TEST_CASE(who_does_not_take_replies_is_closed),
    TEST_CASE(who_takes_them_slowly_is_not_closed),
    TEST_CASE(who_makes_it_hold_most_pays_and_nobody_else),
    TEST_END,
};
