/* crash_server.h: the server's program, in a process of its own: started on a
 * port that the kernel chooses, listened to, killed. */
#ifndef CRASH_SERVER_H
#define CRASH_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CRASH_SAID_MAX = 16384, CRASH_WAIT_MS = 60000 };

struct crash_settings {
    const char *program;
    const char *directory;
    const char *sync;       /* KV_SYNC */
    const char *segment;    /* KV_LOG_SEGMENT */
    const char *workers;    /* KV_WORKERS; NULL: 2 */
    const char *keep;       /* KV_BACKUP_KEEP; NULL: 2 */
    const char *(*more)[2]; /* names and values of the environment, up to the
                               name NULL; NULL: nothing more */
};

struct crash_server {
    pid_t pid; /* 0: none */
    int lines; /* its standard error */
    uint16_t port;
    char said[CRASH_SAID_MAX]; /* of it what came last, a string */
    size_t said_length;
};

/* Starts one; false if there is no process for it. */
bool crash_server_start(
    struct crash_server *server, const struct crash_settings *settings);
/* Waits until it serves, and tells its port; false if it ends before that, or
 * takes longer than CRASH_WAIT_MS. */
bool crash_server_await(struct crash_server *server);
/* Listens to it for that long; false if it has closed its standard error, that
 * is, ended. */
bool crash_server_listen(struct crash_server *server, int64_t wait_ms);
/* Sends the signal and waits for the end, with SIGKILL if that takes longer
 * than CRASH_WAIT_MS; what waitpid tells. */
int crash_server_end(struct crash_server *server, int signal);

#endif
