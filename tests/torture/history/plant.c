#include "torture/history/plant.h"

#include <string.h>

#include "bytes.h"

/* A PUT of a text that is known to have taken effect. */
struct written {
    int64_t call_ns;
    int64_t return_ns;
    int64_t text;
};

static bool succeeded(const struct linear_op *op)
{
    for (uint32_t i = 0; i < op->length; i++) {
        if (op->open || op->steps[i].status != KV_SUCCESS) {
            return false;
        }
    }
    return true;
}

/* The text that the operation leaves in the key; false if it puts none. */
static bool leaves_text(const struct linear_op *op, uint8_t key, int64_t *text)
{
    bool leaves = false;
    for (uint32_t i = 0; i < op->length && succeeded(op); i++) {
        const struct linear_step *step = &op->steps[i];
        if (step->verb == KV_PUT && step->key == key) {
            leaves = linear_is_text(step->argument);
            *text = step->argument;
        }
    }
    return leaves;
}

/* The PUT that returned last before that time; false if there is none. */
static bool find_written(const struct linear_op *ops, uint32_t count,
    uint8_t key, int64_t before_ns, struct written *written)
{
    written->return_ns = INT64_MIN;
    for (uint32_t i = 0; i < count; i++) {
        int64_t text;
        if (ops[i].return_ns < before_ns &&
            ops[i].return_ns > written->return_ns &&
            leaves_text(&ops[i], key, &text)) {
            *written = (struct written){ops[i].call_ns, ops[i].return_ns, text};
        }
    }
    return written->return_ns != INT64_MIN;
}

/* Makes *text one that was overwritten for certain before that time; leaves it
 * alone if there is none. */
static bool find_stale(const struct linear_op *ops, uint32_t count, uint8_t key,
    int64_t before_ns, int64_t *text)
{
    struct written last;
    struct written stale;
    bool found = find_written(ops, count, key, before_ns, &last) &&
                 find_written(ops, count, key, last.call_ns, &stale);
    if (found) {
        *text = stale.text;
    }
    return found;
}

/* Runs through the operations from a random one on, once round, until one takes
 * the fault. */
static bool try_all(struct test_random *random, struct linear_op *ops,
    uint32_t count,
    bool (*alter)(struct linear_op *ops, uint32_t count, uint32_t number))
{
    uint32_t first =
        count == 0 ? 0 : (uint32_t)test_random_below(random, count);
    for (uint32_t i = 0; i < count; i++) {
        if (alter(ops, count, (first + i) % count)) {
            return true;
        }
    }
    return false;
}

/* ---- The faults ---------------------------------------------------------- */

static bool make_stale(struct linear_op *ops, uint32_t count, uint32_t number)
{
    struct linear_op *op = &ops[number];
    struct linear_step *step = &op->steps[0];
    return op->length == 1 && succeeded(op) && step->verb == KV_GET &&
           find_stale(ops, count, step->key, op->call_ns, &step->result);
}

static bool plant_stale_read(
    struct test_random *random, struct linear_op *ops, uint32_t count)
{
    return try_all(random, ops, count, make_stale);
}

/* Of two who compared with the same text, both have set. */
static bool make_lost(struct linear_op *ops, uint32_t count, uint32_t number)
{
    struct linear_op *op = &ops[number];
    bool fits = !op->open && op->length == 2 &&
                op->steps[0].verb == KV_EXPECT && op->steps[1].verb == KV_PUT &&
                linear_is_text(op->steps[0].argument) &&
                op->steps[0].status == KV_MISMATCH;
    bool twice = false;
    for (uint32_t i = 0; fits && !twice && i < count; i++) {
        const struct linear_op *other = &ops[i];
        twice = other->length == 2 && succeeded(other) &&
                other->steps[0].verb == KV_EXPECT &&
                other->steps[1].verb == KV_PUT &&
                other->steps[0].key == op->steps[0].key &&
                other->steps[0].argument == op->steps[0].argument;
    }
    if (twice) {
        op->steps[0].status = KV_SUCCESS;
        op->steps[1].status = KV_SUCCESS;
    }
    return twice;
}

static bool plant_lost_update(
    struct test_random *random, struct linear_op *ops, uint32_t count)
{
    return try_all(random, ops, count, make_lost);
}

/* A write that was acknowledged is forgotten by all who come later. */
static bool make_forgotten(
    struct linear_op *ops, uint32_t count, uint32_t number)
{
    int64_t text;
    const struct linear_op *put = &ops[number];
    uint8_t key = put->steps[0].key;
    bool found = false;
    if (put->length != 1 || !leaves_text(put, key, &text)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct linear_step *step = &ops[i].steps[0];
        if (ops[i].length != 1 || step->verb != KV_GET || ops[i].open ||
            step->key != key || step->result != text ||
            ops[i].call_ns <= put->return_ns) {
            continue;
        }
        int64_t stale;
        if (find_stale(ops, count, key, ops[i].call_ns, &stale)) {
            step->result = stale;
            found = true;
        }
    }
    return found;
}

static bool plant_forgotten_write(
    struct test_random *random, struct linear_op *ops, uint32_t count)
{
    return try_all(random, ops, count, make_forgotten);
}

/* A chain of GETs sees one record as it is and another as it was. */
static bool make_half(struct linear_op *ops, uint32_t count, uint32_t number)
{
    struct linear_op *op = &ops[number];
    return op->length == 2 && succeeded(op) && op->steps[0].verb == KV_GET &&
           op->steps[1].verb == KV_GET &&
           op->steps[0].key != op->steps[1].key &&
           find_stale(
               ops, count, op->steps[1].key, op->call_ns, &op->steps[1].result);
}

static bool plant_half_chain(
    struct test_random *random, struct linear_op *ops, uint32_t count)
{
    return try_all(random, ops, count, make_half);
}

const struct plant plants[PLANTS] = {
    {"a stale read", plant_stale_read},
    {"a lost update", plant_lost_update},
    {"a forgotten write", plant_forgotten_write},
    {"half a chain", plant_half_chain},
};
