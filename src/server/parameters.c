/* parameters.c: CONFIG: settings, by Redis's names and their own, to be read.
 *
 * A setting KV_NAME is the parameter kv-name.  Of Redis's parameters those are
 * here that clients ask for; each says what is so, as Redis would put it. */
#include "server/worker.h"

#include "command/subcommand.h"
#include "config/setting.h"
#include "glob_match.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PATTERNS_MAX = 64, /* of one CONFIG GET, so that others need not wait */
    NAME_SIZE = SETTING_FLAG_MAX + 1, /* "kv-" instead of "--" */
    VALUE_MAX = CONFIG_TEXT_MAX
};

_Static_assert((int)VALUE_MAX >= (int)PATH_MAX, "a directory fits");

/* ---- By Redis's names ---------------------------------------------------- */

static void put_number(char value[VALUE_MAX], uint64_t number)
{
    (void)snprintf(value, VALUE_MAX, "%" PRIu64, number);
}

static void appendfsync(
    const struct server_options *options, char value[VALUE_MAX])
{
    static const char *const words[] = {
        [KV_SYNC_ALWAYS] = "always",
        [KV_SYNC_EVERYSEC] = "everysec",
        [KV_SYNC_NONE] = "no",
    };
    uint64_t sync = config_number(options->config, CONFIG_SYNC);
    assert(sync < ARRAY_SIZE(words));
    (void)snprintf(value, VALUE_MAX, "%s", words[sync]);
}

static void appendonly(
    const struct server_options *options, char value[VALUE_MAX])
{
    (void)snprintf(value, VALUE_MAX, "%s",
        storage_durable(options->storage) ? "yes" : "no");
}

static void bind_address(
    const struct server_options *options, char value[VALUE_MAX])
{
    (void)snprintf(value, VALUE_MAX, "%s", options->host);
}

static void databases(
    const struct server_options *options, char value[VALUE_MAX])
{
    (void)options;
    put_number(value, 1);
}

static void directory(
    const struct server_options *options, char value[VALUE_MAX])
{
    const char *path = config_text(options->config, CONFIG_DATA_DIR);
    char whole[PATH_MAX];
    (void)snprintf(
        value, VALUE_MAX, "%s", realpath(path, whole) != NULL ? whole : path);
}

static void maxclients(
    const struct server_options *options, char value[VALUE_MAX])
{
    put_number(value, options->connections_max);
}

static void none(const struct server_options *options, char value[VALUE_MAX])
{
    (void)options;
    put_number(value, 0);
}

static void policy(const struct server_options *options, char value[VALUE_MAX])
{
    (void)options;
    (void)snprintf(value, VALUE_MAX, "noeviction");
}

static void bulk_max(
    const struct server_options *options, char value[VALUE_MAX])
{
    (void)options;
    put_number(value, RESP_BULK_MAX);
}

/* A backup follows each interval in which the log has grown. */
static void save(const struct server_options *options, char value[VALUE_MAX])
{
    uint64_t interval_s =
        config_number(options->config, CONFIG_BACKUP_INTERVAL);
    value[0] = '\0';
    if (storage_durable(options->storage) && interval_s > 0) {
        (void)snprintf(value, VALUE_MAX, "%" PRIu64 " 1", interval_s);
    }
}

static void timeout(const struct server_options *options, char value[VALUE_MAX])
{
    put_number(value, (uint64_t)options->idle_timeout_ms / 1000);
}

static const struct parameter {
    const char *name;
    /* NULL: the port, which the server knows */
    void (*put)(const struct server_options *options, char value[VALUE_MAX]);
} parameters[] = {
    {"appendfsync", appendfsync},
    {"appendonly", appendonly},
    {"bind", bind_address},
    {"databases", databases},
    {"dir", directory},
    {"maxclients", maxclients},
    {"maxmemory", none},
    {"maxmemory-policy", policy},
    {"port", NULL},
    {"proto-max-bulk-len", bulk_max},
    {"save", save},
    {"timeout", timeout},
};

/* ---- GET ----------------------------------------------------------------- */

enum { PARAMETERS_COUNT = ARRAY_SIZE(parameters) + CONFIG_COUNT };

