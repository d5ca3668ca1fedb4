#include "support.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void random_numbers_are_those_of_splitmix64(void)
{
    /* The first outputs for the seed 1234567, as published with the algorithm
     * on Rosetta Code. */
    static const uint64_t expected[] = {6457827717110365317u,
        3203168211198807973u, 9817491932198370423u, 4593380528125082431u,
        16408922859458223821u};
    struct test_random random;
    test_random_init_seed(&random, 1234567);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        CHECK_U64(test_random_next(&random), expected[i]);
    }
}

static void the_run_has_one_seed(void)
{
    struct test_random first;
    struct test_random second;
    test_random_init(&first);
    test_random_init(&second);
    CHECK_U64(test_random_next(&first), test_random_next(&second));
}

static void random_bytes_fill_exactly(void)
{
    for (size_t size = 0; size <= 20; size++) {
        uint8_t bytes[24];
        uint8_t guard[24];
        struct test_random random;
        memset(bytes, 0xa5, sizeof bytes);
        memset(guard, 0xa5, sizeof guard);
        test_random_init_seed(&random, size);
        test_random_fill(&random, bytes, size);
        CHECK_BYTES(bytes + size, guard, sizeof bytes - size);
        if (size >= 8) {
            CHECK(memcmp(bytes, guard, size) != 0);
        }
    }
}

static void a_directory_goes_with_all_that_is_in_it(void)
{
    struct test_directory directory;
    struct stat status;
    char path[TEST_PATH_MAX + 16];
    REQUIRE(test_directory_make(&directory));
    REQUIRE(stat(directory.path, &status) == 0);
    CHECK(S_ISDIR(status.st_mode));
    (void)snprintf(path, sizeof path, "%s/inner", directory.path);
    REQUIRE(mkdir(path, 0700) == 0);
    (void)snprintf(path, sizeof path, "%s/inner/file", directory.path);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0);
    CHECK(close(fd) == 0);
    CHECK(test_directory_remove(&directory));
    CHECK(stat(directory.path, &status) != 0);
}

static void two_directories_differ(void)
{
    struct test_directory one;
    struct test_directory two;
    REQUIRE(test_directory_make(&one));
    REQUIRE(test_directory_make(&two));
    CHECK(strcmp(one.path, two.path) != 0);
    CHECK(test_directory_remove(&one));
    CHECK(test_directory_remove(&two));
}

const struct test_case test_support[] = {
    TEST_CASE(random_numbers_are_those_of_splitmix64),
    TEST_CASE(the_run_has_one_seed),
    TEST_CASE(random_bytes_fill_exactly),
    TEST_CASE(a_directory_goes_with_all_that_is_in_it),
    TEST_CASE(two_directories_differ),
    TEST_END,
};
