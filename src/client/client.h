/* client.h: what the parts of the client library share: the handle.  Its users
 * see kv_store.h alone.
 *
 *     link.c      one TCP connection, as bytes
 *     client.c    the handle, its connection, its sentence
 *     exchange.c  requests out, replies in, compared; what is sent again
 *     calls.c     one function for each request
 *
 * 1. client->fd is -1 or a connection on which every reply has been read: after
 *    any failure that leaves a reply outstanding it is closed, so that no later
 *    request can be given it.
 * 2. client->held is 0 between calls. */
#ifndef CLIENT_H
#define CLIENT_H

#include "kv_store.h"

#define CLIENT_HOST "127.0.0.1"

enum {
    CLIENT_PORT = 8080,
    CLIENT_TIMEOUT_MS = 5000,
    CLIENT_EXECUTE_MAX = 1024, /* messages of one kv_client_execute */
    CLIENT_REPLIES = 64,       /* read with one system call */
    CLIENT_ERROR_MAX = 768
};

struct kv_client {
    char *host;
    int port;
    int timeout_ms;
    int fd;         /* -1: not connected */
    uint64_t pings; /* numbers them, so that an echo is known */
    size_t held;    /* bytes in replies that are not taken yet */
    kv_message_t replies[CLIENT_REPLIES];
    char error[CLIENT_ERROR_MAX];
};

/* Writes the sentence; returns error. */
kv_error_t client_fail(struct kv_client *client, kv_error_t error,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same of a reply that is no success: its status, and its sentence or the
 * text of the status. */
kv_error_t client_fail_reply(
    struct kv_client *client, const kv_message_t *reply);

/* A connection that may be written to: the one at hand if the peer has left it
 * open and silent, else a new one. */
kv_error_t client_ready(struct kv_client *client);
void client_close(struct kv_client *client);

/* "127.0.0.1:8080", for sentences. */
enum { CLIENT_WHERE_MAX = 280 };
const char *client_where(
    const struct kv_client *client, char text[CLIENT_WHERE_MAX]);

#endif
