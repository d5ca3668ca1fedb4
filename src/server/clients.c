/* clients.c: CLIENT.
 *
 * CLIENT LIST goes round: each worker writes the lines of its own connections,
 * in its own thread, so nothing has to be locked and nothing is noted for it
 * beforehand.  It waits for a worker that waits for its disk. */
#include "server/worker.h"

#include "command/session.h"
#include "command/subcommand.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Of Redis's fields, sub to ssub, argv-mem and oll have no use here and are 0.
 * A connection of the native protocol has resp=0. */
enum { LINE_MAX = 512 + 3 * SESSION_NAME_MAX };

/* ---- One connection ------------------------------------------------------ */

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static const char *flags_of(const struct conn *conn)
{
    bool queues = conn->session != NULL && conn->session->transaction.open;
    return conn->parked ? "b" : queues ? "x" : "N";
}

/* Commands queued, or -1. */
static int queued(const struct transaction *transaction)
{
    return transaction->open
               ? (int)(transaction->queued.size / sizeof(struct queued))
               : -1;
}

static bool describe(
    const struct worker *worker, const struct conn *conn, struct buffer *text)
{
    static const struct session native = {0};
    const struct session *session =
        conn->session != NULL ? conn->session : &native;
    const struct transaction *transaction = &session->transaction;
    int64_t now_ms = worker->deadlines.now_ms;
    uint32_t output =
        conn->output == NULL ? 0 : conn->output_size - conn->output_sent;
    char peer[CONN_PEER_MAX];
    char local[CONN_PEER_MAX];
    char line[LINE_MAX];
    conn_peer(conn, peer);
    conn_local(conn, local);
    int length = snprintf(line, sizeof line,
        "id=%" PRIu64 " addr=%s laddr=%s fd=%d name=%s age=%" PRId64
        " idle=%" PRId64 " flags=%s db=0 sub=0 psub=0 ssub=0 multi=%d "
        "qbuf=%" PRIu32 " qbuf-free=%" PRIu32 " argv-mem=0 multi-mem=%" PRIu32
        " obl=%" PRIu32 " oll=0 omem=%" PRIu32 " tot-mem=%zu events=%s cmd=%s "
        "user=default redir=-1 resp=%d lib-name=%s lib-ver=%s\n",
        conn->id, peer, local, conn->fd, or_empty(session->name),
        (now_ms - conn->opened_ms) / 1000, (now_ms - conn->active_ms) / 1000,
        flags_of(conn), queued(transaction), conn->input_size,
        conn->input_room - conn->input_size,
        transaction->queued.room + transaction->bytes.room, output,
        conn->output_size, sizeof *conn + conn_held(conn),
        output > 0 ? "rw" : "r", session->last != NULL ? session->last : "NULL",
        session->version, or_empty(session->library),
        or_empty(session->release));
    return length > 0 && length < LINE_MAX &&
           buffer_append(text, line, (size_t)length);
}

/* ---- Rounds -------------------------------------------------------------- */

static int compare_ids(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b ? 1 : 0;
}

static bool is_asked_for(const struct round *round, const struct conn *conn)
{
    return round->ids == NULL ||
           bsearch(&conn->id, round->ids, round->ids_count, sizeof *round->ids,
               compare_ids) != NULL;
}

static void add_own(struct worker *worker, struct round *round)
{
    for (struct conn *conn = worker->newest; conn != NULL && !round->failed;
         conn = conn->older) {
        round->failed =
            is_asked_for(round, conn) && !describe(worker, conn, &round->text);
    }
}

static void free_round(struct round *round)
{
    buffer_free(&round->text);
    free(round->ids);
    free(round);
}

/* False if there is nobody left to ask. */
static bool ask_next(struct round *round)
{
    struct worker *asker = round->asker;
    struct worker *next = NULL;
    bool taken = false;
    do {
        next = asker->options.peer(asker->options.context, round->at++);
        taken = next != NULL && next != asker && worker_ask(next, round);
    } while (next != NULL && !taken);
    return taken;
}

