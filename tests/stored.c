#include "stored.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "wal/wal.h"
#include "wire.h"

enum { CAPACITY = 20000 };

void stored_make(struct stored *stored, kv_sync_t sync)
{
    *stored = (struct stored){.storage = NULL};
    disk_make(&stored->disk);
    stored->options = (struct storage_options){
        .directory = stored->disk.temporary.path,
        .capacity = CAPACITY,
        .sync = sync,
        .backup_keep = 2,
        .segment_bytes = WAL_SEGMENT_MIN,
        .load_threads = 3,
        .stall_ms = TEST_STALL_MS,
        .diag = &stored->diag,
    };
}

int stored_open(struct stored *stored)
{
    REQUIRE(stored->storage == NULL);
    stored->options.directory = stored->disk.temporary.path;
    stored->options.diag = &stored->diag;
    int error = storage_open(&stored->storage, &stored->options, stored->why);
    CHECK((stored->storage != NULL) == (error == 0));
    CHECK((stored->why[0] == '\0') == (error == 0));
    return error;
}

int stored_close(struct stored *stored, bool backup)
{
    struct storage *storage = stored->storage;
    stored->storage = NULL;
    return storage_close(storage, backup);
}

void stored_remove(struct stored *stored)
{
    if (stored->storage != NULL) {
        CHECK_OK(stored_close(stored, false));
    }
    disk_remove(&stored->disk);
}

void stored_crash(const struct stored *stored, struct stored *image)
{
    *image = *stored;
    image->storage = NULL;
    disk_copy(&stored->disk, &image->disk);
}

/* ---- Requests ------------------------------------------------------------ */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t wakes;
    bool done;
};

static void waiter_init(struct waiter *waiter)
{
    waiter->done = false;
    pthread_mutex_init(&waiter->lock, NULL);
    pthread_cond_init(&waiter->wakes, NULL);
}

static void waiter_wake(struct waiter *waiter)
{
    pthread_mutex_lock(&waiter->lock);
    waiter->done = true;
    pthread_cond_signal(&waiter->wakes);
    pthread_mutex_unlock(&waiter->lock);
}

static void waiter_await(struct waiter *waiter)
{
    pthread_mutex_lock(&waiter->lock);
    while (!waiter->done) {
        pthread_cond_wait(&waiter->wakes, &waiter->lock);
    }
    pthread_mutex_unlock(&waiter->lock);
}

static void waiter_destroy(struct waiter *waiter)
{
    pthread_cond_destroy(&waiter->wakes);
    pthread_mutex_destroy(&waiter->lock);
}

static void answer(struct batch *batch)
{
    waiter_wake(batch->owner);
}

/* What follows a write of the batch is to be executed after it. */
static void decode(struct batch *batch, kv_message_t *messages, uint32_t count)
{
    bool written = false;
    bool chained = false;
    batch->count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct op *op = &batch->ops[i];
        wire_decode(&messages[i], op);
        written = written || op->state == OP_COMMIT;
        if (op->state == OP_READ && (written || chained)) {
            op->state = OP_COMMIT;
        }
        chained = op->linked;
    }
}

/* Where one thread runs at a time, as under valgrind, the one that syncs may
 * get no turn for long, and others wait for it: it is let run first. */
static void let_sync(const struct stored *stored)
{
    enum { SILENT_MS = 1000 };
    while (storage_silent_ms(stored->storage) >= SILENT_MS) {
        (void)poll(NULL, 0, 1);
    }
}

void stored_commit(struct storage *storage, struct batch *batch)
{
    struct waiter waiter;
    waiter_init(&waiter);
    batch->done = answer;
    /* Whoever has the batch is done with the waiter before this returns. */
    // cppcheck-suppress autoVariables
    batch->owner = &waiter;
    if (!storage_commit(storage, batch)) {
        waiter_await(&waiter);
    }
    waiter_destroy(&waiter);
}

void stored_execute(
    struct stored *stored, kv_message_t *messages, uint32_t count)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL || count > BATCH_OPS_MAX) {
        abort();
    }
    let_sync(stored);
    decode(batch, messages, count);
    storage_read(stored->storage, batch);
    stored_commit(stored->storage, batch);
    free(batch);
}

kv_error_t stored_ask(
    struct stored *stored, int type, uint64_t number, uint64_t version)
{
    kv_message_t message = sample_request(type, number, version);
    stored_execute(stored, &message, 1);
    return (kv_error_t)message.status;
}

kv_error_t stored_ask_number(
    struct stored *stored, int type, uint64_t number, int64_t argument)
{
    kv_message_t message = sample_request(type, number, 0);
    message.value_len = (uint16_t)decimal_format(argument, message.value);
    stored_execute(stored, &message, 1);
    return (kv_error_t)message.status;
}

kv_error_t stored_get(struct stored *stored, uint64_t number, uint64_t *version)
{
    kv_message_t message = sample_request(KV_GET, number, 0);
    stored_execute(stored, &message, 1);
    *version = 0;
    if (message.status != KV_SUCCESS) {
        return (kv_error_t)message.status;
    }
    return sample_check(number, message.value, message.value_len, version)
               ? KV_SUCCESS
               : KV_INTERNAL;
}

/* ---- The whole ---------------------------------------------------------- */

struct asked {
    struct waiter waiter;
    int error;
    uint64_t lsn;
};

static void backup_done(
    struct storage_backup_request *request, int error, uint64_t lsn)
{
    struct asked *asked = request->owner;
    asked->error = error;
    asked->lsn = lsn;
    waiter_wake(&asked->waiter);
}

int stored_backup(struct stored *stored, uint64_t *lsn)
{
    struct asked asked = {.error = 0};
    struct storage_backup_request request = {
        .done = backup_done, .owner = &asked};
    waiter_init(&asked.waiter);
    if (!storage_backup(stored->storage, &request)) {
        abort();
    }
    waiter_await(&asked.waiter);
    waiter_destroy(&asked.waiter);
    *lsn = asked.lsn;
    return asked.error;
}

void stored_stats(struct stored *stored, struct stats *stats)
{
    memset(stats, 0, sizeof *stats);
    storage_stats(stored->storage, stats);
}

struct stored_sum stored_scan(struct stored *stored)
{
    static const uint8_t all[KV_KEY_SIZE];
    struct stored_sum sum = {0, 0};
    uint64_t cursor = 0;
    kv_message_t *records = malloc(KV_SCAN_MAX * sizeof *records);
    REQUIRE(records != NULL);
    do {
        uint32_t count = storage_scan(stored->storage, all, &cursor, records);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t number;
            uint64_t version;
            bool right = sample_number(records[i].key, &number) &&
                         sample_check(number, records[i].value,
                             records[i].value_len, &version);
            sum.wrong += right ? 0 : 1;
        }
        sum.records += count;
    } while (cursor != 0);
    free(records);
    return sum;
}
