/* listener.h: the socket that connections come in by, and its rest when the
 * system is short of what they need.
 *
 * While it rests, epoll is not asked for new connections: else it would tell of
 * them without end, and the loop would spin.
 *
 * What it sets on its socket, accepted ones begin with: a peer that has
 * vanished, its machine without power or its network cut, is found within three
 * times KV_REQUEST_TIMEOUT (three minutes if that is 0), whether it is idle or
 * owes acknowledgements.  Only where KV_REQUEST_TIMEOUT is 0 the kernel decides
 * how long replies are sent again: about a quarter of an hour. */
#ifndef LISTENER_H
#define LISTENER_H

#include "conn/conn.h"
#include "diag.h"

struct listener;

struct listener_options {
    const char *host;
    uint16_t port; /* 0: the kernel chooses */
    int epoll;     /* where it shows up, with its own address as data.ptr */
    struct diag *diag;
    int64_t request_timeout_ms; /* 0: never */
};

/* Binds and listens.  0, or -errno with one line in why (why_size bytes): what,
 * with which numbers, what to do. */
int listener_open(struct listener **listener,
    const struct listener_options *options, char *why, size_t why_size);
/* NULL is fine. */
void listener_close(struct listener *listener);
uint16_t listener_port(const struct listener *listener);

/* A new connection, not blocking: its descriptor, and *peer.  -EAGAIN if there
 * is none, or while it rests; after another error the next may be better. */
int listener_accept(struct listener *listener, union conn_address *peer);
/* Lets it rest for want of what error says, and says so once a minute. */
void listener_pause(struct listener *listener, int error);
/* Ends the rest if it is over.  Returns the milliseconds that are left of it,
 * or -1 if there are none to wait for. */
int listener_wait_ms(struct listener *listener);

#endif
