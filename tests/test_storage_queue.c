/* Who finds somebody committing, with everysec and none: he does not wait, his
 * batch is queued, and it is committed in time and in order.  The test itself
 * plays the one who commits for long. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "served.h"
#include "server/worker.h"
#include "storage/state.h"
#include "stored.h"
#include "wire.h"

enum { BATCHES = 5, THREADS = 8, ADDS = 300 };

/* From now on somebody commits. */
static void hold(struct storage *storage)
{
    bool held = false;
    while (!held) { /* but for the keeper's marks */
        lock(&storage->queue);
        held = !storage->committing;
        storage->committing = true;
        unlock(&storage->queue);
        (void)poll(NULL, 0, 1); /* under valgrind one runs at a time */
    }
}

/* He is done, and the next one commits, who finds what has queued. */
static void let_go(struct storage *storage)
{
    struct batch *batch = calloc(1, sizeof *batch);
    kv_message_t message = sample_request(KV_PUT, 1000, 1);
    REQUIRE(batch != NULL);
    lock(&storage->queue);
    storage->committing = false;
    unlock(&storage->queue);
    batch->count = 1;
    wire_decode(&message, &batch->ops[0]);
    storage_read(storage, batch);
    stored_commit(storage, batch);
    CHECK_INT(message.status, KV_SUCCESS);
    free(batch);
}

/* ---- Batches ------------------------------------------------------------- */

struct queued {
    struct stored stored;
    pthread_mutex_t lock;
    pthread_cond_t wakes;
    unsigned done;
    unsigned order[BATCHES]; /* in which they were done */
    kv_message_t messages[BATCHES];
    struct batch batches[BATCHES];
};

static void note_done(struct batch *batch)
{
    struct queued *queued = batch->owner;
    pthread_mutex_lock(&queued->lock);
    queued->order[queued->done++] = (unsigned)(batch - queued->batches);
    pthread_cond_signal(&queued->wakes);
    pthread_mutex_unlock(&queued->lock);
}

static void await_done(struct queued *queued, unsigned count)
{
    pthread_mutex_lock(&queued->lock);
    while (queued->done < count) {
        pthread_cond_wait(&queued->wakes, &queued->lock);
    }
    CHECK_U64(queued->done, count);
    pthread_mutex_unlock(&queued->lock);
}

/* A store in which somebody commits, and batches that queue: each puts another
 * version of the same record. */
static struct queued *set_up(kv_sync_t sync)
{
    struct queued *queued = calloc(1, sizeof *queued);
    REQUIRE(queued != NULL);
    stored_make(&queued->stored, sync);
    REQUIRE(stored_open(&queued->stored) == 0);
    pthread_mutex_init(&queued->lock, NULL);
    pthread_cond_init(&queued->wakes, NULL);
    struct storage *storage = queued->stored.storage;
    hold(storage);
    for (unsigned i = 0; i < BATCHES; i++) {
        struct batch *batch = &queued->batches[i];
        queued->messages[i] = sample_request(KV_PUT, 1, i);
        batch->count = 1;
        batch->done = note_done;
        batch->owner = queued;
        wire_decode(&queued->messages[i], &batch->ops[0]);
        storage_read(storage, batch);
        CHECK(!storage_commit(storage, batch));
    }
    return queued;
}

static void tear_down(struct queued *queued)
{
    stored_remove(&queued->stored);
    pthread_cond_destroy(&queued->wakes);
    pthread_mutex_destroy(&queued->lock);
    free(queued);
}

static void check_version(struct stored *stored, uint64_t expected)
{
    uint64_t version = UINT64_MAX;
    CHECK_INT(stored_get(stored, 1, &version), KV_SUCCESS);
    CHECK_U64(version, expected);
}

static void what_queues_is_committed_in_order(void)
{
    static const kv_sync_t syncs[] = {KV_SYNC_EVERYSEC, KV_SYNC_NONE};
    for (size_t i = 0; i < ARRAY_SIZE(syncs); i++) {
        struct queued *queued = set_up(syncs[i]);
        struct stored *stored = &queued->stored;
        struct stored image;
        uint64_t version;
        CHECK_INT(stored_get(stored, 1, &version), KV_NOT_FOUND);
        /* Nobody writes a mark into another one's group. */
        committer_mark(stored->storage);
        CHECK_U64(queued->done, 0);
        let_go(stored->storage);
        await_done(queued, BATCHES);
        for (unsigned j = 0; j < BATCHES; j++) {
            CHECK_U64(queued->order[j], j);
            CHECK_INT(queued->messages[j].status, KV_SUCCESS);
        }
        check_version(stored, BATCHES - 1);
        stored_crash(stored, &image);
        REQUIRE(stored_open(&image) == 0);
        check_version(&image, BATCHES - 1);
        stored_remove(&image);
        tear_down(queued);
    }
}

