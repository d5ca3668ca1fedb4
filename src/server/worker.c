#include "server/worker.h"

#include "clock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What came from other threads since it was last looked for. */
struct arrivals {
    struct conn *accepted;
    struct bundle *done;
    struct backup_wait *backed_up;
    struct round *rounds;
    enum worker_stop stop;
};

void worker_lock(struct worker *worker)
{
    int error = pthread_mutex_lock(&worker->mutex);
    assert(error == 0);
}

void worker_unlock(struct worker *worker)
{
    int error = pthread_mutex_unlock(&worker->mutex);
    assert(error == 0);
}

void worker_give_begin(struct worker *worker)
{
    int error = pthread_mutex_lock(&worker->giving);
    assert(error == 0);
    worker_lock(worker);
}

void worker_give_end(struct worker *worker, bool wake)
{
    worker_unlock(worker);
    if (wake) {
        /* The counter cannot overflow: a reader takes all of it. */
        int error = eventfd_write(worker->event, 1);
        assert(error == 0);
    }
    int error = pthread_mutex_unlock(&worker->giving);
    assert(error == 0);
}

/* ---- Setup and teardown -------------------------------------------------- */

enum {
    STREAM_BYTES = (KV_SCAN_MAX + 1) * sizeof(kv_message_t),
    ARGS_BYTES = RESP_ARGS_MAX * sizeof(struct resp_arg)
};

static unsigned bundles_max(bool waits)
{
    return waits ? WORKER_BUNDLES_MAX : WORKER_BUNDLES_BRIEF;
}

uint64_t worker_bytes(bool waits)
{
    uint64_t bundle = sizeof(struct bundle) + BUNDLE_BYTES;
    return sizeof(struct worker) + STREAM_BYTES + ARGS_BYTES +
           bundles_max(waits) * bundle;
}

/* 0 or -ENOMEM. */
static int make_buffers(struct worker *worker)
{
    bool touch = worker->options.preallocate;
    worker->bundles_max = bundles_max(storage_waits(worker->options.storage));
    worker->stream = malloc(STREAM_BYTES);
    worker->args = calloc(RESP_ARGS_MAX, sizeof *worker->args);
    worker->gathered.max = WORKER_GATHERED_MAX;
    if (worker->stream == NULL || worker->args == NULL) {
        return -ENOMEM;
    }
    if (touch) {
        memset(worker->stream, 0, STREAM_BYTES);
        memset(worker->args, 0, ARGS_BYTES);
    }
    return turn_prepare(
        worker, touch ? worker->bundles_max : WORKER_BUNDLES_LEAST, touch);
}

int worker_create(struct worker **made, const struct worker_options *options)
{
    struct worker *worker = calloc(1, sizeof *worker);
    *made = NULL;
    if (worker == NULL) {
        return -ENOMEM;
    }
    worker->options = *options;
    deadline_init(&worker->deadlines, &options->limits);
    worker->ready_end = &worker->ready;
    int error = -pthread_mutex_init(&worker->mutex, NULL);
    if (error == 0) {
        error = -pthread_mutex_init(&worker->giving, NULL);
    }
    if (error != 0) {
        free(worker);
        return error;
    }
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    worker->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN};
    if (worker->epoll < 0 || worker->event < 0 ||
        epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->event, &event) != 0) {
        error = -errno;
        worker_destroy(worker);
        return error;
    }
    error = make_buffers(worker);
    if (error != 0) {
        worker_destroy(worker);
        return error;
    }
    *made = worker;
    return 0;
}

void worker_destroy(struct worker *worker)
{
    if (worker == NULL) {
        return;
    }
    assert(!worker->started && worker->away == 0 && worker->newest == NULL);
    while (worker->accepted != NULL) {
        struct conn *conn = worker->accepted;
        worker->accepted = conn->next;
        conn_destroy(conn);
    }
    for (unsigned i = 0; i < worker->bundles_count; i++) {
        bundle_free(worker->bundles[i]);
    }
    free(worker->stream);
    free(worker->args);
    buffer_free(&worker->gathered);
    /* The committer or the backup, who put the last thing on a list, may not
     * quite be done with the worker. */
    worker_give_begin(worker);
    worker_give_end(worker, false);
    if (worker->event >= 0) {
        close(worker->event);
    }
    if (worker->epoll >= 0) {
        close(worker->epoll);
    }
    pthread_mutex_destroy(&worker->giving);
    pthread_mutex_destroy(&worker->mutex);
    free(worker);
}

