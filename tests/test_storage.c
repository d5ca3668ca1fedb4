/* test_storage.c: the engine while nothing is broken: capacity, expiry, backups
 * and what they make superfluous, limits of its contract.  Files that are
 * missing or damaged: test_storage_files.c; random requests against a model:
 * test_storage_model.c; many threads: test_storage_threads.c. */
#include "storage/storage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "stored.h"
#include "wal/wal.h"

enum { DEADLINE_MS = 20000 };

static const kv_sync_t modes[] = {
    KV_SYNC_ALWAYS, KV_SYNC_EVERYSEC, KV_SYNC_NONE};

static void check_get(
    struct stored *stored, uint64_t number, kv_error_t status, uint64_t version)
{
    uint64_t found;
    CHECK_INT(stored_get(stored, number, &found), status);
    CHECK_U64(found, version);
}

/* Looks at the figures until one is at least what it should be. */
static bool await_figure(struct stored *stored, size_t offset, uint64_t least)
{
    int64_t deadline_ms = clock_steady_ms() + DEADLINE_MS;
    const struct timespec pause = {.tv_nsec = 1000000};
    for (;;) {
        struct stats stats;
        uint64_t figure;
        stored_stats(stored, &stats);
        memcpy(&figure, (const char *)&stats + offset, sizeof figure);
        if (figure >= least || clock_steady_ms() > deadline_ms) {
            return figure >= least;
        }
        (void)nanosleep(&pause, NULL);
    }
}

static void await_empty(struct stored *stored)
{
    int64_t deadline_ms = clock_steady_ms() + DEADLINE_MS;
    const struct timespec pause = {.tv_nsec = 1000000};
    while (
        storage_count(stored->storage) > 0 && clock_steady_ms() < deadline_ms) {
        (void)nanosleep(&pause, NULL);
    }
    CHECK_U64(storage_count(stored->storage), 0);
}

#define AWAIT(stored, field, least)                                            \
    CHECK(await_figure(stored, offsetof(struct stats, field), least))

/* ---- Capacity ------------------------------------------------------------ */

static void check_full(struct stored *stored, uint64_t capacity)
{
    kv_message_t message = sample_request(KV_PUT, capacity, 1);
    stored_execute(stored, &message, 1);
    CHECK_INT(message.status, KV_NO_SPACE);
    CHECK(strstr((const char *)message.value, "KV_CAPACITY is 100 ") != NULL);
    CHECK_INT(stored_ask_number(stored, KV_ADD, capacity, 1), KV_NO_SPACE);
    check_get(stored, capacity, KV_NOT_FOUND, 0);
    CHECK_U64(storage_count(stored->storage), capacity);
}

static void it_holds_its_capacity_and_not_one_more(void)
{
    enum { CAPACITY = 100 };
    for (size_t mode = 0; mode < ARRAY_SIZE(modes); mode++) {
        struct stored stored;
        stored_make(&stored, modes[mode]);
        stored.options.capacity = CAPACITY;
        REQUIRE(stored_open(&stored) == 0);
        for (uint64_t i = 0; i < CAPACITY; i++) {
            CHECK_INT(stored_ask(&stored, KV_PUT, i, 1), KV_SUCCESS);
        }
        check_full(&stored, CAPACITY);
        CHECK_INT(stored_ask(&stored, KV_PUT, 5, 2), KV_SUCCESS);
        CHECK_INT(stored_ask(&stored, KV_DELETE, 7, 0), KV_SUCCESS);
        CHECK_INT(stored_ask(&stored, KV_PUT, CAPACITY + 7, 3), KV_SUCCESS);
        check_full(&stored, CAPACITY);
        CHECK_OK(stored_close(&stored, mode == 0));
        REQUIRE(stored_open(&stored) == 0);
        check_full(&stored, CAPACITY);
        check_get(&stored, 5, KV_SUCCESS, 2);
        check_get(&stored, 7, KV_NOT_FOUND, 0);
        check_get(&stored, CAPACITY + 7, KV_SUCCESS, 3);
        stored_remove(&stored);
    }
}

