/* conn.h: one connection: its socket, what is left of its input, what is left
 * of its output, and how its bytes become operations of a batch, by the native
 * protocol (native.c) or Redis's (resp.c).
 *
 * It is not a loop and not a thread: one worker owns it and calls.  It knows
 * no storage; what its operations do is not its business.
 *
 * 1. Input is received into the caller's memory and decoded there.  Only what
 *    is not a whole message, a whole chain, or must wait is kept, in memory of
 *    the connection's own that is freed with the last byte of it.
 * 2. Output goes from the caller's memory straight to the socket.  Only what
 *    the socket does not take is kept; until it is gone nothing more is
 *    received, so a client that does not read costs one turn's replies.
 * 3. A connection at rest holds nothing but its struct. */
#ifndef CONN_H
#define CONN_H

#include "arena.h"
#include "batch.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum {
    CONN_READ_MAX = 64 * 1024,      /* of one conn_receive */
    CONN_DISCARD_MAX = 1024 * 1024, /* read and dropped before it is closed */
    CONN_PEER_MAX = INET6_ADDRSTRLEN + 16,

    /* What conn_receive fills: a chain that is not whole, and more. */
    CONN_ROOM_MESSAGES = 4 * KV_CHAIN_MAX,
    CONN_ROOM = CONN_ROOM_MESSAGES * KV_MESSAGE_SIZE
};

union conn_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct session;

struct conn {
    int fd;
    uint64_t id;

    /* for the worker that owns it */
    bool queued;        /* on the list of those to be served */
    bool parked;        /* its replies are with the committer or the backup */
    struct conn *next;  /* of that list, or of those newly accepted */
    struct conn *older; /* of all */
    struct conn *newer;

    /* for the worker's deadlines */
    uint8_t wait;     /* enum deadline */
    bool finished;    /* what is left of the input began just now */
    uint32_t owed;    /* conn_owed, when the wait was dated */
    uint32_t held;    /* conn_held, as it was counted */
    int64_t since_ms; /* of the wait */
    int64_t opened_ms;
    int64_t active_ms;   /* when something was last received or sent */
    struct conn *sooner; /* of those that wait for the same */
    struct conn *later;

    /* what the worker is told by the kernel, or tells */
    bool readable; /* the socket may hold more */
    bool hung_up;  /* the peer has sent its last */
    bool last;     /* when the socket is empty, that was all */

    struct session *session; /* it speaks RESP; else NULL */
    bool greeted;            /* the first byte has been looked at */
    bool discarding;         /* what arrives is dropped: it was refused */
    bool skipping;           /* inside a chain that was too long */
    bool pending; /* input holds what can be decoded without receiving */
    bool ended;   /* nothing more will be received */
    bool whole;   /* input has been handed out where it is */
    bool broken;  /* the socket, or memory, failed, or it was given up:
                      * only good for closing */

    uint32_t input_size; /* less than input_room */
    uint32_t input_room;
    uint32_t output_size;
    uint32_t output_sent;
    uint32_t discarded; /* bytes */
    uint8_t *input;
    uint8_t *output;
    union conn_address peer;
};

_Static_assert(sizeof(struct conn) <= 256, "ten thousand at rest are cheap");

/* Takes over fd, which is not blocking.  NULL if out of memory: fd is the
 * caller's still. */
struct conn *conn_create(int fd, const union conn_address *peer);
/* Closes and frees. */
void conn_destroy(struct conn *conn);

/* "127.0.0.1:40112", "[::1]:40112" */
void conn_peer(const struct conn *conn, char text[CONN_PEER_MAX]);
/* The same of the server's end; one system call. */
void conn_local(const struct conn *conn, char text[CONN_PEER_MAX]);

/* Puts what was kept at the start of bytes, which has room for CONN_ROOM, and
 * receives more behind it, with one system call at most, unless something kept
 * is pending.  Returns where they are: bytes, or, if the request is larger than
 * that, memory of the connection's own.  *size: how many. */
uint8_t *conn_receive(struct conn *conn, uint8_t *bytes, size_t *size);

/* What conn_decode found. */
struct conn_intake {
    size_t used;      /* bytes that became operations, or were dropped */
    uint32_t refused; /* operations in state OP_REFUSED */
    bool commits;     /* there are some in state OP_COMMIT */
    bool still;       /* in state OP_STILL */
    bool finished;    /* a request has ended, so what is left began just now */
    bool lone;        /* batch->ops[batch->count], uncounted, is to be executed
                         alone; used covers it */
};

/* Makes operations, added to the batch, of the whole requests in bytes, which
 * must stay where they are; the batch must have room for CONN_ROOM_MESSAGES.
 * Stops before a chain that is not all there, and before a lone verb unless it
 * is the first.  From the first write on, all are in state OP_COMMIT: order is
 * kept. */
void conn_decode(struct conn *conn, uint8_t *bytes, size_t size,
    struct batch *batch, struct conn_intake *intake);

/* Keeps what conn_decode did not use of what conn_receive handed out, in place
 * of what was kept before; memory of the connection's own goes to the arena, if
 * something of it was used.  Breaks it without memory. */
void conn_keep_rest(struct conn *conn, uint8_t *bytes, size_t size, size_t used,
    struct arena *arena);
/* Keeps a copy of these bytes, in place of what was kept before. */
void conn_keep(struct conn *conn, const uint8_t *bytes, size_t size);

/* Looks at the first byte.  If it is of no protocol that is spoken here:
 * answers, shuts the output and sees to it that the input is dropped, or
 * breaks.  True if so. */
bool conn_refuse_foreign(struct conn *conn, uint8_t first);
/* If its replies were the last and are sent: shuts the output, and sees to it
 * that the input is dropped. */
void conn_settle(struct conn *conn);

/* Sends; what the socket does not take is kept.  Nothing may be kept yet. */
void conn_send(struct conn *conn, const void *bytes, size_t size);
/* Sends what was kept.  True if nothing is left. */
bool conn_drain(struct conn *conn);

/* True if the peer has begun what it has not finished: a message, a chain, or
 * the end of a connection that was refused. */
bool conn_is_unfinished(const struct conn *conn);
/* Bytes of memory that are kept for it. */
uint32_t conn_held(const struct conn *conn);
/* Bytes of replies that the peer has still to take: those kept, and those that
 * the socket has and the peer's has not acknowledged.  One system call. */
uint32_t conn_owed(const struct conn *conn);
/* True if the socket holds something to receive.  One system call. */
bool conn_has_input(const struct conn *conn);
/* Drops what is kept and breaks it.  If replies are among it, closing it will
 * reset the connection, so that the kernel keeps none of them either. */
void conn_give_up(struct conn *conn);

#endif
