/* nth.c: a server that is killed inside its n-th call to disk: before the call
 * takes effect, and after it.
 *
 *     nth [--build DIR] [--seed N] [--step N] LAST
 *
 * In each way to sync, and for each n from 1 to LAST (with --step, every N-th
 * of these and of before and after; N is odd, so that it takes both): a server
 * goes on with the directory that the last one left, shows that it has all that
 * was acknowledged before, and serves one connection that writes, and has a
 * backup written now and then, and one that changes collections, until its n-th
 * call; its files then are audited.  The next one is killed
 * too, in one of the first calls of its recovery.  A process that is killed
 * loses nothing in any way to sync.  The last line is "N passed, N failed", in
 * servers that were killed. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "audit.h"
#include "bytes.h"
#include "crash_server.h"
#include "crash_writer.h"
#include "guard.h"
#include "torture/collections/writer.h"
#include "torture/nth.h"
#include "torture/preload/preload.h"

enum {
    BACKUP_EVERY = 2500, /* requests */
    AGAIN_MAX = 24,      /* calls of a recovery that may be its last */
    CLIENT_MS = 60000
};

enum phase { SERVING, RECOVERING, PHASES };

struct test {
    const char *build;
    uint64_t seed;
    uint64_t step;
    uint64_t last;
    const char *directory;
    char server[TEST_PATH_MAX];
    char library[TEST_PATH_MAX];
    char data[2 * TEST_PATH_MAX];
    char file[2 * TEST_PATH_MAX];
    const char *more[5][2];
    struct crash_settings settings;
    struct crash_server process;
    struct crash_writer writer;
    struct writer *collections;
    bool served; /* there is a store */
    kv_client_t *client;
    struct nth_shared *shared;
    uint64_t requests;
    uint64_t struck[PHASES][DISK_KINDS];
    uint64_t units;    /* of the writer of collections, acknowledged */
    uint64_t inner;    /* records audited */
    uint64_t restarts; /* that could be looked at */
    uint64_t backups;
    uint64_t passed;
    uint64_t failed;
};

static void complain(struct test *test, const char *what)
{
    (void)printf("KV_SYNC=%s, call %" PRIu64 ", %s: %s: %s\n",
        test->settings.sync, test->shared->nth,
        test->shared->afterwards ? "after" : "before", what,
        test->process.said);
    test->writer.complained = true;
}

/* ---- The load ------------------------------------------------------------ */

static void ask_for_backup(
    void *context, const struct crash_request *request, bool answered)
{
    struct test *test = context;
    (void)request;
    if (!answered && ++test->requests % BACKUP_EVERY == 0 &&
        kv_client_backup(test->client, NULL) == KV_SUCCESS) {
        test->backups++;
    }
}

/* ---- Rounds -------------------------------------------------------------- */

/* Starts a server that is to be killed in that call; 0: in none.  True if it
 * serves, and what it has is right. */
static bool start(struct test *test, uint64_t nth, bool afterwards)
{
    test->shared->nth = nth;
    test->shared->afterwards = afterwards;
    atomic_store(&test->shared->calls, 0);
    atomic_store(&test->shared->struck, false);
    if (!crash_server_start(&test->process, &test->settings)) {
        complain(test, "no process");
        return false;
    }
    if (!crash_server_await(&test->process)) {
        if (!atomic_load(&test->shared->struck)) {
            complain(test, "does not start");
        }
        return false;
    }
    if (strstr(test->process.said, "is not used") != NULL) {
        complain(test, "a backup was lost");
    }
    return true;
}

/* Compares what the server has; it is not to be killed meanwhile. */
static void look(struct test *test)
{
    struct crash_writer before = test->writer;
    atomic_store(&test->shared->paused, true);
    (void)crash_writer_check(&test->writer, test->process.port);
    if (!test->writer.complained) {
        writer_check(test->collections, test->process.port, PLANT_NOTHING);
        test->writer.complained = test->collections->complained;
        test->collections->complained = false;
    }
    if (test->writer.complained && atomic_load(&test->shared->struck)) {
        test->writer = before; /* it was killed just before */
    } else {
        test->restarts++;
    }
    atomic_store(&test->shared->paused, false);
}

