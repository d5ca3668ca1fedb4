/* raw.c: what only bytes on a socket can say: messages that are malformed, cut
 * in pieces, or never finished. */
#include "client_test/test.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "bytes.h"
#include "clock.h"
#include "client/link.h"

struct raw {
    struct test *test;
    int fd; /* -1: closed */
};

static struct raw raw_open(struct test *test)
{
    char why[LINK_WHY_MAX];
    struct raw raw = {.test = test};
    raw.fd =
        link_open(test->program->host, test->program->port, TEST_WAIT_MS, why);
    if (raw.fd < 0) {
        raw.fd = -1;
        test_fail(test, "one more connection: %s", why);
    }
    return raw;
}

static void raw_close(struct raw *raw)
{
    link_close(&raw->fd);
}

static void raw_send(struct raw *raw, const void *bytes, size_t size)
{
    int64_t deadline_ms = clock_steady_ms() + TEST_WAIT_MS;
    size_t sent = 0;
    while (raw->fd >= 0 && sent < size) {
        int64_t moved =
            link_send(raw->fd, (const uint8_t *)bytes + sent, size - sent);
        int waited = moved == 0 ? link_wait(raw->fd, POLLOUT, deadline_ms) : 0;
        if (moved < 0 || waited < 0) {
            test_fail(
                raw->test, "the server takes %zu bytes of %zu", sent, size);
            raw_close(raw);
            return;
        }
        sent += (size_t)moved;
    }
}

/* Up to size bytes, fewer if the peer closes or is silent. */
static size_t raw_receive(struct raw *raw, void *bytes, size_t size)
{
    int64_t deadline_ms = clock_steady_ms() + TEST_WAIT_MS;
    size_t held = 0;
    while (raw->fd >= 0 && held < size) {
        int64_t moved =
            link_receive(raw->fd, (uint8_t *)bytes + held, size - held);
        if (moved < 0 ||
            (moved == 0 && link_wait(raw->fd, POLLIN, deadline_ms) < 0)) {
            break;
        }
        held += (size_t)moved;
    }
    return held;
}

/* The next reply; its status is KV_UNAVAILABLE if there is none. */
static kv_message_t raw_reply(struct raw *raw)
{
    kv_message_t reply = {0};
    size_t size = raw_receive(raw, &reply, sizeof reply);
    if (size < sizeof reply) {
        test_fail(raw->test, "a reply: got %zu bytes, wanted %zu", size,
            sizeof reply);
        reply = (kv_message_t){.status = KV_UNAVAILABLE};
    }
    return reply;
}

/* Sends one message and expects its reply: the echo and a status. */
static void raw_wants(struct raw *raw, const char *what,
    const kv_message_t *message, kv_error_t wanted)
{
    raw_send(raw, message, sizeof *message);
    kv_message_t reply = raw_reply(raw);
    test_wants_reply(raw->test, what, &reply, wanted);
    if (reply.type != message->type ||
        memcmp(reply.key, message->key, KV_KEY_SIZE) != 0) {
        test_fail(raw->test, "%s: type or key is not echoed", what);
    }
    if (wanted != KV_SUCCESS && reply.value_len == 0) {
        test_fail(raw->test, "%s: got no sentence that says why", what);
    }
}

static void malformed(struct test *test)
{
    struct raw raw = raw_open(test);
    const kv_message_t good =
        test_message(test, (struct ask){KV_PUT, "r", "1"});
    kv_message_t bad = good;
    raw_wants(&raw, "a good one first", &good, KV_SUCCESS);
    bad.value_len = KV_VALUE_MAX + 1;
    raw_wants(&raw, "value_len 257", &bad, KV_INVALID);
    bad.value_len = UINT16_MAX;
    raw_wants(&raw, "value_len 65535", &bad, KV_INVALID);
    bad = good;
    bad.value[KV_VALUE_MAX - 1] = 1;
    raw_wants(&raw, "dirt behind the value", &bad, KV_INVALID);
    bad = good;
    bad.status = 1;
    raw_wants(&raw, "status 1 in a request", &bad, KV_INVALID);
    bad = good;
    memset(bad.key, 0, sizeof bad.key);
    raw_wants(&raw, "a key of zeros", &bad, KV_INVALID);
    raw_wants(&raw, "a good one after them", &good, KV_SUCCESS);
    raw_close(&raw);
    test_wants_text(test, (struct ask){KV_GET, "r", ""}, "1");
}

static void unknown_types(struct test *test)
{
    struct raw raw = raw_open(test);
    kv_message_t message = test_message(test, (struct ask){KV_PUT, "y", "1"});
    raw_wants(&raw, "a good one first", &message, KV_SUCCESS);
    for (unsigned type = 0; type < KV_LINKED && !test->disappointed; type++) {
        if (type == 0 || type > KV_BACKUP) {
            char what[] = "type 000";
            (void)snprintf(what, sizeof what, "type %u", type);
            message.type = (uint8_t)type;
            raw_wants(&raw, what, &message, KV_INVALID);
        }
    }
    raw_close(&raw);
}

static void bad_cursor(struct test *test)
{
    struct raw raw = raw_open(test);
    const kv_message_t scan =
        test_message(test, (struct ask){KV_SCAN, "", "not a cursor"});
    raw_wants(&raw, "SCAN", &scan, KV_INVALID);
    raw_close(&raw);
}

