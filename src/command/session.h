/* session.h: what a connection that speaks the Redis protocol has of its own,
 * and the commands about it.  They are executed where they are decoded, by the
 * thread that owns the connection, but for those that need nothing of it. */
#ifndef COMMAND_SESSION_H
#define COMMAND_SESSION_H

#include "command/call.h"
#include "command/transaction.h"

#define SESSION_REDIS_VERSION "7.0.0" /* whose commands these are */

enum { SESSION_PEER_MAX = 64, SESSION_NAME_MAX = KV_VALUE_MAX };

struct session {
    struct resp_scan scan;
    struct transaction transaction;
    uint64_t id;
    int64_t since_ms; /* when it began, milliseconds since 1970 */
    uint8_t version;  /* of RESP */
    bool leaving;     /* nothing more is read: its replies are its last */
    const struct command *command; /* the last one; NULL: none yet */
    const char *last;              /* its name, the second word included */
    char *name;                    /* NULL: none */
    char *library; /* of its client, as that says; NULL: it does not */
    char *release; /* of that library */
    char peer[SESSION_PEER_MAX];
};

/* NULL without memory. */
struct session *session_create(uint64_t id);
/* NULL is fine. */
void session_destroy(struct session *session);
/* Bytes of memory that its client makes it hold. */
uint32_t session_held(const struct session *session);

/* Gives the session the name in argument number i; or replies why not. */
bool session_name(struct call *call, uint32_t i);
/* Sets the library, or its release, to argument number i; or replies why not;
 * option is what the client calls it. */
bool session_library(struct call *call, uint32_t i, const char *option);

void session_auth(struct call *call);
void session_echo(struct call *call);
void session_hello(struct call *call);
void session_ping(struct call *call);
void session_quit(struct call *call);
void session_reset(struct call *call);
void session_select(struct call *call);
void session_time(struct call *call);

#endif