static void *write_collections(void *context)
{
    struct test *test = context;
    writer_run(test->collections, test->process.port);
    return NULL;
}

static void write_on(struct test *test)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, write_collections, test);
    assert(error == 0);
    test->client = kv_client_create("127.0.0.1", test->process.port);
    assert(test->client != NULL);
    kv_client_set_timeout(test->client, CLIENT_MS);
    crash_writer_run(&test->writer, test->process.port);
    kv_client_destroy(test->client);
    error = pthread_join(thread, NULL);
    assert(error == 0);
    test->writer.complained =
        test->writer.complained || test->collections->complained;
    test->units += test->collections->acknowledged;
    test->collections->acknowledged = 0;
}

/* The server has been struck, or ends otherwise now. */
static void end(struct test *test, enum phase phase)
{
    bool struck = atomic_load(&test->shared->struck);
    int status = crash_server_end(&test->process, SIGKILL);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        complain(test, "ended in another way");
    } else if (struck) {
        test->struck[phase][atomic_load(&test->shared->kind)]++;
    }
    struct audit audit = {0};
    test->served = test->served || phase == SERVING;
    if (test->served && !test->writer.complained &&
        !audit_directory(test->data, &audit)) {
        complain(test, audit.why);
    }
    test->inner += audit.inner;
}

static void run_round(struct test *test, uint64_t nth, bool afterwards)
{
    bool serves = start(test, nth, afterwards);
    if (serves) {
        look(test);
    }
    if (serves && !test->writer.complained) {
        write_on(test);
    }
    if (test->process.pid != 0) {
        if (serves && !test->writer.complained &&
            crash_server_listen(&test->process, CRASH_WAIT_MS)) {
            complain(test, "was not killed");
        }
        end(test, serves ? SERVING : RECOVERING);
    }
}

/* Killed once more while it recovers; where that takes fewer calls, when it is
 * ready. */
static void run_again(struct test *test, uint64_t round)
{
    bool serves = start(test, 1 + round / 2 % AGAIN_MAX, round % 2 != 0);
    if (test->process.pid != 0) {
        end(test, serves ? SERVING : RECOVERING);
    }
}

static void count(struct test *test)
{
    if (test->writer.complained) {
        test->failed++;
    } else {
        test->passed++;
    }
}

/* Another directory, and cells that are absent. */
static void begin_anew(struct test *test, const char *sync)
{
    int length =
        snprintf(test->data, sizeof test->data, "%s/%s", test->directory, sync);
    assert(length > 0 && (size_t)length < sizeof test->data);
    test->settings.sync = sync;
    test->served = false;
    crash_writer_init(&test->writer, 0, test->seed);
    writer_free(test->collections);
    writer_init(test->collections, 0, test->seed);
    test->writer.tell = ask_for_backup;
    test->writer.context = test;
    test->writer.burst = CRASH_BURST_MAX;
}

/* At the end all is there, and the server stops in an orderly way. */
static void finish(struct test *test)
{
    bool serves = start(test, 0, false);
    if (serves) {
        look(test);
    }
    if (test->process.pid != 0) {
        int status = crash_server_end(&test->process, SIGTERM);
        if (serves && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
            complain(test, "did not stop in an orderly way");
        }
    }
    count(test);
}

/* False after the first complaint: the directory is to be looked at then. */
static bool run_mode(struct test *test, const char *sync)
{
    uint64_t round = 0;
    begin_anew(test, sync);
    for (uint64_t n = 1; n <= test->last && test->failed == 0; n++) {
        for (int when = 0; when < 2 && test->failed == 0; when++) {
            if ((2 * n + (uint64_t)when) % test->step != 0) {
                continue;
            }
            run_round(test, n, when != 0);
            count(test);
            if (test->failed == 0) {
                run_again(test, round++);
                count(test);
            }
        }
    }
    if (test->failed == 0) {
        finish(test);
    }
    return test->failed == 0;
}