/* A stream is no member of a chain. */
static void streams_in_chains(struct test *test)
{
    static const int types[] = {KV_SCAN, KV_STATS};
    struct raw raw = raw_open(test);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        kv_message_t chain[] = {
            test_message(test, (struct ask){KV_PUT, "st", "1"}),
            test_message(test, (struct ask){types[i], NULL, ""})};
        test_link(chain, ARRAY_SIZE(chain));
        raw_send(&raw, chain, sizeof chain);
        kv_message_t first = raw_reply(&raw);
        kv_message_t second = raw_reply(&raw);
        test_wants_reply(test, "PUT", &first, KV_ABORTED);
        test_wants_reply(test, "the stream", &second, KV_INVALID);
    }
    raw_close(&raw);
    test_wants(test, (struct ask){KV_GET, "st", ""}, KV_NOT_FOUND);
}

static void in_pieces(struct test *test)
{
    struct raw raw = raw_open(test);
    kv_message_t pair[] = {
        test_message(test, (struct ask){KV_PUT, "p", "piece by piece"}),
        test_message(test, (struct ask){KV_GET, "p", ""})};
    const uint8_t *bytes = (const uint8_t *)pair;
    for (size_t i = 0; i < sizeof pair; i++) {
        raw_send(&raw, bytes + i, 1);
    }
    kv_message_t put = raw_reply(&raw);
    kv_message_t get = raw_reply(&raw);
    test_wants_reply(test, "PUT", &put, KV_SUCCESS);
    test_wants_bytes(
        test, "GET", &get, "piece by piece", strlen("piece by piece"));
    raw_close(&raw);
}

static void never_finished(struct test *test)
{
    const kv_message_t put =
        test_message(test, (struct ask){KV_PUT, "half", "1"});
    struct raw raw = raw_open(test);
    raw_send(&raw, &put, sizeof put - 1);
    raw_close(&raw);

    kv_message_t chain[] = {
        test_message(test, (struct ask){KV_PUT, "half", "2"}),
        test_message(test, (struct ask){KV_PUT, "half", "3"})};
    test_link(chain, ARRAY_SIZE(chain));
    raw = raw_open(test);
    raw_send(&raw, chain, sizeof chain - 1);
    /* Nothing of it is to be seen while its last byte is missing. */
    test_wants(test, (struct ask){KV_GET, "half", ""}, KV_NOT_FOUND);
    raw_close(&raw);
    test_wants(test, (struct ask){KV_GET, "half", ""}, KV_NOT_FOUND);
}

static void finished_later(struct test *test)
{
    struct raw raw = raw_open(test);
    kv_message_t chain[] = {
        test_message(test, (struct ask){KV_PUT, "late", "1"}),
        test_message(test, (struct ask){KV_PUT, "later", "2"})};
    test_link(chain, ARRAY_SIZE(chain));
    raw_send(&raw, &chain[0], sizeof chain[0]);
    test_wants(test, (struct ask){KV_GET, "late", ""}, KV_NOT_FOUND);
    raw_send(&raw, &chain[1], sizeof chain[1]);
    kv_message_t first = raw_reply(&raw);
    kv_message_t second = raw_reply(&raw);
    test_wants_reply(test, "first", &first, KV_SUCCESS);
    test_wants_reply(test, "second", &second, KV_SUCCESS);
    raw_close(&raw);
    test_wants_text(test, (struct ask){KV_GET, "late", ""}, "1");
    test_wants_text(test, (struct ask){KV_GET, "later", ""}, "2");
}

static void half_closed(struct test *test)
{
    struct raw raw = raw_open(test);
    kv_message_t pair[] = {test_message(test, (struct ask){KV_PUT, "h", "1"}),
        test_message(test, (struct ask){KV_GET, "h", ""})};
    raw_send(&raw, pair, sizeof pair);
    if (raw.fd >= 0 && shutdown(raw.fd, SHUT_WR) != 0) {
        test_fail(test, "the server has closed the connection");
    }
    kv_message_t put = raw_reply(&raw);
    kv_message_t get = raw_reply(&raw);
    test_wants_reply(test, "PUT", &put, KV_SUCCESS);
    test_wants_bytes(test, "GET", &get, "1", 1);
    raw_close(&raw);
}

static void foreign(struct test *test)
{
    uint8_t answer[KV_MESSAGE_SIZE] = {0};
    const kv_message_t put = test_message(test, (struct ask){KV_PUT, "f", "1"});
    struct raw raw = raw_open(test);
    raw_send(&raw, "\x7f\x01\x02\x03", 4);
    size_t size = raw_receive(&raw, answer, sizeof answer);
    if (size < sizeof answer || answer[0] != 0 || answer[1] != KV_INVALID) {
        test_fail(test,
            "first byte 127: got %zu bytes of type %u, status %u, wanted %d of "
            "type 0, status %d",
            size, (unsigned)answer[0], (unsigned)answer[1], KV_MESSAGE_SIZE,
            KV_INVALID);
    }
    raw_close(&raw);
    raw = raw_open(test);
    raw_wants(&raw, "a good one on a new connection", &put, KV_SUCCESS);
    raw_close(&raw);
}

const struct check test_raw[] = {
    {"bytes: malformed messages are refused, and the next is served",
        malformed},
    {"bytes: unknown requests are refused", unknown_types},
    {"bytes: a scan with a cursor that is none is refused", bad_cursor},
    {"bytes: a stream in a chain is refused", streams_in_chains},
    {"bytes: one by one they make the same requests", in_pieces},
    {"bytes: what is never finished has no effect", never_finished},
    {"bytes: a chain has its effect when its last byte is there",
        finished_later},
    {"bytes: who has sent his last is still answered", half_closed},
    {"bytes: another protocol is told so", foreign}, {NULL, NULL}};
