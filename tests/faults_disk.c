/* faults_disk.c: a disk that is full, that refuses a write, that fails to sync:
 * what the store says, and how it goes on. */
#include "faults.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "storage/storage.h"
#include "wire.h"

/* ---- Full, and refused writes -------------------------------------------- */

enum { TRIES_MAX = 1000 };

static const struct span one = {CELL_PUT, 1, false};
static const struct span many = {CELL_MANY, MANY_CELLS, false};

/* PUTs until one is refused, which must say that it was for this error; with a
 * fault to arm before each.  The keeper writes too, and may be struck in the
 * place of the PUT. */
static void put_until_refused(
    struct run *run, kv_store_t *store, const struct fault *fault, int error)
{
    const struct cell *cell = &run->journal.cells[one.first];
    bool refused = false;
    for (uint32_t i = 0; i < TRIES_MAX && !refused; i++) {
        if (fault != NULL) {
            calls_arm(fault, 1);
        }
        run_put(run, store, &one);
        refused = cell->sure != run->journal.last;
    }
    if (!refused || cell->doubtful ||
        strstr(run->refusal, strerror(error)) == NULL) {
        run_complain(run, "expected READ_ONLY for %s: %s", strerror(error),
            run->refusal);
    }
}

static void full_and_space_again(struct run *run)
{
    static const struct fault full = {
        CALL_fallocate, EFFECT_FAIL, ENOSPC, true};
    uint64_t lsn;
    run->fault = &full;
    run->nth = 1;
    calls_arm(&full, 1);
    kv_store_t *store = run_open_plainly(run);
    if (store == NULL) {
        return;
    }
    /* What was allocated ahead is still written. */
    run_put(run, store, &one);
    if (run->journal.cells[one.first].sure != run->journal.last) {
        run_complain(run, "refused before the segment was full");
    }
    do {
        run_put(run, store, &many);
    } while (run->journal.cells[many.first + MANY_CELLS - 1].sure ==
             run->journal.last);
    put_until_refused(run, store, NULL, ENOSPC);
    run_compare(run, store);
    run_backup(run, store, &lsn);
    put_until_refused(run, store, NULL, ENOSPC);
    calls_disarm();
    run->fault = NULL;
    run_put(run, store, &many);
    run_put(run, store, &one);
    run_compare(run, store);
    kv_store_destroy(store);
}

static void refused_and_taken_again(struct run *run)
{
    static const struct fault refused = {CALL_pwrite, EFFECT_FAIL, EIO, false};
    uint64_t lsn;
    run->fault = &refused;
    run->nth = 1;
    kv_store_t *store = run_open_plainly(run);
    if (store == NULL) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        put_until_refused(run, store, &refused, EIO);
        run_compare(run, store);
        calls_disarm();
        run_put(run, store, &many);
        if (run->journal.cells[many.first].sure + MANY_CELLS - 1 !=
            run->journal.last) {
            run_complain(run, "the next write is refused too");
        }
    }
    run->fault = NULL;
    run_backup(run, store, &lsn);
    run_put(run, store, &one);
    run_backup(run, store, &lsn);
    run_compare(run, store);
    kv_store_destroy(store);
}

/* ---- A sync that fails --------------------------------------------------- */

enum { WRITERS = 3, WRITES_MAX = 100000 };

struct end_of_trust {
    struct run *run;
    struct storage *storage;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    uint32_t told; /* how often the store said that it cannot be trusted */
    uint32_t answered;
    bool complained;
    int64_t acknowledged[WRITERS]; /* the last number of each */
};

static void tell(void *context, const char *why)
{
    struct end_of_trust *end = context;
    pthread_mutex_lock(&end->lock);
    end->told++;
    end->complained = end->complained || strstr(why, strerror(EIO)) == NULL;
    pthread_cond_broadcast(&end->changed);
    pthread_mutex_unlock(&end->lock);
}

struct write {
    struct batch batch;
    kv_message_t message;
    struct end_of_trust *end;
    bool answered;
};

static void answered(struct batch *batch)
{
    struct write *write = batch->owner;
    pthread_mutex_lock(&write->end->lock);
    write->answered = true;
    pthread_cond_broadcast(&write->end->changed);
    pthread_mutex_unlock(&write->end->lock);
}

/* Writes the number under the writer's key; its status. */
static int put_number(struct end_of_trust *end, uint32_t writer, int64_t number)
{
    struct write *write = calloc(1, sizeof *write);
    char key[] = {'w', (char)('0' + writer)};
    uint8_t value[DECIMAL_MAX];
    assert(write != NULL);
    (void)kv_message_fill(&write->message, KV_PUT, key, sizeof key, value,
        decimal_format(number, value));
    write->end = end;
    write->batch.count = 1;
    write->batch.done = answered;
    write->batch.owner = write;
    wire_decode(&write->message, &write->batch.ops[0]);
    storage_read(end->storage, &write->batch);
    if (!storage_commit(end->storage, &write->batch)) {
        pthread_mutex_lock(&end->lock);
        while (!write->answered) {
            pthread_cond_wait(&end->changed, &end->lock);
        }
        pthread_mutex_unlock(&end->lock);
    }
    int status = write->message.status;
    free(write);
    return status;
}

struct writer {
    struct end_of_trust *end;
    uint32_t number;
};

