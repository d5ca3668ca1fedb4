/* transfer.h: the frame of `client export` and `client import`: all records
 * into a file that other programs read, and back.
 *
 *     transfer.c   options
 *     export.c     records into a file
 *     import.c     a file into records: what is read, counted, told
 *     sender.c     items on their way to the server
 *     resume.c     how far an import came
 *     format.c     items as bytes: json.c, csv.c
 *     item.c       a record as it stands in a file
 *     text.c       UTF-8 and base64
 *     input.c, output.c, beside.c    files
 *     signals.c    what ends it early
 *     progress.c   a line on the terminal
 *
 * 1. Memory is taken at start, and does not grow with the file.
 * 2. Both hold a signal (SIGINT, SIGTERM) back until what they are about is in
 *    order; an export into a pipe, which leaves nothing behind, does not. */
#ifndef TRANSFER_H
#define TRANSFER_H

#include "client_program.h"
#include "client_transfer/format.h"

enum {
    TRANSFER_MESSAGES_MAX = 1024, /* of one exchange */
    /* While the server says that it is busy, or that it cannot write: */
    TRANSFER_WAIT_MS = 200,
    TRANSFER_WAITS_MAX = 150 /* 30 seconds */
};

struct transfer_settings {
    const char *format;
    const char *prefix;
    const char *resume_file;
    bool resume;
    bool dry_run;
    bool keep_existing;
};

/* Each returns the exit status. */
int transfer_export(struct program *program, const char *path,
    const struct transfer_settings *settings, enum format_kind kind);
int transfer_import(struct program *program, const char *path,
    const struct transfer_settings *settings, enum format_kind kind);

/* Blocks SIGINT and SIGTERM; returns a descriptor that has them, or -errno. */
int transfer_signals(void);
/* Waits so long; true, at once, if a signal came. */
bool transfer_pause(int signals, int wait_ms);

#endif
