/* nth.c: ends the process in its n-th call that changes the disk,
 * before the call takes effect or after it.  What it was is left in the file
 * NTH_FILE, together with the number of calls. */
#include "torture/preload/preload.h"
#include "torture/nth.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The calls have no handle, so this stands for the process. */
static struct nth_shared *shared;

void sink_start(void)
{
    const char *path = getenv(NTH_FILE);
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    shared = fd < 0 ? MAP_FAILED
                    : mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                          MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED) {
        preload_end(NTH_FILE, strerror(errno));
    }
    (void)close(fd);
}

static void end_now(const struct disk_call *call)
{
    atomic_store(&shared->kind, (uint32_t)call->kind);
    atomic_store(&shared->struck, true);
    (void)kill(getpid(), SIGKILL);
    for (;;) {
        (void)pause();
    }
}

static bool is_due(const struct disk_call *call)
{
    return shared->nth > 0 && call->begun >= shared->nth &&
           !atomic_load(&shared->paused);
}

bool sink_before(struct disk_call *call)
{
    if (call->kind == DISK_openat && !call->makes) {
        return true;
    }
    call->begun = atomic_fetch_add(&shared->calls, 1) + 1;
    if (is_due(call) && !shared->afterwards) {
        end_now(call);
    }
    return true;
}

uint32_t sink_after(const struct disk_call *call, int64_t result)
{
    (void)result;
    if (is_due(call) && shared->afterwards) {
        end_now(call);
    }
    return DISK_FIRST_FILE;
}
