/* lists.h: the commands of lists.  How a list is laid out: list.h. */
#ifndef COMMAND_LISTS_H
#define COMMAND_LISTS_H

#include "command/call.h"
#include "command/list.h"

void lists_lpush(struct call *call);
void lists_rpush(struct call *call);
void lists_lpushx(struct call *call);
void lists_rpushx(struct call *call);
void lists_lpop(struct call *call);
void lists_rpop(struct call *call);
void lists_lmove(struct call *call);
void lists_rpoplpush(struct call *call);
void lists_llen(struct call *call);
void lists_lrange(struct call *call);
void lists_lindex(struct call *call);
void lists_lset(struct call *call);

/* lists_within.c */
void lists_linsert(struct call *call);
void lists_lrem(struct call *call);
void lists_ltrim(struct call *call);
void lists_lpos(struct call *call);

#endif
