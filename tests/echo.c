/* echo.c: a server that sends back what it receives, and does nothing else:
 * what the network alone costs on this machine, to measure a server against.
 *
 *     echo [PORT]
 *
 * One thread, one epoll, on 127.0.0.1; without PORT the kernel chooses one.
 * Prints "port N" when it listens; SIGTERM and SIGINT end it.  It waits for a
 * peer that does not read (there is no buffer to measure), so it is no example
 * of a server. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024, EVENTS_MAX = 128, EXIT_USAGE = 2 };

/* Returns the listening socket, or -1 with errno set. */
static int listen_at(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        return -1;
    }
    printf("port %u\n", (unsigned)ntohs(address.sin_port));
    return fflush(stdout) == 0 ? fd : -1;
}

static bool watch(int epoll, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* False if the peer is gone. */
static bool send_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        struct pollfd writable = {.fd = fd, .events = POLLOUT};
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        if (sent < 0) {
            (void)poll(&writable, 1, -1);
            continue;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* Sends back what is there.  False if the peer is gone. */
static bool echo(int fd, uint8_t bytes[READ_SIZE])
{
    ssize_t got = recv(fd, bytes, READ_SIZE, 0);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    return got > 0 && send_all(fd, bytes, (size_t)got);
}

static void accept_one(int epoll, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && !watch(epoll, fd, EPOLLIN)) {
        close(fd);
    }
}

/* Until a signal ends the process, or epoll fails. */
static void serve(int epoll, int listener)
{
    uint8_t bytes[READ_SIZE];
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        if (count < 0 && errno != EINTR) {
            return;
        }
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_one(epoll, listener);
            } else if (!echo(fd, bytes)) {
                close(fd);
            }
        }
    }
}

int main(int argc, char **argv)
{
    char *end = NULL;
    long port = argc > 1 ? strtol(argv[1], &end, 10) : 0;
    if (argc > 2 || (end != NULL && (*end != '\0' || end == argv[1])) ||
        port < 0 || port > UINT16_MAX) {
        (void)fprintf(stderr, "usage: echo [PORT]\n");
        return EXIT_USAGE;
    }
    int listener = listen_at((uint16_t)port);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || epoll < 0 || !watch(epoll, listener, EPOLLIN)) {
        perror("echo");
        return EXIT_FAILURE;
    }
    serve(epoll, listener);
    perror("echo");
    return EXIT_FAILURE;
}
