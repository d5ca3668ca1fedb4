/* signals.c: the signals that end a transfer, as a descriptor: what waits for
 * something else waits for them too. */
#include "client_transfer/transfer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>

int transfer_signals(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    int error = pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (error != 0) {
        return -error;
    }
    int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

bool transfer_pause(int signals, int wait_ms)
{
    struct pollfd entry = {.fd = signals, .events = POLLIN};
    return poll(&entry, 1, wait_ms) > 0;
}
