/* support.h: what tests share: the shape of a suite, assertions that show the
 * values, temporary directories, random numbers that can be had again.
 *
 * A test is a function in a process of its own: what it leaves in memory, in
 * the environment or in TMPDIR does not reach the next.  Assertions are for the
 * thread that runs the test; other threads hand their findings to it. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* What KV_SYNC may be, in the order of kv_sync_t. */
enum {
    TEST_SYNCS = 3,
    /* stall_ms of a storage that is not to be told from a stalled one because
     * the machine, or valgrind, lets a thread wait for its turn. */
    TEST_STALL_MS = 120000
};
extern const char *const test_syncs[TEST_SYNCS];

/* A suite is a constant array test_NAME, closed by TEST_END. */
struct test_case {
    const char *name;
    void (*run)(void);
};

#define TEST_CASE(function)                                                    \
    {                                                                          \
#function, function                                                    \
    }
#define TEST_END                                                               \
    {                                                                          \
        NULL, NULL                                                             \
    }

/* ---- Assertions: the test goes on after CHECK and ends after REQUIRE ----- */

#define CHECK(condition) CU_ASSERT(condition)
#define REQUIRE(condition)                                                     \
    do {                                                                       \
        if (!(condition)) {                                                    \
            test_end(TEST_PLACE(#condition));                                  \
            abort(); /* test_end does not return; this says so to checkers */  \
        }                                                                      \
        CHECK(true);                                                           \
    } while (false)

struct test_place {
    const char *file;
    unsigned line;
    const char *text;
};

#define TEST_PLACE(text) (&(const struct test_place){__FILE__, __LINE__, text})

/* Counts a failure and ends the test. */
void test_end(const struct test_place *place);

/* Two integers that are equal; both are shown if not. */
#define CHECK_INT(actual, expected)                                            \
    test_check_int(TEST_PLACE(#actual), (int64_t)(actual), (int64_t)(expected))
/* The same of unsigned numbers, shown in hexadecimal too. */
#define CHECK_U64(actual, expected)                                            \
    test_check_u64(TEST_PLACE(#actual), (actual), (expected))
/* A result that is 0 or -errno; the error is shown by name. */
#define CHECK_OK(result) test_check_result(TEST_PLACE(#result), (result), 0)
#define CHECK_ERRNO(result, error)                                             \
    test_check_result(TEST_PLACE(#result), (result), -(error))
/* Two strings. */
#define CHECK_TEXT(actual, expected)                                           \
    test_check_text(TEST_PLACE(#actual), (actual), (expected))
/* size bytes at two places; the first that differs is shown. */
#define CHECK_BYTES(actual, expected, size)                                    \
    test_check_bytes(TEST_PLACE(#actual), (actual), (expected), (size))

/* Each returns whether the assertion held. */
bool test_check_int(
    const struct test_place *place, int64_t actual, int64_t expected);
bool test_check_u64(
    const struct test_place *place, uint64_t actual, uint64_t expected);
bool test_check_result(
    const struct test_place *place, int64_t actual, int64_t expected);
bool test_check_text(
    const struct test_place *place, const char *actual, const char *expected);
bool test_check_bytes(const struct test_place *place, const void *actual,
    const void *expected, size_t size);

/* ---- Temporary directories ---------------------------------------------- */

enum { TEST_PATH_MAX = 512 };

struct test_directory {
    char path[TEST_PATH_MAX];
};

/* Makes an empty directory under TMPDIR (else /tmp).  False if it cannot. */
bool test_directory_make(struct test_directory *directory);
/* Removes it with all that is in it.  False if something is left. */
bool test_directory_remove(const struct test_directory *directory);

/* ---- Random numbers ----------------------------------------------------- */

/* splitmix64.  The run's seed is printed at its beginning; `--seed N` and
 * TEST_SEED bring the same numbers again. */
struct test_random {
    uint64_t state;
};

/* From the seed of the run: the same numbers in each test of one run. */
void test_random_init(struct test_random *random);
/* From a seed of the caller's. */
void test_random_init_seed(struct test_random *random, uint64_t seed);
uint64_t test_random_next(struct test_random *random);
/* 0..limit-1; limit is at least 1. */
uint64_t test_random_below(struct test_random *random, uint64_t limit);
/* True once in `times` on average. */
bool test_random_once_in(struct test_random *random, uint64_t times);
void test_random_fill(struct test_random *random, void *bytes, size_t size);

#endif
