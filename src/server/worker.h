/* worker.h: one thread that serves its connections, turn by turn.
 *
 * For the files of this folder: worker.c is the thread, its epoll loop, what
 * reaches it from other threads, its stop; turn.c receives, executes, replies;
 * reply.c sends and prints; lone.c executes the verbs that answer with a stream
 * or wait, and answers.c finds the commands about the server, which are in
 * clients.c, info.c, parameters.c and saves.c; deadline.c knows who is late.
 *
 * 1. A connection belongs to one worker, and only its thread touches it.
 * 2. What comes from other threads (connections from the listener, batches from
 *    the committer, backups, the stop) is put on a list under the mutex and
 *    announced by the event descriptor; so no thread waits for the worker, and
 *    the worker for none.
 * 3. A connection has operations in one bundle at most.  While that bundle is
 *    with the committer the connection is parked: neither received from nor
 *    closed.  When the committer keeps it for longer than storage_stall_ms, its
 *    connections are told BUSY and go their ways: the bundle is empty
 *    when it comes back.
 * 4. What is asked of all workers goes round: each adds what it knows, in its
 *    own thread, and hands it to the next.
 * 5. One bundle is never lent to the committer, so that reads have one to stand
 *    in.  While all others are, nothing is received, unless the disk is slow:
 *    then writes are told BUSY. */
#ifndef WORKER_H
#define WORKER_H

#include "command/command.h"
#include "conn/conn.h"
#include "diag.h"
#include "server/deadline.h"
#include "server/server.h"
#include "stats.h"
#include "storage/storage.h"

#include <pthread.h>

enum {
    WORKER_BUNDLES_LEAST = 2, /* one to fill and a spare one */
    WORKER_BUNDLES_BRIEF = 8, /* where no commit waits for a sync */
    WORKER_BUNDLES_MAX = 64,  /* about 100 KiB each, made when needed */
    WORKER_EVENTS_MAX = 128,  /* of one epoll_wait */
    WORKER_FLUSH_OPS = BATCH_OPS_MAX - CONN_ROOM_MESSAGES,
    WORKER_STOP_MS = 5000,  /* for peers to take their replies */
    WORKER_LOOK_MS = 50,    /* between two looks at what is lent */
    WORKER_ROUNDS_MAX = 16, /* that its connections wait for */
    WORKER_GATHERED_MAX = 2 * BATCH_REPLIES_MAX,
    WORKER_REPLIES_KEPT = 256 * 1024, /* room of a buffer that is used again */
    /* Bytes of large requests and transactions that one bundle takes, and one
     * connection's more; of these and of replies that all lent ones hold, and
     * one bundle's more. */
    WORKER_LARGE_MAX = 1 << 20,
    WORKER_LENT_MAX = 32 << 20,
    BUNDLE_BYTES =
        BATCH_OPS_MAX * KV_MESSAGE_SIZE + WORKER_FLUSH_OPS * CACHE_LINE
};

/* A CLIENT LIST on its way; each worker has it for itself. */
struct round {
    struct round *next;   /* of a worker's list */
    struct worker *asker; /* whose connection waits, parked */
    struct conn *conn;
    unsigned at;        /* whose turn is next */
    uint32_t ids_count; /* of those asked for, ascending; 0: all */
    uint64_t *ids;
    struct buffer text;
    bool failed; /* it does not fit */
};

enum worker_stop { WORKER_SERVES, WORKER_STOPS, WORKER_HURRIES };

/* The operations of one connection in a bundle. */
struct span {
    struct conn *conn;
    uint32_t offset; /* of its messages in the bundle's bytes */
    uint32_t first;  /* number of the first operation */
    uint32_t count;  /* of operations */
    bool commits;    /* waits for the commit */
};

