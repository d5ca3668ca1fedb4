/* test_client_check.c: `client check --repair` of stores with random damage.
 *
 * The history of a store is known: after each commit, its LSN and what the
 * store held.  Whatever is done to the files, what recovery finds after the
 * repair is what the store held at the last commit that is whole, and is
 * reached without a gap from the newest valid backup; or the repair refuses,
 * changes nothing, and recovery refuses too. */
#include "client_program.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backup/backup.h"
#include "crc32c.h"
#include "file.h"
#include "storage/identity.h"
#include "stored.h"
#include "wal/wal.h"

enum {
    COMMITS = 820,
    KEYS = 150,
    ROUNDS = 12,
    DAMAGES_MAX = 3,
    BACKUPS = 2,
    SEGMENTS_MAX = 16
};

struct commit {
    uint64_t lsn; /* of its last frame */
    uint64_t digest;
};

struct history {
    struct test_random random;
    struct stored stored;
    struct stored image; /* as it was when the process was killed */
    struct commit commits[COMMITS + 1];
    uint64_t backups[BACKUPS]; /* their LSNs, the newest first */
    uint64_t segments[SEGMENTS_MAX];
    uint32_t segment_count;
};

/* What was done to a copy of the files. */
struct harm {
    struct {
        uint64_t first;
        uint64_t last;
    } lsns[DAMAGES_MAX]; /* the frames that are not there any more */
    uint32_t count;
    bool backups[BACKUPS]; /* not valid any more */
};

/* ---- The history --------------------------------------------------------- */

static uint64_t digest(struct stored *stored)
{
    static const uint8_t every[KV_KEY_SIZE];
    kv_message_t *records = malloc(KV_SCAN_MAX * sizeof *records);
    uint64_t sum = 0;
    uint64_t cursor = 0;
    REQUIRE(records != NULL);
    do {
        uint32_t count = storage_scan(stored->storage, every, &cursor, records);
        for (uint32_t i = 0; i < count; i++) {
            sum += crc32c(0, &records[i], sizeof records[i]) * UINT64_C(0x9e37);
        }
    } while (cursor != 0);
    free(records);
    return sum;
}

static uint64_t applied(struct stored *stored)
{
    struct stats stats = {0};
    stored_stats(stored, &stats);
    return stats.lsn;
}

/* A chain that fails, since it deletes what is not there, is none. */
static void commit(struct history *history, uint64_t version)
{
    kv_message_t messages[KV_CHAIN_MAX];
    struct test_random *random = &history->random;
    uint32_t count = 1;
    if (!test_random_once_in(random, 4)) {
        count += (uint32_t)test_random_below(random, KV_CHAIN_MAX);
    }
    for (uint32_t i = 0; i < count; i++) {
        int type = test_random_once_in(random, 50) ? KV_DELETE : KV_PUT;
        uint64_t number = test_random_below(random, KEYS);
        messages[i] = sample_request(type, number, version);
        messages[i].type |= i + 1 < count ? KV_LINKED : 0;
    }
    stored_execute(&history->stored, messages, count);
}

static int note_segment(void *context, const char *name)
{
    struct history *history = context;
    static const char prefix[] = "log-0";
    if (strncmp(name, prefix, sizeof prefix - 1) == 0) {
        uint64_t lsn = strtoull(name + sizeof prefix - 1, NULL, 10);
        uint32_t i = history->segment_count++;
        REQUIRE(i < SEGMENTS_MAX);
        for (; i > 0 && history->segments[i - 1] > lsn; i--) {
            history->segments[i] = history->segments[i - 1];
        }
        history->segments[i] = lsn;
    }
    return 0;
}

/* backup_every: so many commits, twice. */
static void make_history(struct history *history, uint64_t backup_every)
{
    *history = (struct history){.segment_count = 0};
    test_random_init(&history->random);
    stored_make(&history->stored, KV_SYNC_ALWAYS);
    REQUIRE(stored_open(&history->stored) == 0);
    for (uint64_t i = 1; i <= COMMITS; i++) {
        commit(history, i);
        history->commits[i].lsn = applied(&history->stored);
        history->commits[i].digest = digest(&history->stored);
        if (i == backup_every || i == 2 * backup_every) {
            history->backups[1] = history->backups[0];
            CHECK_OK(stored_backup(&history->stored, &history->backups[0]));
        }
    }
    stored_crash(&history->stored, &history->image);
    CHECK_OK(file_list(history->image.disk.directory, note_segment, history));
    CHECK(history->segment_count >= 2);
}

