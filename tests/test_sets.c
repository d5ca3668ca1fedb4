/* test_sets.c: what the commands of sets answer, as redis-server 7.0 does. */
#include <stdio.h>

#include "called.h"

#define WRONG_TYPE                                                             \
    "-WRONGTYPE Operation against a key holding the wrong kind of value"
#define NOT_INTEGER "-ERR value is not an integer or out of range"
#define NOT_POSITIVE "-ERR value is out of range, must be positive"
#define SYNTAX "-ERR syntax error"

struct exchange {
    const char *request;
    const char *reply;
};

static void run_all(struct called *called, const struct exchange *exchanges)
{
    for (; exchanges->request != NULL; exchanges++) {
        const char *reply = called_run(called, exchanges->request);
        if (strcmp(reply, exchanges->reply) != 0) {
            printf("    %s\n", exchanges->request);
        }
        CHECK_TEXT(reply, exchanges->reply);
    }
}

static void run_in_memory(const struct exchange *exchanges)
{
    struct called called;
    called_open(&called, NULL, 1000);
    run_all(&called, exchanges);
    called_close(&called);
}

static void members_come_and_go(void)
{
    static const struct exchange exchanges[] = {
        {"SADD s a b", ":2"},
        {"SADD s a c a c", ":1"},
        {"SCARD s", ":3"},
        {"TYPE s", "+set"},
        {"SISMEMBER s a", ":1"},
        {"SISMEMBER s d", ":0"},
        {"SISMEMBER t a", ":0"},
        {"SMISMEMBER s a d c", "*3 :1 :0 :1"},
        {"SMISMEMBER t a d", "*2 :0 :0"},
        {"SREM s a x b", ":2"},
        {"SMEMBERS s", "*1 $1 c"},
        {"SREM t a", ":0"},
        {"SREM s c c", ":1"},
        {"EXISTS s", ":0"},
        {"SMEMBERS s", "*0"},
        {"SCARD s", ":0"},
        {"SADD s \"\"", ":1"},
        {"SADD s \"\\x00\"", ":1"},
        {"SADD s \"\\x00\\x00\"", ":1"},
        {"SISMEMBER s \"\\x00\"", ":1"},
        {"SREM s \"\" \"\\x00\\x00\"", ":2"},
        {"SCARD s", ":1"},
        {NULL, NULL},
    };
    run_in_memory(exchanges);
}

static void other_kinds_are_refused(void)
{
    static const struct exchange exchanges[] = {
        {"SET x v", "+OK"},
        {"SADD s a", ":1"},
        {"SADD x a", WRONG_TYPE},
        {"SREM x a", WRONG_TYPE},
        {"SISMEMBER x a", WRONG_TYPE},
        {"SMISMEMBER x a", WRONG_TYPE},
        {"SMEMBERS x", WRONG_TYPE},
        {"SCARD x", WRONG_TYPE},
        {"SPOP x", WRONG_TYPE},
        {"SPOP x 0", WRONG_TYPE},
        {"SRANDMEMBER x", WRONG_TYPE},
        {"SSCAN x 0 FOO", WRONG_TYPE},
        {"SMOVE x s a", WRONG_TYPE},
        {"SMOVE s x b", WRONG_TYPE},
        {"SMOVE t x b", ":0"},
        {"SINTER t x", WRONG_TYPE},
        {"SUNION s x", WRONG_TYPE},
        {"SDIFF t x", WRONG_TYPE},
        {"SINTERSTORE s t x", WRONG_TYPE},
        {"SINTERCARD 2 t x", WRONG_TYPE},
        {"GET s", WRONG_TYPE},
        {"SMEMBERS s", "*1 $1 a"},
        {"SUNIONSTORE x s", ":1"},
        {"SMEMBERS x", "*1 $1 a"},
        {"SET x v", "+OK"},
        {"GET x", "$1 v"},
        {NULL, NULL},
    };
    run_in_memory(exchanges);
}

