/* batch.h: operations, and the batch that carries them through the engine.
 *
 * An operation points at its request, a message of 292 bytes in some buffer of
 * the caller, and its reply is written over that request: type and key are
 * echoed by being left alone.  So nothing is copied between the socket and the
 * table but the value itself.
 *
 * A command of the Redis protocol is one operation too, of the verb CALL, which
 * points at its call (command/call.h); its reply goes to one of the batch's
 * buffers, since it has no size of its own.
 *
 * A verb is the number of a request, or one of the internal ones that only the
 * log knows.  Whatever has to be known of a verb outside storage_apply stands
 * in VERB_MAP, once. */
#ifndef BATCH_H
#define BATCH_H

#include "arena.h"
#include "buffer.h"
#include "bytes.h"
#include "kv_store.h"

struct call;
struct resp_arg;

enum verb_flag {
    VERB_KEY = 1,    /* needs a key that is not all zero */
    VERB_VALUE = 2,  /* takes a value */
    VERB_NUMBER = 4, /* its value is a decimal number */
    VERB_WRITE = 8,  /* may change the table: goes through commit */
    VERB_LONE = 16   /* a stream, or waits: never in a batch or a chain */
};

#define VERB_MAP(X)                                                            \
    X(KV_PUT, VERB_KEY | VERB_VALUE | VERB_WRITE)                              \
    X(KV_GET, VERB_KEY)                                                        \
    X(KV_DELETE, VERB_KEY | VERB_WRITE)                                        \
    X(KV_EXISTS, VERB_KEY)                                                     \
    X(KV_EXPIRE, VERB_KEY | VERB_VALUE | VERB_NUMBER | VERB_WRITE)             \
    X(KV_TTL, VERB_KEY)                                                        \
    X(KV_PERSIST, VERB_KEY | VERB_WRITE)                                       \
    X(KV_ADD, VERB_KEY | VERB_VALUE | VERB_NUMBER | VERB_WRITE)                \
    X(KV_EXPECT, VERB_KEY | VERB_VALUE)                                        \
    X(KV_EXPECT_ABSENT, VERB_KEY)                                              \
    X(KV_SCAN, VERB_VALUE | VERB_LONE)                                         \
    X(KV_PING, VERB_VALUE)                                                     \
    X(KV_STATS, VERB_LONE)                                                     \
    X(KV_COUNT, 0)                                                             \
    X(KV_AUTH, VERB_VALUE | VERB_LONE)                                         \
    X(KV_BACKUP, VERB_LONE)                                                    \
    X(VERB_SWEEP, VERB_KEY | VERB_WRITE)                                       \
    X(VERB_RECORD, VERB_KEY | VERB_WRITE)                                      \
    X(VERB_DROP, VERB_KEY | VERB_WRITE)                                        \
    X(VERB_FLUSH, VERB_WRITE)                                                  \
    X(VERB_CALL, VERB_KEY)

enum {
    /* what the replies to the calls of a batch may take, in each buffer */
    BATCH_REPLIES_MAX = 16 << 20,
    SWEEP_MORE = -1, /* number of a SWEEP that left some of the remains */

    /* internal verbs: a request with such a type is refused */
    VERB_NONE = 0,
    VERB_SWEEP = 17, /* removes a record that has expired */
    VERB_MARK = 18,  /* log only: all frames up to arg are durable */
    /* Log only: what a command did, which is decided before it is logged. */
    VERB_RECORD = 19, /* the record is so: kind in status, expiry in arg */
    VERB_DROP = 20,   /* the record, of the kind in status, is gone */
    VERB_FLUSH = 21,  /* all records are gone */
    VERB_CALL = 22,   /* never logged: a command, see command/call.h */
    VERB_COUNT = 23,

    /* operations of one batch, linked ones included: enough for the prefetching
     * to pay, and few enough for the messages to stay in the cache */
    BATCH_OPS_MAX = 512
};

static const uint8_t verb_flags_table[VERB_COUNT] = {
#define X(verb, flags) [verb] = (flags),
    VERB_MAP(X)
#undef X
};

static inline unsigned verb_flags(unsigned verb)
{
    return verb < VERB_COUNT ? verb_flags_table[verb] : 0;
}

/* The name of a request, or of what only the log has. */
const char *verb_name(unsigned verb);

enum op_state {
    OP_READ,   /* executes at once, under the bucket's mutex */
    OP_STILL,  /* a call that reads many records at one instant: at once, under
                  the commit lock */
    OP_COMMIT, /* executes in commit: a write, what follows one, a chain */
    OP_REFUSED /* is answered already, in its message or a buffer */
};

struct op {
    union {
        kv_message_t *message;
        struct call *call;
    };
    uint64_t hash; /* of the key; storage_read fills it, but for SWEEP */
    union {
        int64_t number; /* EXPIRE: milliseconds from now; ADD: delta; SWEEP:
                           members of remains to be taken away */
        struct {        /* of a call's reply, in the buffer of its state */
            uint32_t reply_at;
            uint32_t reply_size;
        };
    };
    uint8_t verb;
    uint8_t state; /* enum op_state */
    bool linked;   /* with the next operation of the batch */
};

_Static_assert(sizeof(struct op) == 32, "two operations a cache line");

struct batch {
    uint32_t count;
    uint32_t commits; /* operations in state OP_COMMIT; storage_read counts */
    uint32_t more_changes; /* than one each, that they are likely to make */
    struct arena memory;   /* of calls, for who decodes them */
    struct resp_arg *args; /* to decode one, room for RESP_ARGS_MAX */
    struct buffer replies; /* of calls that are not in OP_COMMIT */
    struct buffer commit_replies; /* of those that are: commit's alone */
    /* Called once, from the committer's thread, when storage_commit returned
     * false and all replies are written.  It must not block. */
    void (*done)(struct batch *batch);
    void *owner;        /* for the caller */
    struct batch *next; /* for whoever holds the batch */
    struct op ops[BATCH_OPS_MAX];
};

/* The reply to a call, reply_size bytes, as long as nothing is added to the
 * batch's replies. */
static inline const uint8_t *batch_reply(
    const struct batch *batch, const struct op *op)
{
    const struct buffer *replies =
        op->state == OP_COMMIT ? &batch->commit_replies : &batch->replies;
    return replies->bytes + op->reply_at;
}

/* The reply without a value. */
static inline void op_reply(struct op *op, kv_error_t status)
{
    kv_message_t *message = op->message;
    message->status = (uint8_t)status;
    message->value_len = 0;
    lines_zero(message->value, KV_VALUE_MAX);
}

/* SUCCESS with a number in decimal. */
static inline void op_reply_number(struct op *op, int64_t number)
{
    op_reply(op, KV_SUCCESS);
    op->message->value_len =
        (uint16_t)decimal_format(number, op->message->value);
}

/* status and a sentence that a person can act on; cut at 256 bytes.  The
 * arguments may point into the message. */
void op_refuse(struct op *op, kv_error_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
