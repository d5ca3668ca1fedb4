/* resp.c: requests of the Redis protocol into operations.  What is about the
 * connection alone is executed here. */
#include "conn/decode.h"

#include "command/command.h"
#include "command/session.h"

#include <assert.h>

/* An operation that is answered already; the reply begins at before.  Of its
 * call name and key are kept, for who prints them; it may have none. */
static void add_answered(struct batch *batch, const struct call *call,
    uint32_t before, struct conn_intake *intake)
{
    struct op *op = &batch->ops[batch->count++];
    struct call *kept = NULL;
    if (call != NULL && call->command != NULL) {
        kept = arena_take(&batch->memory, sizeof *kept);
    }
    if (kept != NULL) {
        *kept = (struct call){.command = call->command};
        memcpy(kept->key, call->key, sizeof kept->key);
    }
    *op = (struct op){.call = kept,
        .verb = VERB_CALL,
        .state = OP_REFUSED,
        .reply_at = before,
        .reply_size = batch->replies.size - before};
    intake->finished = true;
}

static struct resp_reply reply_in(const struct conn *conn, struct batch *batch)
{
    return (struct resp_reply){
        .buffer = &batch->replies, .version = conn->session->version};
}

/* call: NULL if it is none. */
static void answer_error(struct conn *conn, const struct call *call,
    const char *why, struct batch *batch, struct conn_intake *intake)
{
    struct resp_reply reply = reply_in(conn, batch);
    uint32_t before = batch->replies.size;
    resp_error(&reply, "%s", why);
    conn->broken = conn->broken || reply.failed;
    conn->session->transaction.broken = conn->session->transaction.open;
    add_answered(batch, call, before, intake);
    intake->refused++;
}

/* Queues the call, or executes at once what is about the connection. */
static void answer(struct conn *conn, struct call *call, bool queued,
    struct batch *batch, struct conn_intake *intake)
{
    struct session *session = conn->session;
    uint32_t before = batch->replies.size;
    call->reply = reply_in(conn, batch);
    call->session = session;
    call->transaction = &session->transaction;
    if (queued) {
        transaction_queue(&session->transaction, call);
    } else {
        call->command->run(call);
    }
    conn->broken = conn->broken || call->reply.failed;
    add_answered(batch, call, before, intake);
}

/* A copy of the call that lives as long as the batch's operations.  NULL, and
 * the connection breaks, without memory. */
static struct call *keep_call(
    struct conn *conn, const struct call *call, struct batch *batch)
{
    size_t size = call->count * sizeof *call->args;
    struct call *kept = arena_take(&batch->memory, sizeof *kept + size);
    if (kept == NULL) {
        conn->broken = true;
        return NULL;
    }
    *kept = *call;
    kept->args = (struct resp_arg *)(void *)(kept + 1);
    memcpy(kept->args, call->args, size);
    return kept;
}

/* Gives the transaction to the call of an EXEC; the connection begins anew. */
static bool take_transaction(
    struct session *session, struct call *call, struct batch *batch)
{
    struct transaction *taken = arena_take(&batch->memory, sizeof *taken);
    if (taken == NULL) {
        return false;
    }
    *taken = session->transaction;
    transaction_init(&session->transaction);
    call->transaction = taken;
    struct buffer *const parts[] = {
        &taken->queued, &taken->bytes, &taken->watched};
    bool adopted = true;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (!arena_adopt(&batch->memory, parts[i]->bytes, parts[i]->room)) {
            buffer_free(parts[i]);
            adopted = false;
        }
    }
    return adopted;
}

enum op_state resp_state(const struct call *call)
{
    if (command_writes(call)) {
        return OP_COMMIT;
    }
    return call->transaction != NULL ||
                   (call->command->flags & COMMAND_MANY) != 0
               ? OP_STILL
               : OP_READ;
}

static void add_call(struct conn *conn, const struct call *prepared,
    struct batch *batch, struct conn_intake *intake)
{
    struct call *call = keep_call(conn, prepared, batch);
    if (call == NULL) {
        return;
    }
    if (call->command->run == transaction_exec &&
        !take_transaction(conn->session, call, batch)) {
        conn->broken = true;
        return;
    }
    struct op *op = &batch->ops[batch->count++];
    *op = (struct op){
        .call = call, .verb = VERB_CALL, .state = (uint8_t)resp_state(call)};
    intake->commits = intake->commits || op->state == OP_COMMIT;
    intake->still = intake->still || op->state == OP_STILL;
    if (intake->commits) {
        op->state = OP_COMMIT;
    } else if (intake->still) {
        op->state = OP_STILL; /* it must not see an older state */
    }
    intake->finished = true;
}

