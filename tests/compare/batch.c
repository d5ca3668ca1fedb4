#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "clock.h"
#include "compare/state.h"

enum { TOLD_MAX = 80 };

/* A prime that is larger than any number of keys: times this, modulo that, all
 * keys come once, far from each other. */
#define SPREAD UINT64_C(2654435761)

/* ---- Which request ------------------------------------------------------- */

/* After S. Vigna, "xorshift64*", 2014. */
static uint64_t draw(struct loop *loop)
{
    loop->random ^= loop->random >> 12;
    loop->random ^= loop->random << 25;
    loop->random ^= loop->random >> 27;
    return loop->random * UINT64_C(2685821657736338717);
}

static uint64_t draw_below(struct loop *loop, uint64_t limit)
{
    return (draw(loop) >> 32) * limit >> 32;
}

static uint32_t choose_key(struct loop *loop)
{
    const struct loop_settings *settings = loop->settings;
    switch (settings->order) {
    case LOOP_UNIFORM:
        break;
    case LOOP_ZIPF: {
        double uniform = (double)(draw(loop) >> 11) / (double)(1ull << 53);
        return (uint32_t)(zipf_next(&loop->zipf, uniform) * SPREAD %
                          settings->keys);
    }
    case LOOP_ONCE:
        return (uint32_t)loop->next++;
    case LOOP_ROUND:
        return (uint32_t)(loop->next++ * SPREAD % settings->keys);
    }
    return (uint32_t)draw_below(loop, settings->keys);
}

static enum exchange_kind choose_kind(struct loop *loop, uint64_t reads)
{
    return draw_below(loop, 100) < reads ? EXCHANGE_GET : EXCHANGE_SET;
}

/* How many requests the next batch has. */
static size_t batch_size(
    const struct loop *loop, const struct connection *connection)
{
    const struct loop_settings *settings = loop->settings;
    uint64_t left = settings->keys - loop->next;
    bool ends = settings->order == LOOP_ONCE && left < connection->depth;
    return (size_t)(ends ? left : connection->depth);
}

/* ---- Sending ------------------------------------------------------------- */

/* How many of the bytes the socket takes; -1 if the connection is lost. */
static ssize_t send_some(
    struct loop *loop, int fd, const uint8_t *bytes, size_t size)
{
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent >= 0 || errno == EAGAIN || errno == EINTR) {
        return sent < 0 ? 0 : sent;
    }
    (void)loop_fail(loop, "a connection is lost: %s", strerror(errno));
    return -1;
}

bool batch_send_rest(struct loop *loop, struct connection *connection)
{
    ssize_t sent = send_some(loop, connection->fd,
        connection->unsent + connection->unsent_from,
        connection->unsent_to - connection->unsent_from);
    if (sent < 0) {
        return false;
    }
    connection->unsent_from += (size_t)sent;
    return connection->unsent_from < connection->unsent_to ||
           loop_watch(loop, EPOLL_CTL_MOD, connection);
}

static bool send_all(struct loop *loop, struct connection *connection,
    const uint8_t *bytes, size_t size)
{
    ssize_t sent = send_some(loop, connection->fd, bytes, size);
    if (sent < 0 || (size_t)sent == size) {
        return sent >= 0;
    }
    if (connection->unsent == NULL) {
        connection->unsent = malloc(loop->output_size);
        if (connection->unsent == NULL) {
            return loop_fail(loop, "out of memory");
        }
    }
    connection->unsent_from = 0;
    connection->unsent_to = size - (size_t)sent;
    memcpy(connection->unsent, bytes + sent, connection->unsent_to);
    return loop_watch(loop, EPOLL_CTL_MOD, connection);
}

