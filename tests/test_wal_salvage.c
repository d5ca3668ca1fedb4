/* test_wal_salvage.c: how far a damaged log is sound, what of it can be read
 * behind that, and that a log which was cut is read to exactly where it was. */
#include "wal/salvage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "logged.h"

enum { GROUP = 100, GROUPS = 150 /* three segments */ };

/* What a sink was handed. */
struct handed {
    const struct logged *log;
    uint64_t frames;
    uint64_t first;
    uint64_t last;
    uint64_t wrong; /* not as appended, or not in order */
};

static int take(void *context, const struct frame *frames, uint32_t count,
    char why[WAL_WHY_MAX]) // NOLINT(readability-non-const-parameter)
{
    struct handed *handed = context;
    (void)why;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t lsn = frames[i].lsn;
        bool right =
            lsn > handed->last && lsn <= handed->log->count &&
            memcmp(&frames[i].message, &handed->log->frames[lsn - 1].message,
                sizeof frames[i].message) == 0;
        handed->wrong += right ? 0 : 1;
        handed->first = handed->frames == 0 ? lsn : handed->first;
        handed->last = lsn;
        handed->frames++;
    }
    return 0;
}

static void make_log(struct logged *log)
{
    logged_make(log, true);
    REQUIRE(logged_open(log, 0) == 0);
    for (int i = 0; i < GROUPS; i++) {
        REQUIRE(logged_commit(log, GROUP, false));
    }
    logged_close(log);
}

static uint64_t reach(const struct logged *log, uint64_t from)
{
    struct salvage salvage;
    struct handed handed = {.log = log, .last = from};
    const struct wal_sink sink = {take, &handed};
    char why[WAL_WHY_MAX];
    uint64_t last;
    CHECK_OK(salvage_open(&salvage, &log->options, why));
    CHECK_OK(salvage_reach(&salvage, from, &sink, &last, why));
    CHECK_U64(handed.wrong, 0);
    CHECK_U64(handed.last, last);
    CHECK_U64(handed.frames, last - from);
    salvage_close(&salvage);
    return last;
}

static struct handed behind(const struct logged *log, uint64_t lsn)
{
    struct salvage salvage;
    struct handed handed = {.log = log, .last = lsn};
    const struct wal_sink sink = {take, &handed};
    char why[WAL_WHY_MAX];
    CHECK_OK(salvage_open(&salvage, &log->options, why));
    CHECK_OK(salvage_behind(&salvage, lsn, &sink, why));
    CHECK_U64(handed.wrong, 0);
    salvage_close(&salvage);
    return handed;
}

/* Damages a frame. */
static void flip(const struct logged *log, uint32_t segment, uint64_t lsn)
{
    char name[WAL_NAME_MAX];
    uint64_t first = logged_first(log, segment);
    logged_segment(log, segment, name);
    disk_flip(&log->disk, name, logged_offset(first, lsn) + 77, 3);
}

/* Cuts the log behind lsn, as a repair does. */
static void cut(struct logged *log, uint64_t lsn)
{
    struct salvage salvage;
    char why[WAL_WHY_MAX];
    REQUIRE(salvage_open(&salvage, &log->options, why) == 0);
    uint32_t index = salvage_find(&salvage, lsn + 1);
    REQUIRE(index < salvage.count);
    const struct salvage_target target = {log->disk.directory, "made"};
    CHECK_OK(salvage_rewrite(&salvage, index, lsn, &target));
    disk_rename(&log->disk, "made", salvage.segments[index].name);
    for (uint32_t i = index + 1; i < salvage.count; i++) {
        disk_delete(&log->disk, salvage.segments[i].name);
    }
    salvage_close(&salvage);
    logged_forget(log, lsn + 1);
}

/* ---- Tests --------------------------------------------------------------- */

static void a_whole_log_is_sound_to_its_end(void)
{
    struct logged log;
    make_log(&log);
    CHECK(log.count > 2 * logged_segment_frames());
    CHECK_U64(reach(&log, 0), log.count);
    CHECK_U64(reach(&log, 5000), log.count);
    CHECK_U64(reach(&log, log.count), log.count);
    CHECK_U64(behind(&log, log.count).frames, 0);
    CHECK_U64(behind(&log, 0).frames, log.count);
    logged_remove(&log);
}

