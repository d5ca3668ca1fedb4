/* tcp.h: sockets on 127.0.0.1 that block, with a limit to every wait. */
#ifndef TCP_H
#define TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TCP_WAIT_S = 60 };

/* A connection; -1 if there is none, errno set. */
int tcp_dial(uint16_t port);
/* A socket that listens on a port that the kernel chooses; -1, errno set. */
int tcp_listen(uint16_t *port);
/* The next connection; -1 if there will be none, errno set. */
int tcp_accept(int listener);
/* False if the connection is lost. */
bool tcp_send(int fd, const void *bytes, size_t size);
/* The same; errno is EAGAIN if nothing came for TCP_WAIT_S, and 0 if the peer
 * has closed. */
bool tcp_receive(int fd, void *bytes, size_t size);

#endif
