/* test_linear.c: the checker of histories, on histories written by hand. */
#include "support.h"
#include "torture/linear.h"

#include <inttypes.h>
#include <string.h>

enum {
    NEVER = -1,
    OPS_MAX = 32,
    WORLDS_MAX = 4096,
    A = 0,
    B = 1,
    C = 2,
    D = 3,
    E = 4
};

/* ---- Histories ----------------------------------------------------------- */

struct story {
    struct linear_op ops[OPS_MAX];
    uint32_t count;
};

/* An operation of one step, from call to returned; a session of its own. */
static struct linear_op *tell(struct story *story, int64_t call,
    int64_t returned, struct linear_step step)
{
    REQUIRE(story->count < OPS_MAX);
    struct linear_op *op = &story->ops[story->count];
    *op = (struct linear_op){.call_ns = call,
        .return_ns = returned == NEVER ? INT64_MAX : returned,
        .session = story->count,
        .open = returned == NEVER,
        .length = 1,
        .steps[0] = step};
    story->count++;
    return op;
}

/* One more step of the chain. */
static void link_step(struct linear_op *op, struct linear_step step)
{
    REQUIRE(op->length < LINEAR_STEPS_MAX);
    op->steps[op->length++] = step;
}

static struct linear_step put(uint8_t key, int64_t text)
{
    return (struct linear_step){
        .verb = KV_PUT, .key = key, .argument = linear_text(text)};
}

/* text 0: there is none. */
static struct linear_step get(uint8_t key, int64_t text)
{
    return (struct linear_step){.verb = KV_GET,
        .key = key,
        .status = text == 0 ? KV_NOT_FOUND : KV_SUCCESS,
        .result = text == 0 ? LINEAR_ABSENT : linear_text(text)};
}

static struct linear_step expect(uint8_t key, int64_t text, kv_error_t status)
{
    return (struct linear_step){.verb = KV_EXPECT,
        .status = (uint8_t)status,
        .key = key,
        .argument = linear_text(text)};
}

static struct linear_step plain(int verb, uint8_t key, kv_error_t status)
{
    return (struct linear_step){
        .verb = (uint8_t)verb, .key = key, .status = (uint8_t)status};
}

static struct linear_step absent(uint8_t key)
{
    return plain(KV_EXPECT_ABSENT, key, KV_SUCCESS);
}

static struct linear_step sum(uint8_t key, int64_t delta, int64_t result)
{
    return (struct linear_step){.verb = KV_ADD,
        .key = key,
        .argument = delta,
        .result = linear_number(result)};
}

static struct linear_step of_status(struct linear_step step, kv_error_t status)
{
    step.status = (uint8_t)status;
    return step;
}

static void check(const struct story *story, enum linear_verdict verdict)
{
    struct linear_result result;
    linear_check(story->ops, story->count, WORLDS_MAX, &result);
    CHECK_TEXT(result.why, "");
    CHECK_INT(result.verdict, verdict);
}

/* ---- One key ------------------------------------------------------------- */

static void nothing_is_linearizable(void)
{
    struct story story = {.count = 0};
    check(&story, LINEAR_YES);
}

static void one_after_the_other(void)
{
    struct story story = {.count = 0};
    tell(&story, 0, 1, get(A, 0));
    tell(&story, 2, 3, put(A, 1));
    tell(&story, 4, 5, get(A, 1));
    tell(&story, 6, 7, plain(KV_DELETE, A, KV_SUCCESS));
    tell(&story, 8, 9, plain(KV_DELETE, A, KV_NOT_FOUND));
    tell(&story, 10, 11, plain(KV_EXISTS, A, KV_NOT_FOUND));
    tell(&story, 12, 13, sum(A, 5, 5));
    tell(&story, 14, 15, sum(A, -7, -2));
    tell(&story, 16, 17, put(A, 2));
    tell(&story, 18, 19, of_status(sum(A, 1, 0), KV_NOT_A_NUMBER));
    story.ops[9].steps[0].result = 0;
    tell(&story, 20, 21, plain(KV_EXISTS, A, KV_SUCCESS));
    tell(&story, 22, 23, plain(KV_EXPECT_ABSENT, A, KV_MISMATCH));
    tell(&story, 24, 25, expect(A, 2, KV_SUCCESS));
    check(&story, LINEAR_YES);
}

