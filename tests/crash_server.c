#include "crash_server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

enum { NO_PROGRAM = 127 };

/* In the child: becomes the server. */
_Noreturn static void become_server(
    const struct crash_settings *settings, pid_t parent, int lines)
{
    const char *workers = settings->workers;
    const char *keep = settings->keep;
    const char *const names[][2] = {
        {"KV_PORT", "0"},
        {"KV_DATA_DIR", settings->directory},
        {"KV_SYNC", settings->sync},
        {"KV_LOG_SEGMENT", settings->segment},
        {"KV_CAPACITY", "40000"},
        {"KV_WORKERS", workers == NULL ? "2" : workers},
        {"KV_BACKUP_INTERVAL", "1"},
        {"KV_BACKUP_KEEP", keep == NULL ? "2" : keep},
    };
    bool set = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
               dup2(lines, STDERR_FILENO) >= 0 && clearenv() == 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        set = set && setenv(names[i][0], names[i][1], 1) == 0;
    }
    for (size_t i = 0; settings->more != NULL && settings->more[i][0] != NULL;
         i++) {
        set = set && setenv(settings->more[i][0], settings->more[i][1], 1) == 0;
    }
    if (set) {
        (void)execl(settings->program, settings->program, (char *)NULL);
    }
    _exit(NO_PROGRAM);
}

bool crash_server_start(
    struct crash_server *server, const struct crash_settings *settings)
{
    int ends[2];
    pid_t parent = getpid();
    *server = (struct crash_server){.lines = -1};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    (void)fflush(NULL);
    server->pid = fork();
    if (server->pid == 0) {
        become_server(settings, parent, ends[1]);
    }
    (void)close(ends[1]);
    if (server->pid < 0) {
        server->pid = 0;
        (void)close(ends[0]);
        return false;
    }
    server->lines = ends[0];
    return true;
}

/* Takes what it says until then.  1: something; 0: nothing; -1: its end. */
static int hear(struct crash_server *server, int64_t until_ms)
{
    int64_t left_ms = until_ms - clock_steady_ms();
    struct pollfd poll_of = {.fd = server->lines, .events = POLLIN};
    int ready = poll(&poll_of, 1, left_ms < 0 ? 0 : (int)left_ms);
    if (ready <= 0) {
        return 0;
    }
    if (server->said_length > CRASH_SAID_MAX / 2) {
        size_t kept = CRASH_SAID_MAX / 4;
        memmove(server->said, server->said + server->said_length - kept, kept);
        server->said_length = kept;
    }
    ssize_t got = read(server->lines, server->said + server->said_length,
        CRASH_SAID_MAX - 1 - server->said_length);
    if (got <= 0) {
        return got < 0 && errno == EINTR ? 0 : -1;
    }
    server->said_length += (size_t)got;
    server->said[server->said_length] = '\0';
    return 1;
}

/* The port in "ready: 127.0.0.1:PORT, data in"; 0 if it was not said. */
static uint16_t said_port(const struct crash_server *server)
{
    const char *ready = strstr(server->said, "ready: ");
    const char *colon =
        ready == NULL ? NULL : strchr(ready + strlen("ready: "), ':');
    char *end = NULL;
    unsigned long port = colon == NULL ? 0 : strtoul(colon + 1, &end, 10);
    return end != NULL && *end == ',' && port <= UINT16_MAX ? (uint16_t)port
                                                            : 0;
}

bool crash_server_await(struct crash_server *server)
{
    int64_t until_ms = clock_steady_ms() + CRASH_WAIT_MS;
    while (server->port == 0 && clock_steady_ms() < until_ms) {
        if (hear(server, until_ms) < 0) {
            return false;
        }
        server->port = said_port(server);
    }
    return server->port != 0;
}

bool crash_server_listen(struct crash_server *server, int64_t wait_ms)
{
    int64_t until_ms = clock_steady_ms() + wait_ms;
    while (clock_steady_ms() < until_ms) {
        if (hear(server, until_ms) < 0) {
            return false;
        }
    }
    return true;
}

int crash_server_end(struct crash_server *server, int signal)
{
    int status = 0;
    pid_t ended;
    assert(server->pid > 0);
    (void)kill(server->pid, signal);
    /* It has ended when nobody holds its standard error any more. */
    if (crash_server_listen(server, CRASH_WAIT_MS)) {
        (void)kill(server->pid, SIGKILL);
    }
    do {
        ended = waitpid(server->pid, &status, 0);
    } while (ended < 0 && errno == EINTR);
    assert(ended == server->pid);
    (void)close(server->lines);
    server->pid = 0;
    return status;
}
