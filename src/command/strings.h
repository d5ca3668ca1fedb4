/* strings.h: the commands of strings. */
#ifndef COMMAND_STRINGS_H
#define COMMAND_STRINGS_H

#include "command/call.h"

void strings_get(struct call *call);
void strings_set(struct call *call);
void strings_incr(struct call *call);
void strings_mget(struct call *call);

#endif
