/* What a connection of the Redis protocol makes of the bytes that come, in
 * whatever parts they come. */
#include <stdio.h>
#include <string.h>

#include "command/session.h"
#include "talked.h"

static const char small[] = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
                            "GET a\r\n"
                            "WATCH a\r\n"
                            "*2\r\n$4\r\nECHO\r\n$4\r\n\r\n\r\n\r\n"
                            "MULTI\r\nSET \"a b\" '\\'x y\\''\r\n"
                            "*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"
                            "EXEC\r\n\r\n*0\r\n"
                            "WATCH 'a b'\r\n"
                            "WATCH a\r\nNONE\r\n"
                            "GET \"a b\"\r\n";
static const char replies[] =
    "+OK $1 1 +OK $4    +OK +QUEUED +QUEUED *2 +OK :2 +OK +OK -ERR unknown "
    "command 'NONE', with args beginning with:  $5 'x y'";

static void every_split_gives_the_same_replies(void)
{
    for (size_t at = 1; at < sizeof small - 1; at++) {
        struct talked talked;
        talked_open(&talked, NULL, 100);
        struct talker *talker = talked_dial(&talked);
        talk_bytes(&talked, talker, small, at);
        talk_bytes(&talked, talker, small + at, sizeof small - 1 - at);
        if (!CHECK_TEXT(talked_replies(&talked, talker), replies)) {
            printf("    split at %zu\n", at);
        }
        CHECK(talker->conn->input == NULL);
        talked_close(&talked);
    }
}

static void bytes_may_come_one_by_one(void)
{
    struct talked talked;
    talked_open(&talked, NULL, 100);
    struct talker *talker = talked_dial(&talked);
    for (size_t at = 0; at < sizeof small - 1; at++) {
        talk_bytes(&talked, talker, small + at, 1);
    }
    CHECK_TEXT(talked_replies(&talked, talker), replies);
    CHECK(talker->conn->input == NULL);
    talked_close(&talked);
}

/* The connection's own memory holds it, and is let go of with it; what the
 * operations point into stays until they are answered. */
static void large_requests_are_taken_whole(void)
{
    static const int counts[] = {2000, 4000, RESP_ARGS_MAX - 1};
    struct talked talked;
    talked_open(&talked, NULL, 100);
    struct talker *talker = talked_dial(&talked);
    CHECK_TEXT(talk(&talked, talker, "SET x32 1\r\n"), "+OK");
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        struct buffer requests = {.max = 4 << 20};
        char text[64];
        int length = snprintf(
            text, sizeof text, "*%d\r\n$6\r\nEXISTS\r\n", counts[i] + 1);
        CHECK(buffer_append(&requests, text, (size_t)length));
        for (int key = 0; key < counts[i]; key++) {
            length = snprintf(text, sizeof text, "$32\r\n%032d\r\n", key);
            CHECK(buffer_append(&requests, text, (size_t)length));
        }
        static const char behind[] =
            "INCR x32\r\nWATCH a\r\nINCR x32\r\nGET x32\r\nINCR x";
        CHECK(buffer_append(&requests, behind, strlen(behind)));
        bool large = requests.size >= RESP_REQUEST_MAX;
        CHECK(!large);
        talk_bytes(&talked, talker, requests.bytes, requests.size);
        char expected[64];
        (void)snprintf(expected, sizeof expected, ":0 :%zu +OK :%zu $1 %zu",
            3 * i + 2, 3 * i + 3, 3 * i + 3);
        CHECK_TEXT(talked_replies(&talked, talker), expected);
        CHECK_INT(talker->conn->input_size, strlen("INCR x"));
        CHECK(talker->conn->input_room <= CONN_ROOM);
        (void)talk(&talked, talker, "32\r\n");
        CHECK(talker->conn->input == NULL);
        buffer_free(&requests);
    }
    talked_close(&talked);
}