static void a_stale_read_is_found(void)
{
    struct story story = {.count = 0};
    tell(&story, 0, 1, put(A, 1));
    tell(&story, 2, 3, put(A, 2));
    tell(&story, 4, 5, get(A, 1));
    check(&story, LINEAR_NO);
    story.ops[2].call_ns = 3; /* in the instant in which the PUT returned */
    check(&story, LINEAR_YES);
}

static void a_read_may_see_either_of_two_writes(void)
{
    struct story story = {.count = 0};
    tell(&story, 0, 10, put(A, 1));
    tell(&story, 0, 10, put(A, 2));
    tell(&story, 11, 12, get(A, 1));
    tell(&story, 13, 14, get(A, 1));
    check(&story, LINEAR_YES);
    story.ops[2].steps[0] = get(A, 2);
    check(&story, LINEAR_NO);
}

static void readers_agree_on_the_order(void)
{
    struct story story = {.count = 0};
    tell(&story, 0, 20, put(A, 1));
    tell(&story, 0, 20, put(A, 2));
    tell(&story, 1, 2, get(A, 1));
    tell(&story, 3, 4, get(A, 2));
    check(&story, LINEAR_YES);
    tell(&story, 5, 6, get(A, 1));
    check(&story, LINEAR_NO);
}

static void a_read_of_what_comes_later_is_found(void)
{
    struct story story = {.count = 0};
    tell(&story, 0, 1, get(A, 1));
    tell(&story, 2, 3, put(A, 1));
    check(&story, LINEAR_NO);
}

static void what_nobody_wrote_is_found(void)
{
    struct story story = {.count = 0};
    tell(&story, 0, 5, put(A, 1));
    tell(&story, 0, 5, get(A, 1));
    story.ops[1].steps[0].result = LINEAR_STRANGE;
    check(&story, LINEAR_NO);
}

static void a_lost_update_is_found(void)
{
    struct story story = {.count = 0};
    tell(&story, 0, 10, sum(A, 1, 1));
    tell(&story, 0, 10, sum(A, 1, 2));
    check(&story, LINEAR_YES);
    story.ops[1].steps[0] = sum(A, 1, 1);
    check(&story, LINEAR_NO);
}

/* The chain could be first and change nothing; but it made the record again. */
static void what_may_change_nothing_may_wait(void)
{
    struct story story = {.count = 0};
    tell(&story, 0, 1, sum(A, 0, 0));
    tell(&story, 2, 20, plain(KV_DELETE, A, KV_SUCCESS));
    struct linear_op *op = tell(&story, 2, 20, sum(A, -5, -5));
    link_step(op, sum(A, 5, 0));
    tell(&story, 21, 22, plain(KV_EXISTS, A, KV_SUCCESS));
    check(&story, LINEAR_YES);
}

static void of_two_who_compare_one_sets(void)
{
    struct story story = {.count = 0};
    tell(&story, 0, 1, put(A, 1));
    for (int64_t text = 2; text <= 3; text++) {
        struct linear_op *op = tell(&story, 2, 10, expect(A, 1, KV_SUCCESS));
        link_step(op, put(A, text));
    }
    check(&story, LINEAR_NO);
    story.ops[2].steps[0].status = KV_MISMATCH;
    check(&story, LINEAR_NO); /* the PUT cannot have succeeded */
    story.ops[2].steps[1].status = KV_ABORTED;
    check(&story, LINEAR_YES);
    tell(&story, 11, 12, get(A, 3));
    check(&story, LINEAR_NO);
}

/* ---- Sessions ------------------------------------------------------------ */

static void a_session_has_an_order(void)
{
    struct story story = {.count = 0};
    tell(&story, 0, 10, put(A, 1))->session = 7;
    tell(&story, 0, 10, get(A, 0))->session = 7;
    check(&story, LINEAR_NO);
    story.ops[1].session = 8;
    check(&story, LINEAR_YES);
    story.ops[0].session = LINEAR_NO_SESSION;
    story.ops[1].session = LINEAR_NO_SESSION;
    check(&story, LINEAR_YES);
}

