/* client_check.c: `client check DIR`: reads the backups and the log of a data
 * directory without opening the store: what is there, what recovery would make
 * of it, what is wrong, and what to do.
 *
 * It changes nothing.  Beside a running server it looks at files that come, go
 * and grow: what it finds wrong then counts only if a second look finds the
 * same.
 *
 * Sound means: recovery would use the newest backup, could fall back on every
 * other one, and refuse nothing. */
#include "client_program.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backup/backup.h"
#include "file.h"
#include "storage/identity.h"
#include "wal/wal.h"

enum {
    READ_RECORDS = 2048,
    PROBLEMS_MAX = 12, /* more are left out */
    PROBLEM_SIZE = 1024,
    BACKUP_LINES_MAX = 8
};

#define RESTORE "put the file back from a copy of the directory"

enum kind { OF_BACKUP, OF_LOG, OF_OLDER_LOG, OF_STORE };

struct problem {
    enum kind kind; /* with lsn, what tells one from another */
    uint64_t lsn;
    char text[PROBLEM_SIZE];
};

struct found_backup {
    struct backup_head head;
    bool valid;
};

/* What one look has found. */
struct look {
    bool running; /* a server has the directory open */
    int key;      /* of hash.key: 0, -ENOENT, -EUCLEAN, other -errno */
    uint8_t identity[WAL_IDENTITY_SIZE];
    struct backup_list list;
    struct found_backup backups[BACKUP_LIST_MAX];
    uint32_t count;  /* of them */
    uint32_t valid;  /* of them */
    uint64_t newest; /* LSN of the newest valid one; 0: none */
    uint64_t oldest;

    uint64_t segments;
    uint64_t segment_bytes;
    uint64_t first_lsn; /* of the log */
    uint64_t last_first_lsn;
    struct wal_end end;
    uint64_t replayed; /* frames behind the newest backup */
    bool broken;       /* recovery would refuse the log */
    uint32_t problems;
    struct problem found[PROBLEMS_MAX];
};

__attribute__((format(printf, 4, 5))) static void complain(
    struct look *look, enum kind kind, uint64_t lsn, const char *format, ...)
{
    va_list arguments;
    if (look->problems < PROBLEMS_MAX) {
        struct problem *problem = &look->found[look->problems++];
        problem->kind = kind;
        problem->lsn = lsn;
        va_start(arguments, format);
        (void)vsnprintf(problem->text, PROBLEM_SIZE, format, arguments);
        va_end(arguments);
    }
}

/* ---- Backups ------------------------------------------------------------- */

/* Reads all records.  0, or -EUCLEAN and such with the reason in why. */
static int read_backup(
    const struct backup_reader *reader, char why[BACKUP_WHY_MAX])
{
    int error = 0;
    struct frame *frames = malloc(READ_RECORDS * sizeof *frames);
    if (frames == NULL) {
        (void)snprintf(why, BACKUP_WHY_MAX, "out of memory");
        return -ENOMEM;
    }
    for (uint64_t at = 1; at <= reader->head.count && error == 0;) {
        uint64_t part = u64_min(reader->head.count + 1 - at, READ_RECORDS);
        error = backup_read(reader, at, (uint32_t)part, frames, why);
        at += part;
    }
    free(frames);
    return error;
}

static void look_at_backup(struct look *look, int directory, uint64_t lsn)
{
    char name[BACKUP_NAME_MAX];
    char why[BACKUP_WHY_MAX] = "";
    struct backup_reader reader;
    struct found_backup *found = &look->backups[look->count];
    found->head = (struct backup_head){.lsn = lsn};
    int error = backup_open(&reader, directory, lsn, look->identity, why);
    if (error == -ENOENT && look->running) {
        return; /* removed since the list was read */
    }
    if (error == 0) {
        found->head = reader.head;
        error = read_backup(&reader, why);
        backup_close(&reader);
    }
    look->count++;
    found->valid = error == 0;
    if (found->valid) {
        look->newest = look->valid == 0 ? lsn : look->newest;
        look->oldest = lsn;
        look->valid++;
        return;
    }
    backup_name(name, lsn);
    complain(look, OF_BACKUP, lsn,
        "%s: %s; recovery does not use it: have new backups written (client "
        "backup), then remove it",
        name, why);
}

