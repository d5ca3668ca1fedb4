#include "conn.h"

#include "wire.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { INPUT_UNIT = 512 }; /* memory for input grows by this */

struct conn *conn_create(int fd, const union conn_address *peer)
{
    assert(fd >= 0);
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn != NULL) {
        conn->fd = fd;
        conn->peer = *peer;
    }
    return conn;
}

void conn_destroy(struct conn *conn)
{
    assert(!conn->parked && !conn->queued);
    close(conn->fd);
    free(conn->input);
    free(conn->output);
    free(conn);
}

void conn_peer(const struct conn *conn, char text[CONN_PEER_MAX])
{
    char address[INET6_ADDRSTRLEN] = "?";
    const union conn_address *peer = &conn->peer;
    if (peer->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &peer->v6.sin6_addr, address, sizeof address);
        (void)snprintf(text, CONN_PEER_MAX, "[%s]:%u", address,
            (unsigned)ntohs(peer->v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &peer->v4.sin_addr, address, sizeof address);
        (void)snprintf(text, CONN_PEER_MAX, "%s:%u", address,
            (unsigned)ntohs(peer->v4.sin_port));
    }
}

/* ---- Input --------------------------------------------------------------- */

size_t conn_receive(struct conn *conn, uint8_t *bytes)
{
    size_t held = conn->input_size;
    assert(held < CONN_ROOM);
    if (held > 0) {
        memcpy(bytes, conn->input, held);
    }
    if (conn->pending || conn->ended || !conn->readable) {
        return held;
    }
    size_t wanted = u64_min(CONN_ROOM - held, CONN_READ_MAX);
    ssize_t got;
    do {
        got = recv(conn->fd, bytes + held, wanted, 0);
    } while (got < 0 && errno == EINTR);
    if (got == 0) {
        conn->ended = true;
        return held;
    }
    if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        conn->broken = true;
        return held;
    }
    /* Fewer bytes than asked for: the socket is empty, and tells when it is
     * no more.  An end of which it told already is not told again. */
    if ((size_t)(got < 0 ? 0 : got) < wanted) {
        conn->readable = conn->hung_up && got > 0;
        conn->ended = conn->last && !conn->readable;
    }
    return held + (size_t)(got < 0 ? 0 : got);
}

void conn_keep(struct conn *conn, const uint8_t *bytes, size_t size)
{
    assert(size < CONN_ROOM);
    uint32_t room = (uint32_t)u64_round_up(size, INPUT_UNIT);
    conn->input_size = (uint32_t)size;
    if (size == 0) {
        free(conn->input);
        conn->input = NULL;
        conn->input_room = 0;
        return;
    }
    if (room != conn->input_room) {
        uint8_t *input = realloc(conn->input, room);
        if (input == NULL) {
            conn->input_size = 0;
            conn->broken = true;
            return;
        }
        conn->input = input;
        conn->input_room = room;
    }
    memcpy(conn->input, bytes, size);
}

static kv_message_t *message_at(uint8_t *bytes, size_t offset)
{
    return (kv_message_t *)(void *)(bytes + offset);
}

static bool is_lone(uint8_t type)
{
    return (verb_flags(type) & VERB_LONE) != 0;
}

/* How many messages the chain at bytes has; 0 if its end is not there yet;
 * more than KV_CHAIN_MAX if it is too long. */
static size_t measure_chain(uint8_t *bytes, size_t size)
{
    size_t whole = size / KV_MESSAGE_SIZE;
    for (size_t i = 0; i < u64_min(whole, KV_CHAIN_MAX); i++) {
        if ((message_at(bytes, i * KV_MESSAGE_SIZE)->type & KV_LINKED) == 0) {
            return i + 1;
        }
    }
    return whole < KV_CHAIN_MAX ? 0 : KV_CHAIN_MAX + 1;
}

/* Decodes the members of one chain.  All wait for commit, which aborts the
 * chain if one is refused. */
static void decode_chain(uint8_t *bytes, size_t messages, struct batch *batch,
    struct conn_intake *intake)
{
    for (size_t i = 0; i < messages; i++) {
        struct op *op = &batch->ops[batch->count++];
        wire_decode(message_at(bytes, i * KV_MESSAGE_SIZE), op);
        if (op->state != OP_REFUSED && is_lone(op->verb)) {
            op_refuse(op, KV_INVALID, "%s cannot be part of a chain",
                kv_request_name(op->verb));
            op->state = OP_REFUSED;
        }
        if (op->state == OP_REFUSED) {
            intake->refused++;
        } else {
            op->state = OP_COMMIT;
        }
    }
    intake->commits = true;
    intake->used += messages * KV_MESSAGE_SIZE;
}

/* One message of a chain that is too long; first: the one that says so. */
static void decode_skipped(
    struct conn *conn, kv_message_t *message, struct batch *batch, bool first)
{
    struct op *op = &batch->ops[batch->count++];
    conn->skipping = (message->type & KV_LINKED) != 0;
    *op = (struct op){.message = message, .state = OP_REFUSED};
    op_refuse(op, first ? KV_INVALID : KV_ABORTED,
        first ? "a chain has at most %d messages; this one is longer"
              : "the chain has more than %d messages",
        KV_CHAIN_MAX);
}

/* Decodes the message at bytes, which is the last or only one there is of its
 * kind: no member of a chain.  False if it has to wait for what stands before
 * it. */
