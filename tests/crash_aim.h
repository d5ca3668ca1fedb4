/* crash_aim.h: when a server is killed: amid what it does to its files, which
 * the kernel tells (inotify), instead of when luck has it; and amid what it
 * was, which its files tell afterwards. */
#ifndef CRASH_AIM_H
#define CRASH_AIM_H

#include <stdbool.h>
#include <stdint.h>

enum crash_aim {
    CRASH_ANY_TIME,
    CRASH_BACKUP,   /* from the making of its file to its name */
    CRASH_SEGMENT,  /* from the file for the next segment to its first frame */
    CRASH_RECOVERY, /* from the first look at backups and log on */
    CRASH_AIMS
};

struct crash_watch {
    int fd; /* -1: none */
};

/* Watches a directory that exists.  False, errno set, if it cannot. */
bool crash_watch_begin(struct crash_watch *watch, const char *directory);
void crash_watch_end(struct crash_watch *watch);
/* Waits until what is aimed at begins; false if it does not in limit_ms. */
bool crash_watch_await(
    const struct crash_watch *watch, enum crash_aim aim, int64_t limit_ms);

/* Whether the files of a server that was killed tell that this was under way:
 * a backup, or the change to another segment. */
bool crash_was_amid(const char *directory, enum crash_aim aim);

#endif
