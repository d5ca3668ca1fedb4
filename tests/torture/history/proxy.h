/* proxy.h: a proxy that does to a sound server what a bug would do: what stands
 * between it and its clients is a store that is not linearizable. */
#ifndef TORTURE_PROXY_H
#define TORTURE_PROXY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { PROXY_CONNECTIONS_MAX = 64 };

enum proxy_fault {
    PROXY_STALE,     /* now and then a GET is answered from what this connection
                      was answered the last time */
    PROXY_UNCHECKED, /* EXPECT and EXPECT_ABSENT always hold */
    PROXY_FAULTS
};

struct proxy;

/* A proxy to the server at that port; NULL: no socket or memory. */
struct proxy *proxy_start(uint16_t server, enum proxy_fault fault);
uint16_t proxy_port(const struct proxy *proxy);
/* Its clients have closed their connections.  Returns how often it did wrong.
 * Frees it. */
uint64_t proxy_end(struct proxy *proxy);

#endif
