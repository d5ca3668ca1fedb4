#include "exchanges.h"

#include <float.h>
#include <stdio.h>

static void numbers_are_added(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    const char *no = "-ERR value is not an integer or out of range";
    const char *over = "-ERR increment or decrement would overflow";
    CHECK_EXCHANGES(&called, {"INCR n", ":1"}, {"DECR n", ":0"},
        {"INCRBY n 10", ":10"}, {"DECRBY n 15", ":-5"},
        {"DECRBY n -9223372036854775808", "-ERR decrement would overflow"},
        {"INCRBY n x", no}, {"INCRBY n 01", no}, {"DECRBY n 1.5", no},
        {"INCRBY n 9223372036854775808", no},
        {"INCRBY n 9223372036854775807", ":9223372036854775802"},
        {"INCRBY n 6", over}, {"INCRBY n 5", ":9223372036854775807"},
        {"INCR n", over}, {"SET n -9223372036854775808", "+OK"},
        {"DECR n", over}, {"DECRBY n 1", over},
        {"GET n", "$20 -9223372036854775808"}, {"SET n \" 1\"", "+OK"},
        {"INCR n", no}, {"SET n 1 EXAT 33000000000", "+OK"}, {"INCR n", ":2"},
        {"EXPIRETIME n", ":33000000000"});
    called_close(&called);
}

static void numbers_have_fractions(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    const char *no = "-ERR value is not a valid float";
    CHECK_EXCHANGES(&called, {"INCRBYFLOAT n 1.5", "$3 1.5"},
        {"INCRBYFLOAT n -1.5", "$1 0"}, {"INCRBYFLOAT n 5e3", "$4 5000"},
        {"INCRBYFLOAT n .25", "$7 5000.25"}, {"INCRBYFLOAT n x", no},
        {"INCRBYFLOAT n nan", no}, {"INCRBYFLOAT n \" 1\"", no},
        {"INCRBYFLOAT n 1e300",
            "-ERR the value would have 301 bytes; a value has at most 256"},
        {"GET n", "$7 5000.25"}, {"SET n x", "+OK"}, {"INCRBYFLOAT n 1", no},
        {"SET n 1 EXAT 33000000000", "+OK"}, {"INCRBYFLOAT n 1", "$1 2"},
        {"EXPIRETIME n", ":33000000000"});
    called_close(&called);
}

/* valgrind computes with the 53 bits of a double, and knows no infinity. */
static bool has_infinity(void)
{
    volatile long double one = 1;
    return one + LDBL_EPSILON != one;
}

static void sums_are_finite(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    const char *over = "-ERR increment would produce NaN or Infinity";
    CHECK_TEXT(called_run(&called, "SET n inf"), "+OK");
    if (has_infinity()) {
        CHECK_EXCHANGES(&called, {"INCRBYFLOAT a inf", over},
            {"INCRBYFLOAT a -inf", over}, {"INCRBYFLOAT n 1", over},
            {"INCRBYFLOAT n -inf", over});
    }
    CHECK_EXCHANGES(&called, {"GET n", "$3 inf"}, {"EXISTS a", ":0"});
    called_close(&called);
}

static void parts_are_read(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_EXCHANGES(&called, {"SET a 0123456789", "+OK"}, {"STRLEN a", ":10"},
        {"STRLEN b", ":0"}, {"GETRANGE a 0 -1", "$10 0123456789"},
        {"GETRANGE a 2 3", "$2 23"}, {"SUBSTR a -3 -2", "$2 78"},
        {"GETRANGE a -100 1", "$2 01"}, {"GETRANGE a 5 100", "$5 56789"},
        {"GETRANGE a 3 2", "$0 "}, {"GETRANGE a -2 -3", "$0 "},
        {"GETRANGE a 10 20", "$0 "}, {"GETRANGE a -100 -50", "$1 0"},
        {"GETRANGE a -9223372036854775808 9223372036854775807",
            "$10 0123456789"},
        {"GETRANGE b 0 -1", "$0 "},
        {"GETRANGE a x 1", "-ERR value is not an integer or out of range"},
        {"GETRANGE a 1 x", "-ERR value is not an integer or out of range"},
        {"SET a \"\"", "+OK"}, {"GETRANGE a 0 0", "$0 "});
    called_close(&called);
}

static void parts_are_written(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_EXCHANGES(&called, {"APPEND a ab", ":2"}, {"APPEND a cd", ":4"},
        {"APPEND a \"\"", ":4"}, {"APPEND b \"\"", ":0"}, {"EXISTS b", ":1"},
        {"SETRANGE a 1 XY", ":4"}, {"GET a", "$4 aXYd"},
        {"SETRANGE a 3 123", ":6"}, {"GET a", "$6 aXY123"},
        {"SETRANGE a 0 \"\"", ":6"}, {"SETRANGE c 10 \"\"", ":0"},
        {"EXISTS c", ":0"}, {"SETRANGE c 2 x", ":3"}, {"STRLEN c", ":3"},
        {"GETRANGE c 2 2", "$1 x"},
        {"INCRBY c 1", "-ERR value is not an integer or out of range"},
        {"SETRANGE a -1 x", "-ERR offset is out of range"},
        {"SETRANGE a x x", "-ERR value is not an integer or out of range"},
        {"EXPIREAT a 33000000000", ":1"}, {"APPEND a z", ":7"},
        {"SETRANGE a 0 z", ":7"}, {"EXPIRETIME a", ":33000000000"});
    called_close(&called);
}

static void values_have_a_limit(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_EXCHANGES(&called, {"SETRANGE a 255 x", ":256"},
        {"APPEND a x",
            "-ERR the value would have 257 bytes; a value has at most 256"},
        {"SETRANGE a 256 x",
            "-ERR the value would have 257 bytes; a value has at most 256"},
        {"SETRANGE b 9223372036854775807 x",
            "-ERR the value would have 9223372036854775808 bytes; a value has "
            "at most 256"},
        {"STRLEN a", ":256"}, {"EXISTS b", ":0"}, {"APPEND a \"\"", ":256"},
        {"SETRANGE a 255 y", ":256"}, {"GETRANGE a 255 255", "$1 y"});
    char line[512];
    char value[258] = "";
    memset(value, 'v', 257);
    snprintf(line, sizeof line, "SET a %s", value);
    CHECK_TEXT(called_run(&called, line),
        "-ERR a value has at most 256 bytes, and argument 2 of 'set' 257");
    called_close(&called);
}

const struct test_case test_strings_part[] = {
    TEST_CASE(numbers_are_added),
    TEST_CASE(numbers_have_fractions),
    TEST_CASE(sums_are_finite),
    TEST_CASE(parts_are_read),
    TEST_CASE(parts_are_written),
    TEST_CASE(values_have_a_limit),
    TEST_END,
};
