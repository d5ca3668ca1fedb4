/* test_wal_segments.c: the files of the log: how they follow one another, go
 * when nobody needs them, and are used again. */
#include "wal/wal.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "logged.h"

/* ---- Segments ----------------------------------------------------------- */

/* Groups of a third of a segment: three fit, with their marks the third does
 * not. */
static void a_group_that_does_not_fit_opens_a_segment(void)
{
    struct logged log;
    char name[WAL_NAME_MAX];
    uint32_t third = (uint32_t)logged_segment_frames() / 3;
    logged_make(&log, true);
    REQUIRE(logged_open(&log, 0) == 0);
    for (int i = 0; i < 5; i++) {
        CHECK(logged_commit(&log, third, false));
    }
    CHECK_INT(disk_count(&log.disk, "log-0"), 3);
    CHECK_U64(logged_first(&log, 0), 1);
    CHECK_U64(logged_first(&log, 1), 2 * third + 2);
    CHECK_U64(logged_first(&log, 2), 4 * third + 4);
    for (uint32_t i = 0; i < 3; i++) {
        logged_segment(&log, i, name);
        CHECK_U64(disk_size(&log.disk, name), LOGGED_SEGMENT);
    }
    logged_close(&log);
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t first = logged_first(&log, i);
        for (uint64_t from = first > 2 ? first - 3 : 0; from < first + 2;
             from++) {
            CHECK_OK(logged_read(&log, from));
            CHECK_U64(log.end.lsn, log.count);
            CHECK_INT(log.end.segments, 3);
            CHECK_U64(log.end.first_lsn, logged_first(&log, 2));
            CHECK(log.end.room_lsn >= log.count);
        }
    }
    CHECK_OK(logged_open(&log, 0));
    CHECK(logged_commit(&log, third - 1, false));
    CHECK_OK(logged_open(&log, 0));
    CHECK_U64(log.delivered, log.count);
    CHECK_INT(log.end.segments, 3);
    logged_remove(&log);
}

/* The largest group that wal_reserve takes, behind a page that is not full. */
static void the_largest_group_fits(void)
{
    struct logged log;
    logged_make(&log, true);
    REQUIRE(logged_open(&log, 0) == 0);
    for (uint32_t rest = 1; rest < 13; rest += 5) {
        CHECK(logged_commit(&log, rest, false));
        CHECK(logged_commit(&log, WAL_GROUP_MAX - 1, false));
    }
    CHECK_OK(logged_open(&log, 0));
    CHECK_U64(log.delivered, log.count);
    logged_remove(&log);
}

/* To the last frame that has room, and with a size that is no whole number of
 * pages. */
static void a_segment_is_filled_to_its_end(void)
{
    static const uint64_t sizes[] = {
        LOGGED_SEGMENT, LOGGED_SEGMENT + FRAME_SIZE, LOGGED_SEGMENT + 100};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct logged log;
        logged_make(&log, false);
        log.options.segment_bytes = sizes[i];
        uint32_t frames = (uint32_t)((sizes[i] - DISK_PAGE) / FRAME_SIZE);
        REQUIRE(logged_open(&log, 0) == 0);
        CHECK(logged_write(&log, WAL_GROUP_MAX - 1, false));
        CHECK(logged_write(&log, frames - WAL_GROUP_MAX, false));
        CHECK_INT(disk_count(&log.disk, "log-0"), 1);
        CHECK_OK(logged_open(&log, 0));
        CHECK_U64(log.delivered, frames - 1);
        CHECK(logged_write(&log, 0, false));
        CHECK_INT(disk_count(&log.disk, "log-0"), 1);
        CHECK_U64(log.count, frames);
        CHECK_OK(logged_open(&log, 0));
        CHECK_U64(log.delivered, frames);
        CHECK(logged_write(&log, 1, false));
        CHECK_INT(disk_count(&log.disk, "log-0"), 2);
        CHECK_OK(logged_open(&log, 0));
        CHECK_U64(log.delivered, log.count);
        CHECK_OK(logged_read(&log, frames));
        CHECK_U64(log.delivered, log.count - frames);
        logged_remove(&log);
    }
}

