/* server_main.c: the server's program: reads the settings, sets up the store
 * and the server, serves, and takes both down in the reverse order.
 *
 * Exit status: 0 orderly stop; 1 fatal error at run time; 78 settings or data
 * that a person must look at. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "config/config.h"
#include "machine.h"
#include "plan.h"
#include "process.h"
#include "server/server.h"
#include "storage/storage.h"

enum {
    EXIT_CONFIGURATION = 78, /* EX_CONFIG of sysexits.h */
    FILES_BESIDE = 256,      /* descriptors besides those of connections: the
                              * reserve, and what else is open */
    FILES_OF_WORKER = 2      /* and these of each worker: epoll, eventfd */
};

/* The words of KV_SYNC stand in the order of kv_sync_t. */
_Static_assert(
    KV_SYNC_ALWAYS == 0 && KV_SYNC_EVERYSEC == 1 && KV_SYNC_NONE == 2,
    "KV_SYNC");

static bool raise_files(const struct config *config, struct diag *diag)
{
    unsigned long long connections =
        config_number(config, CONFIG_MAX_CONNECTIONS);
    unsigned long long beside =
        FILES_BESIDE + FILES_OF_WORKER * config_number(config, CONFIG_WORKERS);
    unsigned long long wanted = connections + beside;
    unsigned long long had = process_raise_files(wanted);
    if (had < wanted) {
        diag_line(diag,
            "KV_MAX_CONNECTIONS=%llu needs %llu open files, and this process "
            "may have %llu; raise that limit (ulimit -n, or LimitNOFILE= of "
            "systemd), or set KV_MAX_CONNECTIONS to at most %llu",
            connections, wanted, had, had > beside ? had - beside : 0);
    }
    return had >= wanted;
}

static void end_fatally(void *context, const char *why)
{
    diag_fatal(context, "%s", why);
}

static int open_storage(
    const struct config *config, struct diag *diag, struct storage **storage)
{
    char why[STORAGE_WHY_MAX];
    const struct storage_options options = {
        .directory = config_text(config, CONFIG_DATA_DIR),
        .capacity = config_number(config, CONFIG_CAPACITY),
        .sync = (kv_sync_t)config_number(config, CONFIG_SYNC),
        .backup_interval_s =
            (uint32_t)config_number(config, CONFIG_BACKUP_INTERVAL),
        .backup_keep = (uint32_t)config_number(config, CONFIG_BACKUP_KEEP),
        .segment_bytes = config_number(config, CONFIG_LOG_SEGMENT),
        .log_keep_ms = config_span_ms(config, CONFIG_LOG_KEEP),
        .log_keep_bytes = config_span_bytes(config, CONFIG_LOG_KEEP),
        .load_threads = (uint32_t)config_number(config, CONFIG_WORKERS),
        .preallocate = config_number(config, CONFIG_PREALLOCATE) != 0,
        .diag = diag,
        .fatal = end_fatally,
        .context = diag,
    };
    int result = storage_open(storage, &options, why);
    if (result == -EUCLEAN) {
        diag_line(diag, "%s; client check %s tells what can be done", why,
            options.directory);
    } else if (result < 0) {
        diag_line(diag, "%s", why);
    }
    return result;
}

static int create_server(const struct config *config, struct diag *diag,
    struct storage *storage, struct server **server)
{
    char why[SERVER_WHY_MAX];
    const struct server_options options = {
        .host = config_text(config, CONFIG_HOST),
        .port = (uint16_t)config_number(config, CONFIG_PORT),
        .workers = (unsigned)config_number(config, CONFIG_WORKERS),
        .connections_max =
            (unsigned)config_number(config, CONFIG_MAX_CONNECTIONS),
        .storage = storage,
        .config = config,
        .preallocate = config_number(config, CONFIG_PREALLOCATE) != 0,
        .diag = diag,
        .idle_timeout_ms =
            (int64_t)config_number(config, CONFIG_IDLE_TIMEOUT) * 1000,
        .request_timeout_ms =
            (int64_t)config_number(config, CONFIG_REQUEST_TIMEOUT) * 1000,
        .signals = true,
    };
    int result = server_create(server, &options, why);
    if (result < 0) {
        diag_line(diag, "%s", why);
    }
    return result;
}

/* While the store is opened, and while the last backup is written: the log has
 * everything, so a stop need not wait. */
static void leave(int signal)
{
    (void)signal;
    _exit(EXIT_SUCCESS);
}

