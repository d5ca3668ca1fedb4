#include "exchanges.h"

#include <stdio.h>

static void expiries_have_conditions(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_EXCHANGES(&called, {"EXPIREAT a 33000000000", ":0"}, {"TTL a", ":-2"},
        {"PTTL a", ":-2"}, {"EXPIRETIME a", ":-2"}, {"PEXPIRETIME a", ":-2"},
        {"SET a 1", "+OK"}, {"TTL a", ":-1"}, {"EXPIRETIME a", ":-1"},
        {"EXPIREAT a 33000000000 XX", ":0"},
        {"EXPIREAT a 33000000000 GT", ":0"}, {"TTL a", ":-1"},
        {"EXPIREAT a 33000000000 lt", ":1"},
        {"PEXPIRETIME a", ":33000000000000"},
        {"PEXPIREAT a 33000000000001 NX", ":0"},
        {"PEXPIREAT a 33000000000000 GT", ":0"},
        {"PEXPIREAT a 33000000000000 LT", ":0"},
        {"PEXPIREAT a 33000000000001 LT", ":0"},
        {"PEXPIREAT a 33000000000500 GT XX", ":1"},
        {"EXPIRETIME a", ":33000000001"}, {"PERSIST a", ":1"},
        {"PERSIST a", ":0"}, {"PEXPIREAT a 33000000000499 NX NX", ":1"},
        {"EXPIRETIME a", ":33000000000"}, {"EXPIREAT a 1 GT", ":0"},
        {"EXPIREAT a 1 LT", ":1"}, {"EXISTS a", ":0"});
    called_close(&called);
}

static void times_that_have_passed_remove(void)
{
    static const char *const lines[] = {"EXPIRE a -1", "EXPIRE a 0",
        "PEXPIRE a -1", "EXPIREAT a 0", "EXPIREAT a -5", "PEXPIREAT a 1",
        "PEXPIREAT a -9223372036854775808"};
    struct called called;
    called_open(&called, NULL, 100);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        CHECK_TEXT(called_run(&called, "SET a 1"), "+OK");
        CHECK_TEXT(called_run(&called, lines[i]), ":1");
        CHECK_TEXT(called_run(&called, "DBSIZE"), ":0");
    }
    called_close(&called);
}

static void expiries_may_be_refused(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    const char *mixed = "-ERR NX and XX, GT or LT options at the same time "
                        "are not compatible";
    const char *range = "-ERR value is not an integer or out of range";
    CHECK_EXCHANGES(&called, {"SET a 1", "+OK"}, {"EXPIRE a 1 NX XX", mixed},
        {"EXPIRE a 1 LT NX", mixed},
        {"EXPIRE a 1 GT LT",
            "-ERR GT and LT options at the same time are not compatible"},
        {"EXPIRE a x foo", "-ERR Unsupported option foo"},
        {"EXPIRE a 1.5", range}, {"EXPIRE b x", range},
        {"EXPIRE a 9223372036854775",
            "-ERR invalid expire time in 'expire' command"},
        {"EXPIREAT a 9223372036854776",
            "-ERR invalid expire time in 'expireat' command"},
        {"PEXPIRE a 9223372036854775807",
            "-ERR invalid expire time in 'pexpire' command"},
        {"EXPIRE a -9223372036854776",
            "-ERR invalid expire time in 'expire' command"},
        {"TTL a", ":-1"});
    called_close(&called);
}

static void keys_are_renamed(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_EXCHANGES(&called, {"RENAME a b", "-ERR no such key"},
        {"RENAMENX a a", "-ERR no such key"},
        {"SET a 1 EXAT 33000000000", "+OK"}, {"RENAME a a", "+OK"},
        {"RENAMENX a a", ":0"}, {"SET b 2", "+OK"}, {"RENAMENX a b", ":0"},
        {"RENAME a b", "+OK"}, {"GET b", "$1 1"},
        {"EXPIRETIME b", ":33000000000"}, {"EXISTS a", ":0"},
        {"RENAMENX b a", ":1"}, {"MGET a b", "*2 $1 1 $-1"}, {"DBSIZE", ":1"});
    called_close(&called);
}

