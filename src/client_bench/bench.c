/* bench.c: `client bench`: options, phases, threads. */
#include "client_bench/bench.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bytes.h"
#include "clock.h"
#include "file.h"

enum {
    THREADS_MAX = 256,
    CONNECTIONS_MAX = 10000,
    DEPTH_MAX = 1024,
    REQUESTS_MAX = 1000000, /* outstanding: 292 MB */
    DAY_S = 86400
};

#define NANOSECONDS INT64_C(1000000000)

_Static_assert(
    sizeof(struct bench_settings) <= PROGRAM_SETTINGS_MAX, "they have room");

#define NUMBER(field, from, to, otherwise, word, explanation)                  \
    {                                                                          \
        .name = #field, .kind = OPTION_NUMBER,                                 \
        .offset = offsetof(struct bench_settings, field), .least = (from),     \
        .most = (to), .initial = (otherwise), .argument = (word),              \
        .text = (explanation)                                                  \
    }
#define FLAG(field, word, explanation)                                         \
    {                                                                          \
        .name = (word), .kind = OPTION_FLAG,                                   \
        .offset = offsetof(struct bench_settings, field), .argument = "",      \
        .text = (explanation)                                                  \
    }

static const struct option bench_options[] = {
    NUMBER(threads, 1, THREADS_MAX, 1, "N", "threads (1)"),
    NUMBER(connections, 1, CONNECTIONS_MAX, 50, "N",
        "connections of all threads together (50)"),
    NUMBER(depth, 1, DEPTH_MAX, 1, "N",
        "requests sent at once on each connection (1)"),
    NUMBER(reads, 0, 100, 90, "PERCENT", "share of GET; the rest is PUT (90)"),
    NUMBER(keys, 1, UINT32_MAX, 100000, "N", "different keys (100000)"),
    NUMBER(size, 0, KV_VALUE_MAX, 64, "BYTES", "of each value (64)"),
    NUMBER(seconds, 1, DAY_S, 5, "S", "how long it measures (5)"),
    NUMBER(warmup, 0, DAY_S, 1, "S", "how long it runs before that (1)"),
    {.name = "zipf",
        .kind = OPTION_FRACTION,
        .offset = offsetof(struct bench_settings, zipf),
        .least = 10,
        .most = 999,
        .initial = 990,
        .argument = "[THETA]",
        .text = "few keys are frequent (0.99); without it all are alike"},
    FLAG(fill, "fill", "puts every key once first, though nothing is read"),
    FLAG(no_fill, "no-fill", "does not put them first, though they are read"),
    {.name = "prefix",
        .kind = OPTION_TEXT,
        .offset = offsetof(struct bench_settings, prefix),
        .argument = "TEXT",
        .text = "of the keys; without it a random one"},
    FLAG(keep, "keep", "does not delete the keys at the end"),
    FLAG(json, "json", "prints one JSON object"), {0}};

static const char bench_help[] =
    "Each connection sends a batch of requests and waits for all replies: a "
    "closed\nloop.  Keys are put first if any are read, and deleted at the "
    "end.  ^C ends\nthe measuring early.  Latencies are those of the client, "
    "in microseconds.";

/* ---- Settings ------------------------------------------------------------ */

static int check_settings(struct bench *bench)
{
    struct bench_settings *settings = &bench->settings;
    if (settings->threads > settings->connections) {
        return program_fail(PROGRAM_USAGE,
            "bench: %" PRId64 " threads for %" PRId64
            " connections; each thread needs one",
            settings->threads, settings->connections);
    }
    if (settings->connections * settings->depth > REQUESTS_MAX) {
        return program_fail(PROGRAM_USAGE,
            "bench: %" PRId64 " connections of depth %" PRId64
            "; their product may be %d at most",
            settings->connections, settings->depth, REQUESTS_MAX);
    }
    if (settings->fill && settings->no_fill) {
        return program_fail(
            PROGRAM_USAGE, "bench: --fill and --no-fill exclude each other");
    }
    if (settings->prefix == NULL) {
        uint32_t random;
        if (file_random(&random, sizeof random) != 0) {
            return program_fail(PROGRAM_LOCAL, "no random numbers");
        }
        (void)snprintf(bench->prefix, sizeof bench->prefix,
            "bench-%08" PRIx32 "-", random);
        return PROGRAM_YES;
    }
    size_t length = strlen(settings->prefix);
    if (length == 0 || length > BENCH_PREFIX_MAX) {
        return program_fail(PROGRAM_USAGE,
            "bench: the prefix has %zu bytes; 1 to %d are allowed", length,
            BENCH_PREFIX_MAX);
    }
    memcpy(bench->prefix, settings->prefix, length);
    return PROGRAM_YES;
}

