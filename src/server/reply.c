/* reply.c: replies on their way out: of messages, where their requests stood;
 * of calls, from the buffers of the batch; and what is printed of them. */
#include "server/worker.h"

#include "command/session.h"

#include <assert.h>
#include <stdio.h>

enum { REPLY_SHOWN = 64 };

/* ---- Printing ------------------------------------------------------------ */

/* The key as text: what is not printable as \xNN. */
static void print_key(
    const uint8_t key[KV_KEY_SIZE], char text[4 * KV_KEY_SIZE + 1])
{
    size_t length = bytes_unpadded(key, KV_KEY_SIZE);
    for (size_t i = 0; i < length; i++) {
        bool plain = key[i] > ' ' && key[i] < 0x7f && key[i] != '\\';
        text += sprintf(text, plain ? "%c" : "\\x%02x", (unsigned)key[i]);
    }
    *text = '\0';
}

void turn_print(struct worker *worker, const struct conn *conn,
    const kv_message_t *messages, size_t count)
{
    struct diag *diag = worker->options.diag;
    if (diag == NULL || diag->verbose < 2) {
        return;
    }
    char peer[CONN_PEER_MAX];
    conn_peer(conn, peer);
    for (size_t i = 0; i < count; i++) {
        const kv_message_t *message = &messages[i];
        char key[4 * KV_KEY_SIZE + 1];
        print_key(message->key, key);
        diag_line(diag, "%s: %s%s \"%s\": %s", peer,
            kv_request_name(message->type),
            (message->type & KV_LINKED) != 0 ? " (linked)" : "", key,
            kv_error_name(message->status));
    }
}

/* The beginning of a reply, on one line. */
static const char *print_head(
    const uint8_t *bytes, uint32_t size, char text[REPLY_SHOWN + 1])
{
    size_t length = 0;
    for (uint32_t i = 0; i < size && length < REPLY_SHOWN; i++) {
        bool end = i + 1 < size && bytes[i] == '\r' && bytes[i + 1] == '\n';
        bool plain = bytes[i] >= ' ' && bytes[i] < 0x7f;
        text[length++] = (char)(plain ? bytes[i] : end ? ' ' : '?');
        i += end ? 1 : 0;
    }
    while (length > 0 && text[length - 1] == ' ') {
        length--;
    }
    text[length] = '\0';
    return text;
}

static bool is_printed(const struct worker *worker)
{
    return worker->options.diag != NULL && worker->options.diag->verbose >= 2;
}

void reply_print(const struct worker *worker, const struct conn *conn,
    const struct call *call, const void *reply, uint32_t size)
{
    char key[4 * KV_KEY_SIZE + 1] = "";
    char head[REPLY_SHOWN + 1];
    if (!is_printed(worker)) {
        return;
    }
    if (call != NULL) {
        print_key(call->key.bytes, key);
    }
    diag_line(worker->options.diag, "%s: %s \"%s\": %s", conn->session->peer,
        call != NULL ? call->command->name : "-", key,
        print_head(reply, size, head));
}

/* ---- Messages ------------------------------------------------------------ */

_Static_assert((int)CONN_ROOM_MESSAGES <= (int)KV_SCAN_MAX,
    "the replies of a span fit the stream");

/* Replies in other memory, since the committer has the messages. */
static const kv_message_t *refuse_beside(struct worker *worker,
    const struct op *ops, uint32_t count, const char *why)
{
    assert(count <= CONN_ROOM_MESSAGES);
    for (uint32_t i = 0; i < count; i++) {
        const kv_message_t *message = ops[i].message;
        struct op op = {.message = &worker->stream[i]};
        if (ops[i].state == OP_COMMIT) {
            op.message->type = message->type;
            memcpy(op.message->key, message->key, KV_KEY_SIZE);
            op_refuse(&op, KV_BUSY, "%s", why);
        } else {
            *op.message = *message;
        }
    }
    return worker->stream;
}

void reply_messages(
    const struct bundle *bundle, const struct span *span, const char *busy)
{
    struct worker *worker = bundle->worker;
    size_t size = (size_t)span->count * KV_MESSAGE_SIZE;
    const kv_message_t *messages = (const void *)(bundle->bytes + span->offset);
    if (busy != NULL) {
        messages = refuse_beside(
            worker, &bundle->batch.ops[span->first], span->count, busy);
    }
    turn_print(worker, span->conn, messages, span->count);
    conn_send(span->conn, messages, size);
    worker->turn_stats.bytes_sent += size;
}

/* ---- Calls --------------------------------------------------------------- */

/* The replies of a span if they stand one behind the other; NULL if not, or if
 * there was no memory for one. */
static const uint8_t *find_run(
    const struct batch *batch, const struct span *span, size_t *size)
{
    const struct op *ops = &batch->ops[span->first];
    const uint8_t *run = batch_reply(batch, &ops[0]);
    const uint8_t *end = run;
    for (uint32_t i = 0; i < span->count; i++) {
        if (batch_reply(batch, &ops[i]) != end || ops[i].reply_size == 0) {
            return NULL;
        }
        end += ops[i].reply_size;
    }
    *size = (size_t)(end - run);
    return run;
}

/* False if a reply is missing, for want of memory: what follows it would be
 * taken for it. */
static bool gather(
    const struct bundle *bundle, const struct span *span, const char *busy)
{
    struct worker *worker = bundle->worker;
    const struct batch *batch = &bundle->batch;
    struct resp_reply refusal = {.buffer = &worker->gathered, .version = 2};
    assert(worker->gathered.size == 0);
    for (uint32_t i = 0; i < span->count; i++) {
        const struct op *op = &batch->ops[span->first + i];
        if (op->state == OP_COMMIT && busy != NULL) {
            resp_error(&refusal, "BUSY %s", busy);
        } else if (op->reply_size == 0 ||
                   !buffer_append(&worker->gathered, batch_reply(batch, op),
                       op->reply_size)) {
            return false;
        }
    }
    return !refusal.failed;
}

static void print_calls(
    const struct bundle *bundle, const struct span *span, const char *busy)
{
    const struct batch *batch = &bundle->batch;
    if (!is_printed(bundle->worker)) {
        return;
    }
    for (uint32_t i = 0; i < span->count; i++) {
        const struct op *op = &batch->ops[span->first + i];
        const void *reply = "-BUSY";
        uint32_t size = sizeof "-BUSY" - 1;
        if (busy == NULL || op->state != OP_COMMIT) {
            reply = batch_reply(batch, op);
            size = op->reply_size;
        }
        reply_print(bundle->worker, span->conn, op->call, reply, size);
    }
}

void reply_calls(
    const struct bundle *bundle, const struct span *span, const char *busy)
{
    struct worker *worker = bundle->worker;
    const struct batch *batch = &bundle->batch;
    struct conn *conn = span->conn;
    size_t size = 0;
    const uint8_t *run = busy == NULL ? find_run(batch, span, &size) : NULL;
    print_calls(bundle, span, busy);
    if (run != NULL) {
        conn_send(conn, run, size);
        worker->turn_stats.bytes_sent += size;
        return;
    }
    conn->broken = conn->broken || !gather(bundle, span, busy);
    reply_gathered(worker, conn);
}

void reply_gathered(struct worker *worker, struct conn *conn)
{
    struct buffer *gathered = &worker->gathered;
    conn->broken = conn->broken || gathered->size == 0;
    conn_send(conn, gathered->bytes, gathered->size);
    worker->turn_stats.bytes_sent += gathered->size;
    gathered->size = 0;
    if (gathered->room > WORKER_REPLIES_KEPT) {
        buffer_free(gathered);
    }
}
