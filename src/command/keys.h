/* keys.h: the commands that work on keys, whatever they hold. */
#ifndef COMMAND_KEYS_H
#define COMMAND_KEYS_H

#include "command/call.h"

void keys_del(struct call *call);
void keys_exists(struct call *call);
void keys_type(struct call *call);
void keys_flushall(struct call *call);
void keys_dbsize(struct call *call);

#endif
