#include "compare/loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "compare/state.h"
#include "tcp.h"

enum { EVENTS_MAX = 128, MS_NS = 1000000, SILENCE_MAX_MS = 60000 };

#define SECOND_NS INT64_C(1000000000)
#define ZIPF_THETA 0.99

/* What epoll tells of what is no connection. */
#define EVENT_TIMER UINT32_MAX
#define EVENT_SIGNAL (UINT32_MAX - 1)

bool loop_fail(struct loop *loop, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!loop->failed) {
        (void)vsnprintf(
            loop->result->why, sizeof loop->result->why, format, arguments);
    }
    va_end(arguments);
    loop->failed = loop->over = true;
    return false;
}

static bool watch(
    struct loop *loop, int operation, int fd, struct epoll_event event)
{
    return epoll_ctl(loop->epoll, operation, fd, &event) == 0 ||
           loop_fail(loop, "epoll_ctl: %s", strerror(errno));
}

bool loop_watch(struct loop *loop, int operation, struct connection *connection)
{
    bool full = connection->unsent_to > connection->unsent_from;
    return watch(loop, operation, connection->fd,
        (struct epoll_event){.events = EPOLLIN | (full ? EPOLLOUT : 0u),
            .data.u32 = (uint32_t)(connection - loop->connections)});
}

/* ---- Times --------------------------------------------------------------- */

static bool arm_timer(struct loop *loop)
{
    const struct itimerspec at = {
        .it_value = {loop->turn_ns / SECOND_NS, loop->turn_ns % SECOND_NS}};
    return timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &at, NULL) == 0 ||
           loop_fail(loop, "timerfd_settime: %s", strerror(errno));
}

/* Sends the batches that are due.  A connection that still waits for replies
 * is passed over: it sends what is due when it has them. */
static bool send_due(struct loop *loop)
{
    int64_t round_ns =
        loop->step_ns * (int64_t)(loop->count - loop->paced_from);
    while (loop->turn_ns <= loop->now_ns) {
        struct connection *connection = &loop->connections[loop->turn];
        if (connection->sent == 0) {
            int64_t since_ns = connection->due_ns;
            connection->due_ns += round_ns;
            if (!batch_send(loop, connection, since_ns)) {
                return false;
            }
        }
        loop->turn_ns += loop->step_ns;
        loop->turn++;
        if (loop->turn == loop->count) {
            loop->turn = loop->paced_from;
        }
    }
    return arm_timer(loop);
}

static bool read_usage(struct loop *loop, struct usage *usage)
{
    int error = usage_read(usage, (pid_t)loop->settings->pid);
    return error == 0 ||
           loop_fail(loop, "the server's CPU time: %s", strerror(-error));
}

/* Begins, or ends, what is measured, when it is time. */
static bool look_at_clock(struct loop *loop, int64_t begin_ns)
{
    const struct loop_settings *settings = loop->settings;
    int64_t from_ns = begin_ns + (int64_t)settings->warmup_ms * MS_NS;
    int64_t for_ns = (int64_t)settings->measure_ms * MS_NS;
    bool once = settings->order == LOOP_ONCE;
    bool warm = settings->warmup_ms == 0 || loop->cold == 0;
    if (!loop->measuring && warm && loop->now_ns >= from_ns) {
        loop->measuring = true;
        if (!read_usage(loop, &loop->result->begin)) {
            return false;
        }
    }
    const struct loop_result *result = loop->result;
    bool counted = result->reads.count + result->writes.count > 0;
    loop->over =
        loop->over ||
        (once ? loop->busy == 0
              : counted && loop->now_ns - result->begin.at_ns >= for_ns);
    if (loop->over && !loop->measuring) {
        return loop_fail(loop, "it was ended before it had warmed up");
    }
    return !loop->over || read_usage(loop, &loop->result->end);
}

/* ---- The loop ------------------------------------------------------------ */

static bool handle(struct loop *loop, const struct epoll_event *event)
{
    if (event->data.u32 == EVENT_SIGNAL) {
        loop->over = true;
        return true;
    }
    if (event->data.u32 == EVENT_TIMER) {
        loop->now_ns = clock_steady_ns();
        return send_due(loop);
    }
    struct connection *connection = &loop->connections[event->data.u32];
    if ((event->events & EPOLLOUT) != 0 && !batch_send_rest(loop, connection)) {
        return false;
    }
    return (event->events & ~(uint32_t)EPOLLOUT) == 0 ||
           batch_receive(loop, connection);
}

/* Waits for events, and handles them. */
static bool turn(struct loop *loop)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(loop->epoll, events, EVENTS_MAX, SILENCE_MAX_MS);
    bool good = count >= 0 || errno == EINTR ||
                loop_fail(loop, "epoll_wait: %s", strerror(errno));
    if (count == 0) {
        good = loop_fail(loop, "the server has not answered for %d s",
            SILENCE_MAX_MS / 1000);
    }
    for (int i = 0; i < count && good; i++) {
        good = handle(loop, &events[i]);
    }
    loop->now_ns = clock_steady_ns();
    return good;
}

