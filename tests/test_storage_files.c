/* test_storage_files.c: a data directory whose files are missing, damaged,
 * another's, or in use: what can be recovered is, the rest is refused with a
 * sentence; and no record is ever wrong. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backup/backup.h"
#include "clock.h"
#include "file.h"
#include "frame.h"
#include "stored.h"
#include "wal/wal.h"

#define SEGMENT_1 "log-00000000000000000001"

enum { COUNT = 60 };

/* The first count samples are there, and nothing else. */
static void check_first(struct stored *stored, uint64_t count)
{
    struct stored_sum sum = stored_scan(stored);
    uint64_t version;
    uint64_t missing = 0;
    CHECK_U64(sum.records, count);
    CHECK_U64(sum.wrong, 0);
    for (uint64_t i = 0; i < count; i++) {
        missing += stored_get(stored, i, &version) != KV_SUCCESS ? 1 : 0;
    }
    CHECK_U64(missing, 0);
}

static void put_next(struct stored *stored, uint64_t *count, uint64_t more)
{
    for (; more > 0; more--) {
        CHECK_INT(stored_ask(stored, KV_PUT, *count, *count), KV_SUCCESS);
        ++*count;
    }
}

/* A closed store of COUNT records, each of a group of its own, with two
 * backups: after a third, and after two thirds. */
static void make_store(struct stored *stored)
{
    uint64_t count = 0;
    uint64_t lsn;
    stored_make(stored, KV_SYNC_ALWAYS);
    REQUIRE(stored_open(stored) == 0);
    put_next(stored, &count, COUNT / 3);
    CHECK_OK(stored_backup(stored, &lsn));
    put_next(stored, &count, COUNT / 3);
    CHECK_OK(stored_backup(stored, &lsn));
    put_next(stored, &count, COUNT / 3);
    CHECK_OK(stored_close(stored, false));
}

/* The name of the backup number index, the newest first. */
static void backup_of(
    const struct stored *stored, uint32_t index, char name[BACKUP_NAME_MAX])
{
    struct backup_list *list = malloc(sizeof *list);
    REQUIRE(list != NULL);
    REQUIRE(backup_list_read(stored->disk.directory, list) == 0);
    REQUIRE(index < list->count);
    backup_name(name, list->lsns[index]);
    free(list);
}

static void check_refused(struct stored *stored, int error, const char *word)
{
    uint64_t before = disk_digest(&stored->disk);
    CHECK_ERRNO(stored_open(stored), error);
    CHECK(strstr(stored->why, word) != NULL);
    CHECK_U64(disk_digest(&stored->disk), before);
}

/* ---- Directories --------------------------------------------------------- */

static void one_store_has_a_directory(void)
{
    struct stored stored;
    struct storage *second;
    char why[STORAGE_WHY_MAX];
    stored_make(&stored, KV_SYNC_NONE);
    REQUIRE(stored_open(&stored) == 0);
    CHECK_ERRNO(storage_open(&second, &stored.options, why), EBUSY);
    CHECK(second == NULL);
    CHECK(strstr(why, "in use by another process") != NULL);
    CHECK(strstr(why, stored.disk.temporary.path) != NULL);
    CHECK_INT(stored_ask(&stored, KV_PUT, 1, 1), KV_SUCCESS);
    CHECK_OK(stored_close(&stored, false));
    REQUIRE(stored_open(&stored) == 0);
    CHECK_U64(storage_count(stored.storage), 1);
    stored_remove(&stored);
}

