/* report.c: what a look has found, in lines for a person. */
#include "client_check/look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "client_program.h"

enum { BACKUP_LINES_MAX = 8 };

static void print_backups(const struct look *look)
{
    for (uint32_t i = 0; i < look->count && i < BACKUP_LINES_MAX; i++) {
        const struct backup_head *head = &look->backups[i].head;
        char when[64] = "";
        struct tm parts;
        time_t second = (time_t)(head->time_ms / 1000);
        if (localtime_r(&second, &parts) == NULL ||
            strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &parts) == 0) {
            when[0] = '\0';
        }
        (void)printf("backup   LSN %" PRIu64 ", ", head->lsn);
        if (head->time_ms != 0) {
            (void)printf("%" PRIu64 " records, %" PRIu64 " bytes, %s, ",
                head->count, DISK_PAGE + (head->count + 1) * FRAME_SIZE, when);
        }
        (void)puts(look->backups[i].valid ? "valid" : "NOT VALID");
    }
    if (look->count > BACKUP_LINES_MAX) {
        (void)printf("         and %" PRIu32 " older ones; %" PRIu32
                     " of all are valid\n",
            look->count - BACKUP_LINES_MAX, look->valid);
    }
    if (look->count == 0) {
        (void)puts("backup   none");
    }
}

static void print_log(const struct look *look)
{
    const struct wal_end *end = &look->end;
    if (look->segments == 0) {
        (void)puts("log      none");
        return;
    }
    (void)printf("log      %" PRIu64 " segment%s, from LSN %" PRIu64,
        look->segments, look->segments == 1 ? "" : "s", look->first_lsn);
    if (end->lsn >= look->first_lsn) {
        (void)printf(" to %" PRIu64 ", ", end->lsn);
    } else {
        (void)fputs(" on, ", stdout);
    }
    if (look->broken) {
        (void)puts("not readable to its end");
    } else if (look->running) {
        (void)puts("which moves on");
    } else if (end->cut_frames > 0 || end->torn) {
        (void)printf("torn: %" PRIu64 " frames behind it\n", end->cut_frames);
    } else {
        (void)puts("where it ends clean");
    }
}

static void print_recovery(const struct look *look)
{
    (void)printf("recovery ");
    if (look->newest != 0) {
        (void)printf(
            "loads the backup of LSN %" PRIu64 ", then ", look->newest);
    }
    (void)printf("replays %" PRIu64 " frames of the log", look->replayed);
    if (look->end.cut_frames > 0 && !look->running) {
        (void)printf("; it cuts off %" PRIu64 " that were never durable",
            look->end.cut_frames);
    }
    (void)putchar('\n');
}

static void print_records(const struct look *look)
{
    if (look->counted) {
        (void)printf(
            "records  %" PRIu64 " once it has recovered\n", look->records);
    } else if (look->running) {
        (void)puts("records  client count asks the server");
    } else {
        (void)puts("records  not counted: they might take more than half of "
                   "the memory");
    }
}

int report_print(const struct look *look, const char *path)
{
    (void)printf("store    %s%s\n", path,
        look->running ? ", open in a running server" : "");
    if (look->key != 0) {
        (void)printf("hash.key %s; the next start makes it anew\n",
            look->key == -ENOENT ? "missing" : "damaged");
    }
    print_backups(look);
    print_log(look);
    if (look->problems == 0) {
        print_recovery(look);
        print_records(look);
        (void)puts("sound");
        return PROGRAM_YES;
    }
    for (uint32_t i = 0; i < look->problems; i++) {
        (void)printf("problem  %s\n", look->found[i].text);
    }
    if (look->running) {
        (void)puts("to do    have new backups written (client backup), as many "
                   "as KV_BACKUP_KEEP says");
    } else {
        (void)printf("to do    put files back from a copy, or: client check %s "
                     "--repair\n",
            path);
    }
    (void)printf("not sound: %" PRIu32 " problem%s\n", look->problems,
        look->problems == 1 ? "" : "s");
    return PROGRAM_LOCAL;
}
