#include "torture/history/request.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "bytes.h"

enum {
    DOTS = 199,
    NUMBER_MAX = 1000000,
    DELTA_MAX = 1000,
    ODD_ONCE_IN = 25 /* an ADD to a text, a text for a number */
};

/* ---- Values -------------------------------------------------------------- */

static size_t format_value(int64_t value, uint8_t bytes[KV_VALUE_MAX])
{
    if (!linear_is_text(value)) {
        return decimal_format(value / 2, bytes);
    }
    bytes[0] = 't';
    size_t length = 1 + decimal_format(value / 2, bytes + 1);
    size_t dots = (size_t)(value / 2 % DOTS);
    memset(bytes + length, '.', dots);
    return length + dots;
}

static int64_t parse_value(const kv_message_t *reply)
{
    uint8_t again[KV_VALUE_MAX];
    int64_t number;
    bool overflow;
    size_t length = reply->value_len;
    if (decimal_parse(reply->value, length, &number, &overflow)) {
        return linear_number(number);
    }
    while (length > 0 && reply->value[length - 1] == '.') {
        length--;
    }
    if (length < 2 || reply->value[0] != 't' ||
        !decimal_parse(reply->value + 1, length - 1, &number, &overflow) ||
        number < 0 || number >= LINEAR_TEXTS_MAX ||
        format_value(linear_text(number), again) != reply->value_len ||
        memcmp(again, reply->value, reply->value_len) != 0) {
        return LINEAR_STRANGE;
    }
    return linear_text(number);
}

/* ---- Choosing ------------------------------------------------------------ */

static bool is_numeric(const struct requester *requester, uint8_t key)
{
    return key / requester->group % 2 == requester->numeric;
}

static struct linear_step *add_step(
    struct linear_op *op, kv_request_t verb, uint8_t key)
{
    assert(op->length < LINEAR_STEPS_MAX);
    struct linear_step *step = &op->steps[op->length++];
    *step = (struct linear_step){.verb = (uint8_t)verb, .key = key};
    return step;
}

static int64_t delta(struct requester *requester)
{
    return 1 + (int64_t)test_random_below(&requester->random, DELTA_MAX);
}

static void put(struct requester *requester, struct linear_op *op, uint8_t key)
{
    bool odd = test_random_once_in(&requester->random, ODD_ONCE_IN);
    struct linear_step *step = add_step(op, KV_PUT, key);
    if (is_numeric(requester, key) != odd) {
        step->argument = linear_number(
            (int64_t)test_random_below(&requester->random, NUMBER_MAX));
    } else {
        step->argument = linear_text(
            1 + requester->number + requester->stride * requester->texts++);
    }
}

static void add(struct requester *requester, struct linear_op *op, uint8_t key)
{
    add_step(op, KV_ADD, key)->argument = delta(requester);
}

static void get(struct requester *requester, struct linear_op *op, uint8_t key)
{
    (void)requester;
    add_step(op, KV_GET, key);
}

static void exists(
    struct requester *requester, struct linear_op *op, uint8_t key)
{
    (void)requester;
    add_step(op, KV_EXISTS, key);
}

static void delete (
    struct requester *requester, struct linear_op *op, uint8_t key)
{
    (void)requester;
    add_step(op, KV_DELETE, key);
}

static void change(
    struct requester *requester, struct linear_op *op, uint8_t key)
{
    bool odd = test_random_once_in(&requester->random, ODD_ONCE_IN);
    if (is_numeric(requester, key) != odd) {
        add(requester, op, key);
    } else {
        put(requester, op, key);
    }
}

static void expect_seen(
    struct requester *requester, struct linear_op *op, uint8_t key)
{
    if (requester->seen[key] == LINEAR_ABSENT) {
        add_step(op, KV_EXPECT_ABSENT, key);
    } else {
        add_step(op, KV_EXPECT, key)->argument = requester->seen[key];
    }
}

static void compare_and_set(
    struct requester *requester, struct linear_op *op, uint8_t key)
{
    expect_seen(requester, op, key);
    put(requester, op, key);
}

static void claim(
    struct requester *requester, struct linear_op *op, uint8_t key)
{
    add_step(op, KV_EXPECT_ABSENT, key);
    put(requester, op, key);
}

/* How many keys are in the group of this one. */
static uint32_t group_size(const struct requester *requester, uint8_t key)
{
    uint32_t first = key - key % requester->group;
    return (uint32_t)u64_min(requester->group, requester->keys - first);
}

/* The key that comes step places after this one in the round of its group. */
static uint8_t neighbour(
    const struct requester *requester, uint8_t key, uint32_t step)
{
    uint32_t place = key % requester->group;
    uint32_t size = group_size(requester, key);
    return (uint8_t)(key - place + (place + step) % size);
}

/* Another key of the group; the same if it is alone. */
static uint8_t another(struct requester *requester, uint8_t key)
{
    uint32_t size = group_size(requester, key);
    uint64_t others = size > 1 ? size - 1 : 1;
    return neighbour(requester, key,
        1 + (uint32_t)test_random_below(&requester->random, others));
}