static void it_is_cut_before_a_damaged_frame(void)
{
    struct logged log;
    make_log(&log);
    uint64_t second = logged_first(&log, 1);
    static const uint64_t places[] = {0, 1, 1234};
    uint64_t count = log.count;
    /* From behind to front, so that each is cut further. */
    for (size_t i = ARRAY_SIZE(places); i > 0; i--) {
        uint64_t lsn = second + places[i - 1];
        flip(&log, 1, lsn);
        /* Behind the last one no mark is left. */
        CHECK_INT(logged_read(&log, 0), i == 1 ? 0 : -EUCLEAN);
        CHECK_U64(reach(&log, 0), lsn - 1);
        struct handed handed = behind(&log, lsn - 1);
        CHECK_U64(handed.frames, count - lsn);
        cut(&log, lsn - 1);
        CHECK_OK(logged_read(&log, 0));
        CHECK_U64(log.end.lsn, lsn - 1);
        CHECK_U64(log.end.cut_frames, 0);
        CHECK_U64(behind(&log, lsn - 1).frames, 0);
        count = lsn - 1;
    }
    /* It goes on there: the same LSNs come again, with other frames. */
    REQUIRE(logged_open(&log, 0) == 0);
    for (int i = 0; i < GROUPS; i++) {
        REQUIRE(logged_commit(&log, GROUP, false));
    }
    logged_close(&log);
    CHECK_OK(logged_read(&log, 0));
    CHECK_U64(log.end.lsn, log.count);
    logged_remove(&log);
}

static void no_half_of_a_chain_is_sound(void)
{
    struct logged log;
    logged_make(&log, true);
    REQUIRE(logged_open(&log, 0) == 0);
    REQUIRE(logged_commit(&log, 10, false));
    uint64_t before = log.count;
    REQUIRE(logged_commit(&log, 20, true));
    REQUIRE(logged_commit(&log, 10, false));
    logged_close(&log);
    flip(&log, 0, before + 15);
    /* The mark before the chain is no part of it. */
    CHECK_U64(reach(&log, 0), before + 1);
    logged_remove(&log);
}

static void a_damaged_head_loses_no_frame(void)
{
    struct logged log;
    char name[WAL_NAME_MAX];
    make_log(&log);
    logged_segment(&log, 1, name);
    disk_flip(&log.disk, name, 40, 0);
    CHECK_ERRNO(logged_read(&log, 0), EUCLEAN);
    CHECK_U64(reach(&log, 0), log.count);
    struct salvage salvage;
    char why[WAL_WHY_MAX];
    REQUIRE(salvage_open(&salvage, &log.options, why) == 0);
    CHECK(salvage.segments[1].headless && !salvage.segments[0].headless);
    const struct salvage_target target = {log.disk.directory, "made"};
    CHECK_OK(salvage_rewrite(&salvage, 1, log.count, &target));
    disk_rename(&log.disk, "made", name);
    salvage_close(&salvage);
    CHECK_OK(logged_read(&log, 0));
    CHECK_U64(log.end.lsn, log.count);
    logged_remove(&log);
}

static void a_segment_cut_short_counts_as_far_as_it_goes(void)
{
    struct logged log;
    char name[WAL_NAME_MAX];
    make_log(&log);
    uint64_t lsn = logged_first(&log, 1) + 99;
    logged_segment(&log, 1, name);
    disk_cut(&log.disk, name, logged_offset(logged_first(&log, 1), lsn) + 7);
    CHECK_ERRNO(logged_read(&log, 0), EUCLEAN);
    CHECK_U64(reach(&log, 0), lsn - 1);
    cut(&log, lsn - 1);
    CHECK_OK(logged_read(&log, 0));
    CHECK_U64(log.end.lsn, lsn - 1);
    disk_cut(&log.disk, name, 100);
    CHECK_U64(reach(&log, 0), logged_first(&log, 1) - 1);
    logged_remove(&log);
}

static void a_missing_segment_ends_it(void)
{
    struct logged log;
    char name[WAL_NAME_MAX];
    make_log(&log);
    uint64_t missing = logged_first(&log, 1);
    uint64_t later = logged_first(&log, 2);
    logged_segment(&log, 1, name);
    disk_delete(&log.disk, name);
    CHECK_U64(reach(&log, 0), missing - 1);
    struct handed handed = behind(&log, missing - 1);
    CHECK_U64(handed.first, later);
    CHECK_U64(handed.last, log.count);
    cut(&log, missing - 1);
    CHECK_OK(logged_read(&log, 0));
    CHECK_U64(log.end.lsn, missing - 1);
    logged_remove(&log);
}

static void what_a_head_claims_is_known(void)
{
    struct logged log;
    char name[WAL_NAME_MAX];
    make_log(&log);
    uint64_t last = logged_first(&log, 2);
    logged_segment(&log, 2, name);
    disk_delete(&log.disk, name);
    struct salvage salvage;
    char why[WAL_WHY_MAX];
    REQUIRE(salvage_open(&salvage, &log.options, why) == 0);
    CHECK_U64(salvage.count, 2);
    CHECK_U64(salvage.segments[1].next_lsn, last);
    CHECK_U64(salvage_claimed(&salvage), last - 1);
    CHECK_U64(salvage_find(&salvage, last + 5), 1);
    CHECK_U64(salvage_find(&salvage, 1), 0);
    salvage_close(&salvage);
    logged_remove(&log);
}

