/* test_lists_limits.c: lists where something ends: the table, what takes effect
 * at once, the time that they have; and what the sweep finds afterwards. */
#include <stdio.h>
#include <time.h>

#include "called.h"
#include "storage/state.h"

enum {
    LONG = 10000,     /* elements; more than twice what fits at once */
    PART = 2000,      /* of them that one request pushes */
    AT_ONCE = 4095,   /* changes */
    PATIENCE = 60000, /* ms */
    HOUR = 3600000    /* ms */
};

#define TOO_MANY                                                               \
    "-ERR this changes more than 4095 records, which is the most that can "    \
    "take effect at once: do it in parts"

static uint64_t records(struct called *called)
{
    struct stats stats = {0};
    storage_stats(called->storage, &stats);
    return stats.records;
}

/* Waits until the sweep has left so many. */
static void wait_for_records(struct called *called, uint64_t count)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < PATIENCE && records(called) != count; i++) {
        (void)nanosleep(&pause, NULL);
    }
    CHECK_U64(records(called), count);
}

/* Pushes count elements to the right: first, first + 1 and so on, each
 * modulo a number.  One request. */
static const char *push_part(
    struct called *called, int first, int count, int modulo)
{
    enum { ROOM = 32 * 1024 };
    static const char request[] = "RPUSH l";
    char *line = malloc(ROOM);
    REQUIRE(line != NULL);
    memcpy(line, request, sizeof request);
    size_t length = strlen(request);
    for (int i = 0; i < count; i++) {
        length += (size_t)snprintf(
            line + length, ROOM - length, " %d", (first + i) % modulo);
        REQUIRE(length < ROOM);
    }
    const char *reply = called_run(called, line);
    free(line);
    return reply;
}

static void push_numbers(struct called *called, int count, int modulo)
{
    for (int first = 0; first < count; first += PART) {
        CHECK(*push_part(called, first, PART, modulo) == ':');
    }
}

/* The key's time is over. */
static void expire(struct called *called, const char *key)
{
    (void)called_native(called, KV_EXPIRE, key, -1);
}

/* ---- The table ----------------------------------------------------------- */

static void a_full_table_takes_no_more(void)
{
    struct called called;
    called_open(&called, NULL, 8);
    CHECK_TEXT(called_run(&called, "RPUSH l a b c d e f g h"),
        "-OOM the table is full: KV_CAPACITY is 8 records, and this needs 9 "
        "more: 8 are free");
    CHECK_U64(records(&called), 0);
    CHECK_TEXT(called_run(&called, "RPUSH l a b c d e f"), ":6");
    CHECK_TEXT(called_run(&called, "LPUSH l g h"),
        "-OOM the table is full: KV_CAPACITY is 8 records, and this needs 2 "
        "more: 1 are free");
    CHECK_TEXT(called_run(&called, "LPUSH m g"),
        "-OOM the table is full: KV_CAPACITY is 8 records, and this needs 2 "
        "more: 1 are free");
    CHECK_TEXT(called_run(&called, "LMOVE l m LEFT LEFT"), "$1 a");
    CHECK_TEXT(called_run(&called, "LINSERT l BEFORE c x"),
        "-OOM the table is full: KV_CAPACITY is 8 records, and this needs 1 "
        "more: 0 are free");
    CHECK_TEXT(called_run(&called, "LMOVE l n LEFT LEFT"),
        "-OOM the table is full: KV_CAPACITY is 8 records, and this needs 1 "
        "more: 0 are free");
    CHECK_TEXT(
        called_run(&called, "LRANGE l 0 -1"), "*5 $1 b $1 c $1 d $1 e $1 f");
    CHECK_TEXT(called_run(&called, "RPOPLPUSH l l"), "$1 f");
    CHECK_TEXT(called_run(&called, "RPOPLPUSH m m"), "$1 a");
    CHECK_TEXT(called_run(&called, "LMOVE m n LEFT LEFT"), "$1 a");
    CHECK_TEXT(called_run(&called, "LMOVE n l LEFT RIGHT"), "$1 a");
    CHECK_TEXT(called_run(&called, "LSET l 0 y"), "+OK");
    CHECK_TEXT(called_run(&called, "RPUSH l 7"), ":7");
    CHECK_TEXT(called_run(&called, "LREM l 0 d"), ":1");
    CHECK_TEXT(called_run(&called, "LTRIM l 1 -2"), "+OK");
    CHECK_TEXT(called_run(&called, "LRANGE l 0 -1"), "*4 $1 b $1 c $1 e $1 a");
    CHECK_TEXT(called_run(&called, "LPOP l 4"), "*4 $1 b $1 c $1 e $1 a");
    CHECK_U64(records(&called), 0);
    called_close(&called);
}

