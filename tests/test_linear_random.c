/* test_linear_random.c: the checker of histories, and a plain search that knows
 * no shortcut and has a model of its own, agree on random histories. */
#include "support.h"
#include "torture/linear.h"

enum {
    SERIES = 300,
    OPS = 40,
    KEYS = 2,
    WORLDS_MAX = 4096,
    TRIES_MAX = 200000
};

/* ---- Histories ----------------------------------------------------------- */

/* What the step must answer where the record has this value, and what it makes
 * of it. */
static struct linear_step answer(struct linear_step step, int64_t *value)
{
    bool absent = *value == LINEAR_ABSENT;
    bool text = !absent && linear_is_text(*value);
    step.status = KV_SUCCESS;
    step.result = 0;
    if (step.verb == KV_PUT) {
        *value = step.argument;
    } else if (step.verb == KV_ADD && text) {
        step.status = KV_NOT_A_NUMBER;
    } else if (step.verb == KV_ADD) {
        *value = (absent ? 0 : *value) + 2 * step.argument;
        step.result = *value;
    } else if (absent) {
        step.status = KV_NOT_FOUND;
    } else if (step.verb == KV_DELETE) {
        *value = LINEAR_ABSENT;
    } else {
        step.result = *value;
    }
    return step;
}

static struct linear_step choose(struct test_random *random, int64_t number)
{
    static const uint8_t verbs[] = {
        KV_GET, KV_GET, KV_GET, KV_PUT, KV_ADD, KV_DELETE};
    struct linear_step step = {
        .verb = verbs[test_random_below(random, sizeof verbs)],
        .key = (uint8_t)test_random_below(random, KEYS)};
    if (step.verb == KV_PUT) {
        step.argument = test_random_once_in(random, 3)
                            ? linear_number(1)
                            : linear_text(number + 1);
    } else if (step.verb == KV_ADD) {
        step.argument = (int64_t)test_random_below(random, 3) - 1;
    }
    return step;
}

/* A history that is linearizable, since it was executed in the order of its
 * instants, with calls and returns at random around them. */
static void invent(struct test_random *random, struct linear_op *ops)
{
    int64_t values[KEYS] = {LINEAR_ABSENT, LINEAR_ABSENT};
    for (int64_t i = 0; i < OPS; i++) {
        struct linear_step step = choose(random, i);
        ops[i] = (struct linear_op){
            .call_ns = 10 * i - (int64_t)test_random_below(random, 60),
            .return_ns = 10 * i + (int64_t)test_random_below(random, 60),
            .session = LINEAR_NO_SESSION,
            .length = 1,
            .steps[0] = answer(step, &values[step.key])};
    }
}

/* Puts the answer of one operation into the place of another of its kind. */
static void spoil(struct test_random *random, struct linear_op *ops)
{
    const struct linear_step *from;
    struct linear_step *to;
    do {
        from = &ops[test_random_below(random, OPS)].steps[0];
        to = &ops[test_random_below(random, OPS)].steps[0];
    } while (from->verb != to->verb || to->verb == KV_PUT ||
             (from->status == to->status && from->result == to->result));
    to->status = from->status;
    to->result = from->result;
}

/* ---- The plain search ---------------------------------------------------- */

/* Every order, tried in turn, of the operations of one key. */
struct plain {
    const struct linear_op *ops[OPS];
    uint32_t count;
    bool used[OPS];
    uint64_t tries;
};

static bool may_be_next(const struct plain *plain, uint32_t number)
{
    for (uint32_t i = 0; i < plain->count; i++) {
        if (!plain->used[i] &&
            plain->ops[i]->return_ns < plain->ops[number]->call_ns) {
            return false;
        }
    }
    return !plain->used[number];
}

/* True if the operation can be the next one where the record has this value. */
static bool fits(const struct plain *plain, uint32_t number, int64_t *value)
{
    const struct linear_step *step = &plain->ops[number]->steps[0];
    if (!may_be_next(plain, number)) {
        return false;
    }
    struct linear_step right = answer(*step, value);
    return right.status == step->status && right.result == step->result;
}

/* A stack of choices in place of recursion. */
static bool search(struct plain *plain)
{
    uint32_t chosen[OPS + 1] = {0};
    int64_t values[OPS + 1] = {LINEAR_ABSENT};
    uint32_t depth = 0;
    while (depth < plain->count) {
        uint32_t next = chosen[depth];
        values[depth + 1] = values[depth];
        if (++plain->tries > TRIES_MAX) {
            return false;
        }
        if (next == plain->count && depth == 0) {
            return false;
        }
        if (next == plain->count) {
            depth--;
            plain->used[chosen[depth]++] = false;
        } else if (fits(plain, next, &values[depth + 1])) {
            plain->used[next] = true;
            chosen[++depth] = 0;
        } else {
            chosen[depth]++;
        }
    }
    return true;
}

static bool search_all(const struct linear_op *ops, bool *decided)
{
    bool linearizable = true;
    for (int key = 0; key < KEYS; key++) {
        struct plain plain = {.count = 0};
        for (uint32_t i = 0; i < OPS; i++) {
            if (ops[i].steps[0].key == key) {
                plain.ops[plain.count++] = &ops[i];
            }
        }
        linearizable = search(&plain) && linearizable;
        *decided = *decided && plain.tries <= TRIES_MAX;
    }
    return linearizable;
}

/* ---- The test ------------------------------------------------------------ */

static void a_plain_search_agrees(void)
{
    struct test_random random;
    uint32_t bad = 0;
    uint32_t good = 0;
    test_random_init(&random);
    for (uint32_t i = 0; i < SERIES; i++) {
        struct linear_op ops[OPS];
        struct linear_result result;
        bool decided = true;
        invent(&random, ops);
        linear_check(ops, OPS, WORLDS_MAX, &result);
        CHECK_INT(result.verdict, LINEAR_YES);
        spoil(&random, ops);
        linear_check(ops, OPS, WORLDS_MAX, &result);
        bool linearizable = search_all(ops, &decided);
        if (decided) {
            CHECK_INT(result.verdict, linearizable ? LINEAR_YES : LINEAR_NO);
            bad += linearizable ? 0 : 1;
            good += linearizable ? 1 : 0;
        }
    }
    CHECK(bad > SERIES / 10);
    CHECK(good > SERIES / 10);
}

const struct test_case test_linear_random[] = {
    TEST_CASE(a_plain_search_agrees),
    TEST_END,
};
