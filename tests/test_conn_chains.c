/* How linked messages become operations, in whatever parts they arrive.  No
 * socket is needed for that. */
#include "conn/conn.h"
#include "support.h"

#include <stdlib.h>

/* What a worker would have for a connection. */
struct fixture {
    struct conn conn;
    uint8_t *bytes; /* CONN_ROOM */
    size_t held;    /* of them, not used yet */
    struct batch *batch;
    struct conn_intake intake;
};

static void set_up(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->bytes = aligned_alloc(CACHE_LINE, CONN_ROOM);
    fixture->batch = calloc(1, sizeof *fixture->batch);
    REQUIRE(fixture->bytes != NULL && fixture->batch != NULL);
}

static void tear_down(struct fixture *fixture)
{
    free(fixture->bytes);
    free(fixture->batch);
}

/* Decodes what arrives behind what was left.  Returns how many operations there
 * are; they stand until the next call. */
static uint32_t take_in(struct fixture *fixture, const void *bytes, size_t size)
{
    size_t used = fixture->intake.used;
    memmove(fixture->bytes, fixture->bytes + used, fixture->held);
    REQUIRE(fixture->held + size <= CONN_ROOM);
    memcpy(fixture->bytes + fixture->held, bytes, size);
    fixture->held += size;
    fixture->batch->count = 0;
    conn_decode(&fixture->conn, fixture->bytes, fixture->held, fixture->batch,
        &fixture->intake);
    REQUIRE(fixture->intake.used <= fixture->held);
    fixture->held -= fixture->intake.used;
    return fixture->batch->count;
}

static kv_message_t request(int type, const char *key)
{
    kv_message_t message;
    CHECK_INT(kv_message_fill(&message, type, key, strlen(key), "1", 1), 0);
    return message;
}

/* count messages, all linked but the last. */
static void fill_chain(kv_message_t *messages, size_t count, int type)
{
    for (size_t i = 0; i < count; i++) {
        int linked = i + 1 < count ? KV_LINKED : 0;
        messages[i] = request(type | linked, "link");
    }
}

static bool all_in_state(
    const struct batch *batch, uint32_t from, uint32_t to, int state)
{
    for (uint32_t i = from; i < to; i++) {
        if (batch->ops[i].state != state) {
            return false;
        }
    }
    return true;
}

/* However a chain arrives, it becomes operations all at once. */
static void a_chain_may_be_split_anywhere(void)
{
    enum { CHAIN = 3 };
    kv_message_t messages[CHAIN + 1];
    const uint8_t *bytes = (const uint8_t *)messages;
    fill_chain(messages, CHAIN, KV_PUT);
    messages[CHAIN] = request(KV_GET, "after");
    for (size_t split = 1; split < sizeof messages; split++) {
        struct fixture fixture;
        set_up(&fixture);
        uint32_t first = take_in(&fixture, bytes, split);
        CHECK_INT(first, split < CHAIN * KV_MESSAGE_SIZE ? 0 : CHAIN);
        uint32_t second =
            take_in(&fixture, bytes + split, sizeof messages - split);
        CHECK_INT(first + second, CHAIN + 1);
        if (second == CHAIN + 1) {
            CHECK(all_in_state(fixture.batch, 0, CHAIN + 1, OP_COMMIT));
            CHECK(fixture.batch->ops[CHAIN - 2].linked);
            CHECK(!fixture.batch->ops[CHAIN - 1].linked);
            CHECK_BYTES(
                fixture.batch->ops[0].message, messages, sizeof messages);
        }
        tear_down(&fixture);
    }
}

static void the_longest_chain_is_taken_byte_by_byte(void)
{
    struct fixture fixture;
    kv_message_t messages[KV_CHAIN_MAX];
    const uint8_t *byte = (const uint8_t *)messages;
    fill_chain(messages, KV_CHAIN_MAX, KV_GET);
    set_up(&fixture);
    for (size_t i = 0; i + 1 < sizeof messages; i++) {
        REQUIRE(take_in(&fixture, byte + i, 1) == 0);
    }
    REQUIRE(take_in(&fixture, byte + sizeof messages - 1, 1) == KV_CHAIN_MAX);
    CHECK(all_in_state(fixture.batch, 0, KV_CHAIN_MAX, OP_COMMIT));
    CHECK_BYTES(fixture.batch->ops[0].message, messages, sizeof messages);
    tear_down(&fixture);
}

