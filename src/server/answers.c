/* answers.c: the commands of the Redis protocol that are about the server, or
 * that nothing may go along with: who executes which, and their replies.
 *
 * FIXKV_DEBUG, which the builds with sanitizers and coverage define, adds DEBUG
 * for tests; without it that is as unknown as any other word. */
#include "server/worker.h"

#include "command/session.h"

#ifdef FIXKV_DEBUG
#include "command/subcommand.h"
#include "decimal.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

enum { DEBUG_SLEEP_MAX_S = 3600 };

/* The worker's other connections wait too, those of others do not. */
static void debug_sleep(struct call *call)
{
    const struct resp_arg *arg = &call->args[2];
    long double seconds;
    if (!decimal_parse_float(arg->bytes, arg->size, &seconds) || seconds < 0 ||
        seconds > DEBUG_SLEEP_MAX_S) {
        resp_error(&call->reply,
            "ERR DEBUG SLEEP takes 0 to %d seconds, and this is none",
            DEBUG_SLEEP_MAX_S);
        return;
    }
    struct timespec left = {.tv_sec = (time_t)seconds,
        .tv_nsec = (long)((seconds - (time_t)seconds) * 1e9L)};
    while (nanosleep(&left, &left) != 0) {
        assert(errno == EINTR);
    }
    resp_ok(&call->reply);
}

static void debug_help(struct call *call);

static const struct subcommand debug_subcommands[] = {
    {"debug|sleep", 3, debug_sleep, "SLEEP <seconds>",
        "Stop the worker of this connection for <seconds>."},
    {"debug|help", 2, debug_help, "HELP", "Prints this help."},
    {0},
};

static void debug_help(struct call *call)
{
    subcommand_help(call, debug_subcommands);
}

static void debug(struct call *call)
{
    subcommand_run(call, debug_subcommands);
}
#endif

/* ---- Who executes which -------------------------------------------------- */

static const struct answer {
    const char *name;
    void (*run)(struct call *call);
} answers[] = {
    {"bgsave", saves_bgsave},
    {"client", clients_client},
    {"config", parameters_config},
#ifdef FIXKV_DEBUG
    {"debug", debug},
#endif
    {"info", info_info},
    {"lastsave", saves_lastsave},
    {"save", saves_save},
};

static const struct answer *find(const struct command *command)
{
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        if (strcmp(answers[i].name, command->name) == 0) {
            return &answers[i];
        }
    }
    return NULL;
}

bool answer_is_known(const struct command *command)
{
    return command->run != NULL || find(command) != NULL;
}

/* In place of a reply that found no room. */
static void tell_too_large(struct worker *worker, struct call *call)
{
    worker->gathered.size = 0;
    command_refuse(call, &worker->gathered, "ERR",
        "the reply does not fit the server's memory for one");
}

static void send_reply(
    struct worker *worker, struct conn *conn, struct call *call)
{
    reply_print(
        worker, conn, call, worker->gathered.bytes, worker->gathered.size);
    reply_gathered(worker, conn);
}

void answer_lone(struct worker *worker, struct conn *conn, struct call *call)
{
    if (call->command->run != NULL) {
        storage_call(worker->options.storage, call, &worker->gathered);
        send_reply(worker, conn, call);
        return;
    }
    call->place = (struct place){.worker = worker, .conn = conn};
    call->reply = (struct resp_reply){
        .buffer = &worker->gathered, .version = call->version};
    find(call->command)->run(call);
    if (conn->parked) {
        return;
    }
    if (call->reply.failed) {
        tell_too_large(worker, call);
    }
    send_reply(worker, conn, call);
}

void answer_late(struct worker *worker, struct conn *conn, const char *name,
    struct resp_reply *reply)
{
    struct call call = {.command = command_find(name, strlen(name)),
        .version = conn->session->version};
    if (reply->failed) {
        tell_too_large(worker, &call);
    }
    send_reply(worker, conn, &call);
}
