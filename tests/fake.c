#include "fake.h"

#include "support.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_SIZE = 8192 };

/* A socket bound to a port of the loopback interface that the kernel chose. */
static int bind_port(int *port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    REQUIRE(bind(fd, (struct sockaddr *)&address, size) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

int fake_closed_port(int *fd)
{
    int port;
    *fd = bind_port(&port);
    return port;
}

/* False when the peer has closed. */
static bool read_request(struct fake *fake, int fd, kv_message_t *request)
{
    ssize_t size;
    do {
        size = recv(fd, request, sizeof *request, MSG_WAITALL);
    } while (size < 0 && errno == EINTR);
    fake->requests += size == sizeof *request ? 1 : 0;
    return size == sizeof *request;
}

/* The peer may have gone: the next read will tell. */
static void put_bytes(int fd, const void *bytes, size_t size)
{
    size_t sent = 0;
    while (sent < size) {
        ssize_t part =
            send(fd, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
        if (part < 0 && errno != EINTR) {
            return;
        }
        sent += part < 0 ? 0 : (size_t)part;
    }
}

static void set_value(kv_message_t *reply, const char *value)
{
    memset(reply->value, 0, sizeof reply->value);
    reply->value_len = (uint16_t)strlen(value);
    memcpy(reply->value, value, reply->value_len);
}

static void send_stream(int fd, const kv_message_t *request)
{
    kv_message_t row = *request;
    set_value(&row, "42");
    for (unsigned i = 1; i <= FAKE_ROWS; i++) {
        row.key[KV_KEY_SIZE - 1] = (uint8_t)i;
        put_bytes(fd, &row, sizeof row);
    }
    kv_message_t end = *request;
    set_value(&end, "cursor");
    end.status = KV_END;
    put_bytes(fd, &end, sizeof end);
}

static void answer(int fd, kv_message_t *message)
{
    int type = message->type & ~KV_LINKED;
    if (message->key[0] == '!') {
        message->status = KV_NOT_FOUND;
        set_value(message, "not here");
    } else if (type == KV_SCAN || type == KV_STATS) {
        send_stream(fd, message);
        return;
    } else if (type == KV_GET) {
        set_value(message, "value");
    } else if (type == KV_TTL || type == KV_ADD || type == KV_COUNT ||
               type == KV_BACKUP) {
        set_value(message, "42");
    } else if (type != KV_PING) {
        set_value(message, "");
    }
    put_bytes(fd, message, sizeof *message);
}

/* One request, answered in a wrong way. */
static void answer_wrong(int fd, enum fake_act act, kv_message_t *message)
{
    static const char foreign[] = "-ERR unknown command\r\n";
    set_value(message, "");
    if (act == FAKE_FOREIGN) {
        put_bytes(fd, foreign, sizeof foreign - 1);
        return;
    }
    if (act == FAKE_HALF) {
        put_bytes(fd, message, sizeof *message / 2);
        return;
    }
    if (act == FAKE_TWICE) {
        kv_message_t both[] = {*message, *message};
        put_bytes(fd, both, sizeof both);
        return;
    }
    if (act == FAKE_ENDLESS) {
        for (int i = 0; i <= KV_SCAN_MAX; i++) {
            put_bytes(fd, message, sizeof *message);
        }
        return;
    }
    message->key[0] ^= act == FAKE_KEY ? 1 : 0;
    message->type ^= act == FAKE_TYPE ? 1 : 0;
    message->value_len = act == FAKE_LENGTH ? KV_VALUE_MAX + 1 : 0;
    put_bytes(fd, message, sizeof *message);
}

static void refuse(int fd, kv_message_t message)
{
    message.status = KV_BUSY;
    set_value(&message, "too many friends");
    put_bytes(fd, &message, sizeof message);
}

/* Reads what comes until the peer closes. */
static void drain(int fd)
{
    char bytes[BUFFER_SIZE];
    ssize_t size;
    do {
        size = recv(fd, bytes, sizeof bytes, 0);
    } while (size > 0 || (size < 0 && errno == EINTR));
}

static void close_by_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void play_step(struct fake *fake, const struct fake_step *step, int fd)
{
    kv_message_t message;
    if (step->act == FAKE_BUSY) {
        refuse(fd, (kv_message_t){0});
        return;
    }
    for (unsigned i = 0; i < step->after; i++) {
        if (!read_request(fake, fd, &message)) {
            return;
        }
        answer(fd, &message);
    }
    if (step->act == FAKE_LEAVE) {
        return;
    }
    if (step->act == FAKE_LIMIT && read_request(fake, fd, &message)) {
        refuse(fd, message);
    }
    while (read_request(fake, fd, &message)) {
        switch (step->act) {
        case FAKE_ANSWER:
        case FAKE_LIMIT:
            answer(fd, &message);
            break;
        case FAKE_PIECES:
            for (size_t i = 0; i < sizeof message; i++) {
                put_bytes(fd, (const char *)&message + i, 1);
            }
            break;
        case FAKE_SILENT:
            break;
        case FAKE_RESET:
            close_by_reset(fd);
            return;
        case FAKE_CLOSE:
            return;
        case FAKE_HALF:
            answer_wrong(fd, step->act, &message);
            return;
        default:
            answer_wrong(fd, step->act, &message);
            drain(fd);
            return;
        }
    }
}

static void *play(void *context)
{
    struct fake *fake = context;
    for (size_t i = 0; i < fake->steps_count; i++) {
        int fd;
        do {
            fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);
        } while (fd < 0 && errno == EINTR);
        if (fd < 0) {
            break;
        }
        fake->connections++;
        if (i + 1 == fake->steps_count) {
            (void)close(fake->listener);
        }
        play_step(fake, &fake->steps[i], fd);
        (void)close(fd);
    }
    return NULL;
}

void fake_start(
    struct fake *fake, const struct fake_step *steps, size_t steps_count)
{
    /* Small buffers: they fill before the client has sent all. */
    int size = BUFFER_SIZE;
    REQUIRE(steps_count > 0 && steps_count <= FAKE_STEPS_MAX);
    *fake = (struct fake){.steps_count = steps_count};
    memcpy(fake->steps, steps, steps_count * sizeof *steps);
    fake->listener = bind_port(&fake->port);
    REQUIRE(setsockopt(fake->listener, SOL_SOCKET, SO_RCVBUF, &size,
                sizeof size) == 0);
    REQUIRE(setsockopt(fake->listener, SOL_SOCKET, SO_SNDBUF, &size,
                sizeof size) == 0);
    REQUIRE(listen(fake->listener, 1) == 0);
    REQUIRE(pthread_create(&fake->thread, NULL, play, fake) == 0);
}

void fake_end(struct fake *fake)
{
    REQUIRE(pthread_join(fake->thread, NULL) == 0);
}
