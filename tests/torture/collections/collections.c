/* collections.c: kills a server amid commands on lists, sets and transactions,
 * again and again, and looks whether what it had acknowledged is there, and no
 * record is there that belongs to nothing.
 *
 *     collections [--seed N] [--build DIR] [--plant WHAT] [ROUNDS]
 *
 * A round: connections change keys of their own (writer.h), others add to one
 * number under WATCH, make and end large collections, and ask for backups
 * (guests.h); now and then one connection alone, which flushes all, too.
 * SIGKILL, at a random time or amid a backup; the files as they are then are
 * audited (audit.h); restart; all keys are compared.  The next round goes on
 * with the same directory, now and then with a new one; before that all keys
 * go, and all records must follow; and what the last backup holds is audited.
 * The way to sync changes from round to round.
 *
 * --plant lost|half|twice: the checks are told wrongly, and must all fail.  The
 * last line is "N passed, N failed", in rounds; the directory of a round that
 * failed is kept. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "arguments.h"
#include "audit.h"
#include "clock.h"
#include "crash_server.h"
#include "guard.h"
#include "torture/collections/guests.h"
#include "torture/collections/writer.h"

enum {
    ROUNDS = 20,
    WRITERS = 3,
    ADDERS = 3,
    CHURNERS = 2,
    MANY = 900, /* members that churners add at once */
    GUESTS = ADDERS + CHURNERS + 1,
    NEW_EVERY = 6, /* rounds with one directory */
    ALONE_EVERY = 5,
    RUN_MS_MIN = 40,
    RUN_MS_MAX = 400,
    SWEPT_MS_MAX = 60000,
    CLIENT_MS = 60000
};

struct test {
    struct test_random random;
    const char *parent;
    struct test_directory directory;
    uint32_t directories;
    char program[TEST_PATH_MAX];
    struct crash_settings settings;
    struct crash_server server;
    struct writer *writers;
    struct adder adders[ADDERS];
    struct churner churners[CHURNERS];
    struct saver saver;
    enum writer_plant plant;
    uint64_t total; /* of what adders added */
    uint64_t kills[TEST_SYNCS];
    uint32_t sync;
    uint64_t units;
    uint64_t transactions;
    uint64_t additions;
    uint64_t remains; /* found after kills */
    uint64_t inner;
    uint64_t amid; /* kills that left remains */
    uint64_t ended;
    uint64_t backups;
    bool complained;
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
    } else if (!crash_server_await(&test->server)) {
        complain(test, "does not start", test->server.said);
    } else if (strstr(test->server.said, "is not used") != NULL) {
        complain(test, "a backup was lost", test->server.said);
    }
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

static void audit_files(struct test *test, struct audit *audit)
{
    if (!audit_directory(test->directory.path, audit)) {
        complain(test, "the records", audit->why);
    }
}

/* ---- Writing ------------------------------------------------------------- */

struct task {
    void *(*run)(void *context);
    void *context;
    uint16_t port;
    pthread_t thread;
};

static void *run_writer(void *context)
{
    const struct task *task = context;
    writer_run(task->context, task->port);
    return NULL;
}

static void *run_adder(void *context)
{
    adder_run(((struct task *)context)->context);
    return NULL;
}

static void *run_churner(void *context)
{
    churner_run(((struct task *)context)->context);
    return NULL;
}

static void *run_saver(void *context)
{
    backups_run(((struct task *)context)->context);
    return NULL;
}

/* Who comes in this round; returns how many. */
static uint32_t invite(
    struct test *test, bool alone, struct task tasks[WRITERS + GUESTS])
{
    uint16_t port = test->server.port;
    uint32_t count = 0;
    uint32_t writers = alone ? 1 : WRITERS;
    for (uint32_t i = 0; i < writers; i++) {
        test->writers[i].alone = alone;
        tasks[count++] = (struct task){run_writer, &test->writers[i], port, 0};
    }
    for (uint32_t i = 0; i < ADDERS && !alone; i++) {
        test->adders[i].port = port;
        tasks[count++] = (struct task){run_adder, &test->adders[i], port, 0};
    }
    for (uint32_t i = 0; i < CHURNERS && !alone; i++) {
        test->churners[i].port = port;
        tasks[count++] =
            (struct task){run_churner, &test->churners[i], port, 0};
    }
    test->saver.port = port;
    if (test_random_once_in(&test->random, 2)) {
        tasks[count++] = (struct task){run_saver, &test->saver, port, 0};
    }
    return count;
}

