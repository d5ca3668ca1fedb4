/* history.c: is what a server answers linearizable, over its death too?
 *
 *     history [--seed N] [--build DIR] [OPERATIONS]
 *
 * Each history has keys of its own, and in its middle the server is killed and
 * started again, with another KV_SYNC and another number of workers.  Every
 * history is checked as a whole.  Then faults are planted in it one at a time,
 * and each must be found; and so must those of a proxy that answers in the
 * server's place.  The seed gives the same requests; what comes of them is the
 * machine's too.  The last line is "N passed, N failed": a history is one
 * test, and so is each fault planted in it. */
#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "bytes.h"
#include "clock.h"
#include "crash_server.h"
#include "arguments.h"
#include "guard.h"
#include "torture/linear.h"
#include "torture/history/plant.h"
#include "torture/history/proxy.h"
#include "torture/history/record.h"

enum {
    OPERATIONS = 60000,
    HISTORY_OPERATIONS = 10000,
    PROXY_OPERATIONS = 2000,
    KILLS_MAX = 3, /* in one history */
    WORLDS_MAX = 1 << 20
};

/* About ten operations meet in one part at the most: more, and the orders to be
 * tried grow beyond reason. */
static const struct record_shape shapes[] = {
    {.connections = 8, .keys = 1, .group = 1, .depth = 1},
    {.connections = 32, .keys = 64, .group = 4, .depth = 4},
    {.connections = 16, .keys = 8, .group = 2, .depth = 2},
    {.connections = 16, .keys = 8, .group = 1, .depth = 4},
    {.connections = 2, .keys = 4, .group = 4, .depth = 6},
    {.connections = 32, .keys = 64, .group = 2, .depth = 6},
    {.connections = 6, .keys = 8, .group = 4, .depth = 4},
    {.connections = 2, .keys = 1, .group = 1, .depth = 4},
};

static const struct record_shape proxy_shape = {
    .connections = 8, .keys = 4, .group = 2, .depth = 1};

struct test {
    struct test_random random;
    char program[TEST_PATH_MAX];
    struct crash_settings settings;
    struct crash_server server;
    uint32_t histories;
    uint64_t operations; /* in histories that were decided */
    uint64_t open;
    uint64_t parts;
    uint64_t kills;
    uint64_t longest;
    uint64_t violations;
    uint64_t undecided;
    uint64_t planted;
    uint64_t found;
    uint64_t proxied;
    uint64_t proxied_found;
    uint64_t passed;
    uint64_t failed;
};

static void complain(const char *what, const char *more)
{
    (void)printf("%s: %s\n", what, more);
}

static void count(struct test *test, bool passed)
{
    test->passed += passed ? 1 : 0;
    test->failed += passed ? 0 : 1;
}

/* ---- The server ---------------------------------------------------------- */

/* Starts it with the next way to sync and some number of workers. */
static bool start(struct test *test)
{
    static const char *const workers[] = {"1", "2", "4", "8"};
    test->settings.sync = test_syncs[test->kills % TEST_SYNCS];
    test->settings.workers =
        workers[test_random_below(&test->random, ARRAY_SIZE(workers))];
    if (!crash_server_start(&test->server, &test->settings) ||
        !crash_server_await(&test->server)) {
        complain("the server does not start", test->server.said);
        return false;
    }
    return true;
}

/* Kills it; when its end was known. */
static int64_t kill_server(struct test *test)
{
    int status = crash_server_end(&test->server, SIGKILL);
    int64_t now_ns = clock_steady_ns();
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        complain("the server ended by itself", test->server.said);
        test->failed++;
    }
    test->kills++;
    return now_ns;
}

/* ---- Checking ------------------------------------------------------------ */

static void check(struct test *test, const struct linear_op *ops,
    uint32_t operations, uint32_t number)
{
    struct linear_result result;
    int64_t begun_ms = clock_steady_ms();
    linear_check(ops, operations, WORLDS_MAX, &result);
    int64_t took_ms = clock_steady_ms() - begun_ms;
    uint64_t open = 0;
    for (uint32_t i = 0; i < operations; i++) {
        open += ops[i].open ? 1 : 0;
    }
    test->open += open;
    test->parts += result.parts;
    test->longest = u64_max(test->longest, result.longest);
    test->violations += result.verdict == LINEAR_NO ? 1 : 0;
    test->undecided += result.verdict == LINEAR_UNDECIDED ? 1 : 0;
    test->operations += result.verdict == LINEAR_UNDECIDED ? 0 : operations;
    count(test, result.verdict == LINEAR_YES);
    (void)printf("history %" PRIu32 ": %" PRIu32 " operations, %" PRIu64
                 " open, %" PRIu32 " parts, at most %" PRIu64
                 " worlds at once, %" PRId64 " ms%s%s\n",
        number, operations, open, result.parts, result.longest, took_ms,
        result.verdict == LINEAR_UNDECIDED ? ": undecided: " : "", result.why);
    if (result.verdict == LINEAR_NO) {
        linear_print(stdout, ops, operations, &result);
    }
}