static void members_are_drawn(void)
{
    static const struct exchange exchanges[] = {
        {"SPOP s", "$-1"},
        {"SPOP s 3", "*0"},
        {"SRANDMEMBER s", "$-1"},
        {"SRANDMEMBER s 3", "*0"},
        {"SRANDMEMBER s -3", "*0"},
        {"SADD s a", ":1"},
        {"SRANDMEMBER s", "$1 a"},
        {"SRANDMEMBER s 0", "*0"},
        {"SRANDMEMBER s 5", "*1 $1 a"},
        {"SRANDMEMBER s -3", "*3 $1 a $1 a $1 a"},
        {"SRANDMEMBER s x", NOT_INTEGER},
        {"SRANDMEMBER s 1 2", SYNTAX},
        {"SRANDMEMBER s -9223372036854775808",
            "-ERR value is out of range, value must between "
            "-9223372036854775807 and 9223372036854775807"},
        {"SRANDMEMBER s -9223372036854775807",
            "-ERR the replies to this, and to what came with it, have more "
            "than 16229376 bytes: ask again, or for less at a time"},
        {"SRANDMEMBER s 9223372036854775807", "*1 $1 a"},
        {"SPOP s 0", "*0"},
        {"SPOP s -1", NOT_POSITIVE},
        {"SPOP s x", NOT_POSITIVE},
        {"SPOP s 1 2", SYNTAX},
        {"SPOP s", "$1 a"},
        {"EXISTS s", ":0"},
        {"SADD s a", ":1"},
        {"SPOP s 9223372036854775807", "*1 $1 a"},
        {"EXISTS s", ":0"},
        {NULL, NULL},
    };
    run_in_memory(exchanges);
}

static void a_member_moves(void)
{
    static const struct exchange exchanges[] = {
        {"SADD s a b", ":2"},
        {"SMOVE s t x", ":0"},
        {"EXISTS t", ":0"},
        {"SMOVE s t a", ":1"},
        {"SMEMBERS s", "*1 $1 b"},
        {"SMEMBERS t", "*1 $1 a"},
        {"SMOVE s s b", ":1"},
        {"SMOVE s s a", ":0"},
        {"SADD t b", ":1"},
        {"SMOVE s t b", ":1"},
        {"EXISTS s", ":0"},
        {"SCARD t", ":2"},
        {"SMOVE s t b", ":0"},
        {"SMOVE t s b", ":1"},
        {"SMEMBERS s", "*1 $1 b"},
        {NULL, NULL},
    };
    run_in_memory(exchanges);
}

static void sets_are_combined(void)
{
    static const struct exchange exchanges[] = {
        {"SADD a 1 2 3", ":3"},
        {"SADD b 3", ":1"},
        {"SADD c 1 2", ":2"},
        {"SINTER a b", "*1 $1 3"},
        {"SINTER a b c", "*0"},
        {"SINTER a none", "*0"},
        {"SINTER none", "*0"},
        {"SDIFF a c", "*1 $1 3"},
        {"SDIFF a c b", "*0"},
        {"SDIFF a a", "*0"},
        {"SDIFF none a", "*0"},
        {"SDIFF b none", "*1 $1 3"},
        {"SUNION none", "*0"},
        {"SUNION b b none", "*1 $1 3"},
        {"SINTERSTORE r a b", ":1"},
        {"SMEMBERS r", "*1 $1 3"},
        {"SINTERSTORE r b c", ":0"},
        {"EXISTS r", ":0"},
        {"SUNIONSTORE r a b c", ":3"},
        {"SCARD r", ":3"},
        {"SDIFFSTORE r r c", ":1"},
        {"SMEMBERS r", "*1 $1 3"},
        {"SUNIONSTORE a a b c", ":3"},
        {"SINTERSTORE a a a", ":3"},
        {"SCARD a", ":3"},
        {"SDIFFSTORE a none b", ":0"},
        {"EXISTS a", ":0"},
        {"SDIFFSTORE a none b", ":0"},
        {NULL, NULL},
    };
    run_in_memory(exchanges);
}