static bool send_first(struct loop *loop)
{
    bool good = true;
    for (size_t i = 0; i < loop->count && good; i++) {
        struct connection *connection = &loop->connections[i];
        if (connection->paced) {
            connection->due_ns =
                loop->now_ns + loop->step_ns * (int64_t)(i - loop->paced_from);
        } else {
            loop->cold++;
            good = batch_send(loop, connection, loop->now_ns);
        }
    }
    return good && (loop->step_ns == 0 || send_due(loop));
}

static bool run(struct loop *loop)
{
    int64_t begin_ns = loop->now_ns = clock_steady_ns();
    loop->turn_ns = begin_ns;
    loop->turn = loop->paced_from;
    bool good = send_first(loop) && look_at_clock(loop, begin_ns);
    while (good && !loop->over) {
        good = turn(loop) && look_at_clock(loop, begin_ns);
    }
    return good;
}

/* ---- Setup --------------------------------------------------------------- */

static bool open_connection(struct loop *loop, bool reader)
{
    const struct loop_settings *settings = loop->settings;
    struct connection *connection = &loop->connections[loop->count];
    connection->depth = reader ? 1 : settings->depth;
    connection->reads = reader ? 100 : settings->reads;
    connection->paced = loop->step_ns > 0 && loop->count >= loop->paced_from;
    connection->requests =
        calloc(connection->depth, sizeof *connection->requests);
    if (connection->requests == NULL) {
        return loop_fail(loop, "out of memory");
    }
    connection->fd = tcp_dial((uint16_t)settings->port);
    int flags = connection->fd < 0 ? -1 : fcntl(connection->fd, F_GETFL);
    if (flags < 0 || fcntl(connection->fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        int error = errno;
        loop->count += connection->fd < 0 ? 0 : 1;
        free(connection->fd < 0 ? connection->requests : NULL);
        return loop_fail(loop, "connection %zu to port %u: %s", loop->count,
            (unsigned)settings->port, strerror(error));
    }
    loop->count++;
    return loop_watch(loop, EPOLL_CTL_ADD, connection);
}

/* The signals that end the run, and the timer of what is due. */
static bool open_events(struct loop *loop)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) == 0) {
        loop->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    }
    loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->signals < 0 || loop->timer < 0 || loop->epoll < 0) {
        return loop_fail(loop, "no descriptors: %s", strerror(errno));
    }
    return watch(loop, EPOLL_CTL_ADD, loop->signals,
               (struct epoll_event){
                   .events = EPOLLIN, .data.u32 = EVENT_SIGNAL}) &&
           watch(loop, EPOLL_CTL_ADD, loop->timer,
               (struct epoll_event){
                   .events = EPOLLIN, .data.u32 = EVENT_TIMER});
}

static bool open_all(struct loop *loop)
{
    const struct loop_settings *settings = loop->settings;
    uint64_t count = settings->connections + settings->readers;
    loop->paced_from = settings->readers > 0 ? settings->connections : 0;
    if (settings->rate > 0) {
        uint64_t batch = settings->readers > 0 ? 1 : settings->depth;
        loop->step_ns = SECOND_NS * (int64_t)batch / (int64_t)settings->rate;
    }
    loop->output_size = settings->depth * EXCHANGE_MAX;
    loop->connections = calloc(count, sizeof *loop->connections);
    loop->input = malloc(INPUT_SIZE);
    loop->output = malloc(loop->output_size);
    if (loop->connections == NULL || loop->input == NULL ||
        loop->output == NULL) {
        return loop_fail(loop, "out of memory");
    }
    bool good = open_events(loop);
    for (uint64_t i = 0; i < count && good; i++) {
        good = open_connection(loop, i >= settings->connections);
    }
    return good;
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void close_all(struct loop *loop)
{
    for (size_t i = 0; i < loop->count; i++) {
        close_fd(loop->connections[i].fd);
        free(loop->connections[i].requests);
        free(loop->connections[i].unsent);
    }
    free(loop->connections);
    free(loop->input);
    free(loop->output);
    close_fd(loop->epoll);
    close_fd(loop->timer);
    close_fd(loop->signals);
}

bool loop_run(const struct loop_settings *settings,
    const struct exchange exchanges[EXCHANGE_KINDS], struct loop_result *result)
{
    struct loop loop = {.settings = settings,
        .exchanges = exchanges,
        .result = result,
        .epoll = -1,
        .timer = -1,
        .signals = -1,
        .next = settings->first,
        .random = (uint64_t)clock_steady_ns() | 1};
    assert(settings->keys > 0 && settings->depth > 0);
    if (settings->order == LOOP_ZIPF) {
        zipf_init(&loop.zipf, settings->keys, ZIPF_THETA);
    }
    bool good = open_all(&loop) && run(&loop);
    close_all(&loop);
    return good;
}
