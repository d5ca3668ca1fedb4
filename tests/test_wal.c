/* test_wal.c: the log while all goes well: what was appended comes back, marks
 * and chains.  Its segments: test_wal_segments.c; damage: test_wal_damage.c. */
#include "wal/wal.h"

#include <errno.h>
#include <string.h>

#include "logged.h"

/* ---- Frames ------------------------------------------------------------- */

static void an_empty_directory_is_an_empty_log(void)
{
    struct logged log;
    logged_make(&log, true);
    CHECK_OK(logged_read(&log, 0));
    CHECK_U64(log.end.lsn, 0);
    CHECK_INT(log.end.segments, 0);
    CHECK_OK(logged_read(&log, 77));
    CHECK_U64(log.end.lsn, 77);
    CHECK_OK(logged_open(&log, 77));
    CHECK_U64(wal_next_lsn(log.wal), 78);
    CHECK(!wal_mark_due(log.wal));
    CHECK(!wal_dirty(log.wal));
    CHECK_OK(wal_write(log.wal));
    CHECK_INT(disk_count(&log.disk, ""), 0);
    logged_remove(&log);
}

/* Groups of every size up to 40, so that they end anywhere in a page. */
static void what_was_written_comes_back(void)
{
    struct logged log;
    logged_make(&log, true);
    REQUIRE(logged_open(&log, 0) == 0);
    for (uint32_t size = 1; size <= 40; size++) {
        CHECK(logged_commit(&log, size, size % 3 == 0));
        CHECK_U64(wal_next_lsn(log.wal), log.count + 1);
        if (size % 10 == 0) {
            logged_close(&log);
            CHECK_OK(logged_open(&log, 0));
            CHECK_U64(log.delivered, log.count);
        }
    }
    CHECK_INT(log.end.segments, 1);
    logged_close(&log);
    for (uint64_t from = 0; from <= log.count; from += 13) {
        CHECK_OK(logged_read(&log, from));
        CHECK_U64(log.delivered, log.count - from);
        CHECK_U64(log.end.cut_frames, 0);
    }
    CHECK_OK(logged_read(&log, log.count));
    CHECK_U64(log.delivered, 0);
    CHECK_U64(log.end.lsn, log.count);
    logged_remove(&log);
}

static void what_was_not_written_does_not(void)
{
    struct logged log;
    logged_make(&log, false);
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK(logged_write(&log, 5, false));
    logged_group(&log, 7, true);
    logged_close(&log);
    logged_forget(&log, 6);
    CHECK_OK(logged_open(&log, 0));
    CHECK_U64(log.delivered, 5);
    CHECK(logged_write(&log, 2, false));
    CHECK_OK(logged_open(&log, 0));
    CHECK_U64(log.delivered, log.count);
    logged_remove(&log);
}

static void what_is_taken_back_leaves_no_trace(void)
{
    struct logged log;
    struct wal_figures figures;
    logged_make(&log, true);
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK(logged_commit(&log, 3, false));
    REQUIRE(wal_reserve(log.wal, 100) == 0);
    CHECK(logged_mark(&log));
    logged_append(&log, KV_PUT);
    uint64_t chain = logged_append(&log, KV_PUT | KV_LINKED);
    logged_append(&log, KV_DELETE | KV_LINKED);
    logged_take_back(&log, chain);
    logged_append(&log, KV_DELETE);
    CHECK_OK(wal_write(log.wal));
    /* A mark that is taken back is due again. */
    CHECK_OK(wal_sync(log.wal));
    REQUIRE(wal_reserve(log.wal, 1) == 0);
    uint64_t first = wal_next_lsn(log.wal);
    CHECK(logged_mark(&log));
    CHECK(!logged_mark(&log));
    logged_take_back(&log, first);
    CHECK(wal_mark_due(log.wal));
    logged_group(&log, 9, true);
    wal_discard(log.wal);
    logged_forget(&log, first);
    CHECK_U64(wal_next_lsn(log.wal), first);
    CHECK(wal_mark_due(log.wal));
    wal_figures(log.wal, &figures);
    CHECK_U64(figures.written, first - 1);
    CHECK_U64(figures.data, first - 1);
    CHECK_OK(logged_open(&log, 0));
    CHECK_U64(log.delivered, first - 1);
    logged_remove(&log);
}

