/* test_sets_limits.c: sets where something ends: the table, what takes effect
 * at once, the time that they have; and what the sweep finds afterwards. */
#include <stdio.h>
#include <time.h>

#include "called.h"

enum {
    LONG = 6000,      /* members; more than fit at once */
    PART = 2000,      /* of them that one request adds */
    PATIENCE = 60000, /* ms */
    HOUR = 3600000    /* ms */
};

#define TOO_MANY                                                               \
    "-ERR this changes more than 4095 records, which is the most that can "    \
    "take effect at once: do it in parts"

/* Waits until the sweep has left so many records. */
static void wait_for_records(struct called *called, uint64_t count)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < PATIENCE && storage_count(called->storage) != count;
         i++) {
        (void)nanosleep(&pause, NULL);
    }
    CHECK_U64(storage_count(called->storage), count);
}

/* A request with the numbers first, first + 1 and so on behind it, each modulo
 * a number. */
static const char *run_numbers(struct called *called, const char *request,
    int first, int count, int modulo)
{
    enum { ROOM = 64 * 1024 };
    char *line = malloc(ROOM);
    REQUIRE(line != NULL);
    size_t length = (size_t)snprintf(line, ROOM, "%s", request);
    for (int i = 0; i < count; i++) {
        length += (size_t)snprintf(
            line + length, ROOM - length, " %d", (first + i) % modulo);
        REQUIRE(length < ROOM);
    }
    const char *reply = called_run(called, line);
    free(line);
    return reply;
}

static void add_many(struct called *called, int count)
{
    for (int first = 0; first < count; first += PART) {
        CHECK_TEXT(run_numbers(called, "SADD s", first, PART, count), ":2000");
    }
}

static void check_count(struct called *called, const char *key, int count)
{
    char line[64];
    char expected[32];
    snprintf(line, sizeof line, "SCARD %s", key);
    snprintf(expected, sizeof expected, ":%d", count);
    CHECK_TEXT(called_run(called, line), expected);
}

/* ---- The table ----------------------------------------------------------- */

static void a_full_table_takes_no_member(void)
{
    struct called called;
    called_open(&called, NULL, 32);
    CHECK_TEXT(run_numbers(&called, "SADD s", 0, 30, 30),
        "-OOM the table is full: KV_CAPACITY is 32 records, and this needs 33 "
        "more: 32 are free");
    CHECK_U64(storage_count(called.storage), 0);
    CHECK_TEXT(run_numbers(&called, "SADD s", 0, 29, 29), ":29");
    CHECK_U64(storage_count(called.storage), 32);
    CHECK_TEXT(called_run(&called, "SADD s 0 1 x"),
        "-OOM the table is full: KV_CAPACITY is 32 records, and this needs 1 "
        "more: 0 are free");
    CHECK_TEXT(called_run(&called, "SADD s 0 1"), ":0");
    CHECK(strncmp(called_run(&called, "SMOVE s t 0"), "-OOM", 4) == 0);
    CHECK(strncmp(called_run(&called, "SUNIONSTORE t s"), "-OOM", 4) == 0);
    check_count(&called, "s", 29);
    CHECK_TEXT(called_run(&called, "SREM s 28 27 26"), ":3");
    CHECK_TEXT(called_run(&called, "SADD s x x x x x x x y z"), ":3");
    CHECK(*called_run(&called, "SPOP s") == '$');
    CHECK_TEXT(called_run(&called, "SUNIONSTORE s s none"),
        "-OOM the table is full: KV_CAPACITY is 32 records, and this needs 30 "
        "more: 1 are free");
    CHECK(strncmp(called_run(&called, "SPOP s 20"), "*20 ", 4) == 0);
    CHECK_TEXT(called_run(&called, "SUNIONSTORE s s none"), ":8");
    CHECK_TEXT(called_run(&called, "DEL s"), ":1");
    wait_for_records(&called, 0);
    called_close(&called);
}

static void the_last_member_moves_in_a_full_table(void)
{
    struct called called;
    called_open(&called, NULL, 4);
    CHECK_TEXT(called_run(&called, "SADD s a"), ":1");
    CHECK_TEXT(called_run(&called, "SET x 1"), "+OK");
    CHECK_TEXT(called_run(&called, "SET y 1"), "+OK");
    CHECK_TEXT(called_run(&called, "SMOVE s t a"), ":1");
    CHECK_TEXT(called_run(&called, "SMEMBERS t"), "*1 $1 a");
    CHECK_U64(storage_count(called.storage), 4);
    called_close(&called);
}

/* ---- What takes effect at once ------------------------------------------- */

