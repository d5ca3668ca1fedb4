/* turn.c: a worker's turn: receive, execute, reply.
 *
 * Each ready connection is received from once, straight into the bundle, and
 * decoded there; when the bundle has operations enough to make the prefetching
 * of the storage worth while, or nobody is ready any more, it is executed and
 * each connection gets its replies, which stand where its requests were, with
 * one call. */
#include "server/worker.h"

#include "clock.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Bundles ------------------------------------------------------------- */

/* From the committer's thread. */
static void batch_done(struct batch *batch)
{
    struct bundle *bundle = batch->owner;
    struct worker *worker = bundle->worker;
    worker_give_begin(worker);
    bool asleep = worker->done == NULL;
    bundle->next = worker->done;
    worker->done = bundle;
    worker_give_end(worker, asleep);
}

static void empty_replies(struct buffer *replies)
{
    replies->size = 0;
    if (replies->room > WORKER_REPLIES_KEPT) {
        buffer_free(replies);
    }
}

static void empty(struct bundle *bundle)
{
    arena_reset(&bundle->batch.memory);
    empty_replies(&bundle->batch.replies);
    empty_replies(&bundle->batch.commit_replies);
    bundle->batch.count = 0;
    bundle->batch.commits = 0;
    bundle->bytes_used = 0;
    bundle->spans_count = 0;
}

/* NULL at the limit, or without memory. */
static struct bundle *make_bundle(struct worker *worker)
{
    if (worker->bundles_count == worker->bundles_max) {
        return NULL;
    }
    struct bundle *bundle = malloc(sizeof *bundle);
    uint8_t *bytes = aligned_alloc(CACHE_LINE, BUNDLE_BYTES);
    if (bundle == NULL || bytes == NULL) {
        free(bundle);
        free(bytes);
        return NULL;
    }
    bundle->next = NULL;
    bundle->bytes = bytes;
    bundle->batch.memory = (struct arena){0};
    bundle->batch.args = worker->args;
    bundle->batch.replies = (struct buffer){.max = BATCH_REPLIES_MAX};
    bundle->batch.commit_replies = (struct buffer){.max = BATCH_REPLIES_MAX};
    bundle->worker = worker;
    bundle->lent_ms = 0;
    bundle->lent_bytes = 0;
    bundle->batch.done = batch_done;
    bundle->batch.owner = bundle;
    empty(bundle);
    worker->bundles[worker->bundles_count++] = bundle;
    return bundle;
}

/* Whether the one that is filled can be lent. */
static bool has_spare(struct worker *worker)
{
    if (worker->lent_bytes > WORKER_LENT_MAX) {
        return false;
    }
    if (worker->spare == NULL) {
        worker->spare = make_bundle(worker);
    }
    return worker->spare != NULL;
}

int turn_prepare(struct worker *worker, unsigned count, bool touch)
{
    assert(count >= WORKER_BUNDLES_LEAST && count <= worker->bundles_max);
    while (worker->bundles_count < count) {
        struct bundle *bundle = make_bundle(worker);
        if (bundle == NULL) {
            return -ENOMEM;
        }
        if (touch) {
            memset(&bundle->batch.ops, 0, sizeof bundle->batch.ops);
            memset(bundle->spans, 0, sizeof bundle->spans);
            memset(bundle->bytes, 0, BUNDLE_BYTES);
        }
        bundle->next = worker->spare;
        worker->spare = bundle;
    }
    worker->bundle = worker->spare;
    worker->spare = worker->bundle->next;
    return 0;
}

bool turn_can_receive(struct worker *worker)
{
    return has_spare(worker) ||
           storage_silent_ms(worker->options.storage) >= STORAGE_SLOW_MS;
}

void bundle_free(struct bundle *bundle)
{
    if (bundle != NULL) {
        arena_free(&bundle->batch.memory);
        buffer_free(&bundle->batch.replies);
        buffer_free(&bundle->batch.commit_replies);
        free(bundle->bytes);
        free(bundle);
    }
}

/* ---- Reply --------------------------------------------------------------- */

/* Before the replies go: who has one finds its request counted. */
static void publish_stats(struct worker *worker)
{
    worker_lock(worker);
    stats_add(&worker->stats, &worker->turn_stats);
    worker->stats.bytes_held = worker->deadlines.held;
    worker_unlock(worker);
    worker->turn_stats = (struct stats){0};
}

