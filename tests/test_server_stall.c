/* A disk that does not answer: reads go on, writes are told BUSY in time, and
 * all goes on by itself.  Who syncs the log holds its sync_lock; so whoever
 * holds that lock here is a disk that keeps a sync waiting. */
#include "served.h"

#include "clock.h"
#include "server/worker.h"
#include "storage/state.h"
#include "wal/state.h"

#include <string.h>
#include <unistd.h>

enum {
    LATE_MS = 20000, /* of a machine that has other things to do */
    /* Time to send some requests before the first is due to be told BUSY. */
    STALL_MS = 2 * STORAGE_STALL_MS,
    STALLED_MS = 100, /* longer than anything but a sync takes */
    LENT_MAX = WORKER_BUNDLES_MAX - 1,
    MANY = WORKER_BUNDLES_MAX + 6
};

static void hold(const struct served *served)
{
    CHECK_INT(pthread_mutex_lock(&served->storage->wal->sync_lock), 0);
}

/* The same, once the log has fallen silent and has its mark, and whoever synced
 * it has come back from that: so nothing but what is asked for from now on is
 * synced, and no silence is older.  fd: a connection, the first. */
static void stall(const struct served *served, int fd)
{
    const uint64_t put_and_mark = 2;
    kv_message_t reply = served_call(fd, KV_PUT, "here", "before");
    served_check_reply(&reply, KV_SUCCESS, "");
    served_await_figure(fd, "lsn_durable", put_and_mark);
    served_await_figure(fd, "disk_silent_ms", 0);
    hold(served);
}

/* fd: a connection to see by that all is done that waited. */
static void answer(const struct served *served, int fd)
{
    CHECK_INT(pthread_mutex_unlock(&served->storage->wal->sync_lock), 0);
    served_await_figure(fd, "disk_silent_ms", 0);
}

static void put(int fd, const char *key, const char *value)
{
    kv_message_t request = served_request(KV_PUT, key, value);
    served_send(fd, &request, sizeof request);
}

/* Waits until a group is with the disk: what is written from now on is not in
 * it. */
static void await_stall(int fd)
{
    int64_t limit_ms = clock_steady_ms() + SERVED_WAIT_MS;
    uint64_t silent_ms = 0;
    while (silent_ms < STALLED_MS && clock_steady_ms() < limit_ms) {
        silent_ms = served_figure(fd, "disk_silent_ms");
    }
    CHECK(silent_ms >= STALLED_MS);
}

/* The next reply is BUSY, with these words in its text. */
static void check_busy(int fd, const char *words)
{
    kv_message_t reply = {0};
    char text[KV_VALUE_MAX + 1] = "";
    CHECK_INT(served_receive(fd, &reply, sizeof reply), sizeof reply);
    CHECK_INT(reply.status, KV_BUSY);
    memcpy(text, reply.value, KV_VALUE_MAX);
    if (strstr(text, words) == NULL) {
        CHECK_TEXT(text, words);
    }
}

static void check_get(int fd, const char *key, const char *value)
{
    kv_message_t reply = served_call(fd, KV_GET, key, "");
    served_check_reply(&reply, value == NULL ? KV_NOT_FOUND : KV_SUCCESS,
        value == NULL ? "" : value);
}

static void put_in_time(int fd, const char *key, const char *value)
{
    kv_message_t reply = served_call(fd, KV_PUT, key, value);
    served_check_reply(&reply, KV_SUCCESS, "");
}

static const struct served_options always = {
    .sync = KV_SYNC_ALWAYS, .stall_ms = STALL_MS};
/* Nobody is told BUSY because he waits for too long. */
static const struct served_options patient = {.sync = KV_SYNC_ALWAYS};

/* Who wrote first has his write with the disk, who wrote next has it queued,
 * and who comes late need not wait. */
static void writes_are_told_busy_and_reads_go_on(void)
{
    struct served served;
    served_start(&served, &always);
    int reader = served_dial(&served);
    int first = served_dial(&served);
    int next = served_dial(&served);
    stall(&served, reader);
    int64_t started_ms = clock_steady_ms();
    put(first, "first", "1");
    await_stall(reader);
    put(next, "next", "2");
    do {
        check_get(reader, "here", "before");
    } while (served_figure(reader, "writes_busy") < 2 &&
             clock_steady_ms() - started_ms < LATE_MS);
    CHECK(clock_steady_ms() - started_ms >= STALL_MS);
    check_busy(first, "may yet be");
    check_busy(next, "nothing was written");
    kv_message_t late = served_request(KV_PUT, "late", "3");
    served_send(reader, &late, sizeof late);
    check_busy(reader, "nothing was written");
    CHECK_U64(served_figure(reader, "stalls"), 1);
    check_get(first, "first", NULL);
    answer(&served, reader);
    put_in_time(next, "after", "4");
    check_get(reader, "first", "1");
    check_get(reader, "next", NULL);
    check_get(reader, "late", NULL);
    CHECK_U64(served_figure(reader, "stalls"), 1);
    CHECK_U64(served_figure(reader, "writes_busy"), 3);
    close(first);
    close(next);
    close(reader);
    served_end(&served);
}