/* As many descriptors as are allowed: connections need one each. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        /* If it fails, opening the connections will tell. */
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* ---- Phases -------------------------------------------------------------- */

struct crew {
    struct bench *bench;
    struct bench_runner *runners[THREADS_MAX];
    size_t count;
    int signals; /* signalfd: SIGINT and SIGTERM end the phase */
    bool interrupted;
};

static void *run_runner(void *context)
{
    bench_runner_run(context);
    return NULL;
}

/* Waits for the end of so many threads, or for a signal to stop them. */
static void await(struct crew *crew, size_t threads)
{
    struct pollfd entries[] = {{.fd = crew->bench->finished, .events = POLLIN},
        {.fd = crew->signals, .events = POLLIN}};
    while (threads > 0) {
        int ready = poll(entries, ARRAY_SIZE(entries), -1);
        assert(ready > 0 || errno == EINTR);
        if (ready < 0) {
            continue;
        }
        eventfd_t ended = 0;
        struct signalfd_siginfo signal_info;
        if ((entries[1].revents & POLLIN) != 0 &&
            read(crew->signals, &signal_info, sizeof signal_info) > 0) {
            crew->interrupted = true;
            atomic_store(&crew->bench->stop, true);
        }
        if ((entries[0].revents & POLLIN) != 0 &&
            eventfd_read(crew->bench->finished, &ended) == 0) {
            threads -= (size_t)ended;
        }
    }
}

/* One phase on all threads; the first failure of one, or KV_SUCCESS. */
static kv_error_t run_phase(struct crew *crew, enum bench_phase phase)
{
    struct bench *bench = crew->bench;
    size_t started = 0;
    bench->phase = phase;
    atomic_store(&bench->stop, false);
    crew->interrupted = false;
    while (started < crew->count) {
        struct bench_runner *runner = crew->runners[started];
        if (pthread_create(&runner->thread, NULL, run_runner, runner) != 0) {
            runner->failure = KV_NO_MEMORY;
            (void)snprintf(runner->why, sizeof runner->why, "no thread");
            atomic_store(&bench->stop, true);
            break;
        }
        started++;
    }
    await(crew, started);
    kv_error_t failure = KV_SUCCESS;
    for (size_t i = 0; i < crew->count; i++) {
        if (i < started) {
            int error = pthread_join(crew->runners[i]->thread, NULL);
            assert(error == 0);
        }
        if (failure == KV_SUCCESS) {
            failure = crew->runners[i]->failure;
        }
    }
    return failure;
}

static struct bench_counts sum_counts(const struct crew *crew)
{
    struct bench_counts sum = {0};
    for (size_t i = 0; i < crew->count; i++) {
        sum.put += crew->runners[i]->counts.put;
        sum.misses += crew->runners[i]->counts.misses;
        sum.errors += crew->runners[i]->counts.errors;
    }
    return sum;
}

/* What ended the run, in a sentence. */
static int report_failure(const struct crew *crew, kv_error_t failure)
{
    const char *why = kv_error_text(failure);
    for (size_t i = 0; i < crew->count; i++) {
        if (crew->runners[i]->failure == failure) {
            why = crew->runners[i]->why;
            break;
        }
    }
    return program_fail(program_exit_of(failure),
        "bench: %s; %" PRIu64 " writes were acknowledged; keys that begin with "
        "%s may be left",
        why, sum_counts(crew).put, crew->bench->prefix);
}

/* How the replies were, after all went well otherwise. */
static int report_errors(const struct crew *crew)
{
    struct bench_counts counts = sum_counts(crew);
    for (size_t i = 0; i < crew->count; i++) {
        const struct bench_runner *runner = crew->runners[i];
        if (runner->first_error != KV_SUCCESS) {
            return program_fail(program_exit_of(runner->first_error),
                "bench: %" PRIu64 " errors; the first: %s", counts.errors,
                runner->why);
        }
    }
    return PROGRAM_YES;
}

static double seconds_since(int64_t begin_ns)
{
    return (double)(clock_steady_ns() - begin_ns) / (double)NANOSECONDS;
}

