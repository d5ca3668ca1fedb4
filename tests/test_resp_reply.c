#include "resp/reply.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "support.h"

struct replies {
    struct buffer buffer;
    struct resp_reply reply;
};

static struct resp_reply *begin(struct replies *replies, uint8_t version)
{
    *replies = (struct replies){.buffer.max = 1 << 16};
    replies->reply =
        (struct resp_reply){.buffer = &replies->buffer, .version = version};
    return &replies->reply;
}

static void check_written(struct replies *replies, const char *expected)
{
    CHECK(!replies->reply.failed);
    REQUIRE(buffer_append(&replies->buffer, "", 1));
    CHECK_TEXT((const char *)replies->buffer.bytes, expected);
    buffer_free(&replies->buffer);
}

static void both_versions_have_these(void)
{
    for (uint8_t version = 2; version <= 3; version++) {
        struct replies replies;
        struct resp_reply *reply = begin(&replies, version);
        resp_ok(reply);
        resp_simple(reply, "");
        resp_number(reply, 0);
        resp_number(reply, 9);
        resp_number(reply, 10);
        resp_number(reply, -1);
        resp_number(reply, INT64_MIN);
        resp_number(reply, INT64_MAX);
        resp_array(reply, 0);
        resp_array(reply, 12);
        check_written(&replies,
            "+OK\r\n+\r\n:0\r\n:9\r\n:10\r\n:-1\r\n"
            ":-9223372036854775808\r\n:9223372036854775807\r\n"
            "*0\r\n*12\r\n");
    }
}

static void bulks_hold_any_bytes(void)
{
    struct replies replies;
    struct resp_reply *reply = begin(&replies, 2);
    resp_bulk(reply, "a\0\r\n", 4);
    CHECK_INT(replies.buffer.size, 10);
    CHECK_BYTES(replies.buffer.bytes, "$4\r\na\0\r\n\r\n", 10);
    buffer_free(&replies.buffer);
    reply = begin(&replies, 3);
    resp_bulk(reply, NULL, 0);
    resp_bulk_text(reply, "hello, world");
    resp_bulk_number(reply, -42);
    resp_bulk_number(reply, INT64_MIN);
    check_written(&replies, "$0\r\n\r\n$12\r\nhello, world\r\n$3\r\n-42\r\n"
                            "$20\r\n-9223372036854775808\r\n");
}

/* Each of the replies that the version forms. */
static void write_formed(struct resp_reply *reply)
{
    resp_null(reply);
    resp_null_array(reply);
    resp_map(reply, 7);
    resp_set(reply, 3);
    resp_boolean(reply, true);
    resp_boolean(reply, false);
    resp_verbatim(reply, "Some", "txt");
}

static void the_version_decides_the_form(void)
{
    struct replies replies;
    write_formed(begin(&replies, 2));
    check_written(
        &replies, "$-1\r\n*-1\r\n*14\r\n*3\r\n:1\r\n:0\r\n$4\r\nSome\r\n");
    write_formed(begin(&replies, 3));
    check_written(
        &replies, "_\r\n_\r\n%7\r\n~3\r\n#t\r\n#f\r\n=8\r\ntxt:Some\r\n");
}