/* Plants each fault in a copy; where it has a place, it must be found. */
static void check_plants(
    struct test *test, const struct linear_op *ops, uint32_t operations)
{
    struct linear_op *copy = calloc(operations, sizeof *copy);
    assert(copy != NULL);
    for (size_t i = 0; i < PLANTS; i++) {
        struct linear_result result;
        memcpy(copy, ops, operations * sizeof *copy);
        if (!plants[i].into(&test->random, copy, operations)) {
            continue;
        }
        linear_check(copy, operations, WORLDS_MAX, &result);
        test->planted++;
        test->found += result.verdict == LINEAR_NO ? 1 : 0;
        count(test, result.verdict == LINEAR_NO);
        if (result.verdict != LINEAR_NO) {
            complain("planted and not found", plants[i].name);
        }
    }
    free(copy);
}

/* ---- Histories ----------------------------------------------------------- */

/* Records while the server is killed and started again.  False if that did not
 * go well. */
static bool record_over_kills(struct test *test, struct recorder *recorder)
{
    uint64_t kills = 1 + test_random_below(&test->random, KILLS_MAX);
    for (uint64_t i = 0; i <= kills; i++) {
        uint64_t share = HISTORY_OPERATIONS * (i + 1) / (kills + 1);
        record_start(recorder, test->server.port);
        record_await(recorder, share);
        bool good = i == kills ? record_stop(recorder)
                               : record_died(recorder, kill_server(test));
        if (!good || (i < kills && !start(test))) {
            return false;
        }
    }
    return true;
}

/* False if there is no going on. */
static bool run_history(struct test *test)
{
    struct recorder recorder;
    uint32_t operations;
    uint32_t number = ++test->histories;
    const struct record_shape *shape = &shapes[number % ARRAY_SIZE(shapes)];
    if (!record_init(
            &recorder, shape, number, test_random_next(&test->random))) {
        complain("no memory", "for a history");
        return false;
    }
    bool good = record_over_kills(test, &recorder);
    struct linear_op *ops = record_collect(&recorder, &operations);
    good = good && ops != NULL;
    if (good) {
        check(test, ops, operations, number);
        check_plants(test, ops, operations);
    } else {
        (void)printf("history %" PRIu32 " failed\n", number);
        count(test, false);
    }
    free(ops);
    record_free(&recorder);
    return test->server.pid != 0 && test->server.port != 0;
}

/* A history through a proxy that does wrong: the checker must say so. */
static void run_proxied(struct test *test, enum proxy_fault fault)
{
    static const char *const names[PROXY_FAULTS] = {
        [PROXY_STALE] = "stale GETs", [PROXY_UNCHECKED] = "unchecked EXPECTs"};
    struct linear_result result = {.verdict = LINEAR_UNDECIDED};
    struct recorder recorder;
    uint32_t operations = 0;
    struct proxy *proxy = proxy_start(test->server.port, fault);
    assert(proxy != NULL);
    bool made = record_init(&recorder, &proxy_shape, ++test->histories,
        test_random_next(&test->random));
    assert(made);
    record_start(&recorder, proxy_port(proxy));
    record_await(&recorder, PROXY_OPERATIONS);
    made = record_stop(&recorder);
    uint64_t wrong = proxy_end(proxy);
    struct linear_op *ops = record_collect(&recorder, &operations);
    if (made && ops != NULL) {
        linear_check(ops, operations, WORLDS_MAX, &result);
    }
    bool found = result.verdict == LINEAR_NO;
    (void)printf("a proxy with %" PRIu64 " %s: %s\n", wrong, names[fault],
        found ? "found" : "not found");
    test->proxied++;
    test->proxied_found += found ? 1 : 0;
    count(test, found);
    free(ops);
    record_free(&recorder);
}

static void run_all(struct test *test, uint64_t wanted)
{
    bool going = start(test);
    for (enum proxy_fault i = 0; going && i < PROXY_FAULTS; i++) {
        run_proxied(test, i);
    }
    for (uint64_t i = 0; going && i < wanted; i += HISTORY_OPERATIONS) {
        going = run_history(test);
    }
    if (!going) {
        count(test, false);
    }
    if (test->server.pid != 0) {
        int status = crash_server_end(&test->server, SIGTERM);
        count(test, WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static void print_figures(const struct test *test)
{
    (void)printf("figure: %" PRIu64 " operations in %" PRIu64
                 " histories, all of them checked: %" PRIu64
                 " violations, %" PRIu64 " undecided\n",
        test->operations, test->histories - test->proxied, test->violations,
        test->undecided);
    (void)printf("figure: %" PRIu64 " kills, %" PRIu64
                 " operations without an answer\n",
        test->kills, test->open);
    (void)printf("figure: %" PRIu64 " parts, longest search %" PRIu64
                 " worlds at once\n",
        test->parts, test->longest);
    (void)printf("figure: faults planted %" PRIu64 ", found %" PRIu64
                 ", faulty proxies %" PRIu64 ", found %" PRIu64 "\n",
        test->planted, test->found, test->proxied, test->proxied_found);
    (void)printf(
        "%" PRIu64 " passed, %" PRIu64 " failed\n", test->passed, test->failed);
}

/* ---- The program --------------------------------------------------------- */

static int run(void *context, const char *directory)
{
    const struct arguments *arguments = context;
    struct test test = {.histories = 0};
    test_random_init_seed(&test.random, arguments->seed);
    (void)snprintf(
        test.program, sizeof test.program, "%s/bin/server", arguments->build);
    test.settings = (struct crash_settings){
        .program = test.program, .directory = directory, .segment = "2M"};
    run_all(&test, arguments->number);
    print_figures(&test);
    return test.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.number = OPERATIONS};
    assert(argc > 0);
    return arguments_take_common(argv, &arguments) ? guard_run(run, &arguments)
                                                   : EXIT_USAGE;
}
