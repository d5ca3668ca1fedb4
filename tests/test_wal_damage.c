/* test_wal_damage.c: what a crash leaves of a log, and what nothing but damage
 * leaves.  The rule: what is known to have been durable is there, or the log is
 * refused, and the reason names file, offset and LSN; never a frame that was
 * not appended, never half a chain. */
#include "wal/wal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "logged.h"

#define SEGMENT_1 "log-00000000000000000001"

/* Groups of the small log that most tests damage: frames, and whether they are
 * a chain.  A mark comes before each but the first. */
static const struct {
    uint32_t frames;
    bool linked;
} groups[] = {{1, false}, {2, false}, {3, true}, {1, false}, {5, true},
    {2, false}, {1, false}, {4, true}, {1, false}, {3, false}};

/* Each group synced; the last one of which no mark tells. */
static void make_small(struct logged *log)
{
    logged_make(log, true);
    REQUIRE(logged_open(log, 0) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        REQUIRE(logged_commit(log, groups[i].frames, groups[i].linked));
    }
    logged_close(log);
}

/* The first frame of the chain that the frame belongs to. */
static uint64_t chain_start(const struct logged *log, uint64_t lsn)
{
    while (lsn > 1 && frame_linked(&log->frames[lsn - 2])) {
        lsn--;
    }
    return lsn;
}

/* The most that marks behind lsn tell of what was durable. */
static uint64_t marked_behind(const struct logged *log, uint64_t lsn)
{
    uint64_t durable = 0;
    for (uint64_t i = lsn; i < log->count; i++) {
        if (frame_verb(&log->frames[i]) == VERB_MARK) {
            durable = u64_max(durable, (uint64_t)log->frames[i].arg);
        }
    }
    return durable;
}

static bool has_number(const char *text, uint64_t number)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, " %" PRIu64, number);
    return strstr(text, digits) != NULL;
}

/* Frame lsn, and none but it, is not valid. */
static void check_one_damaged(struct logged *log, uint64_t lsn)
{
    uint64_t start = chain_start(log, lsn);
    int error = logged_read(log, 0);
    if (marked_behind(log, lsn) >= start) {
        CHECK_ERRNO(error, EUCLEAN);
        CHECK(strstr(log->why, SEGMENT_1) != NULL);
        CHECK(has_number(log->why, lsn));
        CHECK(has_number(log->why, start));
        CHECK(has_number(log->why, logged_offset(1, lsn)));
    } else {
        CHECK_OK(error);
        CHECK_U64(log->end.lsn, start - 1);
        CHECK_U64(log->end.cut_frames, log->count - start);
    }
}

/* ---- Bits --------------------------------------------------------------- */

static void any_byte_of_a_frame(void)
{
    struct logged log;
    struct test_random random;
    test_random_init(&random);
    make_small(&log);
    const uint64_t chosen[] = {2, 7, log.count - 8, log.count};
    CHECK_INT(log.frames[chosen[0] - 1].message.type, VERB_MARK);
    CHECK(frame_linked(&log.frames[chosen[1] - 1]));
    for (size_t i = 0; i < ARRAY_SIZE(chosen); i++) {
        for (uint64_t byte = 0; byte < FRAME_SIZE; byte++) {
            uint64_t offset = logged_offset(1, chosen[i]) + byte;
            unsigned bit = (unsigned)test_random_below(&random, 8);
            disk_flip(&log.disk, SEGMENT_1, offset, bit);
            check_one_damaged(&log, chosen[i]);
            disk_flip(&log.disk, SEGMENT_1, offset, bit);
        }
    }
    CHECK_OK(logged_read(&log, 0));
    CHECK_U64(log.end.lsn, log.count);
    logged_remove(&log);
}

