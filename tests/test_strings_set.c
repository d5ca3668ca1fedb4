#include "exchanges.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { PATIENCE = 5000 /* ms */ };

static int64_t number(const char *reply)
{
    REQUIRE(reply[0] == ':');
    return strtoll(reply + 1, NULL, 10);
}

static void check_left(
    struct called *called, const char *line, int64_t least, int64_t most)
{
    int64_t left = number(called_run(called, line));
    CHECK(left >= least && left <= most);
}

static int64_t wall_ms(void)
{
    struct timespec now;
    CHECK_OK(clock_gettime(CLOCK_REALTIME, &now));
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void conditions_decide(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_EXCHANGES(&called, {"SET a 1 XX", "$-1"}, {"GET a", "$-1"},
        {"SET a 1 nx", "+OK"}, {"SET a 2 NX", "$-1"}, {"GET a", "$1 1"},
        {"SET a 3 XX", "+OK"}, {"SET a 4 GET", "$1 3"}, {"SET b 1 GET", "$-1"},
        {"SET a 5 NX GET", "$1 4"}, {"GET a", "$1 4"},
        {"SET c 5 GET NX", "$-1"}, {"GET c", "$1 5"}, {"SET d 5 XX GET", "$-1"},
        {"EXISTS d", ":0"});
    called.version = 3;
    CHECK_EXCHANGES(&called, {"SET a 1 NX", "_"}, {"SET d 1 XX GET", "_"});
    called_close(&called);
}

static void a_value_is_compared(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_EXCHANGES(&called, {"SET a new IFEQ old", "$-1"}, {"EXISTS a", ":0"},
        {"SET a old", "+OK"}, {"SET a new IFEQ olde", "$-1"},
        {"SET a new IFEQ ol", "$-1"}, {"SET a new IFEQ \"\"", "$-1"},
        {"GET a", "$3 old"}, {"SET a new ifeq old EXAT 33000000000", "+OK"},
        {"EXPIRETIME a", ":33000000000"}, {"SET a x IFEQ old GET", "$3 new"},
        {"GET a", "$3 new"}, {"SET a x IFEQ new GET KEEPTTL", "$3 new"},
        {"EXPIRETIME a", ":33000000000"}, {"SET b x IFEQ new GET", "$-1"},
        {"SET a x IFEQ x NX", "-ERR syntax error"},
        {"SET a x XX IFEQ x", "-ERR syntax error"},
        {"SET a x IFEQ x IFEQ x", "-ERR syntax error"},
        {"SET a x IFEQ", "-ERR syntax error"},
        {"GETEX a IFEQ x", "-ERR syntax error"}, {"GET a", "$1 x"});
    called_close(&called);
}

static void options_that_do_not_go_together(void)
{
    static const char *const lines[] = {"SET a 1 NX XX", "SET a 1 EX",
        "SET a 1 EX 1 PX 1", "SET a 1 EX 1 KEEPTTL", "SET a 1 KEEPTTL PX 1",
        "SET a 1 EXAT 1 PXAT 1", "SET a 1 PERSIST", "SET a 1 2", "GETEX a GET",
        "GETEX a EX 1 PERSIST", "GETEX a PERSIST PX 1", "GETEX a KEEPTTL",
        "GETEX a PXAT"};
    struct called called;
    called_open(&called, NULL, 100);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        CHECK_TEXT(called_run(&called, lines[i]), "-ERR syntax error");
    }
    CHECK_EXCHANGES(&called,
        {"SET a 1 EX 0", "-ERR invalid expire time in 'set' command"},
        {"SET a 1 PX -1", "-ERR invalid expire time in 'set' command"},
        {"SET a 1 EX 9223372036854776",
            "-ERR invalid expire time in 'set' command"},
        {"SET a 1 PX 9223372036854775807",
            "-ERR invalid expire time in 'set' command"},
        {"SET a 1 EX x", "-ERR value is not an integer or out of range"},
        {"SETEX a 0 1", "-ERR invalid expire time in 'setex' command"},
        {"PSETEX a 0 1", "-ERR invalid expire time in 'psetex' command"},
        {"SETEX a 1.5 1", "-ERR value is not an integer or out of range"},
        {"GETEX a EX 0", "$-1"}, {"SET b 1", "+OK"},
        {"GETEX b EX 0", "-ERR invalid expire time in 'getex' command"},
        {"EXISTS a", ":0"}, {"TTL b", ":-1"});
    called_close(&called);
}