/* One byte less than may be, and as much, and more. */
static void there_is_a_largest_request(void)
{
    static const int over[] = {-1, 0, 1, 70000, 3000000};
    struct talked talked;
    talked_open(&talked, NULL, 100);
    struct talker *talker = talked_dial(&talked);
    CHECK_TEXT(talk(&talked, talker, "PING\r\n"), "+PONG");
    for (size_t i = 0; i < ARRAY_SIZE(over); i++) {
        struct buffer requests = {.max = 8 << 20};
        char text[64];
        int head = snprintf(
            text, sizeof text, "*2\r\n$4\r\nECHO\r\n$%d\r\n", RESP_REQUEST_MAX);
        int size = RESP_REQUEST_MAX + over[i] - head - 2;
        (void)snprintf(text, sizeof text, "*2\r\n$4\r\nECHO\r\n$%d\r\n", size);
        CHECK(buffer_append(&requests, text, strlen(text)));
        CHECK(buffer_reserve(&requests, (size_t)size) != NULL);
        memset(requests.bytes + requests.size, 'x', (size_t)size);
        requests.size += (uint32_t)size;
        CHECK(buffer_append(&requests, "\r\nPING\r\n", 8));
        talk_bytes(&talked, talker, requests.bytes, requests.size);
        const char *reply = talked_replies(&talked, talker);
        const char *words = over[i] <= 0              ? "-ERR a value has at "
                            : size > RESP_REQUEST_MAX ? "-ERR an argument has "
                                                      : "-ERR a request has ";
        if (strncmp(reply, words, strlen(words)) != 0) {
            CHECK_TEXT(reply, words);
        }
        CHECK_TEXT(strstr(reply, " +P"), " +PONG");
        CHECK(talker->conn->input == NULL);
        CHECK_U64(conn_held(talker->conn), 0);
        buffer_free(&requests);
    }
    talked_close(&talked);
}

/* More requests than a turn takes, and more of those that are executed alone
 * than one. */
static void pipelines_may_be_long(void)
{
    enum { REQUESTS = 3000 };
    struct talked talked;
    struct test_random random;
    struct buffer requests = {.max = 1 << 20};
    struct buffer expected = {.max = 1 << 20};
    test_random_init(&random);
    talked_open(&talked, NULL, 100);
    struct talker *talker = talked_dial(&talked);
    unsigned number = 0;
    for (int i = 0; i < REQUESTS; i++) {
        static const char *const asked[] = {"INCR n\r\n",
            "*1\r\n$4\r\nPING\r\n", "WATCH w\r\n", "GET none\r\n",
            "MULTI\r\nINCR n\r\nEXEC\r\n", "EXEC\r\n", "\r\n"};
        char text[64] = "";
        /* Not an empty line first: that begins like a native request. */
        size_t which =
            test_random_below(&random, ARRAY_SIZE(asked) - (i == 0 ? 1 : 0));
        number += which == 0 || which == 4 ? 1 : 0;
        const char *const answers[] = {":%u\r\n", "+PONG\r\n", "+OK\r\n",
            "$-1\r\n", "+OK\r\n+QUEUED\r\n*1\r\n:%u\r\n",
            "-ERR EXEC without MULTI\r\n", ""};
        if (which == 0) {
            (void)snprintf(text, sizeof text, ":%u\r\n", number);
        } else if (which == 4) {
            (void)snprintf(
                text, sizeof text, "+OK\r\n+QUEUED\r\n*1\r\n:%u\r\n", number);
        } else {
            (void)snprintf(text, sizeof text, "%s", answers[which]);
        }
        CHECK(buffer_append(&requests, asked[which], strlen(asked[which])));
        CHECK(buffer_append(&expected, text, strlen(text)));
    }
    talk_bytes(&talked, talker, requests.bytes, requests.size);
    REQUIRE(talker->replies.size == expected.size);
    CHECK_BYTES(talker->replies.bytes, expected.bytes, expected.size);
    buffer_free(&requests);
    buffer_free(&expected);
    talked_close(&talked);
}

