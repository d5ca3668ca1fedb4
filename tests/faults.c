/* faults.c: lets the calls to the kernel and for memory fail, one after the
 * other, and looks whether the store keeps what it promised.
 *
 *     faults [NAME]...     those whose lines contain a NAME; else all
 *
 * For each fault of the table, each way to sync and each kind of store: the
 * n-th call fails, for n = 1, 2, ... until a run passes untouched.  A run is a
 * process of its own: it opens the store, writes, has backups written, goes to
 * the next segment, closes, opens again.  Then another process, without a
 * fault, opens what is left and compares it with the journal.  A fault in one
 * way to sync is one test; disk.c has more.  The last line is
 * "N passed, N failed". */
#include "faults.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bytes.h"

enum {
    POINTS_MAX = 2000, /* of one fault: more means that runs do not end */
    TIME_LIMIT_S = 60  /* of one process */
};

static const struct fault faults[] = {
    {CALL_openat, EFFECT_FAIL, EMFILE, false},
    {CALL_openat, EFFECT_FAIL, EACCES, true},
    {CALL_openat, EFFECT_FAIL, EINTR, true},
    {CALL_openat, EFFECT_KILL_AFTER, 0, false},
    {CALL_openat, EFFECT_POWER_PART, 0, false},
    {CALL_mkdir, EFFECT_FAIL, ENOSPC, false},
    {CALL_mkdir, EFFECT_KILL_AFTER, 0, false},
    {CALL_flock, EFFECT_FAIL, ENOLCK, false},
    {CALL_flock, EFFECT_FAIL, EINTR, true},
    {CALL_fstat, EFFECT_FAIL, EIO, false},
    {CALL_fdopendir, EFFECT_FAIL, ENOMEM, false},
    {CALL_pread, EFFECT_FAIL, EIO, false},
    {CALL_pread, EFFECT_FAIL, EIO, true},
    {CALL_pread, EFFECT_FAIL, EINTR, true},
    {CALL_pread, EFFECT_SHORT, 0, true},
    {CALL_pwrite, EFFECT_FAIL, EIO, false},
    {CALL_pwrite, EFFECT_FAIL, ENOSPC, true},
    {CALL_pwrite, EFFECT_FAIL, EINTR, true},
    {CALL_pwrite, EFFECT_SHORT, 0, true},
    {CALL_pwrite, EFFECT_TORN, EIO, false},
    {CALL_pwrite, EFFECT_TORN, EIO, true},
    {CALL_pwrite, EFFECT_KILL_HALF, 0, false},
    {CALL_pwrite, EFFECT_KILL_AFTER, 0, false},
    {CALL_pwrite, EFFECT_POWER_ALL, 0, false},
    {CALL_pwrite, EFFECT_POWER_PART, 0, false},
    {CALL_pwrite, EFFECT_FAIL, EINVAL, false},
    {CALL_fcntl, EFFECT_FAIL, EINVAL, false},
    {CALL_fcntl, EFFECT_FAIL, EINVAL, true},
    {CALL_fallocate, EFFECT_FAIL, ENOSPC, false},
    {CALL_fallocate, EFFECT_FAIL, ENOSPC, true},
    {CALL_fallocate, EFFECT_FAIL, EOPNOTSUPP, true},
    {CALL_fallocate, EFFECT_FAIL, EINTR, true},
    {CALL_fallocate, EFFECT_KILL_AFTER, 0, false},
    {CALL_fdatasync, EFFECT_FAIL, EIO, false},
    {CALL_fdatasync, EFFECT_FAIL, EINTR, true},
    {CALL_fdatasync, EFFECT_POWER_ALL, 0, false},
    {CALL_fdatasync, EFFECT_POWER_PART, 0, false},
    {CALL_fsync, EFFECT_FAIL, EIO, false},
    {CALL_fsync, EFFECT_FAIL, EINTR, true},
    {CALL_fsync, EFFECT_POWER_ALL, 0, false},
    {CALL_fsync, EFFECT_POWER_PART, 0, false},
    {CALL_renameat, EFFECT_FAIL, EIO, false},
    {CALL_renameat, EFFECT_KILL_AFTER, 0, false},
    {CALL_renameat, EFFECT_POWER_ALL, 0, false},
    {CALL_renameat, EFFECT_POWER_PART, 0, false},
    {CALL_unlinkat, EFFECT_FAIL, EROFS, false},
    {CALL_unlinkat, EFFECT_KILL_AFTER, 0, false},
    {CALL_getrandom, EFFECT_FAIL, ENOSYS, false},
    {CALL_getrandom, EFFECT_FAIL, EINTR, true},
    {CALL_mmap, EFFECT_FAIL, ENOMEM, false},
    {CALL_malloc, EFFECT_FAIL, ENOMEM, false},
    {CALL_calloc, EFFECT_FAIL, ENOMEM, false},
    {CALL_realloc, EFFECT_FAIL, ENOMEM, false},
    {CALL_aligned_alloc, EFFECT_FAIL, ENOMEM, false},
    {CALL_pthread_create, EFFECT_FAIL, EAGAIN, false},
};