static void memory_alone_needs_no_directory(void)
{
    struct stored stored;
    struct stats stats;
    struct storage_backup_request request = {.done = NULL};
    stored_make(&stored, KV_SYNC_ALWAYS);
    stored.options.directory = NULL;
    REQUIRE(storage_open(&stored.storage, &stored.options, stored.why) == 0);
    CHECK_INT(stored_ask(&stored, KV_PUT, 1, 2), KV_SUCCESS);
    check_get(&stored, 1, KV_SUCCESS, 2);
    CHECK(!storage_backup(stored.storage, &request));
    stored_stats(&stored, &stats);
    CHECK_U64(stats.records, 1);
    CHECK_U64(stats.frames, 0);
    CHECK_U64(stats.log_bytes, 0);
    CHECK_OK(stored_close(&stored, true));
    CHECK_INT(disk_count(&stored.disk, ""), 0);
    stored_remove(&stored);
}

/* ---- Expiry -------------------------------------------------------------- */

/* Half of the records expire soon; the sweep removes them without anybody
 * asking for them, and they do not come back. */
static void what_has_expired_is_swept(void)
{
    enum { COUNT = 1000 };
    for (size_t mode = 0; mode < ARRAY_SIZE(modes); mode++) {
        struct stored stored;
        struct stored image;
        struct stats stats;
        stored_make(&stored, modes[mode]);
        REQUIRE(stored_open(&stored) == 0);
        for (uint64_t i = 0; i < COUNT; i += 2) {
            kv_message_t messages[4] = {
                sample_request(KV_PUT | KV_LINKED, i, 1),
                sample_request(KV_EXPIRE, i, 0),
                sample_request(KV_PUT | KV_LINKED, i + 1, 1),
                sample_request(KV_EXPIRE, i + 1, 0),
            };
            messages[1].value_len = 1;
            messages[1].value[0] = '1';
            messages[3].value_len = 7;
            memcpy(messages[3].value, "9999999", 7);
            stored_execute(&stored, messages, ARRAY_SIZE(messages));
            CHECK_INT(messages[3].status, KV_SUCCESS);
        }
        AWAIT(&stored, expired, COUNT / 2);
        stored_stats(&stored, &stats);
        CHECK_U64(stats.expired, COUNT / 2);
        CHECK_U64(stats.records, COUNT / 2);
        stored_crash(&stored, &image);
        stored_remove(&stored);
        REQUIRE(stored_open(&image) == 0);
        CHECK_U64(storage_count(image.storage), COUNT / 2);
        check_get(&image, 0, KV_NOT_FOUND, 0);
        check_get(&image, 1, KV_SUCCESS, 1);
        stored_remove(&image);
    }
}

/* Many at once do not fill the table for long. */
static void a_crowd_that_expires_is_soon_gone(void)
{
    enum { COUNT = 20000, PAIRS = 160, SOON_MS = 4000 };
    kv_message_t *messages = malloc(2 * PAIRS * sizeof *messages);
    REQUIRE(messages != NULL);
    for (size_t mode = 0; mode < ARRAY_SIZE(modes); mode += 2) {
        struct stored stored;
        stored_make(&stored, modes[mode]);
        REQUIRE(stored_open(&stored) == 0);
        for (uint64_t at = 0; at < COUNT; at += PAIRS) {
            for (uint64_t i = 0; i < PAIRS; i++) {
                kv_message_t *pair = &messages[2 * i];
                pair[0] = sample_request(KV_PUT | KV_LINKED, at + i, 1);
                pair[1] = sample_request(KV_EXPIRE, at + i, 0);
                pair[1].value_len = 1;
                pair[1].value[0] = '1';
            }
            stored_execute(&stored, messages, 2 * PAIRS);
        }
        int64_t begin_ms = clock_steady_ms();
        await_empty(&stored);
        CHECK(clock_steady_ms() - begin_ms < SOON_MS);
        stored_remove(&stored);
    }
    free(messages);
}

/* What expired while nobody had the store open, in backup or log, is swept
 * too. */
