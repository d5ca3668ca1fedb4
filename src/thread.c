#include "thread.h"

#include <assert.h>
#include <signal.h>

int thread_start(pthread_t *thread, void *(*run)(void *context), void *context)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    int result = pthread_sigmask(SIG_SETMASK, &all, &before);
    assert(result == 0);
    int error = pthread_create(thread, NULL, run, context);
    result = pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert(result == 0);
    return -error;
}
