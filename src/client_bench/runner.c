/* runner.c: one thread of the bench: an epoll loop over its connections. */
#include "client_bench/bench.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bytes.h"
#include "clock.h"
#include "client/link.h"

enum { EVENTS_MAX = 64, LOOK_MS = 50, PERCENT = 100 };

struct bench_connection {
    int fd;
    bool clogged;     /* epoll tells when it takes more */
    size_t count;     /* requests of the batch */
    size_t answered;  /* of these */
    size_t sent;      /* bytes */
    size_t held;      /* bytes of a reply that is not whole */
    int64_t begin_ns; /* when the batch was sent */
    kv_message_t *requests;
    kv_message_t part;
};

/* ---- What is asked ------------------------------------------------------- */

/* splitmix64: S. Vigna, https://prng.di.unimi.it/splitmix64.c */
static uint64_t draw(struct bench_runner *runner)
{
    runner->random += 0x9e3779b97f4a7c15u;
    uint64_t mixed = runner->random;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

/* Writes number as eight hexadecimal digits, all at once: each of its halves,
 * quarters and so on is moved to its place, then becomes a letter. */
static void write_digits(uint8_t *place, uint32_t number)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t digits = number;
    digits = (digits | digits << 16) & 0x0000ffff0000ffffu;
    digits = (digits | digits << 8) & 0x00ff00ff00ff00ffu;
    digits = (digits | digits << 4) & 0x0f0f0f0f0f0f0f0fu;
    uint64_t letters = (digits + ones * 6) >> 4 & ones;
    digits += ones * '0' + letters * ('a' - '0' - 10);
    digits = __builtin_bswap64(digits);
    memcpy(place, &digits, BENCH_DIGITS);
}

static uint32_t draw_key(struct bench_runner *runner, uint64_t random)
{
    const struct bench *bench = runner->bench;
    if (bench->settings.zipf > 0) {
        double uniform = (double)(draw(runner) >> 11) / (double)(1ull << 53);
        return (uint32_t)zipf_next(&bench->zipf, uniform);
    }
    return (uint32_t)((random >> 32) * (uint64_t)bench->settings.keys >> 32);
}

/* How many requests the next batch has; 0: the phase is over. */
static size_t batch_size(const struct bench_runner *runner, int64_t now_ns)
{
    const struct bench *bench = runner->bench;
    uint64_t depth = (uint64_t)bench->settings.depth;
    if (atomic_load_explicit(&bench->stop, memory_order_relaxed)) {
        return 0;
    }
    if (bench->phase == BENCH_MIX) {
        return now_ns < bench->measure_to_ns ? (size_t)depth : 0;
    }
    return (size_t)u64_min(depth, runner->end_key - runner->next_key);
}

static void compose(
    struct bench_runner *runner, struct bench_connection *connection)
{
    static const uint8_t types[BENCH_PHASES] = {
        [BENCH_FILL] = KV_PUT, [BENCH_CLEAN] = KV_DELETE};
    const struct bench *bench = runner->bench;
    size_t prefix = strlen(bench->prefix);
    uint64_t reads = (uint64_t)bench->settings.reads;
    uint8_t type = types[bench->phase];
    for (size_t i = 0; i < connection->count; i++) {
        kv_message_t *request = &connection->requests[i];
        uint32_t key;
        if (bench->phase == BENCH_MIX) {
            uint64_t random = draw(runner);
            bool reads_it = ((random & UINT32_MAX) * PERCENT >> 32) < reads;
            type = reads_it ? KV_GET : KV_PUT;
            key = draw_key(runner, random);
        } else {
            key = (uint32_t)runner->next_key++;
        }
        if (request->type != type) {
            *request = runner->templates[type];
        }
        write_digits(request->key + prefix, key);
    }
}

