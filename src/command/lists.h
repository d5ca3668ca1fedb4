/* lists.h: the commands of lists.
 *
 * A list is an array of positions: element number i has the position first + i,
 * and its record the inner key of owner and position; so both ends, LINDEX and
 * LSET cost the same whatever the length.  An insertion or a removal within it
 * moves the elements of the shorter side.
 *
 *     head's rest:  0   8   first: position of the first element, signed
 *     inner key:    16  8   position; 24  8  zero
 *     element:      the record's value
 *
 * A head with count 0 does not exist: the last element takes it along. */
#ifndef COMMAND_LISTS_H
#define COMMAND_LISTS_H

#include "command/call.h"
#include "command/collection.h"

bool list_shed(struct view *view, struct collection *head);

#endif
