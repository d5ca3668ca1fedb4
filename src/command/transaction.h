/* transaction.h: MULTI, EXEC, DISCARD, WATCH, UNWATCH: what a connection has
 * queued and watches, and its execution as one.
 *
 * A queued command is checked when it comes and executed when EXEC comes, all
 * of them in one chain: nobody sees half of it, and it is in the log as a
 * whole or not at all.  As in Redis a command that fails in EXEC does not undo
 * the others.
 *
 * A watched key is remembered with the stamp of its record; EXEC does nothing
 * if that is another by then.  A stamp is set by every change and never comes
 * again, so a key that was changed and changed back is noticed; one that was
 * not there, came and went is not, since nothing is different. */
#ifndef COMMAND_TRANSACTION_H
#define COMMAND_TRANSACTION_H

#include "command/call.h"

enum {
    TRANSACTION_CALLS_MAX = 1024,
    TRANSACTION_BYTES_MAX = 1 << 20, /* of arguments */
    TRANSACTION_WATCHED_MAX = 1024
};

/* A command that waits for EXEC. */
struct queued {
    const struct command *command;
    uint32_t count; /* of arguments */
    uint32_t at;    /* where their sizes and bytes are */
    uint8_t key[KV_KEY_SIZE];
};

struct watched {
    uint8_t key[KV_KEY_SIZE];
    uint64_t stamp;
};

struct transaction {
    bool open;         /* MULTI was there */
    bool broken;       /* something could not be queued */
    bool writes;       /* one of the queued may change something */
    uint32_t changes;  /* that the queued are likely to make */
    uint32_t args_max; /* of one of them */
    struct buffer queued;
    struct buffer bytes;
    struct buffer watched;
};

void transaction_init(struct transaction *transaction);
/* Forgets what is queued and watched. */
void transaction_clear(struct transaction *transaction);
/* Bytes of memory that it holds. */
uint32_t transaction_held(const struct transaction *transaction);

/* Queues the call, and replies so; or says why not, and breaks it. */
void transaction_queue(struct transaction *transaction, struct call *call);

/* The commands; call->transaction is the connection's, in transaction_exec that
 * of the call alone. */
void transaction_multi(struct call *call);
void transaction_discard(struct call *call);
void transaction_watch(struct call *call);
void transaction_unwatch(struct call *call);
void transaction_exec(struct call *call);

#endif