/* ---- Failure ------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void fail(
    struct bench_runner *runner, kv_error_t failure, const char *format, ...)
{
    if (runner->failure == KV_SUCCESS) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(runner->why, sizeof runner->why, format, arguments);
        va_end(arguments);
        runner->failure = failure;
        atomic_store(&runner->bench->stop, true);
    }
}

static void fail_lost(struct bench_runner *runner, int64_t error)
{
    char text[LINK_WHY_MAX];
    fail(runner, KV_LOST, "connection lost: %s",
        error == -EPIPE ? "the server closed it"
                        : strerror_r((int)-error, text, sizeof text));
}

/* ---- The loop ------------------------------------------------------------ */

static bool watch(struct bench_runner *runner,
    struct bench_connection *connection, int operation, bool clogged)
{
    struct epoll_event event = {
        .events = clogged ? EPOLLIN | EPOLLOUT : EPOLLIN,
        .data.ptr = connection};
    connection->clogged = clogged;
    if (epoll_ctl(runner->epoll, operation, connection->fd, &event) != 0) {
        fail(runner, KV_NO_MEMORY, "epoll does not take a connection: %s",
            strerrordesc_np(errno));
        return false;
    }
    return true;
}

static void send_batch(
    struct bench_runner *runner, struct bench_connection *connection)
{
    size_t size = connection->count * KV_MESSAGE_SIZE;
    const uint8_t *bytes = (const uint8_t *)connection->requests;
    while (connection->sent < size) {
        int64_t moved = link_send(
            connection->fd, bytes + connection->sent, size - connection->sent);
        if (moved <= 0) {
            /* An error is left to the receiving: what the server said before
             * it closed the connection is still there. */
            break;
        }
        connection->sent += (size_t)moved;
    }
    bool clogged = connection->sent < size;
    if (clogged != connection->clogged) {
        (void)watch(runner, connection, EPOLL_CTL_MOD, clogged);
    }
}

/* Begins the next batch of a connection, unless the phase is over. */
static void begin_batch(struct bench_runner *runner,
    struct bench_connection *connection, int64_t now_ns)
{
    assert(connection->answered == connection->count);
    connection->count = batch_size(runner, now_ns);
    connection->answered = 0;
    connection->sent = 0;
    if (connection->count == 0) {
        runner->busy--;
        return;
    }
    compose(runner, connection);
    connection->begin_ns = now_ns;
    send_batch(runner, connection);
}

/* A reply that is no success: what of it is right, and what an error. */
static void judge_status(struct bench_runner *runner, const kv_message_t *reply)
{
    if (reply->status == KV_NOT_FOUND && reply->type != KV_PUT) {
        runner->counts.misses += reply->type == KV_GET ? 1 : 0;
        return;
    }
    runner->counts.errors++;
    if (runner->first_error == KV_SUCCESS) {
        size_t length = u64_min(reply->value_len, KV_VALUE_MAX);
        runner->first_error = (kv_error_t)reply->status;
        (void)snprintf(runner->why, sizeof runner->why, "%s: %s: %.*s",
            kv_request_name(reply->type), kv_error_name(reply->status),
            (int)length, (const char *)reply->value);
    }
}

/* A reply that does not answer the request. */
static void judge_strange(
    struct bench_runner *runner, const kv_message_t *reply)
{
    if (reply->type == 0 && reply->status != KV_SUCCESS) {
        size_t length = u64_min(reply->value_len, KV_VALUE_MAX);
        fail(runner, (kv_error_t)reply->status, "the server refuses: %.*s",
            (int)length, (const char *)reply->value);
        return;
    }
    fail(runner, KV_STRANGE_REPLY,
        "a reply of type %u does not match its request; is it a fixkv server "
        "of this version?",
        (unsigned)reply->type);
}

