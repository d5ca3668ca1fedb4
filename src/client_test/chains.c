/* chains.c: linked messages: all or none. */
#include "client_test/test.h"

#include <string.h>

#include "bytes.h"

static void all(struct test *test)
{
    test_wants_chain(test,
        (const struct step[]){{{KV_PUT, "ca", "1"}, KV_SUCCESS},
            {{KV_PUT, "cb", "2"}, KV_SUCCESS},
            {{KV_ADD, "cc", "3"}, KV_SUCCESS},
            {{KV_DELETE, "ca", ""}, KV_SUCCESS}},
        4);
    test_wants(test, (struct ask){KV_GET, "ca", ""}, KV_NOT_FOUND);
    test_wants_text(test, (struct ask){KV_GET, "cb", ""}, "2");
    test_wants_text(test, (struct ask){KV_GET, "cc", ""}, "3");
}

static void none(struct test *test)
{
    test_wants(test, (struct ask){KV_PUT, "na", "old"}, KV_SUCCESS);
    test_wants_chain(test,
        (const struct step[]){{{KV_PUT, "na", "new"}, KV_ABORTED},
            {{KV_PUT, "nb", "new"}, KV_ABORTED},
            {{KV_ADD, "nc", "1"}, KV_ABORTED},
            {{KV_EXPECT, "na", "other"}, KV_MISMATCH},
            {{KV_DELETE, "na", ""}, KV_ABORTED}},
        5);
    test_wants_text(test, (struct ask){KV_GET, "na", ""}, "old");
    test_wants(test, (struct ask){KV_GET, "nb", ""}, KV_NOT_FOUND);
    test_wants(test, (struct ask){KV_GET, "nc", ""}, KV_NOT_FOUND);
}

/* Each way in which a member can fail; the record before it stays out. */
static void each_failure(struct test *test)
{
    static const struct step failures[] = {
        {{KV_ADD, "text", "1"}, KV_NOT_A_NUMBER},
        {{KV_ADD, "most", "1"}, KV_OVERFLOW},
        {{KV_EXPECT_ABSENT, "text", ""}, KV_MISMATCH},
        {{KV_EXPECT, "text", "x"}, KV_MISMATCH},
        {{KV_EXPIRE, "text", "never"}, KV_INVALID},
        {{KV_BACKUP, NULL, ""}, KV_INVALID},
        {{KV_AUTH, NULL, "x"}, KV_INVALID},
    };
    test_wants(test, (struct ask){KV_PUT, "text", "t"}, KV_SUCCESS);
    test_wants(
        test, (struct ask){KV_PUT, "most", "9223372036854775807"}, KV_SUCCESS);
    for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
        struct step steps[] = {{{KV_PUT, "out", "1"}, KV_ABORTED}, failures[i],
            {{KV_PUT, "after", "1"}, KV_ABORTED}};
        test_wants_chain(test, steps, ARRAY_SIZE(steps));
        test_wants(test, (struct ask){KV_GET, "out", ""}, KV_NOT_FOUND);
        test_wants(test, (struct ask){KV_GET, "after", ""}, KV_NOT_FOUND);
    }
}

static void sees_itself(struct test *test)
{
    kv_message_t messages[] = {
        test_message(test, (struct ask){KV_PUT, "s", "1"}),
        test_message(test, (struct ask){KV_GET, "s", ""}),
        test_message(test, (struct ask){KV_ADD, "s", "4"}),
        test_message(test, (struct ask){KV_GET, "s", ""}),
    };
    test_link(messages, ARRAY_SIZE(messages));
    if (test_execute(test, messages, ARRAY_SIZE(messages))) {
        test_wants_bytes(test, "GET after PUT", &messages[1], "1", 1);
        test_wants_bytes(test, "ADD after PUT", &messages[2], "5", 1);
        test_wants_bytes(test, "GET after ADD", &messages[3], "5", 1);
    }
}

static void longest(struct test *test)
{
    kv_message_t messages[KV_CHAIN_MAX];
    char name[] = "l00";
    for (unsigned i = 0; i < KV_CHAIN_MAX; i++) {
        name[1] = (char)('0' + i / 10);
        name[2] = (char)('0' + i % 10);
        messages[i] = test_message(test, (struct ask){KV_PUT, name, name});
    }
    test_link(messages, KV_CHAIN_MAX);
    if (test_execute(test, messages, KV_CHAIN_MAX)) {
        for (size_t i = 0; i < KV_CHAIN_MAX; i++) {
            test_wants_reply(test, "member", &messages[i], KV_SUCCESS);
        }
    }
    test_wants_text(test, (struct ask){KV_GET, "l00", ""}, "l00");
    test_wants_text(test, (struct ask){KV_GET, "l63", ""}, "l63");
}

