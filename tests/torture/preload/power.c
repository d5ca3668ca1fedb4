/* power.c: writes down in a trace what the server does to its disk
 * (power/trace.h).  With POWER_PLANT it makes the server a bad one, which does
 * not sync: its traces must be found out. */
#include "torture/power/trace.h"
#include "torture/preload/preload.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NAMES_MAX = 256,
    PLANT_AFTER = 40 /* syncs of data, until these are left out */
};

/* The calls have no handle, so this stands for the process. */
static struct {
    struct power_trace trace;
    bool data_unsynced;
    bool names_unsynced;
    _Atomic uint32_t syncs; /* of data */
} power;

void sink_start(void)
{
    const char *path = getenv(POWER_FILE);
    const char *plant = getenv(POWER_PLANT);
    int error = path == NULL ? -1 : power_trace_open(&power.trace, path, false);
    if (error != 0) {
        preload_end(POWER_FILE, strerror(-error));
    }
    power.data_unsynced = plant != NULL && strcmp(plant, "data") == 0;
    power.names_unsynced = plant != NULL && strcmp(plant, "names") == 0;
}

/* Once the process is to be killed, its threads wait here. */
static void begin_call(void)
{
    struct power_head *head = power.trace.head;
    (void)atomic_fetch_add(&head->under_way, 1);
    if (atomic_load(&head->halted)) {
        (void)atomic_fetch_sub(&head->under_way, 1);
        for (;;) {
            (void)pause();
        }
    }
}

/* The first syncs of data are made, so that there is a store to be lost. */
static bool is_left_out(const struct disk_call *call)
{
    if (call->file == DISK_DIRECTORY) {
        return power.names_unsynced;
    }
    return power.data_unsynced &&
           atomic_fetch_add(&power.syncs, 1) >= PLANT_AFTER;
}

bool sink_before(struct disk_call *call)
{
    struct power_event event = {.file = call->file};
    begin_call();
    switch (call->kind) {
    case DISK_pwrite:
        event.offset = call->offset;
        event.size = call->size;
        event.bytes = power_trace_keep(&power.trace, call->bytes, call->size);
        call->begun = power_trace_add(&power.trace, POWER_WRITE, &event);
        break;
    case DISK_fdatasync:
    case DISK_fsync:
        if (is_left_out(call)) {
            (void)atomic_fetch_sub(&power.trace.head->under_way, 1);
            return false;
        }
        call->begun = power_trace_add(&power.trace, POWER_SYNC, &event);
        break;
    default:
        break;
    }
    return true;
}

/* One name or two, each with the zero that ends it. */
static void keep_names(
    struct power_event *event, const char *name, const char *to)
{
    char names[NAMES_MAX];
    size_t length = strlen(name) + 1;
    size_t more = to == NULL ? 0 : strlen(to) + 1;
    if (length + more > sizeof names) {
        preload_end("a name is too long", name);
    }
    memcpy(names, name, length);
    if (to != NULL) {
        memcpy(names + length, to, more);
    }
    event->length = (uint32_t)(length + more);
    event->bytes = power_trace_keep(&power.trace, names, event->length);
}

static uint32_t note_end(const struct disk_call *call, int64_t result)
{
    static const enum power_kind kinds[DISK_KINDS] = {
        [DISK_openat] = POWER_OPEN,
        [DISK_pwrite] = POWER_WRITTEN,
        [DISK_fallocate] = POWER_SIZE,
        [DISK_ftruncate] = POWER_CUT,
        [DISK_fdatasync] = POWER_SYNCED,
        [DISK_fsync] = POWER_SYNCED,
        [DISK_renameat] = POWER_RENAME,
        [DISK_unlinkat] = POWER_REMOVE,
    };
    struct power_event event = {.file = call->file, .of = call->begun};
    if (result < 0 && call->name != NULL) {
        return DISK_NO_FILE;
    }
    if (result < 0) {
        preload_end("a call to disk failed", "none is meant to here");
    }
    event.size = call->kind == DISK_pwrite ? (uint64_t)result : call->size;
    event.flags = (call->created ? POWER_CREATED : 0) |
                  (call->emptied ? POWER_EMPTIED : 0);
    if (call->name != NULL) {
        keep_names(&event, call->name, call->to);
    }
    return DISK_FIRST_FILE +
           (uint32_t)power_trace_add(&power.trace, kinds[call->kind], &event);
}

uint32_t sink_after(const struct disk_call *call, int64_t result)
{
    uint32_t file = note_end(call, result);
    (void)atomic_fetch_sub(&power.trace.head->under_way, 1);
    return file;
}