/* Returns the exit status. */
static int serve(const struct config *config, struct diag *diag)
{
    struct storage *storage = NULL;
    struct server *server = NULL;
    process_on_stop(leave);
    if (open_storage(config, diag, &storage) < 0) {
        return EXIT_CONFIGURATION;
    }
    process_on_stop(NULL);
    if (create_server(config, diag, storage, &server) < 0) {
        (void)storage_close(storage, false);
        return EXIT_CONFIGURATION;
    }
    const char *host = config_text(config, CONFIG_HOST);
    bool six = strchr(host, ':') != NULL;
    diag_line(diag,
        "ready: %s%s%s:%u, data in %s, %llu of %s records, "
        "KV_SYNC=%s",
        six ? "[" : "", host, six ? "]" : "", (unsigned)server_port(server),
        config_text(config, CONFIG_DATA_DIR),
        (unsigned long long)storage_count(storage),
        config_text(config, CONFIG_CAPACITY), config_text(config, CONFIG_SYNC));
    int served = server_run(server);
    if (served < 0) {
        diag_line(diag, "the server ended: %s", strerror(-served));
    }
    bool hurried = server_hurried(server);
    server_destroy(server);
    process_on_stop(leave);
    int closed = storage_close(storage, !hurried);
    return served < 0 || closed < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static struct plan_demand demand_of(const struct config *config)
{
    uint64_t workers = config_number(config, CONFIG_WORKERS);
    uint64_t connections = config_number(config, CONFIG_MAX_CONNECTIONS);
    bool always = config_number(config, CONFIG_SYNC) == KV_SYNC_ALWAYS;
    return (struct plan_demand){
        .capacity = config_number(config, CONFIG_CAPACITY),
        .server_bytes =
            server_bytes((unsigned)workers, (unsigned)connections, always),
        .workers = workers,
    };
}

/* What is "auto" follows from the machine. */
static void resolve(struct config *config, const struct machine_memory *memory)
{
    config_resolve(
        config, CONFIG_WORKERS, u64_min(machine_cores(), CONFIG_WORKERS_MAX));
    const struct plan_demand demand = demand_of(config);
    config_resolve(config, CONFIG_CAPACITY,
        plan_capacity(&demand, memory, CONFIG_CAPACITY_MAX));
}

/* False, with a line, if the memory cannot suffice. */
static bool check_memory(const struct config *config,
    const struct machine_memory *memory, struct diag *diag)
{
    char why[PLAN_WHY_MAX];
    const struct plan_demand demand = demand_of(config);
    bool all = config_number(config, CONFIG_PREALLOCATE) != 0;
    if (!plan_fits(&demand, memory, all, why)) {
        diag_line(diag, "%s", why);
        return false;
    }
    if (memory->addresses != UINT64_MAX) {
        process_share_heap();
    }
    return true;
}

/* What a flag asks for; returns the exit status. */
static int print(
    const struct config *config, const struct machine_memory *memory)
{
    if (config->action == CONFIG_HELP) {
        config_print_help(stdout);
    } else if (config->action == CONFIG_VERSION) {
        (void)printf("fixkv-server %s\n", KV_VERSION);
    } else if (config->action == CONFIG_SHOW_CONFIG) {
        config_print(config, stdout);
    } else if (config->action == CONFIG_PLAN) {
        const struct plan_demand demand = demand_of(config);
        plan_print(&demand, memory, stdout);
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct config config;
    struct diag diag;
    struct machine_memory memory;
    const struct config_input input = {
        .argc = argc,
        .argv = (const char *const *)argv,
        .environment = (const char *const *)environ,
        .diag = &diag,
    };
    diag_init(&diag, 0);
    if (!process_hold_streams()) {
        diag_line(&diag, "/dev/null: %s", strerror(errno));
        return EXIT_CONFIGURATION;
    }
    if (config_load(&config, &input) < 0) {
        diag_line(&diag, "%s", config.why);
        return EXIT_CONFIGURATION;
    }
    machine_memory("", &memory);
    resolve(&config, &memory);
    int printed = print(&config, &memory);
    if (config_check(&config) < 0) {
        diag_line(&diag, "%s", config.why);
        return EXIT_CONFIGURATION;
    }
    if (config.action != CONFIG_SERVE) {
        return printed;
    }
    diag.verbose = (int)config_number(&config, CONFIG_VERBOSE);
    diag.drops = true;
    process_ignore_signals();
    process_return_memory();
    if (!check_memory(&config, &memory, &diag) ||
        !raise_files(&config, &diag)) {
        return EXIT_CONFIGURATION;
    }
    return serve(&config, &diag);
}