static void what_expired_meanwhile_is_swept(void)
{
    for (int backup = 0; backup < 2; backup++) {
        struct stored stored;
        stored_make(&stored, KV_SYNC_NONE);
        stored.options.capacity = 10;
        REQUIRE(stored_open(&stored) == 0);
        for (uint64_t i = 0; i < 10; i++) {
            CHECK_INT(stored_ask(&stored, KV_PUT, i, 1), KV_SUCCESS);
            CHECK_INT(stored_ask_number(&stored, KV_EXPIRE, i, 40), KV_SUCCESS);
        }
        CHECK_OK(stored_close(&stored, backup == 1));
        REQUIRE(stored_open(&stored) == 0);
        await_empty(&stored);
        CHECK_INT(stored_ask(&stored, KV_PUT, 77, 1), KV_SUCCESS);
        stored_remove(&stored);
    }
}

static void time_does_not_run_back(void)
{
    struct stored stored;
    stored_make(&stored, KV_SYNC_NONE);
    REQUIRE(stored_open(&stored) == 0);
    int64_t before = storage_now(stored.storage);
    CHECK(before >= clock_wall_ms() - DEADLINE_MS);
    CHECK_INT(stored_ask(&stored, KV_PUT, 1, 1), KV_SUCCESS);
    CHECK(storage_now(stored.storage) >= before);
    before = storage_now(stored.storage);
    CHECK_OK(stored_close(&stored, true));
    REQUIRE(stored_open(&stored) == 0);
    CHECK(storage_now(stored.storage) >= before);
    stored_remove(&stored);
}

/* ---- Backups ------------------------------------------------------------- */

/* Batches of PUTs until the log has that many frames more. */
static void fill(struct stored *stored, uint64_t frames, uint64_t version)
{
    enum { BATCH = 300, NUMBERS = 5000 };
    kv_message_t *messages = malloc(BATCH * sizeof *messages);
    REQUIRE(messages != NULL);
    for (uint64_t at = 0; at < frames; at += BATCH) {
        for (uint64_t i = 0; i < BATCH; i++) {
            messages[i] =
                sample_request(KV_PUT, (at + i) % NUMBERS, version + at + i);
        }
        stored_execute(stored, messages, BATCH);
        CHECK_INT(messages[BATCH - 1].status, KV_SUCCESS);
    }
    free(messages);
}

/* The newest ones are kept, and the log that the oldest of these needs. */
static void old_backups_and_log_are_removed(void)
{
    struct stored stored;
    struct stats stats;
    const uint64_t segment =
        (WAL_SEGMENT_MIN - DISK_PAGE) / sizeof(kv_message_t);
    uint64_t lsn = 0;
    stored_make(&stored, KV_SYNC_NONE);
    REQUIRE(stored_open(&stored) == 0);
    stored_stats(&stored, &stats);
    CHECK_U64(stats.backup_time_s, 0);
    uint64_t opened_s = (uint64_t)storage_now(stored.storage) / 1000;
    for (uint64_t i = 0; i < 6; i++) {
        uint64_t before = lsn;
        fill(&stored, segment, i);
        CHECK_OK(stored_backup(&stored, &lsn));
        CHECK(lsn > before);
        stored_stats(&stored, &stats);
        CHECK_U64(stats.backups, i + 1);
        CHECK_U64(stats.backup_lsn, lsn);
        CHECK_U64(stats.backup_records, stats.records);
        CHECK_U64(stats.backup_writing, 0);
        CHECK_U64(stats.backup_failed, 0);
        CHECK(stats.backup_time_s >= opened_s);
        CHECK(stats.backup_time_s <=
              (uint64_t)storage_now(stored.storage) / 1000);
        CHECK_INT(disk_count(&stored.disk, "backup-"), i == 0 ? 1 : 2);
    }
    CHECK(stats.log_segments <= 4);
    CHECK(stats.log_bytes < WAL_SEGMENT_MIN);
    CHECK_U64(disk_count(&stored.disk, "log-0"), stats.log_segments);
    struct stored_sum sum = stored_scan(&stored);
    CHECK_OK(stored_close(&stored, false));
    stored.options.backup_keep = 1;
    uint64_t backup_time_s = stats.backup_time_s;
    REQUIRE(stored_open(&stored) == 0);
    stored_stats(&stored, &stats);
    CHECK_U64(stats.backup_time_s, backup_time_s);
    CHECK(stats.recovery_frames <= 1); /* a mark, written in the silence */
    CHECK_U64(stats.backup_lsn, lsn);
    CHECK_U64(stored_scan(&stored).records, sum.records);
    CHECK_U64(stored_scan(&stored).wrong, 0);
    CHECK_OK(stored_backup(&stored, &lsn));
    CHECK_INT(disk_count(&stored.disk, "backup-"), 1);
    stored_remove(&stored);
}

