/* talk.h: a connection that speaks the Redis protocol: commands as words,
 * replies as one line of words.
 *
 * A reply's line: "+OK", "-ERR text", ":5", "$value", "_" for null, and of an
 * array "*2" and its members behind it, each after a blank.  Values must have
 * no bytes that do not print. */
#ifndef TALK_H
#define TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TALK_BUFFER = 1 << 16 };

struct talk {
    int fd;      /* -1: not connected */
    char *out;   /* what is to be sent */
    size_t size; /* of it */
    size_t room;
    char *line; /* of the last reply */
    size_t length;
    size_t line_room;
    size_t used; /* of in */
    size_t filled;
    char in[TALK_BUFFER];
};

/* False if there is no connection; talk_close may follow either way. */
bool talk_open(struct talk *talk, uint16_t port);
void talk_close(struct talk *talk);

/* Adds a command of that many words, which follow by talk_word. */
void talk_command(struct talk *talk, size_t words);
void talk_word(struct talk *talk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds a command, its words divided by single blanks. */
void talk_say(struct talk *talk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Sends what was added.  False if the connection is lost. */
bool talk_send(struct talk *talk);
/* The next reply's line, which lives until the next call; NULL if the
 * connection is lost. */
const char *talk_reply(struct talk *talk);
/* A command and its reply. */
const char *talk_ask(struct talk *talk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