/* ---- The log ------------------------------------------------------------- */

/* The LSN in a segment's name; 0 if it is not one's. */
static uint64_t segment_lsn(const char *name)
{
    enum { DIGITS = 20 };
    static const char prefix[] = "log-";
    size_t length = sizeof prefix - 1;
    if (strncmp(name, prefix, length) != 0 || strlen(name) != length + DIGITS ||
        strspn(name + length, "0123456789") != DIGITS) {
        return 0;
    }
    return strtoull(name + length, NULL, 10);
}

static int note_segment(void *context, const char *name)
{
    struct look *look = context;
    uint64_t lsn = segment_lsn(name);
    if (lsn != 0) {
        look->segments++;
        look->first_lsn =
            look->segments == 1 ? lsn : u64_min(look->first_lsn, lsn);
        look->last_first_lsn = u64_max(look->last_first_lsn, lsn);
    }
    return 0;
}

static int take(void *context, const struct frame *frames, uint32_t count,
    char why[WAL_WHY_MAX])
{
    struct look *look = context;
    for (uint32_t i = 0; i < count; i++) {
        const struct frame *frame = &frames[i];
        unsigned verb = frame_verb(frame);
        bool known = verb == VERB_MARK ||
                     ((verb_flags(verb) & VERB_WRITE) != 0 &&
                         frame->message.value_len <= KV_VALUE_MAX &&
                         !bytes_all_zero(frame->message.key, KV_KEY_SIZE));
        if (!known) {
            (void)snprintf(why, WAL_WHY_MAX,
                "the frame with LSN %" PRIu64
                " has type %u, which is not known here",
                frame->lsn, verb);
            return -EUCLEAN;
        }
        look->replayed += frame->lsn > look->newest ? 1 : 0;
    }
    return 0;
}

static int read_log(
    struct look *look, int directory, uint64_t from, char why[WAL_WHY_MAX])
{
    struct wal_options options = {.directory = directory};
    struct wal_sink sink = {take, look};
    memcpy(options.identity, look->identity, sizeof options.identity);
    options.segment_bytes = WAL_SEGMENT_MIN;
    look->replayed = 0;
    return wal_read(&options, from, &sink, &look->end, why);
}

/* What a person can do about damage that recovery will not pass over. */
static void complain_of_log(struct look *look, int directory, const char *why)
{
    const struct wal_end *end = &look->end;
    char name[WAL_NAME_MAX];
    look->broken = true;
    uint64_t offset = DISK_PAGE + (end->lsn + 1 - end->first_lsn) * FRAME_SIZE;
    (void)snprintf(name, sizeof name, "log-%020" PRIu64, end->first_lsn);
    bool last = end->first_lsn != 0 && end->first_lsn == look->last_first_lsn &&
                end->durable > end->lsn;
    int fd = last ? file_open_read(directory, name) : -ENOENT;
    int64_t size = fd < 0 ? fd : file_size(fd);
    file_close(fd < 0 ? -1 : fd);
    if (size < 0) {
        complain(
            look, OF_LOG, end->lsn, "%s; recovery refuses that: " RESTORE, why);
        return;
    }
    complain(look, OF_LOG, end->lsn,
        "%s; recovery refuses that: " RESTORE
        "; or, to give up all from LSN %" PRIu64
        " on: stop the server, copy the directory, then there: truncate -s "
        "%" PRIu64 " %s && truncate -s %" PRId64 " %s",
        why, end->lsn + 1, offset, name, size, name);
}

