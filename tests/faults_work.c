/* faults_work.c: the stores that the faults strike, and what is done to them
 * meanwhile: few operations, so that there are few points, but all kinds. */
#include "faults.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frame.h"

enum {
    SEGMENT_FRAMES = ((1 << 21) - DISK_PAGE) / FRAME_SIZE,
    /* Frames left in the segment when the work begins: more than it writes
     * before MANY_CELLS in one batch, fewer than these. */
    FRAMES_LEFT = 36,
    FRAMES_LAST = 12,       /* behind the newest backup */
    SEGMENT_END = 64 * 1024 /* bytes, more than those behind both backups */
};

static const struct span one = {CELL_PUT, 1, false};
static const struct span another = {CELL_PUT + 1, 1, false};
static const struct span chain = {CELL_CHAIN, CHAIN_CELLS, true};
static const struct span many = {CELL_MANY, MANY_CELLS, false};
static const struct span last = {CELL_PUT + CELL_CHAIN - 1, 1, false};

/* ---- What is done -------------------------------------------------------- */

static uint32_t open_files(void)
{
    uint32_t count = 0;
    DIR *list = opendir("/proc/self/fd");
    while (list != NULL && readdir(list) != NULL) {
        count++;
    }
    if (list != NULL) {
        (void)closedir(list);
    }
    return count;
}

/* Has one record written that must reach the disk by itself. */
static void await_sync(struct run *run, kv_store_t *store)
{
    const struct fault *fault = run->fault;
    const struct cell *cell = &run->journal.cells[another.first];
    int64_t before = cell->sure;
    uint32_t syncs = calls_count(CALL_fdatasync);
    run_put(run, store, &another);
    bool broken = fault != NULL && calls_struck() > 0 &&
                  (fault->call == CALL_fdatasync || fault->call == CALL_fsync);
    if (run->sync == KV_SYNC_EVERYSEC && cell->sure != before && !broken &&
        !calls_await(CALL_fdatasync, syncs)) {
        run_complain(run, "was not synced");
    }
}

/* Without the fault, a write is taken again; only what a failed sync has left
 * stays as it is. */
static void heal(struct run *run, kv_store_t *store)
{
    const struct fault *fault = run->fault;
    bool sync = fault->call == CALL_fdatasync || fault->call == CALL_fsync;
    run->struck = calls_struck() > 0;
    calls_disarm();
    run_put(run, store, &last);
    const struct cell *cell = &run->journal.cells[last.first];
    if (cell->sure != run->journal.last && !sync) {
        run_complain(run, "does not heal");
    }
    run_compare(run, store);
}

static void work_little(struct run *run)
{
    uint64_t lsn;
    kv_store_t *store = run_open(run);
    if (store == NULL) {
        return;
    }
    run_put(run, store, &one);
    run_put(run, store, &chain);
    run_backup(run, store, &lsn);
    run_add(run, store);
    kv_store_destroy(store);
    store = run_open(run);
    if (store != NULL) {
        run_put(run, store, &one);
        heal(run, store);
        kv_store_destroy(store);
    }
}

static void work_much(struct run *run)
{
    uint64_t lsn;
    kv_store_t *store = run_open(run);
    if (store == NULL) {
        return;
    }
    run_put(run, store, &one);
    run_put(run, store, &chain);
    run_delete(run, store, CELL_PUT + 2);
    run_add(run, store);
    run_fail_chain(run, store);
    await_sync(run, store);
    run_put(run, store, &many);
    run_compare(run, store);
    run_backup(run, store, &lsn);
    run_add(run, store);
    run_put(run, store, &chain);
    run_backup(run, store, &lsn);
    run_put(run, store, &one);
    kv_store_destroy(store);
    store = run_open(run);
    if (store != NULL) {
        run_put(run, store, &chain);
        heal(run, store);
        kv_store_destroy(store);
    }
}

/* In a process of its own: nothing may be left open. */
static void with_fault(struct run *run, void (*work)(struct run *run))
{
    uint32_t files = open_files();
    int64_t mappings = calls_mappings();
    calls_arm(run->fault, run->nth);
    work(run);
    calls_disarm();
    if (open_files() != files) {
        run_complain(run, "%" PRIu32 " files were open, now %" PRIu32, files,
            open_files());
    }
    if (calls_mappings() != mappings) {
        run_complain(
            run, "%" PRId64 " mappings are left", calls_mappings() - mappings);
    }
}

static void strike_little(struct run *run)
{
    with_fault(run, work_little);
}

static void strike_much(struct run *run)
{
    with_fault(run, work_much);
}

void faults_verify(struct run *run)
{
    kv_store_t *store = run_open_plainly(run);
    if (store == NULL) {
        return;
    }
    run_put(run, store, &one);
    run_compare(run, store);
    kv_store_destroy(store);
    store = run_open_plainly(run);
    kv_store_destroy(store);
    run_check_files(run);
}

/* ---- The stores ---------------------------------------------------------- */

static void die(void)
{
    (void)kill(getpid(), SIGKILL);
    abort();
}

