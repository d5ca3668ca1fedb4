/* linear_print.c: a violation, as a person can follow it. */
#include "torture/linear.h"

#include <inttypes.h>
#include <stdlib.h>

enum { BEFORE_MAX = 30, AFTER_MAX = 10 };

static void print_value(FILE *file, int64_t value)
{
    if (value == LINEAR_ABSENT) {
        (void)fprintf(file, "nothing");
    } else if (value == LINEAR_STRANGE) {
        (void)fprintf(file, "what nobody wrote");
    } else {
        (void)fprintf(
            file, "%s%" PRId64, linear_is_text(value) ? "t" : "", value / 2);
    }
}

static void print_step(
    FILE *file, const struct linear_op *op, const struct linear_step *step)
{
    (void)fprintf(file, " %s k%u", kv_request_name(step->verb), step->key);
    if (step->verb == KV_PUT || step->verb == KV_EXPECT) {
        (void)fprintf(file, " ");
        print_value(file, step->argument);
    } else if (step->verb == KV_ADD) {
        (void)fprintf(file, " %" PRId64, step->argument);
    }
    if (op->open) {
        return;
    }
    (void)fprintf(file, ": ");
    if (step->status == KV_SUCCESS &&
        (step->verb == KV_GET || step->verb == KV_ADD)) {
        print_value(file, step->result);
    } else {
        (void)fprintf(file, "%s", kv_error_name(step->status));
    }
    (void)fprintf(file, ";");
}

static void print_op(FILE *file, const struct linear_op *op, int64_t zero_ns)
{
    (void)fprintf(file, "  %+10.1f", (double)(op->call_ns - zero_ns) / 1e3);
    if (op->return_ns == INT64_MAX) {
        (void)fprintf(file, " ..       end");
    } else {
        (void)fprintf(
            file, " .. %+9.1f", (double)(op->return_ns - zero_ns) / 1e3);
    }
    (void)fprintf(
        file, " us, session %" PRId64 ":", (int64_t)(int32_t)op->session);
    for (uint32_t i = 0; i < op->length; i++) {
        print_step(file, op, &op->steps[i]);
    }
    (void)fprintf(file, "%s\n", op->open ? " without an answer" : "");
}

static int compare_calls(const void *left, const void *right)
{
    int64_t a = ((const struct linear_op *)left)->call_ns;
    int64_t b = ((const struct linear_op *)right)->call_ns;
    return a < b ? -1 : a > b;
}

void linear_print(FILE *file, const struct linear_op *ops, uint32_t count,
    const struct linear_result *result)
{
    const struct linear_op *culprit = &ops[result->culprit];
    struct linear_op *part = calloc(count, sizeof *part);
    uint8_t parts[LINEAR_HISTORY_KEYS];
    uint32_t found = 0;
    linear_parts(ops, count, parts);
    for (uint32_t i = 0; part != NULL && i < count; i++) {
        if (parts[ops[i].steps[0].key] == parts[culprit->steps[0].key]) {
            part[found++] = ops[i];
        }
    }
    if (found > 0) {
        qsort(part, found, sizeof *part, compare_calls);
    }
    uint32_t before = 0;
    while (before < found && part[before].call_ns <= culprit->return_ns) {
        before++;
    }
    (void)fprintf(file, "no order explains:\n");
    for (uint32_t i = before > BEFORE_MAX ? before - BEFORE_MAX : 0;
         i < found && i < before + AFTER_MAX; i++) {
        print_op(file, &part[i], culprit->call_ns);
    }
    (void)fprintf(file, "none is left when this one returns:\n");
    print_op(file, culprit, culprit->call_ns);
    free(part);
}
