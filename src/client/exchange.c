/* exchange.c: requests out, replies in.
 *
 * 1. Sending and receiving are interleaved: what the peer has answered is read
 *    while there is still something to send, so neither side waits for the
 *    other with full buffers.
 * 2. A reply is compared with its request before it is written over it.
 * 3. Nothing is sent again that may have been executed and changes something.
 *    For this a chain counts as one request.  What timed out is not sent again
 *    either: its caller has waited for as long as he wished. */
#include "client/client.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "client/link.h"

enum {
    ATTEMPTS_MAX = 2,
    ROWS_MAX = KV_SCAN_MAX /* of one stream */
};

struct stream {
    bool (*row)(void *context, const kv_message_t *message);
    void *context;
    kv_message_t *end;
    size_t rows;
    bool wanted;       /* row has not returned false */
    kv_error_t status; /* what the server said in place of END */
};

struct exchange {
    struct kv_client *client;
    kv_message_t *messages;
    size_t count;
    size_t answered;       /* messages; of a stream when it is over */
    size_t sent;           /* bytes, from the first message on */
    bool deaf;             /* the peer takes no more; it may have left a word */
    int64_t deadline_ms;   /* of the next reply */
    struct stream *stream; /* NULL: a reply for each message */
};

static void extend_deadline(struct exchange *exchange)
{
    exchange->deadline_ms = link_now_ms() + exchange->client->timeout_ms;
}

/* SCAN, STATS and the like may be sent again whatever has become of them. */
static bool is_harmless(const kv_message_t *message)
{
    switch (message->type & ~KV_LINKED) {
    case KV_GET:
    case KV_EXISTS:
    case KV_TTL:
    case KV_SCAN:
    case KV_PING:
    case KV_STATS:
    case KV_COUNT:
        return true;
    default:
        return false;
    }
}

static bool is_linked(const kv_message_t *message)
{
    return (message->type & KV_LINKED) != 0;
}

/* One past the last message that may have been executed: those that were
 * handed to the kernel to the last byte, a chain only as a whole. */
static size_t executed_end(const struct exchange *exchange)
{
    size_t end = exchange->sent / KV_MESSAGE_SIZE;
    while (
        end > exchange->answered && is_linked(&exchange->messages[end - 1])) {
        end--;
    }
    return end;
}

static bool may_send_again(const struct exchange *exchange)
{
    size_t answered = exchange->answered;
    if (answered > 0 && is_linked(&exchange->messages[answered - 1])) {
        return false;
    }
    if (exchange->stream != NULL && exchange->stream->rows > 0) {
        return false;
    }
    size_t end = executed_end(exchange);
    for (size_t i = answered; i < end; i++) {
        if (!is_harmless(&exchange->messages[i])) {
            return false;
        }
    }
    return true;
}

static const char *unknown_outcome(const struct exchange *exchange)
{
    bool known = is_harmless(&exchange->messages[exchange->answered]) ||
                 executed_end(exchange) == exchange->answered;
    return known ? "" : "; it may or may not have been executed";
}

/* The request that waits for its reply. */
static const char *awaited_name(const struct exchange *exchange)
{
    return kv_request_name(exchange->messages[exchange->answered].type);
}

static kv_error_t fail_lost(struct exchange *exchange, int error)
{
    struct kv_client *client = exchange->client;
    char where[CLIENT_WHERE_MAX];
    char text[LINK_WHY_MAX];
    client_where(client, where);
    if (error == -EPIPE) {
        return client_fail(client, KV_LOST,
            "%s closed the connection after %zu of %d bytes of the reply to "
            "%s%s",
            where, client->held, KV_MESSAGE_SIZE, awaited_name(exchange),
            unknown_outcome(exchange));
    }
    return client_fail(client, KV_LOST,
        "the connection to %s was lost before the reply to %s: %s%s", where,
        awaited_name(exchange), strerror_r(-error, text, sizeof text),
        unknown_outcome(exchange));
}

static kv_error_t fail_timed_out(struct exchange *exchange)
{
    struct kv_client *client = exchange->client;
    char where[CLIENT_WHERE_MAX];
    return client_fail(client, KV_TIMED_OUT,
        "%s has not answered %s within %d ms%s", client_where(client, where),
        awaited_name(exchange), client->timeout_ms, unknown_outcome(exchange));
}