static void too_many_changes_are_refused(void)
{
    struct called called;
    struct test_directory directory;
    REQUIRE(test_directory_make(&directory));
    called_open(&called, directory.path, 100000);
    add_many(&called, LONG);
    CHECK_TEXT(run_numbers(&called, "SADD s", LONG, 4000, 100000), TOO_MANY);
    CHECK_TEXT(run_numbers(&called, "SREM s", 0, 2000, 100000), TOO_MANY);
    CHECK_TEXT(called_run(&called, "SPOP s 2000"), TOO_MANY);
    CHECK_TEXT(called_run(&called, "SUNIONSTORE t s"), TOO_MANY);
    CHECK_TEXT(called_run(&called, "SDIFFSTORE s s none"), TOO_MANY);
    check_count(&called, "s", LONG);
    CHECK_TEXT(called_run(&called, "EXISTS t"), ":0");
    CHECK_TEXT(run_numbers(&called, "SADD t", 0, 8000, 100), ":100");
    CHECK_TEXT(run_numbers(&called, "SREM s", 0, 1000, 100000), ":1000");
    called_reopen(&called);
    check_count(&called, "s", LONG - 1000);
    called_reopen_from_backup(&called);
    check_count(&called, "s", LONG - 1000);
    CHECK_TEXT(called_run(&called, "SMISMEMBER s 999 1000 5999 6000"),
        "*4 :0 :1 :1 :0");
    called_close(&called);
    CHECK(test_directory_remove(&directory));
}

/* More room would not help: so it is not room that is said to be missing. */
static void too_many_changes_are_no_want_of_room(void)
{
    struct called called;
    called_open(&called, NULL, LONG + LONG / 2);
    add_many(&called, LONG);
    CHECK_TEXT(called_run(&called, "SPOP s 1500"), TOO_MANY);
    CHECK_TEXT(called_run(&called, "COPY s t"), TOO_MANY);
    CHECK_TEXT(called_run(&called, "SUNIONSTORE t s"), TOO_MANY);
    check_count(&called, "s", LONG);
    CHECK(strncmp(called_run(&called, "SPOP s 1200"), "*1200 ", 6) == 0);
    check_count(&called, "s", LONG - 1200);
    called_close(&called);
}

/* Few stay, or none, or few go. */
static void spop_takes_many_if_few_stay(void)
{
    static const struct {
        int count;
        int left;
    } pops[] = {{1000, 5000}, {4000, 1000}, {900, 100}, {100, 0}};
    struct called called;
    struct test_directory directory;
    REQUIRE(test_directory_make(&directory));
    called_open(&called, directory.path, 100000);
    add_many(&called, LONG);
    CHECK_TEXT(called_run(&called, "SUNIONSTORE t none"), ":0");
    for (size_t i = 0; i < ARRAY_SIZE(pops); i++) {
        char line[32];
        char expected[32];
        snprintf(line, sizeof line, "SPOP s %d", pops[i].count);
        snprintf(expected, sizeof expected, "*%d ", pops[i].count);
        const char *reply = called_run(&called, line);
        CHECK(strncmp(reply, expected, strlen(expected)) == 0);
        check_count(&called, "s", pops[i].left);
        called_reopen(&called);
        check_count(&called, "s", pops[i].left);
        snprintf(expected, sizeof expected, "*%d", pops[i].left);
        reply = called_run(&called, "SMEMBERS s");
        CHECK(strncmp(reply, expected, strlen(expected)) == 0);
    }
    wait_for_records(&called, 0);
    called_close(&called);
    CHECK(test_directory_remove(&directory));
}

static void all_members_are_taken_at_once(void)
{
    struct called called;
    called_open(&called, NULL, 100000);
    add_many(&called, LONG);
    CHECK(strncmp(called_run(&called, "SPOP s 6000"), "*6000 ", 6) == 0);
    CHECK_TEXT(called_run(&called, "EXISTS s"), ":0");
    add_many(&called, LONG);
    CHECK_TEXT(called_run(&called, "DEL s"), ":1");
    add_many(&called, LONG);
    CHECK_TEXT(called_run(&called, "SINTERSTORE s s none"), ":0");
    wait_for_records(&called, 0);
    called_close(&called);
}

/* ---- Time ---------------------------------------------------------------- */