static void keys_are_copied(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    const char *same = "-ERR source and destination objects are the same";
    const char *range = "-ERR value is out of range, value must between "
                        "-2147483648 and 2147483647";
    CHECK_EXCHANGES(&called, {"COPY a b", ":0"}, {"COPY a a", same},
        {"SET a 1 EXAT 33000000000", "+OK"}, {"COPY a b", ":1"},
        {"EXPIRETIME b", ":33000000000"}, {"SET b 2", "+OK"},
        {"COPY a b", ":0"}, {"GET b", "$1 2"}, {"COPY a b REPLACE DB 0", ":1"},
        {"GET b", "$1 1"}, {"COPY a b DB 1", "-ERR DB index is out of range"},
        {"COPY a b DB -1", "-ERR DB index is out of range"},
        {"COPY a b DB 2147483648", range},
        {"COPY a b DB x", "-ERR value is not an integer or out of range"},
        {"COPY a b DB", "-ERR syntax error"},
        {"COPY a a foo", "-ERR syntax error"}, {"GET a", "$1 1"});
    called_close(&called);
}

static void keys_are_counted_and_removed(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_EXCHANGES(&called, {"MSET a 1 b 2 c 3", "+OK"},
        {"EXISTS a a x b", ":3"}, {"TOUCH a x", ":1"}, {"UNLINK a x", ":1"},
        {"DEL b b", ":1"}, {"DBSIZE", ":1"}, {"TYPE c", "+string"},
        {"FLUSHDB foo", "-ERR syntax error"},
        {"FLUSHALL ASYNC SYNC", "-ERR syntax error"}, {"DBSIZE", ":1"},
        {"FLUSHDB async", "+OK"}, {"DBSIZE", ":0"}, {"SET a 1", "+OK"},
        {"FLUSHALL SYNC", "+OK"}, {"TYPE a", "+none"});
    called_close(&called);
}

static void objects_are_told(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_EXCHANGES(&called, {"OBJECT ENCODING a", "$-1"},
        {"SET a -9223372036854775808", "+OK"}, {"OBJECT encoding a", "$3 int"},
        {"SET a 9223372036854775808", "+OK"},
        {"OBJECT ENCODING a", "$6 embstr"}, {"SETRANGE b 43 x", ":44"},
        {"OBJECT ENCODING b", "$6 embstr"}, {"SETRANGE b 44 x", ":45"},
        {"OBJECT ENCODING b", "$3 raw"}, {"OBJECT REFCOUNT a", ":1"},
        {"OBJECT FREQ a", "-ERR An LFU maxmemory policy is not selected, "
                          "access frequency not tracked. Please note that "
                          "when switching between policies at runtime LRU and "
                          "LFU data will take some time to adjust."},
        {"OBJECT IDLETIME a", "-ERR idle time not tracked."},
        {"OBJECT FREQ x", "$-1"},
        {"OBJECT foo a", "-ERR unknown subcommand 'foo'. Try OBJECT HELP."},
        {"OBJECT Freq",
            "-ERR wrong number of arguments for 'object|freq' command"},
        {"OBJECT HELP a",
            "-ERR wrong number of arguments for 'object|help' command"},
        {"OBJECT", "-ERR wrong number of arguments for 'object' command"},
        {"OBJECT ENCODING \"\"",
            "-ERR a key has 1 to 32 bytes, and this one 0"});
    CHECK(
        strncmp(called_run(&called, "OBJECT HELP"), "*11 +OBJECT <", 13) == 0);
    called_close(&called);
}

enum { AT_ONCE = 4095, LINE_MAX = 1 << 17 };

/* One request with a command and this many keys, each with what follows it. */
static const char *run_many(
    struct called *called, const char *command, const char *value, int count)
{
    char *line = malloc(LINE_MAX);
    REQUIRE(line != NULL);
    int length = snprintf(line, LINE_MAX, "%s", command);
    for (int i = 0; i < count; i++) {
        length += snprintf(
            line + length, (size_t)(LINE_MAX - length), " key%d%s", i, value);
        REQUIRE(length < LINE_MAX);
    }
    const char *reply = called_run(called, line);
    free(line);
    return reply;
}