static kv_error_t fail_strange(struct exchange *exchange, const char *what)
{
    char where[CLIENT_WHERE_MAX];
    return client_fail(exchange->client, KV_STRANGE_REPLY,
        "%s sent %s in answer to %s; is it a fixkv server of this version?",
        client_where(exchange->client, where), what, awaited_name(exchange));
}

static kv_error_t take_row(struct exchange *exchange, const kv_message_t *reply)
{
    struct stream *stream = exchange->stream;
    const kv_message_t *request = exchange->messages;
    if (reply->status != KV_SUCCESS) {
        exchange->answered = 1;
        stream->status = KV_SUCCESS;
        if (reply->status != KV_END) {
            stream->status = client_fail_reply(exchange->client, reply);
        } else if (stream->end != NULL) {
            *stream->end = *reply;
        }
        return KV_SUCCESS;
    }
    if (stream->rows == ROWS_MAX) {
        return fail_strange(exchange, "a stream without an end");
    }
    size_t prefix = bytes_unpadded(request->key, KV_KEY_SIZE);
    if (memcmp(reply->key, request->key, prefix) != 0) {
        return fail_strange(exchange, "a key without the prefix");
    }
    stream->rows++;
    if (stream->wanted) {
        stream->wanted = stream->row(stream->context, reply);
    }
    return KV_SUCCESS;
}

static kv_error_t take_reply(
    struct exchange *exchange, const kv_message_t *reply)
{
    kv_message_t *request = &exchange->messages[exchange->answered];
    if (reply->value_len > KV_VALUE_MAX) {
        return fail_strange(exchange, "a reply with an impossible length");
    }
    if (reply->type == 0 && reply->status != KV_SUCCESS) {
        return client_fail_reply(exchange->client, reply);
    }
    if (reply->type != request->type) {
        return fail_strange(exchange, "a reply of another type");
    }
    if (exchange->sent < (exchange->answered + 1) * KV_MESSAGE_SIZE) {
        return fail_strange(exchange, "a reply before it was asked");
    }
    if (exchange->stream != NULL) {
        return take_row(exchange, reply);
    }
    if (memcmp(reply->key, request->key, KV_KEY_SIZE) != 0) {
        return fail_strange(exchange, "a reply for another key");
    }
    *request = *reply;
    exchange->answered++;
    return KV_SUCCESS;
}

/* A peer that speaks something else need not send a whole message. */
static bool is_strange_start(const struct exchange *exchange)
{
    const struct kv_client *client = exchange->client;
    uint8_t type = client->replies[0].type;
    return client->held > 0 && type != 0 &&
           type != exchange->messages[exchange->answered].type;
}

static kv_error_t take_replies(struct exchange *exchange)
{
    struct kv_client *client = exchange->client;
    size_t whole = client->held / KV_MESSAGE_SIZE;
    size_t taken = 0;
    while (taken < whole && exchange->answered < exchange->count) {
        kv_error_t error = take_reply(exchange, &client->replies[taken]);
        if (error != KV_SUCCESS) {
            return error;
        }
        taken++;
    }
    client->held -= taken * KV_MESSAGE_SIZE;
    memmove(client->replies, client->replies + taken, client->held);
    if (taken > 0) {
        extend_deadline(exchange);
    }
    if (exchange->answered == exchange->count) {
        if (client->held > 0) {
            exchange->answered--;
            return fail_strange(exchange, "more than one reply");
        }
        return KV_SUCCESS;
    }
    return is_strange_start(exchange)
               ? fail_strange(exchange, "what is no reply")
               : KV_SUCCESS;
}

static kv_error_t receive_some(struct exchange *exchange)
{
    struct kv_client *client = exchange->client;
    assert(client->held < sizeof client->replies);
    int64_t size =
        link_receive(client->fd, (uint8_t *)client->replies + client->held,
            sizeof client->replies - client->held);
    if (size < 0) {
        return fail_lost(exchange, (int)size);
    }
    client->held += (size_t)size;
    return size > 0 ? take_replies(exchange) : KV_SUCCESS;
}

/* An error of the socket ends the sending alone: a server that refused the
 * connection has said why before it closed it. */