static void any_frame(void)
{
    struct logged log;
    struct test_random random;
    unsigned refused = 0;
    test_random_init(&random);
    make_small(&log);
    for (uint64_t lsn = 1; lsn <= log.count; lsn++) {
        uint64_t offset =
            logged_offset(1, lsn) + test_random_below(&random, FRAME_SIZE);
        disk_flip(&log.disk, SEGMENT_1, offset, 3);
        check_one_damaged(&log, lsn);
        refused += log.why[0] != '\0' ? 1 : 0;
        /* Whoever opens it instead of reading it gets the same answer. */
        if (log.why[0] != '\0') {
            uint64_t before = disk_digest(&log.disk);
            CHECK_ERRNO(logged_open(&log, 0), EUCLEAN);
            CHECK_U64(disk_digest(&log.disk), before);
        }
        disk_flip(&log.disk, SEGMENT_1, offset, 3);
    }
    CHECK(refused > log.count / 2);
    logged_remove(&log);
}

static void any_byte_of_a_head(void)
{
    enum { HEAD_SIZE = 68 };
    struct logged log;
    struct test_random random;
    test_random_init(&random);
    make_small(&log);
    for (uint64_t byte = 0; byte < DISK_PAGE;
         byte += byte < HEAD_SIZE ? 1 : 61) {
        unsigned bit = (unsigned)test_random_below(&random, 8);
        disk_flip(&log.disk, SEGMENT_1, byte, bit);
        int error = logged_read(&log, 0);
        if (byte < HEAD_SIZE) {
            CHECK_ERRNO(error, EUCLEAN);
            CHECK(strstr(log.why, SEGMENT_1) != NULL);
        } else {
            CHECK_OK(error);
            CHECK_U64(log.end.lsn, log.count);
        }
        disk_flip(&log.disk, SEGMENT_1, byte, bit);
    }
    logged_remove(&log);
}

/* ---- Cuts --------------------------------------------------------------- */

enum { CUT_FRAMES = 10 };

/* The frames at the end of a small log, as they are on disk. */
struct tail {
    uint64_t first; /* LSN */
    struct frame frames[CUT_FRAMES];
};

static void get_tail(const struct logged *log, struct tail *tail)
{
    tail->first = log->count - CUT_FRAMES + 1;
    disk_get(&log->disk, SEGMENT_1,
        (struct disk_span){logged_offset(1, tail->first), sizeof tail->frames},
        tail->frames);
}

/* What may be expected of a log of whose tail this is left. */
static uint64_t tail_end(const struct logged *log, const struct tail *tail)
{
    uint64_t lsn = tail->first;
    while (lsn <= log->count &&
           frame_valid(&tail->frames[lsn - tail->first], lsn)) {
        lsn++;
    }
    return chain_start(log, lsn) - 1;
}

/* The last pages were never written: zeros from any byte on. */
static void a_tail_that_was_lost(void)
{
    struct logged log;
    struct tail tail;
    make_small(&log);
    get_tail(&log, &tail);
    uint64_t offset = logged_offset(1, tail.first);
    for (size_t byte = sizeof tail.frames; byte-- > 0;) {
        ((uint8_t *)tail.frames)[byte] = 0;
        disk_zero(&log.disk, SEGMENT_1, (struct disk_span){offset + byte, 1});
        CHECK_OK(logged_read(&log, 0));
        CHECK_U64(log.end.lsn, tail_end(&log, &tail));
    }
    CHECK(log.end.lsn < tail.first);
    logged_remove(&log);
}

/* A file that ends too early is none of ours: a segment has its size from the
 * beginning. */
static void a_file_that_was_cut(void)
{
    struct logged log;
    make_small(&log);
    uint64_t least = logged_offset(1, log.count - CUT_FRAMES);
    for (uint64_t size = logged_offset(1, log.count + 1); size-- > least;) {
        disk_cut(&log.disk, SEGMENT_1, size);
        CHECK_ERRNO(logged_read(&log, 0), EUCLEAN);
        CHECK(strstr(log.why, SEGMENT_1) != NULL);
    }
    disk_cut(&log.disk, SEGMENT_1, LOGGED_SEGMENT - 1);
    CHECK_ERRNO(logged_read(&log, 0), EUCLEAN);
    disk_cut(&log.disk, SEGMENT_1, LOGGED_SEGMENT);
    CHECK_OK(logged_read(&log, 0));
    logged_remove(&log);
}

