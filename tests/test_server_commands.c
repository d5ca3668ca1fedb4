#include "spoken.h"

#include "server/worker.h"

#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

struct asked {
    const char *line;
    const char *reply;
};

static void ask_all(
    struct spoken *spoken, const struct asked *asked, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_TEXT(spoken_ask(spoken, asked[i].line), asked[i].reply);
    }
}

/* A thread that runs a server; it ends well. */
static void *run_server(void *context)
{
    CHECK_OK(server_run(context));
    return NULL;
}

static void each_row_has_who_executes_it(void)
{
    for (size_t i = 0; command_at(i) != NULL; i++) {
        const struct command *row = command_at(i);
        CHECK(answer_is_known(row));
        CHECK(row->run != NULL || (row->flags & COMMAND_LONE) != 0);
    }
}

/* ---- INFO ---------------------------------------------------------------- */

static void info_has_sections(void)
{
    static const char *const names[] = {"Server", "Clients", "Memory",
        "Persistence", "Stats", "Replication", "CPU", "Cluster", "Keyspace"};
    struct served served;
    struct spoken spoken;
    char head[32];
    served_start(&served, &(struct served_options){.workers = 2});
    spoken_dial(&spoken, &served);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        (void)snprintf(head, sizeof head, "# %s\r\n", names[i]);
        CHECK(strstr(spoken_ask(&spoken, "INFO"), head) != NULL);
        CHECK(strstr(spoken_ask(&spoken, "INFO all"), head) != NULL);
        CHECK(strstr(spoken_ask(&spoken, "INFO DEFAULT"), head) != NULL);
        CHECK(strstr(spoken_ask(&spoken, "INFO Everything"), head) != NULL);
        (void)snprintf(head, sizeof head, "info %s", names[i]);
        const char *one = spoken_ask(&spoken, head);
        CHECK(strstr(one, names[i]) != NULL);
        CHECK(strchr(one, '#') == strrchr(one, '#'));
    }
    CHECK(strstr(spoken_ask(&spoken, "INFO"), "# Fixkv\r\n") == NULL);
    CHECK(strstr(spoken_ask(&spoken, "INFO all"), "# Fixkv\r\n") != NULL);
    CHECK_TEXT(spoken_ask(&spoken, "INFO nothing"), "$0 ");
    CHECK_TEXT(spoken_ask(&spoken, "INFO CLUSTER replication"),
        "$137 # Replication\r\nrole:master\r\nconnected_slaves:0\r\n"
        "master_failover_state:no-failover\r\nmaster_repl_offset:0\r\n\r\n"
        "# Cluster\r\ncluster_enabled:0\r\n");
    (void)spoken_ask(&spoken, "HELLO 3");
    CHECK_TEXT(spoken_ask(&spoken, "INFO keyspace"), "=16 txt:# Keyspace\r\n");
    spoken_close(&spoken);
    served_end(&served);
}

static void info_tells_what_is_so(void)
{
    struct served served;
    struct spoken spoken;
    char line[64];
    served_start(&served, &(struct served_options){.workers = 2});
    spoken_dial(&spoken, &served);
    CHECK_TEXT(spoken_ask(&spoken, "SET a 1"), "+OK");
    CHECK_TEXT(spoken_ask(&spoken, "SET b 1"), "+OK");
    int native = served_dial(&served);
    served_check_alive(native);
    CHECK_TEXT(spoken_ask(&spoken, "INFO keyspace"),
        "$44 # Keyspace\r\ndb0:keys=2,expires=0,avg_ttl=0\r\n");
    const char *info = spoken_ask(&spoken, "INFO");
    CHECK(strstr(info, "\r\nredis_version:7.0.0\r\n") != NULL);
    CHECK(strstr(info, "\r\nfixkv_version:" KV_VERSION "\r\n") != NULL);
    CHECK(strstr(info, "\r\nconnected_clients:2\r\n") != NULL);
    CHECK(strstr(info, "\r\nmaxclients:2000\r\n") != NULL);
    CHECK(strstr(info, "\r\nio_threads:2\r\n") != NULL);
    CHECK(strstr(info, "\r\naof_enabled:1\r\n") != NULL);
    CHECK(strstr(info, "\r\nrdb_changes_since_last_save:0\r\n") == NULL);
    CHECK(strstr(info, "\r\nrdb_bgsave_in_progress:0\r\n") != NULL);
    CHECK(strstr(info, "\r\nrdb_last_bgsave_status:ok\r\n") != NULL);
    CHECK(strstr(info, "\r\ntotal_connections_received:2\r\n") != NULL);
    CHECK(strstr(info, "\r\nused_memory:0\r\n") == NULL);
    (void)snprintf(line, sizeof line, "\r\nprocess_id:%ld\r\n", (long)getpid());
    CHECK(strstr(info, line) != NULL);
    (void)snprintf(line, sizeof line, "\r\ntcp_port:%u\r\n",
        (unsigned)server_port(served.server));
    CHECK(strstr(info, line) != NULL);
    close(native);
    spoken_close(&spoken);
    served_end(&served);
}

