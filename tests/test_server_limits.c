/* What a peer can do to a server, and what a server does then: the limits. */
#include "conn/conn.h"
#include "served.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct served_options in_memory = {.memory = true};

/* ---- Other protocols ----------------------------------------------------- */

/* What comes back for these bytes before the connection is closed. */
static size_t answer_of(const struct served *served, const void *bytes,
    size_t size, void *answer, size_t room)
{
    int fd = served_dial(served);
    served_send(fd, bytes, size);
    size_t received = served_receive(fd, answer, room);
    close(fd);
    return received;
}

static void other_protocols_are_told_and_closed(void)
{
    static const struct {
        const char *request;
        const char *answer;
    } resp[] = {
        {"*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
        {"PING\r\nQUIT\r\nPING\r\n", "+PONG\r\n+OK\r\n"},
        {"GET / HTTP/1.1\r\nHost: here\r\n\r\nPING\r\n",
            "-ERR wrong number of arguments for 'get' command\r\n"
            "-ERR unknown command 'Host:', with args beginning with: "
            "'here' \r\n"},
    };
    static const char hello[] = "\x16\x03\x01\x02\x00\x01";
    struct served served;
    kv_message_t message = {0};
    served_start(&served, &in_memory);
    for (size_t i = 0; i < ARRAY_SIZE(resp); i++) {
        char text[512] = "";
        (void)answer_of(&served, resp[i].request, strlen(resp[i].request), text,
            sizeof text - 1);
        CHECK_TEXT(text, resp[i].answer);
    }
    CHECK_INT(
        answer_of(&served, hello, sizeof hello, &message, sizeof message), 0);
    const uint8_t strange[] = {0, ' ', 128, 160, 255};
    for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
        kv_message_t more[2];
        CHECK_INT(answer_of(&served, &strange[i], 1, more, sizeof more),
            sizeof message);
        CHECK_INT(more->type, 0);
        served_check_reply(more, KV_INVALID, NULL);
    }
    int fd = served_dial(&served);
    served_check_alive(fd);
    close(fd);
    served_end(&served);
}

/* One who goes on sending after being refused is cut off. */
static void who_is_refused_cannot_send_for_ever(void)
{
    enum { PART = 64 * 1024, PARTS_MAX = 10000 };
    struct served served;
    uint8_t *bytes = calloc(1, PART);
    int parts = 0;
    served_start(&served, &in_memory);
    int fd = served_dial(&served);
    REQUIRE(bytes != NULL);
    memset(bytes, '*', PART);
    while (parts < PARTS_MAX && send(fd, bytes, PART, MSG_NOSIGNAL) > 0) {
        parts++;
    }
    CHECK(parts < PARTS_MAX);
    CHECK(errno == EPIPE || errno == ECONNRESET);
    free(bytes);
    close(fd);
    served_end(&served);
}

static void random_bytes_do_no_harm(void)
{
    enum { ROUNDS = 200, PART = 5000 };
    struct served served;
    struct test_random random;
    served_start(
        &served, &(struct served_options){.memory = true, .workers = 2});
    int fd = served_dial(&served);
    test_random_init(&random);
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t bytes[PART];
        int other = served_dial(&served);
        test_random_fill(&random, bytes, sizeof bytes);
        bytes[0] = (uint8_t)(1 + test_random_below(&random, KV_BACKUP));
        for (size_t at = 0; at < sizeof bytes; at += KV_MESSAGE_SIZE) {
            if (test_random_once_in(&random, 2)) {
                bytes[at] &= 0x8f;
                memset(bytes + at + 1, 0, 3);
            }
        }
        (void)send(
            other, bytes, test_random_below(&random, PART), MSG_NOSIGNAL);
        close(other);
    }
    served_check_alive(fd);
    served_await_figure(fd, "connections_accepted", ROUNDS + 1);
    served_await_figure(fd, "connections", 1);
    close(fd);
    served_end(&served);
}

/* ---- Connections --------------------------------------------------------- */

static void one_connection_too_many_is_told_busy(void)
{
    enum { LIMIT = 3 };
    struct served served;
    int fds[LIMIT];
    kv_message_t message = {0};
    served_start(
        &served, &(struct served_options){
                     .memory = true, .connections_max = LIMIT, .workers = 2});
    for (int i = 0; i < LIMIT; i++) {
        fds[i] = served_dial(&served);
        served_check_alive(fds[i]);
    }
    int refused = served_dial(&served);
    REQUIRE(
        served_receive(refused, &message, sizeof message) == sizeof message);
    CHECK_INT(message.type, 0);
    CHECK_INT(message.status, KV_BUSY);
    CHECK(strstr((const char *)message.value, "KV_MAX_CONNECTIONS") != NULL);
    CHECK(strncmp((const char *)message.value, "3 ", 2) == 0);
    CHECK(served_is_over(refused));
    close(refused);
    close(fds[0]);
    served_await_figure(fds[1], "connections", LIMIT - 1);
    CHECK_U64(served_figure(fds[1], "connections_refused"), 1);
    fds[0] = served_dial(&served);
    for (int i = 0; i < LIMIT; i++) {
        served_check_alive(fds[i]);
        close(fds[i]);
    }
    served_end(&served);
}

