/* dialog.h: a client of the Redis protocol that is nothing but a socket to a
 * server of served.h: what is sent is what the test says, and what comes back
 * must be what it says. */
#ifndef DIALOG_H
#define DIALOG_H

#include "buffer.h"
#include "served.h"

enum {
    DIALOG_LINE_MAX = 300,
    DIALOG_LARGE = 16384 /* a bit more than one MGET may ask for */
};

void dialog_say(int fd, const char *requests);
/* The next bytes from fd are exactly these. */
void dialog_next(int fd, const char *expected);
/* Both. */
void dialog_ask(int fd, const char *requests, const char *expected);
/* The next line; its end is cut off. */
void dialog_receive(int fd, char *line, size_t room);
/* The next line holds these words. */
void dialog_line(int fd, const char *words);

/* Bytes that grow. */
struct buffer dialog_text(void);
void dialog_add(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Sends all while it takes what comes; the replies must be these. */
void dialog_exchange(
    int fd, const struct buffer *requests, const struct buffer *expected);

/* Sets some keys to values of the largest size. */
void dialog_fill(int fd);
/* An MGET of count such values. */
void dialog_add_mget(struct buffer *requests, int count);
/* Takes its reply, or an error.  Returns how many values came. */
int dialog_take_mget(int fd);

#endif