/* Compares count replies with their requests; false: the run is over. */
static bool take_replies(struct bench_runner *runner,
    struct bench_connection *connection, size_t count, int64_t now_ns)
{
    const struct bench *bench = runner->bench;
    uint64_t reads = 0;
    uint64_t refused = 0;
    for (size_t i = 0; i < count; i++) {
        const kv_message_t *reply = &runner->replies[i];
        const kv_message_t *request =
            &connection->requests[connection->answered + i];
        if (reply->type != request->type ||
            memcmp(reply->key, request->key, KV_KEY_SIZE) != 0) {
            judge_strange(runner, reply);
            return false;
        }
        if (reply->status != KV_SUCCESS) {
            refused += reply->type == KV_PUT ? 1 : 0;
            judge_status(runner, reply);
        }
        reads += reply->type == KV_GET ? 1 : 0;
    }
    connection->answered += count;
    uint64_t writes = count - reads;
    if (bench->phase != BENCH_CLEAN) {
        runner->counts.put += writes - refused;
    }
    if (bench->phase == BENCH_MIX && now_ns >= bench->measure_from_ns &&
        now_ns < bench->measure_to_ns) {
        uint64_t duration = (uint64_t)(now_ns - connection->begin_ns);
        histogram_add(&runner->reads, duration, reads);
        histogram_add(&runner->writes, duration, writes);
    }
    return true;
}

static void receive(
    struct bench_runner *runner, struct bench_connection *connection)
{
    size_t wanted =
        (connection->count - connection->answered) * KV_MESSAGE_SIZE;
    uint8_t *bytes = (uint8_t *)runner->replies;
    if (wanted == 0) {
        /* Nothing is outstanding: this is the end, or a surplus. */
        wanted = KV_MESSAGE_SIZE;
    }
    memcpy(bytes, &connection->part, connection->held);
    int64_t moved = link_receive(
        connection->fd, bytes + connection->held, wanted - connection->held);
    if (moved < 0) {
        fail_lost(runner, moved);
        return;
    }
    size_t size = connection->held + (size_t)moved;
    size_t count = size / KV_MESSAGE_SIZE;
    connection->held = size % KV_MESSAGE_SIZE;
    memcpy(
        &connection->part, bytes + size - connection->held, connection->held);
    if (count == 0) {
        return;
    }
    if ((connection->answered + count) * KV_MESSAGE_SIZE > connection->sent) {
        judge_strange(runner, runner->replies);
        return;
    }
    int64_t now_ns = clock_steady_ns();
    if (take_replies(runner, connection, count, now_ns) &&
        connection->answered == connection->count) {
        begin_batch(runner, connection, now_ns);
    }
}

static void serve_events(
    struct bench_runner *runner, struct epoll_event *events, int count)
{
    for (int i = 0; i < count && runner->failure == KV_SUCCESS; i++) {
        struct bench_connection *connection = events[i].data.ptr;
        if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0) {
            receive(runner, connection);
        }
        if ((events[i].events & EPOLLOUT) != 0 && connection->clogged &&
            runner->failure == KV_SUCCESS) {
            send_batch(runner, connection);
        }
    }
}

static void loop(struct bench_runner *runner)
{
    struct epoll_event events[EVENTS_MAX];
    int timeout_ms = runner->bench->program->timeout_ms;
    int silent_ms = 0;
    while (runner->busy > 0 && runner->failure == KV_SUCCESS) {
        int count = epoll_wait(runner->epoll, events, EVENTS_MAX, LOOK_MS);
        if (count > 0) {
            serve_events(runner, events, count);
            silent_ms = 0;
        } else if (count == 0) {
            silent_ms += LOOK_MS;
        } else if (errno != EINTR) {
            fail(runner, KV_NO_MEMORY, "epoll: %s", strerrordesc_np(errno));
        }
        if (silent_ms >= timeout_ms) {
            fail(runner, KV_TIMED_OUT, "no reply within %d ms", timeout_ms);
        }
    }
}