/* More segments than wait for their sync at once: a third of each is used, and
 * the largest group asked for. */
static void many_segments_without_a_sync(void)
{
    enum { GROUPS = 70 };
    struct logged log;
    struct wal_figures figures;
    logged_make(&log, false);
    REQUIRE(logged_open(&log, 0) == 0);
    for (int i = 0; i < GROUPS; i++) {
        REQUIRE(wal_reserve(log.wal, WAL_GROUP_MAX - 1) == 0);
        for (uint64_t n = logged_segment_frames() - WAL_GROUP_MAX + 1; n > 0;
             n--) {
            logged_append(&log, KV_PUT);
        }
        CHECK_OK(wal_write(log.wal));
    }
    wal_figures(log.wal, &figures);
    CHECK_U64(figures.segments, GROUPS);
    CHECK(figures.durable > 0);
    CHECK_OK(wal_sync(log.wal));
    wal_figures(log.wal, &figures);
    CHECK_U64(figures.durable, log.count);
    CHECK_OK(logged_open(&log, 0));
    CHECK_U64(log.delivered, log.count);
    logged_remove(&log);
}

/* ---- Removing, and using again ------------------------------------------ */

/* So that it is taken for no segment, whatever becomes of its name. */
static void check_wiped(const struct disk *disk, const char *name)
{
    uint8_t head[DISK_PAGE];
    CHECK_U64(disk_size(disk, name), LOGGED_SEGMENT);
    disk_get(disk, name, (struct disk_span){0, sizeof head}, head);
    CHECK(bytes_all_zero(head, sizeof head));
}

static void segments_go_when_nobody_needs_them(void)
{
    struct logged log;
    uint32_t half = (uint32_t)logged_segment_frames() / 2 + 1;
    logged_make(&log, true);
    REQUIRE(logged_open(&log, 0) == 0);
    for (int i = 0; i < 5; i++) {
        CHECK(logged_commit(&log, half, false));
    }
    uint64_t second = logged_first(&log, 1);
    uint64_t fourth = logged_first(&log, 3);
    CHECK_OK(wal_remove_before(log.wal, second - 2));
    CHECK_INT(disk_count(&log.disk, "log-0"), 5);
    CHECK(!disk_has(&log.disk, "log-spare"));
    CHECK_OK(wal_remove_before(log.wal, second - 1));
    CHECK_INT(disk_count(&log.disk, "log-0"), 4);
    check_wiped(&log.disk, "log-spare");
    CHECK_OK(wal_remove_before(log.wal, fourth));
    CHECK_INT(disk_count(&log.disk, "log-0"), 2);
    CHECK_OK(wal_remove_before(log.wal, UINT64_MAX - 1));
    CHECK_INT(disk_count(&log.disk, ""), 2);
    CHECK_OK(logged_open(&log, log.count - 3));
    CHECK_U64(log.delivered, 3);
    uint64_t last = logged_first(&log, 0);
    CHECK_OK(logged_read(&log, last - 1));
    CHECK_ERRNO(logged_read(&log, last - 2), EUCLEAN);
    CHECK(strstr(log.why, "missing") != NULL);
    logged_remove(&log);
}

/* Round after round in files that were used before: of the old frames in them
 * none is ever taken for one of the log. */
static void old_frames_do_not_come_back(void)
{
    struct logged log;
    struct test_random random;
    uint64_t fits = logged_segment_frames() - 1;
    test_random_init(&random);
    logged_make(&log, true);
    REQUIRE(logged_open(&log, 0) == 0);
    uint64_t from = 0;
    unsigned used = 0;
    for (int round = 0; round < 12; round++) {
        uint64_t size = fits / 4 + test_random_below(&random, fits / 4);
        bool spare = disk_has(&log.disk, "log-spare");
        CHECK(logged_commit(&log, (uint32_t)size, false));
        CHECK(logged_commit(&log, (uint32_t)size, false));
        used += spare && !disk_has(&log.disk, "log-spare") ? 1 : 0;
        CHECK_OK(logged_read(&log, from));
        CHECK_U64(log.delivered, log.count - from);
        CHECK_U64(log.end.cut_frames, 0);
        from = log.count - test_random_below(&random, size);
        CHECK_OK(wal_remove_before(log.wal, from));
        CHECK(disk_count(&log.disk, "log-") <= 3);
    }
    CHECK(used > 0);
    logged_remove(&log);
}

