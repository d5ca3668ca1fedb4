#include "guard.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

/* Waits for the child; ends it when a signal asks for the end.  What waitpid
 * tells. */
static int wait_for(pid_t child, const sigset_t *signals)
{
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        int number = sigwaitinfo(signals, NULL);
        if (number > 0 && number != SIGCHLD) {
            (void)kill(child, SIGKILL);
        }
    }
    return status;
}

/* The servers, which the kernel has sent a SIGKILL when the child ended. */
static void wait_for_orphans(void)
{
    pid_t ended;
    do {
        ended = wait(NULL);
    } while (ended > 0 || errno == EINTR);
}

int guard_run(int (*run)(void *context, const char *directory), void *context)
{
    struct test_directory directory;
    sigset_t signals;
    sigset_t before;
    int error = sigemptyset(&signals);
    error |= sigaddset(&signals, SIGINT) | sigaddset(&signals, SIGTERM);
    error |= sigaddset(&signals, SIGHUP) | sigaddset(&signals, SIGCHLD);
    error |= sigprocmask(SIG_BLOCK, &signals, &before);
    error |= prctl(PR_SET_CHILD_SUBREAPER, 1);
    assert(error == 0);
    (void)error;
    pid_t parent = getpid();
    (void)fflush(NULL);
    if (!test_directory_make(&directory)) {
        (void)fprintf(stderr, "no directory: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    pid_t child = fork();
    if (child == 0) {
        bool ready = sigprocmask(SIG_SETMASK, &before, NULL) == 0 &&
                     prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
                     getppid() == parent;
        exit(ready ? run(context, directory.path) : EXIT_FAILURE);
    }
    int status = child < 0 ? -1 : wait_for(child, &signals);
    wait_for_orphans();
    if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 0) {
        (void)fprintf(stderr, "kept: %s\n", directory.path);
    } else if (!test_directory_remove(&directory)) {
        (void)fprintf(stderr, "%s is left\n", directory.path);
    }
    if (child < 0) {
        (void)fprintf(stderr, "no process: %s\n", strerror(errno));
    }
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
