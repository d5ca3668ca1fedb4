#include "torture/history/record.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "torture/history/request.h"
#include "tcp.h"

enum { OPS_LEAST = 1024 };

struct record_connection {
    struct recorder *recorder;
    pthread_t thread;
    int fd;
    uint32_t session;
    struct requester requester;
    struct linear_op *ops; /* of all its sessions */
    uint32_t room;
    uint32_t sent;     /* ops that were sent, of the room */
    uint32_t answered; /* of these; the others have no answer yet */
    bool lost;
};

/* ---- Among the threads --------------------------------------------------- */

static void lock(struct recorder *recorder)
{
    int error = pthread_mutex_lock(&recorder->lock);
    assert(error == 0);
    (void)error;
}

static void unlock(struct recorder *recorder)
{
    int error = pthread_mutex_unlock(&recorder->lock);
    assert(error == 0);
    (void)error;
}

static void complain(
    struct record_connection *connection, const char *what, const char *more)
{
    (void)printf("connection %" PRIu32 ": %s%s%s\n",
        connection->requester.number, what, more[0] == '\0' ? "" : ": ", more);
    lock(connection->recorder);
    connection->recorder->complained = true;
    unlock(connection->recorder);
}

static bool is_over(struct recorder *recorder)
{
    lock(recorder);
    bool over = recorder->over;
    unlock(recorder);
    return over;
}

static void count_answer(struct recorder *recorder)
{
    lock(recorder);
    recorder->answered++;
    if (recorder->answered == recorder->awaited) {
        pthread_cond_signal(&recorder->moved);
    }
    unlock(recorder);
}

/* ---- One connection ------------------------------------------------------ */

/* Room for one more operation; false if there is no memory. */
static bool make_room(struct record_connection *connection)
{
    if (connection->sent < connection->room) {
        return true;
    }
    uint32_t room = connection->room == 0 ? OPS_LEAST : 2 * connection->room;
    struct linear_op *ops = realloc(connection->ops, room * sizeof *ops);
    if (ops == NULL) {
        complain(connection, "no memory", "");
        return false;
    }
    connection->ops = ops;
    connection->room = room;
    return true;
}

static bool send_burst(struct record_connection *connection, uint32_t count)
{
    kv_message_t messages[RECORD_DEPTH_MAX * LINEAR_STEPS_MAX];
    uint32_t length = 0;
    uint32_t first = connection->sent;
    for (uint32_t i = 0; i < count; i++) {
        if (!make_room(connection)) {
            return false;
        }
        struct linear_op *op = &connection->ops[connection->sent++];
        *op = (struct linear_op){.return_ns = INT64_MAX,
            .session = connection->session,
            .open = true};
        request_choose(&connection->requester, op);
        request_fill(op, connection->recorder->number, &messages[length]);
        length += op->length;
    }
    int64_t now_ns = clock_steady_ns();
    for (uint32_t i = first; i < connection->sent; i++) {
        connection->ops[i].call_ns = now_ns;
    }
    return tcp_send(connection->fd, messages, length * sizeof messages[0]);
}

/* Statuses that do not tell whether a write took effect, or may yet do. */
static bool tells_nothing(const struct linear_op *op)
{
    for (uint32_t i = 0; i < op->length; i++) {
        uint8_t status = op->steps[i].status;
        if (status == KV_BUSY || status == KV_READ_ONLY ||
            status == KV_INTERNAL) {
            return true;
        }
    }
    return false;
}

/* The replies to the first operation that waits. */
static bool receive_answer(struct record_connection *connection)
{
    struct linear_op *op = &connection->ops[connection->answered];
    kv_message_t requests[LINEAR_STEPS_MAX];
    kv_message_t replies[LINEAR_STEPS_MAX];
    struct linear_op answered = *op;
    if (!tcp_receive(connection->fd, replies, op->length * sizeof replies[0])) {
        if (errno == EAGAIN) {
            complain(connection, "no answer", "");
        }
        return false;
    }
    answered.return_ns = clock_steady_ns();
    request_fill(op, connection->recorder->number, requests);
    for (uint32_t i = 0; i < op->length; i++) {
        if (!request_take(&answered.steps[i], &requests[i], &replies[i])) {
            complain(connection, "a reply to something else",
                kv_request_name(replies[i].type));
            return false;
        }
    }
    connection->answered++;
    if (tells_nothing(&answered)) {
        op->session = LINEAR_NO_SESSION;
    } else {
        answered.open = false;
        *op = answered;
        request_learn(&connection->requester, op);
    }
    count_answer(connection->recorder);
    return true;
}

static void converse(struct record_connection *connection)
{
    struct test_random *random = &connection->requester.random;
    uint32_t depth = connection->recorder->shape.depth;
    while (!connection->lost) {
        uint32_t waiting = connection->sent - connection->answered;
        bool over = is_over(connection->recorder);
        if (over && waiting == 0) {
            return;
        }
        if (!over && waiting < depth) {
            uint32_t burst =
                1 + (uint32_t)test_random_below(random, depth - waiting);
            connection->lost = !send_burst(connection, burst);
            waiting = connection->sent - connection->answered;
        }
        uint32_t left = over ? 0 : (uint32_t)test_random_below(random, waiting);
        while (!connection->lost &&
               connection->sent - connection->answered > left) {
            connection->lost = !receive_answer(connection);
        }
    }
}

