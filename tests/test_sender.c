/* test_sender.c: items on their way to servers that answer, refuse and fail:
 * which of them count as imported. */
#include "client_transfer/sender.h"
#include "fake.h"
#include "support.h"

#include <signal.h>
#include <string.h>

#include "clock.h"

enum { LONG_MS = 20000, ITEM_BYTES = 100, HOUR_MS = 3600 * 1000 };

struct sending {
    struct fake fake;
    struct program program;
    struct sender sender;
};

static struct sending *begin(const struct fake_step *steps, size_t count)
{
    struct sending *sending = calloc(1, sizeof *sending);
    REQUIRE(sending != NULL);
    fake_start(&sending->fake, steps, count);
    sending->program.client = kv_client_create("127.0.0.1", sending->fake.port);
    REQUIRE(sending->program.client != NULL);
    kv_client_set_timeout(sending->program.client, LONG_MS);
    sending->sender.program = &sending->program;
    sending->sender.signals = transfer_signals();
    REQUIRE(sending->sender.signals >= 0);
    return sending;
}

static void end(struct sending *sending)
{
    kv_client_destroy(sending->program.client);
    fake_end(&sending->fake);
    free(sending);
}

/* Items "a", "b", ...; each of 100 bytes of the file, on a line of its own. */
static void add(struct sending *sending, const char *keys, int64_t ttl_ms)
{
    for (size_t i = 0; keys[i] != '\0'; i++) {
        struct item item = {.key_len = 1};
        struct sender_mark mark = {.line = i + 1,
            .bytes = (i + 1) * ITEM_BYTES,
            .crc = (uint32_t)i,
            .expired = i};
        item.key[0] = (uint8_t)keys[i];
        item.expire_at_ms = ttl_ms == 0 ? 0 : clock_wall_ms() + ttl_ms;
        REQUIRE(sender_has_room(&sending->sender, &item));
        sender_add(&sending->sender, &item, &mark);
    }
}

static void check_done(const struct sending *sending, uint64_t items)
{
    const struct resume *done = &sending->sender.done;
    CHECK_U64(done->imported + done->kept, items);
    CHECK_U64(done->bytes, items * ITEM_BYTES);
    CHECK_U64(done->expired, items == 0 ? 0 : items - 1);
    CHECK_U64(sending->sender.count, 0);
}

static void check_failed(
    const struct sending *sending, uint64_t items, const char *why)
{
    check_done(sending, items);
    CHECK_U64(sending->sender.line, items + 1);
    if (strstr(sending->sender.why, why) == NULL) {
        CHECK_TEXT(sending->sender.why, why);
    }
}

static void all_is_settled(void)
{
    struct sending *sending = begin(&(struct fake_step){FAKE_ANSWER, 0}, 1);
    CHECK_INT(sender_flush(&sending->sender), PROGRAM_YES);
    add(sending, "abc", 0);
    CHECK_INT(sender_flush(&sending->sender), PROGRAM_YES);
    check_done(sending, 3);
    add(sending, "abcd", HOUR_MS);
    CHECK_INT(sender_flush(&sending->sender), PROGRAM_YES);
    CHECK_U64(sending->sender.done.imported, 7);
    end(sending);
}

static void a_batch_has_room_for_whole_chains(void)
{
    struct sending *sending = begin(&(struct fake_step){FAKE_ANSWER, 0}, 1);
    struct item item = {.key = "k", .key_len = 1, .expire_at_ms = INT64_MAX};
    struct sender_mark mark = {.line = 1, .bytes = ITEM_BYTES};
    size_t count = 0;
    sending->sender.keep_existing = true;
    for (; sender_has_room(&sending->sender, &item); count++) {
        sender_add(&sending->sender, &item, &mark);
    }
    CHECK_INT(count, TRANSFER_MESSAGES_MAX / 3);
    CHECK_INT(sender_flush(&sending->sender), PROGRAM_YES);
    CHECK_U64(sending->sender.done.imported, count);
    end(sending);
}

static void what_was_not_answered_does_not_count(void)
{
    for (unsigned answers = 0; answers < 5; answers++) {
        struct sending *sending =
            begin(&(struct fake_step){FAKE_CLOSE, answers}, 1);
        add(sending, "abcde", 0);
        CHECK_INT(sender_flush(&sending->sender), PROGRAM_LOST);
        check_failed(sending, answers, "it may or may not have been executed");
        end(sending);
    }
}

static void half_a_chain_does_not_count(void)
{
    for (unsigned answers = 0; answers < 6; answers++) {
        struct sending *sending =
            begin(&(struct fake_step){FAKE_CLOSE, answers}, 1);
        add(sending, "abc", HOUR_MS);
        CHECK_INT(sender_flush(&sending->sender), PROGRAM_LOST);
        check_failed(
            sending, answers / 2, "it may or may not have been executed");
        end(sending);
    }
}

static void what_is_refused_ends_it(void)
{
    struct sending *sending = begin(&(struct fake_step){FAKE_ANSWER, 0}, 1);
    add(sending, "ab!de", 0);
    CHECK_INT(sender_flush(&sending->sender), PROGRAM_REFUSED);
    check_failed(sending, 2, "PUT: not here");
    end(sending);
}

static void a_busy_server_is_asked_again(void)
{
    static const struct fake_step away[] = {{FAKE_BUSY, 0}, {FAKE_ANSWER, 0}};
    struct sending *sending = begin(away, 2);
    add(sending, "abc", 0);
    CHECK_INT(sender_flush(&sending->sender), PROGRAM_YES);
    check_done(sending, 3);
    end(sending);
}

/* All behind it are sent again, so that the last of two values stays. */
static void from_the_busy_one_on_all_are_sent_again(void)
{
    struct sending *sending = begin(&(struct fake_step){FAKE_LIMIT, 2}, 1);
    add(sending, "abcde", 0);
    CHECK_INT(sender_flush(&sending->sender), PROGRAM_YES);
    check_done(sending, 5);
    kv_client_destroy(sending->program.client);
    fake_end(&sending->fake);
    CHECK_INT(sending->fake.requests, 5 + 3);
    free(sending);
}

static void a_signal_ends_the_waiting(void)
{
    struct sending *sending = begin(&(struct fake_step){FAKE_LIMIT, 1}, 1);
    add(sending, "abc", 0);
    REQUIRE(raise(SIGTERM) == 0);
    CHECK_INT(sender_flush(&sending->sender), PROGRAM_LOCAL);
    CHECK(sending->sender.interrupted);
    check_done(sending, 1);
    end(sending);
}

const struct test_case test_sender[] = {
    TEST_CASE(all_is_settled),
    TEST_CASE(a_batch_has_room_for_whole_chains),
    TEST_CASE(what_was_not_answered_does_not_count),
    TEST_CASE(half_a_chain_does_not_count),
    TEST_CASE(what_is_refused_ends_it),
    TEST_CASE(a_busy_server_is_asked_again),
    TEST_CASE(from_the_busy_one_on_all_are_sent_again),
    TEST_CASE(a_signal_ends_the_waiting),
    TEST_END,
};
