#include "client/link.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORT_TEXT_MAX = 12 };

int64_t link_now_ms(void)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    assert(failed == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void link_close(int *fd)
{
    if (*fd >= 0) {
        /* An error of close tells nothing that the peer's silence would not. */
        (void)close(*fd);
        *fd = -1;
    }
}

int link_wait(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - link_now_ms();
        left = left < 0 ? 0 : left;
        left = left > INT_MAX ? INT_MAX : left;
        struct pollfd entry = {.fd = fd, .events = events};
        int ready = poll(&entry, 1, (int)left);
        if (ready > 0) {
            return entry.revents;
        }
        if (ready < 0 && errno != EINTR) {
            return -errno;
        }
        if (ready == 0 && left == 0) {
            return -ETIMEDOUT;
        }
    }
}

/* On the loopback interface a connect to a port that nobody listens on can
 * meet itself, when the kernel gives it that very port as its own. */
static bool met_itself(int fd)
{
    struct sockaddr_storage own = {0};
    struct sockaddr_storage peer = {0};
    socklen_t own_size = sizeof own;
    socklen_t peer_size = sizeof peer;
    return getsockname(fd, (struct sockaddr *)&own, &own_size) == 0 &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0 &&
           own_size == peer_size && memcmp(&own, &peer, own_size) == 0;
}

static int finish_connect(int fd, int64_t deadline_ms)
{
    int events = link_wait(fd, POLLOUT, deadline_ms);
    if (events < 0) {
        return events;
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        return -errno;
    }
    return -error;
}

static int connect_socket(
    int fd, const struct addrinfo *address, int64_t deadline_ms)
{
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        return -errno;
    }
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        /* Interrupted, it goes on in the background all the same. */
        if (errno != EINPROGRESS && errno != EINTR) {
            return -errno;
        }
        int error = finish_connect(fd, deadline_ms);
        if (error != 0) {
            return error;
        }
    }
    return met_itself(fd) ? -ECONNREFUSED : 0;
}

static int open_address(const struct addrinfo *address, int64_t deadline_ms)
{
    int fd = socket(
        address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int error = connect_socket(fd, address, deadline_ms);
    if (error != 0) {
        link_close(&fd);
        return error;
    }
    return fd;
}

int link_open(
    const char *host, int port, int timeout_ms, char why[LINK_WHY_MAX])
{
    assert(port > 0 && port <= UINT16_MAX);
    int64_t deadline_ms = link_now_ms() + timeout_ms;
    char service[PORT_TEXT_MAX];
    (void)snprintf(service, sizeof service, "%d", port);
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    int error = getaddrinfo(host, service, &hints, &addresses);
    if (error != 0) {
        (void)snprintf(why, LINK_WHY_MAX, "%s", gai_strerror(error));
        return error == EAI_MEMORY ? -ENOMEM : -EHOSTUNREACH;
    }
    int left = 0;
    for (struct addrinfo *each = addresses; each; each = each->ai_next) {
        left++;
    }
    int fd = -EHOSTUNREACH;
    for (struct addrinfo *each = addresses; each; each = each->ai_next) {
        int64_t now_ms = link_now_ms();
        fd = open_address(each, now_ms + (deadline_ms - now_ms) / left--);
        if (fd >= 0) {
            break;
        }
    }
    freeaddrinfo(addresses);
    if (fd < 0) {
        char text[LINK_WHY_MAX];
        (void)snprintf(
            why, LINK_WHY_MAX, "%s", strerror_r(-fd, text, sizeof text));
    }
    return fd;
}

bool link_quiet(int fd)
{
    char byte;
    for (;;) {
        ssize_t seen = recv(fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
        if (seen >= 0 || errno != EINTR) {
            return seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        }
    }
}

/* What a transfer came to that returned moved and left its reason in errno. */
static int64_t transfer_result(ssize_t moved)
{
    if (moved > 0) {
        return moved;
    }
    if (moved == 0) {
        return -EPIPE;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
}

int64_t link_send(int fd, const void *bytes, size_t size)
{
    assert(size > 0);
    ssize_t moved;
    do {
        moved = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (moved < 0 && errno == EINTR);
    return transfer_result(moved);
}

int64_t link_receive(int fd, void *bytes, size_t size)
{
    assert(size > 0);
    ssize_t moved;
    do {
        moved = recv(fd, bytes, size, MSG_DONTWAIT);
    } while (moved < 0 && errno == EINTR);
    return transfer_result(moved);
}
