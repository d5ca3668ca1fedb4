/* link.h: one TCP connection of the client, as bytes.  It knows no messages.
 *
 * 1. No call blocks but link_open and link_wait, and those end at their time.
 *    (Finding the address of a name is the resolver's, and takes the time that
 *    resolv.conf(5) says.)
 * 2. A peer that went away is a result, never a signal. */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINK_WHY_MAX = 128 };

/* Milliseconds from an arbitrary beginning; never runs back. */
int64_t link_now_ms(void);

/* Connects to the first address of host that answers.  Each address has an
 * equal share of the time that is left.  Returns the descriptor, non-blocking,
 * or -errno with the reason in why; -ETIMEDOUT: the time was over;
 * -EHOSTUNREACH: the name has no address. */
int link_open(
    const char *host, int port, int timeout_ms, char why[LINK_WHY_MAX]);
/* Closes *fd and makes it -1; -1 is fine. */
void link_close(int *fd);

/* True if the peer has neither closed nor sent anything. */
bool link_quiet(int fd);

/* How many bytes were handed to the kernel or had from it; 0: none at the
 * moment; -errno.  The peer's orderly end is -EPIPE. */
int64_t link_send(int fd, const void *bytes, size_t size);
int64_t link_receive(int fd, void *bytes, size_t size);

/* Waits for events (poll(2)).  The events, -ETIMEDOUT or -errno. */
int link_wait(int fd, short events, int64_t deadline_ms);

#endif
