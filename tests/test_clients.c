#include "spoken.h"

#include "server/worker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static const struct served_options of_three = {.memory = true, .workers = 3};

/* ---- One connection ------------------------------------------------------ */

static void a_connection_has_a_name(void)
{
    struct served served;
    struct spoken spoken;
    char reply[64];
    served_start(&served, &of_three);
    spoken_dial(&spoken, &served);
    CHECK_TEXT(spoken_ask(&spoken, "CLIENT GETNAME"), "$-1");
    CHECK_TEXT(spoken_ask(&spoken, "CLIENT SETNAME one"), "+OK");
    CHECK_TEXT(spoken_ask(&spoken, "client getname"), "$3 one");
    CHECK_TEXT(spoken_ask(&spoken, "CLIENT SETNAME \"a b\""),
        "-ERR Client names cannot contain spaces, newlines or special "
        "characters.");
    CHECK_TEXT(spoken_ask(&spoken, "CLIENT GETNAME"), "$3 one");
    CHECK_TEXT(spoken_ask(&spoken, "CLIENT SETNAME \"\""), "+OK");
    CHECK_TEXT(spoken_ask(&spoken, "CLIENT GETNAME"), "$-1");
    CHECK_TEXT(spoken_ask(&spoken, "CLIENT ID"), ":1");
    (void)snprintf(reply, sizeof reply, "%.63s",
        spoken_ask(&spoken, "HELLO 3 SETNAME two"));
    CHECK(strncmp(reply, "%7 ", 3) == 0);
    CHECK_TEXT(spoken_ask(&spoken, "CLIENT GETNAME"), "$3 two");
    CHECK_TEXT(spoken_ask(&spoken, "HELLO 3 SETNAME \"a b\" FOO"),
        "-ERR Client names cannot contain spaces, newlines or special "
        "characters.");
    CHECK_TEXT(spoken_ask(&spoken, "HELLO 3 SETNAME three FOO"),
        "-ERR Syntax error in HELLO option 'FOO'");
    CHECK_TEXT(spoken_ask(&spoken, "CLIENT GETNAME"), "$5 three");
    CHECK_TEXT(spoken_ask(&spoken, "RESET"), "+RESET");
    CHECK_TEXT(spoken_ask(&spoken, "CLIENT GETNAME"), "$-1");
    spoken_close(&spoken);
    served_end(&served);
}

static void what_is_not_done_is_refused(void)
{
    static const struct {
        const char *line;
        const char *reply;
    } asked[] = {
        {"CLIENT", "-ERR wrong number of arguments for 'client' command"},
        {"CLIENT foo", "-ERR unknown subcommand 'foo'. Try CLIENT HELP."},
        {"CLIENT ID x",
            "-ERR wrong number of arguments for 'client|id' command"},
        {"CLIENT SETNAME",
            "-ERR wrong number of arguments for 'client|setname' command"},
        {"CLIENT SETINFO lib-name",
            "-ERR wrong number of arguments for 'client|setinfo' command"},
        {"CLIENT SETINFO foo bar", "-ERR Unrecognized option 'foo'"},
        {"CLIENT SETINFO lib-name \"a b\"",
            "-ERR lib-name cannot contain spaces, newlines or special "
            "characters."},
        {"CLIENT NO-EVICT on", "+OK"},
        {"CLIENT NO-EVICT OFF", "+OK"},
        {"CLIENT NO-EVICT foo", "-ERR syntax error"},
        {"CLIENT NO-TOUCH on", "+OK"},
        {"CLIENT NO-TOUCH x", "-ERR syntax error"},
        {"CLIENT REPLY on", "+OK"},
        {"CLIENT REPLY off", "-ERR CLIENT REPLY OFF and SKIP are not "
                             "supported: every request is answered"},
        {"CLIENT REPLY x", "-ERR syntax error"},
        {"CLIENT LIST foo", "-ERR syntax error"},
        {"CLIENT LIST TYPE", "-ERR syntax error"},
        {"CLIENT LIST TYPE normal x", "-ERR syntax error"},
        {"CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'"},
        {"CLIENT LIST ID", "-ERR syntax error"},
        {"CLIENT LIST ID 1 x", "-ERR Invalid client ID"},
        {"CLIENT LIST ID 0", "-ERR Invalid client ID"},
        {"CLIENT LIST TYPE pubsub", "$0 "},
        {"CLIENT LIST TYPE master", "$0 "},
        {"CLIENT LIST TYPE replica", "$0 "},
        {"CLIENT LIST ID 99", "$0 "},
    };
    struct served served;
    struct spoken spoken;
    served_start(&served, &of_three);
    spoken_dial(&spoken, &served);
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        CHECK_TEXT(spoken_ask(&spoken, asked[i].line), asked[i].reply);
    }
    CHECK(strstr(spoken_ask(&spoken, "CLIENT KILL TYPE normal"),
              "-ERR CLIENT KILL is not supported: ") != NULL);
    CHECK(strncmp(spoken_ask(&spoken, "CLIENT HELP"), "*23 ", 4) == 0);
    spoken_close(&spoken);
    served_end(&served);
}