/* The last frame that is no mark is known, whatever was taken back. */
static void what_is_taken_back_is_not_counted(void)
{
    struct logged log;
    struct wal_figures figures;
    logged_make(&log, true);
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK(logged_commit(&log, 3, false));
    REQUIRE(wal_reserve(log.wal, 10) == 0);
    CHECK(logged_mark(&log));
    uint64_t chain = logged_append(&log, KV_PUT | KV_LINKED);
    logged_append(&log, KV_PUT | KV_LINKED);
    logged_take_back(&log, chain);
    CHECK_OK(wal_write(log.wal));
    wal_figures(log.wal, &figures);
    CHECK_U64(figures.written, 4);
    CHECK_U64(figures.data, 3);
    CHECK(!wal_dirty(log.wal));
    CHECK(!wal_mark_due(log.wal));
    CHECK_OK(logged_open(&log, 0));
    CHECK_U64(log.end.data_lsn, 3);
    logged_remove(&log);
}

static void figures_tell_what_is_durable(void)
{
    struct logged log;
    struct wal_figures figures;
    logged_make(&log, false);
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK(logged_write(&log, 5, false));
    wal_figures(log.wal, &figures);
    CHECK_U64(figures.written, 5);
    CHECK_U64(figures.durable, 0);
    CHECK_U64(figures.data, 5);
    CHECK_U64(figures.segments, 1);
    CHECK(wal_dirty(log.wal));
    CHECK(!wal_mark_due(log.wal));
    CHECK_OK(wal_sync(log.wal));
    CHECK(!wal_dirty(log.wal));
    CHECK(logged_mark(&log));
    CHECK_OK(wal_write(log.wal));
    wal_figures(log.wal, &figures);
    CHECK_U64(figures.written, 6);
    CHECK_U64(figures.durable, 5);
    CHECK_U64(figures.data, 5);
    /* A mark alone is not worth a sync, nor another mark. */
    CHECK(!wal_dirty(log.wal));
    CHECK_OK(wal_sync(log.wal));
    CHECK(!wal_mark_due(log.wal));
    CHECK_OK(logged_open(&log, 0));
    CHECK_U64(log.end.data_lsn, 5);
    CHECK_U64(log.end.durable, 0);
    wal_figures(log.wal, &figures);
    CHECK_U64(figures.written, 6);
    CHECK_U64(figures.durable, 6);
    CHECK_U64(figures.data, 5);
    logged_remove(&log);
}

/* What an earlier process wrote is marked as durable by the first group. */
static void the_first_mark_after_a_start_tells_of_what_was_found(void)
{
    struct logged log;
    logged_make(&log, false);
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK(logged_write(&log, 5, false));
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK(wal_mark_due(log.wal));
    CHECK(logged_write(&log, 1, false));
    CHECK_INT(log.frames[5].message.type, VERB_MARK);
    CHECK_INT(log.frames[5].arg, 5);
    REQUIRE(logged_open(&log, log.count) == 0);
    CHECK(!wal_mark_due(log.wal));
    logged_remove(&log);
}

/* ---- Chains ------------------------------------------------------------- */

static void a_chain_that_has_no_end_is_not_there(void)
{
    struct logged log;
    logged_make(&log, false);
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK(logged_write(&log, 4, true));
    REQUIRE(wal_reserve(log.wal, 10) == 0);
    logged_append(&log, KV_PUT);
    uint64_t chain = logged_append(&log, KV_PUT | KV_LINKED);
    logged_append(&log, KV_ADD | KV_LINKED);
    CHECK_OK(wal_write(log.wal));
    logged_close(&log);
    CHECK_OK(logged_read(&log, 0));
    CHECK_U64(log.end.lsn, chain - 1);
    CHECK_U64(log.end.cut_frames, 2);
    uint64_t unopened = disk_digest(&log.disk);
    CHECK_OK(logged_read(&log, 0));
    CHECK_U64(disk_digest(&log.disk), unopened);
    /* Its numbers are given again, and nothing of it comes back. */
    CHECK_OK(logged_open(&log, 0));
    logged_forget(&log, chain);
    CHECK_OK(logged_read(&log, 0));
    CHECK_U64(log.end.cut_frames, 0);
    CHECK(logged_write(&log, 1, false));
    CHECK_OK(logged_open(&log, 0));
    CHECK_U64(log.end.lsn, log.count);
    logged_remove(&log);
}

