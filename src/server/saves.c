/* saves.c: SAVE, BGSAVE, LASTSAVE: backups by Redis's names. */
#include "server/worker.h"

#include "command/session.h"

/* A code before the text, as all errors have one. */
static void refuse(struct resp_reply *reply, const char *why)
{
    resp_error(reply, "ERR %s", why);
}

/* Asks for a backup that waiting, or nobody, waits for; false, with a reply, if
 * there will be none. */
static bool ask(struct call *call, struct conn *waiting)
{
    kv_error_t status;
    const char *why = lone_back_up(call->place.worker, waiting, NULL, &status);
    if (why != NULL) {
        refuse(&call->reply, why);
    }
    return why == NULL;
}

/* Replies when a backup is durable that began after it. */
void saves_save(struct call *call)
{
    (void)ask(call, call->place.conn);
}

void saves_finish(struct worker *worker, struct conn *conn, int error)
{
    struct resp_reply reply = {
        .buffer = &worker->gathered, .version = conn->session->version};
    char why[SERVER_WHY_MAX];
    if (error == 0) {
        resp_ok(&reply);
    } else {
        lone_why(error, why);
        refuse(&reply, why);
    }
    answer_late(worker, conn, "save", &reply);
}

/* One that is being written already is not an error, since another one follows
 * it. */
void saves_bgsave(struct call *call)
{
    if (call->count > 2 ||
        (call->count == 2 && !call_is(call, 1, "schedule"))) {
        call_syntax(call);
    } else if (ask(call, NULL)) {
        resp_simple(&call->reply, "Background saving started");
    }
}

/* As in Redis the start of the server, if there is no backup yet. */
void saves_lastsave(struct call *call)
{
    struct worker *worker = call->place.worker;
    struct stats sum = {0};
    worker->options.add_stats(worker->options.context, &sum);
    resp_number(&call->reply, (int64_t)info_saved_s(worker, &sum));
}
