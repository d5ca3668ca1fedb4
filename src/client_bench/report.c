/* report.c: what a bench prints, for people or as JSON. */
#include <inttypes.h>

#include "client_bench/bench.h"

static const struct {
    const char *name;
    double share;
} quantiles[] = {{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1}};

enum { QUANTILES = sizeof quantiles / sizeof quantiles[0] };

static double microseconds(const struct histogram *histogram, double share)
{
    return (double)histogram_quantile(histogram, share) / 1000;
}

static double rate(const struct histogram *histogram, double seconds)
{
    return seconds > 0 ? (double)histogram->count / seconds : 0;
}

static void print_row(
    const char *name, const struct histogram *histogram, double seconds)
{
    (void)printf("%-8s %12.0f", name, rate(histogram, seconds));
    for (size_t i = 0; i < QUANTILES; i++) {
        (void)printf(" %10.1f", microseconds(histogram, quantiles[i].share));
    }
    (void)putchar('\n');
}

static void print_text(
    const struct bench *bench, const struct bench_result *result)
{
    const struct bench_settings *settings = &bench->settings;
    (void)printf("%" PRId64 " keys, values of %" PRId64 " bytes, %" PRId64
                 " %% reads, ",
        settings->keys, settings->size, settings->reads);
    if (settings->zipf > 0) {
        (void)printf("zipf %g\n", settings->zipf);
    } else {
        (void)puts("uniform");
    }
    (void)printf("threads: %" PRId64 ", connections: %" PRId64
                 ", depth: %" PRId64 ", %.1f s\n",
        settings->threads, settings->connections, settings->depth,
        result->seconds);
    if (result->fill_seconds > 0) {
        (void)printf("filled in %.1f s: %.0f writes/s\n", result->fill_seconds,
            (double)settings->keys / result->fill_seconds);
    }
    (void)printf("\n%-8s %12s %10s %10s %10s %10s\n", "", "ops/s", "p50 us",
        "p99 us", "p99.9 us", "max us");
    print_row("reads", &result->reads, result->seconds);
    print_row("writes", &result->writes, result->seconds);
    print_row("total", &result->all, result->seconds);
    (void)printf("\n%" PRIu64 " requests measured, %" PRIu64 " misses, %" PRIu64
                 " errors\n",
        result->all.count, result->counts.misses, result->counts.errors);
}

static void print_object(
    const char *name, const struct histogram *histogram, double seconds)
{
    (void)printf("\"%s\": {\"count\": %" PRIu64 ", \"ops_s\": %.1f", name,
        histogram->count, rate(histogram, seconds));
    for (size_t i = 0; i < QUANTILES; i++) {
        (void)printf(", \"%s_us\": %.3f", quantiles[i].name,
            microseconds(histogram, quantiles[i].share));
    }
    (void)fputs("}, ", stdout);
}

static void print_json(
    const struct bench *bench, const struct bench_result *result)
{
    const struct bench_settings *settings = &bench->settings;
    (void)printf("{\"threads\": %" PRId64 ", \"connections\": %" PRId64
                 ", \"depth\": %" PRId64 ", \"read_percent\": %" PRId64
                 ", \"keys\": %" PRId64 ", \"size\": %" PRId64
                 ", \"zipf\": %g, \"seconds\": %.3f, \"fill_seconds\": %.3f, ",
        settings->threads, settings->connections, settings->depth,
        settings->reads, settings->keys, settings->size, settings->zipf,
        result->seconds, result->fill_seconds);
    print_object("reads", &result->reads, result->seconds);
    print_object("writes", &result->writes, result->seconds);
    print_object("total", &result->all, result->seconds);
    (void)printf("\"misses\": %" PRIu64 ", \"errors\": %" PRIu64 "}\n",
        result->counts.misses, result->counts.errors);
}

void bench_report(const struct bench *bench, const struct bench_result *result)
{
    if (bench->settings.json) {
        print_json(bench, result);
    } else {
        print_text(bench, result);
    }
    /* Deleting the keys may take a while, and can be interrupted. */
    (void)fflush(stdout);
}