/* A batch, the bytes that its messages stand in, and whose they are. */
struct bundle {
    struct batch batch;
    struct worker *worker;
    struct bundle *next; /* spare, or done */
    int64_t lent_ms;     /* since when; 0: not, or its connections have gone */
    uint64_t lent_bytes; /* that it held then; 0: not */
    uint8_t *bytes;      /* BUNDLE_BYTES, begins with a cache line */
    uint32_t bytes_used;
    uint32_t spans_count;
    struct span spans[WORKER_FLUSH_OPS]; /* each has an operation at least */
};

/* A BACKUP or SAVE that a connection waits for. */
struct backup_wait {
    struct storage_backup_request request;
    struct worker *worker;
    struct backup_wait *next; /* done */
    struct conn *conn;        /* NULL: a BGSAVE, nobody waits */
    kv_message_t message;     /* of a BACKUP */
    int error;
    uint64_t lsn;
};

struct worker_options {
    struct storage *storage;
    bool preallocate;
    struct diag *diag;
    struct deadline_limits limits;
    /* What the server asks of itself through its workers; both are called
     * without the worker's mutex. */
    void (*add_stats)(void *context, struct stats *sum); /* of all of it */
    void (*ended)(void *context); /* the thread is about to return */
    /* Worker number i; NULL behind the last.  They are as long as any runs. */
    struct worker *(*peer)(void *context, unsigned i);
    const struct server *server;
    void *context;
};

struct worker {
    struct worker_options options;
    int epoll;
    int event; /* eventfd: something is on a list below */
    pthread_t thread;
    bool started;

    /* the thread's own */
    struct conn *newest; /* of all connections */
    struct conn *ready;  /* to be served, first to last */
    struct conn **ready_end;
    struct bundle *bundle; /* being filled */
    struct bundle *spare;
    struct bundle *bundles[WORKER_BUNDLES_MAX];
    unsigned bundles_count;
    unsigned bundles_max;
    unsigned lent;       /* bundles that connections wait for */
    uint64_t lent_bytes; /* of all bundles that are away */
    unsigned away;       /* bundles, backups and rounds */
    unsigned rounds_away;
    int64_t look_ms; /* when to look at what is lent */
    struct deadlines deadlines;
    struct stats turn_stats; /* not yet under the mutex */
    kv_message_t *stream;    /* records of a SCAN, or figures, and the END */
    struct resp_arg *args;   /* of a request that is being parsed */
    struct buffer gathered;  /* replies to calls that are to be sent at once */
    enum worker_stop stopping;
    int64_t deadline_ms; /* of the stop */

    pthread_mutex_t giving; /* before the other: worker_give_begin */
    pthread_mutex_t mutex;
    /* under the mutex */
    struct conn *accepted; /* dealt to this worker */
    struct bundle *done;   /* came back from the committer */
    struct backup_wait *backed_up;
    struct round *rounds; /* this worker's turn in them */
    bool runs;            /* what is put on the lists will be looked at */
    unsigned connections; /* dealt and not closed */
    struct stats stats;
    enum worker_stop stop; /* asked for */
};

/* ---- For the server ------------------------------------------------------ */

/* All that one may ever need; waits: as storage_waits. */
uint64_t worker_bytes(bool waits);
/* 0 or -errno. */
int worker_create(struct worker **worker, const struct worker_options *options);
int worker_start(struct worker *worker);
/* Asks the thread to stop, or to hurry; does not wait. */
void worker_stop(struct worker *worker, enum worker_stop stop);
/* Waits for the thread, if it was started. */
void worker_join(struct worker *worker);
/* Frees; NULL is fine.  Not started, or joined. */
void worker_destroy(struct worker *worker);

/* Deals it a connection, which is the worker's from then on. */
void worker_deal(struct worker *worker, struct conn *conn);
unsigned worker_connections(struct worker *worker);
void worker_add_stats(struct worker *worker, struct stats *sum);

/* ---- For the files of this folder ---------------------------------------- */

void worker_lock(struct worker *worker);
void worker_unlock(struct worker *worker);
/* Around what another thread puts on a list: takes the mutex; lets go of it,
 * and wakes the thread if that is wanted.  The thread does not find the mutex
 * taken when it wakes, and yet the worker is there until this is over: that is
 * what the lock giving is for. */
