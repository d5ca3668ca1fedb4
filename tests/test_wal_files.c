/* test_wal_files.c: logs of several segments of which a file is missing, of
 * another place or store, or was not written when the power went; synced ones
 * and ones that never were. */
#include "wal/wal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "logged.h"

enum { SEGMENTS = 3, ANY = 100 };

/* Three segments of one group each; with always, each is synced. */
static void make_large(struct logged *log, bool always)
{
    uint32_t half = (uint32_t)logged_segment_frames() / 2 + 1;
    logged_make(log, always);
    REQUIRE(logged_open(log, 0) == 0);
    for (int i = 0; i < SEGMENTS; i++) {
        REQUIRE(always ? logged_commit(log, half, false)
                       : logged_write(log, half, false));
    }
    logged_close(log);
    REQUIRE(disk_count(&log->disk, "log-0") == SEGMENTS);
}

/* The log is refused, whether it is read or opened, naming the file; and
 * nothing is changed. */
static void check_refused(struct logged *log, const char *name)
{
    uint64_t before = disk_digest(&log->disk);
    CHECK_ERRNO(logged_read(log, 0), EUCLEAN);
    CHECK(strstr(log->why, name) != NULL);
    CHECK_ERRNO(logged_open(log, 0), EUCLEAN);
    CHECK_U64(disk_digest(&log->disk), before);
}

/* ---- Missing and wrong files -------------------------------------------- */

static void a_segment_that_is_missing(void)
{
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        struct logged log;
        char name[WAL_NAME_MAX];
        make_large(&log, true);
        uint64_t first = logged_first(&log, i);
        logged_segment(&log, i, name);
        disk_delete(&log.disk, name);
        char number[24];
        (void)snprintf(
            number, sizeof number, " %llu ", (unsigned long long)first);
        check_refused(&log, number);
        CHECK(strstr(log.why, "missing") != NULL);
        if (i == 0) {
            CHECK_OK(logged_read(&log, logged_first(&log, 0) - 1));
        }
        logged_remove(&log);
    }
}

static void segments_that_were_exchanged(void)
{
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        struct logged log;
        char name[WAL_NAME_MAX];
        char other[WAL_NAME_MAX];
        make_large(&log, true);
        logged_segment(&log, i, name);
        logged_segment(&log, (i + 1) % SEGMENTS, other);
        disk_rename(&log.disk, name, "x");
        disk_rename(&log.disk, other, name);
        disk_rename(&log.disk, "x", other);
        check_refused(&log, "log-0");
        CHECK(strstr(log.why, "wrong place") != NULL);
        logged_remove(&log);
    }
}

/* A segment with an older copy of it, under its own or another's name. */
static void an_old_segment_came_back(void)
{
    struct logged old;
    struct logged log;
    char first[WAL_NAME_MAX];
    char last[WAL_NAME_MAX];
    logged_make(&old, true);
    REQUIRE(logged_open(&old, 0) == 0);
    CHECK(logged_commit(&old, 500, false));
    logged_close(&old);
    make_large(&log, true);
    logged_segment(&log, 0, first);
    logged_segment(&log, SEGMENTS - 1, last);
    disk_bring(&old.disk, first, &log.disk);
    check_refused(&log, first);
    logged_remove(&log);
    make_large(&log, true);
    disk_rename(&old.disk, first, last);
    disk_bring(&old.disk, last, &log.disk);
    check_refused(&log, last);
    CHECK(strstr(log.why, "wrong place") != NULL);
    logged_remove(&log);
    logged_remove(&old);
}

static void a_segment_of_another_store(void)
{
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        struct logged log;
        struct logged other;
        char name[WAL_NAME_MAX];
        make_large(&log, true);
        logged_make(&other, true);
        memset(other.options.identity, 'o', sizeof other.options.identity);
        REQUIRE(logged_open(&other, logged_first(&log, i) - 1) == 0);
        other.count = logged_first(&log, i) - 1;
        other.room = other.count + ANY;
        free(other.frames);
        other.frames = calloc(other.room, sizeof *other.frames);
        REQUIRE(other.frames != NULL);
        CHECK(logged_commit(&other, 10, false));
        logged_segment(&log, i, name);
        disk_bring(&other.disk, name, &log.disk);
        check_refused(&log, name);
        CHECK(strstr(log.why, "another store") != NULL);
        logged_remove(&other);
        logged_remove(&log);
    }
}

