/* resp.c: requests of the Redis protocol into operations.  What is about the
 * connection alone is executed here. */
#include "conn/decode.h"

#include "command/command.h"
#include "command/session.h"

#include <assert.h>

enum { NOT_SIMPLE = COMMAND_SESSION | COMMAND_LONE | COMMAND_AT_ONCE };

/* A call that lives as long as the batch's operations.  NULL, and the
 * connection breaks, without memory. */
static struct call *make_call(
    struct conn *conn, const struct resp_request *request, struct batch *batch)
{
    size_t size = request->count * sizeof *request->args;
    struct call *call = arena_take(&batch->memory, sizeof *call + size);
    if (call == NULL) {
        conn->broken = true;
        return NULL;
    }
    call_init(call, conn->session->command, conn->session->version);
    call->args = (struct resp_arg *)(void *)(call + 1);
    call->count = request->count;
    memcpy(call->args, request->args, size);
    return call;
}

/* An operation that is answered already; the reply begins at before.  It may
 * have no call. */
static void add_answered(struct batch *batch, struct call *call,
    uint32_t before, struct conn_intake *intake)
{
    struct op *op = &batch->ops[batch->count++];
    *op =
        (struct op){.call = call != NULL && call->command != NULL ? call : NULL,
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
static void answer_error(struct conn *conn, struct call *call, const char *why,
    struct batch *batch, struct conn_intake *intake)
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

static void add_call(
    struct call *call, struct batch *batch, struct conn_intake *intake)
{
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

/* Takes what is not simply executed.  False if it has to wait for what stands
 * before it. */
static bool take_other(struct conn *conn, struct call *call,
    struct batch *batch, struct conn_intake *intake)
{
    struct session *session = conn->session;
    unsigned flags = call->command->flags;
    bool exec = call->command->run == transaction_exec;
    const char *refusal = exec ? refuse_exec(session) : NULL;
    bool queued = session->transaction.open && (flags & COMMAND_AT_ONCE) == 0;
    if (refusal != NULL) {
        answer_error(conn, call, refusal, batch, intake);
    } else if (exec) {
        conn->broken = !take_transaction(session, call, batch);
        if (!conn->broken) {
            add_call(call, batch, intake);
        }
    } else if (queued || (flags & COMMAND_LONE) == 0) {
        answer(conn, call, queued, batch, intake);
    } else {
        if (intake->finished) {
            return false;
        }
        call->session = session;
        call->transaction = &session->transaction;
        batch->ops[batch->count] = (struct op){.call = call, .verb = VERB_CALL};
        intake->lone = true;
    }
    return true;
}

/* As take_other. */
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
    session->command = call->command;
    session->last = call->command->name;
    if (session->transaction.open || (call->command->flags & NOT_SIMPLE) != 0) {
        return take_other(conn, call, batch, intake);
    }
    add_call(call, batch, intake);
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
    struct resp_request request; /* resp_parse sets what is not set here */
    size_t left = size - intake->used;
    uint8_t *at = parse_at(conn, bytes + intake->used, &left, batch);
    if (at == NULL) {
        return false;
    }
    request.args = batch->args;
    switch (resp_parse(&session->scan, at, left, &request)) {
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
        if (request.count > 0) {
            struct call *call = make_call(conn, &request, batch);
            if (call == NULL) {
                return false;
            }
            if (!take_call(conn, call, batch, intake)) {
                conn->pending = true;
                return false;
            }
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