/* The measured phase, with its times; the result is printed. */
static kv_error_t measure(struct crew *crew, double fill_seconds)
{
    struct bench *bench = crew->bench;
    struct bench_result *result = calloc(1, sizeof *result);
    if (result == NULL) {
        return KV_NO_MEMORY;
    }
    bench->measure_from_ns =
        clock_steady_ns() + bench->settings.warmup * NANOSECONDS;
    bench->measure_to_ns =
        bench->measure_from_ns + bench->settings.seconds * NANOSECONDS;
    kv_error_t failure = run_phase(crew, BENCH_MIX);
    int64_t end_ns = (int64_t)u64_min(
        (uint64_t)clock_steady_ns(), (uint64_t)bench->measure_to_ns);
    if (failure == KV_SUCCESS) {
        result->fill_seconds = fill_seconds;
        result->seconds = end_ns <= bench->measure_from_ns
                              ? 0
                              : (double)(end_ns - bench->measure_from_ns) /
                                    (double)NANOSECONDS;
        for (size_t i = 0; i < crew->count; i++) {
            histogram_merge(&result->reads, &crew->runners[i]->reads);
            histogram_merge(&result->writes, &crew->runners[i]->writes);
        }
        histogram_merge(&result->all, &result->reads);
        histogram_merge(&result->all, &result->writes);
        result->counts = sum_counts(crew);
        bench_report(bench, result);
    }
    free(result);
    return failure;
}

/* All phases; the connections are open. */
static int run_phases(struct crew *crew)
{
    const struct bench_settings *settings = &crew->bench->settings;
    bool fill = settings->fill || (settings->reads > 0 && !settings->no_fill);
    kv_error_t failure = KV_SUCCESS;
    int64_t begin_ns = clock_steady_ns();
    if (fill) {
        failure = run_phase(crew, BENCH_FILL);
    }
    if (failure == KV_SUCCESS && !crew->interrupted) {
        failure = measure(crew, fill ? seconds_since(begin_ns) : 0);
    }
    if (failure == KV_SUCCESS && !settings->keep) {
        failure = run_phase(crew, BENCH_CLEAN);
        if (crew->interrupted) {
            return program_fail(PROGRAM_LOCAL,
                "bench: interrupted; keys that begin with %s are left",
                crew->bench->prefix);
        }
    }
    return failure == KV_SUCCESS ? report_errors(crew)
                                 : report_failure(crew, failure);
}

/* ---- The run ------------------------------------------------------------- */

static int open_signals(struct crew *crew)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    /* The threads inherit the mask: the descriptor alone has the signals. */
    int error = pthread_sigmask(SIG_BLOCK, &signals, NULL);
    crew->signals =
        error == 0 ? signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK) : -1;
    crew->bench->finished = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return crew->signals >= 0 && crew->bench->finished >= 0 ? 0 : -errno;
}

static int run_crew(struct crew *crew)
{
    struct bench *bench = crew->bench;
    int status = open_signals(crew) == 0
                     ? PROGRAM_YES
                     : program_fail(PROGRAM_LOCAL, "bench: no descriptors");
    for (int64_t i = 0; i < bench->settings.threads && status == 0; i++) {
        struct bench_runner *runner =
            bench_runner_create(bench, (unsigned)i, &status);
        if (runner != NULL) {
            crew->runners[crew->count++] = runner;
        }
    }
    if (status == PROGRAM_YES) {
        status = run_phases(crew);
    }
    for (size_t i = 0; i < crew->count; i++) {
        bench_runner_destroy(crew->runners[i]);
    }
    if (crew->signals >= 0) {
        (void)close(crew->signals);
    }
    if (bench->finished >= 0) {
        (void)close(bench->finished);
    }
    return status;
}

static int run_bench(struct program *program, const struct arguments *arguments,
    const void *settings)
{
    (void)arguments;
    struct bench bench = {.program = program};
    bench.settings = *(const struct bench_settings *)settings;
    struct crew crew = {.bench = &bench};
    int status = check_settings(&bench);
    if (status != PROGRAM_YES) {
        return status;
    }
    if (bench.settings.zipf > 0) {
        zipf_init(
            &bench.zipf, (uint64_t)bench.settings.keys, bench.settings.zipf);
    }
    raise_limit();
    return run_crew(&crew);
}

const struct subcommand bench_family[] = {
    {"bench", "[OPTION]...", "measures a running server", 0, 0, bench_options,
        bench_help, run_bench},
    {0}};
