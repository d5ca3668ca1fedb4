/* A snapshot of the table, and the backup made of it: readers never wait for
 * what it waits for, and a bucket may be as crowded as it likes. */
#include <unistd.h>

#include "backup/backup.h"
#include "storage/state.h"
#include "stored.h"
#include "tabled.h"

enum {
    CAPACITY = 4000,
    SPARE = 4,
    PATIENCE_S = 60, /* who waits for himself waits for ever */
    CROWD = BACKUP_ROOM + 40,
    CROWD_BITS = 8 /* of the hash that a crowd has in common */
};

/* What a save does that has to wait: it reads what readers read meanwhile. */
struct reading {
    struct table *table;
    uint64_t records; /* numbers 0 to this */
    uint64_t saved;
    uint64_t wrong;
};

static void read_all(void *context, const struct record *record)
{
    struct reading *reading = context;
    uint64_t version;
    (void)record;
    reading->saved++;
    for (uint64_t i = 0; i < reading->records; i++) {
        reading->wrong +=
            tabled_get(reading->table, i, &version) == TABLED_PRESENT ? 0 : 1;
    }
}

static void never(void *context, const struct record *record)
{
    (void)record;
    CHECK(context == NULL);
}

/* Under a change that replaces, one that removes, and one that makes the table
 * grow. */
static void readers_go_on_while_a_bucket_is_saved(void)
{
    struct reading reading = {.records = 30};
    struct table *table = tabled_create(CAPACITY, SPARE);
    reading.table = table;
    (void)alarm(PATIENCE_S);
    for (uint64_t i = 0; i < 100; i++) {
        tabled_put(table, i, 0, 0);
    }
    table_snapshot_start(table, read_all, &reading);
    tabled_put(table, 1, 1, 0);
    CHECK(reading.saved > 0);
    uint64_t saved = reading.saved;
    uint64_t buckets = table_buckets(table);
    for (uint64_t i = 100; i < 300; i++) {
        tabled_put(table, i, 0, 0);
    }
    CHECK(table_buckets(table) > buckets);
    CHECK(reading.saved > saved);
    for (uint64_t i = 60; i < 100; i++) {
        CHECK(tabled_remove(table, i));
    }
    enum table_saved last = TABLE_SAVED;
    for (uint64_t i = 0; last == TABLE_SAVED; i++) {
        last = table_snapshot_bucket(table, i, UINT32_MAX, never);
    }
    CHECK_INT(last, TABLE_ALL_SAVED);
    CHECK_U64(reading.saved, 100);
    CHECK_U64(reading.wrong, 0);
    table_destroy(table);
}

struct saving {
    uint64_t saved;
    uint64_t wrong;
};

/* All began with version 0. */
static void count(void *context, const struct record *record)
{
    struct saving *saving = context;
    uint64_t number;
    uint64_t version;
    bool right =
        sample_number(record->key, &number) &&
        sample_check(number, record->value, record->value_len, &version) &&
        version == 0 && number < 100;
    saving->saved++;
    saving->wrong += right ? 0 : 1;
}

/* Not its neighbours in the bucket, and nothing that came after the beginning:
 * the bucket's turn comes, and then it hands over the others. */
static void a_change_saves_what_it_takes_away_alone(void)
{
    struct saving saving = {0};
    struct table *table = tabled_create(CAPACITY, SPARE);
    for (uint64_t i = 0; i < 100; i++) {
        tabled_put(table, i, 0, 0);
    }
    for (uint64_t round = 1; round <= 2; round++) {
        uint64_t before = saving.saved;
        table_snapshot_start(table, count, &saving);
        tabled_put(table, 1, 1, 0);
        CHECK_U64(saving.saved, before + 1);
        tabled_put(table, 1, 2, 0);
        CHECK(tabled_remove(table, 1));
        CHECK_U64(saving.saved, before + 1);
        CHECK(tabled_remove(table, 2));
        CHECK_U64(saving.saved, before + 2);
        tabled_put(table, 2, 3, 0);
        enum table_saved last = TABLE_SAVED;
        for (uint64_t i = 0; last == TABLE_SAVED; i++) {
            last = table_snapshot_bucket(table, i, UINT32_MAX, count);
        }
        CHECK_U64(saving.saved, before + 100);
        CHECK(tabled_remove(table, 2));
        CHECK_U64(saving.saved, before + 100);
        CHECK_U64(saving.wrong, 0);
        tabled_put(table, 1, 0, 0);
        tabled_put(table, 2, 0, 0);
    }
    table_destroy(table);
}