static void info_tells_of_the_connection(void)
{
    struct served served;
    struct spoken spoken;
    served_start(&served, &of_three);
    spoken_dial(&spoken, &served);
    CHECK_TEXT(spoken_ask(&spoken, "CLIENT SETNAME me"), "+OK");
    CHECK_TEXT(spoken_ask(&spoken, "CLIENT SETINFO LIB-NAME redis-py"), "+OK");
    CHECK_TEXT(spoken_ask(&spoken, "CLIENT SETINFO LIB-VER 5.0"), "+OK");
    const char *info = spoken_ask(&spoken, "CLIENT INFO");
    CHECK(info[0] == '$');
    CHECK(strstr(info, " id=1 addr=127.0.0.1:") != NULL);
    CHECK(strstr(info, " laddr=127.0.0.1:") != NULL);
    CHECK(strstr(info, " name=me age=0 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 "
                       "multi=-1 ") != NULL);
    CHECK(strstr(info, " events=r cmd=client|info user=default redir=-1 resp=2 "
                       "lib-name=redis-py lib-ver=5.0\n") != NULL);
    (void)spoken_ask(&spoken, "HELLO 3");
    info = spoken_ask(&spoken, "CLIENT INFO");
    CHECK(info[0] == '=' && strstr(info, " txt:id=1 ") != NULL);
    CHECK(strstr(info, " resp=3 ") != NULL);
    spoken_close(&spoken);
    served_end(&served);
}

/* ---- All connections ----------------------------------------------------- */

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n' ? 1 : 0;
    }
    return lines;
}

static void the_list_has_those_of_all_workers(void)
{
    enum { COUNT = 7 };
    struct served served;
    struct spoken spoken[COUNT];
    char name[32];
    served_start(&served, &of_three);
    for (int i = 0; i < COUNT; i++) {
        spoken_dial(&spoken[i], &served);
        (void)snprintf(name, sizeof name, "CLIENT SETNAME n%d", i);
        CHECK_TEXT(spoken_ask(&spoken[i], name), "+OK");
    }
    int native = served_dial(&served);
    served_check_alive(native);
    CHECK_TEXT(spoken_ask(&spoken[0], "MULTI"), "+OK");
    CHECK_TEXT(spoken_ask(&spoken[0], "SET a 1"), "+QUEUED");
    for (int i = 1; i < COUNT; i++) {
        const char *list = spoken_ask(&spoken[i], "CLIENT LIST");
        CHECK_U64(count_lines(list), COUNT + 1);
        for (int j = 0; j < COUNT; j++) {
            (void)snprintf(name, sizeof name, " name=n%d ", j);
            CHECK(strstr(list, name) != NULL);
        }
        CHECK(
            strstr(list, " flags=x db=0 sub=0 psub=0 ssub=0 multi=1 ") != NULL);
        CHECK(strstr(list, " cmd=set ") != NULL);
        CHECK(strstr(list, " cmd=NULL user=default redir=-1 resp=0 ") != NULL);
    }
    const char *list = spoken_ask(&spoken[1], "CLIENT LIST ID 3 1 3 99");
    CHECK_U64(count_lines(list), 2);
    CHECK(strstr(list, "id=1 ") != NULL && strstr(list, "id=3 ") != NULL);
    list = spoken_ask(&spoken[1], "CLIENT LIST TYPE Normal");
    CHECK_U64(count_lines(list), COUNT + 1);
    for (int i = 0; i < COUNT; i++) {
        spoken_close(&spoken[i]);
    }
    close(native);
    served_end(&served);
}

/* Replies come in the order of requests, whatever goes round in between. */
static void a_pipeline_keeps_its_order(void)
{
    struct served served;
    struct spoken spoken;
    served_start(&served, &of_three);
    spoken_dial(&spoken, &served);
    spoken_send(
        &spoken, "SET a 1\nCLIENT LIST\nGET a\nCLIENT LIST ID 1\nGET b");
    CHECK_TEXT(spoken_hear(&spoken), "+OK");
    CHECK_U64(count_lines(spoken_hear(&spoken)), 1);
    CHECK_TEXT(spoken_hear(&spoken), "$1 1");
    CHECK_U64(count_lines(spoken_hear(&spoken)), 1);
    CHECK_TEXT(spoken_hear(&spoken), "$-1");
    spoken_close(&spoken);
    served_end(&served);
}