static void a_directory_that_cannot_be_used(void)
{
    struct stored stored;
    struct storage *storage;
    char path[TEST_PATH_MAX];
    char why[STORAGE_WHY_MAX];
    stored_make(&stored, KV_SYNC_NONE);
    disk_write(&stored.disk, "file", "");
    const struct {
        const char *path; /* relative: below the test's directory */
        int error;
    } wrong[] = {{"file", ENOTDIR}, {"no/such", ENOENT}, {"/proc", 0}};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        int length = snprintf(path, sizeof path, "%s%s%s",
            wrong[i].path[0] == '/' ? "" : stored.disk.temporary.path,
            wrong[i].path[0] == '/' ? "" : "/", wrong[i].path);
        REQUIRE(length > 0 && length < TEST_PATH_MAX);
        stored.options.directory = path;
        int error = storage_open(&storage, &stored.options, why);
        CHECK(error < 0);
        CHECK(wrong[i].error == 0 || error == -wrong[i].error);
        CHECK(storage == NULL);
        CHECK(strstr(why, path) != NULL);
    }
    stored_remove(&stored);
}

static void a_directory_is_made(void)
{
    struct stored stored;
    char path[TEST_PATH_MAX];
    stored_make(&stored, KV_SYNC_NONE);
    int length =
        snprintf(path, sizeof path, "%s/new", stored.disk.temporary.path);
    REQUIRE(length > 0 && length < TEST_PATH_MAX);
    stored.options.directory = path;
    REQUIRE(storage_open(&stored.storage, &stored.options, stored.why) == 0);
    CHECK_INT(stored_ask(&stored, KV_PUT, 1, 1), KV_SUCCESS);
    CHECK_INT(disk_count(&stored.disk, "new"), 1);
    stored_remove(&stored);
}

/* ---- Backups ------------------------------------------------------------- */

static void a_damaged_backup_is_passed_over(void)
{
    struct stored stored;
    char name[BACKUP_NAME_MAX];
    char *said;
    size_t said_size;
    make_store(&stored);
    stored.diag.stream = open_memstream(&said, &said_size);
    stored.diag.name = "";
    REQUIRE(stored.diag.stream != NULL);
    backup_of(&stored, 0, name);
    disk_flip(&stored.disk, name, DISK_PAGE + 7 * 320 + 100, 3);
    REQUIRE(stored_open(&stored) == 0);
    CHECK(fflush(stored.diag.stream) == 0);
    CHECK(strstr(said, "is not used") != NULL);
    check_first(&stored, COUNT);
    uint64_t lsn;
    CHECK_OK(stored_backup(&stored, &lsn));
    CHECK_OK(stored_close(&stored, false));
    REQUIRE(stored_open(&stored) == 0);
    check_first(&stored, COUNT);
    CHECK_OK(stored_close(&stored, false));
    CHECK(fclose(stored.diag.stream) == 0);
    free(said);
    stored.diag.stream = NULL;
    stored_remove(&stored);
}

/* The log is still there from its beginning, so all of it can go. */
static void without_backups_the_log_is_enough(void)
{
    struct stored stored;
    char name[BACKUP_NAME_MAX];
    for (int deleted = 0; deleted < 2; deleted++) {
        make_store(&stored);
        for (uint32_t i = 0; i < 2; i++) {
            backup_of(&stored, deleted ? 0 : i, name);
            if (deleted) {
                disk_delete(&stored.disk, name);
            } else {
                disk_cut(&stored.disk, name, 5000);
            }
        }
        REQUIRE(stored_open(&stored) == 0);
        check_first(&stored, COUNT);
        stored_remove(&stored);
    }
}

/* Its beginning was removed: nothing of it may be shown as if it were all. */
static void without_what_the_log_needs_nothing_is_opened(void)
{
    struct stored stored;
    char name[BACKUP_NAME_MAX];
    kv_message_t messages[300];
    uint64_t lsn;
    stored_make(&stored, KV_SYNC_NONE);
    REQUIRE(stored_open(&stored) == 0);
    for (uint64_t round = 0; round < 60; round++) {
        for (uint64_t i = 0; i < ARRAY_SIZE(messages); i++) {
            messages[i] = sample_request(KV_PUT, i, round);
        }
        stored_execute(&stored, messages, ARRAY_SIZE(messages));
        if (round % 20 == 19) {
            CHECK_OK(stored_backup(&stored, &lsn));
        }
    }
    CHECK_OK(stored_close(&stored, false));
    CHECK(!disk_has(&stored.disk, SEGMENT_1));
    for (uint32_t i = 0; i < 2; i++) {
        REQUIRE(stored_open(&stored) == 0);
        check_first(&stored, ARRAY_SIZE(messages));
        CHECK_OK(stored_close(&stored, false));
        backup_of(&stored, 0, name); /* damaged ones are set aside */
        disk_flip(&stored.disk, name, DISK_PAGE + 10, 1);
    }
    check_refused(&stored, EUCLEAN, "missing");
    stored_remove(&stored);
}