static void a_file_that_is_no_segment(void)
{
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        struct logged log;
        char name[WAL_NAME_MAX];
        char text[2 * DISK_PAGE];
        make_large(&log, true);
        logged_segment(&log, i, name);
        disk_write(&log.disk, name, "");
        check_refused(&log, name);
        disk_write(&log.disk, name, "once upon a time");
        check_refused(&log, name);
        memset(text, 'a', sizeof text);
        text[sizeof text - 1] = '\0';
        disk_write(&log.disk, name, text);
        check_refused(&log, name);
        disk_cut(&log.disk, name, LOGGED_SEGMENT);
        check_refused(&log, name);
        logged_remove(&log);
    }
}

/* ---- Heads -------------------------------------------------------------- */

/* In a log that is synced, the head of a segment is on disk before its first
 * frame is, and before the segment before it names it. */
static void a_head_that_was_wiped(void)
{
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        struct logged log;
        char name[WAL_NAME_MAX];
        make_large(&log, true);
        logged_segment(&log, i, name);
        disk_zero(&log.disk, name, (struct disk_span){0, DISK_PAGE});
        check_refused(&log, "log-0");
        logged_remove(&log);
    }
}

/* What was synced is known to be durable by the name of its successor, whether
 * or not a mark tells of it. */
static void a_sealed_segment_is_known_to_be_durable(void)
{
    struct logged log;
    char name[WAL_NAME_MAX];
    make_large(&log, false);
    REQUIRE(logged_open(&log, 0) == 0);
    logged_close(&log);
    CHECK_OK(logged_read(&log, 0));
    uint64_t second = logged_first(&log, 1);
    logged_segment(&log, 0, name);
    disk_flip(&log.disk, name, logged_offset(1, second - 1), 0);
    CHECK_OK(logged_read(&log, 0));
    CHECK_U64(log.end.lsn, second - 2);
    disk_flip(&log.disk, name, logged_offset(1, second - 1), 0);
    logged_remove(&log);

    uint32_t half = (uint32_t)logged_segment_frames() / 2 + 1;
    logged_make(&log, false);
    REQUIRE(logged_open(&log, 0) == 0);
    for (int i = 0; i < SEGMENTS; i++) {
        CHECK(logged_write(&log, half, false));
    }
    CHECK_OK(wal_sync_sealed(log.wal));
    logged_close(&log);
    CHECK_OK(logged_read(&log, 0));
    disk_flip(&log.disk, name, logged_offset(1, second - 1), 0);
    check_refused(&log, name);
    logged_remove(&log);
}

/* In one that is not, the power may go before it is. */
static void a_head_that_was_never_written(void)
{
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        struct logged log;
        char name[WAL_NAME_MAX];
        make_large(&log, false);
        uint64_t first = logged_first(&log, i);
        logged_segment(&log, i, name);
        disk_zero(&log.disk, name, (struct disk_span){0, DISK_PAGE});
        CHECK_OK(logged_read(&log, 0));
        CHECK_U64(log.end.lsn, first - 1);
        CHECK_OK(logged_open(&log, 0));
        CHECK_INT(disk_count(&log.disk, "log-0"), i);
        logged_forget(&log, first);
        CHECK(logged_write(&log, 3, true));
        CHECK_OK(logged_open(&log, 0));
        CHECK_U64(log.end.lsn, log.count);
        logged_remove(&log);
    }
}

/* The sealed segments were synced, the one written to was not. */
static void a_head_that_was_not_synced(void)
{
    struct logged log;
    char name[WAL_NAME_MAX];
    uint32_t half = (uint32_t)logged_segment_frames() / 2 + 1;
    logged_make(&log, false);
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK(logged_write(&log, half, false));
    CHECK(logged_write(&log, half, false));
    CHECK_OK(wal_sync_sealed(log.wal));
    logged_close(&log);
    uint64_t first = logged_first(&log, 1);
    logged_segment(&log, 1, name);
    disk_zero(&log.disk, name, (struct disk_span){0, DISK_PAGE});
    CHECK_OK(logged_read(&log, 0));
    CHECK_U64(log.end.lsn, first - 1);
    CHECK_OK(logged_open(&log, 0));
    logged_forget(&log, first);
    CHECK(logged_write(&log, 1, false));
    CHECK_OK(logged_open(&log, 0));
    CHECK_U64(log.end.lsn, log.count);
    logged_remove(&log);
}

