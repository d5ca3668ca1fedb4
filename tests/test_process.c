/* What a program asks of the kernel for its own process.  Each test has one of
 * its own, so it may change it. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"

static void closed_streams_are_held_by_the_null_device(void)
{
    struct stat before;
    struct stat now;
    struct stat null;
    REQUIRE(
        stat("/dev/null", &null) == 0 && fstat(STDERR_FILENO, &before) == 0);
    int output = dup(STDOUT_FILENO);
    REQUIRE(output > STDERR_FILENO);
    CHECK(close(STDIN_FILENO) == 0 && close(STDOUT_FILENO) == 0);
    CHECK(process_hold_streams());
    CHECK(fstat(STDIN_FILENO, &now) == 0 && now.st_rdev == null.st_rdev);
    CHECK(fstat(STDOUT_FILENO, &now) == 0 && now.st_rdev == null.st_rdev);
    CHECK(fstat(STDERR_FILENO, &now) == 0 && now.st_ino == before.st_ino);
    CHECK(dup2(output, STDOUT_FILENO) == STDOUT_FILENO);
}

static void closed_streams_are_reserved_and_of_no_use(void)
{
    uint8_t byte = 0;
    int output = dup(STDOUT_FILENO);
    REQUIRE(output > STDERR_FILENO);
    CHECK(close(STDIN_FILENO) == 0 && close(STDOUT_FILENO) == 0);
    process_reserve_streams();
    int next = dup(output);
    CHECK(next > STDERR_FILENO);
    CHECK(read(STDIN_FILENO, &byte, sizeof byte) < 0 && errno == EBADF);
    CHECK(write(STDOUT_FILENO, &byte, sizeof byte) < 0 && errno == EBADF);
    CHECK(dup2(output, STDOUT_FILENO) == STDOUT_FILENO);
}

/* Else it would end the test. */
static void a_file_that_gets_too_long_is_an_error(void)
{
    struct test_directory directory;
    struct rlimit limit;
    char path[TEST_PATH_MAX + 8];
    process_ignore_size_limit();
    REQUIRE(test_directory_make(&directory));
    (void)snprintf(path, sizeof path, "%s/long", directory.path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && getrlimit(RLIMIT_FSIZE, &limit) == 0);
    const struct rlimit none = {0, limit.rlim_max};
    CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0);
    CHECK(write(fd, path, 1) < 0 && errno == EFBIG);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK(close(fd) == 0 && unlink(path) == 0);
    CHECK(test_directory_remove(&directory));
}

static void signals_wait_and_a_broken_pipe_is_no_signal(void)
{
    sigset_t waiting;
    struct sigaction action;
    process_ignore_signals();
    process_on_stop(NULL);
    CHECK(raise(SIGTERM) == 0 && raise(SIGINT) == 0);
    CHECK(sigpending(&waiting) == 0);
    CHECK(sigismember(&waiting, SIGTERM) == 1);
    CHECK(sigismember(&waiting, SIGINT) == 1);
    CHECK(sigaction(SIGPIPE, NULL, &action) == 0);
    CHECK(action.sa_handler == SIG_IGN);
    CHECK(sigaction(SIGXFSZ, NULL, &action) == 0);
    CHECK(action.sa_handler == SIG_IGN);
}

static volatile sig_atomic_t stopped;

static void note_stop(int signal)
{
    stopped = signal;
}

static void a_stop_that_waited_is_noticed_when_it_is_let_in(void)
{
    process_on_stop(NULL);
    CHECK(raise(SIGTERM) == 0);
    CHECK(stopped == 0);
    process_on_stop(note_stop);
    CHECK(stopped == SIGTERM);
}

static void the_limit_of_files_is_raised_as_far_as_allowed(void)
{
    enum { LOW = 64, HIGH = 128, NOBODY = 65534 };
    struct rlimit limit;
    struct rlimit now;
    uid_t before = geteuid();
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max >= HIGH);
    uint64_t hard = limit.rlim_max;
    limit.rlim_cur = LOW;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    /* Without the right to raise the hard limit. */
    REQUIRE(before != 0 || seteuid(NOBODY) == 0);
    CHECK_U64(process_raise_files(LOW - 1), LOW);
    CHECK_U64(process_raise_files(HIGH), HIGH);
    CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == HIGH);
    if (hard != RLIM_INFINITY) {
        CHECK_U64(process_raise_files(hard + 1), hard);
    }
    CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_max == hard);
    CHECK(seteuid(before) == 0);
}

const struct test_case test_process[] = {
    TEST_CASE(closed_streams_are_held_by_the_null_device),
    TEST_CASE(closed_streams_are_reserved_and_of_no_use),
    TEST_CASE(a_file_that_gets_too_long_is_an_error),
    TEST_CASE(signals_wait_and_a_broken_pipe_is_no_signal),
    TEST_CASE(a_stop_that_waited_is_noticed_when_it_is_let_in),
    TEST_CASE(the_limit_of_files_is_raised_as_far_as_allowed),
    TEST_END,
};
