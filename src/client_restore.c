/* client_restore.c: `client restore DIR NEWDIR`: makes of a data directory, in
 * which a server may be running, another one: the store as it was at a moment.
 * Changes nothing in the first. */
#include "client_moment.h"
#include "client_program.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "bytes.h"
#include "clock.h"

struct restore_settings {
    const char *to;
};

static const struct option restore_options[] = {
    {.name = "to",
        .kind = OPTION_TEXT,
        .offset = offsetof(struct restore_settings, to),
        .argument = "MOMENT",
        .text = "LSN or time, see above (the end of the log)"},
    {0}};

/* "LSN 12 at 2026-11-21T12:00:00.000+01:00", or "LSN 0". */
enum { SHOWN_MAX = MOMENT_TEXT_MAX + 40 };

static const char *show(
    const struct storage_moment *moment, char shown[SHOWN_MAX])
{
    char time[MOMENT_TEXT_MAX];
    (void)snprintf(shown, SHOWN_MAX, "LSN %" PRIu64 "%s%s", moment->lsn,
        moment->lsn > 0 ? " at " : "",
        moment->lsn > 0 ? moment_text(moment->time_ms, time) : "");
    return shown;
}

/* Puts what can be reached into text, nothing if that is not known. */
enum { REACH_MAX = 3 * SHOWN_MAX };

static int describe_reach(
    const char *path, char text[REACH_MAX], char why[STORAGE_WHY_MAX])
{
    char first[SHOWN_MAX];
    char last[SHOWN_MAX];
    char time[MOMENT_TEXT_MAX];
    struct storage_range range;
    int error = storage_reach(path, &range, why);
    text[0] = '\0';
    if (range.first.lsn == UINT64_MAX) {
        return error != 0 ? error : -ENOENT;
    }
    bool whole = range.first.lsn == 0;
    bool written = range.first.time_ms > 0;
    (void)snprintf(text, REACH_MAX, "%s%s%s, to %s", show(&range.first, first),
        whole && written ? ", before the first write at " : "",
        whole && written ? moment_text(range.first.time_ms, time) : "",
        show(&range.last, last));
    return error;
}

static int tell_reach(const char *path)
{
    char text[REACH_MAX];
    char why[STORAGE_WHY_MAX];
    int error = describe_reach(path, text, why);
    if (text[0] != '\0') {
        (void)printf("%s\n", text);
    }
    return error == 0 ? PROGRAM_YES
                      : program_fail(PROGRAM_LOCAL, "restore: %s", why);
}

/* Why the moment could not be had, and which could: but of damage that only
 * going back meets, storage_reach knows nothing. */
static int tell_failure(const char *path, int error, const char *why)
{
    char text[REACH_MAX] = "";
    char unread[STORAGE_WHY_MAX];
    bool known = error == -ERANGE || error == -EUCLEAN;
    int found = known ? describe_reach(path, text, unread) : 0;
    bool told = text[0] != '\0' && (error == -ERANGE || found != 0);
    return program_fail(PROGRAM_LOCAL, "restore: %s%s%s", why,
        told ? "; --to can be " : "", told ? text : "");
}

static int report(const struct storage_moment *reached, uint64_t records,
    const struct storage_moment *until, const char *target)
{
    char shown[SHOWN_MAX];
    (void)printf("restored %s: %" PRIu64 " records in %s\n",
        show(reached, shown), records, target);
    if (until->lsn != UINT64_MAX && reached->lsn < until->lsn) {
        (void)printf("LSN %" PRIu64
                     " is amid a chain, which counts whole or not at all\n",
            until->lsn);
    }
    return PROGRAM_YES;
}

static int restore(struct diag *diag, const struct storage_moment *until,
    const char *path, const char *target)
{
    char why[STORAGE_WHY_MAX];
    struct storage *storage;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const struct storage_options options = {
        .directory = path,
        .load_threads = cores > 0 ? (uint32_t)cores : 1,
        .diag = diag,
    };
    if (storage_check_new(target, why) != 0) {
        return program_fail(PROGRAM_LOCAL, "restore: %s", why);
    }
    int error = storage_open_at(&storage, &options, until, why);
    if (error != 0) {
        return tell_failure(path, error, why);
    }
    const struct storage_moment reached = storage_reached(storage);
    uint64_t records = storage_count(storage);
    error = storage_restore(storage, target, why);
    int status = error == 0 ? report(&reached, records, until, target)
                            : program_fail(PROGRAM_LOCAL, "restore: %s", why);
    /* What it has written is synced already. */
    (void)storage_close(storage, false);
    return status;
}

static int run_restore(struct program *program,
    const struct arguments *arguments, const void *settings)
{
    const struct restore_settings *given = settings;
    struct storage_moment until = STORAGE_NEWEST;
    struct diag diag;
    if (arguments->count == 1) {
        return given->to == NULL
                   ? tell_reach(arguments->words[0])
                   : program_fail(PROGRAM_USAGE,
                         "restore: --to needs a new directory: client restore "
                         "DIR NEWDIR --to %.60s",
                         given->to);
    }
    if (given->to != NULL &&
        !moment_parse(given->to, clock_wall_ms(), &until)) {
        return program_fail(PROGRAM_USAGE,
            "restore: --to %.60s: it takes " MOMENT_FORMS
            "; nothing that is yet to come",
            given->to);
    }
    diag_init(&diag, isatty(STDERR_FILENO) ? program->verbose : -1);
    diag.name = "client: restore";
    return restore(&diag, &until, arguments->words[0], arguments->words[1]);
}

const struct subcommand restore_family[] = {
    {"restore", "DIR [NEWDIR]", "a store as it was at a moment, in NEWDIR", 1,
        2, restore_options,
        "Makes of the store in DIR, in which a server may be running, another "
        "one in\nNEWDIR, which must be empty or not there: as it was after the "
        "last write up to\nMOMENT, which is\n"
        "  123456               the LSN of that write\n"
        "  2026-11-21T12:00:00  local time; with .250 for milliseconds, Z or "
        "+01:00 for a zone\n"
        "  @1795262400000       milliseconds since 1970\n"
        "  -10m                 before now\n"
        "Of a chain all counts, or nothing.  What has expired since stays "
        "expired.\nWithout NEWDIR it tells which moments can be reached: how "
        "far back, the server's\nsetting KV_LOG_KEEP says.  DIR is not "
        "changed.",
        run_restore},
    {0}};