/* A damaged backup counts no more among those kept: else the next one would
 * have the valid one removed, and the log that it needs. */
static void a_damaged_backup_is_set_aside(void)
{
    struct stored stored;
    char newest[BACKUP_NAME_MAX];
    char before[BACKUP_NAME_MAX];
    char aside[BACKUP_NAME_MAX + sizeof ".damaged"];
    uint64_t lsn;
    make_store(&stored);
    backup_of(&stored, 0, newest);
    backup_of(&stored, 1, before);
    disk_flip(&stored.disk, newest, DISK_PAGE + 10, 1);
    REQUIRE(stored_open(&stored) == 0);
    snprintf(aside, sizeof aside, "%s.damaged", newest);
    CHECK(disk_has(&stored.disk, aside));
    CHECK(!disk_has(&stored.disk, newest));
    CHECK_OK(stored_backup(&stored, &lsn));
    CHECK(disk_has(&stored.disk, before));
    check_first(&stored, COUNT);
    CHECK_OK(stored_close(&stored, false));
    stored_remove(&stored);
}

/* With none no mark tells how far the log was durable; the newest backup does,
 * though it is damaged: what it held must be in the log, or nothing opens. */
static void a_damaged_backup_tells_how_far_the_log_was_durable(void)
{
    struct stored stored;
    char name[BACKUP_NAME_MAX];
    uint64_t count = 0;
    uint64_t lsn;
    stored_make(&stored, KV_SYNC_NONE);
    REQUIRE(stored_open(&stored) == 0);
    put_next(&stored, &count, COUNT);
    CHECK_OK(stored_backup(&stored, &lsn));
    put_next(&stored, &count, COUNT);
    CHECK_OK(stored_close(&stored, true));
    backup_of(&stored, 0, name);
    uint64_t at = DISK_PAGE + (lsn + COUNT / 2) * FRAME_SIZE;
    disk_flip(&stored.disk, SEGMENT_1, at, 3);
    REQUIRE(stored_open(&stored) == 0);
    check_first(&stored, count);
    CHECK_OK(stored_close(&stored, false));
    disk_flip(&stored.disk, name, DISK_PAGE + 10, 1);
    check_refused(&stored, EUCLEAN, "durable");
    disk_flip(&stored.disk, SEGMENT_1, at, 3);
    REQUIRE(stored_open(&stored) == 0);
    check_first(&stored, count);
    stored_remove(&stored);
}

static void a_backup_without_a_log_is_refused(void)
{
    struct stored stored;
    char name[BACKUP_NAME_MAX];
    make_store(&stored);
    disk_delete(&stored.disk, SEGMENT_1);
    check_refused(&stored, EUCLEAN, "no log");
    for (uint32_t i = 0; i < 2; i++) {
        backup_of(&stored, i, name);
        disk_flip(&stored.disk, name, DISK_PAGE + 10, 1);
        check_refused(&stored, EUCLEAN, "no log");
    }
    stored_remove(&stored);
}

/* ---- Capacity ------------------------------------------------------------ */

