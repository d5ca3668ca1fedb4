/* history.h: what the clients of a recorded server sent and were
 * answered, and whether the cells that an image shows fit to it. */
#ifndef POWER_HISTORY_H
#define POWER_HISTORY_H

#include "crash_writer.h"
#include "torture/power/trace.h"

enum { POWER_WRITERS = 4 };

/* The numbers of all cells, by writer. */
struct power_cells {
    int64_t of[POWER_WRITERS][CRASH_CELLS];
};

struct power_history;

/* NULL without memory.  Points into the trace. */
struct power_history *power_history_create(const struct power_trace *trace);
void power_history_destroy(struct power_history *history);

struct power_verdict {
    uint64_t lost;   /* requests that must be there and are not */
    bool strange;    /* the cells are as no first n requests make them */
    bool disordered; /* a request is there, and not one that was answered
                        before that one was sent */
    int64_t age_ns;  /* of the oldest answer whose request is not there */
};

/* What the cells say at a point of the trace, where all that was answered
 * before `settled` must be there. */
void power_history_judge(const struct power_history *history, uint64_t position,
    uint64_t settled, const struct power_cells *found,
    struct power_verdict *verdict);
/* The event before which a backup says that all is durable: where the last one
 * was asked for that was written before the position; 0: none. */
uint64_t power_history_backed_up(
    const struct power_history *history, uint64_t position);

#endif
