/* writer.h: a connection that changes collections of its own, alone and within
 * transactions, and the journal of what it sent and what was acknowledged.
 *
 * It sends ahead and knows every reply beforehand, since nobody else writes
 * there.  After the connection is lost, the keys must be as they are after all
 * that was acknowledged and the first n of the other units, for some n. */
#ifndef TORTURE_COLLECTIONS_WRITER_H
#define TORTURE_COLLECTIONS_WRITER_H

#include "torture/collections/world.h"

enum { UNIT_STEPS_MAX = 5, WRITER_BURST = 16, WRITER_AHEAD = 2 };
enum { WRITER_WAITING_MAX = WRITER_BURST * (WRITER_AHEAD + 1) };

/* One command, or a transaction. */
struct unit {
    bool multi;
    uint32_t count;
    struct world_step steps[UNIT_STEPS_MAX];
    struct world_text text; /* of all its replies, one a line */
};

struct writer {
    uint32_t number;
    bool alone; /* nobody else uses the server: it may flush it */
    struct test_random random;
    int64_t last;      /* number given out */
    struct world sent; /* after all that was sent */
    struct world sure; /* after all that was acknowledged */
    struct unit waiting[WRITER_WAITING_MAX];
    uint32_t waiting_count;
    struct world_step drawing; /* an SPOP that has no reply yet, if count > 0 */
    uint64_t acknowledged;     /* units */
    uint64_t transactions;     /* of these */
    bool complained;
};

void writer_init(struct writer *writer, uint32_t number, uint64_t seed);
void writer_free(struct writer *writer);
/* Writes until the connection ends. */
void writer_run(struct writer *writer, uint16_t port);

/* What the checker is to be told wrongly, so that it is seen to find it. */
enum writer_plant {
    PLANT_NOTHING,
    PLANT_LOST,  /* something acknowledged is missing */
    PLANT_HALF,  /* half of a transaction */
    PLANT_TWICE, /* an element is there twice */
    WRITER_PLANTS
};
/* Reads all keys and compares them with the journal; what is there is sure from
 * then on; where they cannot be read, all stays as it was. */
void writer_check(
    struct writer *writer, uint16_t port, enum writer_plant plant);

#endif