static void more_than_the_capacity_is_refused(void)
{
    for (int backup = 0; backup < 2; backup++) {
        struct stored stored;
        uint64_t count = 0;
        stored_make(&stored, KV_SYNC_NONE);
        REQUIRE(stored_open(&stored) == 0);
        put_next(&stored, &count, COUNT);
        CHECK_OK(stored_close(&stored, backup == 1));
        stored.options.capacity = COUNT - 1;
        check_refused(&stored, ENOSPC, "KV_CAPACITY is 59");
        stored.options.capacity = COUNT;
        REQUIRE(stored_open(&stored) == 0);
        check_first(&stored, COUNT);
        stored_remove(&stored);
    }
}

/* ---- hash.key ------------------------------------------------------------ */

static void hash_key_is_made_again(void)
{
    for (int kind = 0; kind < 4; kind++) {
        struct stored stored;
        char name[BACKUP_NAME_MAX];
        make_store(&stored);
        switch (kind) {
        case 0:
            disk_delete(&stored.disk, "hash.key");
            break;
        case 1:
            disk_flip(&stored.disk, "hash.key", 30, 0);
            break;
        case 2:
            disk_cut(&stored.disk, "hash.key", 47);
            break;
        default: /* without backups: the log tells whose it is */
            disk_delete(&stored.disk, "hash.key");
            backup_of(&stored, 0, name);
            disk_delete(&stored.disk, name);
            backup_of(&stored, 0, name);
            disk_delete(&stored.disk, name);
            break;
        }
        REQUIRE(stored_open(&stored) == 0);
        check_first(&stored, COUNT);
        CHECK_INT(stored_ask(&stored, KV_PUT, COUNT, 1), KV_SUCCESS);
        CHECK_OK(stored_close(&stored, false));
        REQUIRE(stored_open(&stored) == 0);
        check_first(&stored, COUNT + 1);
        stored_remove(&stored);
    }
}

/* Nothing is changed where the store is refused, hash.key no more than others.
 */
static void hash_key_is_not_made_where_the_store_is_refused(void)
{
    struct stored stored;
    make_store(&stored);
    disk_cut(&stored.disk, SEGMENT_1, DISK_PAGE);
    disk_delete(&stored.disk, "hash.key");
    check_refused(&stored, EUCLEAN, SEGMENT_1);
    stored_remove(&stored);
}

static void another_store_s_files_are_refused(void)
{
    struct stored stored;
    struct stored other;
    char name[BACKUP_NAME_MAX];
    make_store(&stored);
    make_store(&other);
    disk_bring(&other.disk, SEGMENT_1, &stored.disk);
    check_refused(&stored, EUCLEAN, "another store");
    stored_remove(&stored);
    make_store(&stored);
    backup_of(&other, 0, name);
    disk_bring(&other.disk, name, &stored.disk);
    REQUIRE(stored_open(&stored) == 0);
    check_first(&stored, COUNT);
    stored_remove(&stored);
    make_store(&stored);
    disk_bring(&other.disk, "hash.key", &stored.disk);
    check_refused(&stored, EUCLEAN, "another store");
    stored_remove(&stored);
    stored_remove(&other);
}

/* ---- Any damage ---------------------------------------------------------- */

struct any_name {
    uint64_t left;
    char name[BACKUP_NAME_MAX];
};

static int pick(void *context, const char *name)
{
    struct any_name *any = context;
    if (any->left-- > 0) {
        return 0;
    }
    (void)snprintf(any->name, sizeof any->name, "%s", name);
    return 1;
}

/* Somewhere in the first kilobytes of some file a byte, or some, go wrong. */
static void damage(const struct stored *stored, struct test_random *random)
{
    enum { LOOKED_AT = 40000 };
    struct any_name any = {
        .left = test_random_below(random, disk_count(&stored->disk, ""))};
    REQUIRE(file_list(stored->disk.directory, pick, &any) == 1);
    uint64_t size = u64_min(disk_size(&stored->disk, any.name), LOOKED_AT);
    if (size == 0) {
        return;
    }
    uint64_t offset = test_random_below(random, size);
    if (test_random_once_in(random, 2)) {
        disk_flip(&stored->disk, any.name, offset,
            (unsigned)test_random_below(random, 8));
    } else {
        disk_zero(&stored->disk, any.name,
            (struct disk_span){
                offset, (size_t)test_random_below(random, size - offset) + 1});
    }
}