/* ---- CONFIG -------------------------------------------------------------- */

static void settings_are_told(void)
{
    static const struct asked asked[] = {
        {"CONFIG GET save", "*2 $4 save $4 60 1"},
        {"CONFIG GET appendonly", "*2 $10 appendonly $3 yes"},
        {"CONFIG GET APPENDfsync", "*2 $11 appendfsync $6 always"},
        {"CONFIG GET maxmemory*",
            "*4 $9 maxmemory $1 0 $16 maxmemory-policy $10 noeviction"},
        {"CONFIG GET databases", "*2 $9 databases $1 1"},
        {"CONFIG GET maxclients", "*2 $10 maxclients $4 2000"},
        {"CONFIG GET timeout", "*2 $7 timeout $2 90"},
        {"CONFIG GET bind", "*2 $4 bind $9 127.0.0.1"},
        {"CONFIG GET proto-max-bulk-len",
            "*2 $18 proto-max-bulk-len $9 536870912"},
        {"CONFIG GET kv-backup-keep KV-BACKUP-KEEP kv-b*keep",
            "*2 $14 kv-backup-keep $1 2"},
        {"CONFIG GET kv-password", "*2 $11 kv-password $0 "},
        {"CONFIG GET nothing", "*0"},
        {"CONFIG GET", "-ERR wrong number of arguments for 'config|get' "
                       "command"},
        {"CONFIG", "-ERR wrong number of arguments for 'config' command"},
        {"CONFIG foo", "-ERR unknown subcommand 'foo'. Try CONFIG HELP."},
        {"CONFIG SET a", "-ERR wrong number of arguments for 'config|set' "
                         "command"},
        {"CONFIG SET a 1 b", "-ERR syntax error"},
        {"CONFIG REWRITE x", "-ERR wrong number of arguments for "
                             "'config|rewrite' command"},
        {"CONFIG REWRITE", "-ERR settings do not change while the server runs, "
                           "so there is nothing to write into the file of "
                           "--config"},
        {"CONFIG RESETSTAT", "-ERR the figures of INFO count from the start of "
                             "the server, and are not reset: take "
                             "differences"},
    };
    struct served served;
    struct spoken spoken;
    char line[64];
    served_start(&served, &(struct served_options){.idle_timeout_ms = 90000});
    spoken_dial(&spoken, &served);
    ask_all(&spoken, asked, ARRAY_SIZE(asked));
    (void)snprintf(line, sizeof line, "*2 $4 port $%d %u",
        server_port(served.server) > 9999 ? 5 : 4,
        (unsigned)server_port(served.server));
    CHECK_TEXT(spoken_ask(&spoken, "CONFIG GET port"), line);
    CHECK(strstr(spoken_ask(&spoken, "CONFIG SET maxmemory 1"),
              "-ERR settings are read when the server starts, and 'maxmemory' "
              "is not changed: ") != NULL);
    CHECK(strncmp(spoken_ask(&spoken, "CONFIG HELP"), "*11 ", 4) == 0);
    (void)spoken_ask(&spoken, "HELLO 3");
    CHECK_TEXT(spoken_ask(&spoken, "CONFIG GET nothing"), "%0");
    spoken_close(&spoken);
    served_end(&served);
}

