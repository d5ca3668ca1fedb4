/* crash.c: kills a server amid its writes, again and again, and looks whether
 * what it had acknowledged is there afterwards.
 *
 *     crash [--seed N] [--build DIR] [ROUNDS]
 *
 * A round: connections write while backups are asked for and segments of the
 * log change; SIGKILL, at a random time, or amid a backup, or amid the change
 * to another segment; sometimes once more amid recovery; restart; all records
 * are compared with the journals of the connections, the count with them and
 * with a scan.  How often each was really hit is counted, by what is left of
 * it.  The next round goes on with the same directory, now and then with a new
 * one.  KV_SYNC changes from round to round: a process that is killed loses
 * nothing in any of them, since the kernel has what was written.  The last line
 * is "N passed, N failed", in rounds; the directory of a round that failed is
 * kept. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "clock.h"
#include "crash_aim.h"
#include "crash_server.h"
#include "crash_writer.h"
#include "guard.h"

enum {
    ROUNDS = 30, /* enough to hit all that is aimed at, mostly */
    MORE_ROUNDS = 4,
    WRITERS = 4,
    NEW_EVERY = 8,     /* rounds with one directory */
    RUN_MS_MAX = 400,  /* before a server that writes is killed */
    START_MS_MAX = 12, /* before one that starts is */
    AIM_MS_MAX = 4000, /* to wait for what is aimed at */
    LATER_MS_MAX = 4,  /* once a backup has begun */
    CLIENT_MS = 60000
};

struct test {
    struct test_random random;
    const char *parent;
    struct test_directory directory; /* of the server, below parent */
    uint32_t directories;
    char server_program[TEST_PATH_MAX];
    char client_program[TEST_PATH_MAX];
    struct crash_settings settings;
    struct crash_server server;
    struct crash_writer *writers;
    uint32_t sync;              /* of test_syncs, the server's now */
    uint64_t kills[TEST_SYNCS]; /* of one that writes */
    uint64_t amid[CRASH_AIMS];
    uint64_t acknowledged;
    uint64_t backups; /* answered */
    bool complained;  /* in this round */
};

static void complain(struct test *test, const char *what, const char *more)
{
    (void)printf("%s: %s\n", what, more);
    test->complained = true;
}

/* ---- The server ---------------------------------------------------------- */

static void start(struct test *test)
{
    if (!crash_server_start(&test->server, &test->settings)) {
        complain(test, "no process", strerror(errno));
    }
}

static bool await(struct test *test)
{
    bool ready = test->server.pid != 0 && crash_server_await(&test->server);
    if (!ready) {
        complain(test, "does not start", test->server.said);
    } else if (strstr(test->server.said, "is not used") != NULL) {
        complain(test, "a backup was lost", test->server.said);
    }
    return ready;
}

static void end(struct test *test, int signal)
{
    int status = crash_server_end(&test->server, signal);
    bool right = signal == SIGKILL
                     ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                     : WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!right) {
        complain(test, "ended in another way", test->server.said);
    }
}

/* ---- Writing ------------------------------------------------------------- */

struct task {
    struct crash_writer *writer;
    uint16_t port;
    uint64_t backups;
};

static void *write_cells(void *context)
{
    const struct task *task = context;
    crash_writer_run(task->writer, task->port);
    return NULL;
}

/* Has one backup written after the other, until the server is gone. */
static void *ask_for_backups(void *context)
{
    struct task *task = context;
    kv_client_t *client = kv_client_create("127.0.0.1", task->port);
    assert(client != NULL);
    kv_client_set_timeout(client, CLIENT_MS);
    while (kv_client_backup(client, NULL) == KV_SUCCESS) {
        task->backups++;
    }
    kv_client_destroy(client);
    return NULL;
}

/* Stops the server where what is aimed at begins, or a bit later, and looks; if
 * it is over already, lets it go on to the next. */
