/* echo.c: a server that sends back what it receives, and does nothing else:
 * what the network alone costs on this machine, to measure a server against.
 *
 *     echo [PORT [REQUEST REPLY]]
 *
 * One thread, one epoll, on 127.0.0.1; without PORT, or with 0, the kernel
 * chooses one.  With two sizes it answers each REQUEST bytes with REPLY bytes
 * of no meaning: for protocols whose replies are longer or shorter than the
 * requests.  Prints "port N" when it listens; SIGTERM and SIGINT end it.  It
 * waits for a peer that does not read (there is no buffer to measure), so it is
 * no example of a server. */
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

enum {
    READ_SIZE = 64 * 1024,
    EVENTS_MAX = 128,
    DESCRIPTORS_MAX = 20000,
    EXIT_USAGE = 2
};

struct echo {
    size_t request; /* 0: what comes goes back */
    size_t reply;
    size_t carried[DESCRIPTORS_MAX]; /* bytes of a request that is not whole */
    uint8_t bytes[READ_SIZE];
};

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

/* The reply to so many bytes more.  False if the peer is gone. */
static bool answer(struct echo *echo, int fd, size_t got)
{
    if (echo->request == 0) {
        return send_all(fd, echo->bytes, got);
    }
    size_t left = echo->carried[fd] + got;
    size_t owed = left / echo->request * echo->reply;
    echo->carried[fd] = left % echo->request;
    bool there = true;
    while (there && owed > 0) {
        size_t part = owed < READ_SIZE ? owed : READ_SIZE;
        there = send_all(fd, echo->bytes, part);
        owed -= part;
    }
    return there;
}

/* Answers what is there.  False if the peer is gone. */
static bool serve_one(struct echo *echo, int fd)
{
    ssize_t got = recv(fd, echo->bytes, READ_SIZE, 0);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    return got > 0 && answer(echo, fd, (size_t)got);
}

static void accept_one(struct echo *echo, int epoll, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (fd >= DESCRIPTORS_MAX || !watch(epoll, fd, EPOLLIN)) {
        close(fd);
        return;
    }
    echo->carried[fd] = 0;
}

/* Until a signal ends the process, or epoll fails. */
static void serve(struct echo *echo, int epoll, int listener)
{
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        if (count < 0 && errno != EINTR) {
            return;
        }
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_one(echo, epoll, listener);
            } else if (!serve_one(echo, fd)) {
                close(fd);
            }
        }
    }
}

/* A number that is no larger than limit; -1 if text is none. */
static long number(const char *text, long limit)
{
    char *end = NULL;
    errno = 0;
    long found = strtol(text, &end, 10);
    bool good = errno == 0 && end != text && *end == '\0';
    return good && found >= 0 && found <= limit ? found : -1;
}

int main(int argc, char **argv)
{
    long port = argc > 1 ? number(argv[1], UINT16_MAX) : 0;
    long request = argc == 4 ? number(argv[2], READ_SIZE) : 0;
    long reply = argc == 4 ? number(argv[3], READ_SIZE) : 0;
    bool sizes = request > 0 && reply > 0;
    if (argc == 3 || argc > 4 || port < 0 || (argc == 4 && !sizes)) {
        (void)fprintf(stderr, "usage: echo [PORT [REQUEST REPLY]]\n");
        return EXIT_USAGE;
    }
    struct echo *echo = calloc(1, sizeof *echo);
    int listener = listen_at((uint16_t)port);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (echo == NULL || listener < 0 || epoll < 0 ||
        !watch(epoll, listener, EPOLLIN)) {
        perror("echo");
        free(echo);
        return EXIT_FAILURE;
    }
    echo->request = (size_t)request;
    echo->reply = (size_t)reply;
    serve(echo, epoll, listener);
    perror("echo");
    free(echo);
    return EXIT_FAILURE;
}
