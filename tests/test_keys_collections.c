/* test_keys_collections.c: commands on keys that hold lists and sets: what
 * moves, what is copied, what is left for the sweep. */
#include "exchanges.h"

#include <stdio.h>
#include <time.h>

enum {
    PATIENCE = 60000 /* ms */,
    AT_ONCE = 4095,
    PART = 1000,
    LINE_MAX = 65536
};

#define TOO_MANY                                                               \
    "-ERR this changes more than 4095 records, which is the most that can "    \
    "take effect at once: do it in parts"

/* Waits until the sweep has left so many. */
static void wait_for_records(struct called *called, uint64_t count)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    struct stats stats = {0};
    for (int i = 0; i < PATIENCE; i++) {
        stats = (struct stats){0};
        storage_stats(called->storage, &stats);
        if (stats.records == count) {
            break;
        }
        (void)nanosleep(&pause, NULL);
    }
    CHECK_U64(stats.records, count);
}

/* Adds the numbers first to last - 1. */
static void add_numbers(
    struct called *called, const char *command, int first, int last)
{
    char *line = malloc(LINE_MAX);
    REQUIRE(line != NULL);
    while (first < last) {
        int length = snprintf(line, LINE_MAX, "%s", command);
        int end = first + PART < last ? first + PART : last;
        for (; first < end; first++) {
            length += snprintf(
                line + length, (size_t)(LINE_MAX - length), " %d", first);
        }
        CHECK(called_run(called, line)[0] == ':');
    }
    free(line);
}

struct fixture {
    struct called called;
    struct test_directory directory;
};

static void begin(struct fixture *fixture, uint64_t capacity)
{
    REQUIRE(test_directory_make(&fixture->directory));
    called_open(&fixture->called, fixture->directory.path, capacity);
}

static void end(struct fixture *fixture)
{
    called_close(&fixture->called);
    CHECK(test_directory_remove(&fixture->directory));
}

static void only_the_head_is_renamed(void)
{
    struct fixture fixture;
    struct called *called = &fixture.called;
    begin(&fixture, 10000);
    add_numbers(called, "RPUSH l", 0, 4000);
    add_numbers(called, "SADD s", 0, 2000);
    CHECK_EXCHANGES(called, {"EXPIREAT l 33000000000", ":1"},
        {"RENAME l m", "+OK"}, {"EXISTS l", ":0"}, {"LLEN m", ":4000"},
        {"LINDEX m 3999", "$4 3999"}, {"EXPIRETIME m", ":33000000000"},
        {"RENAMENX s m", ":0"}, {"RENAMENX s t", ":1"}, {"SCARD t", ":2000"},
        {"SISMEMBER t 1999", ":1"});
    called_reopen(called);
    CHECK_EXCHANGES(called, {"LLEN m", ":4000"}, {"SCARD t", ":2000"},
        {"LINDEX m 0", "$1 0"}, {"SISMEMBER t 0", ":1"}, {"RENAME t m", "+OK"},
        {"TYPE m", "+set"}, {"SCARD m", ":2000"});
    called_reopen_from_backup(called);
    CHECK_EXCHANGES(called, {"SISMEMBER m 77", ":1"}, {"SET x 1", "+OK"},
        {"RENAME x m", "+OK"}, {"GET m", "$1 1"}, {"DBSIZE", ":1"});
    wait_for_records(called, 1);
    end(&fixture);
}

/* The copy and what it was made of are changed apart. */
static void collections_are_copied(void)
{
    struct fixture fixture;
    struct called *called = &fixture.called;
    begin(&fixture, 10000);
    CHECK_EXCHANGES(called, {"RPUSH l a b c", ":3"}, {"LPUSH l z", ":4"},
        {"EXPIREAT l 33000000000", ":1"}, {"COPY l m", ":1"},
        {"EXPIRETIME m", ":33000000000"}, {"LPOP l", "$1 z"},
        {"RPUSH m d", ":5"}, {"LRANGE l 0 -1", "*3 $1 a $1 b $1 c"},
        {"LRANGE m 0 -1", "*5 $1 z $1 a $1 b $1 c $1 d"}, {"DEL l", ":1"},
        {"LINDEX m 2", "$1 b"}, {"SADD s x", ":1"}, {"COPY s m", ":0"},
        {"COPY s m REPLACE", ":1"}, {"SMEMBERS m", "*1 $1 x"},
        {"SADD m y", ":1"}, {"SMEMBERS s", "*1 $1 x"}, {"DEL m s", ":2"});
    wait_for_records(called, 0);
    end(&fixture);
}