static void patterns_are_bounded(void)
{
    enum { PATTERNS = 65 };
    struct served served;
    struct spoken spoken;
    static const char head[] = "CONFIG GET";
    char line[sizeof head + 2 * PATTERNS] = "";
    memcpy(line, head, sizeof head - 1);
    served_start(&served, &(struct served_options){.memory = true});
    spoken_dial(&spoken, &served);
    for (int i = 0; i < PATTERNS; i++) {
        if (i == PATTERNS - 1) {
            CHECK_TEXT(spoken_ask(&spoken, line), "*0");
        }
        char *end = line + strlen(line);
        end[0] = ' ';
        end[1] = 'x';
    }
    CHECK_TEXT(spoken_ask(&spoken, line),
        "-ERR CONFIG GET takes at most 64 patterns, and this one has 65");
    CHECK_TEXT(spoken_ask(&spoken, "CONFIG GET appendonly save"),
        "*4 $10 appendonly $2 no $4 save $0 ");
    spoken_close(&spoken);
    served_end(&served);
}

/* ---- DEBUG --------------------------------------------------------------- */

static void debug_is_for_tests_alone(void)
{
    struct served served;
    struct spoken spoken;
    served_start(&served, &(struct served_options){.memory = true});
    spoken_dial(&spoken, &served);
#ifdef FIXKV_DEBUG
    int64_t begun_ms = clock_steady_ms();
    CHECK_TEXT(spoken_ask(&spoken, "DEBUG SLEEP 0.05"), "+OK");
    CHECK(clock_steady_ms() - begun_ms >= 49);
    CHECK_TEXT(spoken_ask(&spoken, "DEBUG SLEEP x"),
        "-ERR DEBUG SLEEP takes 0 to 3600 seconds, and this is none");
    CHECK_TEXT(spoken_ask(&spoken, "DEBUG SLEEP"),
        "-ERR wrong number of arguments for 'debug|sleep' command");
    CHECK_TEXT(spoken_ask(&spoken, "DEBUG foo"),
        "-ERR unknown subcommand 'foo'. Try DEBUG HELP.");
#else
    CHECK_TEXT(spoken_ask(&spoken, "DEBUG SLEEP 0.05"),
        "-ERR unknown command 'DEBUG', with args beginning with: 'SLEEP' "
        "'0.05' ");
#endif
    spoken_close(&spoken);
    served_end(&served);
}

/* ---- Backups ------------------------------------------------------------- */

/* Waits until INFO has this line; the reply has it then. */
static void await_info(struct spoken *spoken, const char *line)
{
    int64_t limit = clock_steady_ms() + SERVED_WAIT_MS;
    while (strstr(spoken_ask(spoken, "INFO persistence"), line) == NULL) {
        REQUIRE(clock_steady_ms() < limit);
        (void)sched_yield();
    }
}

static void backups_are_saves(void)
{
    static const struct asked asked[] = {
        {"SET a 1", "+OK"},
        {"SAVE", "+OK"},
        {"SAVE x", "-ERR wrong number of arguments for 'save' command"},
        {"BGSAVE foo", "-ERR syntax error"},
        {"BGSAVE SCHEDULE x", "-ERR syntax error"},
        {"BGSAVE", "+Background saving started"},
    };
    struct served served;
    struct spoken spoken;
    served_start(&served, &(struct served_options){.workers = 2});
    spoken_dial(&spoken, &served);
    long long opened = strtoll(spoken_ask(&spoken, "LASTSAVE") + 1, NULL, 10);
    CHECK(opened > 0 && opened <= clock_wall_ms() / 1000 + 1);
    ask_all(&spoken, asked, ARRAY_SIZE(asked));
    await_info(&spoken, "\r\nrdb_bgsave_in_progress:0\r\n");
    CHECK(strstr(spoken.text, "\r\nrdb_saves:2\r\n") != NULL);
    CHECK(strstr(spoken.text, "\r\nrdb_changes_since_last_save:0\r\n") != NULL);
    CHECK(strtoll(spoken_ask(&spoken, "LASTSAVE") + 1, NULL, 10) >= opened);
    CHECK_TEXT(
        spoken_ask(&spoken, "BGSAVE schedule"), "+Background saving started");
    spoken_send(&spoken, "SET b 2\nSAVE\nGET b\nSAVE");
    CHECK_TEXT(spoken_hear(&spoken), "+OK");
    CHECK_TEXT(spoken_hear(&spoken), "+OK");
    CHECK_TEXT(spoken_hear(&spoken), "$1 2");
    CHECK_TEXT(spoken_hear(&spoken), "+OK");
    spoken_close(&spoken);
    served_end(&served);
}

