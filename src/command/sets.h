/* sets.h: the commands of sets; how a set is laid out, set.h tells. */
#ifndef COMMAND_SETS_H
#define COMMAND_SETS_H

#include "command/call.h"
#include "command/set.h"

void sets_add(struct call *call);
void sets_remove(struct call *call);
void sets_is_member(struct call *call);
void sets_are_members(struct call *call);
void sets_members(struct call *call);
/* All members, behind the head of the reply. */
void sets_reply_all(struct call *call, const struct set *set);
void sets_count(struct call *call);
void sets_move(struct call *call);
void sets_scan(struct call *call);

void sets_pop(struct call *call);
void sets_random(struct call *call);

void sets_inter(struct call *call);
void sets_union(struct call *call);
void sets_diff(struct call *call);
void sets_inter_store(struct call *call);
void sets_union_store(struct call *call);
void sets_diff_store(struct call *call);
void sets_inter_count(struct call *call);

#endif
