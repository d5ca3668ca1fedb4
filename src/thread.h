/* thread.h: threads of the library. */
#ifndef THREAD_H
#define THREAD_H

#include <pthread.h>

/* Starts a thread that takes no signals: they are the program's business, and
 * its own threads'.  0 or -errno. */
int thread_start(pthread_t *thread, void *(*run)(void *context), void *context);

#endif
