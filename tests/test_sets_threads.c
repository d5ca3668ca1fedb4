/* test_sets_threads.c: SISMEMBER, which takes no lock but buckets', beside who
 * changes the set. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "called.h"

enum {
    ROUNDS = 20000,
    TURN_EVERY = 8,
    AWAITED_EVERY = 1000, /* rounds: an answer came amid them */
    AWAITED_MS = 60000
};

/* Somebody else who asks "SISMEMBER s" for a member in the same store. */
struct other {
    struct storage *storage;
    struct batch *batch;
    const char *member;
    const char *expected;
    atomic_bool stop;
    atomic_uint_fast64_t asked;
    uint64_t wrong;
};

static void ask_once(struct other *other)
{
    struct batch *batch = other->batch;
    uint8_t member[KV_VALUE_MAX];
    size_t size = strlen(other->member);
    struct resp_arg args[] = {
        {(uint8_t *)(char[]){"SISMEMBER"}, 9},
        {(uint8_t *)(char[]){"s"}, 1},
        {member, (uint32_t)size},
    };
    memcpy(member, other->member, size);
    struct call call = {.args = args, .count = ARRAY_SIZE(args), .version = 2};
    char why[COMMAND_WHY_MAX];
    bool right = command_prepare(&call, why);
    batch->count = 1;
    batch->replies.size = 0;
    batch->ops[0] =
        (struct op){.call = &call, .verb = VERB_CALL, .state = OP_READ};
    storage_read(other->storage, batch);
    right =
        right && batch->replies.size == strlen(other->expected) &&
        memcmp(batch->replies.bytes, other->expected, batch->replies.size) == 0;
    other->wrong += right ? 0 : 1;
    atomic_fetch_add(&other->asked, 1);
}

static void *ask(void *context)
{
    struct other *other = context;
    while (!atomic_load(&other->stop)) {
        ask_once(other);
        if (atomic_load(&other->asked) % TURN_EVERY == 0) {
            (void)poll(NULL, 0, 1); /* under valgrind one runs at a time */
        }
    }
    return NULL;
}

/* False if it gets no more answers. */
static bool await_answer(const struct other *other)
{
    uint64_t before = atomic_load(&other->asked);
    for (int i = 0; i < AWAITED_MS; i++) {
        if (atomic_load(&other->asked) > before) {
            return true;
        }
        (void)poll(NULL, 0, 1);
    }
    return false;
}

/* Makes changes again and again, none of which changes the answer. */
static void check_answer(const char *const changes[], size_t count,
    const char *member, const char *expected)
{
    struct called called;
    struct other other = {.member = member, .expected = expected};
    pthread_t thread;
    called_open(&called, NULL, 100000);
    CHECK_TEXT(called_run(&called, "SADD s a b"), ":2");
    CHECK_TEXT(called_run(&called, "SADD t a c"), ":2");
    other.storage = called.storage;
    other.batch = calloc(1, sizeof *other.batch);
    REQUIRE(other.batch != NULL);
    other.batch->replies.max = BATCH_REPLIES_MAX;
    REQUIRE(pthread_create(&thread, NULL, ask, &other) == 0);
    bool answered = await_answer(&other);
    for (int i = 0; i < ROUNDS && answered; i++) {
        for (size_t j = 0; j < count; j++) {
            CHECK(*called_run(&called, changes[j]) != '-');
        }
        answered = i % AWAITED_EVERY != 0 || await_answer(&other);
    }
    atomic_store(&other.stop, true);
    REQUIRE(pthread_join(thread, NULL) == 0);
    CHECK(answered);
    CHECK_U64(other.wrong, 0);
    buffer_free(&other.batch->replies);
    free(other.batch);
    called_close(&called);
}

/* Its member is there all the while, but the set is another one each time, and
 * members of the old ones are taken away. */
static void a_member_stays_while_the_set_is_replaced(void)
{
    static const char *const changes[] = {
        "SUNIONSTORE s s t", "SINTERSTORE s s t"};
    check_answer(changes, ARRAY_SIZE(changes), "a", ":1\r\n");
}

static void a_member_stays_away_while_others_come_and_go(void)
{
    static const char *const changes[] = {
        "SADD s x y z", "SREM s x b", "SPOP s", "SADD s b"};
    check_answer(changes, ARRAY_SIZE(changes), "none", ":0\r\n");
}

const struct test_case test_sets_threads[] = {
    TEST_CASE(a_member_stays_while_the_set_is_replaced),
    TEST_CASE(a_member_stays_away_while_others_come_and_go),
    TEST_END,
};
