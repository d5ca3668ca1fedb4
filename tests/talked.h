/* talked.h: connections of the Redis protocol over an engine of the test's own,
 * served turn by turn as a worker would, in one thread: what they send in one
 * turn stands in one batch.  The memory that a turn used is freed behind it, so
 * that sanitizers find what is used too late. */
#ifndef TALKED_H
#define TALKED_H

#include "buffer.h"
#include "conn/conn.h"
#include "storage/storage.h"
#include "support.h"

enum { TALKERS_MAX = 8 };

struct talker {
    struct conn *conn; /* NULL: it was closed */
    int peer;
    struct buffer replies; /* not yet looked at */
    uint8_t *bytes;        /* of this turn */
    uint32_t first;        /* its operations */
    uint32_t count;
};

struct talked {
    struct storage *storage;
    struct storage_options options;
    struct diag diag;
    struct batch *batch;
    struct resp_arg *args;
    struct buffer lone;
    struct talker talkers[TALKERS_MAX];
    unsigned count;
    uint32_t replies_max; /* bytes of a batch */
    char *text;           /* of the last reply */
};

/* As called_open. */
void talked_open(
    struct talked *talked, const char *directory, uint64_t capacity);
/* Closes the engine, with a backup if one is wanted, and opens it again; the
 * connections stay. */
void talked_reopen(struct talked *talked, bool backup);
void talked_close(struct talked *talked);

struct talker *talked_dial(struct talked *talked);
/* The peer closes. */
void talked_hang_up(struct talker *talker);

/* Sends; the socket must have room for it. */
void talked_send(struct talker *talker, const void *bytes, size_t size);
/* One turn: all talkers are served once.  True if one of them is to be served
 * again at once. */
bool talked_turn(struct talked *talked);
/* What talker has got since it was last asked, every CR LF but the last a
 * blank; it lives until the next call. */
const char *talked_replies(struct talked *talked, struct talker *talker);

/* Sends, part by part if it is much, takes turns until all is answered, and
 * returns what came for it. */
const char *talk(
    struct talked *talked, struct talker *talker, const char *requests);
void talk_bytes(struct talked *talked, struct talker *talker, const void *bytes,
    size_t size);

#endif
