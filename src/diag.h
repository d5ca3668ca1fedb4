/* diag.h: lines for people, on standard error.  Not the log.
 *
 *     2026-01-31 12:00:00.123 backup: LSN 1200, 5000000 records in 1.2 s
 *
 * The time is left out where the service manager writes its own.
 *
 * Who has others to serve does not wait until somebody reads its lines: with
 * drops set, a line that the stream does not take at once is dropped, and the
 * next one that it takes is preceded by how many there were.  The descriptor
 * stays as it is, for others may share it; so where another process fills the
 * same pipe between the question and the write, the write still waits. */
#ifndef DIAG_H
#define DIAG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct diag {
    int verbose;  /* KV_VERBOSE: 0, 1, 2; -1: no progress either */
    bool drops;   /* lines, rather than wait */
    FILE *stream; /* NULL: nothing is printed */
    /* A word before each line in place of the time, none if it is empty;
     * NULL: the time. */
    const char *name;
    _Atomic uint64_t dropped; /* lines not told of; under the stream's lock */
};

/* Prints to stderr, with the time unless JOURNAL_STREAM is set. */
void diag_init(struct diag *diag, int verbose);
/* One line, always; from any thread; diag may be NULL: nothing. */
void diag_line(struct diag *diag, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One line if verbose is at least level. */
void diag_verbose(struct diag *diag, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One line, for which it waits a second at most if drops is set; then the
 * process ends with status 1. */
void diag_fatal(struct diag *diag, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

#endif
