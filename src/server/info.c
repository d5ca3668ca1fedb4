/* info.c: INFO: the figures of STATS by Redis's names, and what the kernel says
 * of the process.
 *
 * Figures that the server does not count are left out, but for those that are
 * always the same here and that clients ask for.  Two are not what Redis means:
 * expires is 0, since nobody counts records that expire, and keys counts
 * expired ones until the sweep has removed them. */
#include "server/worker.h"

#include "command/session.h"
#include "machine.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { INFO_MAX = 16 * 1024 }; /* bytes; all sections have a third of it */

/* What the sections tell, and what has been told. */
struct told {
    const struct worker *worker;
    struct stats stats;
    struct rusage usage;
    size_t length;
    char text[INFO_MAX];
};

static void put(struct told *told, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One line. */
static void put(struct told *told, const char *format, ...)
{
    size_t room = sizeof told->text - told->length;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(told->text + told->length, room, format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t)length + 2 < room);
    told->length += (size_t)length;
    memcpy(told->text + told->length, "\r\n", 3);
    told->length += 2;
}

static void put_number(struct told *told, const char *name, uint64_t number)
{
    put(told, "%s:%" PRIu64, name, number);
}

/* Bytes, and the same for people. */
static void put_bytes(struct told *told, const char *name, uint64_t bytes)
{
    static const char units[] = "BKMGTP";
    double rest = (double)bytes;
    size_t unit = 0;
    while (rest >= 1024 && unit + 2 < sizeof units) {
        rest /= 1024;
        unit++;
    }
    put_number(told, name, bytes);
    put(told, "%s_human:%.*f%c", name, unit == 0 ? 0 : 2, rest, units[unit]);
}

uint64_t info_saved_s(const struct worker *worker, const struct stats *sum)
{
    uint64_t now_s = (uint64_t)storage_now(worker->options.storage) / 1000;
    return sum->backup_time_s != 0 ? sum->backup_time_s
                                   : now_s - u64_min(sum->uptime_s, now_s);
}

/* ---- Sections ------------------------------------------------------------ */

