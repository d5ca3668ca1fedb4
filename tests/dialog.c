#include "dialog.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { NAMES = 256 /* keys of a large MGET are these, again and again */ };

void dialog_next(int fd, const char *expected)
{
    size_t size = strlen(expected);
    char *text = calloc(1, size + 1);
    REQUIRE(text != NULL);
    size_t received = served_receive(fd, text, size);
    if (received != size || memcmp(text, expected, size) != 0) {
        text[received < DIALOG_LINE_MAX ? received : DIALOG_LINE_MAX] = '\0';
        CHECK_TEXT(text, expected);
    } else {
        CHECK(true);
    }
    free(text);
}

void dialog_say(int fd, const char *requests)
{
    served_send(fd, requests, strlen(requests));
}

void dialog_ask(int fd, const char *requests, const char *expected)
{
    dialog_say(fd, requests);
    dialog_next(fd, expected);
}

void dialog_receive(int fd, char *line, size_t room)
{
    size_t length = 0;
    while (length + 1 < room && served_receive(fd, line + length, 1) == 1 &&
           line[length] != '\n') {
        length++;
    }
    line[length > 0 && line[length - 1] == '\r' ? length - 1 : length] = '\0';
}

void dialog_line(int fd, const char *words)
{
    char line[DIALOG_LINE_MAX + 1];
    dialog_receive(fd, line, sizeof line);
    if (strstr(line, words) == NULL) {
        CHECK_TEXT(line, words);
    } else {
        CHECK(true);
    }
}

void dialog_add(struct buffer *buffer, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    REQUIRE(length >= 0 && (size_t)length < sizeof text);
    REQUIRE(buffer_append(buffer, text, (size_t)length));
}

struct buffer dialog_text(void)
{
    return (struct buffer){.max = 64 << 20};
}

void dialog_exchange(
    int fd, const struct buffer *requests, const struct buffer *expected)
{
    size_t sent = 0;
    size_t received = 0;
    uint8_t *got = malloc(expected->size + 1);
    REQUIRE(got != NULL);
    while (received < expected->size) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        wait.events |= sent < requests->size ? POLLOUT : 0;
        REQUIRE(poll(&wait, 1, SERVED_WAIT_MS) == 1);
        if ((wait.revents & POLLOUT) != 0) {
            ssize_t part = send(fd, requests->bytes + sent,
                requests->size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            sent += part > 0 ? (size_t)part : 0;
        }
        if ((wait.revents & POLLIN) != 0) {
            ssize_t part =
                recv(fd, got + received, expected->size - received, 0);
            REQUIRE(part > 0);
            received += (size_t)part;
        }
    }
    CHECK_BYTES(got, expected->bytes, expected->size);
    free(got);
}

void dialog_fill(int fd)
{
    struct buffer requests = dialog_text();
    struct buffer expected = dialog_text();
    for (int i = 0; i < NAMES; i++) {
        dialog_add(&requests, "SET k%d %0*d\r\n", i, KV_VALUE_MAX, i);
        dialog_add(&expected, "+OK\r\n");
    }
    dialog_exchange(fd, &requests, &expected);
    buffer_free(&requests);
    buffer_free(&expected);
}

void dialog_add_mget(struct buffer *requests, int count)
{
    dialog_add(requests, "*%d\r\n$4\r\nMGET\r\n", count + 1);
    for (int i = 0; i < count; i++) {
        char key[16];
        int length = snprintf(key, sizeof key, "k%d", i % NAMES);
        dialog_add(requests, "$%d\r\n%s\r\n", length, key);
    }
}

int dialog_take_mget(int fd)
{
    char line[DIALOG_LINE_MAX + 1];
    dialog_receive(fd, line, sizeof line);
    if (line[0] != '*') {
        CHECK_INT(line[0], '-');
        return 0;
    }
    int count = (int)strtol(line + 1, NULL, 10);
    size_t size = (size_t)count * (KV_VALUE_MAX + sizeof "$256\r\n\r\n" - 1);
    char *values = malloc(size);
    REQUIRE(values != NULL);
    CHECK_U64(served_receive(fd, values, size), size);
    CHECK_BYTES(values, "$256\r\n", 6);
    free(values);
    return count;
}
