/* test_backup.c: files of backups: what was added is read again, by many
 * threads too; of what was damaged, nothing is handed out. */
#include "backup/backup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "disk.h"
#include "file.h"
#include "kind.h"
#include "samples.h"

enum { LSN = 4711, COUNT = 57, TIME_MS = 1234567 };

static const uint8_t identity[BACKUP_IDENTITY_SIZE] = "a store's number";

static int64_t expiry_of(uint64_t number)
{
    return number % 3 == 0 ? 0 : (int64_t)(TIME_MS * number);
}

static uint8_t kind_of(uint64_t number)
{
    return number % 5 == 0 ? KIND_REMAINS : KIND_STRING;
}

static void add(struct backup_writer *writer, uint64_t number)
{
    kv_message_t record = sample_request(KV_PUT, number, number * number);
    record.status = kind_of(number);
    backup_add(writer, &record, expiry_of(number));
}

static struct backup_writer *begin(
    const struct disk *disk, uint64_t lsn, uint64_t count, bool beside)
{
    struct backup_writer *writer;
    struct backup_head head = {.lsn = lsn, .count = count, .time_ms = TIME_MS};
    memcpy(head.identity, identity, sizeof head.identity);
    int error = backup_create(&writer, disk->directory, beside);
    REQUIRE(error == 0 && writer != NULL);
    backup_begin(writer, &head);
    return writer;
}

/* A backup of the samples 0..count-1. */
static void make(
    const struct disk *disk, uint64_t lsn, uint64_t count, bool beside)
{
    struct backup_writer *writer = begin(disk, lsn, count, beside);
    for (uint64_t i = 0; i < count; i++) {
        add(writer, i);
        CHECK_OK(backup_pace(writer));
    }
    CHECK_OK(backup_finish(writer));
}

static void make_backup(const struct disk *disk, uint64_t lsn, uint64_t count)
{
    make(disk, lsn, count, true);
}

/* Reads all of it, step records at a time; each sample must be there once. */
static int read_backup(
    const struct disk *disk, uint64_t lsn, uint32_t step, char *why)
{
    struct backup_reader reader;
    int error = backup_open(&reader, disk->directory, lsn, identity, why);
    if (error != 0) {
        CHECK(reader.fd < 0);
        return error;
    }
    uint64_t count = reader.head.count;
    uint8_t *seen = calloc(count + 1, 1);
    struct frame *frames = calloc(step, sizeof *frames);
    uint64_t wrong = 0;
    REQUIRE(seen != NULL && frames != NULL);
    CHECK_U64(reader.head.lsn, lsn);
    CHECK_INT(reader.head.time_ms, TIME_MS);
    for (uint64_t first = 1; first <= count && error == 0; first += step) {
        uint32_t want = (uint32_t)u64_min(step, count + 1 - first);
        error = backup_read(&reader, first, want, frames, why);
        for (uint32_t i = 0; i < want && error == 0; i++) {
            const kv_message_t *record = &frames[i].message;
            uint64_t number;
            uint64_t version;
            bool right = sample_number(record->key, &number) &&
                         number < count &&
                         sample_check(number, record->value, record->value_len,
                             &version) &&
                         version == number * number && record->type == KV_PUT &&
                         record->status == kind_of(number) &&
                         frames[i].arg == expiry_of(number) &&
                         frames[i].lsn == first + i;
            wrong += !right || seen[number]++ > 0 ? 1 : 0;
        }
    }
    CHECK_U64(wrong, 0);
    CHECK(error != 0 || count == 0 || memchr(seen, 0, count) == NULL);
    free(frames);
    free(seen);
    backup_close(&reader);
    return error;
}

/* ---- Whole ones --------------------------------------------------------- */

/* 64 frames are whole pages; one of each file is the footer. */
static void what_was_added_is_read_again(void)
{
    static const uint64_t counts[] = {0, 1, 2, 12, 13, 62, 63, 64, 127, 1000,
        BACKUP_RING_FRAMES - 1, BACKUP_RING_FRAMES + 1000};
    struct disk disk;
    char why[BACKUP_WHY_MAX];
    disk_make(&disk);
    for (uint64_t i = 0; i < 2 * ARRAY_SIZE(counts); i++) {
        char name[BACKUP_NAME_MAX];
        uint64_t count = counts[i / 2];
        make(&disk, i + 1, count, i % 2 == 0);
        backup_name(name, i + 1);
        CHECK_U64(disk_size(&disk, name), DISK_PAGE + (count + 1) * FRAME_SIZE);
        CHECK_OK(read_backup(&disk, i + 1, 1000, why));
        CHECK_OK(read_backup(&disk, i + 1, 7, why));
    }
    CHECK_INT(disk_count(&disk, ""), 2 * ARRAY_SIZE(counts));
    disk_remove(&disk);
}