static void doubles_are_written_as_redis_does(void)
{
    static const struct {
        double number;
        const char *bulk;
        const char *plain;
    } doubles[] = {
        {0, "$1\r\n0\r\n", ",0\r\n"},
        {-1.5, "$4\r\n-1.5\r\n", ",-1.5\r\n"},
        {0.1, "$19\r\n0.10000000000000001\r\n", ",0.10000000000000001\r\n"},
        {1e300 * 1e300, "$3\r\ninf\r\n", ",inf\r\n"},
        {-INFINITY, "$4\r\n-inf\r\n", ",-inf\r\n"},
        {NAN, "$3\r\nnan\r\n", ",nan\r\n"},
        {-NAN, "$3\r\nnan\r\n", ",nan\r\n"},
        {1e17, "$5\r\n1e+17\r\n", ",1e+17\r\n"},
        {-DBL_MAX, "$24\r\n-1.7976931348623157e+308\r\n",
            ",-1.7976931348623157e+308\r\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(doubles); i++) {
        struct replies replies;
        resp_double(begin(&replies, 2), doubles[i].number);
        check_written(&replies, doubles[i].bulk);
        resp_double(begin(&replies, 3), doubles[i].number);
        check_written(&replies, doubles[i].plain);
    }
}

static void errors_are_one_line(void)
{
    struct replies replies;
    struct resp_reply *reply = begin(&replies, 2);
    resp_error(reply, "ERR unknown command '%s', %d", "a\r\nb\n", 7);
    resp_error(reply, "WRONGTYPE %%");
    resp_error(reply, "ERR Unsupported option %s", "\n\r\n");
    check_written(&replies,
        "-ERR unknown command 'a  b ', 7\r\n-WRONGTYPE %\r\n"
        "-ERR Unsupported option \r\n");
}

static void long_errors_are_cut(void)
{
    struct replies replies;
    char text[2 * RESP_ERROR_TEXT_MAX];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    struct resp_reply *reply = begin(&replies, 2);
    resp_error(reply, "%s", text);
    CHECK_INT(replies.buffer.size, 1 + RESP_ERROR_TEXT_MAX + 2);
    CHECK_BYTES(replies.buffer.bytes + 1, text, RESP_ERROR_TEXT_MAX);
    CHECK_BYTES(replies.buffer.bytes + replies.buffer.size - 2, "\r\n", 2);
    buffer_free(&replies.buffer);
}

static void write_every_kind(struct resp_reply *reply)
{
    resp_simple(reply, "OK");
    resp_error(reply, "ERR no");
    resp_number(reply, 1);
    resp_bulk(reply, "value", 5);
    resp_bulk_number(reply, 1);
    resp_double(reply, 1.5);
    resp_array(reply, 1);
    write_formed(reply);
}

/* At whatever byte the bound is met, nothing is written behind it, and nothing
 * that would fit goes on. */
static void a_reply_that_does_not_fit_fails(void)
{
    for (uint8_t version = 2; version <= 3; version++) {
        struct replies whole;
        write_every_kind(begin(&whole, version));
        REQUIRE(!whole.reply.failed);
        for (uint32_t max = 0; max < whole.buffer.size; max++) {
            struct replies replies;
            struct resp_reply *reply = begin(&replies, version);
            replies.buffer.max = max;
            write_every_kind(reply);
            REQUIRE(reply->failed);
            REQUIRE(replies.buffer.size <= max);
            uint32_t size = replies.buffer.size;
            replies.buffer.max = 1 << 16;
            write_every_kind(reply);
            REQUIRE(reply->failed && replies.buffer.size == size);
            if (size > 0) {
                CHECK_BYTES(replies.buffer.bytes, whole.buffer.bytes, size);
            }
            buffer_free(&replies.buffer);
        }
        buffer_free(&whole.buffer);
    }
}

static void sizes_beyond_all_bounds_fail(void)
{
    struct replies replies;
    struct resp_reply *reply = begin(&replies, 2);
    resp_bulk(reply, "", SIZE_MAX);
    CHECK(reply->failed);
    CHECK_INT(replies.buffer.size, 0);
    buffer_free(&replies.buffer);
}

static void the_number_of_elements_may_come_last(void)
{
    struct replies replies;
    struct resp_reply *reply = begin(&replies, 3);
    resp_simple(reply, "before");
    uint32_t at = replies.buffer.size;
    resp_number(reply, 1);
    resp_number(reply, 2);
    resp_array_at(reply, at, 2);
    resp_set_at(reply, replies.buffer.size, 0);
    at = replies.buffer.size;
    resp_bulk_text(reply, "a");
    resp_set_at(reply, at, 12);
    check_written(
        &replies, "+before\r\n*2\r\n:1\r\n:2\r\n~0\r\n~12\r\n$1\r\na\r\n");
}

static void the_number_that_comes_last_may_not_fit(void)
{
    struct replies replies;
    struct resp_reply *reply = begin(&replies, 2);
    while (!reply->failed) {
        resp_number(reply, 1);
    }
    resp_set_at(reply, 0, 12);
    CHECK(reply->failed);
    CHECK(replies.buffer.bytes[0] == ':');
    buffer_free(&replies.buffer);
}

const struct test_case test_resp_reply[] = {
    TEST_CASE(both_versions_have_these),
    TEST_CASE(bulks_hold_any_bytes),
    TEST_CASE(the_version_decides_the_form),
    TEST_CASE(doubles_are_written_as_redis_does),
    TEST_CASE(errors_are_one_line),
    TEST_CASE(long_errors_are_cut),
    TEST_CASE(a_reply_that_does_not_fit_fails),
    TEST_CASE(sizes_beyond_all_bounds_fail),
    TEST_CASE(the_number_of_elements_may_come_last),
    TEST_CASE(the_number_that_comes_last_may_not_fit),
    TEST_END,
};