static void describe(
    const struct fault *fault, kv_sync_t sync, char text[FAULTS_TEXT_MAX])
{
    static const char *const effects[] = {
        [EFFECT_FAIL] = "fails",
        [EFFECT_SHORT] = "does half",
        [EFFECT_TORN] = "does half and fails",
        [EFFECT_KILL_HALF] = "is killed amid it",
        [EFFECT_KILL_AFTER] = "is killed after it",
        [EFFECT_POWER_ALL] = "loses power before it",
        [EFFECT_POWER_PART] = "loses power before it, not all",
    };
    (void)snprintf(text, FAULTS_TEXT_MAX, "%s %s%s%s%s, %s",
        calls_name(fault->call), effects[fault->effect],
        fault->error != 0 ? " with " : "",
        fault->error != 0 ? strerrorname_np(fault->error) : "",
        fault->lasting && fault->error != EINTR ? " from then on" : "",
        test_syncs[sync]);
}

/* ---- Processes ----------------------------------------------------------- */

/* How a process that did its work in the run ended: 0, or its signal, or -1. */
static int in_process(struct run *run, void (*work)(struct run *run))
{
    int status = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(TIME_LIMIT_S);
        work(run);
        run->struck = run->struck || calls_struck() > 0;
        exit(run->complained ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    pid_t ended;
    do {
        ended = child < 0 ? -1 : waitpid(child, &status, 0);
    } while (ended < 0 && child > 0 && errno == EINTR);
    if (ended == child && WIFSIGNALED(status)) {
        return WTERMSIG(status);
    }
    return ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0
                                                                           : -1;
}

/* As above; anything but an orderly end is a complaint. */
static void in_order(struct run *run, void (*work)(struct run *run))
{
    int ended = in_process(run, work);
    if (ended > 0) {
        run_complain(run, "ended by signal %d (%s)", ended, strsignal(ended));
    } else if (ended < 0 && !run->complained) {
        run_complain(run, "did not end well");
    }
}

static bool kills(const struct fault *fault)
{
    return fault->effect >= EFFECT_KILL_HALF;
}

/* One point: false when the fault had nothing to strike any more, or has struck
 * every call already. */
static bool try_point(
    struct run *run, const struct faults_store *store, const char *directory)
{
    faults_place(store, run, directory);
    run->struck = false;
    if (kills(run->fault)) {
        int ended = in_process(run, store->work);
        run->struck = ended == SIGKILL;
        if (ended != SIGKILL && ended != 0 && !run->complained) {
            run_complain(run, "ended with %d, and was not killed", ended);
        }
    } else {
        in_order(run, store->work);
    }
    bool struck = run->struck;
    in_order(run, faults_verify);
    return struck && !fault_unseen(run->fault);
}

/* ---- Faults -------------------------------------------------------------- */

struct bench {
    struct run *run; /* shared memory */
    const struct faults_store *stores;
    const char *directory;
    uint32_t points[CALL_COUNT];
    unsigned passed;
    unsigned failed;
};

static void count(struct bench *bench, bool passed, const char *text)
{
    bench->passed += passed ? 1 : 0;
    bench->failed += passed ? 0 : 1;
    (void)printf("%s: %s\n", passed ? "ok" : "failed", text);
}

static void try_fault(
    struct bench *bench, const struct fault *fault, kv_sync_t sync)
{
    char text[FAULTS_TEXT_MAX];
    char line[FAULTS_TEXT_MAX + 32];
    struct run *run = bench->run;
    uint32_t points = 0;
    describe(fault, sync, text);
    *run = (struct run){.fault = fault, .sync = sync};
    for (uint32_t i = 0; i < FAULTS_STORES; i++) {
        bool goes_on = true;
        for (run->nth = 1; goes_on && !run->complained; run->nth++) {
            goes_on = try_point(run, &bench->stores[i], bench->directory);
            points += run->struck ? 1 : 0;
            if (run->nth > POINTS_MAX) {
                run_complain(run, "finds no end");
            }
        }
        if (run->complained) {
            (void)snprintf(
                line, sizeof line, "%s: %s", text, bench->stores[i].name);
            count(bench, false, line);
            return;
        }
    }
    bench->points[fault->call] += points;
    (void)snprintf(line, sizeof line, "%s: %" PRIu32 " points", text, points);
    count(bench, true, line);
}

static bool is_wanted(char *const *names, const char *text)
{
    bool any = *names == NULL;
    for (; *names != NULL; names++) {
        any = any || strstr(text, *names) != NULL;
    }
    return any;
}

static void try_faults(struct bench *bench, char *const *names)
{
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        for (kv_sync_t sync = KV_SYNC_ALWAYS; sync <= KV_SYNC_NONE; sync++) {
            char text[FAULTS_TEXT_MAX];
            describe(&faults[i], sync, text);
            if (is_wanted(names, text)) {
                try_fault(bench, &faults[i], sync);
            }
        }
    }
    /* A call that never came was not wrapped, or is no longer made. */
    for (enum libc_call call = 0; call < CALL_COUNT && *names == NULL; call++) {
        if (bench->points[call] == 0) {
            char text[FAULTS_TEXT_MAX];
            (void)snprintf(
                text, sizeof text, "%s was never called", calls_name(call));
            count(bench, false, text);
        }
    }
}