/* True if the connection needs a turn without waiting for its socket. */
static bool is_ready(const struct conn *conn)
{
    return conn->pending || conn->readable || conn->ended || conn->broken;
}

/* Sends the replies of a span; busy: why those that wait for the committer are
 * refused, NULL: they are there. */
static void reply(
    const struct bundle *bundle, const struct span *span, const char *busy)
{
    struct worker *worker = bundle->worker;
    struct conn *conn = span->conn;
    if (conn->session != NULL) {
        reply_calls(bundle, span, busy);
        conn_settle(conn);
    } else {
        reply_messages(bundle, span, busy);
    }
    deadline_note(worker, conn);
    if (is_ready(conn)) {
        worker_queue(worker, conn);
    }
}

void turn_finish(struct worker *worker, struct bundle *bundle)
{
    for (uint32_t i = 0; i < bundle->spans_count; i++) {
        const struct span *span = &bundle->spans[i];
        if (span->commits) {
            span->conn->parked = false;
            reply(bundle, span, NULL);
        }
    }
    publish_stats(worker);
    empty(bundle);
    worker->away--;
    worker->lent -= bundle->lent_ms != 0 ? 1 : 0;
    worker->lent_bytes -= bundle->lent_bytes;
    bundle->lent_bytes = 0;
    bundle->lent_ms = 0;
    bundle->next = worker->spare;
    worker->spare = bundle;
}

/* ---- A disk that does not answer ----------------------------------------- */

/* The committer may be done with it at this very moment: then it finds no
 * connection in it any more, and what they were told is true all the same. */
static void give_up(
    struct worker *worker, struct bundle *bundle, int64_t waited_ms)
{
    char why[STORAGE_WHY_MAX];
    if (storage_withdraw(
            worker->options.storage, &bundle->batch, waited_ms, why)) {
        turn_finish(worker, bundle);
        return;
    }
    for (uint32_t i = 0; i < bundle->spans_count; i++) {
        const struct span *span = &bundle->spans[i];
        if (span->commits) {
            span->conn->parked = false;
            reply(bundle, span, why);
        }
    }
    bundle->spans_count = 0;
    bundle->lent_ms = 0;
    worker->lent--;
}

void turn_look(struct worker *worker)
{
    int64_t now_ms = clock_steady_ms();
    if (now_ms < worker->look_ms) {
        return;
    }
    worker->look_ms = now_ms + WORKER_LOOK_MS;
    int64_t limit_ms = storage_stall_ms(worker->options.storage);
    for (unsigned i = 0; i < worker->bundles_count; i++) {
        struct bundle *bundle = worker->bundles[i];
        if (bundle->lent_ms != 0 && now_ms - bundle->lent_ms >= limit_ms) {
            give_up(worker, bundle, now_ms - bundle->lent_ms);
        }
    }
}

/* ---- Execute ------------------------------------------------------------- */

/* False: the committer has the bundle. */
static bool commit(struct worker *worker, struct batch *batch)
{
    struct storage *storage = worker->options.storage;
    if (batch->commits > 0 && !has_spare(worker)) {
        storage_refuse(storage, batch, worker->bundles_count - 1);
        return true;
    }
    return batch->commits == 0 || storage_commit(storage, batch);
}

static void flush(struct worker *worker)
{
    struct bundle *bundle = worker->bundle;
    struct batch *batch = &bundle->batch;
    worker->turn_stats.requests += batch->count;
    publish_stats(worker);
    storage_read(worker->options.storage, batch);
    uint64_t held = batch->memory.held + batch->replies.size;
    bool committed = commit(worker, batch);
    /* If not, the batch and the messages of its commits are the committer's;
     * the list of spans, and the messages of the others, are not. */
    for (uint32_t i = 0; i < bundle->spans_count; i++) {
        const struct span *span = &bundle->spans[i];
        if (committed || !span->commits) {
            reply(bundle, span, NULL);
        } else {
            span->conn->parked = true;
        }
    }
    if (committed) {
        empty(bundle);
    } else {
        bundle->lent_ms = clock_steady_ms();
        bundle->lent_bytes = held;
        worker->lent_bytes += held;
        worker->lent++;
        worker->away++;
        worker->bundle = worker->spare;
        worker->spare = worker->bundle->next;
    }
}

/* ---- Receive ------------------------------------------------------------- */