/* ---- The program --------------------------------------------------------- */

static void print_struck(const struct test *test, enum phase phase)
{
    static const char *const names[] = {
#define X(name) #name,
        DISK_MAP(X)
#undef X
    };
    (void)printf("figure: killed %s in",
        phase == SERVING ? "while serving" : "in recovery");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        (void)printf(" %s %" PRIu64, names[i], test->struck[phase][i]);
    }
    (void)printf("\n");
}

static bool parse_arguments(char **argv, struct test *test)
{
    const struct argument known[] = {
        {.name = "--build", .text = &test->build},
        {.name = "--seed", .number = &test->seed},
        {.name = "--step", .number = &test->step},
        {.name = "", .number = &test->last},
        {.name = NULL},
    };
    return arguments_seed(&test->seed) && arguments_take(argv, known) &&
           test->step % 2 == 1 && test->last > 0;
}

/* The file that is shared with the servers. */
static bool share(struct test *test)
{
    (void)snprintf(test->file, sizeof test->file, "%s/shared", test->directory);
    int fd = open(test->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *test->shared) != 0) {
        return false;
    }
    test->shared = mmap(
        NULL, sizeof *test->shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    return test->shared != MAP_FAILED;
}

static bool prepare(struct test *test)
{
    char build[PATH_MAX];
    if (realpath(test->build, build) == NULL ||
        strlen(build) > TEST_PATH_MAX / 2 || !share(test)) {
        return false;
    }
    (void)snprintf(test->server, sizeof test->server, "%.*s/bin/server",
        TEST_PATH_MAX / 2, build);
    (void)snprintf(test->library, sizeof test->library,
        "%.*s/torture/preload/nth.so", TEST_PATH_MAX / 2, build);
    const char *const more[][2] = {
        {"LD_PRELOAD", test->library},
        {PRELOAD_DIRECTORY, test->data},
        {NTH_FILE, test->file},
        {"KV_BACKUP_INTERVAL", "0"},
        {NULL, NULL},
    };
    _Static_assert(sizeof more == sizeof test->more, "one and the same");
    memcpy(test->more, more, sizeof more);
    test->settings = (struct crash_settings){
        .program = test->server,
        .directory = test->data,
        .segment = "2M",
        .more = test->more,
    };
    return true;
}

static int run(void *context, const char *directory)
{
    struct test *test = context;
    test->directory = directory;
    if (!prepare(test)) {
        (void)fprintf(stderr, "cannot begin: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    bool right = true;
    for (size_t i = 0; i < TEST_SYNCS && right; i++) {
        right = run_mode(test, test_syncs[i]);
    }
    (void)printf("figure: %" PRIu64 " servers killed, %" PRIu64
                 " restarts looked at, %" PRIu64 " backups\n",
        test->passed + test->failed, test->restarts, test->backups);
    (void)printf("figure: %" PRIu64 " commands on collections acknowledged, "
                 "%" PRIu64 " inner records audited\n",
        test->units, test->inner);
    print_struck(test, SERVING);
    print_struck(test, RECOVERING);
    (void)printf(
        "%" PRIu64 " passed, %" PRIu64 " failed\n", test->passed, test->failed);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct test *test = calloc(1, sizeof *test);
    assert(argc > 0 && test != NULL);
    test->collections = calloc(1, sizeof *test->collections);
    assert(test->collections != NULL);
    test->build = "build";
    test->step = 1;
    int status = EXIT_USAGE;
    if (parse_arguments(argv, test)) {
        (void)printf("seed %" PRIu64 "\n", test->seed);
        status = guard_run(run, test);
    } else {
        (void)fprintf(
            stderr, "usage: nth [--build DIR] [--seed N] [--step N] LAST\n");
    }
    free(test->collections);
    free(test);
    return status;
}