void clients_pass_round(struct round *round)
{
    struct worker *asker = round->asker;
    if (!ask_next(round)) {
        bool taken = worker_ask(asker, round);
        assert(taken); /* it runs as long as something of it is away */
    }
}

static void put_text(struct resp_reply *reply, struct round *round)
{
    if (round->failed || !buffer_append(&round->text, "", 1)) {
        reply->failed = true;
    } else {
        resp_verbatim(reply, (const char *)round->text.bytes, "txt");
    }
}

static void finish(struct worker *worker, struct round *round)
{
    struct conn *conn = round->conn;
    struct resp_reply reply = {
        .buffer = &worker->gathered, .version = conn->session->version};
    conn->parked = false;
    worker->away--;
    worker->rounds_away--;
    put_text(&reply, round);
    answer_late(worker, conn, "client", &reply);
    free_round(round);
    deadline_note(worker, conn);
    worker_queue(worker, conn);
}

void clients_take_round(struct worker *worker, struct round *round)
{
    if (worker == round->asker) {
        finish(worker, round);
        return;
    }
    add_own(worker, round);
    clients_pass_round(round);
}

/* ---- LIST and INFO ------------------------------------------------------- */

/* The numbers behind LIST ID; false, with a reply, if one is none. */
static bool take_ids(struct call *call, struct round *round)
{
    uint32_t count = call->count - 3;
    round->ids = calloc(count, sizeof *round->ids);
    if (round->ids == NULL) {
        call->reply.failed = true;
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct resp_arg *arg = &call->args[3 + i];
        int64_t id;
        bool overflow;
        if (!decimal_parse(arg->bytes, arg->size, &id, &overflow) || id < 1) {
            resp_error(&call->reply, "ERR Invalid client ID");
            return false;
        }
        round->ids[i] = (uint64_t)id;
    }
    round->ids_count = count;
    qsort(round->ids, count, sizeof *round->ids, compare_ids);
    return true;
}

/* Only normal ones are there. */
static bool take_type(struct call *call, bool *none)
{
    static const char *const others[] = {
        "master", "replica", "slave", "pubsub"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        *none = *none || call_is(call, 3, others[i]);
    }
    if (!*none && !call_is(call, 3, "normal")) {
        resp_error(&call->reply, "ERR Unknown client type '%.*s'",
            (int)call->args[3].size, (const char *)call->args[3].bytes);
        return false;
    }
    return true;
}

/* False if the reply is made. */
static bool take_filter(struct call *call, struct round *round)
{
    bool none = false;
    bool taken = true;
    if (call->count == 4 && call_is(call, 2, "type")) {
        taken = take_type(call, &none);
    } else if (call->count > 3 && call_is(call, 2, "id")) {
        taken = take_ids(call, round);
    } else if (call->count != 2) {
        call_syntax(call);
        taken = false;
    }
    if (none) {
        resp_verbatim(&call->reply, "", "txt");
    }
    return taken && !none;
}

/* One that parks the connection goes on its way; others are over. */
static void list(struct call *call)
{
    struct worker *worker = call->place.worker;
    struct conn *conn = call->place.conn;
    struct round *round = calloc(1, sizeof *round);
    if (round == NULL) {
        call->reply.failed = true;
        return;
    }
    round->asker = worker;
    round->conn = conn;
    round->text.max = BATCH_REPLIES_MAX;
    if (!take_filter(call, round)) {
        free_round(round);
        return;
    }
    if (worker->rounds_away == WORKER_ROUNDS_MAX) {
        free_round(round);
        resp_error(&call->reply,
            "BUSY %d connections wait for CLIENT LIST already; try again "
            "later",
            WORKER_ROUNDS_MAX);
        return;
    }
    add_own(worker, round);
    /* Before it is handed on: what comes back finds it so. */
    conn->parked = true;
    worker->away++;
    worker->rounds_away++;
    if (!ask_next(round)) {
        conn->parked = false;
        worker->away--;
        worker->rounds_away--;
        put_text(&call->reply, round);
        free_round(round);
    }
}

