/* linear.h: decides whether a recorded history is linearizable: whether each
 * operation can be given one instant between its call and its return so that,
 * executed one after the other at those instants, all answer what they did.
 *
 * Not how a history comes about: that is record.h.  It knows records without
 * expiry, and the verbs GET, EXISTS, PUT, DELETE, ADD, EXPECT and
 * EXPECT_ABSENT, alone or in chains.
 *
 * What is checked is more than linearizability, as the server promises more:
 * operations of one session take effect in the order in which they stand in
 * the history, and an operation without an answer took effect by its
 * return_ns or never; of a session's last ones the first n did.
 *
 * The papers: Herlihy & Wing, "Linearizability: A Correctness Condition for
 * Concurrent Objects" (1990), what is decided, and that it may be decided for
 * each object by itself; Wing & Gong, "Testing and Verifying Concurrent
 * Objects" (1993), the search; Lowe, "Testing for Linearizability" (2017), that
 * an operation need not be given its instant before somebody returns (just in
 * time) and that what was searched once is remembered; Horn & Kroening, "Faster
 * Linearizability Checking via P-Compositionality" (2015), histories cut into
 * parts by key: a chain over two keys makes them one part. */
#ifndef TORTURE_LINEAR_H
#define TORTURE_LINEAR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "kv_store.h"

enum {
    LINEAR_STEPS_MAX = 4,       /* messages of a chain */
    LINEAR_KEYS_MAX = 4,        /* keys of a part */
    LINEAR_PENDING_MAX = 64,    /* operations of a part that are under way */
    LINEAR_HISTORY_KEYS = 64,   /* keys of a history: 0..63 */
    LINEAR_WORK_MAX = 1 << 28,  /* worlds looked at in one part */
    LINEAR_TEXTS_MAX = 1 << 24, /* texts of a history: 0..max-1 */
    LINEAR_WHY_MAX = 256
};

/* A value is a text, which is put once in a history at most, a number, or
 * none. */
#define LINEAR_ABSENT INT64_MIN
#define LINEAR_STRANGE (INT64_MIN + 1) /* what nobody wrote */

static inline int64_t linear_text(int64_t text)
{
    return text * 2 + 1;
}

static inline int64_t linear_number(int64_t number)
{
    return number * 2;
}

static inline bool linear_is_text(int64_t value)
{
    return value > LINEAR_STRANGE && (value & 1) != 0;
}

struct linear_step {
    uint8_t verb;     /* kv_request_t */
    uint8_t status;   /* kv_error_t of the reply */
    uint8_t key;      /* below LINEAR_HISTORY_KEYS */
    int64_t argument; /* PUT, EXPECT: the value; ADD: the number to add */
    int64_t result;   /* GET, ADD: the value, if status is SUCCESS */
};

#define LINEAR_NO_SESSION UINT32_MAX

struct linear_op {
    int64_t call_ns;   /* before it was sent */
    int64_t return_ns; /* after the answer came; open: see above */
    uint32_t session;  /* LINEAR_NO_SESSION: ordered by time alone */
    bool open;         /* no answer, or one that tells nothing */
    uint8_t length;    /* steps; over 1: a chain */
    struct linear_step steps[LINEAR_STEPS_MAX];
};

enum linear_verdict {
    LINEAR_YES,
    LINEAR_NO,
    LINEAR_UNDECIDED /* a limit was reached; why says which */
};

struct linear_result {
    enum linear_verdict verdict;
    uint32_t parts;
    uint64_t longest; /* most worlds that were thinkable at once */
    uint32_t culprit; /* NO: at its return no order was left */
    char why[LINEAR_WHY_MAX];
};

/* Operations of one session stand in the order in which they were sent.  An
 * open operation that only reads is passed over.  worlds_max: how many worlds,
 * of 40 bytes, may be thinkable at once; past it the result is undecided. */
void linear_check(const struct linear_op *ops, uint32_t count,
    uint32_t worlds_max, struct linear_result *result);

/* The part that each key belongs to, named by its least key. */
void linear_parts(const struct linear_op *ops, uint32_t count,
    uint8_t parts[LINEAR_HISTORY_KEYS]);

/* True if one of its steps may change a record. */
bool linear_writes(const struct linear_op *op);

/* Prints the culprit, and what went before and after it among the operations
 * that share its keys. */
void linear_print(FILE *file, const struct linear_op *ops, uint32_t count,
    const struct linear_result *result);

#endif
