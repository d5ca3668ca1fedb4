#include "server/listener.h"

#include "clock.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    PAUSE_MS = 100,
    TELL_AGAIN_MS = 60000,
    LOST_DEFAULT_S = 180,
    LOST_REQUESTS = 3,      /* times the limit of a request */
    UNSENT_MAX = 128 << 10, /* bytes that the kernel keeps of what it cannot
                             * send: beyond, they are the worker's to count */
    PORT_TEXT_MAX = 8
};

struct listener {
    int fd;
    int epoll;
    uint16_t port;
    struct diag *diag;
    bool paused;
    int64_t resume_ms;
    int64_t told_ms; /* of a pause; 0: never */
};

static const char *bind_advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "stop the program that listens there, or set KV_PORT to "
               "another port";
    case EACCES:
        return "ports below 1024 need a privilege; set KV_PORT to a higher one";
    case EADDRNOTAVAIL:
        return "this machine has no such address; set KV_HOST to one it has";
    default:
        return "check KV_HOST and KV_PORT";
    }
}

/* What accepted sockets begin with: on Linux they have it from the listener,
 * which saves calls for each.  No delay, because replies are sent whole.  A
 * silent peer is asked for life in the last third of the time in which it is
 * found to be lost.  0 or -errno. */
static int set_up(int fd, int64_t request_timeout_ms)
{
    int lost_ms = (int)request_timeout_ms * LOST_REQUESTS;
    int lost_s = lost_ms > 0 ? (lost_ms + 999) / 1000 : LOST_DEFAULT_S;
    int third_s = (lost_s + 2) / 3;
    int interval_s = (third_s + 3) / 4;
    const struct {
        int level;
        int name;
        int value;
    } options[] = {
        {SOL_SOCKET, SO_REUSEADDR, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, (int)u64_max(lost_s - third_s, 1)},
        {IPPROTO_TCP, TCP_KEEPINTVL, interval_s},
        {IPPROTO_TCP, TCP_KEEPCNT, third_s / interval_s},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, lost_ms},
        {IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX},
        {IPPROTO_TCP, TCP_NODELAY, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        if (setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                sizeof options[i].value) != 0) {
            return -errno;
        }
    }
    return 0;
}

/* A socket that listens at address, or -errno. */
static int listen_at(
    const struct addrinfo *address, const struct listener_options *options)
{
    int fd = socket(address->ai_family,
        SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0) {
        return -errno;
    }
    int error = set_up(fd, options->request_timeout_ms);
    if (error == 0 && (bind(fd, address->ai_addr, address->ai_addrlen) != 0 ||
                          listen(fd, SOMAXCONN) != 0)) {
        error = -errno;
    }
    if (error != 0) {
        close(fd);
        return error;
    }
    return fd;
}

/* Returns the descriptor, or -errno with a line in why. */
static int listen_on(
    const struct listener_options *options, char *why, size_t why_size)
{
    struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *addresses = NULL;
    char port[PORT_TEXT_MAX];
    (void)snprintf(port, sizeof port, "%u", (unsigned)options->port);
    int unknown = getaddrinfo(options->host, port, &hints, &addresses);
    if (unknown != 0) {
        (void)snprintf(why, why_size,
            "cannot listen on %s: %s; set KV_HOST to an address of this "
            "machine",
            options->host, gai_strerror(unknown));
        return -EADDRNOTAVAIL;
    }
    int fd = -EADDRNOTAVAIL;
    for (struct addrinfo *at = addresses; at != NULL && fd < 0;
         at = at->ai_next) {
        fd = listen_at(at, options);
    }
    freeaddrinfo(addresses);
    if (fd < 0) {
        (void)snprintf(why, why_size, "cannot listen on %s, port %u: %s; %s",
            options->host, (unsigned)options->port, strerrordesc_np(-fd),
            bind_advice(-fd));
    }
    return fd;
}

int listener_open(struct listener **made,
    const struct listener_options *options, char *why, size_t why_size)
{
    union conn_address bound = {0};
    socklen_t size = sizeof bound;
    *made = NULL;
    int fd = listen_on(options, why, why_size);
    if (fd < 0) {
        return fd;
    }
    struct listener *listener = calloc(1, sizeof *listener);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
    if (listener == NULL || getsockname(fd, &bound.any, &size) != 0 ||
        epoll_ctl(options->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        int error = -errno;
        (void)snprintf(why, why_size, "cannot set up the listener: %s",
            strerrordesc_np(-error));
        free(listener);
        close(fd);
        return error;
    }
    listener->fd = fd;
    listener->epoll = options->epoll;
    listener->diag = options->diag;
    listener->port = ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port
                                                           : bound.v4.sin_port);
    *made = listener;
    return 0;
}

void listener_close(struct listener *listener)
{
    if (listener != NULL) {
        close(listener->fd);
        free(listener);
    }
}

uint16_t listener_port(const struct listener *listener)
{
    return listener->port;
}

static void ask_epoll(struct listener *listener, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = listener};
    int error = epoll_ctl(listener->epoll, EPOLL_CTL_MOD, listener->fd, &event);
    assert(error == 0);
}

int listener_accept(struct listener *listener, union conn_address *peer)
{
    socklen_t size = sizeof *peer;
    int fd =
        accept4(listener->fd, &peer->any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int error = fd < 0 ? errno : 0;
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        listener_pause(listener, error);
        return -EAGAIN;
    default:
        /* Of the others accept(2) says: they belong to the connection that was
         * to be accepted, and it is gone. */
        return error != 0 ? -error : fd;
    }
}

void listener_pause(struct listener *listener, int error)
{
    int64_t now = clock_steady_ms();
    ask_epoll(listener, 0);
    listener->paused = true;
    listener->resume_ms = now + PAUSE_MS;
    if (listener->told_ms == 0 || now - listener->told_ms >= TELL_AGAIN_MS) {
        listener->told_ms = now;
        diag_line(listener->diag,
            "no new connections for want of resources: %s; see "
            "KV_MAX_CONNECTIONS and the limit of open files (ulimit -n)",
            strerrordesc_np(error));
    }
}

int listener_wait_ms(struct listener *listener)
{
    if (!listener->paused) {
        return -1;
    }
    int64_t left = listener->resume_ms - clock_steady_ms();
    if (left > 0) {
        return (int)left;
    }
    ask_epoll(listener, EPOLLIN);
    listener->paused = false;
    return -1;
}
