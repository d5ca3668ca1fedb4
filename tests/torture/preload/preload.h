/* preload.h: a library that is loaded into the server (LD_PRELOAD) and sees all
 * that it does to the files of its data directory.
 *
 * preload.c stands in the place of the C library's calls; what is done with
 * them is the sink's, of which each library has one: power.c writes
 * them down, nth.c ends the process in one of them.
 *
 *  1. A call to disk that is not in DISK_MAP ends the process with a line.
 *  2. Calls that change names come one at a time, from before the call until
 *     after it; all others as the threads make them. */
#ifndef PRELOAD_H
#define PRELOAD_H

#include <stdbool.h>
#include <stdint.h>

/* The directory whose files are meant, as the server is told it. */
#define PRELOAD_DIRECTORY "PRELOAD_DIRECTORY"

/* openat counts where it may make a file. */
#define DISK_MAP(X)                                                            \
    X(openat)                                                                  \
    X(pwrite)                                                                  \
    X(fallocate)                                                               \
    X(ftruncate)                                                               \
    X(fdatasync)                                                               \
    X(fsync)                                                                   \
    X(renameat)                                                                \
    X(unlinkat)

enum disk_kind {
#define X(name) DISK_##name,
    DISK_MAP(X)
#undef X
        DISK_KINDS
};

/* The numbers that stand for files in calls. */
enum { DISK_NO_FILE, DISK_DIRECTORY, DISK_FIRST_FILE };

struct disk_call {
    enum disk_kind kind;
    uint32_t file;    /* what the sink said when it was opened */
    const char *name; /* openat, renameat, unlinkat */
    const char *to;   /* renameat */
    const void *bytes;
    uint64_t size;
    uint64_t offset;
    uint64_t begun; /* the sink's */
    bool makes;     /* openat: with O_CREAT */
    bool created;   /* openat: the name was not there */
    bool emptied;   /* openat: with O_TRUNC */
};

/* When the library is loaded. */
void sink_start(void);
/* False: the call is not made, and says that it succeeded. */
bool sink_before(struct disk_call *call);
/* result: of the call, -1 if it failed.  Of openat: the number of the file. */
uint32_t sink_after(const struct disk_call *call, int64_t result);

/* Ends the process with a line. */
_Noreturn void preload_end(const char *what, const char *more);

#endif
