/* process.c: see process.h. */
#include "process.h"

#include <assert.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bytes.h"

enum { BLOCK_BYTES = 32 << 10 };

bool process_hold_streams(void)
{
    bool held = true;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            held = open("/dev/null", O_RDWR) == fd && held;
        }
    }
    return held;
}

void process_reserve_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            /* Where there is no such device, all is as it was. */
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

static void ignore(int signal)
{
    const struct sigaction action = {.sa_handler = SIG_IGN};
    int result = sigaction(signal, &action, NULL);
    assert(result == 0);
}

void process_ignore_size_limit(void)
{
    ignore(SIGXFSZ);
}

void process_ignore_signals(void)
{
    ignore(SIGPIPE);
    ignore(SIGXFSZ);
}

void process_return_memory(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, BLOCK_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, BLOCK_BYTES);
}

void process_on_stop(void (*stop)(int signal))
{
    static const int stops[] = {SIGTERM, SIGINT};
    const struct sigaction action = {.sa_handler = stop};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(stops); i++) {
        sigaddset(&set, stops[i]);
        int result = stop != NULL ? sigaction(stops[i], &action, NULL) : 0;
        assert(result == 0);
    }
    int result =
        pthread_sigmask(stop != NULL ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
    assert(result == 0);
}

void process_share_heap(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
}

uint64_t process_raise_files(uint64_t wanted)
{
    struct rlimit limit;
    int result = getrlimit(RLIMIT_NOFILE, &limit);
    assert(result == 0);
    if (limit.rlim_cur >= wanted) {
        return limit.rlim_cur;
    }
    /* The hard limit is raised too, which root alone may do. */
    struct rlimit raised = {wanted, u64_max(wanted, limit.rlim_max)};
    return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? wanted : limit.rlim_max;
}
