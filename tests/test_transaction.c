/* MULTI, EXEC, DISCARD, WATCH, UNWATCH. */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "command/transaction.h"
#include "stored.h"
#include "talked.h"
#include "wire.h"

static void set_up(struct talked *talked)
{
    talked_open(talked, NULL, 20000);
    (void)talked_dial(talked);
    (void)talked_dial(talked);
}

static const char *ask(struct talked *talked, const char *requests)
{
    return talk(talked, &talked->talkers[0], requests);
}

/* What somebody else does. */
static void meanwhile(struct talked *talked, const char *requests)
{
    (void)talk(talked, &talked->talkers[1], requests);
}

/* A request of the native protocol. */
static void native(
    struct talked *talked, int type, const char *key, const char *value)
{
    struct batch *batch = calloc(1, sizeof *batch);
    kv_message_t message;
    REQUIRE(batch != NULL);
    CHECK_INT(
        kv_message_fill(&message, type, key, strlen(key), value, strlen(value)),
        KV_SUCCESS);
    batch->count = 1;
    wire_decode(&message, &batch->ops[0]);
    storage_read(talked->storage, batch);
    stored_commit(talked->storage, batch);
    CHECK_INT(message.status, KV_SUCCESS);
    free(batch);
}

/* ---- Executing ----------------------------------------------------------- */

static void what_is_queued_is_executed_as_one(void)
{
    struct talked talked;
    set_up(&talked);
    CHECK_TEXT(ask(&talked, "MULTI\r\nSET a 1\r\nINCR a\r\nGET a\r\n"
                            "MGET a b\r\nPING\r\nUNWATCH\r\n"),
        "+OK +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED");
    CHECK_TEXT(talk(&talked, &talked.talkers[1], "EXISTS a\r\n"), ":0");
    CHECK_TEXT(
        ask(&talked, "EXEC\r\n"), "*6 +OK :2 $1 2 *2 $1 2 $-1 +PONG +OK");
    CHECK_TEXT(ask(&talked, "MULTI\r\nEXEC\r\n"), "+OK *0");
    CHECK_TEXT(ask(&talked, "MULTI\r\nSET a 3\r\nDISCARD\r\nGET a\r\n"),
        "+OK +QUEUED +OK $1 2");
    CHECK_TEXT(ask(&talked, "EXEC\r\nDISCARD\r\n"),
        "-ERR EXEC without MULTI -ERR DISCARD without MULTI");
    CHECK_TEXT(ask(&talked, "MULTI\r\nMULTI\r\nWATCH a\r\nGET a\r\nEXEC\r\n"),
        "+OK -ERR MULTI calls can not be nested -ERR WATCH inside MULTI is not "
        "allowed +QUEUED *1 $1 2");
    CHECK_U64(conn_held(talked.talkers[0].conn), 0);
    talked_close(&talked);
}

static void what_cannot_be_queued_aborts_it(void)
{
    static const char *const wrong[] = {
        "NONE\r\n",
        "GET\r\n",
        "GET aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
        "HELLO 3\r\n",
        "*20000\r\n",
        "EXEC now\r\n",
        "OBJECT NOSUCH a\r\n",
        "OBJECT ENCODING\r\n",
        "OBJECT HELP a\r\n",
        "COMMAND NOSUCH\r\n",
        "COMMAND COUNT 1\r\n",
    };
    struct talked talked;
    set_up(&talked);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        CHECK_TEXT(ask(&talked, "MULTI\r\nSET a 1\r\n"), "+OK +QUEUED");
        talk_bytes(&talked, &talked.talkers[0], wrong[i], strlen(wrong[i]));
        if (wrong[i][0] == '*') {
            for (int arg = 0; arg < 20000; arg++) {
                talk_bytes(&talked, &talked.talkers[0], "$1\r\na\r\n", 7);
            }
        }
        CHECK_INT(talked_replies(&talked, &talked.talkers[0])[0], '-');
        CHECK_TEXT(ask(&talked, "EXEC\r\nGET a\r\nEXEC\r\n"),
            "-EXECABORT Transaction discarded because of previous errors. "
            "$-1 -ERR EXEC without MULTI");
    }
    talked_close(&talked);
}