void worker_stop(struct worker *worker, enum worker_stop stop)
{
    worker_give_begin(worker);
    assert(stop >= worker->stop);
    worker->stop = stop;
    worker_give_end(worker, true);
}

void worker_join(struct worker *worker)
{
    if (worker->started) {
        int error = pthread_join(worker->thread, NULL);
        assert(error == 0);
        worker->started = false;
    }
}

void worker_add_stats(struct worker *worker, struct stats *sum)
{
    worker_lock(worker);
    stats_add(sum, &worker->stats);
    sum->connections += worker->connections;
    worker_unlock(worker);
}

/* ---- Connections --------------------------------------------------------- */

void worker_deal(struct worker *worker, struct conn *conn)
{
    worker_give_begin(worker);
    bool asleep = worker->accepted == NULL;
    conn->next = worker->accepted;
    worker->accepted = conn;
    worker->connections++;
    worker_give_end(worker, asleep);
}

bool worker_ask(struct worker *worker, struct round *round)
{
    worker_give_begin(worker);
    bool asleep = worker->rounds == NULL;
    bool runs = worker->runs;
    if (runs) {
        round->next = worker->rounds;
        worker->rounds = round;
    }
    worker_give_end(worker, runs && asleep);
    return runs;
}

unsigned worker_connections(struct worker *worker)
{
    worker_lock(worker);
    unsigned connections = worker->connections;
    worker_unlock(worker);
    return connections;
}

void worker_queue(struct worker *worker, struct conn *conn)
{
    if (!conn->queued) {
        conn->queued = true;
        conn->next = NULL;
        *worker->ready_end = conn;
        worker->ready_end = &conn->next;
    }
}

void worker_tell(
    struct worker *worker, const struct conn *conn, const char *what)
{
    struct diag *diag = worker->options.diag;
    if (diag != NULL && diag->verbose >= 1) {
        char peer[CONN_PEER_MAX];
        conn_peer(conn, peer);
        diag_line(diag, "connection %s: %s", peer, what);
    }
}

void worker_close(struct worker *worker, struct conn *conn)
{
    worker_tell(worker, conn, conn->broken ? "lost" : "closed");
    if (conn->newer != NULL) {
        conn->newer->older = conn->older;
    } else {
        worker->newest = conn->older;
    }
    if (conn->older != NULL) {
        conn->older->newer = conn->newer;
    }
    deadline_leave(worker, conn);
    conn_destroy(conn);
    worker_lock(worker);
    assert(worker->connections > 0);
    worker->connections--;
    worker_unlock(worker);
}

/* Takes in a connection that was dealt.  All that will ever be asked of epoll
 * is asked here: no system call is spent on it again. */
static void adopt(struct worker *worker, struct conn *conn)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = conn};
    conn->next = NULL;
    conn->newer = NULL;
    conn->older = worker->newest;
    if (conn->older != NULL) {
        conn->older->newer = conn;
    }
    worker->newest = conn;
    deadline_enter(worker, conn);
    worker_tell(worker, conn, "opened");
    if (epoll_ctl(worker->epoll, EPOLL_CTL_ADD, conn->fd, &event) != 0) {
        diag_line(worker->options.diag,
            "a connection is closed at once: epoll does not take it: %s",
            strerrordesc_np(errno));
        worker_close(worker, conn);
    }
}

/* ---- The stop ------------------------------------------------------------ */

/* Asks of each connection what its socket holds now, as its last. */
static void begin_stop(struct worker *worker)
{
    worker->deadline_ms = clock_steady_ms() + WORKER_STOP_MS;
    for (struct conn *conn = worker->newest; conn; conn = conn->older) {
        conn->last = true;
        conn->readable = true;
        conn->broken = conn->broken || conn->discarding;
        worker_queue(worker, conn);
    }
}

/* Gives up on the peers.  What is parked is closed when it comes back. */
static void cut_connections(struct worker *worker)
{
    for (struct conn *conn = worker->newest; conn; conn = conn->older) {
        conn->broken = true;
        worker_queue(worker, conn);
    }
}