/* ---- Operations without an answer ---------------------------------------- */

static void an_open_write_may_or_may_not_be(void)
{
    struct story story = {.count = 0};
    tell(&story, 0, NEVER, put(A, 1));
    tell(&story, 1, 2, get(A, 0));
    check(&story, LINEAR_YES);
    tell(&story, 3, 4, get(A, 1));
    check(&story, LINEAR_YES);
    tell(&story, 5, 6, get(A, 0));
    check(&story, LINEAR_NO);
}

static void after_the_end_of_the_server_it_never_comes(void)
{
    struct story story = {.count = 0};
    tell(&story, 0, NEVER, put(A, 1))->return_ns = 10;
    tell(&story, 11, 12, get(A, 0));
    check(&story, LINEAR_YES);
    tell(&story, 13, 14, get(A, 1));
    check(&story, LINEAR_NO);
}

static void of_a_session_the_first_ones_are_there(void)
{
    struct story story = {.count = 0};
    for (int64_t text = 1; text <= 3; text++) {
        struct linear_op *op = tell(&story, text, NEVER, put(A, text));
        op->return_ns = 10;
        op->session = 7;
    }
    tell(&story, 11, 12, get(A, 2));
    check(&story, LINEAR_YES);
    story.ops[1].steps[0] = put(B, 2);
    story.ops[3].steps[0] = get(A, 1);
    check(&story, LINEAR_YES);
    /* The third without the second: seen only where they share a part. */
    story.ops[3].steps[0] = get(A, 3);
    tell(&story, 13, 14, get(B, 0));
    check(&story, LINEAR_YES);
    story.ops[4].steps[0] = absent(B);
    check(&story, LINEAR_YES);
    link_step(&story.ops[4], get(A, 3));
    check(&story, LINEAR_NO);
}

static void an_open_delete_may_do_nothing(void)
{
    struct story story = {.count = 0};
    struct linear_op *op =
        tell(&story, 0, NEVER, plain(KV_DELETE, A, KV_SUCCESS));
    op->return_ns = 10;
    op->session = 7;
    op = tell(&story, 1, NEVER, put(A, 1));
    op->return_ns = 10;
    op->session = 7;
    tell(&story, 11, 12, get(A, 1));
    check(&story, LINEAR_YES);
}

/* ---- Chains over several keys -------------------------------------------- */

static void half_a_chain_is_found(void)
{
    struct story story = {.count = 0};
    struct linear_op *op = tell(&story, 0, 10, put(A, 1));
    link_step(op, put(B, 2));
    tell(&story, 1, 2, get(A, 1));
    tell(&story, 3, 4, get(B, 2));
    check(&story, LINEAR_YES);
    story.ops[2].steps[0] = get(B, 0);
    check(&story, LINEAR_NO);
}

static void a_chain_reads_at_one_instant(void)
{
    struct story story = {.count = 0};
    tell(&story, 0, 1, put(A, 1));
    tell(&story, 2, 10, put(A, 2));
    tell(&story, 11, 20, put(B, 3));
    struct linear_op *op = tell(&story, 2, 20, get(A, 1));
    link_step(op, get(B, 3));
    check(&story, LINEAR_NO);
    story.ops[3].steps[0] = get(A, 2);
    check(&story, LINEAR_YES);
}

static void a_chain_sees_its_own_writes(void)
{
    struct story story = {.count = 0};
    struct linear_op *op = tell(&story, 0, 1, put(A, 1));
    link_step(op, get(A, 1));
    link_step(op, plain(KV_DELETE, A, KV_SUCCESS));
    link_step(op, get(A, 0));
    op->steps[2].status = KV_ABORTED;
    op->steps[0].status = KV_ABORTED;
    op->steps[1].status = KV_ABORTED;
    tell(&story, 2, 3, plain(KV_EXISTS, A, KV_NOT_FOUND));
    check(&story, LINEAR_YES);
    op->steps[2].status = KV_SUCCESS;
    check(&story, LINEAR_NO);
}

