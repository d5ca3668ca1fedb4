/* disk.c: a disk that stalls, is full or fails, for a real server: put
 * before the C library by LD_PRELOAD.
 *
 * The file that PRELOAD_DISK names is mapped by the server and by the test:
 *
 *     0    4   what is done, a byte each: to syncs (fdatasync, fsync), writes
 *              (pwrite), allocations (fallocate), reservations of address space
 *              (mmap with MAP_NORESERVE): '.' as ever, 's' it does not return
 *              until this byte is another one, else it fails: 'e' EIO, 'f'
 *              ENOSPC, 'n' ENOMEM
 *     8    8   how many calls something other than '.' was done to
 *
 * It looks every millisecond whether a stalled call may go on: nobody can be
 * made to signal it from a shell. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum call { CALL_SYNC, CALL_WRITE, CALL_ALLOCATE, CALL_RESERVE, CALL_COUNT };

enum { LOOK_NS = 1000000 };

struct control {
    _Atomic unsigned char acts[8];
    _Atomic uint64_t struck;
};

_Static_assert(offsetof(struct control, struck) == 8, "as the test sees it");

static struct control *control;

__attribute__((constructor)) static void attach(void)
{
    const char *path = getenv("PRELOAD_DISK");
    if (path == NULL) {
        return; /* a program beside the server */
    }
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert(fd >= 0);
    /* Not mmap, which is the one below. */
    void *memory = mmap64(
        NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert(memory != MAP_FAILED);
    control = memory;
    (void)close(fd);
}

/* Waits if the call stalls; the error that it fails with, or 0. */
static int strike(enum call call)
{
    const struct timespec look = {.tv_nsec = LOOK_NS};
    if (control == NULL || control->acts[call] == '.') {
        return 0;
    }
    control->struck++;
    unsigned char act = control->acts[call];
    while (act == 's') {
        (void)nanosleep(&look, NULL);
        act = control->acts[call];
    }
    switch (act) {
    case 'e':
        return EIO;
    case 'f':
        return ENOSPC;
    case 'n':
        return ENOMEM;
    default:
        return 0;
    }
}

static long fail(int error)
{
    errno = error;
    return -1;
}

int fdatasync(int fd)
{
    int error = strike(CALL_SYNC);
    return (int)(error != 0 ? fail(error) : syscall(SYS_fdatasync, fd));
}

int fsync(int fd)
{
    int error = strike(CALL_SYNC);
    return (int)(error != 0 ? fail(error) : syscall(SYS_fsync, fd));
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    int error = strike(CALL_WRITE);
    return error != 0 ? fail(error)
                      : syscall(SYS_pwrite64, fd, bytes, size, offset);
}

int fallocate(int fd, int mode, off_t from, off_t size)
{
    int error = strike(CALL_ALLOCATE);
    return (int)(error != 0 ? fail(error)
                            : syscall(SYS_fallocate, fd, mode, from, size));
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t from)
{
    int error = (flags & MAP_NORESERVE) != 0 ? strike(CALL_RESERVE) : 0;
    if (error != 0) {
        errno = error;
        return MAP_FAILED;
    }
    return mmap64(at, size, protection, flags, fd, from);
}