/* A stop waits for what BGSAVE has asked for, though no connection does. */
static void a_stop_waits_for_a_save(void)
{
    struct served served;
    struct spoken spoken;
    served_start(&served, &(struct served_options){.workers = 2});
    spoken_dial(&spoken, &served);
    CHECK_TEXT(spoken_ask(&spoken, "SET a 1"), "+OK");
    spoken_send(&spoken, "BGSAVE\nBGSAVE\nSAVE");
    served_await_sent(spoken.fd);
    server_stop(served.server);
    served_join(&served);
    CHECK_TEXT(spoken_hear(&spoken), "+Background saving started");
    CHECK_TEXT(spoken_hear(&spoken), "+Background saving started");
    CHECK_TEXT(spoken_hear(&spoken), "+OK");
    spoken_close(&spoken);
    served_end(&served);
}

static void a_store_in_memory_is_not_saved(void)
{
    struct served served;
    struct spoken spoken;
    static const struct asked asked[] = {
        {"SAVE", "-ERR the store is in memory alone: there is nowhere to back "
                 "it up"},
        {"BGSAVE", "-ERR the store is in memory alone: there is nowhere to "
                   "back it up"},
    };
    served_start(&served, &(struct served_options){.memory = true});
    spoken_dial(&spoken, &served);
    ask_all(&spoken, asked, ARRAY_SIZE(asked));
    CHECK(strstr(spoken_ask(&spoken, "INFO persistence"),
              "\r\naof_enabled:0\r\n") != NULL);
    spoken_close(&spoken);
    served_end(&served);
}

/* ---- Within MULTI -------------------------------------------------------- */

static void what_needs_the_server_is_not_queued(void)
{
    static const char *const lines[] = {
        "CLIENT ID", "CONFIG GET save", "INFO", "LASTSAVE", "SAVE", "BGSAVE"};
    struct served served;
    struct spoken spoken;
    served_start(&served, &(struct served_options){.memory = true});
    spoken_dial(&spoken, &served);
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        CHECK_TEXT(spoken_ask(&spoken, "MULTI"), "+OK");
        CHECK_TEXT(spoken_ask(&spoken, lines[i]),
            "-ERR Command not allowed inside a transaction");
        CHECK_TEXT(spoken_ask(&spoken, "EXEC"),
            "-EXECABORT Transaction discarded because of previous errors.");
    }
    CHECK_TEXT(spoken_ask(&spoken, "MULTI"), "+OK");
    CHECK_TEXT(spoken_ask(&spoken, "TIME"), "+QUEUED");
    CHECK_TEXT(spoken_ask(&spoken, "COMMAND GETKEYS get a"), "+QUEUED");
    CHECK(strncmp(spoken_ask(&spoken, "EXEC"), "*2 *2 $10 ", 10) == 0);
    CHECK(strstr(spoken.text, " *1 $1 a") != NULL);
    spoken_close(&spoken);
    served_end(&served);
}

/* ---- What is printed ----------------------------------------------------- */