/* Drops what a refused peer goes on sending, within a bound. */
static void discard(struct conn *conn, size_t size)
{
    conn_keep(conn, NULL, 0);
    conn->discarded += (uint32_t)size;
    if (conn->discarded > CONN_DISCARD_MAX) {
        conn->broken = true;
    }
}

/* Decodes what was received into the bundle.  True if the connection has
 * operations in it now. */
static bool take_in(
    struct worker *worker, struct conn *conn, uint8_t *bytes, size_t size)
{
    struct bundle *bundle = worker->bundle;
    struct conn_intake intake;
    uint32_t before = bundle->batch.count;
    bool within = !conn->whole;
    conn_decode(conn, bytes, size, &bundle->batch, &intake);
    conn_keep_rest(conn, bytes, size, intake.used, &bundle->batch.memory);
    conn->finished = intake.finished;
    worker->turn_stats.requests_invalid += intake.refused;
    if (conn->broken) {
        /* Memory is out, and what they point into may be gone. */
        bundle->batch.count = before;
        return false;
    }
    if (intake.lone) {
        worker->turn_stats.requests++;
        lone_execute(worker, conn, &bundle->batch.ops[bundle->batch.count]);
        return false;
    }
    uint32_t count = bundle->batch.count - before;
    if (count == 0) {
        return false;
    }
    assert(bundle->spans_count < WORKER_FLUSH_OPS);
    bundle->spans[bundle->spans_count++] = (struct span){.conn = conn,
        .offset = bundle->bytes_used,
        .first = before,
        .count = count,
        .commits = intake.commits};
    bundle->bytes_used +=
        within ? (uint32_t)u64_round_up(intake.used, CACHE_LINE) : 0;
    return true;
}

static void serve(struct worker *worker, struct conn *conn)
{
    if (conn->parked) {
        return;
    }
    if (conn->broken || (!conn_drain(conn) && conn->broken)) {
        worker_close(worker, conn);
        return;
    }
    if (conn->wait == DEADLINE_REPLY) {
        deadline_note(worker, conn);
    }
    conn_settle(conn);
    if (conn->output != NULL || !is_ready(conn)) {
        return;
    }
    uint8_t *bytes = worker->bundle->bytes + worker->bundle->bytes_used;
    assert(worker->bundle->bytes_used + CONN_ROOM <= BUNDLE_BYTES);
    size_t kept = conn->input_size;
    size_t size;
    bytes = conn_receive(conn, bytes, &size);
    worker->turn_stats.bytes_received += size - kept;
    bool within = false; /* the bundle holds operations of it */
    if (conn->discarding ||
        (size > 0 && !conn->greeted && conn_refuse_foreign(conn, bytes[0]))) {
        discard(conn, size);
    } else {
        within = take_in(worker, conn, bytes, size);
    }
    deadline_note(worker, conn);
    if (conn->parked || conn->output != NULL) {
        return;
    }
    if (!within && !conn->pending && (conn->ended || conn->broken)) {
        worker_close(worker, conn);
    } else if (is_ready(conn)) {
        worker_queue(worker, conn);
    }
}

/* True if there may be no room for what one more connection brings. */
static bool is_full(const struct bundle *bundle)
{
    return bundle->batch.count >= WORKER_FLUSH_OPS ||
           bundle->bytes_used + CONN_ROOM > BUNDLE_BYTES ||
           bundle->batch.memory.held > WORKER_LARGE_MAX;
}

void turn_run(struct worker *worker)
{
    struct conn *ready = worker->ready;
    struct conn **ready_end = worker->ready_end;
    if (ready == NULL) {
        return;
    }
    /* Who becomes ready meanwhile waits for the next turn. */
    worker->ready = NULL;
    worker->ready_end = &worker->ready;
    while (ready != NULL && turn_can_receive(worker)) {
        struct conn *conn = ready;
        ready = conn->next;
        conn->queued = false;
        serve(worker, conn);
        if (is_full(worker->bundle)) {
            flush(worker);
        }
        if (deadline_overfull(&worker->deadlines)) {
            break;
        }
    }
    if (ready != NULL) {
        *ready_end = worker->ready;
        if (worker->ready == NULL) {
            worker->ready_end = ready_end;
        }
        worker->ready = ready;
    }
    if (worker->bundle->batch.count > 0) {
        flush(worker);
    } else {
        empty(worker->bundle); /* of what was executed alone */
    }
    publish_stats(worker);
}