static void drop_history(struct history *history)
{
    stored_remove(&history->stored);
    stored_remove(&history->image);
}

/* Commits up to an LSN. */
static uint32_t commits_until(const struct history *history, uint64_t lsn)
{
    uint32_t count = 0;
    while (count < COMMITS && history->commits[count + 1].lsn <= lsn) {
        count++;
    }
    return count;
}

/* ---- Damage -------------------------------------------------------------- */

static uint64_t draw(struct history *history, uint64_t limit)
{
    return test_random_below(&history->random, limit);
}

/* The LSN of the last frame in a segment. */
static uint64_t segment_end(const struct history *history, uint32_t index)
{
    return index + 1 == history->segment_count
               ? history->commits[COMMITS].lsn
               : history->segments[index + 1] - 1;
}

static void note(struct harm *harm, uint64_t first, uint64_t last)
{
    harm->lsns[harm->count].first = first;
    harm->lsns[harm->count].last = last;
    harm->count++;
}

/* A segment, and an LSN in it. */
static uint32_t draw_place(
    struct history *history, uint64_t *lsn, char name[WAL_NAME_MAX])
{
    uint32_t index = (uint32_t)draw(history, history->segment_count);
    uint64_t end = segment_end(history, index);
    *lsn = history->segments[index] +
           draw(history, end + 1 - history->segments[index]);
    (void)snprintf(
        name, WAL_NAME_MAX, "log-%020" PRIu64, history->segments[index]);
    return index;
}

/* One bit, or zeros as of pages that the disk has lost. */
static void damage_frames(
    struct history *history, struct stored *copy, struct harm *harm)
{
    char name[WAL_NAME_MAX];
    uint64_t lsn;
    uint64_t frames = draw(history, 2) == 0 ? 1 : 1 + draw(history, 60);
    uint32_t index = draw_place(history, &lsn, name);
    uint64_t at = DISK_PAGE + (lsn - history->segments[index]) * FRAME_SIZE;
    uint64_t size = frames * FRAME_SIZE;
    if (!disk_has(&copy->disk, name) ||
        disk_size(&copy->disk, name) < at + size) {
        return;
    }
    if (frames == 1) {
        disk_flip(&copy->disk, name, at + draw(history, FRAME_SIZE),
            (unsigned)draw(history, 8));
    } else {
        disk_zero(&copy->disk, name, (struct disk_span){at, size});
    }
    note(harm, lsn, u64_min(lsn + frames - 1, segment_end(history, index)));
}

/* Cut short in the midst of a frame. */
static void damage_size(
    struct history *history, struct stored *copy, struct harm *harm)
{
    char name[WAL_NAME_MAX];
    uint64_t lsn;
    uint32_t index = draw_place(history, &lsn, name);
    if (disk_has(&copy->disk, name)) {
        disk_cut(&copy->disk, name,
            DISK_PAGE + (lsn - history->segments[index]) * FRAME_SIZE + 100);
        note(harm, lsn, segment_end(history, index));
    }
}

/* Costs no frame. */
static void damage_head(
    struct history *history, struct stored *copy, struct harm *harm)
{
    char name[WAL_NAME_MAX];
    uint64_t lsn;
    (void)draw_place(history, &lsn, name);
    (void)harm;
    if (disk_has(&copy->disk, name) &&
        disk_size(&copy->disk, name) > DISK_PAGE) {
        disk_flip(&copy->disk, name, 8 + draw(history, 60), 1);
    }
}

static void damage_name(
    struct history *history, struct stored *copy, struct harm *harm)
{
    char name[WAL_NAME_MAX];
    uint64_t lsn;
    uint32_t index = draw_place(history, &lsn, name);
    if (disk_has(&copy->disk, name)) {
        disk_delete(&copy->disk, name);
        note(harm, history->segments[index], segment_end(history, index));
    }
}

static void damage_backup(
    struct history *history, struct stored *copy, struct harm *harm)
{
    char name[BACKUP_NAME_MAX];
    uint32_t index = (uint32_t)draw(history, BACKUPS);
    backup_name(name, history->backups[index]);
    if (!harm->backups[index]) {
        uint64_t at = DISK_PAGE + draw(history, 20 * FRAME_SIZE);
        disk_flip(&copy->disk, name, at, 5);
        harm->backups[index] = true;
    }
}

static void damage_key(
    struct history *history, struct stored *copy, struct harm *harm)
{
    (void)history;
    (void)harm;
    if (disk_has(&copy->disk, "hash.key")) {
        disk_delete(&copy->disk, "hash.key");
    }
}

