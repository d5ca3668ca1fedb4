/* expiry.h: when keys end: EXPIRE and its like, TTL and its like, and times as
 * arguments give them. */
#ifndef COMMAND_EXPIRY_H
#define COMMAND_EXPIRY_H

#include "command/call.h"

enum expiry_form {
    EXPIRY_SECONDS = 1,  /* else milliseconds */
    EXPIRY_FROM_NOW = 2, /* else since 1970 */
    EXPIRY_POSITIVE = 4  /* zero and less are refused */
};

/* Argument number i as milliseconds since 1970, which may be zero or less.
 * False if it is none: the reply says why. */
bool expiry_read(
    struct call *call, uint32_t i, unsigned form, int64_t *expire_ms);
/* Sets when the record of this key ends, which is there, whatever its kind; 0:
 * never.  False if the group is full. */
bool expiry_set(struct call *call, const struct key *key, int64_t expire_ms);

void expiry_expire(struct call *call);
void expiry_pexpire(struct call *call);
void expiry_expireat(struct call *call);
void expiry_pexpireat(struct call *call);
void expiry_persist(struct call *call);
void expiry_ttl(struct call *call);
void expiry_pttl(struct call *call);
void expiry_expiretime(struct call *call);
void expiry_pexpiretime(struct call *call);

#endif
