/* server.h: the listener, its workers, the orderly stop.
 *
 * It serves one storage over TCP and owns neither it nor the diagnostics.  Two
 * servers in one process do not know of each other. */
#ifndef SERVER_H
#define SERVER_H

#include "config/config.h"
#include "diag.h"
#include "storage/storage.h"

struct server;

enum {
    SERVER_WHY_MAX = 512,
    /* Descriptors that connections leave free: the log may have 64 segments
     * that wait for their sync, and a backup takes a few. */
    SERVER_FILES_RESERVE = 96,
    SERVER_HELD_SUM = 64 << 20, /* bytes; shared by the workers */
    SERVER_HELD_MIN = 4 << 20   /* of each worker, however many there are */
};

struct server_options {
    const char *host;         /* a name or an address */
    uint16_t port;            /* 0: the kernel chooses */
    unsigned workers;         /* at least 1 */
    unsigned connections_max; /* at least 1 */
    struct storage *storage;  /* outlives the server */
    /* Outlives the server; CONFIG GET tells it.  What is in force is what
     * stands here beside it. */
    const struct config *config;
    bool preallocate;  /* takes the memory of the workers when it is created */
    struct diag *diag; /* outlives the server; may be NULL */
    /* SIGTERM and SIGINT stop it.  The caller has blocked them before any
     * thread was made. */
    bool signals;
    int64_t idle_timeout_ms;    /* 0: never */
    int64_t request_timeout_ms; /* 0: never */
    uint64_t held_max; /* bytes each worker keeps of unfinished requests and
                        * replies not taken; 0: its share of SERVER_HELD_SUM */
};

/* Memory of a server: workers with all that they may ever need (always: for a
 * storage with KV_SYNC=always), and connections at rest. */
uint64_t server_bytes(unsigned workers, unsigned connections, bool always);

/* Binds and listens; nobody is served yet.  0, or -errno with one line in why:
 * what, with which numbers, what to do.  The limit of open files is the
 * caller's to raise. */
int server_create(struct server **server, const struct server_options *options,
    char why[SERVER_WHY_MAX]);
uint16_t server_port(const struct server *server);
const struct server_options *server_options_of(const struct server *server);

/* Serves, in the calling thread and the workers, until stopped; the workers
 * have ended when it returns.  0, or -errno if it could not go on. */
int server_run(struct server *server);

/* Stops it, from any thread: no new connections; what was received is answered
 * and handed to the peers, for at most five seconds.  The second call hurries:
 * no waiting for peers.  Either way, what the committer or the backup holds is
 * waited for. */
void server_stop(struct server *server);
/* True if it was stopped twice. */
bool server_hurried(struct server *server);

/* NULL is fine.  server_run has returned, or was never called. */
void server_destroy(struct server *server);

#endif