static void look(struct requester *requester, struct linear_op *op, uint8_t key)
{
    add_step(op, KV_GET, key);
    add_step(op, KV_GET, another(requester, key));
}

static void change_both(
    struct requester *requester, struct linear_op *op, uint8_t key)
{
    uint8_t other = another(requester, key);
    if (is_numeric(requester, key)) {
        int64_t sum = delta(requester);
        add_step(op, KV_ADD, key)->argument = -sum;
        add_step(op, KV_ADD, other)->argument = sum;
    } else {
        put(requester, op, key);
        put(requester, op, other);
    }
}

static void change_all(
    struct requester *requester, struct linear_op *op, uint8_t key)
{
    for (uint32_t i = 0; i < group_size(requester, key); i++) {
        put(requester, op, neighbour(requester, key, i));
    }
}

/* The first of some GETs that are no chain; those that follow it are chosen
 * next, so that most of them are sent with it. */
static void glance(
    struct requester *requester, struct linear_op *op, uint8_t key)
{
    requester->glances = 2 * group_size(requester, key) - 1;
    requester->glance_key = key;
    add_step(op, KV_GET, key);
}

static void glance_on(struct requester *requester, struct linear_op *op)
{
    requester->glances--;
    requester->glance_key = neighbour(requester, requester->glance_key, 1);
    add_step(op, KV_GET, requester->glance_key);
}

static void compare_both(
    struct requester *requester, struct linear_op *op, uint8_t key)
{
    uint8_t other = another(requester, key);
    expect_seen(requester, op, key);
    expect_seen(requester, op, other);
    put(requester, op, key);
    put(requester, op, other);
}

static void move(struct requester *requester, struct linear_op *op, uint8_t key)
{
    add_step(op, KV_DELETE, key);
    put(requester, op, another(requester, key));
}

static const struct form {
    uint32_t weight;
    void (*make)(
        struct requester *requester, struct linear_op *op, uint8_t key);
} forms[] = {
    {18, get},
    {8, glance},
    {4, exists},
    {16, change},
    {5, delete},
    {14, compare_and_set},
    {5, claim},
    {10, look},
    {6, change_both},
    {5, change_all},
    {7, compare_both},
    {2, move},
};

void request_choose(struct requester *requester, struct linear_op *op)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        sum += forms[i].weight;
    }
    uint8_t key =
        (uint8_t)test_random_below(&requester->random, requester->keys);
    uint64_t drawn = test_random_below(&requester->random, sum);
    size_t form = 0;
    while (drawn >= forms[form].weight) {
        drawn -= forms[form++].weight;
    }
    op->length = 0;
    if (requester->glances > 0) {
        glance_on(requester, op);
    } else {
        forms[form].make(requester, op, key);
    }
}

/* ---- Messages ------------------------------------------------------------ */

void request_fill(const struct linear_op *op, uint32_t history,
    kv_message_t messages[LINEAR_STEPS_MAX])
{
    for (uint32_t i = 0; i < op->length; i++) {
        const struct linear_step *step = &op->steps[i];
        char key[KV_KEY_SIZE + 1];
        uint8_t value[KV_VALUE_MAX];
        size_t value_len = 0;
        int key_len = snprintf(
            key, sizeof key, "history-%" PRIu32 "-key-%u", history, step->key);
        if (step->verb == KV_PUT || step->verb == KV_EXPECT) {
            value_len = format_value(step->argument, value);
        } else if (step->verb == KV_ADD) {
            value_len = decimal_format(step->argument, value);
        }
        kv_error_t error = kv_message_fill(&messages[i],
            step->verb | (i + 1 < op->length ? KV_LINKED : 0), key,
            (size_t)key_len, value, value_len);
        assert(error == KV_SUCCESS);
        (void)error;
    }
}

bool request_take(struct linear_step *step, const kv_message_t *request,
    const kv_message_t *reply)
{
    step->status = reply->status;
    step->result = LINEAR_ABSENT;
    if (reply->status == KV_SUCCESS &&
        (step->verb == KV_GET || step->verb == KV_ADD)) {
        step->result = parse_value(reply);
    }
    return reply->type == request->type &&
           memcmp(reply->key, request->key, KV_KEY_SIZE) == 0 &&
           reply->value_len <= KV_VALUE_MAX;
}

void request_learn(struct requester *requester, const struct linear_op *op)
{
    bool done = true;
    for (uint32_t i = 0; i < op->length; i++) {
        done = done && op->steps[i].status == KV_SUCCESS;
    }
    for (uint32_t i = 0; i < op->length && done; i++) {
        const struct linear_step *step = &op->steps[i];
        int64_t *seen = &requester->seen[step->key];
        if (step->verb == KV_PUT) {
            *seen = step->argument;
        } else if (step->verb == KV_GET || step->verb == KV_ADD) {
            *seen = step->result;
        } else if (step->verb == KV_DELETE) {
            *seen = LINEAR_ABSENT;
        }
    }
    if (op->length == 1 && op->steps[0].status == KV_NOT_FOUND) {
        requester->seen[op->steps[0].key] = LINEAR_ABSENT;
    }
}
