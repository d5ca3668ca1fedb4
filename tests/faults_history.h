/* faults_history.h: what was asked of a store, in order: after a loss of power
 * it must be as after some beginning of that, and not before the end of what
 * was promised to be durable. */
#ifndef FAULTS_HISTORY_H
#define FAULTS_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

enum { HISTORY_MAX = 1000, HISTORY_CELLS_MAX = 80 };

struct history {
    int64_t base[HISTORY_CELLS_MAX]; /* the cells' numbers at first */
    uint32_t cells;
    struct asked {
        uint32_t cell;
        int64_t number;
        bool linked; /* with the next one: all or none */
    } asked[HISTORY_MAX];
    uint32_t count; /* asked */
    uint32_t acknowledged;
    uint32_t durable;
};

/* Begins with cells as they are. */
void history_begin(struct history *history, uint32_t cells);
/* What does not fit is left out: then nothing may be asked of the history. */
void history_ask(
    struct history *history, uint32_t cell, int64_t number, bool linked);
/* True if the numbers are those at first after at least so many of what was
 * asked, chains whole. */
bool history_matches(
    const struct history *history, const int64_t *numbers, uint32_t least);

#endif
