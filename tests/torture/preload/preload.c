/* preload.c: see preload.h.  Not a disk: each call is handed on to the kernel.
 * The calls have no handle, so what is known stands for the process. */
#include "torture/preload/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES_MAX = 65536, STATUS = 99 };

static struct {
    const char *directory; /* NULL: not begun yet */
    pthread_mutex_t names;
    _Atomic uint32_t files[FILES_MAX]; /* by descriptor */
} preload = {.names = PTHREAD_MUTEX_INITIALIZER};

void preload_end(const char *what, const char *more)
{
    (void)fprintf(stderr, "preload: %s: %s\n", what, more);
    _exit(STATUS);
}

__attribute__((constructor)) static void start(void)
{
    const char *directory = getenv(PRELOAD_DIRECTORY);
    if (directory == NULL) {
        preload_end(PRELOAD_DIRECTORY, "is not set");
    }
    sink_start();
    preload.directory = directory;
}

static uint32_t file_of(int fd)
{
    return fd >= 0 && fd < FILES_MAX ? atomic_load(&preload.files[fd])
                                     : DISK_NO_FILE;
}

static void set_file(int fd, uint32_t file)
{
    if (fd >= 0 && fd < FILES_MAX) {
        atomic_store(&preload.files[fd], file);
    } else if (file != DISK_NO_FILE) {
        preload_end("openat", "a descriptor above all that are known");
    }
}

/* The sink must not change errno for the caller. */
static uint32_t after(const struct disk_call *call, int64_t result)
{
    int error = errno;
    uint32_t file = sink_after(call, result);
    errno = error;
    return file;
}

static void lock_names(void)
{
    if (pthread_mutex_lock(&preload.names) != 0) {
        preload_end("the lock", "cannot be had");
    }
}

static void unlock_names(void)
{
    if (pthread_mutex_unlock(&preload.names) != 0) {
        preload_end("the lock", "cannot be given back");
    }
}

/* ---- Names --------------------------------------------------------------- */

static int open_file(int directory, const char *name, int flags, mode_t mode)
{
    struct disk_call call = {
        .kind = DISK_openat,
        .name = name,
        .makes = (flags & O_CREAT) != 0,
        .emptied = (flags & O_TRUNC) != 0,
    };
    lock_names();
    call.created =
        call.makes && syscall(SYS_faccessat, directory, name, F_OK) != 0;
    (void)sink_before(&call);
    int fd = (int)syscall(SYS_openat, directory, name, flags, mode);
    uint32_t file = after(&call, fd);
    if (fd >= 0) {
        set_file(fd, file);
    }
    unlock_names();
    return fd;
}

int openat(int directory, const char *name, int flags, ...)
{
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    if (file_of(directory) == DISK_DIRECTORY && (flags & O_DIRECTORY) == 0) {
        return open_file(directory, name, flags, mode);
    }
    int fd = (int)syscall(SYS_openat, directory, name, flags, mode);
    if (fd >= 0) {
        bool data = directory == AT_FDCWD && (flags & O_DIRECTORY) != 0 &&
                    strcmp(name, preload.directory) == 0;
        set_file(fd, data ? DISK_DIRECTORY : DISK_NO_FILE);
    }
    return fd;
}

int open(const char *path, int flags, ...)
{
    static const char devices[] = "/dev/";
    bool writes = (flags & (O_CREAT | O_WRONLY | O_RDWR)) != 0;
    if (writes && preload.directory != NULL &&
        strncmp(path, devices, sizeof devices - 1) != 0) {
        preload_end("open", "not known here");
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0);
}

int renameat(int from, const char *old, int to, const char *name)
{
    struct disk_call call = {.kind = DISK_renameat, .name = old, .to = name};
    if (file_of(from) != DISK_DIRECTORY || file_of(to) != DISK_DIRECTORY) {
        preload_end("renameat", "out of the data directory");
    }
    lock_names();
    (void)sink_before(&call);
    int result = (int)syscall(SYS_renameat, from, old, to, name);
    (void)after(&call, result);
    unlock_names();
    return result;
}