/* It may fill a group, and its end may be missing for a page as for a frame. */
static void a_chain_is_as_long_as_a_group(void)
{
    struct logged log;
    logged_make(&log, false);
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK(logged_write(&log, 4, true));
    CHECK(logged_write(&log, WAL_CHAIN_MAX - 1, true));
    logged_close(&log);
    CHECK_OK(logged_read(&log, 0));
    CHECK_U64(log.end.lsn, log.count);
    CHECK_OK(logged_open(&log, 0));
    REQUIRE(wal_reserve(log.wal, 2 * KV_CHAIN_MAX) == 0);
    uint64_t chain = logged_append(&log, KV_PUT | KV_LINKED);
    for (int i = 1; i < 2 * KV_CHAIN_MAX; i++) {
        logged_append(&log, KV_PUT | KV_LINKED);
    }
    CHECK_OK(wal_write(log.wal));
    logged_close(&log);
    CHECK_OK(logged_read(&log, 0));
    CHECK_U64(log.end.lsn, chain - 1);
    CHECK_U64(log.end.cut_frames, 2 * KV_CHAIN_MAX);
    logged_remove(&log);
}

/* The reader takes 4,096 frames at a time; chains lie across that. */
static void chains_come_whole_however_the_log_is_read(void)
{
    struct logged log;
    logged_make(&log, false);
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK(logged_write(&log, 4050, false));
    for (int i = 0; i < 20; i++) {
        CHECK(logged_write(&log, KV_CHAIN_MAX, true));
    }
    logged_close(&log);
    for (uint64_t from = 0; from < KV_CHAIN_MAX; from++) {
        CHECK_OK(logged_read(&log, from));
        CHECK_U64(log.end.lsn, log.count);
    }
    logged_remove(&log);
}

/* Bytes of a segment that are as they were filled here. */
static uint64_t count_filled(const struct disk *disk, const char *name)
{
    static uint8_t bytes[LOGGED_SEGMENT];
    uint64_t filled = 0;
    disk_get(disk, name, (struct disk_span){0, sizeof bytes}, bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        filled += bytes[i] == 0xa5 ? 1 : 0;
    }
    return filled;
}

/* Where not every group is synced; else a sync would have more to write. */
static void the_first_write_to_an_extent_fills_it(void)
{
    enum { BEGIN = 4 * DISK_PAGE, FILLED = 2 * WAL_EXTENT };
    static uint8_t bytes[FILLED];
    memset(bytes, 0xa5, sizeof bytes);
    for (int always = 0; always < 2; always++) {
        struct logged log;
        char name[WAL_NAME_MAX];
        logged_make(&log, always != 0);
        REQUIRE(logged_open(&log, 0) == 0);
        CHECK(logged_write(&log, 1, false));
        logged_close(&log);
        logged_segment(&log, 0, name);
        disk_set(&log.disk, name, (struct disk_span){BEGIN, FILLED}, bytes);
        uint64_t before = count_filled(&log.disk, name);
        REQUIRE(logged_open(&log, 0) == 0);
        CHECK(logged_write(&log, 1, false));
        uint64_t left = count_filled(&log.disk, name);
        CHECK_U64(before - left, always != 0 ? 0 : WAL_EXTENT - BEGIN);
        CHECK(logged_write(&log, 1, false));
        CHECK_U64(count_filled(&log.disk, name), left);
        CHECK_OK(logged_open(&log, 0));
        CHECK_U64(log.delivered, log.count);
        logged_remove(&log);
    }
}

const struct test_case test_wal[] = {
    TEST_CASE(an_empty_directory_is_an_empty_log),
    TEST_CASE(what_was_written_comes_back),
    TEST_CASE(what_was_not_written_does_not),
    TEST_CASE(what_is_taken_back_leaves_no_trace),
    TEST_CASE(what_is_taken_back_is_not_counted),
    TEST_CASE(figures_tell_what_is_durable),
    TEST_CASE(the_first_mark_after_a_start_tells_of_what_was_found),
    TEST_CASE(a_chain_that_has_no_end_is_not_there),
    TEST_CASE(a_chain_is_as_long_as_a_group),
    TEST_CASE(chains_come_whole_however_the_log_is_read),
    TEST_CASE(the_first_write_to_an_extent_fills_it),
    TEST_END,
};