/* Decodes a chain of length messages and a GET behind it, which arrive in parts
 * of part bytes; writes the status of each reply. */
static void run_long_chain(size_t length, size_t part, uint8_t *statuses)
{
    struct fixture fixture;
    kv_message_t *messages = calloc(length + 1, sizeof *messages);
    size_t size = (length + 1) * sizeof *messages;
    size_t done = 0;
    REQUIRE(messages != NULL);
    fill_chain(messages, length, KV_PUT);
    messages[length] = request(KV_GET, "after");
    set_up(&fixture);
    for (size_t at = 0; at < size; at += part) {
        size_t here = u64_min(part, size - at);
        uint32_t count =
            take_in(&fixture, (const uint8_t *)messages + at, here);
        REQUIRE(done + count <= length + 1);
        for (uint32_t i = 0; i < count; i++) {
            const struct op *op = &fixture.batch->ops[i];
            statuses[done++] = op->message->status;
            CHECK(op->state == OP_REFUSED || done == length + 1);
            CHECK(!op->linked);
        }
        CHECK(fixture.held < KV_CHAIN_MAX * KV_MESSAGE_SIZE);
    }
    CHECK_INT(done, length + 1);
    CHECK(!fixture.conn.skipping);
    free(messages);
    tear_down(&fixture);
}

static void a_longer_chain_is_refused_to_its_end(void)
{
    const size_t lengths[] = {KV_CHAIN_MAX + 1, KV_CHAIN_MAX + 2, 200};
    const size_t parts[] = {100, KV_MESSAGE_SIZE, 1000, 20000, 58000};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(parts); j++) {
            uint8_t statuses[256];
            memset(statuses, 0xff, sizeof statuses);
            run_long_chain(lengths[i], parts[j], statuses);
            CHECK_INT(statuses[0], KV_INVALID);
            for (size_t at = 1; at < lengths[i]; at++) {
                CHECK_INT(statuses[at], KV_ABORTED);
            }
            CHECK_INT(statuses[lengths[i]], 0);
        }
    }
}

static void a_chain_with_a_lone_verb_tells_which(void)
{
    struct fixture fixture;
    kv_message_t messages[] = {request(KV_PUT | KV_LINKED, "a"),
        request(KV_STATS | KV_LINKED, ""), request(KV_SCAN, "")};
    messages[2].value_len = 0;
    memset(messages[2].value, 0, KV_VALUE_MAX);
    set_up(&fixture);
    REQUIRE(
        take_in(&fixture, messages, sizeof messages) == ARRAY_SIZE(messages));
    CHECK(!fixture.intake.lone);
    CHECK_INT(fixture.batch->ops[0].state, OP_COMMIT);
    CHECK(all_in_state(fixture.batch, 1, 3, OP_REFUSED));
    CHECK(fixture.batch->ops[1].linked);
    for (size_t i = 1; i < 3; i++) {
        CHECK_INT(fixture.batch->ops[i].message->status, KV_INVALID);
    }
    CHECK_INT(fixture.intake.refused, 2);
    tear_down(&fixture);
}

/* The commit sees each member, or it could not abort the chain. */
static void a_refused_message_stays_in_its_chain(void)
{
    struct fixture fixture;
    kv_message_t messages[] = {request(31 | KV_LINKED, "a"),
        request(KV_GET, "a"), request(KV_GET, "b")};
    set_up(&fixture);
    REQUIRE(
        take_in(&fixture, messages, sizeof messages) == ARRAY_SIZE(messages));
    CHECK_INT(fixture.batch->ops[0].state, OP_REFUSED);
    CHECK(fixture.batch->ops[0].linked);
    CHECK(all_in_state(fixture.batch, 1, 3, OP_COMMIT));
    tear_down(&fixture);
}

const struct test_case test_conn_chains[] = {
    TEST_CASE(a_chain_may_be_split_anywhere),
    TEST_CASE(the_longest_chain_is_taken_byte_by_byte),
    TEST_CASE(a_longer_chain_is_refused_to_its_end),
    TEST_CASE(a_chain_with_a_lone_verb_tells_which),
    TEST_CASE(a_refused_message_stays_in_its_chain),
    TEST_END,
};
