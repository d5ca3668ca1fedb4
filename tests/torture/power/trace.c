#include "torture/power/trace.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    HEAD_SIZE = 4096,
    EVENTS_SIZE = POWER_EVENTS_MAX * POWER_EVENT_SIZE,
    ROOM_PERCENT = 80
};

#define TRACE_SIZE ((size_t)HEAD_SIZE + EVENTS_SIZE + POWER_BYTES_MAX)
#define MAGIC UINT64_C(0x31657265776f7066)

int power_trace_open(struct power_trace *trace, const char *path, bool create)
{
    int flags =
        create ? O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC : O_RDWR | O_CLOEXEC;
    int fd = open(path, flags, 0600);
    if (fd < 0) {
        return -errno;
    }
    uint8_t *at = MAP_FAILED;
    int error = create && ftruncate(fd, (off_t)TRACE_SIZE) != 0 ? -errno : 0;
    if (error == 0) {
        at = mmap(NULL, TRACE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        error = at == MAP_FAILED ? -errno : 0;
    }
    (void)close(fd);
    if (error != 0) {
        return error;
    }
    *trace = (struct power_trace){
        .head = (void *)at,
        .events = (void *)(at + HEAD_SIZE),
        .bytes = at + HEAD_SIZE + EVENTS_SIZE,
    };
    if (create) {
        /* Number 0 stands for no event. */
        trace->head->magic = MAGIC;
        atomic_store(&trace->head->events, 1);
    }
    trace->count = atomic_load(&trace->head->events);
    if (trace->head->magic != MAGIC || trace->count > POWER_EVENTS_MAX) {
        power_trace_close(trace);
        return -EUCLEAN;
    }
    return 0;
}

void power_trace_close(struct power_trace *trace)
{
    int result = munmap(trace->head, TRACE_SIZE);
    assert(result == 0);
}

uint64_t power_trace_keep(
    struct power_trace *trace, const void *bytes, size_t size)
{
    uint64_t at = atomic_fetch_add(&trace->head->bytes, size);
    assert(at + size <= POWER_BYTES_MAX);
    memcpy(trace->bytes + at, bytes, size);
    return at;
}

uint64_t power_trace_add(struct power_trace *trace, enum power_kind kind,
    const struct power_event *event)
{
    struct timespec now;
    int result = clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t number = atomic_fetch_add(&trace->head->events, 1);
    assert(result == 0 && number < POWER_EVENTS_MAX);
    struct power_event *to = &trace->events[number];
    to->file = event->file;
    to->flags = event->flags;
    to->length = event->length;
    to->of = event->of;
    to->offset = event->offset;
    to->size = event->size;
    to->bytes = event->bytes;
    to->number = event->number;
    to->time_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
    atomic_store_explicit(&to->kind, kind, memory_order_release);
    return number;
}

bool power_trace_has_room(const struct power_trace *trace)
{
    return atomic_load(&trace->head->events) <
               POWER_EVENTS_MAX / 100 * ROOM_PERCENT &&
           atomic_load(&trace->head->bytes) <
               POWER_BYTES_MAX / 100 * ROOM_PERCENT;
}