static void common_members_are_counted(void)
{
    static const char positive[] = "-ERR numkeys should be greater than 0";
    static const char many[] =
        "-ERR Number of keys can't be greater than number of args";
    static const char negative[] = "-ERR LIMIT can't be negative";
    const struct exchange exchanges[] = {
        {"SADD a 1 2 3", ":3"},
        {"SADD b 1 2 3 4", ":4"},
        {"SINTERCARD 1 a", ":3"},
        {"SINTERCARD 2 b a", ":3"},
        {"SINTERCARD 2 a none", ":0"},
        {"SINTERCARD 2 a b LIMIT 2", ":2"},
        {"SINTERCARD 2 a b limit 0", ":3"},
        {"SINTERCARD 2 a b LIMIT 9", ":3"},
        {"SINTERCARD 2 a b LIMIT 9 LIMIT 1", ":1"},
        {"SINTERCARD 0 a", positive},
        {"SINTERCARD -1 a", positive},
        {"SINTERCARD x a", positive},
        {"SINTERCARD 2 a", many},
        {"SINTERCARD 9223372036854775807 a", many},
        {"SINTERCARD 1 a b", SYNTAX},
        {"SINTERCARD 1 a LIMIT", SYNTAX},
        {"SINTERCARD 1 a LIMIT -1", negative},
        {"SINTERCARD 1 a LIMIT x", negative},
        {"SINTERCARD 1 \"\"", "-ERR a key has 1 to 32 bytes, and this one 0"},
        {NULL, NULL},
    };
    run_in_memory(exchanges);
}

static void a_scan_has_options(void)
{
    static const char invalid[] = "-ERR invalid cursor";
    const struct exchange exchanges[] = {
        {"SSCAN none 0", "*2 $1 0 *0"},
        {"SSCAN none 5 FOO", "*2 $1 0 *0"},
        {"SADD s a", ":1"},
        {"SADD s b", ":1"},
        {"SADD s c", ":1"},
        {"SSCAN s 0", "*2 $1 0 *3 $1 c $1 b $1 a"},
        {"SSCAN s 0 COUNT 2", "*2 $1 1 *2 $1 c $1 b"},
        {"SSCAN s 1 COUNT 2", "*2 $1 0 *1 $1 a"},
        {"SSCAN s 18446744073709551615", "*2 $1 0 *3 $1 c $1 b $1 a"},
        {"SSCAN s 0 MATCH [ac]", "*2 $1 0 *2 $1 c $1 a"},
        {"SSCAN s 0 MATCH x", "*2 $1 0 *0"},
        {"SSCAN s 0 match b count 9223372036854775807", "*2 $1 0 *1 $1 b"},
        {"SSCAN s x", invalid},
        {"SSCAN none x", invalid},
        {"SSCAN s \" 0\"", invalid},
        {"SSCAN s 18446744073709551616", invalid},
        {"SSCAN s 0 COUNT 0", SYNTAX},
        {"SSCAN s 0 COUNT x", NOT_INTEGER},
        {"SSCAN s 0 COUNT", SYNTAX},
        {"SSCAN s 0 MATCH", SYNTAX},
        {"SSCAN s 0 TYPE set", SYNTAX},
        {NULL, NULL},
    };
    run_in_memory(exchanges);
}

static void version_3_has_sets(void)
{
    static const struct exchange exchanges[] = {
        {"SADD s a", ":1"},
        {"SADD t a", ":1"},
        {"SMEMBERS s", "~1 $1 a"},
        {"SMEMBERS none", "~0"},
        {"SINTER s t", "~1 $1 a"},
        {"SINTER s none", "~0"},
        {"SUNION s t", "~1 $1 a"},
        {"SDIFF s t", "~0"},
        {"SISMEMBER s a", ":1"},
        {"SMISMEMBER s a b", "*2 :1 :0"},
        {"SRANDMEMBER s 1", "*1 $1 a"},
        {"SRANDMEMBER none", "_"},
        {"SSCAN s 0", "*2 $1 0 *1 $1 a"},
        {"SPOP s 0", "~0"},
        {"SPOP s 3", "~1 $1 a"},
        {"SPOP s 3", "~0"},
        {"SPOP s", "_"},
        {NULL, NULL},
    };
    struct called called;
    called_open(&called, NULL, 100);
    called.version = 3;
    run_all(&called, exchanges);
    called_close(&called);
}