static void requests_are_printed(void)
{
    static const char *const printed[] = {
        ": set \"a\": +OK\n",
        ": get \"a\": $5 hello\n",
        ": client \"\": +OK\n",
        ": get \"\": -ERR wrong number of arguments for 'get' command\n",
        ": - \"\": -ERR unknown command 'foo', with args beginning with:\n",
        ": multi \"\": +OK\n",
        ": get \"b\": +QUEUED\n",
        ": exec \"\": *1 $-1\n",
        ": watch \"a\": +OK\n",
        ": save \"\": +OK\n",
        ": client \"\": $0\n",
        ": hello \"\": -NOPROTO unsupported protocol version\n",
        ": - \"\": -ERR Protocol error: ",
    };
    struct served served;
    struct spoken spoken;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    REQUIRE(stream != NULL);
    served_start(
        &served, &(struct served_options){
                     .verbose = 2, .workers = 2, .diagnostics = stream});
    spoken_dial(&spoken, &served);
    (void)spoken_ask(&spoken, "SET a hello");
    (void)spoken_ask(&spoken, "GET a");
    (void)spoken_ask(&spoken, "CLIENT SETNAME x");
    (void)spoken_ask(&spoken, "GET");
    (void)spoken_ask(&spoken, "foo");
    (void)spoken_ask(&spoken, "MULTI");
    (void)spoken_ask(&spoken, "GET b");
    (void)spoken_ask(&spoken, "EXEC");
    (void)spoken_ask(&spoken, "WATCH a");
    (void)spoken_ask(&spoken, "SAVE");
    (void)spoken_ask(&spoken, "CLIENT LIST ID 99");
    (void)spoken_ask(&spoken, "HELLO 4");
    (void)spoken_ask(&spoken, "*1\r\nx");
    spoken_close(&spoken);
    served_end(&served);
    CHECK_INT(fclose(stream), 0);
    for (size_t i = 0; i < ARRAY_SIZE(printed); i++) {
        bool there = strstr(text, printed[i]) != NULL;
        CHECK_TEXT(there ? printed[i] : "", printed[i]);
    }
    free(text);
}

/* ---- One connection too many --------------------------------------------- */

/* Both have sent before the server begins to accept, so that it can see what
 * they speak. */
static void who_is_turned_away_is_told_so(void)
{
    struct served served;
    struct server *second = NULL;
    struct spoken spoken[2];
    char why[SERVER_WHY_MAX];
    served_start(&served, &(struct served_options){.memory = true});
    struct server_options options = {.host = "127.0.0.1",
        .workers = 1,
        .connections_max = 1,
        .storage = served.storage,
        .config = &served.config};
    REQUIRE(server_create(&second, &options, why) == 0);
    struct served other = {.server = second};
    for (size_t i = 0; i < ARRAY_SIZE(spoken); i++) {
        spoken_dial(&spoken[i], &other);
        spoken_send(&spoken[i], "PING");
        served_await_sent(spoken[i].fd);
    }
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, run_server, second) == 0);
    CHECK_TEXT(spoken_hear(&spoken[0]), "+PONG");
    CHECK_TEXT(spoken_hear(&spoken[1]),
        "-ERR max number of clients reached: 1 connections are open, as many "
        "as KV_MAX_CONNECTIONS allows; close one, or raise it");
    CHECK(served_is_over(spoken[1].fd));
    server_stop(second);
    CHECK_INT(pthread_join(thread, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(spoken); i++) {
        spoken_close(&spoken[i]);
    }
    server_destroy(second);
    served_end(&served);
}

const struct test_case test_server_commands[] = {
    TEST_CASE(each_row_has_who_executes_it),
    TEST_CASE(info_has_sections),
    TEST_CASE(info_tells_what_is_so),
    TEST_CASE(settings_are_told),
    TEST_CASE(patterns_are_bounded),
    TEST_CASE(debug_is_for_tests_alone),
    TEST_CASE(backups_are_saves),
    TEST_CASE(a_stop_waits_for_a_save),
    TEST_CASE(a_store_in_memory_is_not_saved),
    TEST_CASE(what_needs_the_server_is_not_queued),
    TEST_CASE(requests_are_printed),
    TEST_CASE(who_is_turned_away_is_told_so),
    TEST_END,
};