static void await_moment(
    struct test *test, struct crash_watch *watch, enum crash_aim aim)
{
    int64_t until_ms = clock_steady_ms() + AIM_MS_MAX;
    int64_t left_ms = AIM_MS_MAX;
    bool amid = false;
    while (!amid && left_ms > 0 && crash_watch_await(watch, aim, left_ms)) {
        /* The change to another segment is over at once. */
        (void)crash_server_listen(&test->server,
            aim == CRASH_SEGMENT
                ? 0
                : (int64_t)test_random_below(&test->random, LATER_MS_MAX));
        (void)kill(test->server.pid, SIGSTOP);
        amid = crash_was_amid(test->directory.path, aim);
        if (!amid) {
            (void)kill(test->server.pid, SIGCONT);
        }
        left_ms = until_ms - clock_steady_ms();
    }
}

/* Lets the server live until it is to be killed. */
static void let_live(
    struct test *test, struct crash_watch *watch, enum crash_aim aim)
{
    int64_t wait_ms = (int64_t)test_random_below(&test->random, RUN_MS_MAX);
    if (aim != CRASH_ANY_TIME) {
        await_moment(test, watch, aim);
    } else if (!crash_server_listen(&test->server, wait_ms)) {
        complain(test, "ended by itself", test->server.said);
    }
}

static void note_kill(struct test *test)
{
    test->kills[test->sync]++;
    for (int aim = 0; aim < CRASH_AIMS; aim++) {
        test->amid[aim] +=
            crash_was_amid(test->directory.path, (enum crash_aim)aim) ? 1 : 0;
    }
}

static void write_and_kill(struct test *test, enum crash_aim aim)
{
    struct crash_watch watch;
    struct task tasks[WRITERS + 1];
    pthread_t threads[WRITERS + 1];
    bool asks = aim == CRASH_BACKUP || test_random_once_in(&test->random, 2);
    uint32_t count = WRITERS + (asks ? 1 : 0);
    if (!crash_watch_begin(&watch, test->directory.path)) {
        complain(test, "cannot watch", strerror(errno));
    }
    for (uint32_t i = 0; i < count; i++) {
        tasks[i] = (struct task){.port = test->server.port};
        tasks[i].writer = i < WRITERS ? &test->writers[i] : NULL;
        int error = pthread_create(&threads[i], NULL,
            i < WRITERS ? write_cells : ask_for_backups, &tasks[i]);
        assert(error == 0);
    }
    let_live(test, &watch, aim);
    crash_watch_end(&watch);
    end(test, SIGKILL);
    note_kill(test);
    for (uint32_t i = 0; i < count; i++) {
        int error = pthread_join(threads[i], NULL);
        assert(error == 0);
        test->backups += tasks[i].backups;
    }
}

/* ---- Checking ------------------------------------------------------------ */

struct scanned {
    struct test *test;
    bool seen[WRITERS][CRASH_CELLS];
    uint64_t records;
};

static bool note_record(void *context, const kv_message_t *record)
{
    struct scanned *scanned = context;
    uint32_t writer;
    uint32_t cell;
    if (!crash_key_parse(record->key, &writer, &cell) || writer >= WRITERS ||
        cell >= CRASH_CELLS) {
        complain(scanned->test, "a scan shows what nobody wrote", "");
    } else if (scanned->seen[writer][cell]) {
        complain(scanned->test, "a scan shows a record twice", "");
    } else {
        scanned->seen[writer][cell] = true;
    }
    scanned->records++;
    return true;
}

static void check_scan(struct test *test, kv_client_t *client, uint64_t records)
{
    struct scanned *scanned = calloc(1, sizeof *scanned);
    assert(scanned != NULL);
    scanned->test = test;
    kv_message_t request = {.type = KV_SCAN};
    kv_error_t error;
    do {
        kv_message_t last;
        error = kv_client_stream(client, &request, note_record, scanned, &last);
        request.value_len = last.value_len;
        memcpy(request.value, last.value, sizeof request.value);
    } while (error == KV_SUCCESS && request.value_len > 0);
    uint64_t count = 0;
    if (error != KV_SUCCESS || kv_client_count(client, &count) != KV_SUCCESS) {
        complain(test, "a scan failed", kv_client_error(client));
    } else if (count != records || scanned->records != records) {
        (void)printf("%" PRIu64 " records, counted %" PRIu64
                     ", scanned %" PRIu64 "\n",
            records, count, scanned->records);
        test->complained = true;
    }
    free(scanned);
}