/* Of every size about a block's, each member is in the copy, and can go. */
static void sets_of_all_sizes_are_copied(void)
{
    struct fixture fixture;
    struct called *called = &fixture.called;
    char line[64];
    begin(&fixture, 10000);
    for (int size = 1; size <= 60; size++) {
        add_numbers(called, "SADD s", size - 1, size);
        CHECK_TEXT(called_run(called, "COPY s t REPLACE"), ":1");
        if (size % 20 == 0) {
            called_reopen(called);
        }
        for (int i = 0; i < size; i++) {
            snprintf(line, sizeof line, "SREM t %d", i);
            CHECK_TEXT(called_run(called, line), ":1");
        }
        CHECK_EXCHANGES(called, {"EXISTS t", ":0"});
        snprintf(line, sizeof line, ":%d", size);
        CHECK_TEXT(called_run(called, "SCARD s"), line);
    }
    CHECK_TEXT(called_run(called, "DEL s"), ":1");
    wait_for_records(called, 0);
    end(&fixture);
}

/* A copy takes effect at once, so it has the limit of what does. */
static void copies_have_a_limit(void)
{
    struct fixture fixture;
    struct called *called = &fixture.called;
    begin(&fixture, 20000);
    add_numbers(called, "RPUSH l", 0, AT_ONCE - 5);
    CHECK_TEXT(called_run(called, "COPY l m"), ":1");
    CHECK_TEXT(called_run(called, "RPUSH l x"), ":4091");
    CHECK_TEXT(called_run(called, "COPY l n"), TOO_MANY);
    CHECK_TEXT(called_run(called, "COPY l m REPLACE"), TOO_MANY);
    called_reopen(called);
    CHECK_EXCHANGES(called, {"EXISTS n", ":0"}, {"LLEN m", ":4090"},
        {"LINDEX m -1", "$4 4089"}, {"DBSIZE", ":2"}, {"DEL l m", ":2"});
    wait_for_records(called, 0);
    add_numbers(called, "SADD s", 0, 3900);
    CHECK_TEXT(called_run(called, "COPY s t"), TOO_MANY);
    CHECK_TEXT(called_run(called, "EXISTS t"), ":0");
    CHECK_TEXT(called_run(called, "FLUSHALL"), "+OK");
    wait_for_records(called, 0);
    end(&fixture);
}

static void a_full_table_is_told(void)
{
    struct fixture fixture;
    struct called *called = &fixture.called;
    begin(&fixture, 8);
    CHECK_EXCHANGES(called, {"RPUSH l a b c", ":3"}, {"COPY l m", ":1"},
        {"COPY l n",
            "-OOM the table is full: KV_CAPACITY is 8 records, and this needs "
            "4 more: 0 are free"},
        {"COPY l m REPLACE",
            "-OOM the table is full: KV_CAPACITY is 8 records, and this needs "
            "3 more: 0 are free"},
        {"LRANGE m 0 -1", "*3 $1 a $1 b $1 c"}, {"RENAME l n", "+OK"},
        {"RENAME n m", "+OK"}, {"LRANGE m 0 -1", "*3 $1 a $1 b $1 c"},
        {"SET m 1", "+OK"});
    wait_for_records(called, 1);
    end(&fixture);
}

/* Whatever a key holds, a string takes its place, with all that it had. */
static void strings_replace_collections(void)
{
    static const char *const lines[] = {"SET k 1", "SETEX k 1000 1",
        "SET k 1 XX", "MSET k 1", "MSET k 1 k 2", "SET k 1 PXAT 1",
        "COPY s k REPLACE", "RENAME s k", "DEL k", "EXPIRE k 0", "UNLINK k k",
        "PEXPIREAT k 1 LT"};
    struct fixture fixture;
    struct called *called = &fixture.called;
    begin(&fixture, 5000);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        add_numbers(called, i % 2 == 0 ? "RPUSH k" : "SADD k", 0, 700);
        CHECK_TEXT(called_run(called, "SET s 5"), "+OK");
        CHECK(called_run(called, lines[i])[0] != '-');
        CHECK(strcmp(called_run(called, "TYPE k"), "+list") != 0);
        CHECK(strcmp(called_run(called, "TYPE k"), "+set") != 0);
        if (i % 4 == 0) {
            called_reopen(called);
        } else if (i % 4 == 2) {
            called_reopen_from_backup(called);
        }
        CHECK(called_run(called, "DEL s k")[0] == ':');
        wait_for_records(called, 0);
    }
    end(&fixture);
}

