/* served.h: a server of the test's own, in the process of the test, and a
 * client that is nothing but a socket: what is sent is what the test says, in
 * the parts it says.  Every wait has a limit; past it the test fails. */
#ifndef SERVED_H
#define SERVED_H

#include "server/server.h"
#include "support.h"

#include <pthread.h>

enum { SERVED_WAIT_MS = 20000 };

struct served_options {
    bool memory; /* nothing on disk */
    kv_sync_t sync;
    unsigned workers;         /* 0: 1 */
    unsigned connections_max; /* 0: 2,000 */
    bool signals;             /* the test has blocked SIGTERM and SIGINT */
    int verbose;
    FILE *diagnostics; /* NULL: none */
    int64_t stall_ms;  /* 0: TEST_STALL_MS */
    int64_t idle_timeout_ms;
    int64_t request_timeout_ms;
    uint64_t held_max;
};

struct served {
    struct served_options options;
    struct test_directory directory;
    struct diag diag;
    struct config config; /* defaults; the server tells them, and no more */
    struct storage *storage;
    struct server *server;
    pthread_t thread;
    int result; /* of server_run */
    bool running;
};

void served_start(struct served *served, const struct served_options *options);
/* Waits until server_run, which somebody has stopped, has returned. */
void served_join(struct served *served);
/* Stops it if it runs, and takes all down. */
void served_end(struct served *served);

/* A connection; the caller closes it. */
int served_dial(const struct served *served);
void served_send(int fd, const void *bytes, size_t size);
/* Waits until what was sent is in the hands of the server's kernel. */
void served_await_sent(int fd);
/* How many bytes came before the end of the connection, at most size; all that
 * were asked for, if the peer does not close. */
size_t served_receive(int fd, void *bytes, size_t size);
/* True if the peer has closed and nothing is left. */
bool served_is_over(int fd);

kv_message_t served_request(int type, const char *key, const char *value);
/* Sends one request, and returns its reply, whose echo is checked. */
kv_message_t served_call(int fd, int type, const char *key, const char *value);
/* The same; the status and the value must be these; value NULL: any. */
void served_check(
    int fd, const kv_message_t *request, kv_error_t status, const char *value);
void served_check_reply(
    const kv_message_t *reply, kv_error_t status, const char *value);

/* It answers a PING. */
void served_check_alive(int fd);

/* A figure of STATS. */
uint64_t served_figure(int fd, const char *name);
/* Waits until that figure has that value. */
void served_await_figure(int fd, const char *name, uint64_t value);

/* What the three ways to sync, and memory alone, have in common. */
extern const struct served_options served_kinds[];
enum { SERVED_KINDS = 4 };

#endif