static void an_error_within_undoes_nothing(void)
{
    struct talked talked;
    set_up(&talked);
    CHECK_TEXT(ask(&talked, "MULTI\r\nSET a x\r\nINCR a\r\nSET b 1\r\nEXEC\r\n"
                            "MGET a b\r\n"),
        "+OK +QUEUED +QUEUED +QUEUED *3 +OK -ERR value is not an integer or "
        "out of range +OK *2 $1 x $1 1");
    talked_close(&talked);
}

/* ---- Watching ------------------------------------------------------------ */

#define EXECUTE "MULTI\r\nSET done 1\r\nEXEC\r\n"
#define EXECUTED "+OK +QUEUED *1 +OK"
#define REFUSED "+OK +QUEUED *-1"

static void who_watches_sees_every_change(void)
{
    static const struct {
        const char *before;
        const char *meanwhile;
        bool refused;
    } cases[] = {
        {"SET a 1\r\n", "SET b 1\r\n", false},
        {"SET a 1\r\n", "SET a 2\r\n", true},
        {"SET a 1\r\n", "SET a 1\r\n", true},
        {"SET a 1\r\n", "SET a 2\r\nSET a 1\r\n", true},
        {"SET a 1\r\n", "DEL a\r\nSET a 1\r\n", true},
        {"SET a 1\r\n", "DEL a\r\n", true},
        {"SET a 1\r\n", "FLUSHALL\r\n", true},
        {"SET a 1\r\n", "FLUSHALL\r\nSET a 1\r\n", true},
        {"SET a x\r\n", "INCR a\r\n", false},
        {"SET a 1\r\n", "GET a\r\nTYPE a\r\n", false},
        {"SET a 1\r\n", "MULTI\r\nSET a 2\r\nDISCARD\r\n", false},
        {"SET a 1\r\n", "MULTI\r\nINCR a\r\nEXEC\r\n", true},
        {"DEL a\r\n", "SET a 1\r\n", true},
        {"DEL a\r\n", "FLUSHALL\r\n", false},
        {"DEL a\r\n", "DEL a\r\n", false},
    };
    struct talked talked;
    set_up(&talked);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        meanwhile(&talked, cases[i].before);
        CHECK_TEXT(ask(&talked, "WATCH a\r\n"), "+OK");
        meanwhile(&talked, cases[i].meanwhile);
        if (!CHECK_TEXT(
                ask(&talked, EXECUTE), cases[i].refused ? REFUSED : EXECUTED)) {
            printf("    %s", cases[i].meanwhile);
        }
        CHECK_TEXT(ask(&talked, EXECUTE), EXECUTED);
    }
    talked_close(&talked);
}

static void what_the_native_protocol_changes_counts(void)
{
    static const struct {
        int type;
        const char *value;
    } cases[] = {{KV_PUT, "1"}, {KV_ADD, "1"}, {KV_EXPIRE, "100000"},
        {KV_PERSIST, ""}, {KV_DELETE, ""}};
    struct talked talked;
    set_up(&talked);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        native(&talked, KV_PUT, "a", "1");
        CHECK_TEXT(ask(&talked, "WATCH a\r\n"), "+OK");
        native(&talked, KV_GET, "a", "");
        native(&talked, cases[i].type, "a", cases[i].value);
        CHECK_TEXT(ask(&talked, EXECUTE), REFUSED);
    }
    talked_close(&talked);
}

/* On a slow machine it must live long enough to be watched. */
static void watch_what_expires(struct talked *talked)
{
    static const char *const lives_ms[] = {"20", "200", "2000", "20000"};
    bool lives = false;
    for (size_t i = 0; i < ARRAY_SIZE(lives_ms) && !lives; i++) {
        native(talked, KV_PUT, "a", "1");
        native(talked, KV_EXPIRE, "a", lives_ms[i]);
        CHECK_TEXT(ask(talked, "UNWATCH\r\nWATCH a\r\n"), "+OK +OK");
        lives = strcmp(ask(talked, "EXISTS a\r\n"), ":1") == 0;
    }
    CHECK(lives);
}