static void a_spare_is_made_once(void)
{
    struct logged log;
    logged_make(&log, true);
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK_OK(wal_prepare(log.wal));
    CHECK_U64(disk_size(&log.disk, "log-spare"), LOGGED_SEGMENT);
    uint64_t before = disk_digest(&log.disk);
    CHECK_OK(wal_prepare(log.wal));
    CHECK_U64(disk_digest(&log.disk), before);
    CHECK(logged_commit(&log, 1, false));
    CHECK(!disk_has(&log.disk, "log-spare"));
    CHECK_INT(disk_count(&log.disk, ""), 1);
    CHECK_OK(wal_prepare(log.wal));
    CHECK_INT(disk_count(&log.disk, ""), 2);
    logged_remove(&log);
}

/* A large one takes several calls; others may go on meanwhile, and one that is
 * superfluous then goes, as it does at the end. */
static void a_spare_is_made_in_parts(void)
{
    enum { PARTS = 3, PART = 8 << 20 };
    struct logged log;
    logged_make(&log, true);
    log.options.segment_bytes = (PARTS - 1) * PART + LOGGED_SEGMENT;
    REQUIRE(logged_open(&log, 0) == 0);
    for (int i = 1; i < PARTS; i++) {
        CHECK_ERRNO(wal_prepare(log.wal), EAGAIN);
        CHECK(!disk_has(&log.disk, "log-spare"));
        CHECK(logged_commit(&log, 1, false));
    }
    CHECK_OK(wal_prepare(log.wal));
    CHECK_U64(disk_size(&log.disk, "log-spare"), log.options.segment_bytes);
    CHECK(!disk_has(&log.disk, "log-spare-new"));
    while (disk_has(&log.disk, "log-spare")) {
        CHECK(logged_commit(&log, WAL_GROUP_MAX / 2, false));
    }
    CHECK_ERRNO(wal_prepare(log.wal), EAGAIN);
    CHECK(disk_has(&log.disk, "log-spare-new"));
    uint64_t kept = log.count;
    CHECK_OK(wal_remove_before(log.wal, kept));
    CHECK(disk_has(&log.disk, "log-spare"));
    CHECK(!disk_has(&log.disk, "log-spare-new"));
    CHECK_OK(wal_prepare(log.wal));
    while (disk_has(&log.disk, "log-spare")) {
        CHECK(logged_commit(&log, WAL_GROUP_MAX / 2, false));
    }
    CHECK_ERRNO(wal_prepare(log.wal), EAGAIN);
    CHECK(disk_has(&log.disk, "log-spare-new"));
    logged_close(&log);
    CHECK(!disk_has(&log.disk, "log-spare-new"));
    CHECK_OK(logged_open(&log, kept));
    logged_remove(&log);
}

/* A loss of power takes back that a spare became a segment, and leaves what was
 * written to it: frames that would go on where the log ends then, with the
 * whole pages of the new ones. */
static void a_lost_segment_is_no_spare(void)
{
    enum { WHOLE_PAGES = DISK_PAGE / 64 }; /* frames; 64 divides both sizes */
    _Static_assert(WHOLE_PAGES * FRAME_SIZE % DISK_PAGE == 0, "frames");
    struct logged log;
    char name[WAL_NAME_MAX];
    logged_make(&log, false);
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK_OK(wal_prepare(log.wal));
    CHECK(logged_write(&log, WHOLE_PAGES + 10, false));
    logged_segment(&log, 0, name);
    logged_close(&log);
    disk_rename(&log.disk, name, "log-spare");
    logged_forget(&log, 1);
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK_U64(log.delivered, 0);
    CHECK(logged_write(&log, WHOLE_PAGES, false));
    CHECK_OK(logged_open(&log, 0));
    CHECK_U64(log.delivered, WHOLE_PAGES);
    logged_remove(&log);
}