bool batch_send(
    struct loop *loop, struct connection *connection, int64_t since_ns)
{
    size_t count = batch_size(loop, connection);
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        struct request *request = &connection->requests[i];
        request->kind = choose_kind(loop, connection->reads);
        request->number = choose_key(loop);
        size += exchange_request(&loop->exchanges[request->kind],
            loop->output + size, request->number);
    }
    connection->sent = count;
    connection->answered = 0;
    connection->since_ns = since_ns;
    loop->busy += count > 0 ? 1 : 0;
    return count == 0 || send_all(loop, connection, loop->output, size);
}

/* ---- Receiving ----------------------------------------------------------- */

/* The length of the next reply in these bytes, 0: it is not there yet. */
static size_t find_reply(struct loop *loop, const struct request *request,
    const uint8_t *bytes, size_t size)
{
    const struct exchange *exchange = &loop->exchanges[request->kind];
    enum exchange_found found = EXCHANGE_HIT;
    size_t length = exchange->hit.size;
    if (loop->settings->blind) {
        return size < length ? 0 : length;
    }
    length = exchange_reply(exchange, request->number, bytes, size, &found);
    if (found == EXCHANGE_OTHER) {
        (void)loop_fail(loop, "not the reply to a %s of key %u: %.*s",
            request->kind == EXCHANGE_GET ? "GET" : "SET", request->number,
            (int)(size < TOLD_MAX ? size : TOLD_MAX), (const char *)bytes);
        return 0;
    }
    if (found == EXCHANGE_MISS && length > 0 && loop->measuring) {
        loop->result->misses++;
    }
    return length;
}

/* All whole replies in the bytes; returns how many bytes they are. */
static size_t take_replies(struct loop *loop, struct connection *connection,
    const uint8_t *bytes, size_t size)
{
    struct loop_result *result = loop->result;
    uint64_t duration = (uint64_t)(loop->now_ns - connection->since_ns);
    uint64_t taken[EXCHANGE_KINDS] = {0};
    size_t used = 0;
    while (connection->answered < connection->sent) {
        const struct request *request =
            &connection->requests[connection->answered];
        size_t length = find_reply(loop, request, bytes + used, size - used);
        if (length == 0) {
            break;
        }
        used += length;
        connection->answered++;
        taken[request->kind]++;
    }
    if (loop->measuring) {
        histogram_add(&result->reads, duration, taken[EXCHANGE_GET]);
        histogram_add(&result->writes, duration, taken[EXCHANGE_SET]);
    }
    return used;
}

/* The batch is answered: the next one, if it is time for it. */
static bool go_on(struct loop *loop, struct connection *connection)
{
    connection->sent = connection->answered = 0;
    loop->busy--;
    if (!connection->paced) {
        loop->cold -= connection->warm ? 0 : 1;
        connection->warm = true;
        return batch_send(loop, connection, loop->now_ns);
    }
    if (connection->due_ns > loop->now_ns) {
        return true;
    }
    int64_t since_ns = connection->due_ns;
    connection->due_ns +=
        loop->step_ns * (int64_t)(loop->count - loop->paced_from);
    return batch_send(loop, connection, since_ns);
}

bool batch_receive(struct loop *loop, struct connection *connection)
{
    size_t size = connection->rest_size;
    memcpy(loop->input, connection->rest, size);
    ssize_t got =
        recv(connection->fd, loop->input + size, INPUT_SIZE - size, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (got <= 0) {
        return loop_fail(loop, "a connection is lost: %s",
            got == 0 ? "the server has closed it" : strerror(errno));
    }
    loop->now_ns = clock_steady_ns();
    size += (size_t)got;
    size_t used = take_replies(loop, connection, loop->input, size);
    size -= used;
    if (loop->failed) {
        return false;
    }
    bool answered = connection->answered == connection->sent;
    if (size >= sizeof connection->rest || (answered && size > 0)) {
        return loop_fail(loop, "%zu bytes that nobody asked for", size);
    }
    memcpy(connection->rest, loop->input + used, size);
    connection->rest_size = size;
    return !answered || go_on(loop, connection);
}