/* As soon as the key is absent; whether the sweep has been there is open. */
static void wait_for_expiry(struct called *called, const char *request)
{
    for (int i = 0; i < PATIENCE; i++) {
        if (strcmp(called_run(called, request), ":0") == 0) {
            break;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    CHECK_TEXT(called_run(called, request), ":0");
}

static void an_expired_set_is_absent(void)
{
    static const char *const requests[] = {
        "SADD s new", "SUNIONSTORE s t", "SMOVE u s new", "SINTERSTORE s s t"};
    static const char *const left[] = {
        "*1 $3 new", "*1 $3 new", "*1 $3 new", "*0"};
    struct called called;
    struct test_directory directory;
    REQUIRE(test_directory_make(&directory));
    called_open(&called, directory.path, 10000);
    CHECK_TEXT(called_run(&called, "SADD t new"), ":1");
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        CHECK_TEXT(called_run(&called, "SUNIONSTORE u t"), ":1");
        CHECK_TEXT(run_numbers(&called, "SADD s", 0, 100, 100), ":100");
        (void)called_native(&called, KV_EXPIRE, "s", 1);
        wait_for_expiry(&called, "SISMEMBER s 5");
        CHECK(*called_run(&called, requests[i]) == ':');
        CHECK_TEXT(called_run(&called, "SMEMBERS s"), left[i]);
        called_reopen(&called);
        CHECK_TEXT(called_run(&called, "SMEMBERS s"), left[i]);
        (void)called_run(&called, "DEL s u");
        wait_for_records(&called, 2);
    }
    called_close(&called);
    CHECK(test_directory_remove(&directory));
}

static void changes_keep_the_expiry(void)
{
    struct called called;
    called_open(&called, NULL, 10000);
    CHECK_TEXT(run_numbers(&called, "SADD s", 0, 2000, 2000), ":2000");
    (void)called_native(&called, KV_EXPIRE, "s", HOUR);
    CHECK_TEXT(called_run(&called, "SADD s x"), ":1");
    CHECK_TEXT(called_run(&called, "SREM s x"), ":1");
    CHECK(*called_run(&called, "SPOP s") == '$');
    CHECK(strncmp(called_run(&called, "SPOP s 1900"), "*1900 ", 6) == 0);
    kv_message_t message = {.type = KV_TTL, .key = "s"};
    called.batch->count = 1;
    called.batch->ops[0] =
        (struct op){.message = &message, .verb = KV_TTL, .state = OP_READ};
    storage_read(called.storage, called.batch);
    CHECK_INT(message.status, KV_SUCCESS);
    CHECK(message.value[0] == '3');
    called_close(&called);
}

/* ---- Scans --------------------------------------------------------------- */

static const char *scan_part(struct called *called, uint64_t cursor)
{
    char line[64];
    snprintf(
        line, sizeof line, "SSCAN s %llu COUNT 7", (unsigned long long)cursor);
    return called_run(called, line);
}

/* Members below STAY are there throughout; of the others some go, and new ones
 * come, after each call. */
static void a_scan_shows_who_is_there_throughout(void)
{
    enum { STAY = 300, ALL = 1000 };
    struct called called;
    struct test_random random;
    test_random_init(&random);
    called_open(&called, NULL, 10000);
    for (int round = 0; round < 20; round++) {
        bool seen[ALL] = {false};
        uint64_t cursor = 0;
        CHECK(*run_numbers(&called, "SADD s", 0, ALL, ALL) == ':');
        do {
            char *end;
            const char *reply = strchr(scan_part(&called, cursor), ' ') + 1;
            cursor = strtoull(strchr(reply, ' ') + 1, &end, 10);
            for (const char *at = strchr(end, '$'); at != NULL;
                 at = strchr(at + 1, '$')) {
                seen[strtoul(strchr(at, ' '), NULL, 10) % ALL] = true;
            }
            int first = STAY + (int)test_random_below(&random, ALL - STAY - 8);
            CHECK(*run_numbers(&called, "SREM s", first, 8, ALL) == ':');
            first = STAY + (int)test_random_below(&random, ALL - STAY - 8);
            CHECK(*run_numbers(&called, "SADD s", first, 2, ALL) == ':');
        } while (cursor != 0);
        for (int i = 0; i < STAY; i++) {
            CHECK(seen[i]);
        }
    }
    called_close(&called);
}

const struct test_case test_sets_limits[] = {
    TEST_CASE(a_full_table_takes_no_member),
    TEST_CASE(the_last_member_moves_in_a_full_table),
    TEST_CASE(too_many_changes_are_refused),
    TEST_CASE(too_many_changes_are_no_want_of_room),
    TEST_CASE(spop_takes_many_if_few_stay),
    TEST_CASE(all_members_are_taken_at_once),
    TEST_CASE(an_expired_set_is_absent),
    TEST_CASE(changes_keep_the_expiry),
    TEST_CASE(a_scan_shows_who_is_there_throughout),
    TEST_END,
};
