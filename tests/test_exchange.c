#include "compare/exchange.h"

#include <string.h>

#include "bytes.h"
#include "kv_store.h"
#include "resp/resp.h"
#include "support.h"
#include "wire.h"

enum { NUMBER = 12345678, OTHER_NUMBER = 12345687, SIZE = 32 };

static const char key[] = "key:000012345678";

enum { KEY_SIZE = sizeof key - 1 };

static const char *const protocols[] = {"native", "resp", "meta", "memcached"};

static struct exchange *make(
    struct exchange exchanges[EXCHANGE_KINDS], const char *protocol)
{
    REQUIRE(exchange_make(exchanges, protocol, SIZE));
    return exchanges;
}

/* The server's own parser finds in the native requests what they should say. */
static void native_requests_are_valid(void)
{
    struct exchange exchanges[EXCHANGE_KINDS];
    (void)make(exchanges, "native");
    for (size_t i = 0; i < EXCHANGE_KINDS; i++) {
        kv_message_t message;
        struct op op = {0};
        CHECK_INT(exchange_request(&exchanges[i], (uint8_t *)&message, NUMBER),
            sizeof message);
        wire_decode(&message, &op);
        CHECK_INT(message.type, i == EXCHANGE_GET ? KV_GET : KV_PUT);
        CHECK_INT(op.state, i == EXCHANGE_GET ? OP_READ : OP_COMMIT);
        CHECK_INT(message.value_len, i == EXCHANGE_GET ? 0 : SIZE);
        CHECK_BYTES(message.key, key, sizeof key);
    }
}

static void resp_requests_are_valid(void)
{
    static const char *const names[] = {
        [EXCHANGE_GET] = "GET", [EXCHANGE_SET] = "SET"};
    struct exchange exchanges[EXCHANGE_KINDS];
    struct resp_arg args[RESP_ARGS_MAX];
    (void)make(exchanges, "resp");
    for (size_t i = 0; i < EXCHANGE_KINDS; i++) {
        uint8_t bytes[EXCHANGE_MAX];
        struct resp_scan scan = {0};
        struct resp_request request = {.args = args};
        size_t size = exchange_request(&exchanges[i], bytes, NUMBER);
        REQUIRE(resp_parse(&scan, bytes, size, &request) == RESP_REQUEST);
        CHECK_INT(request.used, size);
        REQUIRE(request.count == (i == EXCHANGE_GET ? 2 : 3));
        CHECK_INT(args[0].size, strlen(names[i]));
        CHECK_BYTES(args[0].bytes, names[i], args[0].size);
        CHECK_INT(args[1].size, KEY_SIZE);
        CHECK_BYTES(args[1].bytes, key, args[1].size);
        CHECK_INT(i == EXCHANGE_GET ? SIZE : args[2].size, SIZE);
    }
}

/* What a server answers that was asked to set, and now is asked to get. */
static void write_reply(const struct exchange exchanges[EXCHANGE_KINDS],
    enum exchange_kind kind, uint8_t *reply)
{
    const struct exchange_text *text = &exchanges[kind].hit;
    const struct exchange *set = &exchanges[EXCHANGE_SET];
    uint8_t request[EXCHANGE_MAX];
    (void)exchange_request(set, request, NUMBER);
    memcpy(reply, text->bytes, text->size);
    if (text->key_at > 0) {
        memcpy(reply + text->key_at, key, KEY_SIZE);
    }
    if (text->value_at > 0) {
        memcpy(reply + text->value_at, request + set->request.value_at, SIZE);
    }
}

static void check_other(
    const struct exchange *exchange, uint64_t number, const uint8_t *reply)
{
    enum exchange_found found = EXCHANGE_HIT;
    CHECK_INT(
        exchange_reply(exchange, number, reply, exchange->hit.size, &found), 0);
    CHECK_INT(found, EXCHANGE_OTHER);
}

enum { CASES = ARRAY_SIZE(protocols) * EXCHANGE_KINDS };

/* Exchange and reply of case number i, 0..CASES-1. */
struct answered {
    struct exchange exchanges[EXCHANGE_KINDS];
    const struct exchange *exchange; /* one of them */
    uint8_t reply[EXCHANGE_MAX];
};

static void answer(struct answered *answered, size_t i)
{
    enum exchange_kind kind = (enum exchange_kind)(i % EXCHANGE_KINDS);
    answered->exchange =
        &make(answered->exchanges, protocols[i / EXCHANGE_KINDS])[kind];
    write_reply(answered->exchanges, kind, answered->reply);
}

static void a_reply_is_found_once_it_is_whole(void)
{
    for (size_t i = 0; i < CASES; i++) {
        struct answered answered;
        answer(&answered, i);
        size_t whole = answered.exchange->hit.size;
        for (size_t size = 0; size <= whole; size++) {
            enum exchange_found found = EXCHANGE_OTHER;
            CHECK_INT(exchange_reply(answered.exchange, NUMBER, answered.reply,
                          size, &found),
                size == whole ? size : 0);
            CHECK_INT(found, EXCHANGE_HIT);
        }
    }
}

static void a_reply_to_something_else_is_refused(void)
{
    for (size_t i = 0; i < CASES; i++) {
        struct answered answered;
        answer(&answered, i);
        const struct exchange_text *hit = &answered.exchange->hit;
        if (hit->key_at > 0 || hit->value_at > 0) {
            check_other(answered.exchange, OTHER_NUMBER, answered.reply);
        }
        REQUIRE(hit->head > 0);
        for (size_t at = 0; at < hit->head; at++) {
            answered.reply[at] ^= 0x40;
            check_other(answered.exchange, NUMBER, answered.reply);
            answered.reply[at] ^= 0x40;
        }
    }
}

static void a_miss_is_no_error(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        struct exchange exchanges[EXCHANGE_KINDS];
        const struct exchange *get =
            &make(exchanges, protocols[i])[EXCHANGE_GET];
        uint8_t reply[EXCHANGE_MAX];
        enum exchange_found found = EXCHANGE_HIT;
        memcpy(reply, get->miss.bytes, get->miss.size);
        if (get->miss.key_at > 0) {
            memcpy(reply + get->miss.key_at, key, KEY_SIZE);
        }
        CHECK_INT(exchange_reply(get, NUMBER, reply, get->miss.size, &found),
            get->miss.size);
        CHECK_INT(found, EXCHANGE_MISS);
    }
}

static void sizes_and_names_have_limits(void)
{
    struct exchange exchanges[EXCHANGE_KINDS];
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        CHECK(exchange_make(exchanges, protocols[i], EXCHANGE_STAMP));
        CHECK(exchange_make(exchanges, protocols[i], KV_VALUE_MAX));
        CHECK(!exchange_make(exchanges, protocols[i], EXCHANGE_STAMP - 1));
        CHECK(!exchange_make(exchanges, protocols[i], KV_VALUE_MAX + 1));
    }
    CHECK(!exchange_make(exchanges, "http", SIZE));
}

const struct test_case test_exchange[] = {
    TEST_CASE(native_requests_are_valid),
    TEST_CASE(resp_requests_are_valid),
    TEST_CASE(a_reply_is_found_once_it_is_whole),
    TEST_CASE(a_reply_to_something_else_is_refused),
    TEST_CASE(a_miss_is_no_error),
    TEST_CASE(sizes_and_names_have_limits),
    TEST_END,
};
