/* test_storage_retain.c: which backups stay, and how much of the log: the rule
 * alone, over days and terabytes; and a store that follows it. */
#include "storage/retain.h"

#include <string.h>
#include <unistd.h>

#include "backup/backup.h"
#include "frame.h"
#include "stored.h"
#include "wal/wal.h"

enum {
    MINUTE_MS = 60 * 1000,
    HOUR_MS = 60 * MINUTE_MS,
    BACKUPS_MAX = 64, /* more must never be there at a time */
    ANCHORS_MAX = 7   /* of these, besides the newest */
};

/* The backups of a store while it lives, and the log behind log_lsn. */
struct life {
    struct retain_rule rule;
    struct retained backups[BACKUPS_MAX];
    uint32_t count;
    uint64_t lsn;
    int64_t now_ms;
    uint64_t log_lsn;
};

/* Time goes by, frames and a backup are written, the rule is applied. */
static void back_up(struct life *life, uint64_t frames, int64_t ms)
{
    uint32_t kept = 0;
    life->lsn += frames;
    life->now_ms += ms;
    REQUIRE(life->count < BACKUPS_MAX);
    memmove(
        life->backups + 1, life->backups, life->count * sizeof *life->backups);
    life->backups[0] =
        (struct retained){.lsn = life->lsn, .time_ms = life->now_ms};
    life->backups[0].valid = true;
    life->count++;
    uint64_t lsn =
        retain_decide(&life->rule, life->backups, life->count, life->now_ms);
    CHECK(lsn >= life->log_lsn);
    life->log_lsn = lsn;
    for (uint32_t i = 0; i < life->count; i++) {
        CHECK(life->backups[i].kept || i >= life->rule.newest);
        if (life->backups[i].kept) {
            life->backups[kept++] = life->backups[i];
        }
    }
    life->count = kept;
    CHECK(kept <= life->rule.newest + ANCHORS_MAX);
}

static const struct retained *oldest(const struct life *life)
{
    return &life->backups[life->count - 1];
}

/* ---- The rule ------------------------------------------------------------ */

static void without_it_the_newest(void)
{
    struct life life = {.rule = {.newest = 3}, .now_ms = 1};
    for (uint64_t i = 1; i <= 20; i++) {
        back_up(&life, 10, MINUTE_MS);
        CHECK_U64(life.count, i < 3 ? i : 3);
        CHECK_U64(life.log_lsn, i < 3 ? 0 : life.backups[2].lsn);
    }
}

/* At any instant each moment of the time that is kept can be reached, and not
 * much more than that is there. */
static void keep_time(uint32_t newest, int64_t keep_ms, int64_t interval_ms)
{
    struct life life = {
        .rule = {.newest = newest, .keep_ms = keep_ms}, .now_ms = 1000};
    struct test_random random;
    test_random_init(&random);
    int64_t cut_ms = 0;
    for (int i = 0; i < 5000; i++) {
        int64_t ms =
            1 + (int64_t)test_random_below(&random, 2 * (uint64_t)interval_ms);
        back_up(&life, test_random_below(&random, 1000) + 1, ms);
        if (life.log_lsn == 0) {
            CHECK_INT(cut_ms, 0);
            continue;
        }
        CHECK_U64(oldest(&life)->lsn, life.log_lsn);
        cut_ms = oldest(&life)->time_ms;
        CHECK(
            cut_ms <= life.now_ms - keep_ms || life.count == life.rule.newest);
        CHECK(life.count == life.rule.newest ||
              cut_ms > life.now_ms - keep_ms - keep_ms / 4 - 5 * interval_ms);
    }
    CHECK(cut_ms > 0);
}

static void a_day(void)
{
    keep_time(2, 24 * (int64_t)HOUR_MS, MINUTE_MS);
}

static void a_minute_with_a_backup_an_hour(void)
{
    keep_time(1, MINUTE_MS, HOUR_MS);
}

static void less_than_the_newest_backups(void)
{
    keep_time(10, 5 * MINUTE_MS, MINUTE_MS);
}