void worker_give_begin(struct worker *worker);
void worker_give_end(struct worker *worker, bool wake);
/* Sees to it that the connection is served in the next turn. */
void worker_queue(struct worker *worker, struct conn *conn);
/* Hands it a round, from any thread.  False if it does not run any more, or not
 * yet. */
bool worker_ask(struct worker *worker, struct round *round);
void worker_close(struct worker *worker, struct conn *conn);
/* Prints what happened to a connection, if that is wanted. */
void worker_tell(
    struct worker *worker, const struct conn *conn, const char *what);

/* Makes count bundles, at least two: one to fill, and spare ones; with touch,
 * takes their memory.  0 or -ENOMEM. */
int turn_prepare(struct worker *worker, unsigned count, bool touch);
void bundle_free(struct bundle *bundle);
/* False while all that can be lent is, and the disk is not slow. */
bool turn_can_receive(struct worker *worker);
/* Serves all that are ready, once each. */
void turn_run(struct worker *worker);
/* Answers what the committer has given back. */
void turn_finish(struct worker *worker, struct bundle *bundle);
/* Tells those BUSY who have waited for the disk too long. */
void turn_look(struct worker *worker);
/* Sends the replies of a span; busy: why those in state OP_COMMIT, which the
 * committer has, are refused; NULL: they are there. */
void reply_messages(
    const struct bundle *bundle, const struct span *span, const char *busy);
void reply_calls(
    const struct bundle *bundle, const struct span *span, const char *busy);
/* Sends what has been gathered, and gives its memory back if it was much. */
void reply_gathered(struct worker *worker, struct conn *conn);
/* Prints the beginning of a reply, if so much is wanted; call: NULL if there
 * was none. */
void reply_print(const struct worker *worker, const struct conn *conn,
    const struct call *call, const void *reply, uint32_t size);

/* Executes a command of the Redis protocol that is about the server. */
void answer_lone(struct worker *worker, struct conn *conn, struct call *call);
/* Sends the reply in worker->gathered to a connection that has waited for it;
 * name is that of its command. */
void answer_late(struct worker *worker, struct conn *conn, const char *name,
    struct resp_reply *reply);
/* True if there is somebody to execute a command that is about the server. */
bool answer_is_known(const struct command *command);

/* The commands, each in a file of its own; call->place is set.  CLIENT, SAVE
 * may park the connection: then there is no reply yet. */
void clients_client(struct call *call);
void info_info(struct call *call);
/* When the newest backup was begun, or else the server, seconds since 1970. */
uint64_t info_saved_s(const struct worker *worker, const struct stats *sum);
void parameters_config(struct call *call);
void saves_bgsave(struct call *call);
void saves_lastsave(struct call *call);
void saves_save(struct call *call);
/* Answers a SAVE that is over. */
void saves_finish(struct worker *worker, struct conn *conn, int error);

/* The worker's turn in a round: it adds what it knows and passes it on, or
 * answers, if it is back where it began. */
void clients_take_round(struct worker *worker, struct round *round);
/* Hands it to the next worker that runs. */
void clients_pass_round(struct round *round);
/* Prints count messages, which are replies, if so much is wanted. */
void turn_print(struct worker *worker, const struct conn *conn,
    const kv_message_t *messages, size_t count);

/* Executes a lone verb or command; the connection is parked if it has to
 * wait. */
void lone_execute(struct worker *worker, struct conn *conn, struct op *op);
/* Asks for a backup that the connection waits for, parked; conn NULL: nobody
 * does; message: the request, NULL: none.  NULL, or why not. */
const char *lone_back_up(struct worker *worker, struct conn *conn,
    const kv_message_t *message, kv_error_t *status);
/* Why a backup that is over failed. */
void lone_why(int error, char why[SERVER_WHY_MAX]);
/* Answers a BACKUP or SAVE that is over, and frees wait. */
void lone_finish(struct worker *worker, struct backup_wait *wait);

#endif
