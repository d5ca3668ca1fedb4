#include "faults_calls.h"
#include "faults_power.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NANOSECONDS INT64_C(1000000000)

/* The wrapped functions have no handle, so this stands for the process. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t called;
    const struct fault *fault; /* NULL: none */
    uint32_t until;            /* calls that the fault lets pass */
    uint32_t struck;           /* calls that it struck */
    uint32_t counts[CALL_COUNT];
    int64_t mappings;
} calls = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .called = PTHREAD_COND_INITIALIZER,
};

static void lock(void)
{
    int error = pthread_mutex_lock(&calls.lock);
    assert(error == 0);
}

static void unlock(void)
{
    int error = pthread_mutex_unlock(&calls.lock);
    assert(error == 0);
}

/* ---- For the tests ------------------------------------------------------- */

void calls_arm(const struct fault *fault, uint32_t nth)
{
    assert(nth > 0);
    lock();
    calls.fault = fault;
    calls.until = nth - 1;
    calls.struck = 0;
    unlock();
    if (fault->effect >= EFFECT_POWER_ALL) {
        power_watch();
    }
}

void calls_disarm(void)
{
    lock();
    calls.fault = NULL;
    unlock();
    power_forget();
}

uint32_t calls_struck(void)
{
    lock();
    uint32_t struck = calls.struck;
    unlock();
    return struck;
}

uint32_t calls_count(enum libc_call call)
{
    lock();
    uint32_t count = calls.counts[call];
    unlock();
    return count;
}

int64_t calls_mappings(void)
{
    lock();
    int64_t mappings = calls.mappings;
    unlock();
    return mappings;
}

const char *calls_name(enum libc_call call)
{
    static const char *const names[CALL_COUNT] = {
#define X(name) #name,
        CALLS_MAP(X)
#undef X
    };
    return names[call];
}

/* ---- Striking ------------------------------------------------------------ */

static void die(void)
{
    (void)kill(getpid(), SIGKILL);
    abort();
}

/* The fault if it strikes this call, else NULL. */
static const struct fault *choose_locked(enum libc_call call)
{
    const struct fault *fault = calls.fault;
    if (fault == NULL || fault->call != call ||
        (calls.struck > 0 && !fault->lasting)) {
        return NULL;
    }
    if (calls.until > 0) {
        calls.until--;
        return NULL;
    }
    calls.until = fault->error == EINTR ? 1 : 0;
    calls.struck++;
    return fault;
}

/* Counts the call.  The fault if it strikes this one, else NULL. */
static const struct fault *strike(enum libc_call call)
{
    lock();
    uint32_t serial = ++calls.counts[call];
    const struct fault *fault = choose_locked(call);
    int error = pthread_cond_broadcast(&calls.called);
    assert(error == 0);
    unlock();
    if (fault != NULL && fault->effect >= EFFECT_POWER_ALL) {
        power_enter();
        power_lose(fault->effect == EFFECT_POWER_ALL ? 0 : serial);
        die();
    }
    return fault;
}

/* True if the call fails; errno is set. */
static bool fails(const struct fault *fault)
{
    if (fault == NULL || fault->effect == EFFECT_KILL_AFTER) {
        return false;
    }
    errno = fault->error;
    return true;
}

static void end_of(const struct fault *fault)
{
    if (fault != NULL) {
        die();
    }
}

/* ---- The calls ----------------------------------------------------------- */