static void keep_size(uint64_t keep_bytes, uint64_t frames_most)
{
    struct life life = {
        .rule = {.newest = 2, .keep_bytes = keep_bytes}, .now_ms = 1};
    struct test_random random;
    test_random_init(&random);
    for (int i = 0; i < 5000; i++) {
        back_up(&life, 1 + test_random_below(&random, frames_most), MINUTE_MS);
        uint64_t needed = life.count >= 2 ? life.backups[1].lsn : 0;
        uint64_t kept = needed - life.log_lsn;
        CHECK(kept * FRAME_SIZE <= keep_bytes);
        if (life.log_lsn > 0) {
            CHECK_U64(oldest(&life)->lsn, life.log_lsn);
            CHECK((kept + 4 * frames_most) * FRAME_SIZE >= keep_bytes / 4 * 3);
        }
    }
    CHECK(life.log_lsn > 0);
}

static void ten_gigabytes(void)
{
    keep_size((uint64_t)10 << 30, 100000);
}

static void less_than_between_two_backups(void)
{
    keep_size((uint64_t)2 << 20, 100000);
}

/* The log cannot be cut at a backup that is damaged. */
static void what_is_not_valid_is_no_anchor(void)
{
    enum { COUNT = 8 };
    struct retained backups[COUNT];
    const struct retain_rule rule = {.newest = 2, .keep_ms = 4 * HOUR_MS};
    for (uint32_t i = 0; i < COUNT; i++) {
        backups[i] = (struct retained){.lsn = 100 * (COUNT - i),
            .time_ms = HOUR_MS * (int64_t)(COUNT - i),
            .valid = i != 4};
    }
    CHECK_U64(retain_decide(&rule, backups, COUNT, 8 * (int64_t)HOUR_MS), 300);
    for (uint32_t i = 0; i < COUNT; i++) {
        CHECK_INT(backups[i].kept, i <= 5 && i != 4);
    }
}

/* A clock that is set forward makes all look old: at the worst the newest
 * backups are left.  Set back, nothing goes. */
static void a_wrong_clock(void)
{
    struct life life = {
        .rule = {.newest = 2, .keep_ms = HOUR_MS}, .now_ms = 1000};
    for (int i = 0; i < 1000; i++) {
        back_up(&life, 10, MINUTE_MS);
    }
    uint64_t before = life.log_lsn;
    uint32_t count = life.count;
    int64_t now_ms = life.now_ms;
    CHECK_U64(retain_decide(&life.rule, life.backups, life.count, 0), 0);
    CHECK(life.backups[count - 1].kept);
    life.now_ms = now_ms;
    back_up(&life, 10, 1000 * (int64_t)HOUR_MS);
    CHECK_U64(life.count, 2);
    CHECK(life.log_lsn > before);
}

/* ---- A store ------------------------------------------------------------- */

static void put_many(struct stored *stored, uint64_t frames)
{
    enum { KEYS = 100, GROUP = 500 };
    kv_message_t *messages = malloc(GROUP * sizeof *messages);
    REQUIRE(messages != NULL);
    for (uint64_t done = 0; done < frames; done += GROUP) {
        for (uint64_t i = 0; i < GROUP; i++) {
            messages[i] = sample_request(KV_PUT, i % KEYS, done + i);
        }
        stored_execute(stored, messages, GROUP);
        CHECK_INT(messages[0].status, KV_SUCCESS);
    }
    free(messages);
}

/* As many bytes stay as are said to, also across a restart; and go at the start
 * that does not want them any more. */
static void a_store_keeps_so_many_bytes(void)
{
    enum { KEEP = 12 << 20, FRAMES = 5000, BACKUPS = 20 };
    struct stored stored;
    struct stats stats;
    stored_make(&stored, KV_SYNC_NONE);
    stored.options.log_keep_bytes = KEEP;
    REQUIRE(stored_open(&stored) == 0);
    for (int i = 0; i < BACKUPS; i++) {
        uint64_t lsn;
        put_many(&stored, FRAMES);
        CHECK_OK(stored_backup(&stored, &lsn));
        stored_stats(&stored, &stats);
        CHECK(stats.log_kept_bytes <= KEEP + WAL_SEGMENT_MIN);
        CHECK(stats.log_kept_segments < stats.log_segments);
        if (i == BACKUPS / 2) {
            struct stats again;
            CHECK_OK(stored_close(&stored, false));
            REQUIRE(stored_open(&stored) == 0);
            stored_stats(&stored, &again);
            CHECK_U64(again.log_kept_bytes, stats.log_kept_bytes);
            CHECK_U64(again.log_kept_segments, stats.log_kept_segments);
        }
    }
    CHECK(stats.log_kept_bytes >= KEEP / 2);
    CHECK(stats.log_kept_segments >= 4);
    CHECK(disk_count(&stored.disk, "backup-") > 2);
    CHECK_U64(disk_count(&stored.disk, "log-0"), stats.log_segments);
    CHECK_OK(stored_close(&stored, false));
    stored.options.log_keep_bytes = 0;
    REQUIRE(stored_open(&stored) == 0);
    stored_stats(&stored, &stats);
    CHECK_U64(stats.log_kept_bytes, 0);
    CHECK_U64(stats.log_kept_segments, 0);
    CHECK_U64(disk_count(&stored.disk, "backup-"), 2);
    stored_remove(&stored);
}