/* ---- What takes effect at once ------------------------------------------- */

static void what_is_too_much_changes_nothing(void)
{
    struct called called;
    called_open(&called, NULL, 3 * LONG);
    push_numbers(&called, LONG, 2);
    CHECK_TEXT(push_part(&called, 0, AT_ONCE, 2), TOO_MANY);
    CHECK_TEXT(push_part(&called, 0, AT_ONCE - 1, 2), ":14094");
    CHECK_TEXT(called_run(&called, "LTRIM l 4094 -1"), "+OK");
    CHECK_TEXT(called_run(&called, "LTRIM l 0 -4096"), TOO_MANY);
    CHECK_TEXT(called_run(&called, "LTRIM l 3000 6999"), "+OK");
    CHECK_TEXT(called_run(&called, "LLEN l"), ":4000");
    push_numbers(&called, LONG - 4000, 2);
    CHECK_TEXT(called_run(&called, "LREM l 0 1"), TOO_MANY);
    CHECK_TEXT(called_run(&called, "RPOP l 5000"), TOO_MANY);
    CHECK_TEXT(called_run(&called, "LSET l 5000 x"), "+OK");
    CHECK_TEXT(called_run(&called, "LINSERT l BEFORE x y"), TOO_MANY);
    CHECK_TEXT(called_run(&called, "LREM l 0 x"), TOO_MANY);
    CHECK_TEXT(called_run(&called, "LLEN l"), ":10000");
    CHECK(*called_run(&called, "LPOP l 4000") == '*');
    CHECK_TEXT(called_run(&called, "LPOS l x"), ":1000");
    CHECK_TEXT(called_run(&called, "LINSERT l BEFORE x y"), ":6001");
    CHECK_TEXT(called_run(&called, "LREM l 0 x"), ":1");
    CHECK_TEXT(called_run(&called, "LRANGE l 999 1001"), "*3 $1 1 $1 y $1 1");
    CHECK_TEXT(called_run(&called, "LSET l -1000 z"), "+OK");
    CHECK_TEXT(called_run(&called, "LINSERT l AFTER z y"), ":6001");
    CHECK_TEXT(called_run(&called, "LREM l -1 z"), ":1");
    CHECK_TEXT(called_run(&called, "LRANGE l -1001 -999"), "*3 $1 1 $1 y $1 1");
    wait_for_records(&called, 6001);
    called_close(&called);
}

/* Of a list that is much too long, few elements stay: those are written anew,
 * and the sweep takes away the rest. */
static void few_are_left_of_many(void)
{
    static const char *const requests[] = {
        "LTRIM l 7000 7002", "LPOP l 9997", "RPOP l 9997", "LREM l 0 0"};
    static const char *const left[] = {"*3 $4 7000 $4 7001 $4 7002",
        "*3 $4 9997 $4 9998 $4 9999", "*3 $1 0 $1 1 $1 2", "*3 $1 1 $1 2 $1 3"};
    struct called called;
    struct test_directory directory;
    REQUIRE(test_directory_make(&directory));
    called_open(&called, directory.path, 2 * LONG);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        bool equal = i == ARRAY_SIZE(requests) - 1;
        push_numbers(&called, LONG, equal ? 1 : LONG);
        if (equal) {
            CHECK_TEXT(called_run(&called, "LSET l 0 1"), "+OK");
            CHECK_TEXT(called_run(&called, "LSET l 5000 2"), "+OK");
            CHECK_TEXT(called_run(&called, "LSET l 9999 3"), "+OK");
        }
        (void)called_native(&called, KV_EXPIRE, "l", HOUR);
        CHECK(*called_run(&called, requests[i]) != '-');
        CHECK_TEXT(called_run(&called, "LRANGE l 0 -1"), left[i]);
        CHECK(called_native(&called, KV_TTL, "l", 0) > 0);
        CHECK_TEXT(called_run(&called, "DBSIZE"), ":1");
        called_reopen(&called);
        CHECK_TEXT(called_run(&called, "LRANGE l 0 -1"), left[i]);
        called_reopen_from_backup(&called);
        CHECK_TEXT(called_run(&called, "LRANGE l 0 -1"), left[i]);
        CHECK_TEXT(called_run(&called, "LPUSH l x"), ":4");
        wait_for_records(&called, 5);
        CHECK_TEXT(called_run(&called, "LTRIM l 1 0"), "+OK");
        CHECK_U64(records(&called), 0);
    }
    called_close(&called);
    CHECK(test_directory_remove(&directory));
}