static void check(struct test *test)
{
    uint64_t records = 0;
    for (uint32_t i = 0; i < WRITERS; i++) {
        struct crash_writer *writer = &test->writers[i];
        records += crash_writer_check(writer, test->server.port);
        test->complained = test->complained || writer->complained;
        test->acknowledged += writer->acknowledged;
        writer->acknowledged = 0;
    }
    kv_client_t *client = kv_client_create("127.0.0.1", test->server.port);
    assert(client != NULL);
    kv_client_set_timeout(client, CLIENT_MS);
    if (!test->complained) {
        check_scan(test, client, records);
    }
    kv_client_destroy(client);
}

/* What a killed server leaves, `client check` calls sound. */
static void check_files(struct test *test)
{
    char command[4 * TEST_PATH_MAX];
    char output[4096] = "";
    int length = snprintf(command, sizeof command, "%s check %s",
        test->client_program, test->directory.path);
    assert(length > 0 && (size_t)length < sizeof command);
    FILE *pipe = popen(command, "re");
    if (pipe == NULL) {
        complain(test, command, strerror(errno));
        return;
    }
    size_t got = fread(output, 1, sizeof output - 1, pipe);
    output[got] = '\0';
    if (pclose(pipe) != 0) {
        complain(test, "the files are not sound", output);
    }
}

/* ---- Rounds -------------------------------------------------------------- */

/* A directory, and writers, that know of nothing. */
static void begin_anew(struct test *test)
{
    struct test_directory *directory = &test->directory;
    int length = snprintf(directory->path, sizeof directory->path,
        "%s/%" PRIu32, test->parent, ++test->directories);
    assert(length > 0 && (size_t)length < sizeof directory->path);
    test->settings.directory = directory->path;
    for (uint32_t i = 0; i < WRITERS; i++) {
        crash_writer_init(
            &test->writers[i], i, test_random_next(&test->random));
    }
}

/* Ends the server, if there is one, and begins with another directory; the old
 * one goes, unless there was a complaint. */
static void change_directory(struct test *test)
{
    if (test->server.pid != 0) {
        end(test, SIGTERM);
    }
    if (test->complained) {
        (void)printf("kept: %s\n", test->directory.path);
    } else if (!test_directory_remove(&test->directory)) {
        complain(test, "cannot be removed", test->directory.path);
    }
    begin_anew(test);
    start(test);
    (void)await(test);
}

static void choose_settings(struct test *test, uint64_t round)
{
    static const char *const segments[] = {"2M", "2M", "5M"};
    test->sync = (uint32_t)(round % TEST_SYNCS);
    test->settings.sync = test_syncs[test->sync];
    test->settings.segment = segments[test_random_below(&test->random, 3)];
}

/* Kills a server that starts, as soon as it reads its log, or a bit later. */
static void start_and_kill(struct test *test)
{
    struct crash_watch watch;
    if (!crash_watch_begin(&watch, test->directory.path)) {
        complain(test, "cannot watch", strerror(errno));
    }
    start(test);
    (void)crash_watch_await(&watch, CRASH_RECOVERY, AIM_MS_MAX);
    crash_watch_end(&watch);
    int64_t wait_ms =
        test_random_once_in(&test->random, 2)
            ? 0
            : (int64_t)test_random_below(&test->random, START_MS_MAX);
    if (!crash_server_listen(&test->server, wait_ms)) {
        complain(test, "does not start", test->server.said);
    }
    end(test, SIGKILL);
    test->amid[CRASH_RECOVERY] +=
        strstr(test->server.said, "ready: ") == NULL ? 1 : 0;
}

/* The aims change with the ways to sync, so that each meets each. */
static enum crash_aim choose_aim(uint64_t round)
{
    static const enum crash_aim aims[] = {
        CRASH_ANY_TIME, CRASH_BACKUP, CRASH_SEGMENT};
    return aims[round / TEST_SYNCS % (sizeof aims / sizeof aims[0])];
}

