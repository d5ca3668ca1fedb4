/* answers.c: the commands of the Redis protocol that are about the server. */
#include "server/worker.h"

void answer_lone(struct worker *worker, struct conn *conn, struct call *call)
{
    storage_call(worker->options.storage, call, &worker->gathered);
    reply_gathered(worker, conn);
}