static void obey(struct worker *worker, enum worker_stop stop)
{
    if (worker->stopping == WORKER_SERVES && stop != WORKER_SERVES) {
        worker->stopping = WORKER_STOPS;
        begin_stop(worker);
    }
    bool late = worker->stopping == WORKER_STOPS &&
                clock_steady_ms() >= worker->deadline_ms;
    if (worker->stopping == WORKER_STOPS && (stop == WORKER_HURRIES || late)) {
        worker->stopping = WORKER_HURRIES;
        cut_connections(worker);
    }
}

/* ---- The loop ------------------------------------------------------------ */

/* Takes what other threads have put on the lists. */
static void look_around(struct worker *worker)
{
    struct arrivals arrivals;
    eventfd_t count;
    int error = eventfd_read(worker->event, &count);
    assert(error == 0 || errno == EAGAIN);
    worker_lock(worker);
    arrivals = (struct arrivals){worker->accepted, worker->done,
        worker->backed_up, worker->rounds, worker->stop};
    worker->accepted = NULL;
    worker->done = NULL;
    worker->backed_up = NULL;
    worker->rounds = NULL;
    worker_unlock(worker);

    while (arrivals.accepted != NULL) {
        struct conn *conn = arrivals.accepted;
        arrivals.accepted = conn->next;
        adopt(worker, conn);
    }
    while (arrivals.done != NULL) {
        struct bundle *bundle = arrivals.done;
        arrivals.done = bundle->next;
        turn_finish(worker, bundle);
    }
    while (arrivals.backed_up != NULL) {
        struct backup_wait *wait = arrivals.backed_up;
        arrivals.backed_up = wait->next;
        lone_finish(worker, wait);
    }
    while (arrivals.rounds != NULL) {
        struct round *round = arrivals.rounds;
        arrivals.rounds = round->next;
        clients_take_round(worker, round);
    }
    obey(worker, arrivals.stop);
}

static void note_event(
    struct worker *worker, struct conn *conn, uint32_t events)
{
    const uint32_t over = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    conn->readable = conn->readable || (events & (EPOLLIN | over)) != 0;
    conn->hung_up = conn->hung_up || (events & over) != 0;
    if (conn->readable || conn->output != NULL) {
        worker_queue(worker, conn);
    }
}

/* Milliseconds that epoll_wait may sleep; -1: until something happens. */
static int sleep_ms(struct worker *worker)
{
    if (worker->ready != NULL && turn_can_receive(worker)) {
        return 0;
    }
    if (worker->lent > 0 || worker->ready != NULL) {
        return WORKER_LOOK_MS;
    }
    if (worker->stopping == WORKER_STOPS) {
        int64_t left = worker->deadline_ms - clock_steady_ms();
        return left < 0 ? 0 : (int)left;
    }
    return deadline_sleep_ms(worker);
}

/* Passes on what is left of others' questions; there will be no more. */
static void retire(struct worker *worker)
{
    worker_lock(worker);
    struct round *round = worker->rounds;
    worker->rounds = NULL;
    worker->runs = false;
    worker_unlock(worker);
    while (round != NULL) {
        struct round *next = round->next;
        clients_pass_round(round);
        round = next;
    }
}

static void *run(void *context)
{
    struct worker *worker = context;
    struct epoll_event events[WORKER_EVENTS_MAX];
    while (worker->stopping == WORKER_SERVES || worker->newest != NULL ||
           worker->away > 0) {
        int count = epoll_wait(
            worker->epoll, events, WORKER_EVENTS_MAX, sleep_ms(worker));
        assert(count >= 0 || errno == EINTR);
        deadline_tick(worker);
        bool called = false;
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                called = true;
            } else {
                note_event(worker, events[i].data.ptr, events[i].events);
            }
        }
        /* Requests first: the committer works on them while the replies of its
         * last group go out. */
        turn_run(worker);
        if (called) {
            look_around(worker);
        } else if (worker->stopping == WORKER_STOPS) {
            obey(worker, WORKER_STOPS);
        }
        if (worker->lent > 0) {
            turn_look(worker);
        }
        deadline_run(worker);
    }
    retire(worker);
    worker->options.ended(worker->options.context);
    return NULL;
}

int worker_start(struct worker *worker)
{
    assert(!worker->started);
    worker_lock(worker);
    worker->runs = true;
    worker_unlock(worker);
    int error = pthread_create(&worker->thread, NULL, run, worker);
    worker->started = error == 0;
    if (error != 0) {
        retire(worker);
    }
    return -error;
}