/* ---- Draws --------------------------------------------------------------- */

enum { DRAWN_FROM = 30, DRAWS = 30000, DRAWN_COUNT = DRAWS / DRAWN_FROM };

/* Counts the members of a reply, which are two digits each. */
static void count_members(const char *reply, uint32_t counts[DRAWN_FROM])
{
    for (const char *at = strstr(reply, "$2 "); at != NULL;
         at = strstr(at + 1, "$2 ")) {
        int number = (at[3] - '0') * 10 + at[4] - '0';
        REQUIRE(number >= 0 && number < DRAWN_FROM);
        counts[number]++;
    }
}

static void fill_for_draws(struct called *called)
{
    for (int i = 0; i < DRAWN_FROM; i++) {
        char line[32];
        snprintf(line, sizeof line, "SADD s %02d", i);
        (void)called_run(called, line);
    }
}

/* Each was drawn a thousand times, give or take eight deviations. */
static void check_fair(const uint32_t counts[DRAWN_FROM])
{
    for (int i = 0; i < DRAWN_FROM; i++) {
        CHECK(counts[i] > DRAWN_COUNT - 250 && counts[i] < DRAWN_COUNT + 250);
    }
}

static void draws_are_fair(void)
{
    static const struct {
        const char *request;
        int members;
    } ways[] = {
        {"SRANDMEMBER s", 1},
        {"SRANDMEMBER s -10", 10},
        {"SRANDMEMBER s 3", 3},
        {"SRANDMEMBER s 15", 15},
        {"SPOP s", 1},
        {"SPOP s 15", 15},
    };
    struct called called;
    called_open(&called, NULL, 1000);
    fill_for_draws(&called);
    for (size_t way = 0; way < ARRAY_SIZE(ways); way++) {
        uint32_t counts[DRAWN_FROM] = {0};
        for (int i = 0; i < DRAWS / ways[way].members; i++) {
            count_members(called_run(&called, ways[way].request), counts);
            if (strncmp(ways[way].request, "SPOP", 4) == 0) {
                fill_for_draws(&called);
            }
        }
        check_fair(counts);
    }
    called_close(&called);
}

static void drawn_members_are_distinct(void)
{
    struct called called;
    called_open(&called, NULL, 1000);
    fill_for_draws(&called);
    for (int count = 0; count <= DRAWN_FROM + 1; count++) {
        uint32_t counts[DRAWN_FROM] = {0};
        char line[32];
        uint32_t sum = 0;
        snprintf(line, sizeof line, "SRANDMEMBER s %d", count);
        count_members(called_run(&called, line), counts);
        for (int i = 0; i < DRAWN_FROM; i++) {
            CHECK(counts[i] <= 1);
            sum += counts[i];
        }
        CHECK_U64(sum, u64_min((uint64_t)count, DRAWN_FROM));
    }
    called_close(&called);
}

const struct test_case test_sets[] = {
    TEST_CASE(members_come_and_go),
    TEST_CASE(other_kinds_are_refused),
    TEST_CASE(members_are_drawn),
    TEST_CASE(a_member_moves),
    TEST_CASE(sets_are_combined),
    TEST_CASE(common_members_are_counted),
    TEST_CASE(a_scan_has_options),
    TEST_CASE(version_3_has_sets),
    TEST_CASE(draws_are_fair),
    TEST_CASE(drawn_members_are_distinct),
    TEST_END,
};
