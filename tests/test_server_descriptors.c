/* A server that is short of descriptors. */
#include "served.h"
#include "server/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    for (; (text = strstr(text, word)) != NULL; text++) {
        count++;
    }
    return count;
}

static int64_t spent_ms(void)
{
    struct timespec spent;
    CHECK_INT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent), 0);
    return spent.tv_sec * INT64_C(1000) + spent.tv_nsec / 1000000;
}

/* Without descriptors the listener rests, says so once, does not spin, and goes
 * on by itself when there are some. */
static void the_listener_rests_when_descriptors_are_short(void)
{
    enum { QUIET_MS = 350 }; /* several rests */
    struct served served;
    struct rlimit limit;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    REQUIRE(stream != NULL);
    served_start(&served,
        &(struct served_options){.memory = true, .diagnostics = stream});
    int fd = served_dial(&served);
    served_check_alive(fd);
    int waiting = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons(server_port(served.server)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    REQUIRE(waiting >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct rlimit low = {
        .rlim_cur = (rlim_t)waiting + 1, .rlim_max = limit.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
    int64_t before = spent_ms();
    CHECK_INT(connect(waiting, (struct sockaddr *)&address, sizeof address), 0);
    struct pollfd poll_for = {.fd = waiting, .events = POLLIN};
    bool untouched = poll(&poll_for, 1, QUIET_MS) == 0;
    served_check_alive(fd);
    CHECK(spent_ms() - before < QUIET_MS / 2);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (untouched) { /* valgrind accepts it all the same, and closes it */
        served_check_alive(waiting);
    }
    close(waiting);
    waiting = served_dial(&served);
    served_check_alive(waiting);
    close(waiting);
    close(fd);
    served_end(&served);
    CHECK_INT(fclose(stream), 0);
    CHECK_INT(count_of(text, "no new connections"), 1);
    free(text);
}

/* Where all but a few descriptors are taken, by whomever, a connection more is
 * told so and closed: the store can open what it needs. */
static void the_last_descriptors_are_not_for_connections(void)
{
    struct served served;
    struct rlimit limit;
    kv_message_t message = {0};
    served_start(&served, &(struct served_options){.sync = KV_SYNC_NONE});
    int fd = served_dial(&served);
    served_check_alive(fd);
    int next = dup(fd);
    REQUIRE(next >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    close(next);
    /* For this end and the server's, and the same again. */
    struct rlimit low = {.rlim_cur = (rlim_t)next + 3 + SERVER_FILES_RESERVE,
        .rlim_max = limit.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
    int last = served_dial(&served);
    served_check_alive(last);
    int refused = served_dial(&served);
    REQUIRE(
        served_receive(refused, &message, sizeof message) == sizeof message);
    CHECK_INT(message.status, KV_BUSY);
    CHECK(strstr((const char *)message.value, "open files") != NULL);
    CHECK(served_is_over(refused));
    close(refused);
    CHECK_INT(served_call(fd, KV_PUT, "key", "value").status, KV_SUCCESS);
    CHECK_INT(served_call(fd, KV_BACKUP, "", "").status, KV_SUCCESS);
    CHECK_U64(served_figure(fd, "connections_refused"), 1);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    refused = served_dial(&served);
    served_check_alive(refused);
    close(refused);
    close(last);
    close(fd);
    served_end(&served);
}

static void a_rest_ends_by_itself(void)
{
    struct listener *listener;
    struct epoll_event event;
    union conn_address peer;
    char why[SERVER_WHY_MAX];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    const struct listener_options options = {
        .host = "127.0.0.1", .epoll = epoll};
    REQUIRE(listener_open(&listener, &options, why, sizeof why) == 0);
    CHECK_INT(listener_wait_ms(listener), -1);
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons(listener_port(listener)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(epoll_wait(epoll, &event, 1, SERVED_WAIT_MS), 1);
    CHECK(event.data.ptr == listener);
    listener_pause(listener, EMFILE);
    int wait_ms = listener_wait_ms(listener);
    for (int rests = 0; wait_ms >= 0 && rests < 1000; rests++) {
        CHECK_INT(epoll_wait(epoll, &event, 1, wait_ms), 0);
        wait_ms = listener_wait_ms(listener);
    }
    CHECK_INT(epoll_wait(epoll, &event, 1, SERVED_WAIT_MS), 1);
    int accepted = listener_accept(listener, &peer);
    CHECK(accepted >= 0);
    CHECK_ERRNO(listener_accept(listener, &peer), EAGAIN);
    close(accepted);
    close(fd);
    listener_close(listener);
    close(epoll);
}

const struct test_case test_server_descriptors[] = {
    TEST_CASE(the_listener_rests_when_descriptors_are_short),
    TEST_CASE(the_last_descriptors_are_not_for_connections),
    TEST_CASE(a_rest_ends_by_itself),
    TEST_END,
};