/* Closing writes one if anything has changed since the last, and only then. */
static void a_backup_at_the_end(void)
{
    for (size_t mode = 0; mode < ARRAY_SIZE(modes); mode++) {
        struct stored stored;
        struct stats stats;
        stored_make(&stored, modes[mode]);
        REQUIRE(stored_open(&stored) == 0);
        CHECK_OK(stored_close(&stored, true));
        CHECK_INT(disk_count(&stored.disk, "backup-"), 0);
        for (int i = 0; i < 3; i++) {
            REQUIRE(stored_open(&stored) == 0);
            CHECK_INT(stored_ask(&stored, KV_PUT, 1, 1), KV_SUCCESS);
            CHECK_OK(stored_close(&stored, true));
            REQUIRE(stored_open(&stored) == 0);
            stored_stats(&stored, &stats);
            CHECK_U64(stats.recovery_frames, 0);
            CHECK_INT(stored_ask(&stored, KV_DELETE, 9, 0), KV_NOT_FOUND);
            check_get(&stored, 1, KV_SUCCESS, 1);
            uint64_t lsn = stats.backup_lsn;
            CHECK_OK(stored_close(&stored, true));
            REQUIRE(stored_open(&stored) == 0);
            stored_stats(&stored, &stats);
            CHECK_U64(stats.backup_lsn, lsn);
            CHECK_OK(stored_close(&stored, false));
        }
        CHECK_INT(disk_count(&stored.disk, "backup-"), 2);
        stored_remove(&stored);
    }
}

/* By itself, once the interval is over and the log has outgrown the last. */
static void backups_come_at_intervals(void)
{
    struct stored stored;
    struct stats stats;
    stored_make(&stored, KV_SYNC_NONE);
    stored.options.backup_interval_s = 1;
    REQUIRE(stored_open(&stored) == 0);
    CHECK_INT(stored_ask(&stored, KV_PUT, 1, 1), KV_SUCCESS);
    AWAIT(&stored, backups, 1);
    stored_stats(&stored, &stats);
    CHECK_U64(stats.backup_records, 1);
    CHECK_U64(stats.backup_failures, 0);
    stored_remove(&stored);
}

struct asked {
    struct storage_backup_request request;
    int answers;
    int error;
};

static void note_answer(
    struct storage_backup_request *request, int error, uint64_t lsn)
{
    struct asked *asked = request->owner;
    (void)lsn;
    asked->answers++;
    asked->error = error;
}

/* Whoever was told that his request is taken gets one answer, also if the
 * store is closed before its turn comes. */
static void every_request_for_a_backup_is_answered_once(void)
{
    enum { ASKED = 200 };
    struct stored stored;
    struct asked *asked = calloc(ASKED, sizeof *asked);
    bool taken[ASKED];
    REQUIRE(asked != NULL);
    stored_make(&stored, KV_SYNC_NONE);
    REQUIRE(stored_open(&stored) == 0);
    for (size_t i = 0; i < ASKED; i++) {
        asked[i].request.done = note_answer;
        asked[i].request.owner = &asked[i];
        CHECK_INT(stored_ask(&stored, KV_PUT, i, 1), KV_SUCCESS);
        taken[i] = storage_backup(stored.storage, &asked[i].request);
    }
    CHECK(taken[0]);
    CHECK_OK(stored_close(&stored, false));
    for (size_t i = 0; i < ASKED; i++) {
        CHECK_INT(asked[i].answers, taken[i] ? 1 : 0);
        CHECK(asked[i].error == 0 || asked[i].error == -ECANCELED);
    }
    REQUIRE(stored_open(&stored) == 0);
    CHECK_U64(storage_count(stored.storage), ASKED);
    stored_remove(&stored);
    free(asked);
}

/* ---- Syncs --------------------------------------------------------------- */

