/* repair.c: carries a plan out: first what is new, durably, then the names. */
#include "client_check/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "client_program.h"
#include "file.h"

enum {
    ASIDE_NAME_MAX = 64,
    ASIDE_TRIES = 100, /* names, in one second */
    NEW_NAME_MAX = ACTION_NAME_MAX + 8
};

struct repair {
    struct plan *plan;
    struct lost lost;
    int aside; /* the directory that keeps what was */
    char aside_name[ASIDE_NAME_MAX];
    char why[LOST_WHY_MAX];
};

static int failed(struct repair *repair, const char *what, int error)
{
    (void)snprintf(repair->why, sizeof repair->why, "cannot write %s: %s", what,
        strerror(-error));
    return error;
}

/* What is made anew waits under this name. */
static void new_name(char name[NEW_NAME_MAX], const struct action *action)
{
    (void)snprintf(name, NEW_NAME_MAX, "%s.new", action->name);
}

/* ---- Before anything is changed ------------------------------------------ */

static int make_aside(struct repair *repair)
{
    struct tm parts;
    time_t now = time(NULL);
    char second[32] = "";
    if (gmtime_r(&now, &parts) == NULL ||
        strftime(second, sizeof second, "%Y%m%dT%H%M%SZ", &parts) == 0) {
        return failed(repair, "a directory named after the time", -ERANGE);
    }
    repair->aside = -EEXIST;
    for (int i = 1; i <= ASIDE_TRIES && repair->aside == -EEXIST; i++) {
        int length = snprintf(repair->aside_name, sizeof repair->aside_name,
            "damaged-%s", second);
        if (i > 1) {
            (void)snprintf(repair->aside_name + length,
                sizeof repair->aside_name - (size_t)length, "-%d", i);
        }
        repair->aside =
            file_make_directory(repair->plan->directory, repair->aside_name);
    }
    return repair->aside < 0 ? failed(repair, repair->aside_name, repair->aside)
                             : 0;
}

static int prepare_action(struct repair *repair, const struct action *action)
{
    struct plan *plan = repair->plan;
    char name[NEW_NAME_MAX];
    new_name(name, action);
    const struct salvage_target target = {repair->aside, name};
    const struct file_place from = {plan->directory, action->name};
    const struct file_place to = {repair->aside, action->name};
    int error = 0;
    switch (action->kind) {
    case ACTION_ASIDE:
        break;
    case ACTION_REPLACE:
        error = salvage_rewrite(
            &plan->salvage, action->segment, plan->lsn, &target);
        if (error == 0) {
            error = file_link(&from, &to);
        }
        break;
    case ACTION_BEGIN:
        error = salvage_begin(&plan->salvage, plan->lsn + 1, &target);
        break;
    }
    return error == 0 ? 0 : failed(repair, name, error);
}

static int prepare(struct repair *repair)
{
    struct plan *plan = repair->plan;
    int error = lost_write(&repair->lost, plan, repair->aside, repair->why);
    for (uint32_t i = 0; i < plan->count && error == 0; i++) {
        error = prepare_action(repair, &plan->actions[i]);
    }
    if (error != 0) {
        return error;
    }
    error = file_sync_directory(repair->aside);
    return error == 0 ? 0 : failed(repair, repair->aside_name, error);
}

/* Takes away what prepare has made.  What cannot be stays, and is in nobody's
 * way. */
static void give_up(struct repair *repair)
{
    const struct plan *plan = repair->plan;
    for (uint32_t i = 0; i < plan->count; i++) {
        char name[NEW_NAME_MAX];
        new_name(name, &plan->actions[i]);
        (void)file_remove(repair->aside, name);
        (void)file_remove(repair->aside, plan->actions[i].name);
    }
    (void)file_remove(repair->aside, LOST_FILE);
    (void)file_remove_directory(plan->directory, repair->aside_name);
}

/* ---- The changes --------------------------------------------------------- */

static int carry_out_action(struct repair *repair, const struct action *action)
{
    char name[NEW_NAME_MAX];
    new_name(name, action);
    const struct file_place place = {repair->plan->directory, action->name};
    const struct file_place kept = {repair->aside, action->name};
    const struct file_place made = {repair->aside, name};
    int error = action->kind == ACTION_ASIDE ? file_move(&place, &kept)
                                             : file_move(&made, &place);
    return error == 0 ? 0 : failed(repair, action->name, error);
}

static int carry_out(struct repair *repair)
{
    const struct plan *plan = repair->plan;
    int error = 0;
    for (uint32_t i = 0; i < plan->count && error == 0; i++) {
        error = carry_out_action(repair, &plan->actions[i]);
    }
    if (error == 0) {
        error = file_sync_directory(repair->aside);
        int names = file_sync_directory(plan->directory);
        error = error != 0 ? error : names;
        error = error == 0 ? 0 : failed(repair, plan->path, error);
    }
    return error;
}

/* ---- Telling ------------------------------------------------------------- */

static void tell_lost(const struct repair *repair)
{
    const struct plan *plan = repair->plan;
    const struct lost *lost = &repair->lost;
    if (lost->last > plan->lsn) {
        (void)printf("lost     LSN %" PRIu64 " to %" PRIu64 ": %" PRIu64
                     " writes, %" PRIu64 " LSNs unknown; durable was the log "
                     "up to %" PRIu64 "\n",
            plan->lsn + 1, lost->last, lost->writes, lost->unreadable,
            lost->durable);
    } else if (!plan->open_ended) {
        (void)puts("lost     nothing");
    }
    if (plan->open_ended) {
        (void)printf("lost     what followed LSN %" PRIu64
                     ", if anything: files are missing\n",
            lost->last);
    }
    for (uint64_t i = 0; i < u64_min(lost->count, LOST_LINES_MAX); i++) {
        (void)fputs("         ", stdout);
        lost_print(stdout, &lost->items[i]);
    }
    if (lost->count > LOST_LINES_MAX) {
        (void)printf("         and so on, all of it in %s/%s/" LOST_FILE "\n",
            plan->path, repair->aside_name);
    }
}

static void tell(const struct repair *repair)
{
    const struct plan *plan = repair->plan;
    uint32_t made = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        made += plan->actions[i].kind == ACTION_BEGIN ? 1 : 0;
    }
    (void)printf("repaired it goes on behind LSN %" PRIu64
                 "; what was is in %s/%s, files: %" PRIu32 "\n",
        plan->lsn, plan->path, repair->aside_name, plan->count - made);
    tell_lost(repair);
}

int repair_run(struct plan *plan)
{
    struct repair repair = {.plan = plan, .aside = -1};
    int error = make_aside(&repair);
    if (error == 0) {
        error = prepare(&repair);
        if (error != 0) {
            give_up(&repair);
        }
    }
    if (error != 0) {
        file_close(repair.aside < 0 ? -1 : repair.aside);
        return program_fail(PROGRAM_LOCAL,
            "check: cannot repair %s: %s; nothing was changed", plan->path,
            repair.why);
    }
    error = carry_out(&repair);
    file_close(repair.aside);
    if (error != 0) {
        return program_fail(PROGRAM_LOCAL,
            "check: the repair of %s was interrupted: %s; what is missing now "
            "is in its %s: see to the disk, then repair again",
            plan->path, repair.why, repair.aside_name);
    }
    tell(&repair);
    return PROGRAM_YES;
}
