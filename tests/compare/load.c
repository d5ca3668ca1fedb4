/* load.c: one generator for all servers that `make compare` compares.
 *
 *     load --port N --protocol PROTOCOL --work WORK [OPTION N]...
 *
 * PROTOCOL: native, resp, meta, memcached.  WORK: get, set, mix (90 % get),
 * fill (each key once), rewrite (set, each key once in so many requests as
 * there are keys).  The options are those of loop.h; it prints one JSON object.
 * --blind: the server is tests/echo.c; --bytes: prints the sizes of a request
 * and of its reply, which echo takes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "arguments.h"
#include "bytes.h"
#include "compare/loop.h"

static const struct work {
    const char *name;
    uint64_t reads;
    enum loop_order order;
} works[] = {{"get", 100, LOOP_UNIFORM}, {"set", 0, LOOP_UNIFORM},
    {"mix", 90, LOOP_UNIFORM}, {"fill", 0, LOOP_ONCE},
    {"rewrite", 0, LOOP_ROUND}};

struct command {
    struct loop_settings settings;
    const char *protocol;
    const char *work;
    uint64_t size;
    bool zipf;
    bool bytes;
    struct exchange exchanges[EXCHANGE_KINDS];
};

static const struct work *find_work(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(works); i++) {
        if (name != NULL && strcmp(works[i].name, name) == 0) {
            return &works[i];
        }
    }
    return NULL;
}

static bool in_bounds(const struct loop_settings *settings)
{
    uint64_t count = settings->connections + settings->readers;
    return settings->port <= UINT16_MAX && count > 0 &&
           settings->connections <= LOOP_CONNECTIONS_MAX &&
           settings->readers <= LOOP_CONNECTIONS_MAX && settings->depth > 0 &&
           settings->depth <= LOOP_DEPTH_MAX && settings->keys > 0 &&
           settings->keys <= EXCHANGE_NUMBERS &&
           settings->first <= settings->keys && settings->rate <= INT32_MAX &&
           settings->pid <= INT32_MAX && settings->warmup_ms <= INT32_MAX &&
           settings->measure_ms <= INT32_MAX;
}

static bool take(struct command *command, char **argv)
{
    struct loop_settings *settings = &command->settings;
    const struct argument known[] = {
        {.name = "--port", .number = &settings->port},
        {.name = "--protocol", .text = &command->protocol},
        {.name = "--work", .text = &command->work},
        {.name = "--size", .number = &command->size},
        {.name = "--connections", .number = &settings->connections},
        {.name = "--readers", .number = &settings->readers},
        {.name = "--depth", .number = &settings->depth},
        {.name = "--rate", .number = &settings->rate},
        {.name = "--first", .number = &settings->first},
        {.name = "--keys", .number = &settings->keys},
        {.name = "--warmup-ms", .number = &settings->warmup_ms},
        {.name = "--ms", .number = &settings->measure_ms},
        {.name = "--pid", .number = &settings->pid},
        {.name = "--zipf", .flag = &command->zipf},
        {.name = "--blind", .flag = &settings->blind},
        {.name = "--bytes", .flag = &command->bytes},
        {.name = NULL},
    };
    if (!arguments_take(argv, known) || !in_bounds(settings) ||
        command->protocol == NULL) {
        return false;
    }
    const struct work *work = find_work(command->work);
    if (work == NULL ||
        !exchange_make(command->exchanges, command->protocol, command->size)) {
        return false;
    }
    settings->reads = work->reads;
    settings->order = work->order;
    if (command->zipf && work->order == LOOP_UNIFORM) {
        settings->order = LOOP_ZIPF;
    }
    return true;
}

/* ---- What is printed ----------------------------------------------------- */

static void print_histogram(const char *name, const struct histogram *histogram)
{
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1}};
    (void)printf("\"%s\": {\"count\": %" PRIu64, name, histogram->count);
    for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++) {
        (void)printf(", \"%s\": %.1f", quantiles[i].name,
            (double)histogram_quantile(histogram, quantiles[i].share) / 1000);
    }
    (void)printf("}, ");
}

/* Seconds, and times in microseconds; other: how many processors somebody else
 * kept busy. */
static void print_result(struct loop_result *result)
{
    const struct usage *begin = &result->begin;
    const struct usage *end = &result->end;
    double seconds = (double)(end->at_ns - begin->at_ns) / 1e9;
    double server = (double)(end->server_ns - begin->server_ns) / 1e9;
    double own = (double)(end->own_ns - begin->own_ns) / 1e9;
    double machine = (double)(end->machine_ns - begin->machine_ns) / 1e9;
    (void)printf("{");
    print_histogram("reads", &result->reads);
    print_histogram("writes", &result->writes);
    histogram_merge(&result->reads, &result->writes);
    print_histogram("all", &result->reads);
    (void)printf("\"misses\": %" PRIu64 ", \"seconds\": %.6f, "
                 "\"server_s\": %.6f, \"own_s\": %.6f, \"other\": %.3f}\n",
        result->misses, seconds, server, own,
        (machine - server - own) / seconds);
}

static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        /* If it fails, opening the connections will tell. */
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    struct command command = {.size = 256,
        .settings = {.connections = 50,
            .depth = 1,
            .keys = 1000000,
            .measure_ms = 1000}};
    if (!take(&command, argv)) {
        (void)fprintf(stderr,
            "usage: load --port N --protocol native|resp|meta|memcached --work "
            "get|set|mix|fill|rewrite [OPTION N]...; see "
            "tests/compare/load.c\n");
        return EXIT_USAGE;
    }
    if (command.bytes) {
        const struct exchange *exchange =
            &command.exchanges[command.settings.reads > 0 ? EXCHANGE_GET
                                                          : EXCHANGE_SET];
        (void)printf("%zu %zu\n", exchange->request.size, exchange->hit.size);
        return EXIT_SUCCESS;
    }
    raise_limit();
    struct loop_result *result = calloc(1, sizeof *result);
    bool good = result != NULL &&
                loop_run(&command.settings, command.exchanges, result);
    if (good) {
        print_result(result);
    } else {
        (void)fprintf(stderr, "load: %s\n",
            result == NULL ? "out of memory" : result->why);
    }
    free(result);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