static void a_thousand_may_be_idle(void)
{
    enum { IDLE = 1000 };
    struct served served;
    struct rlimit limit;
    int fds[IDLE];
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    served_start(
        &served, &(struct served_options){.memory = true, .workers = 2});
    for (int i = 0; i < IDLE; i++) {
        fds[i] = served_dial(&served);
    }
    served_await_figure(fds[0], "connections", IDLE);
    for (int i = 0; i < IDLE; i++) {
        served_check_alive(fds[i]);
    }
    for (int i = 1; i < IDLE; i++) {
        close(fds[i]);
    }
    served_await_figure(fds[0], "connections", 1);
    close(fds[0]);
    served_end(&served);
}

/* The descriptor of the server's end of fd: it is in this process. */
static int server_end(int fd)
{
    struct sockaddr_in wanted = {0};
    socklen_t size = sizeof wanted;
    REQUIRE(getsockname(fd, (struct sockaddr *)&wanted, &size) == 0);
    for (int other = 0; other < 1024; other++) {
        struct sockaddr_in peer = {0};
        size = sizeof peer;
        if (getpeername(other, (struct sockaddr *)&peer, &size) == 0 &&
            peer.sin_port == wanted.sin_port) {
            return other;
        }
    }
    REQUIRE(false);
    return -1;
}

