/* look.c: reads the backups and the log of a data directory without opening the
 * store, and says what is wrong.  Changes nothing. */
#include "client_check/look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client_program.h"
#include "file.h"
#include "machine.h"
#include "plan.h"
#include "storage/identity.h"
#include "storage/storage.h"

enum { READ_RECORDS = 2048 };

__attribute__((format(printf, 4, 5))) static void complain(struct look *look,
    enum file_kind kind, uint64_t lsn, const char *format, ...)
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
    look->named =
        u64_max(look->named, backup_claim(directory, lsn, look->identity));
    found->valid = error == 0;
    if (found->valid) {
        look->newest = look->valid == 0 ? lsn : look->newest;
        look->oldest = lsn;
        look->valid++;
        return;
    }
    backup_name(name, lsn);
    complain(
        look, OF_BACKUP, lsn, "%s: %s; recovery does not use it", name, why);
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
    }
    return 0;
}

int look_take(void *context, const struct frame *frames, uint32_t count,
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
    struct wal_options options = {
        .directory = directory,
        .begun = look->begun || look->named > 0,
    };
    struct wal_sink sink = {look_take, look};
    memcpy(options.identity, look->identity, sizeof options.identity);
    options.segment_bytes = WAL_SEGMENT_MIN;
    options.durable = look->named;
    look->replayed = 0;
    return wal_read(&options, from, &sink, &look->end, why);
}

/* First as far back as any backup needs it; if that fails, as recovery does. */
static void look_at_frames(struct look *look, int directory)
{
    char why[WAL_WHY_MAX];
    char older[WAL_WHY_MAX];
    int error = read_log(look, directory, look->oldest, why);
    if (error != 0 && look->oldest != look->newest) {
        uint64_t failed_lsn = look->end.lsn;
        memcpy(older, why, sizeof older);
        error = read_log(look, directory, look->newest, why);
        if (error == 0) {
            complain(look, OF_OLDER_LOG, failed_lsn,
                "%s; recovery starts behind that, from the newest backup, but "
                "could not fall back on an older one",
                older);
        }
    }
    if (error != 0) {
        look->broken = true;
        complain(look, OF_LOG, look->end.lsn, "%s; recovery refuses that", why);
    } else if (look->valid == 0 && look->count > 0 && look->end.lsn == 0) {
        complain(look, OF_LOG, 0, "no backup is valid, and the log is empty");
    }
}

static void look_at_log(struct look *look, int directory)
{
    int error = file_list(directory, note_segment, look);
    if (error != 0) {
        complain(look, OF_STORE, 0, "cannot read the directory: %s",
            strerror(-error));
    } else if (look->segments == 0 && look->named > 0) {
        look->broken = true;
        complain(look, OF_LOG, 0,
            "there are backups, but no log: what was written after them is "
            "missing, and recovery refuses that");
    } else {
        look_at_frames(look, directory);
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
    look->key = identity_read(directory, look->identity, &look->begun);
    int error = find_identity(look, directory, of_files);
    if (look->key != 0 && error != 0) {
        return false;
    }
    if (look->key != 0) {
        memcpy(look->identity, of_files, sizeof of_files);
    } else if (error == 0 &&
               memcmp(look->identity, of_files, sizeof of_files) != 0) {
        complain(look, OF_STORE, 0,
            "hash.key is of another store than the newest files here");
    }
    return true;
}

/* Recovers in memory, unless that takes more than half of what there is: then
 * a server on this machine may need it. */
static void look_at_records(struct look *look, const char *path)
{
    char why[STORAGE_WHY_MAX];
    struct machine_memory memory;
    struct storage *storage;
    const struct plan_demand demand = {.workers = 1};
    uint64_t most = look->replayed + 1;
    if (look->newest != 0) {
        for (uint32_t i = 0; i < look->count; i++) {
            const struct backup_head *head = &look->backups[i].head;
            most += head->lsn == look->newest ? head->count : 0;
        }
    }
    machine_memory("", &memory);
    if (plan_capacity(&demand, &memory, most) < most) {
        return;
    }
    const struct storage_options options = {
        .directory = path,
        .capacity = most,
        .load_threads = machine_cores(),
    };
    int error = storage_open_at(&storage, &options, &STORAGE_NEWEST, why);
    if (error == 0) {
        look->counted = true;
        look->records = storage_count(storage);
        (void)storage_close(storage, false);
    } else if (error != -ENOMEM) {
        complain(look, OF_LOG, look->end.lsn, "%s; recovery refuses that", why);
    }
}

static void look_at_files(struct look *look, int directory)
{
    for (uint32_t i = 0; i < look->list.count; i++) {
        look_at_backup(look, directory, look->list.lsns[i]);
    }
    look_at_log(look, directory);
}

int look_as(
    struct look *look, int directory, const uint8_t identity[WAL_IDENTITY_SIZE])
{
    memset(look, 0, sizeof *look);
    memcpy(look->identity, identity, sizeof look->identity);
    int error = backup_list_read(directory, &look->list);
    if (error == 0) {
        look_at_files(look, directory);
    }
    return error;
}

bool look_around(
    struct look *look, int directory, const char *path, bool locked)
{
    memset(look, 0, sizeof *look);
    look->running = !locked && file_is_locked(directory, LOCK_FILE);
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
    look_at_files(look, directory);
    if (!look->running && look->problems == 0) {
        look_at_records(look, path);
    }
    return true;
}
