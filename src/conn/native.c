/* native.c: messages of the native protocol into operations. */
#include "conn/decode.h"

#include "wire.h"

#include <assert.h>

static kv_message_t *message_at(uint8_t *bytes, size_t offset)
{
    return (kv_message_t *)(void *)(bytes + offset);
}

static bool is_lone(uint8_t type)
{
    return (verb_flags(type) & VERB_LONE) != 0;
}

/* How many messages the chain at bytes has; 0 if its end is not there yet;
 * more than KV_CHAIN_MAX if it is too long. */
static size_t measure_chain(uint8_t *bytes, size_t size)
{
    size_t whole = size / KV_MESSAGE_SIZE;
    for (size_t i = 0; i < u64_min(whole, KV_CHAIN_MAX); i++) {
        if ((message_at(bytes, i * KV_MESSAGE_SIZE)->type & KV_LINKED) == 0) {
            return i + 1;
        }
    }
    return whole < KV_CHAIN_MAX ? 0 : KV_CHAIN_MAX + 1;
}

/* Decodes the members of one chain.  All wait for commit, which aborts the
 * chain if one is refused. */
static void decode_chain(uint8_t *bytes, size_t messages, struct batch *batch,
    struct conn_intake *intake)
{
    for (size_t i = 0; i < messages; i++) {
        struct op *op = &batch->ops[batch->count++];
        wire_decode(message_at(bytes, i * KV_MESSAGE_SIZE), op);
        if (op->state != OP_REFUSED && is_lone(op->verb)) {
            op_refuse(op, KV_INVALID, "%s cannot be part of a chain",
                kv_request_name(op->verb));
            op->state = OP_REFUSED;
        }
        if (op->state == OP_REFUSED) {
            intake->refused++;
        } else {
            op->state = OP_COMMIT;
        }
    }
    intake->commits = true;
    intake->used += messages * KV_MESSAGE_SIZE;
}

/* One message of a chain that is too long; first: the one that says so. */
static void decode_skipped(
    struct conn *conn, kv_message_t *message, struct batch *batch, bool first)
{
    struct op *op = &batch->ops[batch->count++];
    conn->skipping = (message->type & KV_LINKED) != 0;
    *op = (struct op){.message = message, .state = OP_REFUSED};
    op_refuse(op, first ? KV_INVALID : KV_ABORTED,
        first ? "a chain has at most %d messages; this one is longer"
              : "the chain has more than %d messages",
        KV_CHAIN_MAX);
}

/* Decodes the message at bytes, which is the last or only one there is of its
 * kind: no member of a chain.  False if it has to wait for what stands before
 * it. */
static bool decode_single(struct conn *conn, kv_message_t *message,
    struct batch *batch, struct conn_intake *intake)
{
    bool lone = is_lone(message->type);
    if (lone && intake->used > 0) {
        conn->pending = true;
        return false;
    }
    struct op *op = &batch->ops[batch->count];
    wire_decode(message, op);
    intake->used += KV_MESSAGE_SIZE;
    if (op->state == OP_REFUSED) {
        intake->refused++;
    } else if (lone) {
        intake->lone = true;
        return true;
    } else if (op->state == OP_COMMIT) {
        intake->commits = true;
    } else if (intake->commits) {
        op->state = OP_COMMIT;
    }
    batch->count++;
    return true;
}

void native_decode(struct conn *conn, uint8_t *bytes, size_t size,
    struct batch *batch, struct conn_intake *intake)
{
    assert(size <= CONN_ROOM);
    while (size - intake->used >= KV_MESSAGE_SIZE && !intake->lone) {
        kv_message_t *message = message_at(bytes, intake->used);
        if (conn->skipping) {
            decode_skipped(conn, message, batch, false);
        } else if ((message->type & KV_LINKED) == 0) {
            if (!decode_single(conn, message, batch, intake)) {
                return;
            }
            continue;
        } else {
            size_t messages =
                measure_chain(bytes + intake->used, size - intake->used);
            if (messages == 0) {
                return;
            }
            if (messages <= KV_CHAIN_MAX) {
                decode_chain(bytes + intake->used, messages, batch, intake);
                continue;
            }
            decode_skipped(conn, message, batch, true);
        }
        intake->refused++;
        intake->used += KV_MESSAGE_SIZE;
    }
    conn->pending = intake->lone && size > intake->used;
}
