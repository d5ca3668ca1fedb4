/* faults_power.h: a loss of power, played on the files of a process that is
 * about to be killed: what it wrote and did not sync goes, or part of it.
 *
 * What a disk may do, as far as this goes:
 *  1. A page that was written since the last sync of its file may have the
 *     bytes that it had then, each page for itself.
 *  2. Names made, changed and removed since the last sync of the directory may
 *     be as they were before the last n of these changes, for some n: a file
 *     system keeps their order.
 *  3. A file that has a name has its size. */
#ifndef FAULTS_POWER_H
#define FAULTS_POWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Begins to take note, and forgets. */
void power_watch(void);
void power_forget(void);

/* Around each call below, and the call that it is about: one at a time. */
void power_enter(void);
void power_leave(void);

/* Before a write, and after a sync that succeeded. */
void power_note_write(int fd, size_t size, off_t offset);
void power_note_sync(int fd);
/* Before the name is made by openat, renamed, removed. */
void power_note_create(int directory, const char *name);
void power_note_rename(int directory, const char *from, const char *to);
void power_note_remove(int directory, const char *name);

/* Undoes all that was not synced, or with a seed other than 0 a part of it. */
void power_lose(uint64_t seed);

#endif