static void *run(void *context)
{
    struct record_connection *connection = context;
    struct recorder *recorder = connection->recorder;
    connection->fd = tcp_dial(recorder->port);
    connection->lost = connection->fd < 0;
    converse(connection);
    if (connection->fd >= 0) {
        (void)close(connection->fd);
    }
    lock(recorder);
    recorder->running--;
    pthread_cond_signal(&recorder->moved);
    unlock(recorder);
    return NULL;
}

/* ---- All of them --------------------------------------------------------- */

bool record_init(struct recorder *recorder, const struct record_shape *shape,
    uint32_t number, uint64_t seed)
{
    struct test_random random;
    assert(shape->connections >= 1 &&
           shape->connections <= RECORD_CONNECTIONS_MAX);
    assert(shape->keys >= 1 && shape->keys <= LINEAR_HISTORY_KEYS);
    assert(shape->group >= 1 && shape->group <= LINEAR_KEYS_MAX);
    assert(shape->depth >= 1 && shape->depth <= RECORD_DEPTH_MAX);
    *recorder = (struct recorder){.shape = *shape, .number = number};
    recorder->connections =
        calloc(shape->connections, sizeof *recorder->connections);
    if (recorder->connections == NULL) {
        return false;
    }
    pthread_mutex_init(&recorder->lock, NULL);
    pthread_cond_init(&recorder->moved, NULL);
    test_random_init_seed(&random, seed);
    uint32_t numeric = (uint32_t)test_random_below(&random, 2);
    for (uint32_t i = 0; i < shape->connections; i++) {
        struct requester *requester = &recorder->connections[i].requester;
        recorder->connections[i].recorder = recorder;
        *requester = (struct requester){.number = i,
            .stride = shape->connections,
            .keys = shape->keys,
            .group = shape->group,
            .numeric = numeric};
        test_random_init_seed(&requester->random, test_random_next(&random));
        for (uint32_t j = 0; j < LINEAR_HISTORY_KEYS; j++) {
            requester->seen[j] = LINEAR_ABSENT;
        }
    }
    return true;
}

void record_start(struct recorder *recorder, uint16_t port)
{
    recorder->port = port;
    recorder->over = false;
    recorder->running = recorder->shape.connections;
    for (uint32_t i = 0; i < recorder->shape.connections; i++) {
        struct record_connection *connection = &recorder->connections[i];
        connection->session = recorder->sessions++;
        connection->answered = connection->sent;
        int error = pthread_create(&connection->thread, NULL, run, connection);
        assert(error == 0);
        (void)error;
    }
}

void record_await(struct recorder *recorder, uint64_t answered)
{
    lock(recorder);
    recorder->awaited = answered;
    while (recorder->answered < answered && recorder->running > 0) {
        pthread_cond_wait(&recorder->moved, &recorder->lock);
    }
    unlock(recorder);
}

static void join(struct recorder *recorder)
{
    lock(recorder);
    recorder->over = true;
    unlock(recorder);
    for (uint32_t i = 0; i < recorder->shape.connections; i++) {
        int error = pthread_join(recorder->connections[i].thread, NULL);
        assert(error == 0);
        (void)error;
    }
}

bool record_stop(struct recorder *recorder)
{
    join(recorder);
    for (uint32_t i = 0; i < recorder->shape.connections; i++) {
        if (recorder->connections[i].lost) {
            complain(&recorder->connections[i],
                "lost, though the server has not ended", "");
        }
    }
    return !recorder->complained;
}

bool record_died(struct recorder *recorder, int64_t death_ns)
{
    join(recorder);
    for (uint32_t i = 0; i < recorder->shape.connections; i++) {
        const struct record_connection *connection = &recorder->connections[i];
        for (uint32_t j = 0; j < connection->sent; j++) {
            struct linear_op *op = &connection->ops[j];
            if (op->open && op->return_ns == INT64_MAX) {
                op->return_ns = death_ns;
            }
        }
    }
    return !recorder->complained;
}

struct linear_op *record_collect(
    const struct recorder *recorder, uint32_t *count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < recorder->shape.connections; i++) {
        sum += recorder->connections[i].sent;
    }
    struct linear_op *ops = calloc((size_t)sum + 1, sizeof *ops);
    *count = 0;
    for (uint32_t i = 0; ops != NULL && i < recorder->shape.connections; i++) {
        const struct record_connection *connection = &recorder->connections[i];
        if (connection->sent > 0) {
            memcpy(
                ops + *count, connection->ops, connection->sent * sizeof *ops);
        }
        *count += connection->sent;
    }
    return ops;
}

void record_free(struct recorder *recorder)
{
    for (uint32_t i = 0; i < recorder->shape.connections; i++) {
        free(recorder->connections[i].ops);
    }
    free(recorder->connections);
    pthread_cond_destroy(&recorder->moved);
    pthread_mutex_destroy(&recorder->lock);
}