/* Seconds and milliseconds, from now and since 1970. */
static void times_are_set(void)
{
    struct called called;
    char line[128];
    called_open(&called, NULL, 100);
    CHECK_TEXT(called_run(&called, "SET a 1 EX 10 EX 1000"), "+OK");
    check_left(&called, "TTL a", 900, 1000);
    CHECK_TEXT(called_run(&called, "SET a 1 PX 1000000"), "+OK");
    check_left(&called, "PTTL a", 900000, 1000000);
    CHECK_TEXT(called_run(&called, "SETEX a 2000 1"), "+OK");
    check_left(&called, "TTL a", 1900, 2000);
    CHECK_TEXT(called_run(&called, "PSETEX a 3000000 1"), "+OK");
    check_left(&called, "TTL a", 2900, 3000);
    CHECK_TEXT(called_run(&called, "GETEX a EX 4000"), "$1 1");
    check_left(&called, "TTL a", 3900, 4000);
    CHECK_TEXT(called_run(&called, "GETEX a PX 5000000"), "$1 1");
    check_left(&called, "TTL a", 4900, 5000);
    snprintf(line, sizeof line, "GETEX a PXAT %" PRId64, wall_ms() + 900000);
    CHECK_TEXT(called_run(&called, line), "$1 1");
    check_left(&called, "PTTL a", 800000, 900000);
    called_close(&called);
}

static void times_stay_or_go(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_EXCHANGES(&called, {"SET a 1 EXAT 33000000000", "+OK"},
        {"EXPIRETIME a", ":33000000000"}, {"PEXPIRETIME a", ":33000000000000"},
        {"SET a 2 KEEPTTL", "+OK"}, {"EXPIRETIME a", ":33000000000"},
        {"SET a 2", "+OK"}, {"TTL a", ":-1"},
        {"SET a 1 PXAT 9223372036854775807", "+OK"},
        {"PEXPIRETIME a", ":9223372036854775807"}, {"GETEX a", "$1 1"},
        {"PEXPIRETIME a", ":9223372036854775807"}, {"GETEX a PERSIST", "$1 1"},
        {"TTL a", ":-1"}, {"GETEX a PERSIST", "$1 1"},
        {"GETEX a EXAT 33000000000", "$1 1"}, {"GETSET a 5", "$1 1"},
        {"TTL a", ":-1"}, {"GETEX a EXAT 1", "$1 5"}, {"EXISTS a", ":0"});
    called_close(&called);
}

/* It takes no record either. */
static void what_has_passed_is_not_kept(void)
{
    struct called called;
    called_open(&called, NULL, 1);
    CHECK_EXCHANGES(&called, {"SET a 1", "+OK"}, {"SET b 1 PXAT 1", "+OK"},
        {"SET a 1 EXAT 1", "+OK"}, {"DBSIZE", ":0"},
        {"SET a 1 GET PXAT 1", "$-1"}, {"SET a 1", "+OK"},
        {"SET a 2 GET PXAT 1", "$1 1"}, {"DBSIZE", ":0"});
    called_close(&called);
}