static void write_and_kill(struct test *test, bool alone)
{
    struct task tasks[WRITERS + GUESTS];
    uint32_t count = invite(test, alone, tasks);
    for (uint32_t i = 0; i < count; i++) {
        int error =
            pthread_create(&tasks[i].thread, NULL, tasks[i].run, &tasks[i]);
        assert(error == 0);
    }
    int64_t wait_ms =
        RUN_MS_MIN + (int64_t)test_random_below(&test->random, RUN_MS_MAX);
    if (!crash_server_listen(&test->server, wait_ms)) {
        complain(test, "ended by itself", test->server.said);
    }
    end(test, SIGKILL);
    test->kills[test->sync]++;
    for (uint32_t i = 0; i < count; i++) {
        int error = pthread_join(tasks[i].thread, NULL);
        assert(error == 0);
    }
    test->backups += test->saver.backups;
    test->saver.backups = 0;
}

/* ---- Checking ------------------------------------------------------------ */

static void check_writers(struct test *test)
{
    for (uint32_t i = 0; i < WRITERS; i++) {
        struct writer *writer = &test->writers[i];
        writer_check(
            writer, test->server.port, i == 0 ? test->plant : PLANT_NOTHING);
        test->complained = test->complained || writer->complained;
        writer->complained = false;
        test->units += writer->acknowledged;
        test->transactions += writer->transactions;
        writer->acknowledged = 0;
        writer->transactions = 0;
    }
}

static void check_guests(struct test *test)
{
    uint64_t before = test->total;
    if (!adders_check(test->adders, ADDERS, &test->total, test->server.port)) {
        test->complained = true;
    }
    test->additions += test->total - before;
    for (uint32_t i = 0; i < ADDERS; i++) {
        test->complained = test->complained || test->adders[i].complained;
    }
    for (uint32_t i = 0; i < CHURNERS; i++) {
        test->complained = test->complained || test->churners[i].complained;
        test->ended += test->churners[i].ended;
        test->churners[i].ended = 0;
    }
}

/* One connection flushed the server, maybe: then all others' keys are gone. */
static void note_flush(struct test *test)
{
    struct talk *talk = malloc(sizeof *talk);
    assert(talk != NULL);
    const char *line = talk_open(talk, test->server.port)
                           ? talk_ask(talk, "EXISTS marker")
                           : NULL;
    bool there = line != NULL && strcmp(line, ":1") == 0;
    for (uint32_t i = 1; i < WRITERS && !there; i++) {
        memset(&test->writers[i].sure, 0, sizeof test->writers[i].sure);
        memset(&test->writers[i].sent, 0, sizeof test->writers[i].sent);
    }
    test->total = there ? test->total : 0;
    line = talk_ask(talk, "SET marker x");
    if (line == NULL || strcmp(line, "+OK") != 0) {
        complain(test, "SET", line == NULL ? "no reply" : line);
    }
    talk_close(talk);
    free(talk);
}

struct figures {
    uint64_t records;
    uint64_t members;
};

static bool note_figure(void *context, const kv_message_t *figure)
{
    struct figures *figures = context;
    char text[KV_VALUE_MAX + 1] = "";
    memcpy(text, figure->value, figure->value_len);
    if (strcmp((const char *)figure->key, "records") == 0) {
        figures->records = strtoull(text, NULL, 10);
    } else if (strcmp((const char *)figure->key, "members") == 0) {
        figures->members = strtoull(text, NULL, 10);
    }
    return true;
}

