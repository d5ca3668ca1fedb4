#include "talk.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp.h"

enum { WORD_MAX = 512, COMMAND_MAX = 2048 };

bool talk_open(struct talk *talk, uint16_t port)
{
    *talk = (struct talk){.fd = tcp_dial(port)};
    return talk->fd >= 0;
}

void talk_close(struct talk *talk)
{
    if (talk->fd >= 0) {
        (void)close(talk->fd);
    }
    free(talk->out);
    free(talk->line);
    talk->fd = -1;
    talk->out = NULL;
    talk->line = NULL;
}

/* ---- Asking -------------------------------------------------------------- */

static void add(struct talk *talk, const char *bytes, size_t size)
{
    if (talk->size + size > talk->room) {
        talk->room = 2 * (talk->size + size);
        talk->out = realloc(talk->out, talk->room);
        assert(talk->out != NULL);
    }
    memcpy(talk->out + talk->size, bytes, size);
    talk->size += size;
}

void talk_command(struct talk *talk, size_t words)
{
    char head[32];
    int length = snprintf(head, sizeof head, "*%zu\r\n", words);
    add(talk, head, (size_t)length);
}

static void add_word(struct talk *talk, const char *word, size_t size)
{
    char head[32];
    int length = snprintf(head, sizeof head, "$%zu\r\n", size);
    add(talk, head, (size_t)length);
    add(talk, word, size);
    add(talk, "\r\n", 2);
}

void talk_word(struct talk *talk, const char *format, ...)
{
    char word[WORD_MAX];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(word, sizeof word, format, list);
    va_end(list);
    assert(length >= 0 && (size_t)length < sizeof word);
    add_word(talk, word, (size_t)length);
}

__attribute__((format(printf, 2, 0))) static void say(
    struct talk *talk, const char *format, va_list list)
{
    char command[COMMAND_MAX];
    int length = vsnprintf(command, sizeof command, format, list);
    assert(length >= 0 && (size_t)length < sizeof command);
    size_t words = 1;
    for (int i = 0; i < length; i++) {
        words += command[i] == ' ' ? 1 : 0;
    }
    talk_command(talk, words);
    for (const char *word = command; words > 0; words--) {
        size_t size = strcspn(word, " ");
        add_word(talk, word, size);
        word += size + 1;
    }
}

void talk_say(struct talk *talk, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say(talk, format, list);
    va_end(list);
}

bool talk_send(struct talk *talk)
{
    size_t size = talk->size;
    talk->size = 0;
    return size == 0 || tcp_send(talk->fd, talk->out, size);
}

/* ---- Replies ------------------------------------------------------------- */

static void put(struct talk *talk, const char *bytes, size_t size)
{
    if (talk->length + size + 1 > talk->line_room) {
        talk->line_room = 2 * (talk->length + size + 1);
        talk->line = realloc(talk->line, talk->line_room);
        assert(talk->line != NULL);
    }
    memcpy(talk->line + talk->length, bytes, size);
    talk->length += size;
    talk->line[talk->length] = '\0';
}

/* The next byte; -1 if there is none. */
static int next(struct talk *talk)
{
    if (talk->used == talk->filled) {
        ssize_t got;
        do {
            got = recv(talk->fd, talk->in, sizeof talk->in, 0);
        } while (got < 0 && errno == EINTR);
        talk->used = 0;
        talk->filled = got > 0 ? (size_t)got : 0;
        if (talk->filled == 0) {
            return -1;
        }
    }
    return (unsigned char)talk->in[talk->used++];
}

/* A line without its end; false if it does not come. */
static bool read_line(struct talk *talk, char line[WORD_MAX])
{
    size_t length = 0;
    int byte;
    while ((byte = next(talk)) >= 0 && byte != '\n') {
        if (length + 1 < WORD_MAX) {
            line[length++] = (char)byte;
        }
    }
    line[length] = '\0';
    if (length > 0) {
        line[length - 1] = '\0';
    }
    return byte == '\n';
}

static bool read_value(struct talk *talk, int64_t size)
{
    put(talk, "$", 1);
    for (int64_t i = 0; i < size + 2; i++) {
        int byte = next(talk);
        char c = (char)byte;
        if (byte < 0) {
            return false;
        }
        put(talk, &c, i < size ? 1 : 0);
    }
    return true;
}

/* One reply, of an array its head alone; *more: members that follow. */
static bool read_one(struct talk *talk, int64_t *more)
{
    char line[WORD_MAX];
    if (!read_line(talk, line)) {
        return false;
    }
    bool sized = line[0] == '$' || line[0] == '*' || line[0] == '~';
    int64_t size = sized ? strtoll(line + 1, NULL, 10) : 0;
    if (sized && size < 0) {
        put(talk, "_", 1);
        return true;
    }
    if (line[0] == '$') {
        return read_value(talk, size);
    }
    *more += size;
    put(talk, line, strlen(line));
    return true;
}

const char *talk_reply(struct talk *talk)
{
    int64_t more = 1;
    talk->length = 0;
    put(talk, "", 0);
    while (more > 0) {
        put(talk, " ", talk->length > 0 ? 1 : 0);
        more--;
        if (!read_one(talk, &more)) {
            return NULL;
        }
    }
    return talk->line;
}

const char *talk_ask(struct talk *talk, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say(talk, format, list);
    va_end(list);
    return talk_send(talk) ? talk_reply(talk) : NULL;
}
