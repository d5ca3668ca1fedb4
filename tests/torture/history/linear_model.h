/* linear_model.h: what one operation does to the values of its keys, and what
 * its answer says. */
#ifndef TORTURE_LINEAR_MODEL_H
#define TORTURE_LINEAR_MODEL_H

#include "torture/linear.h"

/* Makes values what they are after the operation; the value of key k stands in
 * values[places[k]].  False, and nothing is done, if it could not have answered
 * as it did. */
bool linear_apply(const struct linear_op *op,
    const uint8_t places[LINEAR_HISTORY_KEYS], int64_t values[LINEAR_KEYS_MAX]);
/* True if it changes nothing, whenever it answers as it did. */
bool linear_harmless(const struct linear_op *op);
/* True if its answer says that it met this value. */
bool linear_demands(const struct linear_op *op, int64_t value);

#endif
