#include "server/server.h"
#include "server/listener.h"
#include "server/worker.h"

#include "clock.h"
#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    ACCEPTS_MAX = 64, /* of one turn of the main loop */
    EVENTS_MAX = 4    /* more descriptors than it watches */
};

struct server {
    struct server_options options;
    struct listener *listener; /* NULL: closed */
    int epoll;
    int event;   /* eventfd: stops or ended have changed */
    int signals; /* signalfd, or -1 */
    uint16_t port;
    unsigned workers_count;
    struct worker **workers;
    int64_t started_ms;
    enum worker_stop stopping; /* the main loop's own */

    pthread_mutex_t mutex; /* never held together with a worker's */
    /* under the mutex */
    unsigned stops;
    unsigned ended; /* workers */
    uint64_t accepted;
    uint64_t refused;
};

static void lock(struct server *server)
{
    int error = pthread_mutex_lock(&server->mutex);
    assert(error == 0);
}

static void unlock(struct server *server)
{
    int error = pthread_mutex_unlock(&server->mutex);
    assert(error == 0);
}

/* ---- What workers ask ---------------------------------------------------- */

static void add_stats(void *context, struct stats *sum)
{
    struct server *server = context;
    for (unsigned i = 0; i < server->workers_count; i++) {
        worker_add_stats(server->workers[i], sum);
    }
    lock(server);
    sum->connections_accepted += server->accepted;
    sum->connections_refused += server->refused;
    unlock(server);
    sum->uptime_s += (uint64_t)(clock_steady_ms() - server->started_ms) / 1000;
    storage_stats(server->options.storage, sum);
}

static struct worker *peer(void *context, unsigned i)
{
    struct server *server = context;
    return i < server->workers_count ? server->workers[i] : NULL;
}

static void worker_ended(void *context)
{
    struct server *server = context;
    lock(server);
    server->ended++;
    int error = eventfd_write(server->event, 1);
    assert(error == 0);
    unlock(server);
}

/* ---- Setup and teardown -------------------------------------------------- */

/* from: what its events shall bear. */
static int watch(struct server *server, int fd, void *from)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = from};
    return epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0
                                                                    : -errno;
}

/* What the main loop waits for, but the listener. */
static int open_loop(struct server *server)
{
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->epoll < 0 || server->event < 0) {
        return -errno;
    }
    int error = watch(server, server->event, &server->event);
    if (error != 0 || !server->options.signals) {
        return error;
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    server->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return server->signals < 0
               ? -errno
               : watch(server, server->signals, &server->signals);
}

static int make_workers(struct server *server)
{
    uint64_t share =
        u64_max(SERVER_HELD_SUM / server->options.workers, SERVER_HELD_MIN);
    uint64_t held_max = server->options.held_max;
    struct worker_options options = {.storage = server->options.storage,
        .preallocate = server->options.preallocate,
        .diag = server->options.diag,
        .limits = {.idle_ms = server->options.idle_timeout_ms,
            .request_ms = server->options.request_timeout_ms,
            .held_max = held_max > 0 ? held_max : share},
        .add_stats = add_stats,
        .ended = worker_ended,
        .peer = peer,
        .server = server,
        .context = server};
    unsigned wanted = server->options.workers;
    int64_t started_ms = clock_steady_ms();
    server->workers = calloc(wanted, sizeof(struct worker *));
    int error = server->workers == NULL ? -ENOMEM : 0;
    while (error == 0 && server->workers_count < wanted) {
        error =
            worker_create(&server->workers[server->workers_count], &options);
        server->workers_count += error == 0 ? 1 : 0;
    }
    if (error == 0 && server->options.preallocate) {
        diag_line(server->options.diag,
            "server: %llu bytes of memory taken in %lld ms, for %u workers",
            (unsigned long long)wanted *
                worker_bytes(storage_waits(server->options.storage)),
            (long long)(clock_steady_ms() - started_ms), wanted);
    }
    return error;
}

static int open_listener(struct server *server, char why[SERVER_WHY_MAX])
{
    struct listener_options options = {.host = server->options.host,
        .port = server->options.port,
        .epoll = server->epoll,
        .diag = server->options.diag,
        .request_timeout_ms = server->options.request_timeout_ms};
    int error = listener_open(&server->listener, &options, why, SERVER_WHY_MAX);
    if (error == 0) {
        server->port = listener_port(server->listener);
    }
    return error;
}