static void try_disk(struct bench *bench, char *const *names)
{
    for (const struct faults_disk_test *test = faults_disk; test->name != NULL;
         test++) {
        for (kv_sync_t sync = KV_SYNC_ALWAYS; sync <= KV_SYNC_NONE; sync++) {
            char text[FAULTS_TEXT_MAX];
            (void)snprintf(
                text, sizeof text, "%s, %s", test->name, test_syncs[sync]);
            if (!is_wanted(names, text)) {
                continue;
            }
            struct run *run = bench->run;
            *run = (struct run){.sync = sync};
            faults_place(&bench->stores[test->store], run, bench->directory);
            in_order(run, test->run);
            if (test->verify) {
                in_order(run, faults_verify);
            }
            count(bench, !run->complained, text);
        }
    }
}

int main(int argc, char **argv)
{
    struct test_directory directory;
    struct faults_store stores[FAULTS_STORES];
    struct bench bench = {.stores = stores};
    assert(argc > 0);
    bench.run = mmap(NULL, sizeof *bench.run, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bench.run == MAP_FAILED || !test_directory_make(&directory)) {
        (void)fprintf(stderr, "no memory or directory: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    bench.directory = directory.path;
    for (uint32_t i = 0; i < FAULTS_STORES; i++) {
        *bench.run = (struct run){.sync = KV_SYNC_NONE};
        faults_prepare(stores, i, bench.run, directory.path);
        if (stores[i].make != NULL &&
            in_process(bench.run, stores[i].make) != SIGKILL) {
            run_complain(bench.run, "no store to begin with");
            count(&bench, false, stores[i].name);
            break;
        }
        stores[i].journal = bench.run->journal;
    }
    if (bench.failed == 0) {
        try_faults(&bench, argv + 1);
        try_disk(&bench, argv + 1);
    }
    if (!test_directory_remove(&directory)) {
        (void)fprintf(
            stderr, "%s is left: %s\n", directory.path, strerror(errno));
    }
    (void)printf("%u passed, %u failed\n", bench.passed, bench.failed);
    return bench.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