/* ---- Logs that were never synced ---------------------------------------- */

/* A tear anywhere in them ends the log; later segments were never durable and
 * are no damage. */
static void what_follows_a_tear_is_dropped(void)
{
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        struct logged log;
        char name[WAL_NAME_MAX];
        make_large(&log, false);
        uint64_t first = logged_first(&log, i);
        uint64_t torn = first + ANY;
        logged_segment(&log, i, name);
        disk_flip(&log.disk, name, logged_offset(first, torn), 0);
        CHECK_OK(logged_read(&log, 0));
        CHECK_U64(log.end.lsn, torn - 1);
        CHECK_U64(log.end.cut_frames, log.count - torn);
        CHECK_U64(log.end.first_lsn, first);
        CHECK_OK(logged_open(&log, 0));
        CHECK_INT(disk_count(&log.disk, "log-0"), i + 1);
        /* The frame behind the new one stood there, whole, before. */
        logged_forget(&log, torn);
        CHECK(logged_write(&log, 1, false));
        CHECK_OK(logged_open(&log, 0));
        CHECK_U64(log.end.lsn, log.count);
        CHECK_U64(log.end.cut_frames, 0);
        logged_remove(&log);
    }
}

/* One sync in the midst: what it covered is refused when it is damaged, what
 * came later is dropped. */
static void a_sync_divides_damage_from_tears(void)
{
    struct logged log;
    char name[WAL_NAME_MAX];
    uint32_t half = (uint32_t)logged_segment_frames() / 2 + 1;
    logged_make(&log, false);
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK(logged_write(&log, half / 2, false));
    CHECK_OK(wal_sync(log.wal));
    uint64_t durable = log.count;
    CHECK(logged_write(&log, half / 2, false));
    CHECK(logged_write(&log, half, false));
    CHECK(logged_write(&log, half, false));
    logged_close(&log);
    CHECK_INT(disk_count(&log.disk, "log-0"), SEGMENTS);
    logged_segment(&log, 0, name);
    for (int64_t off = -3; off <= 3; off++) {
        uint64_t lsn = (uint64_t)((int64_t)durable + off);
        uint64_t offset = logged_offset(1, lsn) + 7;
        disk_flip(&log.disk, name, offset, 7);
        if (lsn <= durable) {
            check_refused(&log, name);
        } else {
            CHECK_OK(logged_read(&log, 0));
            CHECK_U64(log.end.lsn, lsn - 1);
        }
        disk_flip(&log.disk, name, offset, 7);
    }
    logged_remove(&log);
}

/* The head of the next segment is evidence enough. */
static void a_later_head_tells_of_damage(void)
{
    struct logged log;
    char name[WAL_NAME_MAX];
    uint32_t half = (uint32_t)logged_segment_frames() / 2 + 1;
    logged_make(&log, true);
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK(logged_commit(&log, half, false));
    CHECK(logged_write(&log, 4, false));
    uint64_t mark = half + 1;
    uint64_t second = log.count + 1;
    REQUIRE(wal_sync(log.wal) == 0);
    REQUIRE(wal_reserve(log.wal, WAL_GROUP_MAX - 1) == 0);
    logged_close(&log);
    CHECK_U64(logged_first(&log, 1), second);
    logged_segment(&log, 0, name);
    for (uint64_t lsn = mark; lsn < second; lsn++) {
        disk_flip(&log.disk, name, logged_offset(1, lsn) + 300, 2);
        check_refused(&log, name);
        disk_flip(&log.disk, name, logged_offset(1, lsn) + 300, 2);
    }
    CHECK_OK(logged_read(&log, 0));
    logged_remove(&log);
}

const struct test_case test_wal_files[] = {
    TEST_CASE(a_segment_that_is_missing),
    TEST_CASE(segments_that_were_exchanged),
    TEST_CASE(an_old_segment_came_back),
    TEST_CASE(a_segment_of_another_store),
    TEST_CASE(a_file_that_is_no_segment),
    TEST_CASE(a_head_that_was_wiped),
    TEST_CASE(a_sealed_segment_is_known_to_be_durable),
    TEST_CASE(a_head_that_was_never_written),
    TEST_CASE(a_head_that_was_not_synced),
    TEST_CASE(what_follows_a_tear_is_dropped),
    TEST_CASE(a_sync_divides_damage_from_tears),
    TEST_CASE(a_later_head_tells_of_damage),
    TEST_END,
};
