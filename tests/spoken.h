/* spoken.h: a client of the Redis protocol that is nothing but a socket: a line
 * goes out, a whole reply comes in. */
#ifndef SPOKEN_H
#define SPOKEN_H

#include "served.h"

struct spoken {
    int fd;
    size_t size;
    size_t room;
    char *text; /* of the last reply, a zero behind it */
};

void spoken_dial(struct spoken *spoken, const struct served *served);
/* Closes, and frees the last reply. */
void spoken_close(struct spoken *spoken);

/* Sends an inline request, or several with a line feed between them, and does
 * not wait. */
void spoken_send(struct spoken *spoken, const char *line);
/* The next reply, every CR LF but the last a blank: "+OK", "$1 a".  It lives
 * until the next call. */
const char *spoken_hear(struct spoken *spoken);
/* Both. */
const char *spoken_ask(struct spoken *spoken, const char *line);

#endif