static void what_expires_has_changed(void)
{
    struct talked talked;
    set_up(&talked);
    watch_what_expires(&talked);
    int64_t until = clock_steady_ms() + 10000;
    while (strcmp(talk(&talked, &talked.talkers[1], "GET a\r\n"), "$-1") != 0 &&
           clock_steady_ms() < until) {
    }
    CHECK_TEXT(ask(&talked, EXECUTE), REFUSED);
    CHECK_TEXT(ask(&talked, "WATCH a\r\n"), "+OK");
    CHECK_TEXT(ask(&talked, EXECUTE), EXECUTED);
    talked_close(&talked);
}

static void watching_ends(void)
{
    struct talked talked;
    set_up(&talked);
    CHECK_TEXT(ask(&talked, "WATCH a\r\nUNWATCH\r\n"), "+OK +OK");
    meanwhile(&talked, "SET a 1\r\n");
    CHECK_TEXT(ask(&talked, EXECUTE), EXECUTED);
    CHECK_TEXT(ask(&talked, "WATCH a\r\nMULTI\r\nDISCARD\r\n"), "+OK +OK +OK");
    meanwhile(&talked, "SET a 1\r\n");
    CHECK_TEXT(ask(&talked, EXECUTE), EXECUTED);
    /* The first look counts. */
    CHECK_TEXT(ask(&talked, "WATCH a\r\n"), "+OK");
    meanwhile(&talked, "SET a 1\r\n");
    CHECK_TEXT(ask(&talked, "WATCH a b\r\nMULTI\r\nUNWATCH\r\nEXEC\r\n"),
        "+OK +OK +QUEUED *-1");
    /* One's own change counts too. */
    CHECK_TEXT(
        ask(&talked, "WATCH a\r\nSET a 1\r\n" EXECUTE), "+OK +OK " REFUSED);
    talked_close(&talked);
}

static void so_many_keys_are_watched_and_no_more(void)
{
    struct talked talked;
    char text[64];
    set_up(&talked);
    for (int i = 0; i < TRANSACTION_WATCHED_MAX; i++) {
        (void)snprintf(text, sizeof text, "WATCH k%d k%d\r\n", i, i);
        CHECK_TEXT(ask(&talked, text), "+OK");
    }
    CHECK_TEXT(ask(&talked, "WATCH k1 more\r\n"),
        "-ERR a connection watches at most 1024 keys; none more is watched");
    meanwhile(&talked, "SET k1023 1\r\n");
    CHECK_TEXT(ask(&talked, EXECUTE), REFUSED);
    talked_close(&talked);
}

/* ---- Limits -------------------------------------------------------------- */

static void so_many_commands_are_queued_and_no_more(void)
{
    struct talked talked;
    set_up(&talked);
    for (int more = 0; more < 2; more++) {
        struct buffer requests = {.max = 1 << 20};
        CHECK(buffer_append(&requests, "MULTI\r\n", 7));
        for (int i = 0; i < TRANSACTION_CALLS_MAX + more; i++) {
            CHECK(buffer_append(&requests, "INCR n\r\n", 8));
        }
        talk_bytes(&talked, &talked.talkers[0], requests.bytes, requests.size);
        const char *replies = talked_replies(&talked, &talked.talkers[0]);
        CHECK((strstr(replies,
                   "-ERR a transaction has at most 1024 commands and 1048576 "
                   "bytes of arguments; this one has more commands") != NULL) ==
              (more == 1));
        const char *reply = ask(&talked, "EXEC\r\n");
        CHECK(strncmp(reply, more == 1 ? "-EXECABORT " : "*1024 :1 ", 9) == 0);
        buffer_free(&requests);
    }
    CHECK_TEXT(ask(&talked, "GET n\r\n"), "$4 1024");
    talked_close(&talked);
}

