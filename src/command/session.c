#include "command/session.h"

#include "clock.h"

#include <stdlib.h>

struct session *session_create(uint64_t id)
{
    struct session *session = calloc(1, sizeof *session);
    if (session != NULL) {
        session->id = id;
        session->version = 2;
        session->since_ms = clock_wall_ms();
        transaction_init(&session->transaction);
    }
    return session;
}

void session_destroy(struct session *session)
{
    if (session != NULL) {
        transaction_clear(&session->transaction);
        free(session->name);
        free(session->library);
        free(session->release);
        free(session);
    }
}

uint32_t session_held(const struct session *session)
{
    return transaction_held(&session->transaction);
}

/* ---- Names and passwords ------------------------------------------------- */

/* There is one user, who has no password: as Redis without one. */
static bool check_user(struct call *call, uint32_t i)
{
    const struct resp_arg *user = &call->args[i];
    if (user->size == strlen("default") &&
        memcmp(user->bytes, "default", user->size) == 0) {
        return true;
    }
    resp_error(&call->reply,
        "WRONGPASS invalid username-password pair or user is disabled.");
    return false;
}

void session_auth(struct call *call)
{
    if (call->count > 3) {
        call_syntax(call);
    } else if (call->count == 2) {
        resp_error(&call->reply,
            "ERR AUTH <password> called without any password configured for "
            "the default user. Are you sure your configuration is correct?");
    } else if (check_user(call, 1)) {
        resp_ok(&call->reply);
    }
}

/* What stands in CLIENT LIST has no blank and nothing that does not print. */
static bool is_plain(const struct resp_arg *arg)
{
    for (uint32_t i = 0; i < arg->size; i++) {
        if (arg->bytes[i] < '!' || arg->bytes[i] > '~') {
            return false;
        }
    }
    return true;
}

/* Puts a copy of the argument in the place of *text, NULL if it is empty; or
 * replies that there is no memory. */
static bool replace(struct call *call, const struct resp_arg *arg, char **text)
{
    char *copy = NULL;
    if (arg->size > 0) {
        copy = strndup((const char *)arg->bytes, arg->size);
        if (copy == NULL) {
            resp_error(&call->reply, "ERR out of memory");
            return false;
        }
    }
    free(*text);
    *text = copy;
    return true;
}

bool session_name(struct call *call, uint32_t i)
{
    if (!is_plain(&call->args[i])) {
        resp_error(&call->reply, "ERR Client names cannot contain spaces, "
                                 "newlines or special characters.");
        return false;
    }
    return replace(call, &call->args[i], &call->session->name);
}

bool session_library(struct call *call, uint32_t i, const char *option)
{
    struct session *session = call->session;
    bool release = strcmp(option, "lib-ver") == 0;
    if (!is_plain(&call->args[i])) {
        resp_error(&call->reply,
            "ERR %s cannot contain spaces, newlines or special characters.",
            option);
        return false;
    }
    return replace(
        call, &call->args[i], release ? &session->release : &session->library);
}

/* ---- HELLO --------------------------------------------------------------- */

static void greet(struct call *call)
{
    struct resp_reply *reply = &call->reply;
    reply->version = call->session->version;
    resp_map(reply, 7);
    resp_bulk_text(reply, "server");
    resp_bulk_text(reply, "fixkv");
    resp_bulk_text(reply, "version");
    resp_bulk_text(reply, SESSION_REDIS_VERSION);
    resp_bulk_text(reply, "proto");
    resp_number(reply, reply->version);
    resp_bulk_text(reply, "id");
    resp_number(reply, (int64_t)call->session->id);
    resp_bulk_text(reply, "mode");
    resp_bulk_text(reply, "standalone");
    resp_bulk_text(reply, "role");
    resp_bulk_text(reply, "master");
    resp_bulk_text(reply, "modules");
    resp_array(reply, 0);
}

/* As Redis 7.0 does it, each option has its effect when it is read. */
void session_hello(struct call *call)
{
    int64_t version = call->session->version;
    bool overflow;
    if (call->count > 1 && !decimal_parse(call->args[1].bytes,
                               call->args[1].size, &version, &overflow)) {
        resp_error(&call->reply,
            "ERR Protocol version is not an integer or out of range");
        return;
    }
    if (version < 2 || version > 3) {
        resp_error(&call->reply, "NOPROTO unsupported protocol version");
        return;
    }
    for (uint32_t i = 2; i < call->count; i++) {
        uint32_t left = call->count - 1 - i;
        if (call_is(call, i, "auth") && left >= 2) {
            if (!check_user(call, i + 1)) {
                return;
            }
            i += 2;
        } else if (call_is(call, i, "setname") && left >= 1) {
            if (!session_name(call, ++i)) {
                return;
            }
        } else {
            resp_error(&call->reply, "ERR Syntax error in HELLO option '%.*s'",
                (int)call->args[i].size, (const char *)call->args[i].bytes);
            return;
        }
    }
    call->session->version = (uint8_t)version;
    greet(call);
}

/* ---- The rest ------------------------------------------------------------ */

void session_ping(struct call *call)
{
    if (call->count > 2) {
        resp_error(
            &call->reply, "ERR wrong number of arguments for 'ping' command");
    } else if (call->count == 2) {
        resp_bulk(&call->reply, call->args[1].bytes, call->args[1].size);
    } else {
        resp_simple(&call->reply, "PONG");
    }
}

void session_echo(struct call *call)
{
    resp_bulk(&call->reply, call->args[1].bytes, call->args[1].size);
}

void session_select(struct call *call)
{
    if (call_database(call, 1)) {
        resp_ok(&call->reply);
    }
}

void session_quit(struct call *call)
{
    call->session->leaving = true;
    resp_ok(&call->reply);
}

void session_reset(struct call *call)
{
    struct session *session = call->session;
    transaction_clear(&session->transaction);
    free(session->name);
    session->name = NULL;
    session->version = 2;
    resp_simple(&call->reply, "RESET");
}

/* The store's time, which expiries go by: to the millisecond. */
void session_time(struct call *call)
{
    enum { MS = 1000 };
    resp_array(&call->reply, 2);
    resp_bulk_number(&call->reply, call->view->now_ms / MS);
    resp_bulk_number(&call->reply, call->view->now_ms % MS * MS);
}