static void an_unknown_kind_is_damage(void)
{
    struct disk disk;
    char why[BACKUP_WHY_MAX];
    disk_make(&disk);
    struct backup_writer *writer = begin(&disk, LSN, 1, true);
    kv_message_t record = sample_request(KV_PUT, 0, 0);
    record.status = UINT8_MAX;
    backup_add(writer, &record, 0);
    CHECK_OK(backup_finish(writer));
    CHECK_ERRNO(read_backup(&disk, LSN, 1, why), EUCLEAN);
    CHECK_TEXT(why, "its record number 1 at offset 4096 is damaged");
    disk_remove(&disk);
}

static void the_newest_comes_first(void)
{
    static const uint64_t lsns[] = {5, 0, 123456789, 17, UINT64_MAX};
    static const uint64_t sorted[] = {UINT64_MAX, 123456789, 17, 5, 0};
    static const char *const others[] = {"backup-new", "backup-", "backup-12",
        "backup-0000000000000000000x", "backup-99999999999999999999",
        "backup-000000000000000000001", "xbackup-00000000000000000001"};
    struct disk disk;
    struct backup_list *list = malloc(sizeof *list);
    disk_make(&disk);
    REQUIRE(list != NULL);
    CHECK_OK(backup_list_read(disk.directory, list));
    CHECK_INT(list->count, 0);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        disk_write(&disk, others[i], "");
    }
    for (size_t i = 0; i < ARRAY_SIZE(lsns); i++) {
        make_backup(&disk, lsns[i], 1);
    }
    CHECK_OK(backup_list_read(disk.directory, list));
    REQUIRE(list->count == ARRAY_SIZE(sorted));
    CHECK_BYTES(list->lsns, sorted, sizeof sorted);
    CHECK_OK(backup_remove(disk.directory, 17));
    CHECK_ERRNO(backup_remove(disk.directory, 17), ENOENT);
    CHECK_OK(backup_list_read(disk.directory, list));
    CHECK_INT(list->count, ARRAY_SIZE(sorted) - 1);
    free(list);
    disk_remove(&disk);
}

/* It takes the place of one with the same LSN, and until it is whole that one
 * is not touched. */
static void an_unfinished_one_leaves_nothing(void)
{
    struct disk disk;
    char why[BACKUP_WHY_MAX];
    disk_make(&disk);
    make_backup(&disk, LSN, COUNT);
    uint64_t before = disk_digest(&disk);
    struct backup_writer *writer = begin(&disk, LSN, COUNT, true);
    for (uint64_t i = 0; i < COUNT / 2; i++) {
        add(writer, i);
    }
    CHECK(disk_has(&disk, "backup-new"));
    CHECK_OK(read_backup(&disk, LSN, 10, why));
    backup_abandon(writer);
    CHECK_U64(disk_digest(&disk), before);
    disk_write(&disk, "backup-new", "half");
    CHECK_OK(backup_clean(disk.directory));
    CHECK_OK(backup_clean(disk.directory));
    CHECK_U64(disk_digest(&disk), before);
    make_backup(&disk, LSN, COUNT + 1);
    CHECK_INT(disk_count(&disk, ""), 1);
    CHECK_OK(read_backup(&disk, LSN, 10, why));
    disk_remove(&disk);
}

/* A failed write is told at the end, and nothing is left of the file.  size: of
 * what the file may have. */