/* A spare, and what was left half made, go at the start. */
static void what_is_left_over_is_cleared_away(void)
{
    static const char *const names[] = {
        "log-spare", "log-spare-new", "log-new"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct logged log;
        logged_make(&log, true);
        disk_write(&log.disk, names[i], "half");
        disk_write(&log.disk, "log-of-somebody", "else");
        CHECK_OK(logged_read(&log, 0));
        CHECK(disk_has(&log.disk, names[i]));
        CHECK_OK(logged_open(&log, 0));
        CHECK(!disk_has(&log.disk, names[i]));
        CHECK(disk_has(&log.disk, "log-of-somebody"));
        CHECK(logged_commit(&log, 1, false));
        CHECK_OK(logged_open(&log, 0));
        CHECK_U64(log.delivered, 1);
        logged_remove(&log);
    }
}

static void segments_of_another_size_are_read(void)
{
    struct logged log;
    logged_make(&log, true);
    for (uint64_t scale = 3; scale > 0; scale--) {
        log.options.segment_bytes = scale * LOGGED_SEGMENT;
        REQUIRE(logged_open(&log, 0) == 0);
        CHECK_U64(log.delivered, log.count);
        CHECK_OK(wal_prepare(log.wal));
        for (int i = 0; i < 4; i++) {
            CHECK(logged_commit(&log, WAL_GROUP_MAX - 1, false));
        }
    }
    CHECK_OK(logged_open(&log, 0));
    CHECK_U64(log.delivered, log.count);
    logged_remove(&log);
}

static void the_identity_is_found(void)
{
    struct logged log;
    uint8_t identity[WAL_IDENTITY_SIZE];
    logged_make(&log, true);
    CHECK_ERRNO(wal_find_identity(log.disk.directory, identity), ENOENT);
    disk_write(&log.disk, "log-00000000000000000001", "no segment");
    CHECK_ERRNO(wal_find_identity(log.disk.directory, identity), ENOENT);
    disk_delete(&log.disk, "log-00000000000000000001");
    REQUIRE(logged_open(&log, 0) == 0);
    CHECK(logged_commit(&log, 1, false));
    CHECK_OK(wal_find_identity(log.disk.directory, identity));
    CHECK_BYTES(identity, log.options.identity, sizeof identity);
    logged_remove(&log);
}

/* ---- Threads ------------------------------------------------------------ */

struct helpers {
    struct wal *wal;
    pthread_mutex_t lock; /* guards what follows */
    bool over;
    uint64_t backed_up; /* LSN that the log is not needed up to */
    uint64_t errors;
};

static bool go_on(struct helpers *helpers, int error, uint64_t *lsn)
{
    pthread_mutex_lock(&helpers->lock);
    *lsn = helpers->backed_up;
    helpers->errors += error != 0 ? 1 : 0;
    bool over = helpers->over || helpers->errors > 0;
    pthread_mutex_unlock(&helpers->lock);
    return !over;
}

/* What the keeper does beside the committing thread. */
static void *keep(void *context)
{
    struct helpers *helpers = context;
    uint64_t lsn;
    int error = 0;
    while (go_on(helpers, error, &lsn)) {
        error = wal_prepare(helpers->wal);
        error = error != 0 ? error : wal_sync_sealed(helpers->wal);
        (void)wal_dirty(helpers->wal);
    }
    return NULL;
}

/* What a backup does. */
static void *back_up(void *context)
{
    struct helpers *helpers = context;
    uint64_t lsn;
    int error = 0;
    while (go_on(helpers, error, &lsn)) {
        error = wal_sync(helpers->wal);
        error = error != 0 ? error : wal_remove_before(helpers->wal, lsn);
    }
    return NULL;
}

/* Frames are written by one thread while others sync, make spares and remove
 * what is old: right up to the segment that is written to. */
