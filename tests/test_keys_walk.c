#include "exchanges.h"

#include <stdio.h>

enum { KEYS = 3000, CALLS_MAX = 100000 };

static void set_number(struct called *called, int number)
{
    char line[64];
    snprintf(line, sizeof line, "SET key%d 1", number);
    CHECK_TEXT(called_run(called, line), "+OK");
}

static void patterns_choose_keys(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_EXCHANGES(&called, {"KEYS *", "*0"},
        {"MSET one 1 two 2 \"t\\x00\\xff\" 3", "+OK"}, {"KEYS o*", "*1 $3 one"},
        {"KEYS t?o", "*1 $3 two"}, {"KEYS [a-o]ne", "*1 $3 one"},
        {"KEYS one?", "*0"}, {"KEYS \"\"", "*0"}, {"DEL two one", ":2"});
    const char *reply = called_run(&called, "KEYS t*");
    CHECK_BYTES(reply, "*1 $3 t\0\xff", 10);
    called_close(&called);
}

static void scans_may_be_refused(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    const char *cursor = "-ERR invalid cursor";
    CHECK_EXCHANGES(&called, {"SCAN x", cursor}, {"SCAN \" 1\"", cursor},
        {"SCAN 1x", cursor}, {"SCAN 18446744073709551616", cursor},
        {"SCAN x COUNT 0", cursor}, {"SCAN 0 COUNT 0", "-ERR syntax error"},
        {"SCAN 0 COUNT -5", "-ERR syntax error"},
        {"SCAN 0 COUNT x", "-ERR value is not an integer or out of range"},
        {"SCAN 0 MATCH", "-ERR syntax error"},
        {"SCAN 0 foo bar", "-ERR syntax error"},
        {"SCAN 0 TYPE foo", "*2 $1 0 *0"});
    called_close(&called);
}

/* One SCAN from a cursor on: notes the keys, and returns the next cursor. */
static uint64_t scan(
    struct called *called, uint64_t cursor, const char *options, uint8_t *seen)
{
    char line[128];
    char *rest;
    snprintf(
        line, sizeof line, "SCAN %llu %s", (unsigned long long)cursor, options);
    const char *reply = called_run(called, line);
    REQUIRE(strncmp(reply, "*2 $", 4) == 0);
    (void)strtoull(reply + 4, &rest, 10);
    cursor = strtoull(rest, &rest, 10);
    REQUIRE(strncmp(rest, " *", 2) == 0);
    uint64_t count = strtoull(rest + 2, &rest, 10);
    uint64_t found = 0;
    for (const char *key = strstr(rest, "key"); key != NULL;
         key = strstr(key + 1, "key")) {
        seen[strtoul(key + 3, NULL, 10)]++;
        found++;
    }
    CHECK_U64(found, count);
    return cursor;
}

/* While the table grows, what was there is seen once, and nothing twice. */
static void a_scan_sees_each_key_once(void)
{
    static const char *const options[] = {"", "COUNT 1", "COUNT 1000000",
        "MATCH k*y* TYPE string COUNT 50", "TYPE STRING"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        struct called called;
        uint8_t seen[2 * KEYS] = {0};
        called_open(&called, NULL, 20000);
        for (int number = 0; number < KEYS; number++) {
            set_number(&called, number);
        }
        uint64_t cursor = 0;
        int calls = 0;
        do {
            cursor = scan(&called, cursor, options[i], seen);
            if (calls < KEYS) {
                set_number(&called, KEYS + calls);
            }
            REQUIRE(++calls < CALLS_MAX);
            CHECK(cursor < 20000);
        } while (cursor != 0);
        CHECK(i != 2 || calls <= 3);
        CHECK(i != 1 || calls > 100);
        for (int number = 0; number < 2 * KEYS; number++) {
            CHECK(number < KEYS ? seen[number] == 1 : seen[number] <= 1);
        }
        called_close(&called);
    }
}

/* Cursors outlive the process, and nobody is harmed by one of his own. */
static void cursors_may_be_any(void)
{
    struct called called;
    struct test_directory directory;
    struct test_random random;
    uint8_t seen[KEYS] = {0};
    REQUIRE(test_directory_make(&directory));
    test_random_init(&random);
    called_open(&called, directory.path, 20000);
    for (int number = 0; number < KEYS; number++) {
        set_number(&called, number);
    }
    uint64_t cursor = 0;
    int calls = 0;
    do {
        cursor = scan(&called, cursor, "COUNT 100", seen);
        if (++calls == 5) {
            called_reopen_from_backup(&called);
        } else if (calls == 10) {
            called_reopen(&called);
        }
        REQUIRE(calls < CALLS_MAX);
    } while (cursor != 0);
    for (int number = 0; number < KEYS; number++) {
        CHECK_INT(seen[number], 1);
    }
    for (int i = 0; i < 1000; i++) {
        (void)scan(&called, test_random_next(&random), "", seen);
    }
    called_close(&called);
    CHECK(test_directory_remove(&directory));
}

static unsigned long draw(struct called *called)
{
    const char *reply = called_run(called, "RANDOMKEY");
    const char *key = strstr(reply, "key");
    REQUIRE(key != NULL);
    return strtoul(key + 3, NULL, 10);
}

/* Pearson's test: of as many keys as there are degrees of freedom and one, 8
 * sigma. */
static void keys_are_drawn_fairly(void)
{
    enum { DRAWN = 300, EXPECTED = 100 };
    struct called called;
    unsigned counts[DRAWN] = {0};
    called_open(&called, NULL, 20000);
    CHECK_TEXT(called_run(&called, "RANDOMKEY"), "$-1");
    for (int number = 0; number < DRAWN; number++) {
        set_number(&called, number);
    }
    for (int i = 0; i < DRAWN * EXPECTED; i++) {
        counts[draw(&called)]++;
    }
    double sum = 0;
    for (int number = 0; number < DRAWN; number++) {
        double off = (double)counts[number] - EXPECTED;
        sum += off * off / EXPECTED;
    }
    CHECK(sum > 100);
    CHECK(sum < DRAWN + 8 * 24.5);
    called_close(&called);
}

/* Few keys in a table that was large once. */
static void rare_keys_are_found(void)
{
    struct called called;
    called_open(&called, NULL, 20000);
    for (int number = 0; number < KEYS * 4; number++) {
        set_number(&called, number);
    }
    char line[64];
    for (int number = 0; number < KEYS * 4; number++) {
        if (number != 77) {
            snprintf(line, sizeof line, "DEL key%d", number);
            CHECK_TEXT(called_run(&called, line), ":1");
        }
    }
    for (int i = 0; i < 100; i++) {
        CHECK_INT(draw(&called), 77);
    }
    CHECK_TEXT(called_run(&called, "DEL key77"), ":1");
    CHECK_TEXT(called_run(&called, "RANDOMKEY"), "$-1");
    called_close(&called);
}

const struct test_case test_keys_walk[] = {
    TEST_CASE(patterns_choose_keys),
    TEST_CASE(scans_may_be_refused),
    TEST_CASE(a_scan_sees_each_key_once),
    TEST_CASE(cursors_may_be_any),
    TEST_CASE(keys_are_drawn_fairly),
    TEST_CASE(rare_keys_are_found),
    TEST_END,
};