/* Of what one connection has sent, what stands before its first write is
 * answered as ever, a malformed member of a chain too. */
static void a_span_is_answered_in_order(void)
{
    struct served served;
    kv_message_t replies[6];
    kv_message_t requests[6] = {
        served_request(KV_GET, "here", ""),
        served_request(KV_PUT, "one", "1"),
        served_request(KV_GET, "here", ""),
        served_request(KV_PUT | KV_LINKED, "two", "2"),
        served_request(77 | KV_LINKED, "three", "3"),
        served_request(KV_PUT, "four", "4"),
    };
    served_start(&served, &always);
    int fd = served_dial(&served);
    stall(&served, fd);
    served_send(fd, requests, sizeof requests);
    CHECK_INT(served_receive(fd, replies, sizeof replies), sizeof replies);
    for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
        CHECK_INT(replies[i].type, requests[i].type);
        CHECK_BYTES(replies[i].key, requests[i].key, KV_KEY_SIZE);
        CHECK_INT(replies[i].status, i == 0   ? KV_SUCCESS
                                     : i == 4 ? KV_INVALID
                                              : KV_BUSY);
    }
    served_check_reply(&replies[0], KV_SUCCESS, "before");
    /* What is received now is a read again, though a write stands before. */
    served_send(fd, requests, 3 * sizeof *requests);
    CHECK_INT(
        served_receive(fd, replies, 3 * sizeof *replies), 3 * sizeof *replies);
    CHECK_INT(replies[1].status, KV_BUSY);
    served_check_reply(&replies[2], KV_SUCCESS, "before");
    answer(&served, fd);
    put_in_time(fd, "here", "after");
    check_get(fd, "one", "1");
    check_get(fd, "two", NULL);
    check_get(fd, "four", NULL);
    close(fd);
    served_end(&served);
}

/* However many write, one bundle is left for those who read.  A read that is
 * sent after a write, and answered, has that write received in a turn before
 * the next one: more of them than there are bundles. */
static void one_bundle_is_left_for_reads(void)
{
    struct served served;
    int writers[MANY];
    served_start(&served, &patient);
    int reader = served_dial(&served);
    for (unsigned i = 0; i < MANY; i++) {
        writers[i] = served_dial(&served);
        served_check_alive(writers[i]);
    }
    stall(&served, reader);
    for (unsigned i = 0; i < MANY; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key %u", i);
        put(writers[i], key, "1");
        check_get(reader, "here", "before");
        if (i == 0) {
            await_stall(reader);
        }
    }
    for (unsigned i = LENT_MAX; i < MANY; i++) {
        check_busy(writers[i], "63 batches wait for it");
    }
    answer(&served, reader);
    for (unsigned i = 0; i < MANY; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key %u", i);
        if (i < LENT_MAX) {
            kv_message_t reply;
            CHECK_INT(
                served_receive(writers[i], &reply, sizeof reply), sizeof reply);
            served_check_reply(&reply, KV_SUCCESS, "");
        }
        check_get(reader, key, i < LENT_MAX ? "1" : NULL);
        close(writers[i]);
    }
    put_in_time(reader, "here", "after");
    check_get(reader, "here", "after");
    close(reader);
    served_end(&served);
}

/* A stop tells those who wait, and ends when the disk has answered. */
static void a_stop_waits_for_the_disk_alone(void)
{
    struct served served;
    served_start(&served, &always);
    int fd = served_dial(&served);
    stall(&served, fd);
    put(fd, "here", "after");
    served_await_sent(fd);
    server_stop(served.server);
    check_busy(fd, "the disk");
    CHECK(served_is_over(fd));
    CHECK_INT(pthread_mutex_unlock(&served.storage->wal->sync_lock), 0);
    served_join(&served);
    close(fd);
    served_end(&served);
}

/* With everysec writes go on until the second at stake has become two more. */
static void everysec_bounds_what_is_at_stake(void)
{
    const struct served_options everysec = {
        .sync = KV_SYNC_EVERYSEC, .stall_ms = STORAGE_STALL_MS};
    struct served served;
    kv_message_t reply;
    served_start(&served, &everysec);
    int fd = served_dial(&served);
    hold(&served);
    int64_t started_ms = clock_steady_ms();
    do {
        reply = served_call(fd, KV_PUT, "here", "meanwhile");
    } while (
        reply.status == KV_SUCCESS && clock_steady_ms() - started_ms < LATE_MS);
    CHECK(clock_steady_ms() - started_ms >= STORAGE_STALL_MS);
    CHECK_INT(reply.status, KV_BUSY);
    check_get(fd, "here", "meanwhile");
    answer(&served, fd);
    put_in_time(fd, "here", "after");
    check_get(fd, "here", "after");
    close(fd);
    served_end(&served);
}

const struct test_case test_server_stall[] = {
    TEST_CASE(writes_are_told_busy_and_reads_go_on),
    TEST_CASE(a_span_is_answered_in_order),
    TEST_CASE(one_bundle_is_left_for_reads),
    TEST_CASE(a_stop_waits_for_the_disk_alone),
    TEST_CASE(everysec_bounds_what_is_at_stake),
    TEST_END,
};