/* Writes until the log has about this many frames. */
static uint64_t write_until(
    struct run *run, kv_store_t *store, uint64_t from, uint64_t frames)
{
    uint64_t lsn = from;
    while (lsn + MANY_CELLS <= frames) {
        run_put(run, store, &many);
        lsn += MANY_CELLS;
    }
    while (lsn < frames) {
        run_put(run, store, &one);
        lsn++;
    }
    run_backup(run, store, &lsn);
    return lsn;
}

static void make_used(struct run *run)
{
    static const struct span first = {CELL_PUT, CELL_CHAIN, false};
    kv_store_t *store = run_open_plainly(run);
    if (store == NULL) {
        return;
    }
    run_put(run, store, &first);
    run_put(run, store, &chain);
    run_add(run, store);
    uint64_t end = SEGMENT_FRAMES - FRAMES_LEFT - FRAMES_LAST;
    uint64_t lsn = write_until(run, store, 0, end - 2 * MANY_CELLS);
    lsn = write_until(run, store, lsn, end);
    for (int i = 0; i < FRAMES_LAST / 4; i++) {
        run_put(run, store, &chain);
        run_add(run, store);
    }
    if (lsn + FRAMES_LAST + MANY_CELLS <= SEGMENT_FRAMES) {
        run_complain(run, "LSN %" PRIu64 " is too far from the end", lsn);
        return;
    }
    die();
}

static void make_torn(struct run *run)
{
    static const struct fault kill_amid = {
        CALL_pwrite, EFFECT_KILL_HALF, 0, false};
    /* Without room for a mark behind it. */
    static const struct span few_linked = {CELL_MANY, 20, true};
    kv_store_t *store = run_open_plainly(run);
    if (store != NULL) {
        calls_arm(&kill_amid, 1);
        run_put(run, store, &few_linked);
    }
}

static void remove_files(const char *directory)
{
    struct test_directory old;
    (void)snprintf(old.path, sizeof old.path, "%s", directory);
    if (access(old.path, F_OK) == 0) {
        bool removed = test_directory_remove(&old);
        assert(removed);
    }
}

static void copy_part(int source, int target, off_t from, size_t size)
{
    off_t to = from;
    ssize_t copied;
    do {
        copied = copy_file_range(source, &from, target, &to, size, 0);
        size -= copied > 0 ? (size_t)copied : 0;
    } while (copied > 0 && size > 0);
    assert(copied >= 0);
}

/* Of a segment only what recovery reads: its head, and its end. */
static void copy_file(int from, int to, const char *name)
{
    int source = openat(from, name, O_RDONLY | O_CLOEXEC);
    int target = openat(to, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    struct stat status;
    assert(source >= 0 && target >= 0 && fstat(source, &status) == 0);
    if (status.st_size <= SEGMENT_END) {
        copy_part(source, target, 0, (size_t)status.st_size);
    } else {
        int cut = ftruncate(target, status.st_size);
        assert(cut == 0);
        copy_part(source, target, 0, DISK_PAGE);
        copy_part(source, target, status.st_size - SEGMENT_END, SEGMENT_END);
    }
    (void)close(source);
    (void)close(target);
}

static void copy_files(const char *from, const char *to)
{
    int made = mkdir(to, 0700);
    DIR *list = opendir(from);
    int target = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert(made == 0 && list != NULL && target >= 0);
    const struct dirent *entry;
    while ((entry = readdir(list)) != NULL) {
        if (entry->d_type == DT_REG) {
            copy_file(dirfd(list), target, entry->d_name);
        }
    }
    (void)closedir(list);
    (void)close(target);
}

void faults_prepare(struct faults_store *stores, uint32_t number,
    struct run *run, const char *directory)
{
    static const struct faults_store kinds[FAULTS_STORES] = {
        [FAULTS_NEW] = {.name = "new", .work = strike_little},
        [FAULTS_USED] = {.name = "used",
            .make = make_used,
            .work = strike_much},
        [FAULTS_TORN] = {.name = "torn",
            .make = make_torn,
            .work = strike_little},
    };
    struct faults_store *store = &stores[number];
    *store = kinds[number];
    if (store->make != NULL) {
        int length = snprintf(store->directory, sizeof store->directory,
            "%s/%s", directory, store->name);
        assert(length > 0 && (size_t)length < sizeof store->directory);
    }
    journal_init(&run->journal);
    if (number == FAULTS_TORN) {
        run->journal = stores[FAULTS_USED].journal;
        copy_files(stores[FAULTS_USED].directory, store->directory);
    }
    memcpy(run->directory, store->directory, sizeof run->directory);
}

void faults_place(
    const struct faults_store *store, struct run *run, const char *directory)
{
    int length =
        snprintf(run->directory, sizeof run->directory, "%s/store", directory);
    assert(length > 0 && (size_t)length < sizeof run->directory);
    remove_files(run->directory);
    if (store->directory[0] != '\0') {
        copy_files(store->directory, run->directory);
    }
    run->journal = store->journal;
    journal_begin(&run->journal);
    run->broken = false;
}
