#include "crash_aim.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "frame.h"

enum { EVENTS_SIZE = 16 * 1024 };

/* What shows that it begins: a name that is made, or opened. */
static const struct {
    uint32_t events;
    const char *prefix;
} signs[CRASH_AIMS] = {
    [CRASH_BACKUP] = {IN_CREATE, "backup-new"},
    [CRASH_SEGMENT] = {IN_CREATE | IN_MOVED_TO, "log-new"},
    [CRASH_RECOVERY] = {IN_OPEN, "log-0"},
};

bool crash_watch_begin(struct crash_watch *watch, const char *directory)
{
    watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return watch->fd >= 0 && inotify_add_watch(watch->fd, directory,
                                 IN_CREATE | IN_MOVED_TO | IN_OPEN) >= 0;
}

void crash_watch_end(struct crash_watch *watch)
{
    file_close(watch->fd);
    watch->fd = -1;
}

/* True if the sign is among what has happened since the last look. */
static bool look(const struct crash_watch *watch, enum crash_aim aim)
{
    char events[EVENTS_SIZE]
        __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t size = read(watch->fd, events, sizeof events);
    const char *prefix = signs[aim].prefix;
    bool seen = false;
    for (ssize_t at = 0; at < size;) {
        const struct inotify_event *event = (const void *)(events + at);
        seen =
            seen || ((event->mask & signs[aim].events) != 0 && event->len > 0 &&
                        strncmp(event->name, prefix, strlen(prefix)) == 0);
        at += (ssize_t)(sizeof *event + event->len);
    }
    return seen;
}

bool crash_watch_await(
    const struct crash_watch *watch, enum crash_aim aim, int64_t limit_ms)
{
    int64_t until_ms = clock_steady_ms() + limit_ms;
    int64_t left_ms = limit_ms;
    while (left_ms > 0) {
        struct pollfd poll_of = {.fd = watch->fd, .events = POLLIN};
        if (poll(&poll_of, 1, (int)left_ms) > 0 && look(watch, aim)) {
            return true;
        }
        left_ms = until_ms - clock_steady_ms();
    }
    return false;
}

/* ---- Afterwards ---------------------------------------------------------- */

struct names {
    bool backup_new;
    bool log_new;
    uint64_t newest; /* LSN of a segment; 0: none */
};

static int note_name(void *context, const char *name)
{
    struct names *names = context;
    names->backup_new = names->backup_new || strcmp(name, "backup-new") == 0;
    names->log_new = names->log_new || strcmp(name, "log-new") == 0;
    if (strncmp(name, "log-0", strlen("log-0")) == 0) {
        uint64_t lsn = strtoull(name + strlen("log-"), NULL, 10);
        names->newest = u64_max(names->newest, lsn);
    }
    return 0;
}

/* True if it has its name, and no frame yet. */
static bool segment_empty(int directory, uint64_t first_lsn)
{
    char name[64];
    struct frame frame;
    (void)snprintf(name, sizeof name, "log-%020" PRIu64, first_lsn);
    int fd = file_open_read(directory, name);
    bool empty = fd >= 0 &&
                 file_read_at(fd, &frame, sizeof frame, DISK_PAGE) ==
                     (int64_t)sizeof frame &&
                 !frame_valid(&frame, first_lsn);
    file_close(fd < 0 ? -1 : fd);
    return empty;
}

bool crash_was_amid(const char *directory, enum crash_aim aim)
{
    struct names names = {.newest = 0};
    int fd = file_open_directory(directory, false);
    bool read = fd >= 0 && file_list(fd, note_name, &names) == 0;
    bool amid = false;
    if (read && aim == CRASH_BACKUP) {
        amid = names.backup_new;
    } else if (read && aim == CRASH_SEGMENT) {
        amid = names.log_new ||
               (names.newest != 0 && segment_empty(fd, names.newest));
    }
    file_close(fd < 0 ? -1 : fd);
    return amid;
}