static void none_is_left_of_many(void)
{
    static const char *const requests[] = {"LTRIM l 1 0", "LPOP l 10000",
        "RPOP l 9223372036854775807", "LREM l -10000 0"};
    struct called called;
    called_open(&called, NULL, 2 * LONG);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        push_numbers(&called, LONG, 1);
        CHECK(*called_run(&called, requests[i]) != '-');
        CHECK_TEXT(called_run(&called, "EXISTS l"), ":0");
        CHECK_TEXT(called_run(&called, "DBSIZE"), ":0");
        wait_for_records(&called, 0);
    }
    called_close(&called);
}

/* Where there is no room for writing anew those that stay. */
static void a_full_table_is_trimmed_in_parts(void)
{
    struct called called;
    called_open(&called, NULL, LONG + 1);
    push_numbers(&called, LONG, LONG);
    CHECK_TEXT(called_run(&called, "LTRIM l 7000 7002"), TOO_MANY);
    CHECK_TEXT(called_run(&called, "LTRIM l 4000 -1"), "+OK");
    CHECK_TEXT(called_run(&called, "LTRIM l 1000 1002"), "+OK");
    CHECK_TEXT(
        called_run(&called, "LRANGE l 0 -1"), "*3 $4 5000 $4 5001 $4 5002");
    wait_for_records(&called, 4);
    called_close(&called);
}

/* Adds count elements at once; the reply. */
static const char *push_many(
    struct called *called, const char *key, uint32_t count)
{
    static struct resp_arg args[CALLED_ARGS_MAX];
    static uint8_t push[] = "RPUSH";
    static uint8_t name[KV_KEY_SIZE];
    uint32_t size = (uint32_t)snprintf((char *)name, sizeof name, "%s", key);
    args[0] = (struct resp_arg){push, sizeof push - 1};
    for (uint32_t i = 1; i < count + 2; i++) {
        args[i] = (struct resp_arg){name, size};
    }
    return called_run_args(called, args, count + 2);
}

/* What was removed makes room at once, though the sweep has not been there. */
static void what_is_left_makes_room(void)
{
    enum { ELEMENTS = 400, ROUNDS = 50 };
    struct called called;
    called_open(&called, NULL, ELEMENTS + 50);
    for (int round = 0; round < ROUNDS; round++) {
        CHECK_TEXT(push_many(&called, "l", ELEMENTS), ":400");
        CHECK_TEXT(called_run(&called, "DEL l"), ":1");
    }
    called_close(&called);
}

/* A command that hardly leaves its group room for anything else makes what room
 * it can and says that the table is full; so its repetition succeeds. */
static void what_is_left_makes_room_for_much_by_and_by(void)
{
    enum { OLD = 4090, NEW = 4000, SPACE = 100, TRIES_MAX = 200 };
    static const char oom[] = "-OOM";
    struct called called;
    int tries = 1;
    called_open(&called, NULL, 1 + OLD + SPACE);
    keeper_stop(called.storage); /* nobody sweeps */
    push_many(&called, "old", OLD);
    CHECK_TEXT(called_run(&called, "DEL old"), ":1");
    const char *reply = push_many(&called, "new", NEW);
    while (strncmp(reply, oom, sizeof oom - 1) == 0 && tries < TRIES_MAX) {
        reply = push_many(&called, "new", NEW);
        tries++;
    }
    CHECK(tries > 1);
    CHECK_TEXT(reply, ":4000");
    called_close(&called);
}

static void a_reply_has_a_bound(void)
{
    enum { REPLY = 8000, VALUE = KV_VALUE_MAX, TIMES = 9 };
    struct called called;
    char line[VALUE + 16];
    called_open(&called, NULL, (TIMES + 1) * LONG);
    push_numbers(&called, LONG, LONG);
    memcpy(line, "LSET l 0 ", strlen("LSET l 0 "));
    memset(line + strlen("LSET l 0 "), 'v', VALUE);
    line[strlen("LSET l 0 ") + VALUE] = '\0';
    CHECK_TEXT(called_run(&called, line), "+OK");
    called.batch->replies.max = REPLY + COMMAND_ERRORS_ROOM;
    called.batch->commit_replies.max = REPLY + COMMAND_ERRORS_ROOM;
    buffer_free(&called.batch->replies);
    buffer_free(&called.batch->commit_replies);
    CHECK_TEXT(called_run(&called, "LRANGE l 0 -1"),
        "-ERR the replies to this, and to what came with it, have more than "
        "8000 bytes: ask again, or for less at a time");
    CHECK_TEXT(called_run(&called, "LPOP l 4000"),
        "-ERR the replies to this, and to what came with it, have more than "
        "8000 bytes: ask again, or for less at a time");
    CHECK_TEXT(called_run(&called, "LLEN l"), ":10000");
    CHECK(*called_run(&called, "LRANGE l 0 20") == '*');
    called_close(&called);
}

