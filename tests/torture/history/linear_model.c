#include "torture/history/linear_model.h"

#include <assert.h>
#include <string.h>

bool linear_writes(const struct linear_op *op)
{
    for (uint32_t i = 0; i < op->length; i++) {
        uint8_t verb = op->steps[i].verb;
        if (verb == KV_PUT || verb == KV_DELETE || verb == KV_ADD) {
            return true;
        }
    }
    return false;
}

bool linear_harmless(const struct linear_op *op)
{
    bool failed = false;
    for (uint32_t i = 0; i < op->length; i++) {
        failed = failed || op->steps[i].status != KV_SUCCESS;
    }
    return !op->open && (failed || !linear_writes(op));
}

static kv_error_t add(
    const struct linear_step *step, int64_t *value, int64_t *result)
{
    if (linear_is_text(*value)) {
        return KV_NOT_A_NUMBER;
    }
    int64_t number = *value == LINEAR_ABSENT ? 0 : *value / 2;
    *value = linear_number(number + step->argument);
    *result = *value;
    return KV_SUCCESS;
}

/* The status that the server must answer; *result: the value that it must. */
static kv_error_t take_step(
    const struct linear_step *step, int64_t *value, int64_t *result)
{
    bool absent = *value == LINEAR_ABSENT;
    switch (step->verb) {
    case KV_GET:
        *result = *value;
        return absent ? KV_NOT_FOUND : KV_SUCCESS;
    case KV_EXISTS:
        return absent ? KV_NOT_FOUND : KV_SUCCESS;
    case KV_PUT:
        *value = step->argument;
        return KV_SUCCESS;
    case KV_DELETE:
        *value = LINEAR_ABSENT;
        return absent ? KV_NOT_FOUND : KV_SUCCESS;
    case KV_ADD:
        return add(step, value, result);
    case KV_EXPECT:
        return *value == step->argument ? KV_SUCCESS : KV_MISMATCH;
    default:
        assert(step->verb == KV_EXPECT_ABSENT);
        return absent ? KV_SUCCESS : KV_MISMATCH;
    }
}

/* The number of the step that fails, or the operation's length. */
static uint32_t run_steps(const struct linear_op *op,
    const uint8_t places[LINEAR_HISTORY_KEYS], int64_t values[LINEAR_KEYS_MAX],
    bool *right)
{
    *right = true;
    for (uint32_t i = 0; i < op->length; i++) {
        const struct linear_step *step = &op->steps[i];
        int64_t result = step->result;
        kv_error_t status =
            take_step(step, &values[places[step->key]], &result);
        *right = *right && result == step->result;
        if (status != KV_SUCCESS) {
            *right = step->status == status;
            return i;
        }
    }
    return op->length;
}

bool linear_apply(const struct linear_op *op,
    const uint8_t places[LINEAR_HISTORY_KEYS], int64_t values[LINEAR_KEYS_MAX])
{
    int64_t after[LINEAR_KEYS_MAX];
    bool right;
    memcpy(after, values, sizeof after);
    uint32_t failing = run_steps(op, places, after, &right);
    for (uint32_t i = 0; i < op->length && right; i++) {
        kv_error_t expected = failing == op->length ? KV_SUCCESS : KV_ABORTED;
        right = i == failing || op->steps[i].status == expected;
    }
    right = right || op->open;
    if (right && failing == op->length) {
        memcpy(values, after, sizeof after);
    }
    return right;
}

bool linear_demands(const struct linear_op *op, int64_t value)
{
    for (uint32_t i = 0; i < op->length && !op->open; i++) {
        const struct linear_step *step = &op->steps[i];
        if (step->status == KV_SUCCESS &&
            ((step->verb == KV_GET && step->result == value) ||
                (step->verb == KV_EXPECT && step->argument == value))) {
            return true;
        }
    }
    return false;
}
