/* committer.c: the thread that commits for others.
 *
 * With everysec and none it commits what nobody could at once: who finds
 * somebody committing does not wait for him, but queues his batch and goes on
 * with other things.
 *  1. committing is set by who begins, and cleared by who finds the queue
 *     empty, in one hold of its lock: so nothing that is queued is forgotten.
 *  2. Who is done with his own batch hands the queue to this thread, which
 *     goes on until it is empty: so nobody is kept from his own connections.
 *
 * With always it commits everything: it takes all that has queued as one group,
 * with one write and one sync (group commit: D. Gawlick and D. Kinkade,
 * "Varieties of concurrency control in IMS/VS Fast Path", 1985).
 *
 * Clients that were answered together come back one after the other, so whoever
 * starts with the first of them syncs often for few.  How many there are the
 * committer sees when a group is done: those in it and those who queue.  It
 * waits for nearly all of them, which is best as long as they come back faster
 * than the disk works: half of them at a time would need two syncs for the
 * same.  If they do not come within half the time of a group, the disk is the
 * faster one, or they have other things to do: then the next groups start with
 * half of them, so that the others come back while these are synced, and wait
 * for half the time of a group at the most.  A lone client never waits. */
#include "storage/state.h"

#include "clock.h"
#include "thread.h"

#include <errno.h>
#include <time.h>

enum {
    MARK_IDLE_NS = 200000000, /* without writes, before a mark */
    ALL_MAX_NS = 10000000,    /* the longest wait for nearly all */
    HALF_MAX_NS = 500000,     /* and for half of them */
    MANY = WAL_GROUP_MAX / 2, /* operations worth a sync without any wait */
    HALVES = 32, /* groups that start with half, before all are tried again */
    NS_A_SECOND = 1000000000
};

/* What the last groups were like. */
struct pace {
    uint32_t population; /* operations under way at a time, the most of late */
    int64_t group_ns;    /* how long the last group took */
    uint32_t halves;     /* groups to come that start with half of them */
};

static struct timespec time_in(int64_t ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ns;
    while (until.tv_nsec >= NS_A_SECOND) {
        until.tv_nsec -= NS_A_SECOND;
        until.tv_sec++;
    }
    return until;
}

/* Waits until that many operations are queued, the thread is to stop, or the
 * time is over. */
static void wait_locked(struct storage *storage, uint32_t wanted, int64_t ns)
{
    struct timespec until = time_in(ns);
    int error = 0;
    storage->wanted_commits = wanted;
    while (storage->queued_commits < wanted && !storage->committer_stops &&
           error != ETIMEDOUT) {
        error =
            pthread_cond_timedwait(&storage->queued, &storage->queue, &until);
    }
    storage->wanted_commits = UINT32_MAX;
}

/* Waits for those who come back, after the first of them. */
static void gather_locked(struct storage *storage, struct pace *pace)
{
    uint64_t group_ns = (uint64_t)pace->group_ns;
    uint32_t population = (uint32_t)u64_min(pace->population, MANY);
    if (pace->halves > 0) {
        pace->halves--;
        wait_locked(storage, population / 2,
            (int64_t)u64_min(group_ns / 2, HALF_MAX_NS));
        return;
    }
    uint32_t nearly_all = population - population / 8;
    wait_locked(
        storage, nearly_all, (int64_t)u64_min(group_ns / 2, ALL_MAX_NS));
    if (storage->queued_commits < nearly_all) {
        pace->halves = HALVES;
    }
}

/* Takes as many batches as one write may carry; NULL if none is there. */
static struct batch *take_group_locked(
    struct storage *storage, uint32_t *commits)
{
    struct batch *first = storage->queue_first;
    struct batch *last = first;
    if (first == NULL) {
        return NULL;
    }
    *commits = first->commits;
    while (
        last->next != NULL && *commits + last->next->commits < WAL_GROUP_MAX) {
        last = last->next;
        *commits += last->commits;
    }
    storage->queue_first = last->next;
    storage->queued_commits -= *commits;
    last->next = NULL;
    return first;
}

/* The next group; NULL if none came for a while, or if the thread is to stop
 * and nothing is left. */
static struct batch *next_group(
    struct storage *storage, struct pace *pace, uint32_t *commits)
{
    lock(&storage->queue);
    wait_locked(storage, 1, MARK_IDLE_NS);
    if (storage->queued_commits > 0) {
        gather_locked(storage, pace);
    }
    /* Meanwhile what was there may have been withdrawn. */
    struct batch *group = take_group_locked(storage, commits);
    unlock(&storage->queue);
    return group;
}

static void note_group(struct storage *storage, struct pace *pace,
    uint32_t commits, int64_t took_ns)
{
    uint32_t fading = pace->population * 7 / 8;
    lock(&storage->queue);
    uint32_t seen = commits + storage->queued_commits;
    unlock(&storage->queue);
    pace->population = seen > fading ? seen : fading;
    pace->group_ns = took_ns;
}

static bool stops(struct storage *storage)
{
    lock(&storage->queue);
    bool stops = storage->committer_stops && storage->queued_commits == 0;
    unlock(&storage->queue);
    return stops;
}

/* Nobody wrote for a while: the last group gets its mark, and the mark its
 * sync, so that not even a loss of power can make damage to that group look
 * like a write that was torn. */