static bool decode_single(struct conn *conn, kv_message_t *message,
    struct batch *batch, struct conn_intake *intake)
{
    bool lone = is_lone(message->type);
    if (lone && intake->used > 0) {
        conn->pending = true;
        return false;
    }
    struct op *op = &batch->ops[batch->count];
    wire_decode(message, op);
    intake->used += KV_MESSAGE_SIZE;
    if (op->state == OP_REFUSED) {
        intake->refused++;
    } else if (lone) {
        intake->lone = true;
        return true;
    } else if (op->state == OP_COMMIT) {
        intake->commits = true;
    } else if (intake->commits) {
        op->state = OP_COMMIT;
    }
    batch->count++;
    return true;
}

void conn_decode(struct conn *conn, uint8_t *bytes, size_t size,
    struct batch *batch, struct conn_intake *intake)
{
    assert(size <= CONN_ROOM);
    assert(batch->count <= BATCH_OPS_MAX - CONN_ROOM_MESSAGES);
    *intake = (struct conn_intake){0};
    conn->pending = false;
    while (size - intake->used >= KV_MESSAGE_SIZE && !intake->lone) {
        kv_message_t *message = message_at(bytes, intake->used);
        if (conn->skipping) {
            decode_skipped(conn, message, batch, false);
        } else if ((message->type & KV_LINKED) == 0) {
            if (!decode_single(conn, message, batch, intake)) {
                return;
            }
            continue;
        } else {
            size_t messages =
                measure_chain(bytes + intake->used, size - intake->used);
            if (messages == 0) {
                return;
            }
            if (messages <= KV_CHAIN_MAX) {
                decode_chain(bytes + intake->used, messages, batch, intake);
                continue;
            }
            decode_skipped(conn, message, batch, true);
        }
        intake->refused++;
        intake->used += KV_MESSAGE_SIZE;
    }
    conn->pending = intake->lone && size > intake->used;
}

/* ---- Output -------------------------------------------------------------- */

/* Sends until all is gone or the socket takes no more; only then does it tell
 * when it takes more again.  Returns how many bytes went. */
static size_t push(struct conn *conn, const uint8_t *bytes, size_t size)
{
    size_t sent = 0;
    while (sent < size) {
        ssize_t part = send(conn->fd, bytes + sent, size - sent, MSG_NOSIGNAL);
        if (part >= 0) {
            sent += (size_t)part;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return sent;
        } else if (errno != EINTR) {
            conn->broken = true;
            return sent;
        }
    }
    return sent;
}

void conn_send(struct conn *conn, const void *bytes, size_t size)
{
    assert(conn->output == NULL);
    const uint8_t *first = bytes;
    size_t sent = conn->broken ? size : push(conn, first, size);
    if (sent == size || conn->broken) {
        return;
    }
    conn->output = malloc(size - sent);
    if (conn->output == NULL) {
        conn->broken = true;
        return;
    }
    memcpy(conn->output, first + sent, size - sent);
    conn->output_size = (uint32_t)(size - sent);
    conn->output_sent = 0;
}

bool conn_drain(struct conn *conn)
{
    if (conn->output == NULL) {
        return true;
    }
    if (!conn->broken) {
        conn->output_sent +=
            (uint32_t)push(conn, conn->output + conn->output_sent,
                conn->output_size - conn->output_sent);
    }
    if (conn->output_sent < conn->output_size) {
        return false;
    }
    free(conn->output);
    conn->output = NULL;
    conn->output_size = 0;
    return true;
}

/* ---- Waiting for the peer ------------------------------------------------ */

bool conn_is_unfinished(const struct conn *conn)
{
    return conn->input_size > 0 || conn->skipping || conn->discarding;
}

uint32_t conn_held(const struct conn *conn)
{
    return conn->input_room + conn->output_size;
}

uint32_t conn_owed(const struct conn *conn)
{
    int queued = 0;
    uint32_t kept = conn->output == NULL ? 0 : conn->output_size;
    kept -= conn->output == NULL ? 0 : conn->output_sent;
    if (ioctl(conn->fd, SIOCOUTQ, &queued) != 0) {
        queued = 0;
    }
    return kept + (uint32_t)queued;
}

bool conn_has_input(const struct conn *conn)
{
    uint8_t byte;
    return recv(conn->fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void conn_give_up(struct conn *conn)
{
    const struct linger reset = {.l_onoff = conn->output != NULL ? 1 : 0};
    conn_keep(conn, NULL, 0);
    free(conn->output);
    conn->output = NULL;
    conn->output_size = 0;
    conn->broken = true;
    /* If it cannot be set, the kernel keeps what it has for some minutes. */
    (void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

/* ---- Protocols ----------------------------------------------------------- */

bool conn_refuse_foreign(struct conn *conn, uint8_t first)
{
    static const char no_resp[] =
        "-ERR RESP is not available in this version of fixkv; use the native "
        "protocol\r\n";
    enum wire_protocol protocol = wire_protocol(first);
    conn->greeted = true;
    if (protocol == WIRE_NATIVE) {
        return false;
    }
    if (protocol == WIRE_TLS) {
        conn->broken = true;
        return true;
    }
    if (protocol == WIRE_RESP) {
        conn_send(conn, no_resp, sizeof no_resp - 1);
    } else {
        kv_message_t message = {0};
        struct op op = {.message = &message};
        op_refuse(&op, KV_INVALID,
            "a connection begins with a request number, not with byte %u; "
            "a message is %d bytes",
            (unsigned)first, KV_MESSAGE_SIZE);
        conn_send(conn, &message, sizeof message);
    }
    /* To close at once would reset the connection, and the answer might be
     * lost with it; so the peer closes first. */
    conn->discarding = true;
    if (conn->output != NULL || shutdown(conn->fd, SHUT_WR) != 0) {
        conn->broken = true;
    }
    return true;
}
