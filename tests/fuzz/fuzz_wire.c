/* What peers send: the first byte tells how large the parts are that the rest
 * arrives in.  Whatever it is, operations are well formed, and the same as if
 * all had arrived at once. */
#include <assert.h>
#include <stdlib.h>

#include "conn/conn.h"

enum { INPUT_MAX = CONN_ROOM / 2, TRACE_MAX = INPUT_MAX / KV_MESSAGE_SIZE + 1 };

struct trace {
    size_t count;
    kv_message_t messages[TRACE_MAX];
    bool refused[TRACE_MAX];
    bool linked[TRACE_MAX];
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_op(const struct op *op)
{
    const kv_message_t *message = op->message;
    assert(message->value_len <= KV_VALUE_MAX);
    assert((op->state == OP_REFUSED) == (message->status != 0));
    if (op->state == OP_REFUSED) {
        return;
    }
    unsigned flags = verb_flags(op->verb);
    assert(op->verb == (message->type & ~KV_LINKED));
    assert(op->verb >= KV_PUT && op->verb <= KV_BACKUP);
    assert(
        (flags & VERB_KEY) == 0 || !bytes_all_zero(message->key, KV_KEY_SIZE));
    assert((flags & VERB_WRITE) == 0 || op->state == OP_COMMIT);
    assert(op->verb != KV_EXPIRE || op->number > 0);
    for (size_t i = message->value_len;
         (flags & VERB_VALUE) != 0 && i < KV_VALUE_MAX; i++) {
        assert(message->value[i] == 0);
    }
}

/* Chains are closed, not too long, and wait for the commit. */
static void check_batch(const struct batch *batch)
{
    unsigned members = 1;
    bool committing = false;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct op *op = &batch->ops[i];
        check_op(op);
        members = op->linked ? members + 1 : 1;
        assert(members <= KV_CHAIN_MAX);
        assert(!(committing || op->linked) || op->state != OP_READ);
        assert(
            (verb_flags(op->verb) & VERB_LONE) == 0 || op->state == OP_REFUSED);
        committing = committing || op->linked || op->state == OP_COMMIT;
    }
    assert(members == 1);
}

static void note(struct trace *trace, const struct op *op)
{
    assert(trace->count < TRACE_MAX);
    trace->messages[trace->count] = *op->message;
    trace->refused[trace->count] = op->state == OP_REFUSED;
    trace->linked[trace->count] = op->linked;
    trace->count++;
}

/* One turn with the size bytes that are there; returns how many it used. */
static size_t take_turn(struct conn *conn, uint8_t *bytes, size_t size,
    struct batch *batch, struct trace *trace)
{
    struct conn_intake intake;
    batch->count = 0;
    conn_decode(conn, bytes, size, batch, &intake);
    assert(intake.used <= size && intake.used % KV_MESSAGE_SIZE == 0);
    check_batch(batch);
    assert(!intake.lone || batch->count == 0);
    for (uint32_t i = 0; i < batch->count; i++) {
        note(trace, &batch->ops[i]);
    }
    if (intake.lone) {
        check_op(&batch->ops[0]);
        note(trace, &batch->ops[0]);
    }
    return intake.used;
}

static void receive(
    const uint8_t *bytes, size_t size, size_t part, struct trace *trace)
{
    struct conn conn = {0};
    struct batch *batch = calloc(1, sizeof *batch);
    uint8_t *room = aligned_alloc(CACHE_LINE, CONN_ROOM);
    size_t held = 0;
    assert(batch != NULL && room != NULL);
    for (size_t at = 0; at < size; at += part) {
        size_t here = u64_min(part, size - at);
        memcpy(room + held, bytes + at, here);
        held += here;
        do {
            size_t used = take_turn(&conn, room, held, batch, trace);
            held -= used;
            memmove(room, room + used, held);
        } while (conn.pending);
        assert(held < KV_CHAIN_MAX * KV_MESSAGE_SIZE);
    }
    free(batch);
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1 || size > INPUT_MAX) {
        return 0;
    }
    struct trace *whole = calloc(1, sizeof *whole);
    struct trace *parts = calloc(1, sizeof *parts);
    assert(whole != NULL && parts != NULL);
    size_t part = 1 + (size_t)bytes[0] * 16;
    receive(bytes + 1, size - 1, size, whole);
    receive(bytes + 1, size - 1, part, parts);
    assert(whole->count == parts->count);
    for (size_t i = 0; i < whole->count; i++) {
        assert(memcmp(&whole->messages[i], &parts->messages[i],
                   sizeof whole->messages[i]) == 0);
        assert(whole->refused[i] == parts->refused[i]);
        assert(whole->linked[i] == parts->linked[i]);
    }
    free(whole);
    free(parts);
    return 0;
}