static void run_round(struct test *test, uint64_t round)
{
    test->complained = false;
    write_and_kill(test, choose_aim(round));
    choose_settings(test, round);
    if (test_random_once_in(&test->random, 4)) {
        check_files(test);
    }
    while (!test->complained && test_random_once_in(&test->random, 3)) {
        start_and_kill(test);
    }
    start(test);
    if (!test->complained && await(test)) {
        check(test);
    }
}

static bool all_hit(const struct test *test)
{
    bool all = true;
    for (int aim = CRASH_BACKUP; aim < CRASH_AIMS; aim++) {
        all = all && test->amid[aim] > 0;
    }
    return all;
}

/* Few rounds may miss what they aim at, on a machine that does much else: then
 * there are more, within a bound. */
static bool goes_on(const struct test *test, uint64_t round, uint64_t rounds)
{
    return round <= rounds || (rounds >= ROUNDS && !all_hit(test) &&
                                  round <= MORE_ROUNDS * rounds);
}

/* False if something was never hit, however often it was aimed at. */
static bool report(const struct test *test, uint64_t rounds, uint64_t passed)
{
    (void)printf("figure: %" PRIu64 " rounds", rounds);
    for (uint32_t i = 0; i < TEST_SYNCS; i++) {
        (void)printf(", %s %" PRIu64, test_syncs[i], test->kills[i]);
    }
    (void)printf("\nfigure: killed amid a backup %" PRIu64
                 ", a change of segments %" PRIu64 ", recovery %" PRIu64 "\n",
        test->amid[CRASH_BACKUP], test->amid[CRASH_SEGMENT],
        test->amid[CRASH_RECOVERY]);
    (void)printf("figure: %" PRIu64 " requests acknowledged, %" PRIu64
                 " backups, rounds that lost something %" PRIu64 "\n",
        test->acknowledged, test->backups, rounds - passed);
    bool all = rounds < ROUNDS || all_hit(test);
    if (!all) {
        (void)printf("one of these was never hit\n");
    }
    return all;
}

/* True if all passed. */
static bool run_rounds(struct test *test, uint64_t rounds)
{
    uint64_t passed = 0;
    uint64_t done = 0;
    choose_settings(test, 0);
    begin_anew(test);
    start(test);
    bool ready = await(test);
    for (uint64_t i = 1; goes_on(test, i, rounds) && ready; i++) {
        done = i;
        run_round(test, i);
        if (test->complained || i % NEW_EVERY == 0) {
            change_directory(test);
        }
        passed += test->complained ? 0 : 1;
        if (test->complained) {
            (void)printf("round %" PRIu64 " failed\n", i);
        }
        ready = test->server.pid != 0 && test->server.port != 0;
    }
    if (test->server.pid != 0) {
        test->complained = false;
        end(test, SIGTERM);
        passed -= test->complained && passed > 0 ? 1 : 0;
    }
    done = done > rounds ? done : rounds;
    passed -= !report(test, done, passed) && passed > 0 ? 1 : 0;
    (void)printf(
        "%" PRIu64 " passed, %" PRIu64 " failed\n", passed, done - passed);
    return passed == done;
}

/* ---- The program --------------------------------------------------------- */

static int run(void *context, const char *directory)
{
    const struct arguments *arguments = context;
    struct test test = {.parent = directory};
    test_random_init_seed(&test.random, arguments->seed);
    (void)snprintf(test.server_program, sizeof test.server_program,
        "%s/bin/server", arguments->build);
    (void)snprintf(test.client_program, sizeof test.client_program,
        "%s/bin/client", arguments->build);
    test.settings.program = test.server_program;
    test.writers = calloc(WRITERS, sizeof *test.writers);
    assert(test.writers != NULL);
    bool passed = run_rounds(&test, arguments->number);
    free(test.writers);
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.number = ROUNDS};
    assert(argc > 0);
    return arguments_take_common(argv, &arguments) ? guard_run(run, &arguments)
                                                   : EXIT_USAGE;
}