static void put_server(struct told *told)
{
    const struct server *server = told->worker->options.server;
    struct utsname system = {0};
    struct timespec now;
    (void)uname(&system);
    clock_gettime(CLOCK_REALTIME, &now);
    put(told, "redis_version:" SESSION_REDIS_VERSION);
    put(told, "fixkv_version:" KV_VERSION);
    put(told, "redis_mode:standalone");
    put(told, "os:%s %s %s", system.sysname, system.release, system.machine);
    put(told, "arch_bits:%zu", 8 * sizeof(void *));
    put(told, "multiplexing_api:epoll");
    put(told, "process_id:%ld", (long)getpid());
    put_number(told, "tcp_port", server_port(server));
    put_number(told, "server_time_usec",
        (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    put_number(told, "uptime_in_seconds", told->stats.uptime_s);
    put_number(told, "uptime_in_days", told->stats.uptime_s / (24 * 60 * 60));
    put_number(told, "io_threads", server_options_of(server)->workers);
}

static void put_clients(struct told *told)
{
    const struct server *server = told->worker->options.server;
    put_number(told, "connected_clients", told->stats.connections);
    put_number(told, "maxclients", server_options_of(server)->connections_max);
    put_number(told, "blocked_clients", 0);
    put_number(told, "tracking_clients", 0);
}

static void put_memory(struct told *told)
{
    uint64_t resident = machine_resident();
    uint64_t peak = (uint64_t)told->usage.ru_maxrss * 1024;
    struct machine_memory machine;
    machine_memory("", &machine);
    put_bytes(told, "used_memory", resident);
    put_bytes(told, "used_memory_rss", resident);
    put_bytes(told, "used_memory_peak", u64_max(peak, resident));
    put_bytes(told, "total_system_memory", machine.physical);
    put_bytes(told, "maxmemory", 0);
    put(told, "maxmemory_policy:noeviction");
    put_number(told, "mem_clients_normal", told->stats.bytes_held);
    put(told, "mem_allocator:libc");
}

static void put_persistence(struct told *told)
{
    const struct stats *stats = &told->stats;
    bool durable = storage_durable(told->worker->options.storage);
    put_number(told, "loading", 0);
    put_number(told, "rdb_changes_since_last_save",
        stats->lsn - u64_min(stats->backup_lsn, stats->lsn));
    put_number(told, "rdb_bgsave_in_progress", stats->backup_writing);
    put_number(told, "rdb_last_save_time", info_saved_s(told->worker, stats));
    put(told, "rdb_last_bgsave_status:%s",
        stats->backup_failed != 0 ? "err" : "ok");
    put(told, "rdb_last_bgsave_time_sec:%" PRId64,
        stats->backups > 0 ? (int64_t)stats->backup_ms / 1000 : -1);
    put_number(told, "rdb_saves", stats->backups);
    put_number(told, "aof_enabled", durable ? 1 : 0);
    put_number(told, "aof_rewrite_in_progress", 0);
    put_number(told, "aof_rewrite_scheduled", 0);
    put(told, "aof_last_write_status:%s", stats->read_only != 0 ? "err" : "ok");
    if (durable) {
        put_number(told, "aof_current_size", stats->log_bytes);
    }
}

static void put_stats(struct told *told)
{
    const struct stats *stats = &told->stats;
    put_number(told, "total_connections_received", stats->connections_accepted);
    put_number(told, "total_commands_processed", stats->requests);
    put_number(told, "total_net_input_bytes", stats->bytes_received);
    put_number(told, "total_net_output_bytes", stats->bytes_sent);
    put_number(told, "rejected_connections", stats->connections_refused);
    put_number(told, "expired_keys", stats->expired);
    put_number(told, "evicted_keys", 0);
    put_number(told, "pubsub_channels", 0);
    put_number(told, "pubsub_patterns", 0);
}

static void put_replication(struct told *told)
{
    put(told, "role:master");
    put_number(told, "connected_slaves", 0);
    put(told, "master_failover_state:no-failover");
    put_number(told, "master_repl_offset", 0);
}

static void put_seconds(
    struct told *told, const char *name, const struct timeval *time)
{
    put(told, "%s:%lld.%06lld", name, (long long)time->tv_sec,
        (long long)time->tv_usec);
}

static void put_cpu(struct told *told)
{
    put_seconds(told, "used_cpu_sys", &told->usage.ru_stime);
    put_seconds(told, "used_cpu_user", &told->usage.ru_utime);
}

static void put_cluster(struct told *told)
{
    put_number(told, "cluster_enabled", 0);
}

static void put_keyspace(struct told *told)
{
    const struct stats *stats = &told->stats;
    uint64_t keys = stats->records - u64_min(stats->members, stats->records);
    if (keys > 0) {
        put(told, "db0:keys=%" PRIu64 ",expires=0,avg_ttl=0", keys);
    }
}

/* All figures of STATS, by their own names. */
static void put_fixkv(struct told *told)
{
    for (size_t i = 0; i < STATS_COUNT; i++) {
        put_number(told, stats_name(i), stats_value(&told->stats, i));
    }
}

static const struct section {
    const char *name;
    void (*put)(struct told *told);
    bool beside; /* only if it is asked for */
} sections[] = {
    {"Server", put_server, false},
    {"Clients", put_clients, false},
    {"Memory", put_memory, false},
    {"Persistence", put_persistence, false},
    {"Stats", put_stats, false},
    {"Replication", put_replication, false},
    {"CPU", put_cpu, false},
    {"Cluster", put_cluster, false},
    {"Keyspace", put_keyspace, false},
    {"Fixkv", put_fixkv, true},
};

/* ---- INFO ---------------------------------------------------------------- */

static bool is_asked_for(const struct call *call, const struct section *section)
{
    bool asked = call->count == 1 && !section->beside;
    for (uint32_t i = 1; i < call->count && !asked; i++) {
        asked = call_is(call, i, section->name) || call_is(call, i, "all") ||
                call_is(call, i, "everything") ||
                (call_is(call, i, "default") && !section->beside);
    }
    return asked;
}

void info_info(struct call *call)
{
    const struct worker *worker = call->place.worker;
    struct told told = {.worker = worker};
    worker->options.add_stats(worker->options.context, &told.stats);
    stats_add(&told.stats, &worker->turn_stats);
    int error = getrusage(RUSAGE_SELF, &told.usage);
    assert(error == 0);
    told.text[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        if (is_asked_for(call, &sections[i])) {
            if (told.length > 0) {
                put(&told, "%s", "");
            }
            put(&told, "# %s", sections[i].name);
            sections[i].put(&told);
        }
    }
    resp_verbatim(&call->reply, told.text, "txt");
}
