/* tabled.h: a table of the test's own, with the records of samples.h. */
#ifndef TABLED_H
#define TABLED_H

#include "samples.h"
#include "support.h"
#include "table/table.h"

/* Its secret follows from the seed of the run. */
struct table *tabled_create(uint64_t capacity, uint32_t spare);

/* Publishes a new record.  True if there was none with this number. */
bool tabled_put(
    struct table *table, uint64_t number, uint64_t version, int64_t expire_ms);
bool tabled_remove(struct table *table, uint64_t number);
uint64_t tabled_hash(const struct table *table, uint64_t number);

enum tabled_state { TABLED_ABSENT, TABLED_PRESENT, TABLED_WRONG };

/* Looks the record up as a reader does, prefetching first; from any thread.
 * WRONG: there is one, but its value is not that of the number. */
enum tabled_state tabled_get(
    struct table *table, uint64_t number, uint64_t *version);
/* The same as the committing thread does. */
enum tabled_state tabled_find(
    struct table *table, uint64_t number, uint64_t *version);

/* Fills numbers with count ones, from *next on, whose hash ends in the bits of
 * ending that mask names.  *next: where to go on looking. */
struct tabled_ending {
    uint64_t mask;
    uint64_t bits;
    uint64_t next;
};
void tabled_choose(const struct table *table, struct tabled_ending *ending,
    uint64_t *numbers, uint32_t count);

#endif