static void mark_silence(struct storage *storage)
{
    int error = commit_mark(storage) ? wal_sync(storage->wal) : 0;
    if (error != 0) {
        storage_fail(storage, "the sync of the log", error);
    }
}

/* Gives back the batches of a group. */
static void answer(struct batch *group)
{
    while (group != NULL) {
        struct batch *batch = group;
        group = batch->next;
        batch->next = NULL;
        batch->done(batch);
    }
}

/* ---- always -------------------------------------------------------------- */

static void *committer_run(void *context)
{
    struct storage *storage = context;
    struct pace pace = {0};
    while (!stops(storage)) {
        uint32_t commits;
        struct batch *batch = next_group(storage, &pace, &commits);
        stall_begin(storage);
        if (batch == NULL) {
            mark_silence(storage);
            stall_end(storage);
            continue;
        }
        int64_t started_ns = clock_steady_ns();
        commit_group(storage, batch);
        stall_end(storage);
        note_group(storage, &pace, commits, clock_steady_ns() - started_ns);
        answer(batch);
    }
    return NULL;
}

/* ---- everysec and none --------------------------------------------------- */

/* Waits until the queue is handed over; false: the thread is to stop. */
static bool wait_until_handed(struct storage *storage)
{
    lock(&storage->queue);
    while (!storage->handed && !storage->committer_stops) {
        pthread_cond_wait(&storage->queued, &storage->queue);
    }
    bool handed = storage->handed;
    storage->handed = false;
    unlock(&storage->queue);
    return handed;
}

/* The next group of what was handed over; NULL: none, and whoever comes next
 * commits himself. */
static struct batch *next_handed(struct storage *storage)
{
    uint32_t commits;
    lock(&storage->queue);
    struct batch *group = take_group_locked(storage, &commits);
    storage->committing = group != NULL;
    unlock(&storage->queue);
    return group;
}

static void *relieve(void *context)
{
    struct storage *storage = context;
    while (wait_until_handed(storage)) {
        struct batch *group = next_handed(storage);
        while (group != NULL) {
            commit_group(storage, group);
            answer(group);
            group = next_handed(storage);
        }
    }
    return NULL;
}

/* ---- For the others ------------------------------------------------------ */

int committer_start(struct storage *storage)
{
    bool always = storage->options.sync == KV_SYNC_ALWAYS;
    storage->committing = always;
    storage->wanted_commits = UINT32_MAX;
    int error = thread_start(
        &storage->committer, always ? committer_run : relieve, storage);
    storage->committer_runs = error == 0;
    return error;
}

void committer_stop(struct storage *storage)
{
    if (storage->committer_runs) {
        lock(&storage->queue);
        storage->committer_stops = true;
        pthread_cond_signal(&storage->queued);
        unlock(&storage->queue);
        pthread_join(storage->committer, NULL);
        storage->committer_runs = false;
    }
}

/* True if the committer wants to be woken for it. */
static bool queue_locked(struct storage *storage, struct batch *batch)
{
    if (storage->queue_first == NULL) {
        storage->queue_first = batch;
    } else {
        storage->queue_last->next = batch;
    }
    storage->queue_last = batch;
    storage->queued_commits += batch->commits;
    return storage->queued_commits >= storage->wanted_commits;
}

/* Without the queue's lock: who is woken may get the processor at once, and
 * others would wait for that lock. */
static void wake(struct storage *storage)
{
    int error = pthread_cond_signal(&storage->queued);
    assert(error == 0);
    (void)error;
}

/* True if the caller may commit now.  batch: what is queued if not; NULL:
 * nothing. */
static bool begin(struct storage *storage, struct batch *batch)
{
    bool wanted = false;
    lock(&storage->queue);
    bool free = !storage->committing;
    storage->committing = true;
    if (!free && batch != NULL) {
        wanted = queue_locked(storage, batch);
    }
    unlock(&storage->queue);
    if (wanted) {
        wake(storage);
    }
    return free;
}

/* He is done. */
static void hand_over(struct storage *storage)
{
    lock(&storage->queue);
    bool handed = storage->queue_first != NULL;
    storage->handed = handed;
    storage->committing = handed;
    unlock(&storage->queue);
    if (handed) {
        wake(storage);
    }
}

bool committer_commit(struct storage *storage, struct batch *batch)
{
    if (!begin(storage, batch)) {
        return false;
    }
    commit_group(storage, batch);
    hand_over(storage);
    return true;
}

void committer_mark(struct storage *storage)
{
    if (begin(storage, NULL)) {
        (void)commit_mark(storage);
        hand_over(storage);
    }
}

bool committer_withdraw(struct storage *storage, struct batch *batch)
{
    struct batch *before = NULL;
    lock(&storage->queue);
    struct batch *queued = storage->queue_first;
    while (queued != NULL && queued != batch) {
        before = queued;
        queued = queued->next;
    }
    if (queued != NULL) {
        *(before != NULL ? &before->next : &storage->queue_first) = batch->next;
        if (storage->queue_last == batch) {
            storage->queue_last = before;
        }
        storage->queued_commits -= batch->commits;
        batch->next = NULL;
    }
    unlock(&storage->queue);
    return queued != NULL;
}
