/* answers.c: the commands of the Redis protocol that are about the server, or
 * that nothing may go along with: who executes which, and their replies. */
#include "server/worker.h"

#include "command/session.h"

static const struct answer {
    const char *name;
    void (*run)(struct call *call);
} answers[] = {
    {"bgsave", saves_bgsave},
    {"client", clients_client},
    {"config", parameters_config},
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
