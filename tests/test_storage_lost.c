/* test_storage_lost.c: a data directory whose log, or the end of it, is gone,
 * or of an earlier time: what tells so, and that nothing is shown as if it were
 * all. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "frame.h"
#include "stored.h"

#define SEGMENT_1 "log-00000000000000000001"

enum { COUNT = 60 };

static void put_next(struct stored *stored, uint64_t *count, uint64_t more)
{
    for (; more > 0; more--) {
        CHECK_INT(stored_ask(stored, KV_PUT, *count, *count), KV_SUCCESS);
        ++*count;
    }
}

static void check_refused(struct stored *stored, int error, const char *word)
{
    uint64_t before = disk_digest(&stored->disk);
    CHECK_ERRNO(stored_open(stored), error);
    CHECK(strstr(stored->why, word) != NULL);
    CHECK_U64(disk_digest(&stored->disk), before);
}

/* The log of a time before the backup: what came after that is not there. */
static void a_log_of_an_earlier_time_is_refused(void)
{
    struct stored stored;
    struct stored early;
    uint64_t count = 0;
    uint64_t lsn;
    stored_make(&stored, KV_SYNC_ALWAYS);
    REQUIRE(stored_open(&stored) == 0);
    put_next(&stored, &count, COUNT / 3);
    stored_crash(&stored, &early);
    put_next(&stored, &count, COUNT / 3);
    CHECK_OK(stored_backup(&stored, &lsn));
    put_next(&stored, &count, COUNT / 3);
    CHECK_OK(stored_close(&stored, false));
    disk_bring(&early.disk, SEGMENT_1, &stored.disk);
    check_refused(&stored, EUCLEAN, "is of an earlier time");
    CHECK(strstr(stored.why, SEGMENT_1) != NULL);
    stored_remove(&early);
    stored_remove(&stored);
}

static bool log_is_noted(const struct stored *stored)
{
    enum { FLAGS_AT = 10 };
    uint8_t flags = 0;
    disk_get(
        &stored->disk, "hash.key", (struct disk_span){FLAGS_AT, 1}, &flags);
    return flags == 1;
}

/* Under valgrind one thread runs at a time, and one that never waits may have
 * all of it. */
static void let_others_run(void)
{
    (void)poll(NULL, 0, 1);
}

/* Without a backup only hash.key knows that there was a log: it tells soon, and
 * at the latest when the store is closed. */
static void a_log_that_is_lost_is_missed(void)
{
    enum { LIMIT_MS = 20000 };
    struct stored stored;
    for (int closed = 0; closed < 2; closed++) {
        uint64_t count = 0;
        stored_make(&stored, KV_SYNC_NONE);
        REQUIRE(stored_open(&stored) == 0);
        CHECK_OK(stored_close(&stored, false));
        CHECK(!log_is_noted(&stored));
        REQUIRE(stored_open(&stored) == 0);
        put_next(&stored, &count, 1);
        int64_t limit_ms = clock_steady_ms() + LIMIT_MS;
        while (!closed && !log_is_noted(&stored)) {
            REQUIRE(clock_steady_ms() < limit_ms);
            let_others_run();
        }
        CHECK_OK(stored_close(&stored, false));
        CHECK(log_is_noted(&stored));
        disk_delete(&stored.disk, SEGMENT_1);
        check_refused(&stored, EUCLEAN, "there is no log");
        stored_remove(&stored);
    }
}

/* A directory, for one, which nobody calls damaged. */
static void a_backup_that_cannot_be_read_is_named(void)
{
    static const char name[] = "backup-00000000000000099999";
    struct stored stored;
    stored_make(&stored, KV_SYNC_NONE);
    REQUIRE(mkdirat(stored.disk.directory, name, S_IRWXU) == 0);
    CHECK_ERRNO(stored_open(&stored), EISDIR);
    CHECK(strstr(stored.why, "the backup of LSN 99999 in ") != NULL);
    CHECK(unlinkat(stored.disk.directory, name, AT_REMOVEDIR) == 0);
    stored_remove(&stored);
}

/* After a while without writes the mark that tells of the last one is durable
 * too: what is damaged then is not taken for torn, not even after a loss of
 * power. */
static void the_last_write_is_not_taken_for_torn(void)
{
    enum { LIMIT_MS = 20000 };
    struct stored stored;
    struct stats stats;
    uint64_t count = 0;
    stored_make(&stored, KV_SYNC_ALWAYS);
    REQUIRE(stored_open(&stored) == 0);
    put_next(&stored, &count, 1);
    int64_t limit_ms = clock_steady_ms() + LIMIT_MS;
    do {
        REQUIRE(clock_steady_ms() < limit_ms);
        let_others_run();
        stored_stats(&stored, &stats);
    } while (stats.lsn_durable < count + 1);
    struct stored image;
    stored_crash(&stored, &image);
    disk_flip(&image.disk, SEGMENT_1, DISK_PAGE + 100, 1);
    check_refused(&image, EUCLEAN, "LSN 1 at offset 4096 is damaged");
    stored_remove(&image);
    stored_remove(&stored);
}

/* Of the last frame of the log; where a second went by, it is a mark. */
static uint64_t last_lsn(const struct stored *stored)
{
    struct frame frame;
    struct disk_span span = {DISK_PAGE, sizeof frame};
    uint64_t lsn = 0;
    disk_get(&stored->disk, SEGMENT_1, span, &frame);
    while (frame.lsn == lsn + 1) {
        lsn++;
        span.offset += sizeof frame;
        disk_get(&stored->disk, SEGMENT_1, span, &frame);
    }
    return lsn;
}

/* A frame that looks torn does not count, and that is said. */
static void a_torn_frame_is_told(void)
{
    struct stored stored;
    char *said;
    size_t said_size;
    uint64_t count = 0;
    stored_make(&stored, KV_SYNC_NONE);
    REQUIRE(stored_open(&stored) == 0);
    put_next(&stored, &count, COUNT);
    CHECK_OK(stored_close(&stored, false));
    for (int torn = 0; torn < 2; torn++) {
        stored.diag.stream = open_memstream(&said, &said_size);
        stored.diag.name = "";
        REQUIRE(stored.diag.stream != NULL);
        REQUIRE(stored_open(&stored) == 0);
        CHECK_OK(stored_close(&stored, false));
        CHECK(fflush(stored.diag.stream) == 0);
        CHECK((strstr(said, "is not whole") != NULL) == (torn == 1));
        CHECK(fclose(stored.diag.stream) == 0);
        free(said);
        stored.diag.stream = NULL;
        disk_flip(&stored.disk, SEGMENT_1,
            DISK_PAGE + (last_lsn(&stored) - 1) * sizeof(struct frame) + 100,
            1);
    }
    stored_remove(&stored);
}

const struct test_case test_storage_lost[] = {
    TEST_CASE(a_log_of_an_earlier_time_is_refused),
    TEST_CASE(a_log_that_is_lost_is_missed),
    TEST_CASE(a_backup_that_cannot_be_read_is_named),
    TEST_CASE(the_last_write_is_not_taken_for_torn),
    TEST_CASE(a_torn_frame_is_told),
    TEST_END,
};