static void too_long(struct test *test)
{
    enum { MEMBERS = KV_CHAIN_MAX + 1 };
    kv_message_t messages[MEMBERS];
    for (size_t i = 0; i < MEMBERS; i++) {
        messages[i] = test_message(test, (struct ask){KV_ADD, "long", "1"});
    }
    test_link(messages, MEMBERS);
    if (test_execute(test, messages, MEMBERS)) {
        test_wants_reply(test, "first of 65", &messages[0], KV_INVALID);
        for (size_t i = 1; i < MEMBERS; i++) {
            test_wants_reply(test, "next of 65", &messages[i], KV_ABORTED);
        }
    }
    test_wants(test, (struct ask){KV_GET, "long", ""}, KV_NOT_FOUND);
}

static void compare_and_set(struct test *test)
{
    test_wants(test, (struct ask){KV_PUT, "cas", "1"}, KV_SUCCESS);
    test_wants_chain(test,
        (const struct step[]){{{KV_EXPECT, "cas", "1"}, KV_SUCCESS},
            {{KV_PUT, "cas", "2"}, KV_SUCCESS}},
        2);
    test_wants_chain(test,
        (const struct step[]){{{KV_EXPECT, "cas", "1"}, KV_MISMATCH},
            {{KV_PUT, "cas", "3"}, KV_ABORTED}},
        2);
    test_wants_text(test, (struct ask){KV_GET, "cas", ""}, "2");
}

static void lock(struct test *test)
{
    static const struct ask free = {KV_EXPECT_ABSENT, "lock", ""};
    test_wants_chain(test,
        (const struct step[]){{free, KV_SUCCESS},
            {{KV_PUT, "lock", "me"}, KV_SUCCESS},
            {{KV_EXPIRE, "lock", "100000"}, KV_SUCCESS}},
        3);
    test_wants_chain(test,
        (const struct step[]){{free, KV_MISMATCH},
            {{KV_PUT, "lock", "you"}, KV_ABORTED},
            {{KV_EXPIRE, "lock", "100000"}, KV_ABORTED}},
        3);
    test_wants_text(test, (struct ask){KV_GET, "lock", ""}, "me");
    test_wants(test, (struct ask){KV_EXPIRE, "lock", "50"}, KV_SUCCESS);
    test_wants_gone(test, "lock");
    test_wants_chain(test,
        (const struct step[]){
            {free, KV_SUCCESS}, {{KV_PUT, "lock", "you"}, KV_SUCCESS}},
        2);
    test_wants_text(test, (struct ask){KV_GET, "lock", ""}, "you");
}

static void put_expire(struct test *test)
{
    test_wants_chain(test,
        (const struct step[]){{{KV_PUT, "pe", "1"}, KV_SUCCESS},
            {{KV_EXPIRE, "pe", "100000"}, KV_SUCCESS}},
        2);
    kv_message_t ttl = test_ask(test, (struct ask){KV_TTL, "pe", ""});
    test_wants_reply(test, "TTL", &ttl, KV_SUCCESS);
    if (ttl.value[0] == '-') {
        test_fail(test, "TTL: got -1, wanted up to 100000");
    }
    /* The expiry of a chain that failed is not there either. */
    test_wants(test, (struct ask){KV_PERSIST, "pe", ""}, KV_SUCCESS);
    test_wants_chain(test,
        (const struct step[]){{{KV_EXPIRE, "pe", "1"}, KV_ABORTED},
            {{KV_EXPECT_ABSENT, "pe", ""}, KV_MISMATCH}},
        2);
    test_wants_text(test, (struct ask){KV_TTL, "pe", ""}, "-1");
}

const struct check test_chains[] = {{"chain: all", all},
    {"chain: none, if a member fails; the others are aborted", none},
    {"chain: none, whichever way a member fails", each_failure},
    {"chain: a member sees what those before it did", sees_itself},
    {"chain: 64 members", longest}, {"chain: 65 are refused", too_long},
    {"chain: compare and set", compare_and_set},
    {"chain: a lock that goes away by itself", lock},
    {"chain: put with an expiry", put_expire}, {NULL, NULL}};
