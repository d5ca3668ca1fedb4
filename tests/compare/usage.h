/* usage.h: processor time, as the kernel counts it. */
#ifndef USAGE_H
#define USAGE_H

#include <stdint.h>
#include <sys/types.h>

struct usage {
    int64_t at_ns;      /* the steady clock */
    int64_t server_ns;  /* user and system, of all threads that live */
    int64_t own_ns;     /* of the process that asks */
    int64_t machine_ns; /* of all processors, whoever used it */
};

/* What was used so far; pid 0: no server.  0 or -errno. */
int usage_read(struct usage *usage, pid_t pid);

#endif
