/* trace.h: what a server did to its disk, and what its clients were
 * answered, in one order: a file that all of them map.
 *
 *     0       4096  struct power_head
 *     4096          events, each 64 bytes, EVENTS_MAX of them
 *     ...           the bytes that events point at
 *
 * Not what follows from it: disk.h, history.h.
 *
 *  1. An event gets its number by one atomic addition: where one happened
 *     because of another, its number is higher, in whatever process.
 *  2. A write and a sync have two events, before the call and after it has
 *     returned; all others one, after it, and what changes names is under a
 *     lock.
 *  3. A process is killed only while none of its calls is under way, so that it
 *     is known what they did.  (What a kill in the middle of one does is the
 *     row nth's.)  An event that nobody came to fill is a POWER_NOTHING. */
#ifndef POWER_TRACE_H
#define POWER_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the environment of a server that is recorded. */
#define POWER_FILE "POWER_FILE"   /* path of the trace */
#define POWER_PLANT "POWER_PLANT" /* "data", "names": not synced */

enum {
    POWER_EVENTS_MAX = 1 << 20,
    POWER_BYTES_MAX = 1 << 30,
    POWER_EVENT_SIZE = 64
};

enum power_kind {
    POWER_NOTHING,
    POWER_BASE,      /* a file that was there at first; bytes: name, content */
    POWER_OPEN,      /* bytes: name; file: its number from now on */
    POWER_WRITE,     /* file, offset, size, bytes */
    POWER_WRITTEN,   /* of; size: what was written */
    POWER_SIZE,      /* file, size: at least that */
    POWER_CUT,       /* file, size */
    POWER_SYNC,      /* file */
    POWER_SYNCED,    /* file, of */
    POWER_RENAME,    /* bytes: two names */
    POWER_REMOVE,    /* bytes: name */
    POWER_SENT,      /* writer, request */
    POWER_ANSWERED,  /* writer: its oldest request that had no answer */
    POWER_BACKUP,    /* is asked for */
    POWER_BACKED_UP, /* of */
    POWER_START,     /* a server starts: recovery */
    POWER_EPOCH,     /* the clients begin anew; bytes: all cells as found */
    POWER_STOP       /* the server is to stop in an orderly way */
};

enum { POWER_CREATED = 1, POWER_EMPTIED = 2 };

struct power_event {
    _Atomic uint32_t kind;
    uint32_t file;   /* or the writer's number */
    uint32_t flags;  /* OPEN: see above; SENT: the kind of request */
    uint32_t length; /* of its bytes; SENT: messages */
    uint64_t of;     /* number of the first of two events; SENT: cell */
    uint64_t offset;
    uint64_t size;
    uint64_t bytes; /* where they are */
    int64_t time_ns;
    int64_t number; /* SENT */
};

_Static_assert(sizeof(struct power_event) == POWER_EVENT_SIZE, "no padding");

struct power_head {
    uint64_t magic;
    uint32_t sync;   /* kv_sync_t */
    uint32_t guests; /* others changed collections beside the writers: 1 */
    int64_t late_ns; /* the longest that this machine let a thread wait that
                        had slept */
    _Atomic uint64_t events;
    _Atomic uint64_t bytes;
    _Atomic bool halted;        /* no call to disk begins any more */
    _Atomic uint32_t under_way; /* calls to disk */
};

struct power_trace {
    struct power_head *head;
    struct power_event *events;
    uint8_t *bytes;
    uint64_t count; /* of events, when it was opened */
};

/* Maps a trace; a new, empty one with create.  0 or -errno. */
int power_trace_open(struct power_trace *trace, const char *path, bool create);
void power_trace_close(struct power_trace *trace);

/* Takes the bytes; returns where they are.  There must be room. */
uint64_t power_trace_keep(
    struct power_trace *trace, const void *bytes, size_t size);
/* Adds an event, filled but for its time; returns its number. */
uint64_t power_trace_add(struct power_trace *trace, enum power_kind kind,
    const struct power_event *event);
/* True while a good part of the room is left. */
bool power_trace_has_room(const struct power_trace *trace);

#endif
