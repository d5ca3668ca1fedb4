#include "called.h"

#include <stdlib.h>

static void info_tells_rows(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_TEXT(called_run(&called, "COMMAND INFO get nothing"),
        "*2 *10 $3 get :2 *1 +readonly :1 :1 :1 *2 +@read +@string *0 *0 *0 "
        "$-1");
    CHECK_TEXT(called_run(&called, "command info MGET"),
        "*1 *10 $4 mget :-2 *1 +readonly :1 :-1 :1 *2 +@read +@string *0 *0 "
        "*0");
    CHECK_TEXT(called_run(&called, "COMMAND INFO set"),
        "*1 *10 $3 set :-3 *1 +write :1 :1 :1 *2 +@write +@string *0 *0 *0");
    CHECK_TEXT(called_run(&called, "COMMAND INFO multi"),
        "*1 *10 $5 multi :1 *1 +no_multi :0 :0 :0 *1 +@transaction *0 *0 *0");
    CHECK_TEXT(called_run(&called, "COMMAND INFO flushall"),
        "*1 *10 $8 flushall :-1 *1 +write :0 :0 :0 *3 +@write +@dangerous "
        "+@keyspace *0 *0 *0");
    called.version = 3;
    CHECK_TEXT(called_run(&called, "COMMAND INFO dbsize nothing"),
        "*2 *10 $6 dbsize :1 ~1 +readonly :0 :0 :0 ~2 +@read +@keyspace *0 *0 "
        "*0 _");
    called_close(&called);
}

/* What the reply announces: the number behind its first byte. */
static long announced(const char *reply)
{
    return strtol(reply + 1, NULL, 10);
}

static void all_rows_are_told(void)
{
    struct called called;
    long rows = 0;
    called_open(&called, NULL, 100);
    while (command_at((size_t)rows) != NULL) {
        rows++;
    }
    CHECK_INT(announced(called_run(&called, "COMMAND COUNT")), rows);
    CHECK_INT(announced(called_run(&called, "COMMAND")), rows);
    CHECK_INT(announced(called_run(&called, "COMMAND INFO")), rows);
    CHECK_INT(announced(called_run(&called, "COMMAND LIST")), rows);
    CHECK_INT(announced(called_run(&called, "COMMAND DOCS")), 2 * rows);
    called.version = 3;
    CHECK_INT(announced(called_run(&called, "COMMAND DOCS")), rows);
    called_close(&called);
}

static void rows_are_in_order(void)
{
    for (size_t i = 1; command_at(i) != NULL; i++) {
        CHECK(strcmp(command_at(i - 1)->name, command_at(i)->name) < 0);
    }
    for (size_t i = 0; command_at(i) != NULL; i++) {
        const char *name = command_at(i)->name;
        CHECK(command_find(name, strlen(name)) == command_at(i));
    }
}

static void docs_tell_known_ones(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_TEXT(called_run(&called, "COMMAND DOCS nothing"), "*0");
    CHECK_TEXT(called_run(&called, "COMMAND DOCS nothing get"),
        "*2 $3 get *6 $7 summary $34 Returns the string value of a key. $5 "
        "since $5 1.0.0 $5 group $6 string");
    called.version = 3;
    CHECK_TEXT(called_run(&called, "COMMAND DOCS nothing"), "%0");
    called_close(&called);
}

static void lists_are_filtered(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_TEXT(called_run(&called, "COMMAND LIST FILTERBY pattern M[T-V]L*"),
        "*1 $5 multi");
    CHECK_TEXT(called_run(&called, "COMMAND LIST FILTERBY pattern MUL"), "*0");
    CHECK_TEXT(called_run(&called, "COMMAND LIST filterby PATTERN mul*"),
        "*1 $5 multi");
    CHECK_TEXT(called_run(&called, "COMMAND LIST FILTERBY ACLCAT Transaction"),
        "*5 $7 discard $4 exec $5 multi $7 unwatch $5 watch");
    CHECK_TEXT(called_run(&called, "COMMAND LIST FILTERBY ACLCAT x"), "*0");
    CHECK_TEXT(called_run(&called, "COMMAND LIST FILTERBY MODULE x"), "*0");
    static const char *const wrong[] = {
        "COMMAND LIST x",
        "COMMAND LIST FILTERBY",
        "COMMAND LIST FILTERBY pattern",
        "COMMAND LIST FILTERBY pattern a b",
        "COMMAND LIST FILTERBY foo bar",
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        CHECK_TEXT(called_run(&called, wrong[i]), "-ERR syntax error");
    }
    called_close(&called);
}