/* All of a day, of which a test sees less. */
static void a_store_keeps_so_much_time(void)
{
    enum { FRAMES = 5000, BACKUPS = 6 };
    struct stored stored;
    struct stats stats;
    stored_make(&stored, KV_SYNC_ALWAYS);
    stored.options.log_keep_ms = 24 * (int64_t)HOUR_MS;
    REQUIRE(stored_open(&stored) == 0);
    for (int i = 0; i < BACKUPS; i++) {
        uint64_t lsn;
        put_many(&stored, FRAMES);
        CHECK_OK(stored_backup(&stored, &lsn));
    }
    stored_stats(&stored, &stats);
    CHECK(stats.log_kept_bytes >= (BACKUPS - 3) * FRAMES * FRAME_SIZE);
    CHECK_U64(disk_count(&stored.disk, "log-00000000000000000001"), 1);
    CHECK_U64(disk_count(&stored.disk, "backup-"), 3);
    stored_remove(&stored);
}

static void oldest_backup(
    const struct stored *stored, char name[BACKUP_NAME_MAX])
{
    struct backup_list *list = malloc(sizeof *list);
    REQUIRE(list != NULL);
    REQUIRE(backup_list_read(stored->disk.directory, list) == 0);
    REQUIRE(list->count > 0);
    backup_name(name, list->lsns[list->count - 1]);
    free(list);
}

static void back_up_store(struct stored *stored, int times)
{
    for (; times > 0; times--) {
        uint64_t lsn;
        put_many(stored, 500);
        CHECK_OK(stored_backup(stored, &lsn));
    }
}

/* A backup that cannot be opened for the moment, as when there are no
 * descriptors, is not taken for a damaged one; those are no anchors. */
static void what_cannot_be_looked_at_stays(void)
{
    char name[BACKUP_NAME_MAX];
    struct stored stored;
    stored_make(&stored, KV_SYNC_NONE);
    stored.options.log_keep_ms = HOUR_MS;
    REQUIRE(stored_open(&stored) == 0);
    int directory = stored.disk.directory;
    back_up_store(&stored, 4);
    CHECK_U64(disk_count(&stored.disk, "backup-"), 3);
    /* The oldest one: it leads to itself, which nobody can follow. */
    oldest_backup(&stored, name);
    REQUIRE(renameat(directory, name, directory, "away") == 0);
    REQUIRE(symlinkat(name, directory, name) == 0);
    back_up_store(&stored, 4);
    CHECK_U64(disk_count(&stored.disk, name), 1);
    REQUIRE(renameat(directory, "away", directory, name) == 0);
    back_up_store(&stored, 1);
    CHECK_U64(disk_count(&stored.disk, name), 1);
    CHECK_U64(disk_count(&stored.disk, "backup-"), 3);
    stored_remove(&stored);
}

const struct test_case test_storage_retain[] = {
    TEST_CASE(without_it_the_newest),
    TEST_CASE(a_day),
    TEST_CASE(a_minute_with_a_backup_an_hour),
    TEST_CASE(less_than_the_newest_backups),
    TEST_CASE(ten_gigabytes),
    TEST_CASE(less_than_between_two_backups),
    TEST_CASE(what_is_not_valid_is_no_anchor),
    TEST_CASE(a_wrong_clock),
    TEST_CASE(a_store_keeps_so_many_bytes),
    TEST_CASE(a_store_keeps_so_much_time),
    TEST_CASE(what_cannot_be_looked_at_stays),
    TEST_END,
};