/* One of the middle, the last one, and the first one. */
static void what_is_withdrawn_leaves_the_others(void)
{
    static const unsigned taken[] = {2, BATCHES - 1, 0};
    struct queued *queued = set_up(KV_SYNC_NONE);
    struct storage *storage = queued->stored.storage;
    char why[STORAGE_WHY_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
        struct batch *batch = &queued->batches[taken[i]];
        CHECK(storage_withdraw(storage, batch, 2000, why));
        CHECK_INT(queued->messages[taken[i]].status, KV_BUSY);
        CHECK(!storage_withdraw(storage, batch, 2000, why));
    }
    let_go(storage);
    await_done(queued, BATCHES - (unsigned)ARRAY_SIZE(taken));
    CHECK_U64(queued->order[0], 1);
    CHECK_U64(queued->order[1], 3);
    check_version(&queued->stored, 3);
    /* Nothing is left behind: who comes now commits himself. */
    struct batch *batch = &queued->batches[0];
    queued->messages[0] = sample_request(KV_PUT, 1, 7);
    wire_decode(&queued->messages[0], &batch->ops[0]);
    storage_read(storage, batch);
    CHECK(storage_commit(storage, batch));
    check_version(&queued->stored, 7);
    tear_down(queued);
}

/* ---- Many threads -------------------------------------------------------- */

struct adder {
    struct stored *stored;
    uint64_t number;
    uint64_t wrong;
    pthread_t thread;
};

/* Adds to a record of all, and sees what it has put under a key of its own. */
static void *add_on(void *context)
{
    struct adder *adder = context;
    for (uint64_t i = 0; i < ADDS; i++) {
        kv_message_t messages[2] = {sample_request(KV_ADD, 0, 0),
            sample_request(KV_PUT, adder->number, i)};
        uint64_t version = UINT64_MAX;
        messages[0].value_len = (uint16_t)decimal_format(1, messages[0].value);
        stored_execute(adder->stored, messages, ARRAY_SIZE(messages));
        adder->wrong += messages[0].status != KV_SUCCESS;
        adder->wrong += messages[1].status != KV_SUCCESS;
        adder->wrong +=
            stored_get(adder->stored, adder->number, &version) != KV_SUCCESS;
        adder->wrong += version != i;
    }
    return NULL;
}

static void check_sum(struct stored *stored)
{
    kv_message_t message = sample_request(KV_GET, 0, 0);
    int64_t sum = 0;
    bool overflow;
    stored_execute(stored, &message, 1);
    CHECK_INT(message.status, KV_SUCCESS);
    (void)decimal_parse(message.value, message.value_len, &sum, &overflow);
    CHECK_INT(sum, THREADS * ADDS);
}

