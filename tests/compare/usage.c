#include "compare/usage.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)

enum { PATH_SIZE = 320, LINE_SIZE = 256 };

static int64_t clock_ns(clockid_t clock)
{
    struct timespec time = {0};
    (void)clock_gettime(clock, &time);
    return time.tv_sec * SECOND_NS + time.tv_nsec;
}

/* Puts the first line of a file into line; false: there is none. */
static bool read_line(const char *path, char line[LINE_SIZE])
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    bool there = fgets(line, LINE_SIZE, file) != NULL;
    (void)fclose(file);
    return there;
}

/* /proc/PID/stat counts in ticks of 10 ms, schedstat in nanoseconds, but for
 * one thread. */
static int read_server(int64_t *sum_ns, pid_t pid)
{
    char path[PATH_SIZE];
    char line[LINE_SIZE];
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL) {
        return -errno;
    }
    *sum_ns = 0;
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        (void)snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat",
            (int)pid, task->d_name);
        /* A thread may end meanwhile. */
        if (task->d_name[0] != '.' && read_line(path, line)) {
            *sum_ns += strtoll(line, NULL, 10);
        }
    }
    return closedir(tasks) == 0 ? 0 : -errno;
}

/* The columns of the first line of /proc/stat but idle and iowait; those of
 * guests stand in user's too. */
static int read_machine(int64_t *busy_ns)
{
    enum { IDLE = 3, IO_WAIT = 4, COLUMNS = 8 };
    char line[LINE_SIZE];
    if (!read_line("/proc/stat", line)) {
        return -EIO;
    }
    int64_t ticks = 0;
    char *at = line + strcspn(line, " ");
    for (int i = 0; i < COLUMNS; i++) {
        int64_t column = strtoll(at, &at, 10);
        ticks += i == IDLE || i == IO_WAIT ? 0 : column;
    }
    *busy_ns = ticks * (SECOND_NS / sysconf(_SC_CLK_TCK));
    return 0;
}

int usage_read(struct usage *usage, pid_t pid)
{
    *usage = (struct usage){0};
    usage->at_ns = clock_ns(CLOCK_MONOTONIC);
    usage->own_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    int error = pid == 0 ? 0 : read_server(&usage->server_ns, pid);
    return error != 0 ? error : read_machine(&usage->machine_ns);
}
