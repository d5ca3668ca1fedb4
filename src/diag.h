/* diag.h: lines for people, on standard error.  Not the log.
 *
 *     2026-01-31 12:00:00.123 backup: LSN 1200, 5000000 records in 1.2 s
 *
 * The time is left out where the service manager writes its own. */
#ifndef DIAG_H
#define DIAG_H

#include <stdio.h>

struct diag {
    int verbose;  /* KV_VERBOSE: 0, 1, 2 */
    FILE *stream; /* NULL: nothing is printed */
    /* A word before each line in place of the time, none if it is empty;
     * NULL: the time. */
    const char *name;
};

/* Prints to stderr, with the time unless JOURNAL_STREAM is set. */
void diag_init(struct diag *diag, int verbose);
/* One line, always; from any thread; diag may be NULL: nothing. */
void diag_line(struct diag *diag, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One line if verbose is at least level. */
void diag_verbose(struct diag *diag, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One line, then the process ends with status 1. */
void diag_fatal(struct diag *diag, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

#endif