/* First as far back as any backup needs it; if that fails, as recovery does. */
static void look_at_log(struct look *look, int directory)
{
    char why[WAL_WHY_MAX];
    int error = file_list(directory, note_segment, look);
    if (error != 0) {
        complain(look, OF_STORE, 0, "cannot read the directory: %s",
            strerror(-error));
        return;
    }
    if (look->segments == 0 && look->count > 0) {
        complain(look, OF_LOG, 0,
            "there are backups, but no log: what was written after them is "
            "missing, and recovery refuses that: put the files log-* back");
        return;
    }
    error = read_log(look, directory, look->oldest, why);
    if (error != 0 && look->oldest != look->newest) {
        char older[WAL_WHY_MAX];
        uint64_t failed_lsn = look->end.lsn;
        memcpy(older, why, sizeof older);
        error = read_log(look, directory, look->newest, why);
        if (error == 0) {
            complain(look, OF_OLDER_LOG, failed_lsn,
                "%s; recovery starts behind that, from the newest backup, but "
                "could not fall back on an older one: have new backups "
                "written (client backup, twice)",
                older);
        }
    }
    if (error != 0) {
        complain_of_log(look, directory, why);
    } else if (look->valid == 0 && look->count > 0 && look->end.lsn == 0) {
        complain(look, OF_LOG, 0,
            "no backup is valid, and the log is empty: " RESTORE);
    }
}

/* ---- The whole ----------------------------------------------------------- */

/* The identity that the files have: the newest valid backup's, or the log's. */
static int find_identity(
    struct look *look, int directory, uint8_t identity[WAL_IDENTITY_SIZE])
{
    for (uint32_t i = 0; i < look->list.count; i++) {
        struct backup_reader reader;
        char why[BACKUP_WHY_MAX];
        if (backup_open(&reader, directory, look->list.lsns[i], NULL, why) ==
            0) {
            memcpy(identity, reader.head.identity, WAL_IDENTITY_SIZE);
            backup_close(&reader);
            return 0;
        }
    }
    return wal_find_identity(directory, identity);
}

/* Whose files these are.  False if nobody's: there is no store. */
static bool look_at_identity(struct look *look, int directory)
{
    uint8_t of_files[WAL_IDENTITY_SIZE];
    look->key = identity_read(directory, look->identity);
    int error = find_identity(look, directory, of_files);
    if (look->key != 0 && error != 0) {
        return false;
    }
    if (look->key != 0) {
        memcpy(look->identity, of_files, sizeof of_files);
    } else if (error == 0 &&
               memcmp(look->identity, of_files, sizeof of_files) != 0) {
        complain(look, OF_STORE, 0,
            "hash.key is of another store than the newest files here: put "
            "back what belongs together; if all files but hash.key do, remove "
            "that, and the next start makes it anew");
    }
    return true;
}

/* False, with a message, if there is nothing to look at. */
static bool look_around(struct look *look, int directory, const char *path)
{
    memset(look, 0, sizeof *look);
    look->running = file_is_locked(directory, "lock");
    int error = backup_list_read(directory, &look->list);
    if (error != 0) {
        (void)program_fail(
            PROGRAM_LOCAL, "check: cannot read %s: %s", path, strerror(-error));
        return false;
    }
    if (!look_at_identity(look, directory)) {
        (void)program_fail(PROGRAM_LOCAL,
            "check: %s holds no store: no hash.key, and no backup-* or log-* "
            "that could be one's",
            path);
        return false;
    }
    for (uint32_t i = 0; i < look->list.count; i++) {
        look_at_backup(look, directory, look->list.lsns[i]);
    }
    look_at_log(look, directory);
    return true;
}

/* ---- Printing ------------------------------------------------------------ */

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
    (void)printf("log      %" PRIu64 " segment%s, LSN %" PRIu64 " to %" PRIu64
                 ", ",
        look->segments, look->segments == 1 ? "" : "s", look->first_lsn,
        end->lsn);
    if (look->broken) {
        (void)puts("not readable to its end");
    } else if (look->running) {
        (void)puts("which moves on");
    } else if (end->cut_frames > 0) {
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

static int report(const struct look *look, const char *path)
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
        (void)puts("sound");
        return PROGRAM_YES;
    }
    for (uint32_t i = 0; i < look->problems; i++) {
        (void)printf("problem  %s\n", look->found[i].text);
    }
    (void)printf("not sound: %" PRIu32 " problem%s\n", look->problems,
        look->problems == 1 ? "" : "s");
    return PROGRAM_LOCAL;
}

/* ---- The command --------------------------------------------------------- */

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
    return report(look, path);
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
