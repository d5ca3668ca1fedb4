/* lone.c: the verbs that answer with a stream (SCAN, STATS) or wait (BACKUP).
 * Each is executed outside any batch, when everything that its connection sent
 * before it has been answered. */
#include "server/worker.h"

#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert((int)STATS_COUNT < (int)KV_SCAN_MAX, "figures fit the stream");

static void answer(struct worker *worker, struct conn *conn,
    const kv_message_t *messages, size_t count)
{
    size_t size = count * sizeof *messages;
    turn_print(worker, conn, messages + count - 1, 1);
    conn_send(conn, messages, size);
    worker->turn_stats.bytes_sent += size;
}

static void refuse(struct worker *worker, struct conn *conn, struct op *op)
{
    worker->turn_stats.requests_invalid +=
        op->message->status == KV_INVALID ? 1 : 0;
    answer(worker, conn, op->message, 1);
}

/* The last message of a stream: the request's type and key. */
static kv_message_t *put_end(kv_message_t *end, const kv_message_t *request)
{
    *end = *request;
    struct op op = {.message = end};
    op_reply(&op, KV_END);
    return end;
}

static void scan(struct worker *worker, struct conn *conn, struct op *op)
{
    uint64_t cursor;
    if (!wire_cursor_parse(op->message, &cursor)) {
        op_refuse(op, KV_INVALID,
            "the value of a SCAN is empty, or a cursor that a SCAN returned: "
            "%d hexadecimal digits",
            WIRE_CURSOR_SIZE);
        refuse(worker, conn, op);
        return;
    }
    uint32_t count = storage_scan(
        worker->options.storage, op->message->key, &cursor, worker->stream);
    assert(count <= KV_SCAN_MAX);
    wire_cursor_format(put_end(&worker->stream[count], op->message), cursor);
    answer(worker, conn, worker->stream, count + 1);
}

static void figures(struct worker *worker, struct conn *conn, struct op *op)
{
    struct stats sum = {0};
    worker->options.add_stats(worker->options.context, &sum);
    stats_add(&sum, &worker->turn_stats);
    for (size_t i = 0; i < STATS_COUNT; i++) {
        kv_message_t *message = &worker->stream[i];
        const char *name = stats_name(i);
        *message = (kv_message_t){.type = op->message->type};
        memcpy(message->key, name, u64_min(strlen(name), KV_KEY_SIZE));
        struct op figure = {.message = message};
        op_reply_number(&figure, (int64_t)stats_value(&sum, i));
    }
    put_end(&worker->stream[STATS_COUNT], op->message);
    answer(worker, conn, worker->stream, STATS_COUNT + 1);
}

/* From the thread of the backup. */
static void backup_done(
    struct storage_backup_request *request, int error, uint64_t lsn)
{
    struct backup_wait *wait = request->owner;
    struct worker *worker = wait->worker;
    wait->error = error;
    wait->lsn = lsn;
    worker_give_begin(worker);
    bool asleep = worker->backed_up == NULL;
    wait->next = worker->backed_up;
    worker->backed_up = wait;
    worker_give_end(worker, asleep);
}

const char *lone_back_up(struct worker *worker, struct conn *conn,
    const kv_message_t *message, kv_error_t *status)
{
    struct storage *storage = worker->options.storage;
    struct backup_wait *wait = calloc(1, sizeof *wait);
    if (wait == NULL) {
        *status = KV_INTERNAL;
        return "no memory to wait for a backup";
    }
    wait->request.done = backup_done;
    wait->request.owner = wait;
    wait->worker = worker;
    wait->conn = conn;
    if (message != NULL) {
        wait->message = *message;
    }
    if (storage_backup(storage, &wait->request)) {
        worker->away++;
        if (conn != NULL) {
            conn->parked = true;
        }
        return NULL;
    }
    free(wait);
    if (storage_durable(storage)) {
        *status = KV_BUSY;
        return "too many are waiting for a backup already; try again later";
    }
    *status = KV_INVALID;
    return "the store is in memory alone: there is nowhere to back it up";
}

static void back_up(struct worker *worker, struct conn *conn, struct op *op)
{
    kv_error_t status;
    const char *why = lone_back_up(worker, conn, op->message, &status);
    if (why != NULL) {
        op_refuse(op, status, "%s", why);
        refuse(worker, conn, op);
    }
}

void lone_why(int error, char why[SERVER_WHY_MAX])
{
    (void)snprintf(why, SERVER_WHY_MAX,
        "the backup failed: %s; the server's diagnostics tell more",
        strerrordesc_np(-error));
}

static void answer_backup(struct worker *worker, struct backup_wait *wait)
{
    char why[SERVER_WHY_MAX];
    struct op op = {.message = &wait->message};
    bool full = wait->error == -ENOSPC || wait->error == -EDQUOT ||
                wait->error == -EROFS;
    if (wait->error == 0) {
        op_reply_number(&op, (int64_t)wait->lsn);
    } else {
        lone_why(wait->error, why);
        op_refuse(&op, full ? KV_READ_ONLY : KV_INTERNAL, "%s", why);
    }
    answer(worker, wait->conn, &wait->message, 1);
}

void lone_finish(struct worker *worker, struct backup_wait *wait)
{
    struct conn *conn = wait->conn;
    worker->away--;
    if (conn != NULL) {
        conn->parked = false;
        if (conn->session != NULL) {
            saves_finish(worker, conn, wait->error);
        } else {
            answer_backup(worker, wait);
        }
        deadline_note(worker, conn);
        worker_queue(worker, conn);
    }
    free(wait);
}

void lone_execute(struct worker *worker, struct conn *conn, struct op *op)
{
    switch (op->verb) {
    case VERB_CALL:
        answer_lone(worker, conn, op->call);
        return;
    case KV_SCAN:
        scan(worker, conn, op);
        return;
    case KV_STATS:
        figures(worker, conn, op);
        return;
    default:
        assert(op->verb == KV_BACKUP);
        back_up(worker, conn, op);
    }
}