/* More than wait at a time: some may be told BUSY, and each is answered. */
static void many_ask_at_once(void)
{
    enum { COUNT = 3 * (WORKER_ROUNDS_MAX + 8) };
    static const char full[] = "-BUSY 16 connections wait for CLIENT LIST";
    struct served served;
    struct spoken spoken[COUNT];
    served_start(&served, &of_three);
    for (int i = 0; i < COUNT; i++) {
        spoken_dial(&spoken[i], &served);
        CHECK_TEXT(spoken_ask(&spoken[i], "PING"), "+PONG");
    }
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < COUNT; i++) {
            spoken_send(&spoken[i], "CLIENT LIST\nPING");
        }
        for (int i = 0; i < COUNT; i++) {
            const char *list = spoken_hear(&spoken[i]);
            bool busy = strncmp(list, full, strlen(full)) == 0;
            CHECK(busy || count_lines(list) == COUNT);
            CHECK_TEXT(spoken_hear(&spoken[i]), "+PONG");
        }
    }
    for (int i = 0; i < COUNT; i++) {
        spoken_close(&spoken[i]);
    }
    served_end(&served);
}

/* ---- While others come and go -------------------------------------------- */

struct crowd {
    struct served *served;
    atomic_bool over;
    atomic_uint rounds;
};

/* Opens connections of both protocols, changes what the list tells of them, and
 * closes them in the middle of something. */
static void *come_and_go(void *context)
{
    struct crowd *crowd = context;
    while (!crowd->over) {
        struct spoken spoken;
        spoken_dial(&spoken, crowd->served);
        int native = served_dial(crowd->served);
        (void)spoken_ask(&spoken, "HELLO 3 SETNAME somebody");
        (void)spoken_ask(&spoken, "CLIENT SETNAME else");
        (void)spoken_ask(&spoken, "CLIENT SETINFO lib-name x");
        served_check_alive(native);
        (void)spoken_ask(&spoken, "MULTI");
        (void)spoken_ask(&spoken, "SET a 1");
        close(native);
        (void)spoken_ask(&spoken, "RESET");
        spoken_send(&spoken, "CLIENT LIST\nSET b 1\nCLIENT LIST");
        spoken_close(&spoken);
        crowd->rounds++;
    }
    return NULL;
}

static void others_come_and_go(void)
{
    enum { THREADS = 3, ROUNDS = 60 };
    struct served served;
    pthread_t threads[THREADS];
    struct spoken spoken;
    served_start(&served,
        &(struct served_options){.workers = 3, .sync = KV_SYNC_ALWAYS});
    struct crowd crowd = {.served = &served};
    spoken_dial(&spoken, &served);
    CHECK_TEXT(spoken_ask(&spoken, "CLIENT SETNAME steady"), "+OK");
    for (int i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, come_and_go, &crowd) == 0);
    }
    while (crowd.rounds < ROUNDS) {
        const char *list = spoken_ask(&spoken, "CLIENT LIST");
        CHECK(strstr(list, " name=steady ") != NULL);
    }
    crowd.over = true;
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    spoken_close(&spoken);
    served_end(&served);
}

/* Asks until the server is gone. */
static void *ask_until_the_end(void *context)
{
    struct spoken *spoken = context;
    static const char line[] = "CLIENT LIST\r\n";
    char bytes[4096];
    ssize_t got = 1;
    while (got > 0 && send(spoken->fd, line, sizeof line - 1, MSG_NOSIGNAL) ==
                          (ssize_t)sizeof line - 1) {
        got = recv(spoken->fd, bytes, sizeof bytes, 0);
    }
    return NULL;
}

/* Workers end one after the other: none may wait for one that has. */
static void a_stop_ends_rounds(void)
{
    enum { COUNT = 6 };
    for (int hurry = 0; hurry < 2; hurry++) {
        struct served served;
        struct spoken spoken[COUNT];
        pthread_t threads[COUNT];
        served_start(&served, &of_three);
        for (int i = 0; i < COUNT; i++) {
            spoken_dial(&spoken[i], &served);
            (void)spoken_ask(&spoken[i], "CLIENT LIST");
            REQUIRE(pthread_create(
                        &threads[i], NULL, ask_until_the_end, &spoken[i]) == 0);
        }
        for (int i = 0; i < 1 + hurry; i++) {
            server_stop(served.server);
        }
        served_join(&served);
        for (int i = 0; i < COUNT; i++) {
            CHECK_INT(pthread_join(threads[i], NULL), 0);
            spoken_close(&spoken[i]);
        }
        served_end(&served);
    }
}

const struct test_case test_clients[] = {
    TEST_CASE(a_connection_has_a_name),
    TEST_CASE(what_is_not_done_is_refused),
    TEST_CASE(info_tells_of_the_connection),
    TEST_CASE(the_list_has_those_of_all_workers),
    TEST_CASE(a_pipeline_keeps_its_order),
    TEST_CASE(many_ask_at_once),
    TEST_CASE(others_come_and_go),
    TEST_CASE(a_stop_ends_rounds),
    TEST_END,
};