/* After a tear the log is opened, cut, and goes on; what was cut off does not
 * come back, and opening it once more changes nothing. */
static void a_torn_log_goes_on(void)
{
    struct logged small;
    make_small(&small);
    for (uint64_t back = 0; back < CUT_FRAMES; back++) {
        uint64_t lsn = small.count - back;
        struct logged log = small;
        disk_copy(&small.disk, &log.disk);
        log.options.directory = log.disk.directory;
        log.frames = malloc(log.room * sizeof *log.frames);
        REQUIRE(log.frames != NULL);
        memcpy(log.frames, small.frames, log.room * sizeof *log.frames);
        disk_flip(&log.disk, SEGMENT_1, logged_offset(1, lsn) + 100, 1);
        if (logged_open(&log, 0) == 0) {
            logged_forget(&log, log.end.lsn + 1);
            logged_close(&log);
            CHECK_OK(logged_read(&log, 0));
            CHECK_U64(log.end.lsn, log.count);
            CHECK_U64(log.end.cut_frames, 0);
            CHECK_OK(logged_open(&log, 0));
            logged_close(&log);
            uint64_t once = disk_digest(&log.disk);
            CHECK_OK(logged_open(&log, 0));
            logged_close(&log);
            CHECK_U64(disk_digest(&log.disk), once);
            REQUIRE(logged_open(&log, 0) == 0);
            CHECK(logged_write(&log, 1, false));
            CHECK_OK(logged_open(&log, 0));
            CHECK_U64(log.end.lsn, log.count);
            CHECK_U64(log.end.cut_frames, 0);
        }
        logged_remove(&log);
    }
    logged_remove(&small);
}

/* A page in the middle of what is known to be durable reads as zeros. */
static void a_page_that_was_lost(void)
{
    struct logged log;
    uint8_t page[DISK_PAGE];
    make_small(&log);
    CHECK(logged_offset(1, log.count) > 3 * DISK_PAGE);
    for (uint64_t offset = DISK_PAGE; offset < 3 * DISK_PAGE;
         offset += DISK_PAGE) {
        const struct disk_span span = {offset, DISK_PAGE};
        uint64_t lsn = (offset - DISK_PAGE) / FRAME_SIZE + 1;
        disk_get(&log.disk, SEGMENT_1, span, page);
        disk_zero(&log.disk, SEGMENT_1, span);
        CHECK_ERRNO(logged_read(&log, 0), EUCLEAN);
        CHECK(has_number(log.why, chain_start(&log, lsn)));
        disk_set(&log.disk, SEGMENT_1, span, page);
    }
    CHECK_OK(logged_read(&log, 0));
    logged_remove(&log);
}

/* A chain that is longer than any can be was not written by us. */
static void a_chain_without_end(void)
{
    struct logged log;
    logged_make(&log, false);
    REQUIRE(logged_open(&log, 0) == 0);
    REQUIRE(wal_reserve(log.wal, WAL_CHAIN_MAX) == 0);
    for (int i = 0; i < WAL_CHAIN_MAX; i++) {
        logged_append(&log, KV_PUT | KV_LINKED);
    }
    CHECK_OK(wal_write(log.wal));
    REQUIRE(wal_reserve(log.wal, 1) == 0);
    logged_append(&log, KV_PUT | KV_LINKED);
    CHECK_OK(wal_write(log.wal));
    logged_close(&log);
    CHECK_ERRNO(logged_read(&log, 0), EUCLEAN);
    CHECK(strstr(log.why, SEGMENT_1) != NULL);
    logged_remove(&log);
}

const struct test_case test_wal_damage[] = {
    TEST_CASE(any_byte_of_a_frame),
    TEST_CASE(any_frame),
    TEST_CASE(any_byte_of_a_head),
    TEST_CASE(a_tail_that_was_lost),
    TEST_CASE(a_file_that_was_cut),
    TEST_CASE(a_torn_log_goes_on),
    TEST_CASE(a_page_that_was_lost),
    TEST_CASE(a_chain_without_end),
    TEST_END,
};
