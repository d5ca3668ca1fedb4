/* strings.h: the commands of strings.
 *
 * A string is one record.  strings.c: whole values, one key or several;
 * strings_set.c: SET and what has its options; strings_number.c: values that
 * are numbers; strings_part.c: parts of values. */
#ifndef COMMAND_STRINGS_H
#define COMMAND_STRINGS_H

#include "command/call.h"

/* The string at the first key, NULL if there is none.  False if it is something
 * else: the reply says so. */
bool strings_find(struct call *call, const struct record **record);
/* A value, or null without a record. */
void strings_reply(struct call *call, const struct record *record);
/* As call_put of the first key, but what would have expired already is not
 * kept. */
bool strings_put(struct call *call, const struct string *string);
/* False if a value may not have so many bytes: the reply says so. */
bool strings_size(struct call *call, uint64_t size);

void strings_get(struct call *call);
void strings_getdel(struct call *call);
void strings_getset(struct call *call);
void strings_setnx(struct call *call);
void strings_mget(struct call *call);
void strings_mset(struct call *call);
void strings_msetnx(struct call *call);

void strings_set(struct call *call);
void strings_setex(struct call *call);
void strings_psetex(struct call *call);
void strings_getex(struct call *call);

void strings_incr(struct call *call);
void strings_decr(struct call *call);
void strings_incrby(struct call *call);
void strings_decrby(struct call *call);
void strings_incrbyfloat(struct call *call);

void strings_append(struct call *call);
void strings_strlen(struct call *call);
void strings_getrange(struct call *call);
void strings_setrange(struct call *call);

#endif
