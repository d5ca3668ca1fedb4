/* request.h: an operation as messages, and the replies as an operation.
 *
 * A text is the letter t, its number and dots, so many that values differ in
 * length; a number is itself. */
#ifndef TORTURE_REQUEST_H
#define TORTURE_REQUEST_H

#include "support.h"
#include "torture/linear.h"

/* Who chooses requests: what it has seen of each key, and its own texts. */
struct requester {
    struct test_random random;
    uint32_t number; /* among stride of them: its texts are its own */
    uint32_t stride;
    uint32_t keys;
    uint32_t group;
    uint32_t numeric; /* 0 or 1: whether groups that are even hold numbers */
    int64_t texts;    /* put so far */
    uint32_t glances; /* GETs that are to follow */
    uint8_t glance_key;
    int64_t seen[LINEAR_HISTORY_KEYS];
};

/* Chooses steps; all else of *op is the caller's. */
void request_choose(struct requester *requester, struct linear_op *op);
/* The messages of an operation on keys of this history, one for each step. */
void request_fill(const struct linear_op *op, uint32_t history,
    kv_message_t messages[LINEAR_STEPS_MAX]);
/* Takes the reply to a step.  False if it belongs to another request. */
bool request_take(struct linear_step *step, const kv_message_t *request,
    const kv_message_t *reply);
/* An answered operation: takes note of what it shows. */
void request_learn(struct requester *requester, const struct linear_op *op);

#endif
