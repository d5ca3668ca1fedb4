/* crash_writer.h: a connection that writes, and the journal of what it sent and
 * what was acknowledged.
 *
 * Each writer has cells of its own: keys whose values stand for numbers.  It
 * sends many requests ahead and knows every answer beforehand, since nobody
 * else writes there.  When the connection is lost, some requests have no
 * answer.  Then the server must show the cells as they are after all that was
 * acknowledged and the first n of the others, for some n: a connection's
 * requests take effect in their order, each as a whole or not at all. */
#ifndef CRASH_WRITER_H
#define CRASH_WRITER_H

#include "kv_store.h"
#include "support.h"

enum {
    CRASH_SINGLES = 1500, /* cells for PUT and DELETE */
    CRASH_GROUPS = 60,    /* of cells that are written by chains */
    CRASH_GROUP = 3,
    CRASH_SUMS = 20, /* cells for ADD */
    CRASH_CELLS = CRASH_SINGLES + CRASH_GROUPS * CRASH_GROUP + CRASH_SUMS,
    CRASH_ABSENT = -1,
    CRASH_BURST = 32,      /* requests or chains sent at once, at the most */
    CRASH_BURST_MAX = 192, /* what that may be set to */
    CRASH_AHEAD = 2        /* bursts that may wait when one more is sent */
};

enum crash_kind {
    CRASH_PUT,
    CRASH_DELETE,
    CRASH_ADD,
    CRASH_GET,
    CRASH_CHAIN, /* an EXPECT or EXPECT_ABSENT, and a PUT for each cell */
    CRASH_FAIL,  /* a PUT and an EXPECT that does not hold: nothing happens */
    CRASH_KINDS
};

struct crash_request {
    enum crash_kind kind;
    uint32_t cell;   /* the first */
    int64_t before;  /* its number before */
    int64_t number;  /* afterwards; ADD: the sum */
    uint32_t length; /* messages */
};

struct crash_writer {
    uint32_t number;
    /* Is told of each request before it is sent, and when all of it was
     * answered; may be NULL. */
    void (*tell)(
        void *context, const struct crash_request *request, bool answered);
    void *context;
    uint32_t burst; /* requests sent at once */
    struct test_random random;
    int64_t last;              /* number given out */
    int64_t sent[CRASH_CELLS]; /* after all that was sent */
    int64_t sure[CRASH_CELLS]; /* after all that was acknowledged */
    struct crash_request waiting[(CRASH_AHEAD + 1) * CRASH_BURST_MAX];
    uint32_t waiting_count;
    uint32_t answers; /* messages of the first one that were answered */
    uint64_t acknowledged;
    bool complained;
};

/* A writer whose cells are all absent. */
void crash_writer_init(
    struct crash_writer *writer, uint32_t number, uint64_t seed);

/* Writes until the connection ends. */
void crash_writer_run(struct crash_writer *writer, uint16_t port);

/* Reads all cells and compares them with the journal; what is there is sure
 * from then on.  Returns how many records there are.  Complaints are printed,
 * and noted in the writer. */
uint64_t crash_writer_check(struct crash_writer *writer, uint16_t port);

/* Takes the cells as they are for what the writer has written. */
void crash_writer_adopt(struct crash_writer *writer, uint16_t port);

/* What the request makes of the cells. */
void crash_request_apply(
    const struct crash_request *request, int64_t cells[CRASH_CELLS]);
/* A GET of a cell of this writer. */
void crash_get_fill(kv_message_t *message, uint32_t writer, uint32_t cell);
/* The number that the reply to it shows; false if it stands for none. */
bool crash_get_read(const kv_message_t *reply, uint32_t cell, int64_t *number);

/* The cell that a key names: of which writer, and its number; false if none. */
bool crash_key_parse(
    const uint8_t key[KV_KEY_SIZE], uint32_t *writer, uint32_t *cell);

#endif
