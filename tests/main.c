/* main.c: runs the suites of suites.h, or those that are named.
 *
 *     unit [--seed N] [--list] [SUITE[.TEST]]...
 *
 * Each test runs in a process of its own, under a time limit: one that crashes,
 * hangs, or is ended by a sanitizer is a failed test, and the others go on.  A
 * test that asserts nothing has failed too.  The last line is
 * "N passed, N failed"; the exit status is 1 if any failed, 2 for wrong usage.
 *
 * The seed goes to the tests in the environment, TEST_SEED; their TMPDIR is a
 * directory that is removed at the end, whatever a crashed test left in it. */
#include <CUnit/CUnit.h>
#include <CUnit/TestDB.h>
#include <CUnit/TestRun.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "suites.h"
#include "support.h"

#define X(name) extern const struct test_case test_##name[];
TEST_SUITES(X)
#undef X

static const struct suite {
    const char *name;
    const struct test_case *cases;
} suites[] = {
#define X(name) {#name, test_##name},
    TEST_SUITES(X)
#undef X
};

enum {
    SUITE_COUNT = sizeof suites / sizeof suites[0],
    TIME_LIMIT_S = 300, /* of one test; TEST_TIMEOUT sets another */
    EXIT_USAGE = 2,
    EXIT_NO_CHILD = 3
};

struct totals {
    unsigned passed;
    unsigned failed;
};

/* In the child: runs one test and ends the process. */
_Noreturn static void run_case(
    const struct suite *suite, const struct test_case *test)
{
    const char *limit = getenv("TEST_TIMEOUT");
    alarm(limit == NULL ? TIME_LIMIT_S : (unsigned)strtoul(limit, NULL, 10));
    if (CU_initialize_registry() != CUE_SUCCESS) {
        exit(EXIT_NO_CHILD);
    }
    CU_pSuite registered = CU_add_suite(suite->name, NULL, NULL);
    CU_pTest case_of = CU_add_test(registered, test->name, test->run);
    if (case_of == NULL || CU_run_test(registered, case_of) != CUE_SUCCESS) {
        exit(EXIT_NO_CHILD);
    }
    for (CU_pFailureRecord record = CU_get_failure_list(); record != NULL;
         record = record->pNext) {
        printf("%s:%u: %s.%s: %s\n", record->strFileName, record->uiLineNumber,
            suite->name, test->name, record->strCondition);
    }
    bool failed = CU_get_number_of_failures() > 0;
    if (CU_get_number_of_asserts() == 0) {
        printf("%s.%s: asserts nothing\n", suite->name, test->name);
        failed = true;
    }
    CU_cleanup_registry();
    exit(failed ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Runs one test in a child; returns whether it passed. */
static bool try_case(const struct suite *suite, const struct test_case *test)
{
    int status = 0;
    pid_t parent = getpid();
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
            exit(EXIT_NO_CHILD);
        }
        run_case(suite, test);
    }
    pid_t ended;
    do {
        ended = child < 0 ? -1 : waitpid(child, &status, 0);
    } while (ended < 0 && child > 0 && errno == EINTR);
    if (ended < 0) {
        printf("%s.%s: no process: %s\n", suite->name, test->name,
            strerror(errno));
        return false;
    }
    if (WIFSIGNALED(status)) {
        printf("%s.%s: ended by signal %d (%s)%s\n", suite->name, test->name,
            WTERMSIG(status), strsignal(WTERMSIG(status)),
            WTERMSIG(status) == SIGALRM ? ": over its time limit" : "");
    } else if (WEXITSTATUS(status) > EXIT_FAILURE) {
        printf("%s.%s: ended with status %d\n", suite->name, test->name,
            WEXITSTATUS(status));
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

/* True if the arguments name this test, its suite, or nothing at all. */
static bool is_wanted(
    char *const *names, const struct suite *suite, const struct test_case *test)
{
    size_t suite_length = strlen(suite->name);
    if (*names == NULL) {
        return true;
    }
    for (; *names != NULL; names++) {
        if (strncmp(*names, suite->name, suite_length) != 0) {
            continue;
        }
        const char *rest = *names + suite_length;
        if (*rest == '\0' ||
            (*rest == '.' && strcmp(rest + 1, test->name) == 0)) {
            return true;
        }
    }
    return false;
}

static void run_suite(
    char *const *names, const struct suite *suite, struct totals *totals)
{
    struct totals here = {0, 0};
    struct timespec begin;
    struct timespec end;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    for (const struct test_case *test = suite->cases; test->name; test++) {
        if (!is_wanted(names, suite, test)) {
            continue;
        }
        if (try_case(suite, test)) {
            here.passed++;
        } else {
            here.failed++;
        }
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - begin.tv_sec) +
                     (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    if (here.passed + here.failed > 0) {
        printf("%-16s %4u passed, %u failed (%.1f s)\n", suite->name,
            here.passed, here.failed, seconds);
    }
    totals->passed += here.passed;
    totals->failed += here.failed;
}

static void list_tests(void)
{
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        for (const struct test_case *test = suites[i].cases; test->name;
             test++) {
            printf("%s.%s\n", suites[i].name, test->name);
        }
    }
}

/* Sees to TEST_SEED in the environment; false if given is no number. */
static bool set_seed(const char *given)
{
    char text[24];
    uint32_t drawn;
    if (given == NULL) {
        if (getrandom(&drawn, sizeof drawn, 0) != sizeof drawn) {
            return false;
        }
        (void)snprintf(text, sizeof text, "%" PRIu32, drawn);
        given = text;
    }
    if (*given == '\0' || strspn(given, "0123456789") != strlen(given) ||
        setenv("TEST_SEED", given, 1) != 0) {
        return false;
    }
    printf("seed %s\n", given);
    return true;
}

/* Each name must be that of a suite, or of a suite and one of its tests. */
static bool are_known(char *const *names)
{
    for (; *names != NULL; names++) {
        char *const one[] = {*names, NULL};
        bool known = false;
        for (size_t i = 0; i < SUITE_COUNT && !known; i++) {
            for (const struct test_case *test = suites[i].cases; test->name;
                 test++) {
                known = known || is_wanted(one, &suites[i], test);
            }
        }
        if (!known) {
            (void)fprintf(stderr, "no such suite or test: %s\n", *names);
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct totals totals = {0, 0};
    struct test_directory base;
    const char *seed = getenv("TEST_SEED");
    char *const *names = argv + 1;
    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        list_tests();
        return EXIT_SUCCESS;
    }
    if (argc > 2 && strcmp(argv[1], "--seed") == 0) {
        seed = argv[2];
        names += 2;
    }
    if (!are_known(names) || !set_seed(seed)) {
        (void)fprintf(
            stderr, "usage: unit [--list] [--seed N] [SUITE[.TEST]]...\n");
        return EXIT_USAGE;
    }
    if (!test_directory_make(&base) || setenv("TMPDIR", base.path, 1) != 0) {
        (void)fprintf(stderr, "no temporary directory: %s\n", strerror(errno));
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < SUITE_COUNT; i++) {
        run_suite(names, &suites[i], &totals);
    }
    if (!test_directory_remove(&base)) {
        (void)fprintf(stderr, "%s is left: %s\n", base.path, strerror(errno));
    }
    printf("%u passed, %u failed\n", totals.passed, totals.failed);
    return totals.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
