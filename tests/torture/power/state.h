/* state.h: what a disk of disk.h consists of; for disk.c and image.c only. */
#ifndef POWER_STATE_H
#define POWER_STATE_H

#include "torture/power/trace.h"

enum {
    POWER_NAME_MAX = 64,
    POWER_NAMES_MAX = 64,
    POWER_FILES_MAX = 4096,
    POWER_RENAMINGS_MAX = 1024,
    /* Files in events, as preload.h counts them. */
    POWER_DIRECTORY = 1,
    POWER_FIRST_FILE = 2
};

/* A change of a file that is not durable yet: a WRITE, SIZE or CUT.  What SIZE
 * and CUT set is at offset + size too. */
struct power_change {
    enum power_kind kind;
    uint64_t begun;
    uint64_t ended; /* UINT64_MAX: under way */
    uint64_t offset;
    uint64_t size;
    const uint8_t *bytes;
};

struct power_file {
    uint8_t *bytes; /* durable; zero from size on */
    uint64_t size;
    uint64_t room;
    struct power_change *changes; /* in the order in which they began */
    uint32_t change_count;
    uint32_t change_room;
};

struct power_name {
    char name[POWER_NAME_MAX];
    uint32_t file;
};

struct power_names {
    struct power_name list[POWER_NAMES_MAX];
    uint32_t count;
};

struct power_renaming {
    uint64_t at;
    char from[POWER_NAME_MAX]; /* "": to was made */
    char to[POWER_NAME_MAX];   /* "": from was removed */
    uint32_t file;
};

struct power_disk {
    const struct power_trace *trace;
    uint64_t position;
    uint32_t *opened; /* by number of the OPEN: the file */
    struct power_file files[POWER_FILES_MAX];
    uint32_t file_count;
    struct power_names names;         /* as the server sees them */
    struct power_names durable_names; /* without those that follow */
    struct power_renaming renamings[POWER_RENAMINGS_MAX];
    uint32_t renaming_count;
    uint64_t names_synced; /* names changed before are durable */
};

struct power_name *power_names_find(
    struct power_names *names, const char *name);
void power_names_change(
    struct power_names *names, const struct power_renaming *renaming);

#endif