static void send_some(struct exchange *exchange)
{
    size_t size = exchange->count * KV_MESSAGE_SIZE;
    const uint8_t *bytes = (const uint8_t *)exchange->messages;
    size_t whole = exchange->sent / KV_MESSAGE_SIZE;
    while (exchange->sent < size && !exchange->deaf) {
        int64_t moved = link_send(exchange->client->fd, bytes + exchange->sent,
            size - exchange->sent);
        if (moved == 0) {
            break;
        }
        exchange->deaf = moved < 0;
        exchange->sent += moved < 0 ? 0 : (size_t)moved;
    }
    if (exchange->sent / KV_MESSAGE_SIZE > whole) {
        extend_deadline(exchange);
    }
}

/* One attempt on the connection at hand. */
static kv_error_t run_exchange(struct exchange *exchange)
{
    size_t size = exchange->count * KV_MESSAGE_SIZE;
    extend_deadline(exchange);
    send_some(exchange);
    while (exchange->answered < exchange->count) {
        bool unsent = exchange->sent < size && !exchange->deaf;
        int events = link_wait(exchange->client->fd,
            unsent ? POLLIN | POLLOUT : POLLIN, exchange->deadline_ms);
        if (events == -ETIMEDOUT) {
            return fail_timed_out(exchange);
        }
        if (events < 0) {
            return fail_lost(exchange, events);
        }
        if ((events & ~POLLOUT) != 0) {
            kv_error_t error = receive_some(exchange);
            if (error != KV_SUCCESS) {
                return error;
            }
        }
        if ((events & POLLOUT) != 0) {
            send_some(exchange);
        }
    }
    return KV_SUCCESS;
}

static kv_error_t complete_exchange(struct exchange *exchange)
{
    struct kv_client *client = exchange->client;
    for (int attempt = 1;; attempt++) {
        kv_error_t error = client_ready(client);
        if (error != KV_SUCCESS) {
            return error;
        }
        exchange->sent = exchange->answered * KV_MESSAGE_SIZE;
        exchange->deaf = false;
        error = run_exchange(exchange);
        if (error == KV_SUCCESS) {
            return KV_SUCCESS;
        }
        client_close(client);
        if (error != KV_LOST || attempt == ATTEMPTS_MAX ||
            !may_send_again(exchange)) {
            return error;
        }
    }
}

static bool may_execute(const kv_message_t *message)
{
    int type = message->type & ~KV_LINKED;
    return type != 0 && type != KV_SCAN && type != KV_STATS;
}

static kv_error_t check_messages(
    struct kv_client *client, const kv_message_t *messages, size_t count)
{
    if (count == 0 || count > CLIENT_EXECUTE_MAX) {
        return client_fail(client, KV_ARGUMENT,
            "%zu messages at once; 1 to %d are allowed", count,
            CLIENT_EXECUTE_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (!may_execute(&messages[i])) {
            return client_fail(client, KV_ARGUMENT,
                "message %zu is of type %u (%s), which cannot be executed with "
                "others",
                i, (unsigned)messages[i].type,
                kv_request_name(messages[i].type));
        }
    }
    if (is_linked(&messages[count - 1])) {
        return client_fail(client, KV_ARGUMENT,
            "the last message is linked with a next one that is not there");
    }
    return KV_SUCCESS;
}

kv_error_t kv_client_execute(
    kv_client_t *client, kv_message_t *messages, size_t count)
{
    struct exchange exchange = {
        .client = client, .messages = messages, .count = count};
    kv_error_t error = check_messages(client, messages, count);
    if (error == KV_SUCCESS) {
        error = complete_exchange(&exchange);
    }
    /* A count that is over the limit may be a mistake, too. */
    for (size_t i = exchange.answered; i < count && count <= CLIENT_EXECUTE_MAX;
         i++) {
        messages[i].status = KV_UNAVAILABLE;
    }
    return error;
}

kv_error_t kv_client_stream(kv_client_t *client, const kv_message_t *request,
    bool (*row)(void *context, const kv_message_t *message), void *context,
    kv_message_t *end)
{
    if (request->type != KV_SCAN && request->type != KV_STATS) {
        return client_fail(client, KV_ARGUMENT,
            "a request of type %u (%s) is not answered by a stream",
            (unsigned)request->type, kv_request_name(request->type));
    }
    kv_message_t message = *request;
    struct stream stream = {
        .row = row, .context = context, .end = end, .wanted = true};
    struct exchange exchange = {
        .client = client, .messages = &message, .count = 1, .stream = &stream};
    kv_error_t error = complete_exchange(&exchange);
    return error == KV_SUCCESS ? stream.status : error;
}