static void accepted_sockets_are_set_up(void)
{
    static const struct {
        int level;
        int name;
        int value; /* with two seconds for a request, six to be found lost */
    } wanted[] = {{SOL_SOCKET, SO_KEEPALIVE, 1}, {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 4}, {IPPROTO_TCP, TCP_KEEPINTVL, 1},
        {IPPROTO_TCP, TCP_KEEPCNT, 2}, {IPPROTO_TCP, TCP_USER_TIMEOUT, 6000},
        {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 * 1024}};
    struct served served;
    served_start(&served,
        &(struct served_options){.memory = true, .request_timeout_ms = 2000});
    int fd = served_dial(&served);
    served_check_alive(fd);
    int end = server_end(fd);
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        int value = -1;
        socklen_t size = sizeof value;
        CHECK_INT(
            getsockopt(end, wanted[i].level, wanted[i].name, &value, &size), 0);
        CHECK_INT(value, wanted[i].value);
    }
    CHECK((fcntl(end, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((fcntl(end, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
    served_end(&served);
}

/* ---- Memory -------------------------------------------------------------- */

/* Sends requests without reading replies, until nothing more is taken; returns
 * how many bytes were.  The server's only worker has had its turns then, as the
 * answers to other show, and has executed nothing but what other asked for. */
static size_t send_until_full(int fd, int other, const kv_message_t *request)
{
    enum { BLOCK = 64, TURNS = 30, SENT_MAX = 64 << 20 };
    kv_message_t block[BLOCK];
    size_t sent = 0;
    uint64_t seen = served_figure(other, "requests");
    for (size_t i = 0; i < BLOCK; i++) {
        block[i] = *request;
    }
    for (int idle = 0; idle < TURNS;) {
        REQUIRE(sent < SENT_MAX);
        size_t at = sent % sizeof block;
        ssize_t part = send(fd, (uint8_t *)block + at, sizeof block - at,
            MSG_NOSIGNAL | MSG_DONTWAIT);
        REQUIRE(part > 0 || errno == EAGAIN);
        sent += part > 0 ? (size_t)part : 0;
        if (part < 0) {
            uint64_t executed = served_figure(other, "requests");
            idle = executed == seen + 1 ? idle + 1 : 0;
            seen = executed;
        } else {
            idle = 0;
        }
    }
    return sent;
}

static void who_does_not_read_is_not_read(void)
{
    struct served served;
    served_start(&served, &in_memory);
    int fd = served_dial(&served);
    int other = served_dial(&served);
    char value[KV_VALUE_MAX];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    (void)served_call(other, KV_PUT, "key", value);
    kv_message_t get = served_request(KV_GET, "key", "");
    size_t sent = send_until_full(fd, other, &get);
    uint64_t answered = served_figure(other, "bytes_sent");
    served_check_alive(other);
    /* What was answered went to the socket, but for one turn's replies. */
    CHECK(answered < sent);
    size_t rest = sent % sizeof get;
    served_await_figure(other, "connections", 2);
    size_t messages = sent / sizeof get;
    for (size_t i = 0; i < messages; i++) {
        kv_message_t reply = {0};
        REQUIRE(served_receive(fd, &reply, sizeof reply) == sizeof reply);
        REQUIRE(reply.status == KV_SUCCESS && reply.type == KV_GET);
        REQUIRE(reply.value_len == sizeof value - 1);
    }
    if (rest > 0) {
        served_send(fd, (uint8_t *)&get + rest, sizeof get - rest);
        CHECK_INT(served_receive(fd, &get, sizeof get), sizeof get);
    }
    served_check_alive(fd);
    close(fd);
    close(other);
    served_end(&served);
}

/* Streams are as bounded as replies. */
static void who_does_not_read_gets_one_stream_at_a_time(void)
{
    enum { RECORDS = 1500 };
    struct served served;
    served_start(&served, &in_memory);
    int fd = served_dial(&served);
    int other = served_dial(&served);
    for (int i = 0; i < RECORDS; i++) {
        char key[KV_KEY_SIZE];
        (void)snprintf(key, sizeof key, "%d", i);
        (void)served_call(other, KV_PUT, key, "v");
    }
    kv_message_t scan = served_request(KV_SCAN, "", "");
    size_t sent = send_until_full(fd, other, &scan);
    size_t scans = sent / sizeof scan;
    uint64_t answered = served_figure(other, "bytes_sent");
    CHECK(answered < 64 * 1024 * 1024);
    served_check_alive(other);
    size_t ends = 0;
    while (ends < scans && ends < 100) {
        kv_message_t row = {0};
        REQUIRE(served_receive(fd, &row, sizeof row) == sizeof row);
        REQUIRE(row.type == KV_SCAN);
        ends += row.status == KV_END ? 1 : 0;
    }
    close(fd);
    served_check_alive(other);
    served_await_figure(other, "connections", 1);
    close(other);
    served_end(&served);
}

/* ---- Setting up ---------------------------------------------------------- */

static void a_port_in_use_is_told_with_what_to_do(void)
{
    struct served served;
    struct server *second = NULL;
    char why[SERVER_WHY_MAX] = "";
    served_start(&served, &in_memory);
    struct server_options options = {.host = "127.0.0.1",
        .port = server_port(served.server),
        .workers = 1,
        .connections_max = 1,
        .storage = served.storage,
        .config = &served.config};
    CHECK_ERRNO(server_create(&second, &options, why), EADDRINUSE);
    CHECK(second == NULL);
    CHECK(strstr(why, "KV_PORT") != NULL && strstr(why, "127.0.0.1") != NULL);
    options.host = "192.0.2.1"; /* for documents: RFC 5737 */
    CHECK_ERRNO(server_create(&second, &options, why), EADDRNOTAVAIL);
    CHECK(strstr(why, "KV_HOST") != NULL);
    options.host = "not an address";
    CHECK_ERRNO(server_create(&second, &options, why), EADDRNOTAVAIL);
    CHECK(strstr(why, "not an address") != NULL);
    served_end(&served);
}

static void two_servers_do_not_know_of_each_other(void)
{
    struct served first;
    struct served second;
    served_start(&first, &in_memory);
    served_start(&second, &in_memory);
    int one = served_dial(&first);
    int two = served_dial(&second);
    (void)served_call(one, KV_PUT, "key", "first");
    kv_message_t get = served_request(KV_GET, "key", "");
    served_check(two, &get, KV_NOT_FOUND, NULL);
    served_check(one, &get, KV_SUCCESS, "first");
    close(one);
    served_end(&first);
    served_check_alive(two);
    close(two);
    served_end(&second);
}

const struct test_case test_server_limits[] = {
    TEST_CASE(other_protocols_are_told_and_closed),
    TEST_CASE(who_is_refused_cannot_send_for_ever),
    TEST_CASE(random_bytes_do_no_harm),
    TEST_CASE(one_connection_too_many_is_told_busy),
    TEST_CASE(a_thousand_may_be_idle),
    TEST_CASE(accepted_sockets_are_set_up),
    TEST_CASE(who_does_not_read_is_not_read),
    TEST_CASE(who_does_not_read_gets_one_stream_at_a_time),
    TEST_CASE(a_port_in_use_is_told_with_what_to_do),
    TEST_CASE(two_servers_do_not_know_of_each_other),
    TEST_END,
};