/* Waits until the sweep has left nothing but what lives. */
static void await_swept(struct test *test, uint64_t keys, uint64_t inner)
{
    int64_t until_ms = clock_steady_ms() + SWEPT_MS_MAX;
    struct figures figures;
    kv_client_t *client = kv_client_create("127.0.0.1", test->server.port);
    assert(client != NULL);
    kv_client_set_timeout(client, CLIENT_MS);
    kv_error_t error;
    do {
        const kv_message_t request = {.type = KV_STATS};
        (void)crash_server_listen(&test->server, 10);
        error = kv_client_stream(client, &request, note_figure, &figures, NULL);
    } while (error == KV_SUCCESS && clock_steady_ms() < until_ms &&
             (figures.members != inner || figures.records != keys + inner));
    if (error != KV_SUCCESS || figures.members != inner ||
        figures.records != keys + inner) {
        char line[160];
        (void)snprintf(line, sizeof line,
            "%" PRIu64 " records, %" PRIu64 " of them inner, not %" PRIu64
            " and %" PRIu64,
            figures.records, figures.members, keys + inner, inner);
        complain(test, "what is left", line);
    }
    kv_client_destroy(client);
}

/* Ends what the guests have left, and waits for the sweep: then there is what
 * the writers have. */
static void check_left(struct test *test)
{
    uint64_t keys = 1; /* the marker */
    uint64_t inner = 0;
    struct talk *talk = malloc(sizeof *talk);
    assert(talk != NULL);
    bool told = talk_open(talk, test->server.port);
    for (uint32_t i = 0; i < CHURNERS * CHURNER_KEYS && told; i++) {
        told = talk_ask(talk, "DEL big%" PRIu32 ":%" PRIu32, i / CHURNER_KEYS,
                   i % CHURNER_KEYS) != NULL;
    }
    told = told && talk_ask(talk, "DEL added added:log") != NULL;
    test->total = 0;
    for (uint32_t i = 0; i < WRITERS; i++) {
        world_count(&test->writers[i].sure, &keys, &inner);
    }
    if (told) {
        await_swept(test, keys, inner);
    }
    told = told && talk_ask(talk, "FLUSHALL") != NULL;
    if (told) {
        await_swept(test, 0, 0);
    } else {
        complain(test, "the connection", "is lost");
    }
    talk_close(talk);
    free(talk);
}

/* ---- Rounds -------------------------------------------------------------- */

static void begin_anew(struct test *test)
{
    struct test_directory *directory = &test->directory;
    int length = snprintf(directory->path, sizeof directory->path,
        "%s/%" PRIu32, test->parent, ++test->directories);
    assert(length > 0 && (size_t)length < sizeof directory->path);
    test->settings.directory = directory->path;
    test->total = 0;
    memset(test->adders, 0, sizeof test->adders);
    for (uint32_t i = 0; i < WRITERS; i++) {
        writer_free(&test->writers[i]);
        writer_init(&test->writers[i], i, test_random_next(&test->random));
    }
}

/* Ends the server; the directory goes, unless there was a complaint. */
static void end_directory(struct test *test)
{
    struct audit audit;
    if (!test->complained) {
        check_left(test);
    }
    if (test->server.pid != 0) {
        end(test, SIGTERM);
    }
    if (!test->complained) {
        audit_files(test, &audit);
    }
    if (test->complained) {
        (void)printf("kept: %s\n", test->directory.path);
    } else if (!test_directory_remove(&test->directory)) {
        complain(test, "cannot be removed", test->directory.path);
    }
}

static void run_round(struct test *test, uint64_t round)
{
    struct audit audit = {0};
    bool alone = round % ALONE_EVERY == 0;
    test->complained = false;
    write_and_kill(test, alone);
    audit_files(test, &audit);
    test->remains += audit.remains;
    test->inner += audit.inner;
    test->amid += audit.remains > 0 ? 1 : 0;
    test->sync = (uint32_t)(round % TEST_SYNCS);
    test->settings.sync = test_syncs[test->sync];
    start(test);
    if (test->server.port != 0 && test->server.pid != 0 && !test->complained) {
        note_flush(test);
        check_writers(test);
        check_guests(test);
    }
}