static void with_always_what_was_answered_is_durable(void)
{
    struct stored stored;
    struct stats stats;
    stored_make(&stored, KV_SYNC_ALWAYS);
    REQUIRE(stored_open(&stored) == 0);
    for (uint64_t i = 0; i < 5; i++) {
        CHECK_INT(stored_ask(&stored, KV_PUT, i, 1), KV_SUCCESS);
        stored_stats(&stored, &stats);
        CHECK(stats.lsn_durable >= stats.lsn || stats.lsn_durable > i);
        CHECK(stats.syncs > i);
    }
    stored_remove(&stored);
}

static void with_everysec_it_is_soon(void)
{
    struct stored stored;
    struct stats stats;
    stored_make(&stored, KV_SYNC_EVERYSEC);
    REQUIRE(stored_open(&stored) == 0);
    CHECK_INT(stored_ask(&stored, KV_PUT, 1, 1), KV_SUCCESS);
    stored_stats(&stored, &stats);
    CHECK_U64(stats.lsn, 1);
    AWAIT(&stored, lsn_durable, 1);
    stored_remove(&stored);
}

/* ---- Limits -------------------------------------------------------------- */

/* A chain that is too long is not executed at all. */
static void a_chain_has_a_longest_length(void)
{
    struct stored stored;
    kv_message_t messages[KV_CHAIN_MAX + 2];
    stored_make(&stored, KV_SYNC_ALWAYS);
    REQUIRE(stored_open(&stored) == 0);
    for (uint32_t length = KV_CHAIN_MAX; length <= KV_CHAIN_MAX + 1; length++) {
        for (uint32_t i = 0; i < length; i++) {
            int type = i + 1 < length ? KV_PUT | KV_LINKED : KV_PUT;
            messages[i] = sample_request(type, i, length);
        }
        messages[length] = sample_request(KV_EXISTS, length, 0);
        stored_execute(&stored, messages, length + 1);
        for (uint32_t i = 0; i < length; i++) {
            CHECK_INT(messages[i].status,
                length <= KV_CHAIN_MAX ? KV_SUCCESS : KV_ABORTED);
        }
        CHECK_INT(messages[length].status, KV_NOT_FOUND);
        check_get(&stored, 0, KV_SUCCESS, KV_CHAIN_MAX);
    }
    CHECK_U64(storage_count(stored.storage), KV_CHAIN_MAX);
    stored_remove(&stored);
}

static void wrong_options_are_refused(void)
{
    static const struct {
        uint64_t capacity;
        uint64_t segment_bytes;
        const char *why;
    } wrong[] = {
        {0, WAL_SEGMENT_MIN, "KV_CAPACITY is 0"},
        {UINT64_MAX, WAL_SEGMENT_MIN, "KV_CAPACITY is 18446744073709551615"},
        {UINT32_MAX, WAL_SEGMENT_MIN, "KV_CAPACITY is 4294967295"},
        {100, 0, "KV_LOG_SEGMENT is 0"},
        {100, WAL_SEGMENT_MIN - 1, "KV_LOG_SEGMENT is 2097151"},
        {100, UINT64_MAX, "KV_LOG_SEGMENT is 18446744073709551615"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct stored stored;
        stored_make(&stored, KV_SYNC_NONE);
        stored.options.capacity = wrong[i].capacity;
        stored.options.segment_bytes = wrong[i].segment_bytes;
        CHECK_ERRNO(stored_open(&stored), EINVAL);
        CHECK(strstr(stored.why, wrong[i].why) != NULL);
        CHECK_INT(disk_count(&stored.disk, ""), 0);
        stored_remove(&stored);
    }
}

const struct test_case test_storage[] = {
    TEST_CASE(it_holds_its_capacity_and_not_one_more),
    TEST_CASE(memory_alone_needs_no_directory),
    TEST_CASE(what_has_expired_is_swept),
    TEST_CASE(a_crowd_that_expires_is_soon_gone),
    TEST_CASE(what_expired_meanwhile_is_swept),
    TEST_CASE(time_does_not_run_back),
    TEST_CASE(old_backups_and_log_are_removed),
    TEST_CASE(a_backup_at_the_end),
    TEST_CASE(backups_come_at_intervals),
    TEST_CASE(every_request_for_a_backup_is_answered_once),
    TEST_CASE(with_always_what_was_answered_is_durable),
    TEST_CASE(with_everysec_it_is_soon),
    TEST_CASE(a_chain_has_a_longest_length),
    TEST_CASE(wrong_options_are_refused),
    TEST_END,
};