static void so_many_bytes_are_queued_and_no_more(void)
{
    enum { KEYS = 8000 };
    struct talked talked;
    struct buffer requests = {.max = 4 << 20};
    char text[64];
    set_up(&talked);
    (void)snprintf(text, sizeof text, "*%d\r\n$6\r\nEXISTS\r\n", KEYS + 1);
    CHECK(buffer_append(&requests, text, strlen(text)));
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(text, sizeof text, "$32\r\n%032d\r\n", i);
        CHECK(buffer_append(&requests, text, strlen(text)));
    }
    CHECK_TEXT(ask(&talked, "MULTI\r\n"), "+OK");
    size_t queued = 0;
    const char *reply;
    do {
        talk_bytes(&talked, &talked.talkers[0], requests.bytes, requests.size);
        reply = talked_replies(&talked, &talked.talkers[0]);
        queued++;
    } while (strcmp(reply, "+QUEUED") == 0 && queued < 10);
    CHECK_U64(queued, TRANSACTION_BYTES_MAX / (KEYS * (32 + 4)) + 1);
    CHECK_TEXT(reply,
        "-ERR a transaction has at most 1024 commands and 1048576 bytes of "
        "arguments; this one has more bytes of arguments");
    CHECK(conn_held(talked.talkers[0].conn) <=
          TRANSACTION_BYTES_MAX + 1024 * sizeof(struct queued));
    CHECK_TEXT(ask(&talked, "DISCARD\r\n"), "+OK");
    CHECK_U64(conn_held(talked.talkers[0].conn), 0);
    buffer_free(&requests);
    talked_close(&talked);
}

/* ---- Replies that are large ---------------------------------------------- */

/* Each request has a reply, the last ones too, when the replies of a batch have
 * filled its buffer; and what comes in the next batch is as ever. */
static void every_request_has_a_reply(void)
{
    enum {
        VALUES = 400,
        REQUESTS = 40,
        EACH = sizeof "*400" + 1 + VALUES * (sizeof "$256" + 1 + 258),
        NONE = sizeof "$-1" + 1,
        /* Less is left than an error takes. */
        ROOM = REQUESTS * NONE + 19 * EACH + 30
    };
    struct talked talked;
    struct buffer requests = {.max = 1 << 20};
    set_up(&talked);
    talked.replies_max = ROOM;
    char text[KV_VALUE_MAX + 32];
    (void)snprintf(text, sizeof text, "SET a %0*d\r\n", KV_VALUE_MAX, 0);
    CHECK_TEXT(ask(&talked, text), "+OK");
    for (int i = 0; i < REQUESTS; i++) {
        CHECK(buffer_append(&requests, "MGET", 4));
        for (int value = 0; value < VALUES; value++) {
            CHECK(buffer_append(&requests, " a", 2));
        }
        CHECK(buffer_append(&requests, "\r\nGET b\r\n", 9));
    }
    talked_send(&talked.talkers[0], requests.bytes, requests.size);
    while (talked_turn(&talked)) {
    }
    int arrays = 0;
    int errors = 0;
    int others = 0;
    const char *at = talked_replies(&talked, &talked.talkers[0]);
    for (; at != NULL && *at != '\0'; at = strchr(at, ' ')) {
        at += *at == ' ' ? 1 : 0;
        arrays += *at == '*' ? 1 : 0;
        errors += *at == '-' && at[1] == 'E' ? 1 : 0;
        others += *at == ':' || strncmp(at, "$-1", 3) == 0 ? 1 : 0;
    }
    CHECK_INT(arrays + errors + others, 2 * REQUESTS);
    CHECK(arrays > 0 && errors > 0);
    CHECK_TEXT(ask(&talked, "PING\r\nGET b\r\n"), "+PONG $-1");
    buffer_free(&requests);
    talked_close(&talked);
}

const struct test_case test_transaction[] = {
    TEST_CASE(what_is_queued_is_executed_as_one),
    TEST_CASE(what_cannot_be_queued_aborts_it),
    TEST_CASE(an_error_within_undoes_nothing),
    TEST_CASE(who_watches_sees_every_change),
    TEST_CASE(what_the_native_protocol_changes_counts),
    TEST_CASE(what_expires_has_changed),
    TEST_CASE(watching_ends),
    TEST_CASE(so_many_keys_are_watched_and_no_more),
    TEST_CASE(so_many_commands_are_queued_and_no_more),
    TEST_CASE(so_many_bytes_are_queued_and_no_more),
    TEST_CASE(every_request_has_a_reply),
    TEST_END,
};
