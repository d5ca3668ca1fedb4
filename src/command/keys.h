/* keys.h: the commands that work on keys, whatever they hold.
 *
 * keys.c: keys by name; keys_move.c: what one key holds goes to another;
 * keys_walk.c: keys that nobody has named; keys_object.c: OBJECT. */
#ifndef COMMAND_KEYS_H
#define COMMAND_KEYS_H

#include "command/subcommand.h"

void keys_del(struct call *call);
void keys_exists(struct call *call);
void keys_type(struct call *call);
void keys_flushall(struct call *call);
void keys_dbsize(struct call *call);

void keys_rename(struct call *call);
void keys_renamenx(struct call *call);
void keys_copy(struct call *call);

void keys_keys(struct call *call);
void keys_scan(struct call *call);
void keys_randomkey(struct call *call);

void keys_object(struct call *call);
extern const struct subcommand keys_object_words[];

#endif