static void (*const damages[])(
    struct history *, struct stored *, struct harm *) = {damage_frames,
    damage_size, damage_head, damage_name, damage_backup, damage_key};

/* ---- The command --------------------------------------------------------- */

/* Its exit status; what it prints goes to the file. */
static int run_check(const struct stored *stored, bool repair, FILE *out)
{
    char path[TEST_PATH_MAX];
    char flag[] = "--repair";
    char *words[] = {path, flag, NULL};
    char why[OPTIONS_WHY_MAX];
    bool settings[PROGRAM_SETTINGS_MAX] = {false};
    struct arguments arguments = {.words = words, .count = repair ? 2 : 1};
    (void)snprintf(path, sizeof path, "%s", stored->disk.temporary.path);
    REQUIRE(options_read(
        check_family[0].options, &arguments, false, settings, why));
    (void)fflush(stdout);
    int terminal = dup(STDOUT_FILENO);
    int errors = dup(STDERR_FILENO);
    REQUIRE(terminal >= 0 && errors >= 0);
    REQUIRE(dup2(fileno(out), STDOUT_FILENO) >= 0);
    REQUIRE(dup2(fileno(out), STDERR_FILENO) >= 0);
    int status = check_family[0].run(NULL, &arguments, settings);
    (void)fflush(stdout);
    (void)fflush(stderr);
    REQUIRE(dup2(terminal, STDOUT_FILENO) >= 0);
    REQUIRE(dup2(errors, STDERR_FILENO) >= 0);
    (void)close(terminal);
    (void)close(errors);
    return status;
}

static void show(FILE *out)
{
    char line[1024];
    rewind(out);
    while (fgets(line, sizeof line, out) != NULL) {
        (void)fputs(line, stderr);
    }
}

/* ---- What must come of it ------------------------------------------------ */

/* The LSN that the sound run ends before; false if there is none. */
static bool expected_end(
    const struct history *history, const struct harm *harm, uint64_t *end)
{
    uint64_t from = history->backups[0];
    if (harm->backups[0]) {
        from = harm->backups[1] ? 0 : history->backups[1];
    }
    *end = history->commits[COMMITS].lsn + 1;
    for (uint32_t i = 0; i < harm->count; i++) {
        if (harm->lsns[i].last > from) {
            *end = u64_min(*end, u64_max(harm->lsns[i].first, from + 1));
        }
    }
    return from > 0 || (history->segments[0] == 1 && *end > 1);
}

static void check_repaired(
    struct history *history, struct stored *copy, uint64_t end, FILE *out)
{
    unsigned kept = disk_count(&copy->disk, "damaged-");
    CHECK_INT(run_check(copy, false, out), PROGRAM_YES);
    CHECK_INT(run_check(copy, true, out), PROGRAM_YES);
    CHECK_U64(disk_count(&copy->disk, "damaged-"), kept);
    int error = stored_open(copy);
    CHECK_OK(error);
    if (error != 0) {
        (void)fprintf(out, "%s\n", copy->why);
        return;
    }
    uint32_t commits = commits_until(history, end - 1);
    CHECK_U64(commits_until(history, applied(copy)), commits);
    CHECK_U64(digest(copy), history->commits[commits].digest);
    /* It goes on, and nothing that was lost comes to life again. */
    for (uint64_t i = 0; i < 20; i++) {
        CHECK_INT(stored_ask(copy, KV_PUT, KEYS + i, i), KV_SUCCESS);
    }
    uint64_t after = digest(copy);
    CHECK_OK(stored_close(copy, false));
    CHECK_OK(stored_open(copy));
    CHECK_U64(digest(copy), after);
    CHECK_OK(stored_close(copy, false));
    CHECK_INT(run_check(copy, false, out), PROGRAM_YES);
}

static void check_refused(struct stored *copy, uint64_t files, FILE *out)
{
    CHECK_U64(disk_digest(&copy->disk), files);
    CHECK_INT(run_check(copy, false, out), PROGRAM_LOCAL);
    CHECK(stored_open(copy) != 0);
}

