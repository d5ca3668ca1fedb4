/* locks.c: how long threads wait for locks: put before the C library of a real
 * server by LD_PRELOAD.
 *
 * A lock is tried first, and the clock is read only if somebody else has it; so
 * who does not wait pays next to nothing.  Locks that the same line of the
 * source initializes are one class; its number is kept in a field that a mutex
 * of the default kind does not use.  What is seen is told in the file that
 * CONTENTION names, which the test reads meanwhile, 32 bytes a class:
 *
 *     0    8   address of the initialization, from the beginning of its file
 *     8    8   how often somebody had to wait
 *     16   8   for how long altogether, in nanoseconds
 *     24   8   for how long at the most; the test may zero it
 *
 * Class 0 has the locks that were not initialized by a call.  Not seen is the
 * wait for a lock that pthread_cond_wait takes again: who was asleep anyway. */
#include <assert.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { CLASSES_MAX = 128 };

struct class
{
    _Atomic uintptr_t made_at;
    _Atomic uint64_t waits;
    _Atomic uint64_t waited_ns;
    _Atomic uint64_t longest_ns;
};

_Static_assert(sizeof(struct class) == 32, "as the test sees it");

static struct class *classes;
static int (*real_init)(pthread_mutex_t *, const pthread_mutexattr_t *);
static int (*real_lock)(pthread_mutex_t *);

__attribute__((constructor)) static void attach(void)
{
    *(void **)&real_init = dlsym(RTLD_NEXT, "pthread_mutex_init");
    *(void **)&real_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    const char *path = getenv("CONTENTION");
    if (path == NULL) {
        return; /* a program beside the server */
    }
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert(fd >= 0);
    void *memory = mmap(NULL, CLASSES_MAX * sizeof *classes,
        PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert(memory != MAP_FAILED);
    classes = memory;
    (void)close(fd);
}

static int64_t clock_ns(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* The number of the class that is made at this address. */
static short class_of(const void *address)
{
    Dl_info file;
    int found = dladdr(address, &file);
    assert(found != 0);
    uintptr_t made_at = (uintptr_t)address - (uintptr_t)file.dli_fbase;
    for (int i = 1; i < CLASSES_MAX; i++) {
        uintptr_t there = 0;
        if (atomic_compare_exchange_strong(
                &classes[i].made_at, &there, made_at) ||
            there == made_at) {
            return (short)i;
        }
    }
    return 0;
}

int pthread_mutex_init(
    pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    int error = real_init(mutex, attributes);
    if (error == 0 && attributes == NULL && classes != NULL) {
        mutex->__data.__spins = class_of(__builtin_return_address(0));
    }
    return error;
}

static void note(struct class *class, uint64_t waited_ns)
{
    atomic_fetch_add(&class->waits, 1);
    atomic_fetch_add(&class->waited_ns, waited_ns);
    uint64_t longest_ns = atomic_load(&class->longest_ns);
    while (waited_ns > longest_ns &&
           !atomic_compare_exchange_weak(
               &class->longest_ns, &longest_ns, waited_ns)) {
    }
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (classes == NULL) {
        return real_lock(mutex);
    }
    if (pthread_mutex_trylock(mutex) == 0) {
        return 0;
    }
    int64_t since_ns = clock_ns();
    int error = real_lock(mutex);
    note(&classes[mutex->__data.__spins], (uint64_t)(clock_ns() - since_ns));
    return error;
}