static void a_unit_has_a_limit(void)
{
    struct called called;
    const char *more =
        "-ERR this changes more than 4095 records, which is the most that can "
        "take effect at once: do it in parts";
    called_open(&called, NULL, 10000);
    CHECK_TEXT(run_many(&called, "MSET", " 1", AT_ONCE + 1), more);
    CHECK_TEXT(called_run(&called, "DBSIZE"), ":0");
    CHECK_TEXT(run_many(&called, "MSET", " 1", 4000), "+OK");
    CHECK_TEXT(run_many(&called, "MSETNX", " 1", AT_ONCE + 1), ":0");
    CHECK_TEXT(called_run(&called, "DBSIZE"), ":4000");
    CHECK_TEXT(run_many(&called, "EXISTS", "", AT_ONCE + 1), ":4000");
    for (int i = 4000; i <= AT_ONCE; i++) {
        char line[32];
        (void)snprintf(line, sizeof line, "SET key%d 1", i);
        CHECK_TEXT(called_run(&called, line), "+OK");
    }
    CHECK_TEXT(run_many(&called, "DEL", "", AT_ONCE + 1), more);
    CHECK_TEXT(called_run(&called, "DBSIZE"), ":4096");
    CHECK_TEXT(run_many(&called, "DEL", "", 4000), ":4000");
    CHECK_TEXT(called_run(&called, "DBSIZE"), ":96");
    called_close(&called);
}

static void a_name_without_record_is_no_change(void)
{
    struct called called;
    called_open(&called, NULL, 10000);
    CHECK_TEXT(run_many(&called, "DEL", "", AT_ONCE + 1), ":0");
    CHECK_TEXT(run_many(&called, "MSET", " 1", 4000), "+OK");
    CHECK_TEXT(run_many(&called, "UNLINK", "", 2 * AT_ONCE), ":4000");
    CHECK_TEXT(called_run(&called, "DBSIZE"), ":0");
    called_close(&called);
}

/* The search for a name halves the table by the first eight bytes: it must be
 * in order by these. */
static void rows_are_in_order(void)
{
    enum { BEGINNING = 8 };
    for (size_t i = 0; command_at(i) != NULL; i++) {
        const struct command *command = command_at(i);
        CHECK(i == 0 ||
              strncmp(command_at(i - 1)->name, command->name, BEGINNING) < 0);
        CHECK(command_find(command->name, strlen(command->name)) == command);
        CHECK(command->arity != 0);
        CHECK(command->first == 0 || command->first == 1);
        CHECK((command->first > 0) == (command->step > 0));
    }
}

static void names_are_found_in_any_case(void)
{
    static const char *const none[] = {"", "a", "ge", "gets", "zzz", "g%t",
        "incrbyfloa", "incrbyfloats", "incrbyf\x0c\x0f\x01\x14",
        "a name that is longer than any"};
    CHECK(command_find("gEt", 3) == command_find("GET", 3));
    CHECK(command_find("INCRBYFLOAT", 11) == command_find("incrbyfloat", 11));
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        CHECK(command_find(none[i], strlen(none[i])) == NULL);
    }
    CHECK(command_find("get", sizeof "get") == NULL);
    CHECK(command_find("g\x05t", 3) == NULL);
}

const struct test_case test_keys[] = {
    TEST_CASE(expiries_have_conditions),
    TEST_CASE(times_that_have_passed_remove),
    TEST_CASE(expiries_may_be_refused),
    TEST_CASE(keys_are_renamed),
    TEST_CASE(keys_are_copied),
    TEST_CASE(keys_are_counted_and_removed),
    TEST_CASE(objects_are_told),
    TEST_CASE(a_unit_has_a_limit),
    TEST_CASE(a_name_without_record_is_no_change),
    TEST_CASE(rows_are_in_order),
    TEST_CASE(names_are_found_in_any_case),
    TEST_END,
};