static void keys_are_found(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_TEXT(called_run(&called, "COMMAND GETKEYS get a"), "*1 $1 a");
    CHECK_TEXT(
        called_run(&called, "COMMAND GETKEYS MGET a b c"), "*3 $1 a $1 b $1 c");
    CHECK_TEXT(called_run(&called, "COMMAND GETKEYS set a 1 EX 5"), "*1 $1 a");
    CHECK_TEXT(called_run(&called, "COMMAND GETKEYS foo a"),
        "-ERR Invalid command specified");
    CHECK_TEXT(called_run(&called, "COMMAND GETKEYS ping a"),
        "-ERR The command has no key arguments");
    CHECK_TEXT(called_run(&called, "COMMAND GETKEYS get a b"),
        "-ERR Invalid number of arguments specified for command");
    CHECK_TEXT(called_run(&called, "COMMAND GETKEYS get"),
        "-ERR wrong number of arguments for 'command|getkeys' command");
    if (command_find("sintercard", strlen("sintercard")) != NULL) {
        CHECK_TEXT(called_run(&called, "COMMAND GETKEYS sintercard 2 a b"),
            "*2 $1 a $1 b");
        CHECK_TEXT(called_run(&called, "COMMAND GETKEYS sintercard 2 a"),
            "-ERR Invalid arguments specified for command");
        CHECK_TEXT(called_run(&called, "COMMAND GETKEYS sintercard x a"),
            "-ERR Invalid arguments specified for command");
    }
    called_close(&called);
}

static void other_words_are_refused(void)
{
    struct called called;
    called_open(&called, NULL, 100);
    CHECK_TEXT(called_run(&called, "COMMAND FoO"),
        "-ERR unknown subcommand 'FoO'. Try COMMAND HELP.");
    CHECK_TEXT(called_run(&called, "COMMAND COUNT x"),
        "-ERR wrong number of arguments for 'command|count' command");
    CHECK_INT(announced(called_run(&called, "COMMAND HELP")), 13);
    called_close(&called);
}

static void time_is_the_store_s(void)
{
    struct called called;
    char *end = NULL;
    called_open(&called, NULL, 100);
    int64_t before_ms = storage_now(called.storage);
    const char *reply = called_run(&called, "TIME");
    int64_t after_ms = storage_now(called.storage);
    REQUIRE(strncmp(reply, "*2 $10 ", 7) == 0);
    int64_t seconds = strtoll(reply + 7, &end, 10);
    REQUIRE(strncmp(end, " $", 2) == 0 && strrchr(end, ' ') > end);
    int64_t micros = strtoll(strrchr(end, ' '), NULL, 10);
    int64_t told_ms = seconds * 1000 + micros / 1000;
    CHECK(told_ms >= before_ms && told_ms <= after_ms);
    CHECK_TEXT(called_run(&called, "TIME x"),
        "-ERR wrong number of arguments for 'time' command");
    called_close(&called);
}

const struct test_case test_listing[] = {
    TEST_CASE(info_tells_rows),
    TEST_CASE(all_rows_are_told),
    TEST_CASE(rows_are_in_order),
    TEST_CASE(docs_tell_known_ones),
    TEST_CASE(lists_are_filtered),
    TEST_CASE(keys_are_found),
    TEST_CASE(other_words_are_refused),
    TEST_CASE(time_is_the_store_s),
    TEST_END,
};