static void nothing_is_read_behind_the_last_request(void)
{
    static const struct {
        const char *requests;
        const char *replies;
    } ends[] = {
        {"SET a 1\r\nQUIT\r\nSET a 2\r\n", "+OK +OK"},
        {"SET a 1\r\n*1\r\n!SET a 2\r\n",
            "+OK -ERR Protocol error: expected '$', got '!'"},
        {"SET a 1\r\nMULTI\r\nSET a 2\r\nQUIT\r\nEXEC\r\n",
            "+OK +OK +QUEUED +OK"},
        {"SET a 1\r\nGET \"a\r\nSET a 2\r\n",
            "+OK -ERR Protocol error: unbalanced quotes in request"},
        {"SET a 1\r\nPOST / HTTP/1.1\r\nSET a 2\r\n",
            "+OK -ERR unknown command 'POST', with args beginning with: '/' "
            "'HTTP/1.1' "},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        struct talked talked;
        talked_open(&talked, NULL, 100);
        struct talker *talker = talked_dial(&talked);
        struct talker *other = talked_dial(&talked);
        CHECK_TEXT(talk(&talked, talker, ends[i].requests), ends[i].replies);
        CHECK(talker->conn == NULL);
        CHECK_TEXT(talk(&talked, other, "GET a\r\n"), "$1 1");
        talked_close(&talked);
    }
}

static void a_reset_begins_anew(void)
{
    struct talked talked;
    talked_open(&talked, NULL, 100);
    struct talker *talker = talked_dial(&talked);
    (void)talk(&talked, talker, "HELLO 3 SETNAME me\r\n");
    CHECK_INT(talker->conn->session->version, 3);
    CHECK_TEXT(talker->conn->session->name, "me");
    CHECK_TEXT(talk(&talked, talker, "GET a\r\n"), "_");
    CHECK_TEXT(talk(&talked, talker,
                   "WATCH a\r\nMULTI\r\nSET a 1\r\nRESET\r\nGET a\r\nEXEC\r\n"),
        "+OK +OK +QUEUED +RESET $-1 -ERR EXEC without MULTI");
    CHECK(talker->conn->session->name == NULL);
    CHECK_U64(conn_held(talker->conn), 0);
    talked_close(&talked);
}

static void memory_that_is_held_is_counted(void)
{
    enum { BODY = 500000 };
    struct talked talked;
    talked_open(&talked, NULL, 100);
    struct talker *talker = talked_dial(&talked);
    char *body = malloc(BODY + 1);
    REQUIRE(body != NULL);
    memset(body, 'x', BODY);
    body[BODY] = '\0';
    CHECK_TEXT(talk(&talked, talker, "PING\r\n*2\r\n$4\r\nECHO\r\n$500000\r\n"),
        "+PONG");
    CHECK(conn_is_unfinished(talker->conn));
    CHECK_TEXT(talk(&talked, talker, body), "");
    CHECK(conn_held(talker->conn) >= BODY);
    CHECK(conn_held(talker->conn) <= RESP_REQUEST_MAX + CONN_READ_MAX);
    (void)talk(&talked, talker, "\r\n");
    CHECK_U64(conn_held(talker->conn), 0);
    CHECK(!conn_is_unfinished(talker->conn));
    CHECK_TEXT(talk(&talked, talker, "WATCH a\r\nMULTI\r\nECHO hello\r\n"),
        "+OK +OK +QUEUED");
    CHECK(conn_held(talker->conn) > 0);
    conn_give_up(talker->conn);
    CHECK_U64(conn_held(talker->conn), 0);
    free(body);
    talked_close(&talked);
}

const struct test_case test_conn_resp[] = {
    TEST_CASE(every_split_gives_the_same_replies),
    TEST_CASE(bytes_may_come_one_by_one),
    TEST_CASE(large_requests_are_taken_whole),
    TEST_CASE(there_is_a_largest_request),
    TEST_CASE(pipelines_may_be_long),
    TEST_CASE(nothing_is_read_behind_the_last_request),
    TEST_CASE(a_reset_begins_anew),
    TEST_CASE(memory_that_is_held_is_counted),
    TEST_END,
};