static void info(struct call *call)
{
    struct buffer text = {.max = LINE_MAX + 1};
    if (!describe(call->place.worker, call->place.conn, &text) ||
        !buffer_append(&text, "", 1)) {
        call->reply.failed = true;
    } else {
        resp_verbatim(&call->reply, (const char *)text.bytes, "txt");
    }
    buffer_free(&text);
}

/* ---- The connection itself ----------------------------------------------- */

static void id(struct call *call)
{
    resp_number(&call->reply, (int64_t)call->session->id);
}

static void getname(struct call *call)
{
    if (call->session->name == NULL) {
        resp_null(&call->reply);
    } else {
        resp_bulk_text(&call->reply, call->session->name);
    }
}

static void setname(struct call *call)
{
    if (session_name(call, 2)) {
        resp_ok(&call->reply);
    }
}

static void setinfo(struct call *call)
{
    static const char *const options[] = {"lib-name", "lib-ver"};
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        if (call_is(call, 2, options[i])) {
            if (session_library(call, 3, options[i])) {
                resp_ok(&call->reply);
            }
            return;
        }
    }
    resp_error(&call->reply, "ERR Unrecognized option '%.*s'",
        (int)call->args[2].size, (const char *)call->args[2].bytes);
}

/* Nothing is evicted and nobody touches anything: both are as wished. */
static void on_or_off(struct call *call)
{
    if (call_is(call, 2, "on") || call_is(call, 2, "off")) {
        resp_ok(&call->reply);
    } else {
        call_syntax(call);
    }
}

static void set_reply(struct call *call)
{
    if (call_is(call, 2, "on")) {
        resp_ok(&call->reply);
    } else if (call_is(call, 2, "off") || call_is(call, 2, "skip")) {
        resp_error(&call->reply, "ERR CLIENT REPLY OFF and SKIP are not "
                                 "supported: every request is answered");
    } else {
        call_syntax(call);
    }
}

static void kill_client(struct call *call)
{
    resp_error(&call->reply,
        "ERR CLIENT KILL is not supported: a connection belongs to its worker; "
        "idle ones are closed by KV_IDLE_TIMEOUT, and ss -K closes any");
}

/* ---- CLIENT -------------------------------------------------------------- */

static void help(struct call *call);

static const struct subcommand subcommands[] = {
    {"client|getname", 2, getname, "GETNAME",
        "Return the name of the current connection."},
    {"client|id", 2, id, "ID", "Return the ID of the current connection."},
    {"client|info", 2, info, "INFO",
        "Return information about the current client connection."},
    {"client|kill", -3, kill_client, "KILL <option> ...",
        "Not supported: the reply says why."},
    {"client|list", -2, list,
        "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)|ID <id> [<id> ...]]",
        "Return information about client connections."},
    {"client|no-evict", 3, on_or_off, "NO-EVICT (ON|OFF)",
        "Accepted: no connection is closed to make room for records."},
    {"client|no-touch", 3, on_or_off, "NO-TOUCH (ON|OFF)",
        "Accepted: reading a key changes nothing about it."},
    {"client|reply", 3, set_reply, "REPLY ON",
        "Every request is answered; OFF and SKIP are not supported."},
    {"client|setinfo", 4, setinfo, "SETINFO (LIB-NAME|LIB-VER) <value>",
        "Tell the library that the current connection uses."},
    {"client|setname", 3, setname, "SETNAME <name>",
        "Assign the name <name> to the current connection."},
    {"client|help", 2, help, "HELP", "Prints this help."},
    {0},
};

static void help(struct call *call)
{
    subcommand_help(call, subcommands);
}

void clients_client(struct call *call)
{
    subcommand_run(call, subcommands);
}