static void others_sync_and_remove_while_one_writes(void)
{
    struct logged log;
    static void *(*const others[])(void *) = {keep, back_up};
    pthread_t threads[ARRAY_SIZE(others)];
    struct helpers helpers = {.over = false};
    logged_make(&log, false);
    REQUIRE(logged_open(&log, 0) == 0);
    helpers.wal = log.wal;
    log.shared = true;
    pthread_mutex_init(&helpers.lock, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        REQUIRE(pthread_create(&threads[i], NULL, others[i], &helpers) == 0);
    }
    for (int i = 0; i < 60; i++) {
        CHECK(logged_write(&log, 1090, false));
        pthread_mutex_lock(&helpers.lock);
        helpers.backed_up = log.count;
        pthread_mutex_unlock(&helpers.lock);
    }
    pthread_mutex_lock(&helpers.lock);
    uint64_t from = helpers.backed_up;
    helpers.over = true;
    pthread_mutex_unlock(&helpers.lock);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_U64(helpers.errors, 0);
    CHECK(logged_write(&log, 5, true));
    CHECK_OK(wal_sync(log.wal));
    CHECK_OK(wal_remove_before(log.wal, from));
    CHECK(disk_count(&log.disk, "log-0") <= 2);
    CHECK_OK(logged_open(&log, from));
    CHECK_U64(log.end.lsn, log.count);
    pthread_mutex_destroy(&helpers.lock);
    logged_remove(&log);
}

/* ---- While it grows ------------------------------------------------------ */

/* Reads a log, and lets it grow by so many groups whenever it is handed
 * frames, durably. */
struct growing {
    struct logged *log;
    uint32_t times;  /* that it grows */
    uint32_t groups; /* each time */
    uint64_t frames;
    uint64_t wrong;
};

static int take_and_grow(void *context, const struct frame *frames,
    uint32_t count, char why[WAL_WHY_MAX])
{
    struct growing *growing = context;
    why[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        const struct frame *appended = &growing->log->frames[growing->frames++];
        growing->wrong += memcmp(&frames[i], appended, FRAME_SIZE) == 0 ? 0 : 1;
    }
    if (growing->times > 0) {
        growing->times--;
        for (uint32_t i = 0; i < growing->groups; i++) {
            CHECK(logged_commit(growing->log, 100, false));
        }
    }
    return 0;
}

/* What has come since the end was seen is neither damage nor missing. */
static void read_while_it_grows(uint32_t segments, uint32_t groups)
{
    struct logged log;
    logged_make(&log, true);
    REQUIRE(logged_open(&log, 0) == 0);
    while (log.count < logged_segment_frames() * segments + 1000) {
        CHECK(logged_commit(&log, 100, false));
    }
    uint64_t before = log.count;
    struct growing growing = {.log = &log, .times = 5, .groups = groups};
    const struct wal_sink sink = {take_and_grow, &growing};
    CHECK_OK(wal_read(&log.options, 0, &sink, &log.end, log.why));
    CHECK_TEXT(log.why, "");
    CHECK_INT(growing.times, 0);
    CHECK_U64(growing.wrong, 0);
    CHECK_U64(log.end.lsn, growing.frames);
    CHECK(growing.frames > before && growing.frames <= log.count);
    logged_remove(&log);
}

static void a_log_that_grows_is_read_to_an_end(void)
{
    read_while_it_grows(0, 2); /* the mark of the second tells of the first */
}

static void a_log_that_grows_by_segments_is_read_to_an_end(void)
{
    read_while_it_grows(1, 2 * 65);
}

const struct test_case test_wal_segments[] = {
    TEST_CASE(a_group_that_does_not_fit_opens_a_segment),
    TEST_CASE(the_largest_group_fits),
    TEST_CASE(a_segment_is_filled_to_its_end),
    TEST_CASE(many_segments_without_a_sync),
    TEST_CASE(segments_go_when_nobody_needs_them),
    TEST_CASE(old_frames_do_not_come_back),
    TEST_CASE(a_spare_is_made_once),
    TEST_CASE(a_spare_is_made_in_parts),
    TEST_CASE(a_lost_segment_is_no_spare),
    TEST_CASE(what_is_left_over_is_cleared_away),
    TEST_CASE(segments_of_another_size_are_read),
    TEST_CASE(the_identity_is_found),
    TEST_CASE(others_sync_and_remove_while_one_writes),
    TEST_CASE(a_log_that_grows_is_read_to_an_end),
    TEST_CASE(a_log_that_grows_by_segments_is_read_to_an_end),
    TEST_END,
};