void bench_runner_run(struct bench_runner *runner)
{
    const struct bench_settings *settings = &runner->bench->settings;
    uint64_t keys = (uint64_t)settings->keys;
    uint64_t threads = (uint64_t)settings->threads;
    int64_t now_ns = clock_steady_ns();
    runner->next_key = keys * runner->number / threads;
    runner->end_key = keys * (runner->number + 1) / threads;
    runner->busy = runner->connections_count;
    for (size_t i = 0; i < runner->connections_count; i++) {
        if (runner->failure == KV_SUCCESS) {
            begin_batch(runner, &runner->connections[i], now_ns);
        }
    }
    loop(runner);
    int error = eventfd_write(runner->bench->finished, 1);
    assert(error == 0);
}

/* ---- Setup and teardown -------------------------------------------------- */

static void fill_templates(struct bench_runner *runner)
{
    const struct bench *bench = runner->bench;
    uint8_t value[KV_VALUE_MAX];
    memset(value, 'v', sizeof value);
    for (int type = KV_PUT; type <= KV_DELETE; type++) {
        size_t size = type == KV_PUT ? (size_t)bench->settings.size : 0;
        kv_error_t error = kv_message_fill(&runner->templates[type], type,
            bench->prefix, strlen(bench->prefix), value, size);
        assert(error == KV_SUCCESS);
    }
}

static int open_connections(struct bench_runner *runner, size_t wanted)
{
    const struct program *program = runner->bench->program;
    char why[LINK_WHY_MAX];
    for (size_t i = 0; i < wanted; i++) {
        struct bench_connection *connection = &runner->connections[i];
        connection->fd =
            link_open(program->host, program->port, program->timeout_ms, why);
        if (connection->fd < 0) {
            return program_fail(PROGRAM_LOST,
                "cannot connect to %s:%d (%zu connections of this thread are "
                "open): %s",
                program->host, program->port, i, why);
        }
        runner->connections_count++;
        connection->requests =
            calloc((size_t)runner->bench->settings.depth, KV_MESSAGE_SIZE);
        if (connection->requests == NULL) {
            return program_fail(PROGRAM_LOCAL, "no memory for the requests");
        }
        if (!watch(runner, connection, EPOLL_CTL_ADD, false)) {
            return program_fail(PROGRAM_LOCAL, "%s", runner->why);
        }
    }
    return PROGRAM_YES;
}

struct bench_runner *bench_runner_create(
    struct bench *bench, unsigned number, int *status)
{
    const struct bench_settings *settings = &bench->settings;
    size_t threads = (size_t)settings->threads;
    size_t wanted = (size_t)settings->connections / threads +
                    (number < (size_t)settings->connections % threads ? 1 : 0);
    struct bench_runner *runner = calloc(1, sizeof *runner);
    if (runner == NULL) {
        *status = program_fail(PROGRAM_LOCAL, "no memory for a thread");
        return NULL;
    }
    runner->bench = bench;
    runner->number = number;
    runner->random = (uint64_t)clock_steady_ns() + number;
    runner->epoll = epoll_create1(EPOLL_CLOEXEC);
    runner->connections = calloc(wanted, sizeof *runner->connections);
    runner->replies = calloc((size_t)settings->depth, KV_MESSAGE_SIZE);
    if (runner->epoll < 0 || runner->connections == NULL ||
        runner->replies == NULL) {
        *status = program_fail(PROGRAM_LOCAL, "no memory for a thread");
    } else {
        fill_templates(runner);
        *status = open_connections(runner, wanted);
    }
    if (*status != PROGRAM_YES) {
        bench_runner_destroy(runner);
        return NULL;
    }
    return runner;
}

void bench_runner_destroy(struct bench_runner *runner)
{
    if (runner == NULL) {
        return;
    }
    for (size_t i = 0; i < runner->connections_count; i++) {
        link_close(&runner->connections[i].fd);
        free(runner->connections[i].requests);
    }
    link_close(&runner->epoll);
    free(runner->connections);
    free(runner->replies);
    free(runner);
}
