/* fake.h: a server that does what a script says, for the tests of the client:
 * it answers, or fails in one of the ways in which servers and networks fail.
 *
 * Each step of the script is one connection, from its accept to its close.
 * After the last step nobody listens any more.  The counts are the test's to
 * read after fake_end. */
#ifndef FAKE_H
#define FAKE_H

#include "kv_store.h"

#include <pthread.h>

/* Messages that are read before something happens; 0: none. */
enum fake_act {
    FAKE_ANSWER,  /* each request, until the peer closes */
    FAKE_CLOSE,   /* after `after` answers, and one more request unanswered */
    FAKE_LEAVE,   /* after `after` answers: closes with nothing outstanding */
    FAKE_RESET,   /* as FAKE_CLOSE, by a reset */
    FAKE_HALF,    /* half of a reply, then closes */
    FAKE_PIECES,  /* each byte of a reply by itself, until the peer closes */
    FAKE_KEY,     /* the reply has another key */
    FAKE_TYPE,    /* another type */
    FAKE_LENGTH,  /* an impossible length */
    FAKE_TWICE,   /* the reply comes two times, at once */
    FAKE_FOREIGN, /* a line of text */
    FAKE_LIMIT,   /* one reply is BUSY; then as FAKE_ANSWER */
    FAKE_BUSY,    /* a refusal, without reading anything */
    FAKE_SILENT,  /* reads until the peer closes, and answers nothing */
    FAKE_ENDLESS  /* a stream without an end */
};

struct fake_step {
    enum fake_act act;
    unsigned after;
};

enum { FAKE_ROWS = 5, FAKE_STEPS_MAX = 8 };

struct fake {
    int listener;
    int port;
    pthread_t thread;
    struct fake_step steps[FAKE_STEPS_MAX];
    size_t steps_count;

    unsigned connections;
    unsigned requests; /* whole ones received */
};

/* The script is copied.  Fatal to the test if it cannot. */
void fake_start(
    struct fake *fake, const struct fake_step *steps, size_t steps_count);
/* Waits until the script has been played to its end: each connection of it must
 * have been made, and what is left open closed. */
void fake_end(struct fake *fake);

/* A port on which nobody listens, held until *fd is closed. */
int fake_closed_port(int *fd);

/* What FAKE_ANSWER says: GET "value"; TTL, ADD, COUNT, BACKUP "42"; PING its
 * echo; SCAN and STATS FAKE_ROWS rows, their keys that of the request with a
 * number in the last byte; others nothing.  A key that begins with '!' is
 * refused: NOT_FOUND, "not here". */

#endif