static void many_commit_at_once(kv_sync_t sync)
{
    struct stored stored;
    struct stored image;
    struct adder adders[THREADS];
    kv_message_t zero = sample_request(KV_PUT, 0, 0);
    stored_make(&stored, sync);
    REQUIRE(stored_open(&stored) == 0);
    zero.value_len = (uint16_t)decimal_format(0, zero.value);
    memset(zero.value + zero.value_len, 0, KV_VALUE_MAX - zero.value_len);
    stored_execute(&stored, &zero, 1);
    for (unsigned i = 0; i < THREADS; i++) {
        adders[i] = (struct adder){.stored = &stored, .number = 1 + i};
        REQUIRE(
            pthread_create(&adders[i].thread, NULL, add_on, &adders[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(adders[i].thread, NULL);
        CHECK_U64(adders[i].wrong, 0);
    }
    check_sum(&stored);
    stored_crash(&stored, &image);
    stored_remove(&stored);
    REQUIRE(stored_open(&image) == 0);
    check_sum(&image);
    stored_remove(&image);
}

static void with_everysec_nobody_is_forgotten(void)
{
    many_commit_at_once(KV_SYNC_EVERYSEC);
}

static void with_none_nobody_is_forgotten(void)
{
    many_commit_at_once(KV_SYNC_NONE);
}

/* ---- In a server --------------------------------------------------------- */

enum { LENT_MAX = WORKER_BUNDLES_BRIEF - 1, WRITERS = LENT_MAX + 5 };

/* One worker, and a PUT from each of some connections; a read between them has
 * each received in a turn of its own, until all bundles but one are lent. */
static void put_from(int fds[WRITERS], unsigned count, int reader)
{
    for (unsigned i = 0; i < count; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key %u", i);
        kv_message_t request = served_request(KV_PUT, key, "1");
        served_send(fds[i], &request, sizeof request);
        if (i + 1 < LENT_MAX) {
            kv_message_t reply = served_call(reader, KV_GET, key, "");
            served_check_reply(&reply, KV_NOT_FOUND, NULL);
        }
        served_await_sent(fds[i]);
    }
}

static void check_replies(int fds[WRITERS], unsigned count, kv_error_t status)
{
    for (unsigned i = 0; i < count; i++) {
        kv_message_t reply = {0};
        CHECK_INT(served_receive(fds[i], &reply, sizeof reply), sizeof reply);
        CHECK_INT(reply.status, status);
    }
}

static void start(struct served *served, int fds[WRITERS], int64_t stall_ms)
{
    const struct served_options options = {
        .sync = KV_SYNC_NONE, .stall_ms = stall_ms};
    served_start(served, &options);
    for (unsigned i = 0; i < WRITERS; i++) {
        fds[i] = served_dial(served);
        served_check_alive(fds[i]);
    }
}

static void end(struct served *served, int fds[WRITERS], int reader)
{
    for (unsigned i = 0; i < WRITERS; i++) {
        close(fds[i]);
    }
    close(reader);
    served_end(served);
}

/* Reads go on, no more is received than there are bundles for, and all is
 * answered in the end. */
static void a_worker_goes_on_with_reads(void)
{
    struct served served;
    int fds[WRITERS];
    start(&served, fds, 0);
    int reader = served_dial(&served);
    hold(served.storage);
    put_from(fds, WRITERS, reader);
    let_go(served.storage);
    check_replies(fds, WRITERS, KV_SUCCESS);
    kv_message_t reply = served_call(reader, KV_COUNT, "", "");
    char count[8];
    (void)snprintf(count, sizeof count, "%d", WRITERS + 1);
    served_check_reply(&reply, KV_SUCCESS, count);
    end(&served, fds, reader);
}

/* Nobody waits for ever for the one who commits. */
static void who_queues_for_too_long_is_told_so(void)
{
    enum { STALL_MS = 300 };
    struct served served;
    int fds[WRITERS];
    start(&served, fds, STALL_MS);
    int reader = served_dial(&served);
    hold(served.storage);
    put_from(fds, WRITERS, reader);
    check_replies(fds, WRITERS, KV_BUSY);
    let_go(served.storage);
    kv_message_t reply = served_call(reader, KV_COUNT, "", "");
    served_check_reply(&reply, KV_SUCCESS, "1");
    end(&served, fds, reader);
}

/* A stop answers those who queue. */
static void a_stop_waits_for_those_who_queue(void)
{
    struct served served;
    int fds[WRITERS];
    start(&served, fds, 0);
    int reader = served_dial(&served);
    hold(served.storage);
    put_from(fds, LENT_MAX - 1, reader);
    server_stop(served.server);
    CHECK(served_is_over(reader));
    let_go(served.storage);
    check_replies(fds, LENT_MAX - 1, KV_SUCCESS);
    served_join(&served);
    end(&served, fds, reader);
}

const struct test_case test_storage_queue[] = {
    TEST_CASE(what_queues_is_committed_in_order),
    TEST_CASE(what_is_withdrawn_leaves_the_others),
    TEST_CASE(with_everysec_nobody_is_forgotten),
    TEST_CASE(with_none_nobody_is_forgotten),
    TEST_CASE(a_worker_goes_on_with_reads),
    TEST_CASE(who_queues_for_too_long_is_told_so),
    TEST_CASE(a_stop_waits_for_those_who_queue),
    TEST_END,
};
