/* check.c: `client check DIR [--repair]`: reads the backups and the log of a
 * data directory without opening the store: what is there, what recovery would
 * make of it, what is wrong, and what to do.
 *
 * Without --repair it changes nothing.  Beside a running server it looks at
 * files that come, go and grow: what it finds wrong then counts only if a
 * second look finds the same.
 *
 * Sound means: recovery would use the newest backup, could fall back on every
 * other one, and refuse nothing. */
#include "client_check/look.h"
#include "client_check/repair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client_program.h"
#include "file.h"

/* Leaves of the problems those that were there at the look before. */
static void keep_lasting(struct look *look, const struct look *before)
{
    uint32_t kept = 0;
    look->broken = false;
    for (uint32_t i = 0; i < look->problems; i++) {
        const struct problem *problem = &look->found[i];
        for (uint32_t j = 0; j < before->problems; j++) {
            if (before->found[j].kind == problem->kind &&
                before->found[j].lsn == problem->lsn) {
                look->broken = look->broken || problem->kind == OF_LOG;
                look->found[kept++] = *problem;
                break;
            }
        }
    }
    look->problems = kept;
}

/* Beside a running server what is wrong must be so at a second look: between
 * its list of files and their reading, some come, go and grow. */
static int check(int directory, const char *path, struct look looks[2])
{
    struct look *look = &looks[0];
    if (!look_around(look, directory, path, false)) {
        return PROGRAM_LOCAL;
    }
    if (look->running && look->problems > 0) {
        look = &looks[1];
        if (!look_around(look, directory, path, false)) {
            return PROGRAM_LOCAL;
        }
        keep_lasting(look, &looks[0]);
    }
    return report_print(look, path);
}

/* ---- Repairing ----------------------------------------------------------- */

/* With the lock. */
static int repair_locked(int directory, const char *path, struct look looks[2])
{
    struct look *look = &looks[0];
    if (!look_around(look, directory, path, true)) {
        return PROGRAM_LOCAL;
    }
    int status = report_print(look, path);
    if (status == PROGRAM_YES) {
        return status;
    }
    struct plan plan = {.directory = directory, .path = path};
    looks[1] = *look;
    status = plan_make(&plan, &looks[1]);
    if (status == PROGRAM_YES) {
        status = repair_run(&plan);
    }
    plan_free(&plan);
    if (status != PROGRAM_YES || !look_around(look, directory, path, true)) {
        return PROGRAM_LOCAL;
    }
    return report_print(look, path);
}

static int repair(int directory, const char *path, struct look looks[2])
{
    /* The lock makes a file: not where there is no store. */
    if (!look_around(&looks[0], directory, path, false)) {
        return PROGRAM_LOCAL;
    }
    int lock =
        looks[0].running ? -EWOULDBLOCK : file_lock(directory, LOCK_FILE);
    if (lock == -EWOULDBLOCK) {
        return program_fail(PROGRAM_LOCAL,
            "check: %s is in use by a server, and only a store that nobody has "
            "open can be repaired: stop it first",
            path);
    }
    if (lock < 0) {
        return program_fail(PROGRAM_LOCAL, "check: cannot write in %s: %s",
            path, strerror(-lock));
    }
    int status = repair_locked(directory, path, looks);
    file_close(lock);
    return status;
}

/* ---- The command --------------------------------------------------------- */

struct settings {
    bool repair;
};

static int run_check(struct program *program, const struct arguments *arguments,
    const void *settings)
{
    const struct settings *wanted = settings;
    (void)program;
    const char *path = arguments->words[0];
    int directory = file_open_directory(path, false);
    if (directory < 0) {
        return program_fail(PROGRAM_LOCAL,
            "check: cannot open the data directory %s: %s", path,
            strerror(-directory));
    }
    int status = PROGRAM_LOCAL;
    struct look *looks = calloc(2, sizeof *looks);
    if (looks == NULL) {
        status = program_fail(PROGRAM_LOCAL, "check: no memory");
    } else if (wanted->repair) {
        status = repair(directory, path, looks);
    } else {
        status = check(directory, path, looks);
    }
    free(looks);
    file_close(directory);
    return status;
}

static const struct option check_options[] = {
    {.name = "repair",
        .kind = OPTION_FLAG,
        .offset = offsetof(struct settings, repair),
        .argument = "",
        .text = "makes a store that is not sound one that opens"},
    {0}};

const struct subcommand check_family[] = {
    {"check", "DIR [--repair]", "says whether a data directory is sound", 1, 1,
        check_options,
        "Reads every backup and the log, changes nothing, and says what "
        "recovery would\nmake of them.  The last line is \"sound\", or \"not "
        "sound\" and the status 5.\n\n--repair cuts the log where it is "
        "damaged and sets aside what recovery cannot\nuse, so that the store "
        "opens as it was then.  The files as they were, and the\nlist of what "
        "is lost by LSN and key, are kept in DIR/damaged-<time>.  No server\n"
        "may have the directory open.  A sound one is left as it is.",
        run_check},
    {0}};