/* Either the store opens with the records that were put first, all but the
 * last few that no mark covers, or it does not open and says why. */
static void it_opens_right_or_not_at_all(void)
{
    enum { ROUNDS = 150 };
    struct stored stored;
    struct test_random random;
    unsigned refused = 0;
    test_random_init(&random);
    make_store(&stored);
    for (int round = 0; round < ROUNDS; round++) {
        struct stored image;
        stored_crash(&stored, &image);
        damage(&image, &random);
        int error = stored_open(&image);
        if (error == 0) {
            uint64_t count = storage_count(image.storage);
            CHECK(count == COUNT || count == COUNT - 1);
            check_first(&image, count);
        } else {
            CHECK_ERRNO(error, EUCLEAN);
            refused++;
        }
        stored_remove(&image);
    }
    CHECK(refused > 0 && refused < ROUNDS);
    stored_remove(&stored);
}

/* ---- The clock ----------------------------------------------------------- */

/* The last write was made while the clock was ahead: time goes on all the same,
 * so what is to expire does. */
static void time_goes_on_behind_a_clock_that_was_ahead(void)
{
    enum { AHEAD_MS = 10 * 24 * 3600 * 1000, TTL_MS = 30, LIMIT_MS = 10000 };
    struct stored stored;
    struct frame frame;
    stored_make(&stored, KV_SYNC_NONE);
    REQUIRE(stored_open(&stored) == 0);
    CHECK_INT(stored_ask(&stored, KV_PUT, 1, 1), KV_SUCCESS);
    CHECK_OK(stored_close(&stored, false));

    int fd = file_open_write(stored.disk.directory, SEGMENT_1);
    REQUIRE(fd >= 0);
    REQUIRE(file_read_at(fd, &frame, sizeof frame, DISK_PAGE) == sizeof frame);
    frame.time_ms += AHEAD_MS;
    frame.crc = frame_crc(&frame);
    CHECK_OK(file_write_at(fd, &frame, sizeof frame, DISK_PAGE));
    file_close(fd);

    REQUIRE(stored_open(&stored) == 0);
    CHECK(storage_now(stored.storage) >= frame.time_ms);
    CHECK_INT(stored_ask_number(&stored, KV_EXPIRE, 1, TTL_MS), KV_SUCCESS);
    int64_t limit_ms = clock_steady_ms() + LIMIT_MS;
    while (stored_ask(&stored, KV_EXISTS, 1, 0) == KV_SUCCESS) {
        REQUIRE(clock_steady_ms() < limit_ms);
    }
    stored_remove(&stored);
}

const struct test_case test_storage_files[] = {
    TEST_CASE(one_store_has_a_directory),
    TEST_CASE(a_directory_that_cannot_be_used),
    TEST_CASE(a_directory_is_made),
    TEST_CASE(a_damaged_backup_is_passed_over),
    TEST_CASE(without_backups_the_log_is_enough),
    TEST_CASE(without_what_the_log_needs_nothing_is_opened),
    TEST_CASE(a_damaged_backup_is_set_aside),
    TEST_CASE(a_damaged_backup_tells_how_far_the_log_was_durable),
    TEST_CASE(a_backup_without_a_log_is_refused),
    TEST_CASE(more_than_the_capacity_is_refused),
    TEST_CASE(hash_key_is_made_again),
    TEST_CASE(hash_key_is_not_made_where_the_store_is_refused),
    TEST_CASE(another_store_s_files_are_refused),
    TEST_CASE(time_goes_on_behind_a_clock_that_was_ahead),
    TEST_CASE(it_opens_right_or_not_at_all),
    TEST_END,
};