int unlinkat(int directory, const char *name, int flags)
{
    struct disk_call call = {.kind = DISK_unlinkat, .name = name};
    if (file_of(directory) != DISK_DIRECTORY || flags != 0) {
        preload_end("unlinkat", "not of a file in the data directory");
    }
    lock_names();
    (void)sink_before(&call);
    int result = (int)syscall(SYS_unlinkat, directory, name, flags);
    (void)after(&call, result);
    unlock_names();
    return result;
}

int close(int fd)
{
    set_file(fd, DISK_NO_FILE);
    return (int)syscall(SYS_close, fd);
}

/* ---- Data ---------------------------------------------------------------- */

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    struct disk_call call = {
        .kind = DISK_pwrite,
        .file = file_of(fd),
        .bytes = bytes,
        .size = size,
        .offset = (uint64_t)offset,
    };
    bool ours = call.file != DISK_NO_FILE;
    if (ours) {
        (void)sink_before(&call);
    }
    ssize_t written = syscall(SYS_pwrite64, fd, bytes, size, offset);
    if (ours) {
        (void)after(&call, written);
    }
    return written;
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    struct disk_call call = {
        .kind = DISK_fallocate,
        .file = file_of(fd),
        .size = (uint64_t)(offset + size),
    };
    bool ours = call.file != DISK_NO_FILE;
    if (ours && mode != 0) {
        preload_end("fallocate", "with a mode");
    }
    if (ours) {
        (void)sink_before(&call);
    }
    int result = (int)syscall(SYS_fallocate, fd, mode, offset, size);
    if (ours) {
        (void)after(&call, result);
    }
    return result;
}

/* A call whose arguments are a descriptor and at most one number. */
static int simple(enum disk_kind kind, long number, int fd, off_t size)
{
    struct disk_call call = {
        .kind = kind, .file = file_of(fd), .size = (uint64_t)size};
    bool ours = call.file != DISK_NO_FILE;
    if (ours && !sink_before(&call)) {
        return 0;
    }
    int result = (int)syscall(number, fd, size);
    if (ours) {
        (void)after(&call, result);
    }
    return result;
}

int ftruncate(int fd, off_t size)
{
    return simple(DISK_ftruncate, SYS_ftruncate, fd, size);
}

int fdatasync(int fd)
{
    return simple(DISK_fdatasync, SYS_fdatasync, fd, 0);
}

int fsync(int fd)
{
    return simple(DISK_fsync, SYS_fsync, fd, 0);
}

/* ---- What the server does not do ----------------------------------------- */

ssize_t write(int fd, const void *bytes, size_t size)
{
    if (file_of(fd) != DISK_NO_FILE) {
        preload_end("write", "not known here");
    }
    return syscall(SYS_write, fd, bytes, size);
}

int linkat(int from, const char *old, int to, const char *name, int flags)
{
    if (file_of(from) != DISK_NO_FILE || file_of(to) != DISK_NO_FILE) {
        preload_end("linkat", "not known here");
    }
    return (int)syscall(SYS_linkat, from, old, to, name, flags);
}

int mkdirat(int directory, const char *name, mode_t mode)
{
    if (file_of(directory) != DISK_NO_FILE) {
        preload_end("mkdirat", "not known here");
    }
    return (int)syscall(SYS_mkdirat, directory, name, mode);
}

int rmdir(const char *path)
{
    preload_end("rmdir", path);
}

void *mmap(
    void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (file_of(fd) != DISK_NO_FILE && (protection & PROT_WRITE) != 0 &&
        (flags & MAP_SHARED) != 0) {
        preload_end("mmap", "of a file, not known here");
    }
    long result = syscall(SYS_mmap, at, size, protection, flags, fd, offset);
    void *memory; /* MAP_FAILED is -1 */
    memcpy(&memory, &result, sizeof memory);
    return memory;
}