static void check_failed_write(rlim_t size, bool beside)
{
    struct disk disk;
    struct rlimit limit;
    const uint64_t count = BACKUP_RING_FRAMES + 1000;
    disk_make(&disk);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    REQUIRE(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    const struct rlimit small = {size, limit.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    struct backup_writer *writer = begin(&disk, LSN, count, beside);
    for (uint64_t i = 0; i < count; i++) {
        add(writer, i);
        if (i == count / 2) {
            CHECK_ERRNO(backup_pace(writer), EFBIG);
            REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        }
    }
    CHECK_ERRNO(backup_pace(writer), EFBIG);
    CHECK_ERRNO(backup_finish(writer), EFBIG);
    CHECK_INT(disk_count(&disk, ""), 0);
    disk_remove(&disk);
}

/* Past the cache too, where the first write is cut short between two pages and
 * goes on through the cache. */
static void a_failed_write_is_not_forgotten(void)
{
    check_failed_write(1 << 20, false);
    check_failed_write(1 << 20, true);
    check_failed_write((1 << 20) - 100, true);
}

/* ---- Threads ------------------------------------------------------------ */

enum { ADDERS = 4, ADDED = 2 * BACKUP_RING_FRAMES };

struct adder {
    struct backup_writer *writer;
    uint64_t first;
};

static void *add_some(void *context)
{
    const struct adder *adder = context;
    for (uint64_t i = 0; i < ADDED / ADDERS; i++) {
        add(adder->writer, adder->first + i);
        if (adder->first == 0 && i % 100 == 0) {
            (void)backup_pace(adder->writer);
        }
    }
    return NULL;
}

static void many_threads_add_at_once(void)
{
    struct disk disk;
    char why[BACKUP_WHY_MAX];
    pthread_t threads[ADDERS];
    struct adder adders[ADDERS];
    disk_make(&disk);
    struct backup_writer *writer = begin(&disk, LSN, ADDED, true);
    for (size_t i = 0; i < ADDERS; i++) {
        adders[i] = (struct adder){writer, i * (ADDED / ADDERS)};
        REQUIRE(pthread_create(&threads[i], NULL, add_some, &adders[i]) == 0);
    }
    for (size_t i = 0; i < ADDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_OK(backup_finish(writer));
    CHECK_OK(read_backup(&disk, LSN, 2048, why));
    disk_remove(&disk);
}

/* ---- Damage ------------------------------------------------------------- */

struct damaged {
    struct disk disk;
    char name[BACKUP_NAME_MAX];
    uint64_t size;
    char why[BACKUP_WHY_MAX];
};

static void make_damaged(struct damaged *damaged)
{
    disk_make(&damaged->disk);
    make_backup(&damaged->disk, LSN, COUNT);
    backup_name(damaged->name, LSN);
    damaged->size = disk_size(&damaged->disk, damaged->name);
}

static void check_refused(struct damaged *damaged)
{
    damaged->why[0] = '\0';
    CHECK_ERRNO(read_backup(&damaged->disk, LSN, COUNT, damaged->why), EUCLEAN);
    CHECK(strlen(damaged->why) > 0);
}

/* Each byte of the head, of a few frames and of the footer, and some of all
 * the others. */
static void any_byte_that_counts(void)
{
    enum { HEAD_SIZE = 68 };
    struct damaged damaged;
    struct test_random random;
    test_random_init(&random);
    make_damaged(&damaged);
    for (uint64_t at = 0; at < damaged.size;) {
        unsigned bit = (unsigned)test_random_below(&random, 8);
        disk_flip(&damaged.disk, damaged.name, at, bit);
        check_refused(&damaged);
        if (at >= DISK_PAGE) {
            char offset[24];
            uint64_t frame = (at - DISK_PAGE) / FRAME_SIZE;
            (void)snprintf(offset, sizeof offset, " %d ",
                (int)(DISK_PAGE + frame * FRAME_SIZE));
            CHECK(strstr(damaged.why, offset) != NULL);
        }
        disk_flip(&damaged.disk, damaged.name, at, bit);
        bool each = at < HEAD_SIZE || at >= damaged.size - FRAME_SIZE ||
                    (at >= DISK_PAGE && at < DISK_PAGE + 2 * FRAME_SIZE);
        at += each ? 1 : 1 + test_random_below(&random, 60);
        at = at >= HEAD_SIZE && at < DISK_PAGE ? DISK_PAGE : at;
    }
    CHECK_OK(read_backup(&damaged.disk, LSN, COUNT, damaged.why));
    disk_remove(&damaged.disk);
}

static void any_other_size(void)
{
    struct damaged damaged;
    make_damaged(&damaged);
    disk_cut(&damaged.disk, damaged.name, damaged.size + 1);
    check_refused(&damaged);
    disk_cut(&damaged.disk, damaged.name, damaged.size + FRAME_SIZE);
    check_refused(&damaged);
    for (uint64_t size = damaged.size; size > 0;) {
        size -= u64_min(size, size > DISK_PAGE ? 64 : 1000);
        disk_cut(&damaged.disk, damaged.name, size);
        check_refused(&damaged);
    }
    disk_remove(&damaged.disk);
}

/* A file is the backup that its name says, of the store that asks. */
static void another_name_and_another_store(void)
{
    struct damaged damaged;
    struct backup_reader reader;
    char other[BACKUP_NAME_MAX];
    uint8_t stranger[BACKUP_IDENTITY_SIZE] = "someone else";
    make_damaged(&damaged);
    CHECK_ERRNO(backup_open(&reader, damaged.disk.directory, LSN, stranger,
                    damaged.why),
        EUCLEAN);
    CHECK(strstr(damaged.why, "another store") != NULL);
    CHECK_OK(
        backup_open(&reader, damaged.disk.directory, LSN, NULL, damaged.why));
    CHECK_BYTES(reader.head.identity, identity, sizeof identity);
    CHECK_U64(reader.head.count, COUNT);
    backup_close(&reader);
    backup_close(&reader);
    CHECK_ERRNO(read_backup(&damaged.disk, LSN + 1, 1, damaged.why), ENOENT);
    backup_name(other, LSN + 1);
    disk_rename(&damaged.disk, damaged.name, other);
    CHECK_ERRNO(read_backup(&damaged.disk, LSN + 1, 1, damaged.why), EUCLEAN);
    disk_write(&damaged.disk, damaged.name, "");
    check_refused(&damaged);
    disk_write(&damaged.disk, damaged.name, "fixkvbak");
    check_refused(&damaged);
    disk_remove(&damaged.disk);
}

/* Frames that are whole, but another's, or in another's place. */
static void frames_in_the_wrong_place(void)
{
    struct damaged damaged;
    struct frame frames[2];
    make_damaged(&damaged);
    const struct disk_span two = {DISK_PAGE + 5 * FRAME_SIZE, sizeof frames};
    disk_get(&damaged.disk, damaged.name, two, frames);
    const struct frame exchanged[2] = {frames[1], frames[0]};
    disk_set(&damaged.disk, damaged.name, two, exchanged);
    check_refused(&damaged);
    disk_set(&damaged.disk, damaged.name, two, frames);
    CHECK_OK(read_backup(&damaged.disk, LSN, COUNT, damaged.why));

    /* Valid ones that no backup has. */
    const struct frame right = frames[0];
    frames[0].message.type = KV_DELETE;
    frames[0].crc = frame_crc(&frames[0]);
    disk_set(&damaged.disk, damaged.name, two, frames);
    check_refused(&damaged);
    frames[0] = right;
    frames[0].message.value_len = KV_VALUE_MAX + 1;
    frames[0].crc = frame_crc(&frames[0]);
    disk_set(&damaged.disk, damaged.name, two, frames);
    check_refused(&damaged);
    frames[0] = right;
    memset(frames[0].message.key, 0, KV_KEY_SIZE);
    frames[0].crc = frame_crc(&frames[0]);
    disk_set(&damaged.disk, damaged.name, two, frames);
    check_refused(&damaged);
    disk_remove(&damaged.disk);
}

/* Where a disk shows what it held before, that was valid once: of a backup of
 * another time nothing is taken. */
static void records_of_another_backup(void)
{
    struct disk disk;
    char name[BACKUP_NAME_MAX];
    char why[BACKUP_WHY_MAX];
    struct frame frame;
    const struct disk_span span = {DISK_PAGE + 5 * sizeof frame, sizeof frame};
    disk_make(&disk);
    make_backup(&disk, LSN, COUNT);
    backup_name(name, LSN);
    disk_get(&disk, name, span, &frame);
    frame.time_ms--;
    frame.crc = frame_crc(&frame);
    disk_set(&disk, name, span, &frame);
    CHECK_ERRNO(read_backup(&disk, LSN, COUNT, why), EUCLEAN);
    CHECK(strstr(why, "record number 6 ") != NULL);
    disk_remove(&disk);
}

/* Also one that is damaged tells how far the log was durable. */
static void what_a_backup_tells_of_the_log(void)
{
    struct disk disk;
    char name[BACKUP_NAME_MAX];
    char other[BACKUP_NAME_MAX];
    static const uint8_t stranger[BACKUP_IDENTITY_SIZE] = "another number";
    disk_make(&disk);
    make_backup(&disk, LSN, COUNT);
    backup_name(name, LSN);
    backup_name(other, 2 * LSN);
    CHECK_U64(backup_claim(disk.directory, LSN, identity), LSN);
    CHECK_U64(backup_claim(disk.directory, LSN, stranger), 0);
    disk_flip(&disk, name, DISK_PAGE + 5, 2);
    CHECK_U64(backup_claim(disk.directory, LSN, identity), LSN);
    disk_rename(&disk, name, other);
    CHECK_U64(backup_claim(disk.directory, 2 * (uint64_t)LSN, identity), LSN);
    disk_flip(&disk, other, 33, 2);
    CHECK_U64(
        backup_claim(disk.directory, 2 * (uint64_t)LSN, identity), 2 * LSN);
    disk_remove(&disk);
}

const struct test_case test_backup[] = {
    TEST_CASE(what_was_added_is_read_again),
    TEST_CASE(an_unknown_kind_is_damage),
    TEST_CASE(the_newest_comes_first),
    TEST_CASE(an_unfinished_one_leaves_nothing),
    TEST_CASE(a_failed_write_is_not_forgotten),
    TEST_CASE(many_threads_add_at_once),
    TEST_CASE(any_byte_that_counts),
    TEST_CASE(any_other_size),
    TEST_CASE(another_name_and_another_store),
    TEST_CASE(frames_in_the_wrong_place),
    TEST_CASE(records_of_another_backup),
    TEST_CASE(what_a_backup_tells_of_the_log),
    TEST_END,
};