static void a_strange_segment_counts_for_nothing(void)
{
    struct logged log;
    struct logged other;
    char name[WAL_NAME_MAX];
    make_log(&log);
    make_log(&other);
    /* Of another store. */
    memset(other.options.identity, 0x5a, sizeof other.options.identity);
    struct salvage salvage;
    char why[WAL_WHY_MAX];
    REQUIRE(salvage_open(&salvage, &other.options, why) == 0);
    CHECK_U64(salvage.count, 0);
    CHECK_U64(salvage.strange_count, 3);
    salvage_close(&salvage);
    /* In the wrong place: what is right stays so. */
    logged_segment(&log, 0, name);
    disk_bring(&log.disk, name, &other.disk);
    disk_rename(&other.disk, name, "log-00000000000000000100");
    disk_bring(&other.disk, "log-00000000000000000100", &log.disk);
    CHECK(logged_read(&log, 0) == -EUCLEAN);
    CHECK_U64(reach(&log, 0), log.count);
    logged_remove(&other);
    logged_remove(&log);
}

/* A head that is whole, but of another format. */
static void what_a_later_version_wrote_is_left_alone(void)
{
    struct logged log;
    char name[WAL_NAME_MAX];
    uint8_t head[64];
    uint32_t version = 2;
    make_log(&log);
    logged_segment(&log, 1, name);
    disk_get(&log.disk, name, (struct disk_span){0, sizeof head}, head);
    memcpy(head + 8, &version, sizeof version);
    uint32_t crc = crc32c(0, head, sizeof head);
    disk_set(&log.disk, name, (struct disk_span){0, sizeof head}, head);
    disk_set(
        &log.disk, name, (struct disk_span){sizeof head, sizeof crc}, &crc);
    struct salvage salvage;
    char why[WAL_WHY_MAX] = "";
    CHECK_ERRNO(salvage_open(&salvage, &log.options, why), EPROTONOSUPPORT);
    CHECK(strstr(why, name) != NULL);
    salvage_close(&salvage);
    logged_remove(&log);
}

static void an_empty_segment_begins_a_log(void)
{
    struct logged log;
    struct salvage salvage;
    char name[WAL_NAME_MAX];
    char why[WAL_WHY_MAX];
    logged_make(&log, true);
    REQUIRE(salvage_open(&salvage, &log.options, why) == 0);
    CHECK_U64(salvage.count, 0);
    salvage_name(name, 501);
    const struct salvage_target target = {log.disk.directory, name};
    CHECK_OK(salvage_begin(&salvage, 501, &target));
    salvage_close(&salvage);
    struct wal *wal;
    struct wal_end end;
    const struct wal_sink sink = {NULL, NULL};
    REQUIRE(wal_open(&wal, &log.options, 500, &sink, &end, why) == 0);
    CHECK_U64(end.lsn, 500);
    CHECK_U64(wal_next_lsn(wal), 501);
    CHECK_U64(end.segments, 1);
    wal_close(wal);
    logged_remove(&log);
}

static int refuse(void *context, const struct frame *frames, uint32_t count,
    char why[WAL_WHY_MAX])
{
    (void)context;
    (void)frames;
    (void)count;
    (void)snprintf(why, WAL_WHY_MAX, "no");
    return -EDOM;
}

static int count_head(void *context, const uint8_t identity[WAL_IDENTITY_SIZE])
{
    (*(int *)context)++;
    return identity == NULL ? -EINVAL : 0;
}

static void a_sink_may_refuse(void)
{
    struct logged log;
    struct salvage salvage;
    char why[WAL_WHY_MAX];
    char name[WAL_NAME_MAX];
    uint64_t last;
    int heads = 0;
    const struct wal_sink sink = {refuse, NULL};
    make_log(&log);
    REQUIRE(salvage_open(&salvage, &log.options, why) == 0);
    CHECK_ERRNO(salvage_reach(&salvage, 0, &sink, &last, why), EDOM);
    CHECK(strcmp(why, "no") == 0);
    CHECK_ERRNO(salvage_behind(&salvage, 7, &sink, why), EDOM);
    salvage_close(&salvage);
    logged_segment(&log, 1, name);
    disk_flip(&log.disk, name, 40, 0);
    CHECK_OK(salvage_identities(log.disk.directory, count_head, &heads));
    CHECK_INT(heads, 2);
    logged_remove(&log);
}

const struct test_case test_wal_salvage[] = {
    TEST_CASE(a_whole_log_is_sound_to_its_end),
    TEST_CASE(it_is_cut_before_a_damaged_frame),
    TEST_CASE(no_half_of_a_chain_is_sound),
    TEST_CASE(a_damaged_head_loses_no_frame),
    TEST_CASE(a_segment_cut_short_counts_as_far_as_it_goes),
    TEST_CASE(a_missing_segment_ends_it),
    TEST_CASE(what_a_head_claims_is_known),
    TEST_CASE(a_strange_segment_counts_for_nothing),
    TEST_CASE(what_a_later_version_wrote_is_left_alone),
    TEST_CASE(an_empty_segment_begins_a_log),
    TEST_CASE(a_sink_may_refuse),
    TEST_END,
};