/* ---- Time ---------------------------------------------------------------- */

static void what_has_expired_is_absent(void)
{
    static const char *const lines[][2] = {
        {"LLEN l", ":0"},
        {"LRANGE l 0 -1", "*0"},
        {"LPOP l", "$-1"},
        {"LPOP l 2", "*-1"},
        {"LINDEX l 0", "$-1"},
        {"LSET l 0 x", "-ERR no such key"},
        {"LPUSHX l a", ":0"},
        {"LINSERT l BEFORE a x", ":0"},
        {"LREM l 0 a", ":0"},
        {"LTRIM l 1 0", "+OK"},
        {"LPOS l a", "$-1"},
        {"RPOPLPUSH l l", "$-1"},
        {"LMOVE l m LEFT LEFT", "$-1"},
    };
    struct called called;
    called_open(&called, NULL, 100);
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        CHECK_TEXT(called_run(&called, "RPUSH l a b c"), ":3");
        expire(&called, "l");
        CHECK_TEXT(called_run(&called, lines[i][0]), lines[i][1]);
    }
    wait_for_records(&called, 0);
    called_close(&called);
}

/* A table of just the right size: what has expired leaves its place. */
static void an_expired_list_makes_way(void)
{
    struct called called;
    struct test_directory directory;
    REQUIRE(test_directory_make(&directory));
    called_open(&called, directory.path, 100);
    for (int i = 0; i < 3; i++) {
        CHECK_TEXT(called_run(&called, "RPUSH l a b c"), ":3");
        expire(&called, "l");
        CHECK_TEXT(called_run(&called, "LPUSH l d e"), ":2");
        CHECK_TEXT(called_run(&called, "RPUSH m x"), ":1");
        expire(&called, "m");
        CHECK_TEXT(called_run(&called, "LMOVE l m LEFT RIGHT"), "$1 e");
        CHECK_TEXT(called_run(&called, "SET s x"), "+OK");
        expire(&called, "s");
        CHECK_TEXT(called_run(&called, "RPOPLPUSH l s"), "$1 d");
        if (i > 0) {
            i == 1 ? called_reopen(&called)
                   : called_reopen_from_backup(&called);
        }
        CHECK_TEXT(called_run(&called, "LRANGE l 0 -1"), "*0");
        CHECK_TEXT(called_run(&called, "LRANGE m 0 -1"), "*1 $1 e");
        CHECK_TEXT(called_run(&called, "LRANGE s 0 -1"), "*1 $1 d");
        CHECK_INT(called_native(&called, KV_TTL, "m", 0), -1);
        wait_for_records(&called, 4);
        CHECK_TEXT(called_run(&called, "DEL m s"), ":2");
        wait_for_records(&called, 0);
    }
    called_close(&called);
    CHECK(test_directory_remove(&directory));
}

static void a_change_keeps_the_time(void)
{
    static const char *const lines[] = {"LPUSH l a a", "RPUSHX l b", "LPOP l",
        "LSET l 0 x", "LINSERT l AFTER x y", "LREM l 0 y", "LTRIM l 0 -2",
        "RPOPLPUSH l l", "LMOVE m l LEFT LEFT"};
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_TEXT(called_run(&called, "RPUSH l a b c"), ":3");
    CHECK_TEXT(called_run(&called, "RPUSH m a b c"), ":3");
    (void)called_native(&called, KV_EXPIRE, "l", HOUR);
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        CHECK(*called_run(&called, lines[i]) != '-');
        CHECK(called_native(&called, KV_TTL, "l", 0) > 0);
    }
    CHECK_INT(called_native(&called, KV_TTL, "m", 0), -1);
    called_close(&called);
}

const struct test_case test_lists_limits[] = {
    TEST_CASE(a_full_table_takes_no_more),
    TEST_CASE(what_is_too_much_changes_nothing),
    TEST_CASE(few_are_left_of_many),
    TEST_CASE(none_is_left_of_many),
    TEST_CASE(a_full_table_is_trimmed_in_parts),
    TEST_CASE(what_is_left_makes_room),
    TEST_CASE(what_is_left_makes_room_for_much_by_and_by),
    TEST_CASE(a_reply_has_a_bound),
    TEST_CASE(what_has_expired_is_absent),
    TEST_CASE(an_expired_list_makes_way),
    TEST_CASE(a_change_keeps_the_time),
    TEST_END,
};
