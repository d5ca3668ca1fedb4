#include "called.h"

static void a_value_is_set_and_read(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_TEXT(called_run(&called, "GET a"), "$-1");
    CHECK_TEXT(called_run(&called, "SET a \"one two\""), "+OK");
    CHECK_TEXT(called_run(&called, "get a"), "$7 one two");
    CHECK_TEXT(called_run(&called, "MGET a b"), "*2 $7 one two $-1");
    called.version = 3;
    CHECK_TEXT(called_run(&called, "GET b"), "_");
    called_close(&called);
}

static void numbers_count(void)
{
    struct called called;
    struct test_directory directory;
    REQUIRE(test_directory_make(&directory));
    called_open(&called, directory.path, 100);
    CHECK_TEXT(called_run(&called, "INCR n"), ":1");
    CHECK_TEXT(called_run(&called, "INCR n"), ":2");
    called_reopen(&called);
    CHECK_TEXT(called_run(&called, "INCR n"), ":3");
    called_reopen_from_backup(&called);
    CHECK_TEXT(called_run(&called, "INCR n"), ":4");
    CHECK_TEXT(called_run(&called, "SET n x"), "+OK");
    CHECK_TEXT(called_run(&called, "INCR n"),
        "-ERR value is not an integer or out of range");
    CHECK_TEXT(called_run(&called, "DEL n m"), ":1");
    called_reopen(&called);
    CHECK_TEXT(called_run(&called, "DBSIZE"), ":0");
    called_close(&called);
    CHECK(test_directory_remove(&directory));
}

static void sizes_have_limits(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_TEXT(called_run(&called, "GET aaaaaaaaaabbbbbbbbbbccccccccccddd"),
        "-ERR a key has 1 to 32 bytes, and this one 33");
    CHECK_TEXT(called_run(&called, "GET \"a\\x00\""),
        "-ERR a key of 2 bytes ends in a NUL byte: trailing NUL bytes do not "
        "tell two keys apart here");
    CHECK_TEXT(called_run(&called, "GET"),
        "-ERR wrong number of arguments for 'get' command");
    CHECK_TEXT(called_run(&called, "FOO bar baz"),
        "-ERR unknown command 'FOO', with args beginning with: 'bar' 'baz' ");
    called_close(&called);
}

/* As Redis does: 128 characters of the name, and of the arguments as many. */
static void an_unknown_command_is_repeated(void)
{
    struct called called;
    char name[200];
    char line[512];
    char wanted[512];
    called_open(&called, NULL, 100);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(line, sizeof line, "%s %.125s abcdef", name, name);
    snprintf(wanted, sizeof wanted,
        "-ERR unknown command '%.128s', with args beginning with: '%.125s' ",
        name, name);
    CHECK_TEXT(called_run(&called, line), wanted);
    snprintf(line, sizeof line, "%s %.121s abcdef x", name, name);
    snprintf(wanted, sizeof wanted,
        "-ERR unknown command '%.128s', with args beginning with: "
        "'%.121s' 'abcd' ",
        name, name);
    CHECK_TEXT(called_run(&called, line), wanted);
    called_close(&called);
}

const struct test_case test_strings[] = {
    TEST_CASE(a_value_is_set_and_read),
    TEST_CASE(numbers_count),
    TEST_CASE(sizes_have_limits),
    TEST_CASE(an_unknown_command_is_repeated),
    TEST_END,
};