static void an_expired_record_is_absent(void)
{
    struct called called;
    called_open(&called, NULL, 1);
    for (int i = 0; i < 20; i++) {
        CHECK_TEXT(called_run(&called, "SET a 1 PX 1"), "+OK");
        int waited = 0;
        while (strcmp(called_run(&called, "EXISTS a"), ":0") != 0) {
            REQUIRE(++waited < PATIENCE);
            const struct timespec step = {.tv_nsec = 1000000};
            nanosleep(&step, NULL);
        }
        CHECK_EXCHANGES(&called, {"SET a 2 XX", "$-1"}, {"GET a", "$-1"},
            {"STRLEN a", ":0"}, {"TTL a", ":-2"}, {"GETDEL a", "$-1"},
            {"PERSIST a", ":0"}, {"EXPIRE a 100", ":0"},
            {"GETEX a PX 1", "$-1"}, {"KEYS *", "*0"}, {"SCAN 0", "*2 $1 0 *0"},
            {"RANDOMKEY", "$-1"}, {"TYPE a", "+none"}, {"DEL a", ":0"},
            {"RENAME a b", "-ERR no such key"},
            {"SET a 2 NX GET KEEPTTL", "$-1"}, {"TTL a", ":-1"},
            {"DEL a", ":1"});
    }
    called_close(&called);
}

static void one_at_a_time_or_several(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_EXCHANGES(&called, {"SETNX a 1", ":1"}, {"SETNX a 2", ":0"},
        {"GETSET a 3", "$1 1"}, {"GETSET b 3", "$-1"}, {"GETDEL a", "$1 3"},
        {"GETDEL a", "$-1"}, {"MSET a 1 b 2 a 3", "+OK"},
        {"MGET a b c", "*3 $1 3 $1 2 $-1"}, {"MSETNX c 1 b 1", ":0"},
        {"EXISTS c", ":0"}, {"MSETNX c 1 d 1 c 2", ":1"}, {"GET c", "$1 2"},
        {"EXPIREAT c 33000000000", ":1"}, {"MSET c 1", "+OK"}, {"TTL c", ":-1"},
        {"MSET a 1 b", "-ERR wrong number of arguments for 'mset' command"},
        {"MSETNX a 1 b", "-ERR wrong number of arguments for 'msetnx' command"},
        {"MSET a 1 \"b\\x00\" 2",
            "-ERR a key of 2 bytes ends in a NUL byte: trailing NUL bytes do "
            "not tell two keys apart here"});
    called_close(&called);
}

static void a_full_table_changes_nothing(void)
{
    struct called called;
    called_open(&called, NULL, 2);
    const char *full = "-OOM the table is full: KV_CAPACITY is 2 records, and "
                       "this needs 1 more: 0 are free";
    CHECK_EXCHANGES(&called,
        {"MSET a 1 b 2 c 3",
            "-OOM the table is full: KV_CAPACITY is 2 records, and this needs "
            "3 more: 2 are free"},
        {"DBSIZE", ":0"}, {"MSETNX a 1 b 2", ":1"}, {"SET c 1", full},
        {"SET c 1 GET", full}, {"SETNX c 1", full}, {"SETEX c 1 1", full},
        {"GETSET c 1", full}, {"APPEND c 1", full}, {"INCR c", full},
        {"INCRBYFLOAT c 1", full}, {"SETRANGE c 1 x", full},
        {"MSET a 5 c 6", full}, {"MSETNX c 6", full}, {"COPY a c", full},
        {"MGET a b c", "*3 $1 1 $1 2 $-1"}, {"MSET a 3 b 4", "+OK"},
        {"RENAME a c", "+OK"}, {"COPY b c REPLACE", ":1"}, {"GET c", "$1 4"},
        {"RENAMENX c a", ":1"});
    called_close(&called);
}

const struct test_case test_strings_set[] = {
    TEST_CASE(conditions_decide),
    TEST_CASE(a_value_is_compared),
    TEST_CASE(options_that_do_not_go_together),
    TEST_CASE(times_are_set),
    TEST_CASE(times_stay_or_go),
    TEST_CASE(what_has_passed_is_not_kept),
    TEST_CASE(an_expired_record_is_absent),
    TEST_CASE(one_at_a_time_or_several),
    TEST_CASE(a_full_table_changes_nothing),
    TEST_END,
};
