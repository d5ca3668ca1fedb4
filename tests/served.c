#include "served.h"

#include "clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

const struct served_options served_kinds[SERVED_KINDS] = {
    {.sync = KV_SYNC_ALWAYS},
    {.sync = KV_SYNC_EVERYSEC},
    {.sync = KV_SYNC_NONE},
    {.memory = true},
};

/* ---- The server ---------------------------------------------------------- */

static void *run(void *context)
{
    struct served *served = context;
    served->result = server_run(served->server);
    return NULL;
}

void served_start(struct served *served, const struct served_options *options)
{
    char why[STORAGE_WHY_MAX] = "";
    memset(served, 0, sizeof *served);
    served->options = *options;
    served->diag.verbose = options->verbose;
    served->diag.stream = options->diagnostics;
    config_set_defaults(&served->config);
    REQUIRE(test_directory_make(&served->directory));
    const struct storage_options storage = {
        .directory = options->memory ? NULL : served->directory.path,
        .capacity = 20000,
        .sync = options->sync,
        .backup_keep = 2,
        .segment_bytes = 4 * 1024 * 1024,
        .load_threads = 1,
        .stall_ms = options->stall_ms == 0 ? TEST_STALL_MS : options->stall_ms,
        .diag = &served->diag};
    if (storage_open(&served->storage, &storage, why) != 0) {
        CHECK_TEXT(why, "");
        REQUIRE(false);
    }
    const struct server_options server = {.host = "127.0.0.1",
        .workers = options->workers == 0 ? 1 : options->workers,
        .connections_max =
            options->connections_max == 0 ? 2000 : options->connections_max,
        .storage = served->storage,
        .config = &served->config,
        .diag = &served->diag,
        .idle_timeout_ms = options->idle_timeout_ms,
        .request_timeout_ms = options->request_timeout_ms,
        .held_max = options->held_max,
        .signals = options->signals};
    if (server_create(&served->server, &server, why) != 0) {
        CHECK_TEXT(why, "");
        REQUIRE(false);
    }
    REQUIRE(pthread_create(&served->thread, NULL, run, served) == 0);
    served->running = true;
}

void served_join(struct served *served)
{
    CHECK_INT(pthread_join(served->thread, NULL), 0);
    CHECK_OK(served->result);
    served->running = false;
}

void served_end(struct served *served)
{
    if (served->running) {
        server_stop(served->server);
        served_join(served);
    }
    server_destroy(served->server);
    CHECK_OK(storage_close(served->storage, false));
    CHECK(test_directory_remove(&served->directory));
}

/* ---- The client ---------------------------------------------------------- */

int served_dial(const struct served *served)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons(server_port(served->server)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = SERVED_WAIT_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
    REQUIRE(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

void served_send(int fd, const void *bytes, size_t size)
{
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    CHECK_INT(sent, size);
}

void served_await_sent(int fd)
{
    int64_t limit = clock_steady_ms() + SERVED_WAIT_MS;
    int queued = 1;
    while (queued > 0 && clock_steady_ms() < limit) {
        REQUIRE(ioctl(fd, SIOCOUTQ, &queued) == 0);
        (void)sched_yield();
    }
    CHECK_INT(queued, 0);
}

size_t served_receive(int fd, void *bytes, size_t size)
{
    uint8_t *to = bytes;
    size_t received = 0;
    while (received < size) {
        ssize_t part = recv(fd, to + received, size - received, 0);
        if (part <= 0) {
            CHECK(part == 0 || errno == ECONNRESET);
            break;
        }
        received += (size_t)part;
    }
    return received;
}

bool served_is_over(int fd)
{
    uint8_t byte;
    return served_receive(fd, &byte, 1) == 0;
}

kv_message_t served_request(int type, const char *key, const char *value)
{
    kv_message_t message = {0};
    CHECK_INT(
        kv_message_fill(&message, type, key, strlen(key), value, strlen(value)),
        KV_SUCCESS);
    return message;
}

kv_message_t served_call(int fd, int type, const char *key, const char *value)
{
    kv_message_t request = served_request(type, key, value);
    kv_message_t reply = {0};
    served_send(fd, &request, sizeof request);
    REQUIRE(served_receive(fd, &reply, sizeof reply) == sizeof reply);
    CHECK_INT(reply.type, request.type);
    CHECK_BYTES(reply.key, request.key, KV_KEY_SIZE);
    return reply;
}

void served_check_reply(
    const kv_message_t *reply, kv_error_t status, const char *value)
{
    char text[KV_VALUE_MAX + 1] = "";
    REQUIRE(reply->value_len <= KV_VALUE_MAX);
    memcpy(text, reply->value, reply->value_len);
    if (!CHECK_INT(reply->status, status) && status == KV_SUCCESS) {
        CHECK_TEXT(text, "(no error)");
    }
    if (value != NULL) {
        CHECK_TEXT(text, value);
    }
}

void served_check(
    int fd, const kv_message_t *request, kv_error_t status, const char *value)
{
    kv_message_t reply = {0};
    served_send(fd, request, sizeof *request);
    REQUIRE(served_receive(fd, &reply, sizeof reply) == sizeof reply);
    CHECK_INT(reply.type, request->type);
    CHECK_BYTES(reply.key, request->key, KV_KEY_SIZE);
    served_check_reply(&reply, status, value);
}

void served_check_alive(int fd)
{
    kv_message_t ping = served_request(KV_PING, "", "alive");
    served_check(fd, &ping, KV_SUCCESS, "alive");
}

uint64_t served_figure(int fd, const char *name)
{
    kv_message_t row = served_request(KV_STATS, "", "");
    uint64_t figure = UINT64_MAX;
    served_send(fd, &row, sizeof row);
    do {
        REQUIRE(served_receive(fd, &row, sizeof row) == sizeof row);
        CHECK_INT(row.type, KV_STATS);
        int64_t number;
        bool overflow;
        if (strncmp((const char *)row.key, name, KV_KEY_SIZE) == 0 &&
            decimal_parse(row.value, row.value_len, &number, &overflow)) {
            figure = (uint64_t)number;
        }
    } while (row.status == KV_SUCCESS);
    CHECK_INT(row.status, KV_END);
    return figure;
}

void served_await_figure(int fd, const char *name, uint64_t value)
{
    int64_t limit = clock_steady_ms() + SERVED_WAIT_MS;
    uint64_t figure = served_figure(fd, name);
    while (figure != value && clock_steady_ms() < limit) {
        (void)sched_yield();
        figure = served_figure(fd, name);
    }
    CHECK_U64(figure, value);
}
