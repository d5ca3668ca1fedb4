#include "torture/damage/open.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "crash_server.h"
#include "file.h"
#include "frame.h"

enum { OUTPUT_MAX = 16384, STATUS_DAMAGE = 78, STATUS_UNSOUND = 5 };

__attribute__((format(printf, 2, 3))) static void wrong(
    struct opened *opened, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(opened->why, sizeof opened->why, format, arguments);
    va_end(arguments);
    opened->outcome = OUTCOME_WRONG;
}

/* ---- In this process ----------------------------------------------------- */

/* A chain is refused from its first frame on, so that may be named; and what
 * a backup holds is not read. */
static bool place_named(const struct place *place, const char *why)
{
    char name[64];
    char where[96];
    (void)snprintf(name, sizeof name, "log-%020" PRIu64, place->segment);
    for (uint64_t lsn = place->last;
         lsn + KV_CHAIN_MAX > place->first && lsn >= place->segment; lsn--) {
        (void)snprintf(where, sizeof where,
            "LSN %" PRIu64 " at offset %" PRIu64 " ", lsn,
            DISK_PAGE + (lsn - place->segment) * FRAME_SIZE);
        if (strstr(why, name) != NULL && strstr(why, where) != NULL) {
            return true;
        }
    }
    return false;
}

static void compare(struct storage *storage, const struct history *history,
    struct opened *opened)
{
    static const uint8_t all[KV_KEY_SIZE];
    kv_message_t *records = malloc(KV_SCAN_MAX * sizeof *records);
    uint64_t cursor = 0;
    uint32_t seen = 0;
    uint32_t strange = 0;
    if (records == NULL) {
        image_fail("no memory for", "a scan", errno);
    }
    do {
        uint32_t count = storage_scan(storage, all, &cursor, records);
        for (uint32_t i = 0; i < count; i++) {
            strange += history_has(history, &records[i]) ? 0 : 1;
        }
        seen += count;
    } while (cursor != 0);
    free(records);
    opened->records = seen;
    if (strange != 0 || seen != history_count(history)) {
        wrong(opened,
            "at LSN %" PRIu64 " it shows %" PRIu32 " records, %" PRIu32
            " of them wrong; %" PRIu32 " were there",
            opened->lsn, seen, strange, history_count(history));
    }
}

/* The first opening says how far the log goes; each of those after it finds a
 * mark more at the end. */
static void judge(const struct world *world, struct storage *storage,
    const struct place *place, struct opened *opened)
{
    struct history history;
    struct stats stats = {.lsn = opened->lsn};
    if (opened->lsn == 0) {
        storage_stats(storage, &stats);
    }
    opened->lsn = stats.lsn;
    opened->outcome = stats.lsn >= world->last ? OUTCOME_WHOLE : OUTCOME_PREFIX;
    if (stats.lsn > world->last + 1) {
        wrong(opened, "it says LSN %" PRIu64 ", the last was %" PRIu64,
            stats.lsn, world->last);
    } else if (stats.lsn < place->marked) {
        wrong(opened,
            "it goes to LSN %" PRIu64 ", but was durable up to %" PRIu64,
            stats.lsn, place->marked);
    } else if (!world_at(world, stats.lsn, &history)) {
        wrong(opened, "LSN %" PRIu64 " is amid a chain", stats.lsn);
    } else {
        compare(storage, &history, opened);
    }
}

static void open_once(const struct world *world, const char *directory,
    const struct place *place, struct opened *opened)
{
    struct storage *storage;
    struct storage_options options = world_options(world, directory);
    int fd = file_open_directory(directory, false);
    uint32_t before = image_digest(fd);
    opened->outcome = OUTCOME_REFUSED;
    int error = storage_open(&storage, &options, opened->why);
    size_t length = strlen(opened->why);
    if (error == 0) {
        judge(world, storage, place, opened);
        (void)storage_close(storage, false);
    } else if (image_digest(fd) != before) {
        opened->outcome = OUTCOME_WRONG;
        (void)snprintf(opened->why + length, sizeof opened->why - length,
            ": refused, but files are changed");
    } else if (place->segment != 0 && !place_named(place, opened->why)) {
        opened->outcome = OUTCOME_WRONG;
        (void)snprintf(opened->why + length, sizeof opened->why - length,
            ": refused, but not where it is damaged");
    }
    file_close(fd);
}

void open_damaged(const struct world *world, const char *directory,
    const struct place *place, bool again, struct opened *opened)
{
    *opened = (struct opened){.lsn = 0};
    open_once(world, directory, place, opened);
    if (again && opened->outcome <= OUTCOME_PREFIX) {
        open_once(world, directory, place, opened);
        if (opened->outcome == OUTCOME_REFUSED) {
            opened->outcome = OUTCOME_WRONG;
        }
    }
}

/* ---- With the programs --------------------------------------------------- */

static int check_status(const char *directory, const char *build, char *output)
{
    char command[1024];
    int length = snprintf(command, sizeof command,
        "timeout 60 %s/bin/client check %s 2>&1", build, directory);
    FILE *pipe = length < 0 || (size_t)length >= sizeof command
                     ? NULL
                     : popen(command, "re");
    assert(pipe != NULL);
    size_t got = fread(output, 1, OUTPUT_MAX - 1, pipe);
    output[got] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *sync_name(kv_sync_t sync)
{
    return sync == KV_SYNC_ALWAYS ? "always" : "none";
}

/* The reason without what may differ: the directory's path. */
static bool said(const struct crash_server *server, const char *why)
{
    return strstr(server->said, why) != NULL;
}

static void ask_server(const struct world *world, const char *directory,
    const char *build, struct opened *opened)
{
    char program[512];
    char records[64];
    struct crash_server server;
    const struct crash_settings settings = {
        .program = program,
        .directory = directory,
        .sync = sync_name(world->sync),
        .segment = "2M",
    };
    (void)snprintf(program, sizeof program, "%s/bin/server", build);
    (void)snprintf(
        records, sizeof records, " %" PRIu32 " of ", opened->records);
    if (!crash_server_start(&server, &settings)) {
        image_fail("cannot start", program, errno);
    }
    bool ready = crash_server_await(&server);
    int status = crash_server_end(&server, SIGKILL);
    if (ready && opened->outcome == OUTCOME_REFUSED) {
        wrong(opened, "the server opens it: %s", server.said);
    } else if (ready && strstr(server.said, records) == NULL) {
        wrong(opened, "the server has not%s: %s", records, server.said);
    } else if (!ready && opened->outcome != OUTCOME_REFUSED) {
        wrong(opened, "the server refuses it: %s", server.said);
    } else if (!ready &&
               (!WIFEXITED(status) || WEXITSTATUS(status) != STATUS_DAMAGE ||
                   !said(&server, opened->why))) {
        wrong(opened, "the server ends in another way: %s", server.said);
    }
}

bool programs_agree(const struct world *world, const char *directory,
    const char *build, struct opened *opened)
{
    char output[OUTPUT_MAX];
    int status = check_status(directory, build, output);
    bool refused = opened->outcome == OUTCOME_REFUSED;
    if (status != 0 && status != STATUS_UNSOUND) {
        wrong(opened, "client check ends with %d: %s", status, output);
    } else if (refused && status == 0) {
        wrong(opened, "client check calls it sound: %s", output);
    } else if (!refused && strstr(output, "recovery refuses that") != NULL) {
        wrong(opened, "client check says it is refused: %s", output);
    } else {
        ask_server(world, directory, build, opened);
    }
    return opened->outcome != OUTCOME_WRONG;
}
