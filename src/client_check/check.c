/* check.c: `client check DIR`: reads the backups and the log of a data
 * directory without opening the store: what is there, what recovery would make
 * of it, what is wrong, and what to do.
 *
 * It changes nothing.  Beside a running server it looks at files that come, go
 * and grow: what it finds wrong then counts only if a second look finds the
 * same.
 *
 * Sound means: recovery would use the newest backup, could fall back on every
 * other one, and refuse nothing. */
#include "client_check/look.h"

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
    if (!look_around(look, directory, path)) {
        return PROGRAM_LOCAL;
    }
    if (look->running && look->problems > 0) {
        look = &looks[1];
        if (!look_around(look, directory, path)) {
            return PROGRAM_LOCAL;
        }
        keep_lasting(look, &looks[0]);
    }
    return report_print(look, path);
}

static int run_check(struct program *program, const struct arguments *arguments,
    const void *settings)
{
    (void)program;
    (void)settings;
    const char *path = arguments->words[0];
    int directory = file_open_directory(path, false);
    if (directory < 0) {
        return program_fail(PROGRAM_LOCAL,
            "check: cannot open the data directory %s: %s", path,
            strerror(-directory));
    }
    struct look *looks = calloc(2, sizeof *looks);
    int status = looks == NULL ? program_fail(PROGRAM_LOCAL, "check: no memory")
                               : check(directory, path, looks);
    free(looks);
    file_close(directory);
    return status;
}

const struct subcommand check_family[] = {
    {"check", "DIR", "examines a data directory, offline or not", 1, 1, NULL,
        "Reads every backup and the log, changes nothing, and says what "
        "recovery would\nmake of them.  The last line is \"sound\", or \"not "
        "sound\" and the status 5.",
        run_check},
    {0}};