/* Where the whole call fails, or none of it. */
#define WRAP(type, failure, name, parameters, arguments)                       \
    type __real_##name parameters;                                             \
    type __wrap_##name parameters;                                             \
    type __wrap_##name parameters                                              \
    {                                                                          \
        const struct fault *fault = strike(CALL_##name);                       \
        if (fails(fault)) {                                                    \
            return failure;                                                    \
        }                                                                      \
        type result = __real_##name arguments;                                 \
        end_of(fault);                                                         \
        return result;                                                         \
    }

WRAP(int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(int, -1, flock, (int fd, int operation), (fd, operation))
WRAP(int, -1, fstat, (int fd, struct stat *status), (fd, status))
WRAP(DIR *, NULL, fdopendir, (int fd), (fd))
WRAP(int, -1, fallocate, (int fd, int mode, off_t from, off_t size),
    (fd, mode, from, size))
WRAP(ssize_t, -1, getrandom, (void *bytes, size_t size, unsigned flags),
    (bytes, size, flags))
WRAP(void *, NULL, malloc, (size_t size), (size))
WRAP(void *, NULL, calloc, (size_t count, size_t size), (count, size))
WRAP(void *, NULL, realloc, (void *old, size_t size), (old, size))
WRAP(void *, NULL, aligned_alloc, (size_t alignment, size_t size),
    (alignment, size))
WRAP(int, errno, pthread_create,
    (pthread_t * thread, const pthread_attr_t *attributes,
        void *(*run)(void *context), void *context),
    (thread, attributes, run, context))

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    int flags = va_arg(arguments, int);
    va_end(arguments);
    return fails(strike(CALL_fcntl)) ? -1 : __real_fcntl(fd, command, flags);
}

int __real_openat(int directory, const char *name, int flags, ...);
int __wrap_openat(int directory, const char *name, int flags, ...);
int __wrap_openat(int directory, const char *name, int flags, ...)
{
    mode_t mode = 0;
    const struct fault *fault = strike(CALL_openat);
    if (fails(fault)) {
        return -1;
    }
    if ((flags & O_CREAT) != 0) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    power_enter();
    if ((flags & O_CREAT) != 0) {
        power_note_create(directory, name);
    }
    int result = __real_openat(directory, name, flags, mode);
    power_leave();
    end_of(fault);
    return result;
}

int __real_renameat(int from, const char *old, int to, const char *name);
int __wrap_renameat(int from, const char *old, int to, const char *name);
int __wrap_renameat(int from, const char *old, int to, const char *name)
{
    const struct fault *fault = strike(CALL_renameat);
    if (fails(fault)) {
        return -1;
    }
    power_enter();
    power_note_rename(from, old, name);
    int result = __real_renameat(from, old, to, name);
    power_leave();
    end_of(fault);
    return result;
}

int __real_unlinkat(int directory, const char *name, int flags);
int __wrap_unlinkat(int directory, const char *name, int flags);
int __wrap_unlinkat(int directory, const char *name, int flags)
{
    const struct fault *fault = strike(CALL_unlinkat);
    if (fails(fault)) {
        return -1;
    }
    power_enter();
    power_note_remove(directory, name);
    int result = __real_unlinkat(directory, name, flags);
    power_leave();
    end_of(fault);
    return result;
}

ssize_t __real_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset)
{
    const struct fault *fault = strike(CALL_pread);
    if (fault != NULL && fault->effect == EFFECT_SHORT) {
        size = (size + 1) / 2;
    } else if (fails(fault)) {
        return -1;
    }
    return __real_pread(fd, bytes, size, offset);
}

ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    const struct fault *fault = strike(CALL_pwrite);
    if (fault == NULL) {
        power_enter();
        power_note_write(fd, size, offset);
        ssize_t result = __real_pwrite(fd, bytes, size, offset);
        power_leave();
        return result;
    }
    bool again = fault->effect == EFFECT_TORN && calls_struck() > 1;
    if (fault->effect == EFFECT_FAIL || again) {
        errno = fault->error;
        return -1;
    }
    size_t part = fault->effect == EFFECT_KILL_AFTER ? size : (size + 1) / 2;
    ssize_t written = __real_pwrite(fd, bytes, part, offset);
    if (fault->effect == EFFECT_SHORT) {
        return written;
    }
    if (fault->effect != EFFECT_TORN) {
        die();
    }
    errno = fault->error;
    return -1;
}

static int sync_of(int fd, enum libc_call call)
{
    if (fails(strike(call))) {
        return -1;
    }
    power_enter();
    power_note_sync(fd);
    power_leave();
    return 0;
}

int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    return sync_of(fd, CALL_fdatasync);
}

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return sync_of(fd, CALL_fsync);
}

void *__real_mmap(
    void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(
    void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(
    void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (fails(strike(CALL_mmap))) {
        return MAP_FAILED;
    }
    void *memory = __real_mmap(at, size, protection, flags, fd, offset);
    lock();
    calls.mappings += memory == MAP_FAILED ? 0 : 1;
    unlock();
    return memory;
}

int __real_munmap(void *memory, size_t size);
int __wrap_munmap(void *memory, size_t size);
int __wrap_munmap(void *memory, size_t size)
{
    lock();
    calls.mappings--;
    unlock();
    return __real_munmap(memory, size);
}

/* ---- Time ---------------------------------------------------------------- */

static int64_t steady_ns(void)
{
    struct timespec now;
    int error = clock_gettime(CLOCK_MONOTONIC, &now);
    assert(error == 0);
    (void)error;
    return now.tv_sec * NANOSECONDS + now.tv_nsec;
}

int64_t __wrap_clock_steady_ms(void);
int64_t __wrap_clock_steady_ms(void)
{
    return steady_ns() / (NANOSECONDS / 1000 / CALLS_SPEED);
}

/* The store's conditions wait by CLOCK_MONOTONIC. */
int __real_pthread_cond_timedwait(pthread_cond_t *condition,
    pthread_mutex_t *mutex, const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition,
    pthread_mutex_t *mutex, const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition,
    pthread_mutex_t *mutex, const struct timespec *until)
{
    int64_t now_ns = steady_ns();
    int64_t left_ns = until->tv_sec * NANOSECONDS + until->tv_nsec - now_ns;
    int64_t end_ns = now_ns + left_ns / CALLS_SPEED;
    struct timespec end = {end_ns / NANOSECONDS, end_ns % NANOSECONDS};
    return __real_pthread_cond_timedwait(condition, mutex, &end);
}

bool calls_await(enum libc_call call, uint32_t count)
{
    struct timespec end;
    int error = clock_gettime(CLOCK_REALTIME, &end);
    assert(error == 0);
    end.tv_sec += CALLS_WAIT_MS / 1000;
    lock();
    while (calls.counts[call] <= count && error == 0) {
        error = __real_pthread_cond_timedwait(&calls.called, &calls.lock, &end);
    }
    unlock();
    return error == 0;
}