/* Changes that belong together keep readers waiting; so once their buckets are
 * saved, nothing is saved before they are all done. */
static void nothing_is_saved_while_readers_wait(void)
{
    struct reading reading = {0};
    struct table *table = tabled_create(CAPACITY, SPARE);
    for (uint64_t i = 0; i < 100; i++) {
        tabled_put(table, i, 0, 0);
    }
    table_snapshot_start(table, read_all, &reading);
    for (uint64_t i = 100; i < 200; i++) {
        table_save(table, tabled_hash(table, i));
    }
    uint64_t saved = reading.saved;
    uint64_t buckets = table_buckets(table);
    table_change_begin(table);
    for (uint64_t i = 100; i < 200; i++) {
        tabled_put(table, i, 0, 0);
    }
    CHECK_U64(reading.saved, saved);
    CHECK_U64(table_buckets(table), buckets);
    table_change_end(table);
    CHECK(table_buckets(table) > buckets);
    table_destroy(table);
}

static void a_crowded_bucket_is_left_to_the_committing_thread(void)
{
    struct reading reading = {0};
    struct table *table = tabled_create(CAPACITY, SPARE);
    uint64_t numbers[CROWD];
    struct tabled_ending ending = {.mask = (1 << CROWD_BITS) - 1};
    tabled_choose(table, &ending, numbers, CROWD);
    for (uint32_t i = 0; i < CROWD; i++) {
        tabled_put(table, numbers[i], 0, 0);
    }
    table_snapshot_start(table, read_all, &reading);
    CHECK_INT(
        table_snapshot_bucket(table, 0, CROWD - 1, read_all), TABLE_CROWDED);
    CHECK_U64(reading.saved, 0);
    table_save(table, 0);
    CHECK_U64(reading.saved, CROWD);
    CHECK_INT(
        table_snapshot_bucket(table, 0, CROWD - 1, read_all), TABLE_SAVED);
    CHECK_U64(reading.saved, CROWD);
    table_snapshot_start(table, read_all, &reading);
    CHECK_INT(table_snapshot_bucket(table, 0, CROWD, read_all), TABLE_SAVED);
    CHECK_U64(reading.saved, 2 * CROWD);
    table_destroy(table);
}

static void a_backup_has_a_crowded_bucket_too(void)
{
    struct stored stored;
    uint64_t numbers[CROWD];
    uint64_t lsn;
    struct tabled_ending ending = {.mask = (1 << CROWD_BITS) - 1};
    stored_make(&stored, KV_SYNC_NONE);
    REQUIRE(stored_open(&stored) == 0);
    tabled_choose(stored.storage->table, &ending, numbers, CROWD);
    for (uint32_t i = 0; i < CROWD; i++) {
        CHECK_INT(stored_ask(&stored, KV_PUT, numbers[i], 1), KV_SUCCESS);
    }
    CHECK_OK(stored_backup(&stored, &lsn));
    CHECK_OK(stored_close(&stored, false));
    REQUIRE(stored_open(&stored) == 0);
    struct stats stats;
    stored_stats(&stored, &stats);
    CHECK(stats.recovery_frames <= 1); /* a mark, written in the silence */
    struct stored_sum sum = stored_scan(&stored);
    CHECK_U64(sum.records, CROWD);
    CHECK_U64(sum.wrong, 0);
    stored_remove(&stored);
}

const struct test_case test_snapshot[] = {
    TEST_CASE(readers_go_on_while_a_bucket_is_saved),
    TEST_CASE(a_change_saves_what_it_takes_away_alone),
    TEST_CASE(nothing_is_saved_while_readers_wait),
    TEST_CASE(a_crowded_bucket_is_left_to_the_committing_thread),
    TEST_CASE(a_backup_has_a_crowded_bucket_too),
    TEST_END,
};