/* The name of number i: "kv-data-dir" of KV_DATA_DIR. */
static const char *name_of(size_t i, char name[NAME_SIZE])
{
    if (i < ARRAY_SIZE(parameters)) {
        return parameters[i].name;
    }
    enum config_id setting = (enum config_id)(i - ARRAY_SIZE(parameters));
    char flag[SETTING_FLAG_MAX];
    (void)setting_flag(setting_row(setting)->name, flag);
    (void)snprintf(name, NAME_SIZE, "kv-%s", flag + strlen("--"));
    return name;
}

static void put_value(const struct server *server, size_t i, char *value)
{
    const struct server_options *options = server_options_of(server);
    if (i < ARRAY_SIZE(parameters)) {
        if (parameters[i].put != NULL) {
            parameters[i].put(options, value);
        } else {
            put_number(value, server_port(server));
        }
        return;
    }
    enum config_id setting = (enum config_id)(i - ARRAY_SIZE(parameters));
    const char *text = config_text(options->config, setting);
    bool hidden = setting_row(setting)->kind == SETTING_SECRET && *text != '\0';
    (void)snprintf(value, VALUE_MAX, "%s", hidden ? "****" : text);
}

static bool is_asked_for(const struct call *call, size_t i)
{
    char name[NAME_SIZE];
    const char *text = name_of(i, name);
    for (uint32_t at = 2; at < call->count; at++) {
        const struct resp_arg *arg = &call->args[at];
        uint8_t lower[KV_VALUE_MAX];
        bytes_lower(lower, arg->bytes, arg->size);
        if (glob_match(lower, arg->size, text, strlen(text))) {
            return true;
        }
    }
    return false;
}

static void get(struct call *call)
{
    const struct server *server = call->place.worker->options.server;
    bool asked[PARAMETERS_COUNT];
    size_t count = 0;
    if (call->count - 2 > PATTERNS_MAX) {
        resp_error(&call->reply,
            "ERR CONFIG GET takes at most %d patterns, and this one has "
            "%" PRIu32,
            PATTERNS_MAX, call->count - 2);
        return;
    }
    for (size_t i = 0; i < PARAMETERS_COUNT; i++) {
        asked[i] = is_asked_for(call, i);
        count += asked[i] ? 1 : 0;
    }
    resp_map(&call->reply, count);
    for (size_t i = 0; i < PARAMETERS_COUNT; i++) {
        char name[NAME_SIZE];
        char value[VALUE_MAX];
        if (asked[i]) {
            put_value(server, i, value);
            resp_bulk_text(&call->reply, name_of(i, name));
            resp_bulk_text(&call->reply, value);
        }
    }
}

/* ---- What is not done ---------------------------------------------------- */

static void set(struct call *call)
{
    if (call->count % 2 != 0) {
        call_syntax(call);
        return;
    }
    resp_error(&call->reply,
        "ERR settings are read when the server starts, and '%.*s' is not "
        "changed: set it by a flag, KV_ in the environment or the file of "
        "--config, and restart; fixkv-server --help lists the settings",
        (int)call->args[2].size, (const char *)call->args[2].bytes);
}

static void rewrite(struct call *call)
{
    resp_error(&call->reply,
        "ERR settings do not change while the server runs, so there is nothing "
        "to write into the file of --config");
}

static void resetstat(struct call *call)
{
    resp_error(&call->reply, "ERR the figures of INFO count from the start of "
                             "the server, and are not reset: take differences");
}

/* ---- CONFIG -------------------------------------------------------------- */

static void help(struct call *call);

static const struct subcommand subcommands[] = {
    {"config|get", -3, get, "GET <pattern> [<pattern> ...]",
        "Return parameters matching the glob-like <pattern> and their values."},
    {"config|set", -4, set, "SET <directive> <value>",
        "Not supported: settings are read when the server starts."},
    {"config|resetstat", 2, resetstat, "RESETSTAT",
        "Not supported: figures count from the start of the server."},
    {"config|rewrite", 2, rewrite, "REWRITE",
        "Not supported: settings do not change while the server runs."},
    {"config|help", 2, help, "HELP", "Prints this help."},
    {0},
};

static void help(struct call *call)
{
    subcommand_help(call, subcommands);
}

void parameters_config(struct call *call)
{
    subcommand_run(call, subcommands);
}
