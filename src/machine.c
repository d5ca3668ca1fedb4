/* machine.c: see machine.h.
 *
 * /proc/self/cgroup has a line a hierarchy, NUMBER:CONTROLLERS:PATH, with no
 * controllers for version 2; cgroups(7).  Within a container the path is often
 * that of the host while the mount shows the container's part alone; so every
 * directory on the way up to the mount is asked, and those that are not there
 * say nothing. */
#include "machine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bytes.h"
#include "file.h"

enum { CGROUP_FILE_MAX = 8192, PROCESSORS_MAX = 65536, PAGE_MAX = 65536 };

/* Where each kind of hierarchy is mounted, and the file that holds a limit.
 * Where both versions are in use, version 2 stands under unified. */
static const struct hierarchy {
    const char *controller;
    const char *mount;
    const char *limit;
} hierarchies[] = {
    {"", "/sys/fs/cgroup", "memory.max"},
    {"", "/sys/fs/cgroup/unified", "memory.max"},
    {"memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
};

/* Reads a small file as a text; "" if it cannot be read. */
static void read_text(const char *path, char *text, size_t size)
{
    int fd = file_open_read(AT_FDCWD, path);
    int64_t length = fd < 0 ? fd : file_read_at(fd, text, size - 1, 0);
    text[length < 0 ? 0 : length] = '\0';
    file_close(fd);
}

/* UINT64_MAX if the file is not there or says "max"; version 1 writes the
 * largest number of pages that fits instead. */
static uint64_t read_limit(const char *path)
{
    char text[DECIMAL_MAX + 2];
    int64_t limit;
    bool overflow;
    read_text(path, text, sizeof text);
    return decimal_parse(text, strcspn(text, "\n"), &limit, &overflow) &&
                   limit > 0 && limit < INT64_MAX - PAGE_MAX
               ? (uint64_t)limit
               : UINT64_MAX;
}

/* The lowest limit from the cgroup at path, which begins with a slash, up to
 * the mount.  Cuts path. */
static uint64_t lowest_limit(
    const char *root, const struct hierarchy *hierarchy, char *path)
{
    char name[PATH_MAX];
    uint64_t lowest = UINT64_MAX;
    for (;;) {
        int length = snprintf(name, sizeof name, "%s%s%s/%s", root,
            hierarchy->mount, path, hierarchy->limit);
        if (length > 0 && length < (int)sizeof name) {
            lowest = u64_min(lowest, read_limit(name));
        }
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            return lowest;
        }
        *slash = '\0';
    }
}

/* controller "": whether the list is empty. */
static bool has_controller(const char *list, const char *controller)
{
    for (;;) {
        size_t length = strcspn(list, ",");
        if (length == strlen(controller) &&
            memcmp(list, controller, length) == 0) {
            return true;
        }
        if (list[length] == '\0') {
            return false;
        }
        list += length + 1;
    }
}

/* The lowest limit of one line of /proc/self/cgroup. */
static uint64_t limit_of_line(const char *root, char *line)
{
    uint64_t lowest = UINT64_MAX;
    char *list = strchr(line, ':');
    char *path = list == NULL ? NULL : strchr(list + 1, ':');
    if (path == NULL || path[1] != '/') {
        return lowest;
    }
    *path++ = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(hierarchies); i++) {
        char copy[CGROUP_FILE_MAX];
        if (has_controller(list + 1, hierarchies[i].controller)) {
            (void)snprintf(copy, sizeof copy, "%s", path);
            lowest = u64_min(lowest, lowest_limit(root, &hierarchies[i], copy));
        }
    }
    return lowest;
}

/* What RLIMIT_AS leaves. */
static uint64_t addresses_left(uint64_t page)
{
    char text[CGROUP_FILE_MAX];
    struct rlimit limit;
    int64_t used = 0; /* pages */
    bool overflow;
    int result = getrlimit(RLIMIT_AS, &limit);
    assert(result == 0);
    if (limit.rlim_cur == RLIM_INFINITY) {
        return UINT64_MAX;
    }
    read_text("/proc/self/statm", text, sizeof text);
    bool known = decimal_parse(text, strcspn(text, " "), &used, &overflow);
    uint64_t bytes = known && used > 0 ? (uint64_t)used * page : 0;
    return limit.rlim_cur - u64_min(bytes, limit.rlim_cur);
}

static uint64_t stack_size(void)
{
    pthread_attr_t attributes;
    size_t size = 0;
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        error = pthread_attr_getstacksize(&attributes, &size);
        assert(error == 0);
        (void)pthread_attr_destroy(&attributes);
    }
    return size;
}

void machine_memory(const char *root, struct machine_memory *memory)
{
    char path[PATH_MAX];
    char text[CGROUP_FILE_MAX];
    char *rest = NULL;
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    assert(pages > 0 && page > 0);
    memory->physical = (uint64_t)pages * (uint64_t)page;
    memory->limit = UINT64_MAX;
    memory->addresses = addresses_left((uint64_t)page);
    memory->stack = stack_size();
    (void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    read_text(path, text, sizeof text);
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        memory->limit = u64_min(memory->limit, limit_of_line(root, line));
    }
}

unsigned machine_cores(void)
{
    /* The kernel refuses a set that is smaller than its own. */
    cpu_set_t sets[PROCESSORS_MAX / CPU_SETSIZE];
    if (sched_getaffinity(0, sizeof sets, sets) != 0) {
        return 1;
    }
    int count = CPU_COUNT_S(sizeof sets, sets);
    return count > 0 ? (unsigned)count : 1;
}

/* The second number of the file is that of pages. */
uint64_t machine_resident(void)
{
    char text[128];
    int64_t pages;
    bool overflow;
    read_text("/proc/self/statm", text, sizeof text);
    const char *number = text + strcspn(text, " ");
    number += *number != '\0' ? 1 : 0;
    return decimal_parse(number, strcspn(number, " "), &pages, &overflow)
               ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE)
               : 0;
}
