#include "conn/conn.h"
#include "conn/decode.h"

#include "command/session.h"
#include "wire.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    INPUT_UNIT = 512, /* memory for input grows by this */
    /* With less room than this in the caller's memory, a request that is not
     * all there goes on in the connection's own. */
    INPUT_LARGE_MIN = 4096
};

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

_Static_assert((int)CONN_PEER_MAX <= (int)SESSION_PEER_MAX, "a peer's name");

void conn_destroy(struct conn *conn)
{
    assert(!conn->parked && !conn->queued);
    close(conn->fd);
    free(conn->input);
    free(conn->output);
    session_destroy(conn->session);
    free(conn);
}

static void print_address(
    const union conn_address *end, char text[CONN_PEER_MAX])
{
    char address[INET6_ADDRSTRLEN] = "?";
    if (end->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &end->v6.sin6_addr, address, sizeof address);
        (void)snprintf(text, CONN_PEER_MAX, "[%s]:%u", address,
            (unsigned)ntohs(end->v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &end->v4.sin_addr, address, sizeof address);
        (void)snprintf(text, CONN_PEER_MAX, "%s:%u", address,
            (unsigned)ntohs(end->v4.sin_port));
    }
}

void conn_peer(const struct conn *conn, char text[CONN_PEER_MAX])
{
    print_address(&conn->peer, text);
}

void conn_local(const struct conn *conn, char text[CONN_PEER_MAX])
{
    union conn_address local = {0};
    socklen_t size = sizeof local;
    if (getsockname(conn->fd, &local.any, &size) != 0) {
        local = (union conn_address){0};
    }
    print_address(&local, text);
}

/* ---- Input --------------------------------------------------------------- */

/* Receives up to wanted bytes; 0 too if there are none now. */
static size_t receive(struct conn *conn, uint8_t *bytes, size_t wanted)
{
    ssize_t got;
    do {
        got = recv(conn->fd, bytes, wanted, 0);
    } while (got < 0 && errno == EINTR);
    if (got == 0) {
        conn->ended = true;
        return 0;
    }
    if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        conn->broken = true;
        return 0;
    }
    /* Fewer bytes than asked for: the socket is empty, and tells when it is
     * no more.  An end of which it told already is not told again. */
    if ((size_t)(got < 0 ? 0 : got) < wanted) {
        conn->readable = conn->hung_up && got > 0;
        conn->ended = conn->last && !conn->readable;
    }
    return got < 0 ? 0 : (size_t)got;
}

/* Makes room in the connection's own memory for more of a large request. */
static bool make_room(struct conn *conn)
{
    if (conn->input_room - conn->input_size >= INPUT_LARGE_MIN) {
        return true;
    }
    uint32_t room = (uint32_t)u64_min(
        2 * (uint64_t)conn->input_room, RESP_REQUEST_MAX + CONN_READ_MAX);
    assert(room > conn->input_size);
    uint8_t *input = realloc(conn->input, room);
    if (input == NULL) {
        conn->broken = true;
        return false;
    }
    conn->input = input;
    conn->input_room = room;
    return true;
}

uint8_t *conn_receive(struct conn *conn, uint8_t *bytes, size_t *size)
{
    size_t held = conn->input_size;
    bool more = !conn->pending && !conn->ended && conn->readable;
    conn->whole = held > CONN_ROOM - INPUT_LARGE_MIN;
    if (conn->whole) {
        if (more && make_room(conn)) {
            conn->input_size += (uint32_t)receive(conn, conn->input + held,
                u64_min(conn->input_room - held, CONN_READ_MAX));
        }
        *size = conn->input_size;
        return conn->input;
    }
    if (held > 0) {
        memcpy(bytes, conn->input, held);
    }
    *size = held;
    if (more) {
        *size += receive(
            conn, bytes + held, u64_min(CONN_ROOM - held, CONN_READ_MAX));
    }
    return bytes;
}

void conn_decode(struct conn *conn, uint8_t *bytes, size_t size,
    struct batch *batch, struct conn_intake *intake)
{
    assert(batch->count <= BATCH_OPS_MAX - CONN_ROOM_MESSAGES);
    *intake = (struct conn_intake){0};
    conn->pending = false;
    if (conn->session != NULL) {
        resp_decode(conn, bytes, size, batch, intake);
    } else {
        native_decode(conn, bytes, size, batch, intake);
        intake->finished = intake->used > 0 && !conn->skipping;
    }
}

void conn_keep_rest(struct conn *conn, uint8_t *bytes, size_t size, size_t used,
    struct arena *arena)
{
    if (!conn->whole) {
        conn_keep(conn, bytes + used, size - used);
        return;
    }
    conn->whole = false;
    if (used == 0) {
        return;
    }
    /* Operations point into it. */
    uint32_t room = conn->input_room;
    conn->input = NULL;
    conn->input_room = 0;
    conn->input_size = 0;
    conn_keep(conn, bytes + used, size - used);
    if (!arena_adopt(arena, bytes, room)) {
        free(bytes);
        conn->broken = true;
    }
}

void conn_keep(struct conn *conn, const uint8_t *bytes, size_t size)
{
    assert(size <= RESP_REQUEST_MAX + CONN_READ_MAX);
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
    assert(conn->input != NULL);
    memcpy(conn->input, bytes, size);
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
    return conn->input_size > 0 || conn->skipping || conn->discarding ||
           (conn->session != NULL && conn->session->scan.dropping);
}

uint32_t conn_held(const struct conn *conn)
{
    uint32_t session = conn->session != NULL ? session_held(conn->session) : 0;
    return conn->input_room + conn->output_size + session;
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
    if (conn->session != NULL) {
        transaction_clear(&conn->session->transaction);
    }
    /* If it cannot be set, the kernel keeps what it has for some minutes. */
    (void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

/* ---- Protocols ----------------------------------------------------------- */

/* To close at once would reset the connection, and what was sent might be lost
 * with it; so the peer closes first. */
static void leave(struct conn *conn)
{
    conn->discarding = true;
    conn->broken = conn->broken || conn->output != NULL ||
                   shutdown(conn->fd, SHUT_WR) != 0;
}

void conn_settle(struct conn *conn)
{
    if (conn->session != NULL && conn->session->leaving &&
        conn->output == NULL && !conn->discarding) {
        leave(conn);
    }
}

/* The session that a connection of the Redis protocol has; breaks it without
 * memory. */
static void begin_session(struct conn *conn)
{
    conn->session = session_create(conn->id);
    if (conn->session == NULL) {
        conn->broken = true;
        return;
    }
    conn_peer(conn, conn->session->peer);
}

bool conn_refuse_foreign(struct conn *conn, uint8_t first)
{
    enum wire_protocol protocol = wire_protocol(first);
    conn->greeted = true;
    if (protocol == WIRE_NATIVE) {
        return false;
    }
    if (protocol == WIRE_RESP) {
        begin_session(conn);
        return conn->broken;
    }
    if (protocol == WIRE_TLS) {
        conn->broken = true;
        return true;
    }
    kv_message_t message = {0};
    struct op op = {.message = &message};
    op_refuse(&op, KV_INVALID,
        "a connection begins with a request number, not with byte %u; "
        "a message is %d bytes",
        (unsigned)first, KV_MESSAGE_SIZE);
    conn_send(conn, &message, sizeof message);
    leave(conn);
    return true;
}