/* EXEC without a transaction to execute. */
static const char *refuse_exec(struct session *session)
{
    if (!session->transaction.open) {
        return "ERR EXEC without MULTI";
    }
    if (session->transaction.broken) {
        transaction_clear(&session->transaction);
        return "EXECABORT Transaction discarded because of previous errors.";
    }
    return NULL;
}

/* False if it has to wait for what stands before it. */
static bool take_call(struct conn *conn, struct call *call, struct batch *batch,
    struct conn_intake *intake)
{
    struct session *session = conn->session;
    char why[COMMAND_WHY_MAX];
    if (!command_prepare(call, why)) {
        /* Somebody's browser was made to send us a page's form. */
        session->leaving =
            call_is(call, 0, "post") || call_is(call, 0, "host:");
        answer_error(conn, call, why, batch, intake);
        return true;
    }
    unsigned flags = call->command->flags;
    session->last = call->command->name;
    const char *refusal =
        call->command->run == transaction_exec ? refuse_exec(session) : NULL;
    bool queued = session->transaction.open && (flags & COMMAND_AT_ONCE) == 0;
    if (refusal != NULL) {
        answer_error(conn, call, refusal, batch, intake);
    } else if (queued || (flags & COMMAND_SESSION) != 0) {
        answer(conn, call, queued, batch, intake);
    } else if ((flags & COMMAND_LONE) != 0) {
        if (intake->finished) {
            return false;
        }
        struct call *kept = keep_call(conn, call, batch);
        if (kept != NULL) {
            kept->session = session;
            kept->transaction = &session->transaction;
            batch->ops[batch->count] =
                (struct op){.call = kept, .verb = VERB_CALL};
            intake->lone = true;
        }
    } else {
        add_call(conn, call, batch, intake);
    }
    return true;
}

/* Where the request at bytes is to be parsed: a line is unescaped in place, but
 * may have to be parsed again, so it is copied. */
static uint8_t *parse_at(
    struct conn *conn, uint8_t *bytes, size_t *size, struct batch *batch)
{
    const uint8_t *end = NULL;
    if (!conn->session->scan.dropping && *size > 0 && bytes[0] != '*') {
        end = memchr(bytes, '\n', *size);
    }
    if (end == NULL) {
        return bytes;
    }
    *size = (size_t)(end - bytes) + 1;
    uint8_t *line = arena_take(&batch->memory, *size);
    if (line == NULL) {
        conn->broken = true;
        return NULL;
    }
    memcpy(line, bytes, *size);
    return line;
}

/* One request; false if there is nothing more to take now. */
static bool take_request(struct conn *conn, uint8_t *bytes, size_t size,
    struct batch *batch, struct conn_intake *intake)
{
    struct session *session = conn->session;
    struct resp_request request = {.args = batch->args};
    size_t left = size - intake->used;
    uint8_t *at = parse_at(conn, bytes + intake->used, &left, batch);
    if (at == NULL) {
        return false;
    }
    enum resp_result result = resp_parse(&session->scan, at, left, &request);
    struct call call = {.args = request.args,
        .count = request.count,
        .version = session->version};
    switch (result) {
    case RESP_MORE:
        intake->used += request.used;
        return false;
    case RESP_BROKEN:
        answer_error(conn, NULL, request.error, batch, intake);
        session->leaving = true;
        break;
    case RESP_TOO_LONG:
        answer_error(conn, NULL, request.error, batch, intake);
        break;
    default:
        if (request.count > 0 && !take_call(conn, &call, batch, intake)) {
            conn->pending = true;
            return false;
        }
        break;
    }
    intake->used += request.used;
    return !conn->broken;
}

void resp_decode(struct conn *conn, uint8_t *bytes, size_t size,
    struct batch *batch, struct conn_intake *intake)
{
    uint32_t first = batch->count;
    bool more = size > 0;
    assert(batch->args != NULL);
    while (more && !intake->lone && !conn->session->leaving &&
           batch->count - first < CONN_ROOM_MESSAGES) {
        more = take_request(conn, bytes, size, batch, intake) &&
               intake->used < size;
    }
    if (conn->session->leaving) {
        intake->used = size;
    } else if (more) {
        conn->pending = true;
    }
}
