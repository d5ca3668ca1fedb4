/* progress.h: one line that tells how far a command has come, drawn over itself
 * on a terminal; elsewhere nothing.
 *
 *     import [==========>            ]  45%  450000 records, 312000/s, 2 s left
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    const char *name;
    uint64_t total;   /* what done comes to; 0: nobody knows */
    int64_t begin_ms; /* of the steady clock */
    int64_t due_ms;   /* the next drawing */
    bool shown;       /* standard error is a terminal */
    bool drawn;
};

struct progress_state {
    uint64_t done; /* of the total */
    uint64_t records;
    int64_t elapsed_ms;
};

enum { PROGRESS_COLUMNS_MAX = 200 };

/* name lives as long as progress does. */
void progress_begin(
    struct progress *progress, const char *name, uint64_t total, bool wanted);
/* Draws, five times a second at most. */
void progress_show(struct progress *progress, uint64_t done, uint64_t records);
/* Clears the line, so that something else may be printed. */
void progress_clear(struct progress *progress);
/* Milliseconds since it began. */
int64_t progress_elapsed_ms(const struct progress *progress);

/* Records a second. */
uint64_t progress_rate(uint64_t records, int64_t elapsed_ms);

/* Writes the line, columns characters at most, without a zero byte in them;
 * columns at most PROGRESS_COLUMNS_MAX. */
void progress_line(const struct progress *progress,
    const struct progress_state *state, size_t columns,
    char text[PROGRESS_COLUMNS_MAX + 1]);

#endif