static void report(const struct test *test, uint64_t rounds)
{
    (void)printf("figure: %" PRIu64 " rounds", rounds);
    for (uint32_t i = 0; i < TEST_SYNCS; i++) {
        (void)printf(", %s %" PRIu64, test_syncs[i], test->kills[i]);
    }
    (void)printf("\nfigure: %" PRIu64 " commands and transactions "
                 "acknowledged, of these transactions %" PRIu64 ", and %" PRIu64
                 " under WATCH\n",
        test->units, test->transactions, test->additions);
    (void)printf("figure: %" PRIu64 " large collections ended, %" PRIu64
                 " backups; %" PRIu64 " kills left remains, %" PRIu64
                 " of them; %" PRIu64 " inner records audited\n",
        test->ended, test->backups, test->amid, test->remains, test->inner);
}

/* True if all passed. */
static bool run_rounds(struct test *test, uint64_t rounds)
{
    uint64_t passed = 0;
    test->settings.sync = test_syncs[0];
    test->settings.segment = "2M";
    for (uint64_t i = 1; i <= rounds; i++) {
        if (test->server.pid == 0) {
            begin_anew(test);
            start(test);
            note_flush(test);
        }
        run_round(test, i);
        if (test->complained || i % NEW_EVERY == 0 || i == rounds) {
            end_directory(test);
        }
        passed += test->complained ? 0 : 1;
        if (test->complained) {
            (void)printf("round %" PRIu64 " failed\n", i);
        }
    }
    report(test, rounds);
    if (rounds >= ROUNDS && test->amid == 0) {
        (void)printf("no kill left remains\n");
        passed -= passed > 0 ? 1 : 0;
    }
    (void)printf(
        "%" PRIu64 " passed, %" PRIu64 " failed\n", passed, rounds - passed);
    return passed == rounds;
}

/* ---- The program --------------------------------------------------------- */

struct call_line {
    const char *build;
    const char *plant;
    uint64_t seed;
    uint64_t rounds;
};

static int run(void *context, const char *directory)
{
    static const char *more[][2] = {{"KV_CAPACITY", "1000000"}, {NULL, NULL}};
    static const char *const plants[WRITER_PLANTS] = {
        "", "lost", "half", "twice"};
    const struct call_line *line = context;
    struct test *test = calloc(1, sizeof *test);
    assert(test != NULL);
    test->parent = directory;
    test_random_init_seed(&test->random, line->seed);
    (void)snprintf(
        test->program, sizeof test->program, "%s/bin/server", line->build);
    test->settings.program = test->program;
    test->settings.more = more;
    for (int i = 0; i < WRITER_PLANTS; i++) {
        test->plant = line->plant != NULL && strcmp(line->plant, plants[i]) == 0
                          ? (enum writer_plant)i
                          : test->plant;
    }
    for (uint32_t i = 0; i < CHURNERS; i++) {
        test->churners[i].number = i;
        test->churners[i].many = MANY;
        test_random_init_seed(
            &test->churners[i].random, test_random_next(&test->random));
    }
    test->writers = calloc(WRITERS, sizeof *test->writers);
    assert(test->writers != NULL);
    bool passed = run_rounds(test, line->rounds);
    for (uint32_t i = 0; i < WRITERS; i++) {
        writer_free(&test->writers[i]);
    }
    free(test->writers);
    free(test);
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct call_line line = {.build = "build", .rounds = ROUNDS};
    const struct argument known[] = {
        {.name = "--build", .text = &line.build},
        {.name = "--plant", .text = &line.plant},
        {.name = "--seed", .number = &line.seed},
        {.name = "", .number = &line.rounds},
        {.name = NULL},
    };
    assert(argc > 0);
    if (!arguments_seed(&line.seed) || !arguments_take(argv, known)) {
        (void)fprintf(stderr, "usage: collections [--seed N] [--build DIR] "
                              "[--plant lost|half|twice] [ROUNDS]\n");
        return EXIT_USAGE;
    }
    (void)printf("seed %" PRIu64 "\n", line.seed);
    return guard_run(run, &line);
}