static void values_of_another_kind_are_refused(void)
{
    static const char *const lines[] = {"GET l", "GETEX l", "GETEX l EX 0",
        "GETDEL l", "GETSET l 1", "SET l 1 GET", "SET l 1 GET XX",
        "SET l 1 IFEQ a", "SET l 1 NX GET", "APPEND l 1", "STRLEN l",
        "GETRANGE l 0 1", "SUBSTR l 0 1", "SETRANGE l 0 \"\"",
        "SETRANGE l 500 x", "INCR l", "DECR l", "INCRBY l 1", "DECRBY l 1",
        "INCRBYFLOAT l x"};
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_TEXT(called_run(&called, "RPUSH l a b"), ":2");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        CHECK_TEXT(called_run(&called, lines[i]),
            "-WRONGTYPE Operation against a key holding the wrong kind of "
            "value");
    }
    CHECK_EXCHANGES(&called, {"SETNX l 1", ":0"}, {"SET l 1 NX", "$-1"},
        {"MSETNX a 1 l 2", ":0"}, {"MGET l a", "*2 $-1 $-1"},
        {"GETEX l FOO", "-ERR syntax error"},
        {"SETRANGE l -1 x", "-ERR offset is out of range"},
        {"LRANGE l 0 -1", "*2 $1 a $1 b"}, {"TYPE l", "+list"},
        {"EXPIREAT l 33000000000", ":1"}, {"PERSIST l", ":1"},
        {"EXPIREAT l 33000000000", ":1"}, {"SET l 1 KEEPTTL", "+OK"},
        {"EXPIRETIME l", ":33000000000"});
    called_close(&called);
}

static void members_are_no_keys(void)
{
    struct called called;
    called_open(&called, NULL, 1000);
    add_numbers(&called, "RPUSH l", 0, 200);
    add_numbers(&called, "SADD s", 0, 200);
    CHECK_EXCHANGES(&called, {"SET x 1", "+OK"}, {"DBSIZE", ":3"},
        {"KEYS l*", "*1 $1 l"}, {"KEYS s*", "*1 $1 s"},
        {"SCAN 0 COUNT 1000 TYPE list", "*2 $1 0 *1 $1 l"},
        {"SCAN 0 COUNT 1000 TYPE set", "*2 $1 0 *1 $1 s"},
        {"SCAN 0 COUNT 1000 TYPE string", "*2 $1 0 *1 $1 x"});
    CHECK(strncmp(called_run(&called, "KEYS *"), "*3 ", 3) == 0);
    CHECK_TEXT(called_run(&called, "DEL x s"), ":2");
    for (int i = 0; i < 100; i++) {
        CHECK_TEXT(called_run(&called, "RANDOMKEY"), "$1 l");
    }
    called_close(&called);
}

static void encodings_are_told(void)
{
    struct called called;
    called_open(&called, NULL, 5000);
    add_numbers(&called, "SADD s", 0, 512);
    CHECK_EXCHANGES(&called, {"RPUSH l 1", ":1"},
        {"OBJECT ENCODING l", "$9 quicklist"},
        {"OBJECT ENCODING s", "$6 intset"}, {"SADD s 512", ":1"},
        {"OBJECT ENCODING s", "$9 hashtable"}, {"SADD t 1 2 x", ":3"},
        {"OBJECT ENCODING t", "$9 hashtable"}, {"SREM t x", ":1"},
        {"OBJECT ENCODING t", "$6 intset"});
    called_close(&called);
}

const struct test_case test_keys_collections[] = {
    TEST_CASE(only_the_head_is_renamed),
    TEST_CASE(collections_are_copied),
    TEST_CASE(sets_of_all_sizes_are_copied),
    TEST_CASE(copies_have_a_limit),
    TEST_CASE(a_full_table_is_told),
    TEST_CASE(strings_replace_collections),
    TEST_CASE(values_of_another_kind_are_refused),
    TEST_CASE(members_are_no_keys),
    TEST_CASE(encodings_are_told),
    TEST_END,
};