uint64_t server_bytes(unsigned workers, unsigned connections, bool always)
{
    return workers * worker_bytes(always) +
           (uint64_t)connections * sizeof(struct conn);
}

int server_create(struct server **made, const struct server_options *options,
    char why[SERVER_WHY_MAX])
{
    assert(options->workers > 0 && options->connections_max > 0);
    assert(options->host != NULL && options->storage != NULL);
    assert(options->config != NULL);
    *made = NULL;
    struct server *server = calloc(1, sizeof *server);
    int error =
        server == NULL ? -ENOMEM : -pthread_mutex_init(&server->mutex, NULL);
    if (error != 0) {
        free(server);
        (void)snprintf(why, SERVER_WHY_MAX, "cannot set up the server: %s",
            strerrordesc_np(-error));
        return error;
    }
    server->options = *options;
    server->epoll = server->event = server->signals = -1;
    server->started_ms = clock_steady_ms();
    error = open_loop(server);
    error = error == 0 ? make_workers(server) : error;
    if (error != 0) {
        (void)snprintf(why, SERVER_WHY_MAX, "cannot set up %u workers: %s",
            options->workers, strerrordesc_np(-error));
    } else {
        error = open_listener(server, why);
    }
    if (error != 0) {
        server_destroy(server);
        return error;
    }
    *made = server;
    return 0;
}

void server_destroy(struct server *server)
{
    if (server == NULL) {
        return;
    }
    listener_close(server->listener);
    for (unsigned i = 0; i < server->workers_count; i++) {
        worker_destroy(server->workers[i]);
    }
    free(server->workers);
    int descriptors[] = {server->signals, server->event, server->epoll};
    for (size_t i = 0; i < ARRAY_SIZE(descriptors); i++) {
        if (descriptors[i] >= 0) {
            close(descriptors[i]);
        }
    }
    pthread_mutex_destroy(&server->mutex);
    free(server);
}

uint16_t server_port(const struct server *server)
{
    return server->port;
}

const struct server_options *server_options_of(const struct server *server)
{
    return &server->options;
}

/* ---- New connections ----------------------------------------------------- */

/* Tells the peer that there is no place: by the Redis protocol if its first
 * byte is of that and has come already, else by a message. */
static bool tell_away(int fd, const char *why)
{
    char line[SERVER_WHY_MAX];
    kv_message_t message = {0};
    struct op refusal = {.message = &message};
    const void *bytes = &message;
    size_t size = sizeof message;
    uint8_t first;
    if (recv(fd, &first, 1, MSG_PEEK) == 1 &&
        wire_protocol(first) == WIRE_RESP) {
        bytes = line;
        size = (size_t)snprintf(line, sizeof line,
            "-ERR max number of clients reached: %s\r\n", why);
        assert(size < sizeof line);
    } else {
        op_refuse(&refusal, KV_BUSY, "%s", why);
    }
    return send(fd, bytes, size, MSG_NOSIGNAL) >= 0;
}

static void turn_away(struct server *server, int fd, const char *why)
{
    /* What has come already is read: closed over it, the connection would be
     * reset, and the message might be lost with it. */
    uint8_t dropped[DISK_PAGE];
    if (!tell_away(fd, why) || shutdown(fd, SHUT_WR) != 0 ||
        (recv(fd, dropped, sizeof dropped, 0) < 0 && errno != EAGAIN)) {
        diag_verbose(server->options.diag, 1,
            "a connection that was turned away was gone already: %s",
            strerrordesc_np(errno));
    }
    close(fd);
    lock(server);
    server->refused++;
    unlock(server);
}

/* True if a new connection has one of the last descriptors: they are given
 * lowest first, and a log that cannot open its next segment refuses writes. */
static bool files_are_short(int fd, unsigned long long *files)
{
    struct rlimit limit;
    int error = getrlimit(RLIMIT_NOFILE, &limit);
    assert(error == 0);
    *files = limit.rlim_cur;
    return limit.rlim_cur != RLIM_INFINITY &&
           (rlim_t)fd + SERVER_FILES_RESERVE >= limit.rlim_cur;
}

/* Deals a new connection to the worker that has fewest.  False if there is no
 * memory for it. */