/* Writes until it is refused.  The answers were all yes, then all no; and what
 * was asked after the store said so was refused. */
static void *write_on(void *context)
{
    const struct writer *writer = context;
    struct end_of_trust *end = writer->end;
    bool refused = false;
    for (int64_t i = 1; i < WRITES_MAX && !refused; i++) {
        pthread_mutex_lock(&end->lock);
        bool late = end->told > 0;
        pthread_mutex_unlock(&end->lock);
        int status = put_number(end, writer->number, i);
        refused = status != KV_SUCCESS;
        pthread_mutex_lock(&end->lock);
        end->complained = end->complained || (late && !refused);
        if (!refused) {
            end->acknowledged[writer->number] = i;
        }
        pthread_mutex_unlock(&end->lock);
    }
    return refused ? context : NULL;
}

static void start_and_join(struct end_of_trust *end)
{
    pthread_t threads[WRITERS];
    struct writer writers[WRITERS];
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){end, i};
        int error = pthread_create(&threads[i], NULL, write_on, &writers[i]);
        assert(error == 0);
    }
    for (uint32_t i = 0; i < WRITERS; i++) {
        void *refused;
        int error = pthread_join(threads[i], &refused);
        assert(error == 0);
        if (refused == NULL) {
            run_complain(end->run, "writer %" PRIu32 " was never refused", i);
        }
    }
}

static void backup_ended(
    struct storage_backup_request *request, int error, uint64_t lsn)
{
    struct end_of_trust *end = request->owner;
    (void)error;
    (void)lsn;
    pthread_mutex_lock(&end->lock);
    end->answered++;
    pthread_cond_broadcast(&end->changed);
    pthread_mutex_unlock(&end->lock);
}

/* Without KV_SYNC=always, what syncs at the latest is a backup. */
static void back_up(struct end_of_trust *end)
{
    struct storage_backup_request request = {
        .done = backup_ended, .owner = end};
    bool taken = storage_backup(end->storage, &request);
    assert(taken);
    pthread_mutex_lock(&end->lock);
    while (end->answered == 0) {
        pthread_cond_wait(&end->changed, &end->lock);
    }
    pthread_mutex_unlock(&end->lock);
}

/* What was acknowledged before is there all the same: no page was lost. */
static void check_acknowledged(struct run *run, const struct end_of_trust *end)
{
    kv_store_t *store = kv_store_create(run->directory);
    if (store == NULL) {
        run_complain(run, "does not open again: %s", strerror(errno));
        return;
    }
    for (uint32_t i = 0; i < WRITERS; i++) {
        char key[] = {'w', (char)('0' + i)};
        uint8_t value[KV_VALUE_MAX];
        size_t value_len;
        int64_t number = 0;
        bool overflow;
        kv_error_t error =
            kv_store_get(store, key, sizeof key, value, &value_len);
        if ((error == KV_SUCCESS &&
                !decimal_parse(value, value_len, &number, &overflow)) ||
            number < end->acknowledged[i] ||
            number > end->acknowledged[i] + 1) {
            run_complain(run,
                "writer %" PRIu32 ": %" PRId64 " is there, %" PRId64
                " was acknowledged",
                i, number, end->acknowledged[i]);
        }
    }
    kv_store_destroy(store);
}

static void sync_fails(struct run *run)
{
    static const struct fault unsynced = {
        CALL_fdatasync, EFFECT_FAIL, EIO, true};
    char why[STORAGE_WHY_MAX];
    struct end_of_trust end = {.run = run};
    struct storage_options options = {
        .directory = run->directory,
        .capacity = 100,
        .sync = run->sync,
        .backup_keep = 2,
        .segment_bytes = 1 << 21,
        .load_threads = 1,
        .fatal = tell,
        .context = &end,
    };
    pthread_mutex_init(&end.lock, NULL);
    pthread_cond_init(&end.changed, NULL);
    if (storage_open(&end.storage, &options, why) != 0) {
        run_complain(run, "does not open: %s", why);
        return;
    }
    for (uint32_t i = 0; i < WRITERS; i++) {
        end.acknowledged[i] = 1;
        if (put_number(&end, i, 1) != KV_SUCCESS) {
            run_complain(run, "a write is refused");
        }
    }
    calls_arm(&unsynced, 1);
    if (run->sync == KV_SYNC_NONE) {
        back_up(&end);
    }
    start_and_join(&end);
    calls_disarm();
    if (end.told != 1 || end.complained) {
        run_complain(run, "told %" PRIu32 " times%s", end.told,
            end.complained ? ", and went on" : "");
    }
    for (uint32_t i = 0; i < WRITERS; i++) {
        if (put_number(&end, i, 0) != KV_READ_ONLY) {
            run_complain(run, "a write is taken after all");
        }
    }
    (void)storage_close(end.storage, true);
    check_acknowledged(run, &end);
    pthread_cond_destroy(&end.changed);
    pthread_mutex_destroy(&end.lock);
}

const struct faults_disk_test faults_disk[] = {
    {"a full disk, and space again", FAULTS_USED, true, full_and_space_again},
    {"a refused write, and the next one", FAULTS_USED, true,
        refused_and_taken_again},
    {"a failed sync ends all trust", FAULTS_NEW, false, sync_fails},
    {"what is restored is whole, or not there", FAULTS_TORN, true,
        faults_restore},
    {NULL, 0, false, NULL},
};
