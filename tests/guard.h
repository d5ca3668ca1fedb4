/* guard.h: a test program's files and servers go away with it, however it ends:
 * also when it is interrupted, or crashes. */
#ifndef GUARD_H
#define GUARD_H

/* Calls run in a process of its own, with an empty directory; returns the exit
 * status of the program: what run returned, or EXIT_FAILURE.  All processes
 * below it that are to die with their parent have ended then; the directory is
 * gone, unless run returned something else than 0 by itself. */
int guard_run(int (*run)(void *context, const char *directory), void *context);

#endif