static bool admit(struct server *server, int fd, const union conn_address *peer)
{
    struct worker *fewest = NULL;
    unsigned least = 0;
    unsigned sum = 0;
    for (unsigned i = 0; i < server->workers_count; i++) {
        unsigned count = worker_connections(server->workers[i]);
        sum += count;
        if (fewest == NULL || count < least) {
            fewest = server->workers[i];
            least = count;
        }
    }
    char why[KV_VALUE_MAX] = "";
    unsigned long long files;
    if (sum >= server->options.connections_max) {
        (void)snprintf(why, sizeof why,
            "%u connections are open, as many as KV_MAX_CONNECTIONS allows; "
            "close one, or raise it",
            server->options.connections_max);
    } else if (files_are_short(fd, &files)) {
        (void)snprintf(why, sizeof why,
            "the server may have %llu files open, and the last %d are not for "
            "connections; close one, or raise its limit of open files",
            files, SERVER_FILES_RESERVE);
    }
    if (why[0] != '\0') {
        turn_away(server, fd, why);
        return true;
    }
    struct conn *conn = conn_create(fd, peer);
    if (conn == NULL) {
        close(fd);
        return false;
    }
    lock(server);
    conn->id = ++server->accepted;
    unlock(server);
    worker_deal(fewest, conn);
    return true;
}

static void accept_some(struct server *server)
{
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        union conn_address peer = {0};
        int fd = listener_accept(server->listener, &peer);
        if (fd == -EAGAIN) {
            return;
        }
        if (fd >= 0 && !admit(server, fd, &peer)) {
            listener_pause(server->listener, ENOMEM);
            return;
        }
    }
}

/* ---- The main loop ------------------------------------------------------- */

void server_stop(struct server *server)
{
    lock(server);
    server->stops++;
    int error = eventfd_write(server->event, 1);
    assert(error == 0);
    unlock(server);
}

bool server_hurried(struct server *server)
{
    lock(server);
    bool hurried = server->stops > 1;
    unlock(server);
    return hurried;
}

static void take_signals(struct server *server)
{
    struct signalfd_siginfo info;
    while (read(server->signals, &info, sizeof info) == sizeof info) {
        server_stop(server);
    }
}

/* Obeys server_stop.  Returns how many workers have ended. */
static unsigned look_around(struct server *server)
{
    eventfd_t count;
    int error = eventfd_read(server->event, &count);
    assert(error == 0 || errno == EAGAIN);
    lock(server);
    enum worker_stop wanted = server->stops == 0   ? WORKER_SERVES
                              : server->stops == 1 ? WORKER_STOPS
                                                   : WORKER_HURRIES;
    unsigned ended = server->ended;
    unlock(server);
    if (wanted > server->stopping) {
        server->stopping = wanted;
        listener_close(server->listener);
        server->listener = NULL;
        for (unsigned i = 0; i < server->workers_count; i++) {
            worker_stop(server->workers[i], wanted);
        }
    }
    return ended;
}

/* Until the workers that were started have ended. */
static void serve(struct server *server, unsigned started)
{
    unsigned ended = 0;
    while (ended < started) {
        struct epoll_event events[EVENTS_MAX];
        int wait_ms =
            server->listener == NULL ? -1 : listener_wait_ms(server->listener);
        int count = epoll_wait(server->epoll, events, EVENTS_MAX, wait_ms);
        assert(count >= 0 || errno == EINTR);
        /* The stop comes last: it closes the listener. */
        bool called = false;
        for (int i = 0; i < count; i++) {
            void *from = events[i].data.ptr;
            if (from == server->listener) {
                accept_some(server);
            } else if (from == &server->signals) {
                take_signals(server);
            } else {
                called = true;
            }
        }
        if (called) {
            ended = look_around(server);
        }
    }
}

int server_run(struct server *server)
{
    int error = 0;
    unsigned started = 0;
    while (started < server->workers_count && error == 0) {
        error = worker_start(server->workers[started]);
        started += error == 0 ? 1 : 0;
    }
    if (error != 0) {
        diag_line(server->options.diag, "cannot start worker %u of %u: %s",
            started + 1, server->workers_count, strerrordesc_np(-error));
        server_stop(server);
    }
    serve(server, started);
    for (unsigned i = 0; i < started; i++) {
        worker_join(server->workers[i]);
    }
    return error;
}
