/* repair.h: `client check --repair`: what is to be done (plan.c), what goes
 * with it (lost.c), and doing it (repair.c).
 *
 *  1. No file is written in place.  What is set aside is renamed into a
 *     directory of its own, damaged-<time>; what is replaced gets a second name
 *     there first.
 *  2. All that is new is on disk before the first name changes.
 *  3. After any number of the changes, whichever came to the disk before a
 *     loss of power, repairing again comes to the same end: the sound run of
 *     frames, which decides, is in every state the same. */
#ifndef CLIENT_CHECK_REPAIR_H
#define CLIENT_CHECK_REPAIR_H

#include "client_check/look.h"
#include "wal/salvage.h"

#include <stdio.h>

enum {
    ACTION_NAME_MAX = 40,
    LOST_LINES_MAX = 8, /* told on the screen */
    LOST_WHY_MAX = WAL_WHY_MAX
};

#define LOST_FILE "lost.txt"

enum action_kind {
    ACTION_ASIDE,   /* the file is set aside */
    ACTION_REPLACE, /* a segment made anew takes its place */
    ACTION_BEGIN    /* an empty segment is added */
};

struct action {
    enum action_kind kind;
    char name[ACTION_NAME_MAX];
    uint32_t segment; /* ACTION_REPLACE: its index */
};

struct plan {
    int directory;
    const char *path;
    struct salvage salvage;
    uint64_t lsn;    /* the store goes on behind it */
    uint64_t named;  /* LSN up to which backups tell that the log was durable */
    bool cut;        /* the log ends there now, whatever stood behind */
    bool open_ended; /* files are missing that held what nobody can tell */
    struct action *actions;
    uint32_t count;
    uint32_t room;
};

/* Decides; look is working space.  0, or a status with a message: nothing can
 * be done.  plan_free in any case. */
int plan_make(struct plan *plan, struct look *look);
void plan_free(struct plan *plan);

/* A run of LSNs that go. */
struct lost_item {
    uint64_t first;
    uint64_t last;
    bool readable; /* one frame; else nothing is known of them */
    uint8_t type;
    bool inner; /* the key is no client's */
    uint8_t key[KV_KEY_SIZE];
};

struct lost {
    uint64_t last;       /* of the LSNs that go; the plan's if none */
    uint64_t durable;    /* the highest that was, as far as anything tells */
    uint64_t writes;     /* readable frames but marks */
    uint64_t unreadable; /* LSNs */
    struct lost_item items[LOST_LINES_MAX]; /* the first of them */
    uint64_t count;
};

/* Writes into the directory aside the file LOST_FILE, synced.  0 or -errno,
 * with the reason in why. */
int lost_write(
    struct lost *lost, struct plan *plan, int aside, char why[LOST_WHY_MAX]);
void lost_print(FILE *out, const struct lost_item *item);

/* Does it, and tells.  The exit status. */
int repair_run(struct plan *plan);

#endif
