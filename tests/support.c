#include "support.h"

#include <assert.h>
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const test_syncs[TEST_SYNCS] = {"always", "everysec", "none"};

enum { TEXT_MAX = 1024, OPEN_DIRECTORIES_MAX = 16 };

/* Hands the assertion to CUnit; the words are its condition when it fails. */
__attribute__((format(printf, 3, 4))) static bool check(
    const struct test_place *place, bool held, const char *format, ...)
{
    char text[TEXT_MAX] = "";
    if (!held) {
        va_list arguments;
        va_start(arguments, format);
        int length = vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        assert(length >= 0);
    }
    (void)CU_assertImplementation(
        held, place->line, text, place->file, "", CU_FALSE);
    return held;
}

void test_end(const struct test_place *place)
{
    (void)CU_assertImplementation(
        CU_FALSE, place->line, place->text, place->file, "", CU_TRUE);
}

bool test_check_int(
    const struct test_place *place, int64_t actual, int64_t expected)
{
    return check(place, actual == expected,
        "%s is %" PRId64 ", expected %" PRId64, place->text, actual, expected);
}

bool test_check_u64(
    const struct test_place *place, uint64_t actual, uint64_t expected)
{
    return check(place, actual == expected,
        "%s is %" PRIu64 " (0x%" PRIx64 "), expected %" PRIu64 " (0x%" PRIx64
        ")",
        place->text, actual, actual, expected, expected);
}

static const char *result_name(int64_t result)
{
    const char *name = NULL;
    if (result < 0 && result > -INT32_MAX) {
        name = strerrorname_np((int)-result);
    }
    return name == NULL ? "no error" : name;
}

bool test_check_result(
    const struct test_place *place, int64_t actual, int64_t expected)
{
    return check(place, actual == expected,
        "%s is %" PRId64 " (%s), expected %" PRId64 " (%s)", place->text,
        actual, result_name(actual), expected, result_name(expected));
}

bool test_check_text(
    const struct test_place *place, const char *actual, const char *expected)
{
    bool held = actual != NULL && strcmp(actual, expected) == 0;
    return check(place, held, "%s is \"%.400s\", expected \"%.400s\"",
        place->text, actual == NULL ? "(null)" : actual, expected);
}

bool test_check_bytes(const struct test_place *place, const void *actual,
    const void *expected, size_t size)
{
    const uint8_t *left = actual;
    const uint8_t *right = expected;
    size_t at = 0;
    while (at < size && left[at] == right[at]) {
        at++;
    }
    if (at == size) {
        return check(place, true, "%s", "");
    }
    return check(place, false, "%s: byte %zu of %zu is 0x%02x, expected 0x%02x",
        place->text, at, size, left[at], right[at]);
}

bool test_directory_make(struct test_directory *directory)
{
    const char *parent = getenv("TMPDIR");
    int length = snprintf(directory->path, sizeof directory->path,
        "%s/fixkv-test-XXXXXX", parent == NULL ? "/tmp" : parent);
    return length > 0 && (size_t)length < sizeof directory->path &&
           mkdtemp(directory->path) != NULL;
}

static int remove_entry(
    const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

bool test_directory_remove(const struct test_directory *directory)
{
    return nftw(directory->path, remove_entry, OPEN_DIRECTORIES_MAX,
               FTW_DEPTH | FTW_PHYS) == 0;
}

void test_random_init(struct test_random *random)
{
    const char *seed = getenv("TEST_SEED");
    assert(seed != NULL);
    test_random_init_seed(random, strtoull(seed, NULL, 10));
}

void test_random_init_seed(struct test_random *random, uint64_t seed)
{
    random->state = seed;
}

uint64_t test_random_next(struct test_random *random)
{
    random->state += 0x9e3779b97f4a7c15u;
    uint64_t mixed = random->state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

uint64_t test_random_below(struct test_random *random, uint64_t limit)
{
    assert(limit > 0);
    return test_random_next(random) % limit;
}

bool test_random_once_in(struct test_random *random, uint64_t times)
{
    return test_random_below(random, times) == 0;
}

void test_random_fill(struct test_random *random, void *bytes, size_t size)
{
    uint8_t *at = bytes;
    while (size > 0) {
        uint64_t number = test_random_next(random);
        size_t part = size < sizeof number ? size : sizeof number;
        memcpy(at, &number, part);
        at += part;
        size -= part;
    }
}