static void keys_apart_are_parts_apart(void)
{
    struct story story = {.count = 0};
    struct linear_result result;
    link_step(tell(&story, 0, 1, put(A, 1)), put(B, 2));
    link_step(tell(&story, 0, 1, absent(C)), absent(D));
    tell(&story, 0, 1, put(E, 3));
    linear_check(story.ops, story.count, WORLDS_MAX, &result);
    CHECK_INT(result.verdict, LINEAR_YES);
    CHECK_U64(result.parts, 3);
    link_step(tell(&story, 2, 3, get(B, 2)), absent(C));
    linear_check(story.ops, story.count, WORLDS_MAX, &result);
    CHECK_INT(result.verdict, LINEAR_YES);
    CHECK_U64(result.parts, 2);
}

/* ---- Limits -------------------------------------------------------------- */

static void check_undecided(const struct story *story, const char *why)
{
    struct linear_result result;
    linear_check(story->ops, story->count, WORLDS_MAX, &result);
    CHECK_INT(result.verdict, LINEAR_UNDECIDED);
    CHECK(strstr(result.why, why) != NULL);
}

static void too_many_keys_are_undecided(void)
{
    struct story story = {.count = 0};
    link_step(tell(&story, 0, 1, absent(A)), absent(B));
    link_step(tell(&story, 0, 1, absent(B)), absent(C));
    link_step(tell(&story, 0, 1, absent(C)), absent(D));
    check(&story, LINEAR_YES);
    link_step(tell(&story, 0, 1, absent(D)), absent(E));
    check_undecided(&story, "too many keys");
}

static void a_text_that_is_put_twice_is_undecided(void)
{
    struct story story = {.count = 0};
    tell(&story, 0, 1, put(A, 1));
    tell(&story, 0, 1, put(B, 1));
    check_undecided(&story, "put twice");
}

/* More worlds than there is room for: each of forty writes, seen by nobody, may
 * have been or be still to come whenever one returns. */
static void too_many_worlds_are_undecided(void)
{
    enum { WRITES = 40 };
    struct linear_op ops[WRITES];
    struct linear_result result;
    for (int64_t i = 0; i < WRITES; i++) {
        ops[i] = (struct linear_op){.call_ns = i,
            .return_ns = 1000 + i,
            .session = (uint32_t)i,
            .length = 1,
            .steps[0] = put(A, i + 1)};
    }
    linear_check(ops, WRITES, WORLDS_MAX, &result);
    CHECK_INT(result.verdict, LINEAR_UNDECIDED);
    CHECK(strstr(result.why, "too many thinkable worlds") != NULL);
}

const struct test_case test_linear[] = {
    TEST_CASE(nothing_is_linearizable),
    TEST_CASE(one_after_the_other),
    TEST_CASE(a_stale_read_is_found),
    TEST_CASE(a_read_may_see_either_of_two_writes),
    TEST_CASE(readers_agree_on_the_order),
    TEST_CASE(a_read_of_what_comes_later_is_found),
    TEST_CASE(what_nobody_wrote_is_found),
    TEST_CASE(a_lost_update_is_found),
    TEST_CASE(what_may_change_nothing_may_wait),
    TEST_CASE(of_two_who_compare_one_sets),
    TEST_CASE(a_session_has_an_order),
    TEST_CASE(an_open_write_may_or_may_not_be),
    TEST_CASE(after_the_end_of_the_server_it_never_comes),
    TEST_CASE(of_a_session_the_first_ones_are_there),
    TEST_CASE(an_open_delete_may_do_nothing),
    TEST_CASE(half_a_chain_is_found),
    TEST_CASE(a_chain_reads_at_one_instant),
    TEST_CASE(a_chain_sees_its_own_writes),
    TEST_CASE(keys_apart_are_parts_apart),
    TEST_CASE(too_many_keys_are_undecided),
    TEST_CASE(a_text_that_is_put_twice_is_undecided),
    TEST_CASE(too_many_worlds_are_undecided),
    TEST_END,
};