/* One copy with up to three kinds of damage. */
static void play(struct history *history)
{
    struct stored copy;
    struct harm harm = {.count = 0};
    uint64_t end;
    FILE *out = tmpfile();
    unsigned failed = CU_get_number_of_failures();
    REQUIRE(out != NULL);
    stored_crash(&history->image, &copy);
    /* Repairing makes the file of the lock: then it is there before. */
    disk_write(&copy.disk, "lock", "");
    uint64_t count = 1 + draw(history, DAMAGES_MAX);
    for (uint64_t i = 0; i < count; i++) {
        damages[draw(history, ARRAY_SIZE(damages))](history, &copy, &harm);
    }
    uint64_t files = disk_digest(&copy.disk);
    bool can_be = expected_end(history, &harm, &end);
    int status = run_check(&copy, true, out);
    CHECK_INT(status, can_be ? PROGRAM_YES : PROGRAM_LOCAL);
    if (status == PROGRAM_YES) {
        check_repaired(history, &copy, end, out);
    } else {
        check_refused(&copy, files, out);
    }
    if (CU_get_number_of_failures() != failed) {
        show(out);
    }
    (void)fclose(out);
    stored_remove(&copy);
}

static void play_rounds(uint64_t backup_every, bool whole)
{
    struct history *history = malloc(sizeof *history);
    REQUIRE(history != NULL);
    make_history(history, backup_every);
    CHECK((history->segments[0] == 1) == whole);
    for (int i = 0; i < ROUNDS; i++) {
        play(history);
    }
    drop_history(history);
    free(history);
}

static void a_log_from_its_start_is_repaired_to_a_state_that_was(void)
{
    play_rounds(80, true);
}

static void a_log_behind_backups_is_repaired_to_a_state_that_was(void)
{
    play_rounds(400, false);
}

/* ---- Where nothing is to be done ----------------------------------------- */

/* One record, a backup, and its removal behind that; not open. */
static void make_pair(struct stored *stored, uint64_t *lsn)
{
    stored_make(stored, KV_SYNC_ALWAYS);
    REQUIRE(stored_open(stored) == 0);
    CHECK_INT(stored_ask(stored, KV_PUT, 1, 1), KV_SUCCESS);
    CHECK_OK(stored_backup(stored, lsn));
    CHECK_INT(stored_ask(stored, KV_DELETE, 1, 0), KV_SUCCESS);
    CHECK_OK(stored_close(stored, false));
}

static void check_left_alone(struct stored *stored, const char *reason)
{
    char text[8192] = "";
    FILE *out = tmpfile();
    REQUIRE(out != NULL);
    uint64_t files = disk_digest(&stored->disk);
    CHECK_INT(run_check(stored, true, out), PROGRAM_LOCAL);
    CHECK_U64(disk_digest(&stored->disk), files);
    CHECK(stored_open(stored) != 0);
    rewind(out);
    text[fread(text, 1, sizeof text - 1, out)] = '\0';
    CHECK(strstr(text, reason) != NULL);
    CHECK(strstr(text, "nothing was changed") != NULL);
    (void)fclose(out);
}

/* Each is valid, but the log removes what the backup does not hold. */
static void files_that_contradict_each_other_are_left_alone(void)
{
    struct stored stored;
    struct backup_writer *writer;
    struct backup_head head = {.count = 0, .time_ms = 1};
    bool begun;
    make_pair(&stored, &head.lsn);
    REQUIRE(identity_read(stored.disk.directory, head.identity, &begun) == 0);
    REQUIRE(backup_create(&writer, stored.disk.directory, false) == 0);
    backup_begin(writer, &head);
    CHECK_OK(backup_finish(writer));
    check_left_alone(&stored, "contradict each other");
    stored_remove(&stored);
}

static void a_frame_of_a_later_version_is_left_alone(void)
{
    struct stored stored;
    struct frame frame;
    uint64_t lsn;
    make_pair(&stored, &lsn);
    const struct disk_span place = {DISK_PAGE + lsn * FRAME_SIZE, FRAME_SIZE};
    const char *name = "log-00000000000000000001";
    disk_get(&stored.disk, name, place, &frame);
    CHECK_U64(frame.lsn, lsn + 1);
    frame.message.type = 99;
    frame.crc = frame_crc(&frame);
    disk_set(&stored.disk, name, place, &frame);
    check_left_alone(&stored, "type 99");
    stored_remove(&stored);
}

const struct test_case test_client_check[] = {
    TEST_CASE(a_log_from_its_start_is_repaired_to_a_state_that_was),
    TEST_CASE(a_log_behind_backups_is_repaired_to_a_state_that_was),
    TEST_CASE(files_that_contradict_each_other_are_left_alone),
    TEST_CASE(a_frame_of_a_later_version_is_left_alone),
    TEST_END,
};
