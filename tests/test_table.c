/* test_table.c: the table, by one thread: records found and removed, buckets
 * that overflow and split, scans, sweeps, loading.  Against a model:
 * test_table_model.c; by many threads: test_table_threads.c. */
#include "table/table.h"

#include <errno.h>
#include <string.h>

#include "tabled.h"

enum { BUCKETS_AT_START = 16, BUCKET_ENTRIES = 12, NOW_MS = 1000000 };

static const uint8_t all[KV_KEY_SIZE];

static void check_present(
    struct table *table, uint64_t number, uint64_t version)
{
    uint64_t found;
    CHECK_INT(tabled_get(table, number, &found), TABLED_PRESENT);
    CHECK_U64(found, version);
    CHECK_INT(tabled_find(table, number, &found), TABLED_PRESENT);
    CHECK_U64(found, version);
}

static void check_absent(struct table *table, uint64_t number)
{
    uint64_t found;
    CHECK_INT(tabled_get(table, number, &found), TABLED_ABSENT);
    CHECK_INT(tabled_find(table, number, &found), TABLED_ABSENT);
}

/* ---- Records ------------------------------------------------------------ */

static void an_empty_table_has_nothing(void)
{
    struct table *table = tabled_create(100, 1);
    kv_message_t messages[KV_SCAN_MAX];
    struct table_found found;
    uint64_t position = 0;
    CHECK_U64(table_records(table), 0);
    CHECK_U64(table_capacity(table), 100);
    CHECK_U64(table_buckets(table), BUCKETS_AT_START);
    check_absent(table, 1);
    CHECK(!tabled_remove(table, 1));
    CHECK_INT(table_scan(table, all, NOW_MS, &position, messages), 0);
    CHECK_U64(position, 0);
    CHECK_INT(table_sweep(table, &position, 1000, NOW_MS, &found, 1), 0);
    CHECK_U64(position, 0);
    table_destroy(table);
}

static void a_record_is_replaced_and_removed(void)
{
    struct table *table = tabled_create(100, 1);
    CHECK(tabled_put(table, 1, 1, 0));
    CHECK(tabled_put(table, 2, 1, 0));
    check_present(table, 1, 1);
    CHECK(!tabled_put(table, 1, 2, 0));
    check_present(table, 1, 2);
    check_present(table, 2, 1);
    CHECK_U64(table_records(table), 2);
    CHECK(tabled_remove(table, 1));
    CHECK(!tabled_remove(table, 1));
    check_absent(table, 1);
    check_present(table, 2, 1);
    CHECK_U64(table_records(table), 1);
    table_destroy(table);
}

/* Capacity and spare slots can be taken, and not one more; what is replaced,
 * removed or given back can be taken again. */
static void every_slot_can_be_taken_once(void)
{
    enum { CAPACITY = 50, SPARE = 3 };
    struct table *table = tabled_create(CAPACITY, SPARE);
    struct record *spare[SPARE];
    for (uint64_t i = 0; i < CAPACITY; i++) {
        CHECK(tabled_put(table, i, 0, 0));
    }
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < SPARE; i++) {
            spare[i] = table_take(table);
            CHECK(spare[i] != NULL);
        }
        CHECK(table_take(table) == NULL);
        for (size_t i = 0; i < SPARE; i++) {
            table_give(table, spare[i]);
        }
        for (uint64_t i = 0; i < CAPACITY; i++) {
            CHECK(!tabled_put(table, i, 1, 0));
        }
        CHECK(tabled_remove(table, 7));
        CHECK(tabled_put(table, 7, 1, 0));
    }
    for (uint64_t i = 0; i < CAPACITY; i++) {
        check_present(table, i, 1);
    }
    table_destroy(table);
}

/* Of equal tags in one bucket the keys tell the records apart. */
static void equal_tags_are_told_apart(void)
{
    enum { COUNT = 400 };
    uint64_t numbers[COUNT];
    struct table *table = tabled_create(128, 1);
    struct tabled_ending ending = {.mask = BUCKETS_AT_START - 1, .bits = 3};
    tabled_choose(table, &ending, numbers, COUNT);
    unsigned pairs = 0;
    for (size_t i = 0; i < COUNT; i++) {
        uint64_t tag = tabled_hash(table, numbers[i]) >> 48 | 1;
        for (size_t j = 0; j < i; j++) {
            if ((tabled_hash(table, numbers[j]) >> 48 | 1) != tag) {
                continue;
            }
            pairs++;
            CHECK(tabled_put(table, numbers[i], 1, 0));
            check_absent(table, numbers[j]);
            CHECK(!tabled_remove(table, numbers[j]));
            CHECK(tabled_put(table, numbers[j], 2, 0));
            check_present(table, numbers[i], 1);
            CHECK(tabled_remove(table, numbers[i]));
            check_present(table, numbers[j], 2);
            CHECK(tabled_remove(table, numbers[j]));
        }
    }
    CHECK_U64(table_records(table), 0);
    CHECK(pairs < COUNT);
    table_destroy(table);
}

/* ---- Buckets ------------------------------------------------------------ */

static uint64_t overflow_of(uint64_t records)
{
    return records <= BUCKET_ENTRIES ? 0 : (records - 1) / BUCKET_ENTRIES;
}

/* All in one bucket: a chain of the length that it must have, at every moment
 * of its growth and of its going in any order. */
static void a_chain_is_as_long_as_it_must_be(void)
{
    enum { COUNT = 100 };
    uint64_t numbers[COUNT];
    struct test_random random;
    struct table *table = tabled_create(128, 1);
    struct tabled_ending ending = {.mask = BUCKETS_AT_START - 1, .bits = 5};
    test_random_init(&random);
    tabled_choose(table, &ending, numbers, COUNT);
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < COUNT; i++) {
            CHECK(tabled_put(table, numbers[i], 1, 0));
            CHECK_U64(table_overflow_buckets(table), overflow_of(i + 1));
        }
        for (uint64_t left = COUNT; left > 0; left--) {
            uint64_t at = test_random_below(&random, left);
            uint64_t gone = numbers[at];
            CHECK(tabled_remove(table, gone));
            CHECK_U64(table_overflow_buckets(table), overflow_of(left - 1));
            numbers[at] = numbers[left - 1];
            numbers[left - 1] = gone;
            check_absent(table, gone);
            for (uint64_t i = 0; i + 1 < left; i++) {
                check_present(table, numbers[i], 1);
            }
        }
    }
    CHECK_U64(table_buckets(table), BUCKETS_AT_START);
    table_destroy(table);
}

/* As many records as there can be, all in the bucket that is split last, and
 * all of them move: for a moment the chain is there twice. */
static void a_whole_table_in_one_bucket_is_split(void)
{
    enum { CAPACITY = 1024 };
    uint64_t *numbers = malloc(CAPACITY * sizeof *numbers);
    REQUIRE(numbers != NULL);
    struct table *table = tabled_create(CAPACITY, 0);
    struct tabled_ending ending = {.mask = 127, .bits = 127};
    tabled_choose(table, &ending, numbers, CAPACITY);
    for (uint64_t i = 0; i < CAPACITY; i++) {
        CHECK(tabled_put(table, numbers[i], 1, 0));
    }
    CHECK_U64(table_buckets(table), CAPACITY / TABLE_LOAD);
    CHECK_U64(table_overflow_buckets(table), overflow_of(CAPACITY));
    for (uint64_t i = 0; i < CAPACITY; i++) {
        check_present(table, numbers[i], 1);
    }
    table_destroy(table);
    free(numbers);
}

/* A bucket for every eight records, one at a time, up to the capacity's. */
static void the_table_grows_bucket_by_bucket(void)
{
    enum { CAPACITY = 20001 };
    struct table *table = tabled_create(CAPACITY, 1);
    uint64_t buckets = BUCKETS_AT_START;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < CAPACITY; i++) {
        CHECK(tabled_put(table, i, i, 0));
        buckets += i + 1 > buckets * TABLE_LOAD ? 1 : 0;
        wrong += table_buckets(table) == buckets ? 0 : 1;
    }
    CHECK_U64(wrong, 0);
    CHECK_U64(table_buckets(table), (CAPACITY + TABLE_LOAD - 1) / TABLE_LOAD);
    for (uint64_t i = 0; i < CAPACITY; i++) {
        uint64_t version;
        wrong += tabled_get(table, i, &version) == TABLED_PRESENT ? 0 : 1;
        wrong += version == i ? 0 : 1;
    }
    CHECK_U64(wrong, 0);
    table_clear(table);
    CHECK_U64(table_records(table), 0);
    CHECK_U64(table_buckets(table), BUCKETS_AT_START);
    CHECK_U64(table_overflow_buckets(table), 0);
    check_absent(table, 1);
    CHECK(tabled_put(table, 1, 1, 0));
    check_present(table, 1, 1);
    table_destroy(table);
}

/* ---- Scans -------------------------------------------------------------- */

/* Goes through the table once; seen[number] is how often it came. */
static uint32_t scan_all(struct table *table, const uint8_t *prefix,
    int64_t now_ms, uint8_t *seen, uint64_t seen_size)
{
    static const uint8_t none[KV_KEY_SIZE];
    uint64_t position = 0;
    uint32_t calls = 0;
    kv_message_t *messages = malloc(KV_SCAN_MAX * sizeof *messages);
    REQUIRE(messages != NULL);
    memset(seen, 0, seen_size);
    do {
        uint32_t count = table_scan(
            table, prefix == NULL ? none : prefix, now_ms, &position, messages);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t number = 0;
            uint64_t version;
            REQUIRE(sample_number(messages[i].key, &number));
            REQUIRE(number < seen_size);
            CHECK(sample_check(
                number, messages[i].value, messages[i].value_len, &version));
            CHECK_INT(messages[i].type, KV_SCAN);
            CHECK_INT(messages[i].status, KV_SUCCESS);
            seen[number]++;
        }
        calls++;
    } while (position != 0);
    free(messages);
    return calls;
}

static void a_scan_has_what_begins_with_the_prefix(void)
{
    enum { COUNT = 3000 };
    struct table *table = tabled_create(COUNT, 1);
    uint8_t seen[COUNT];
    uint8_t prefix[KV_KEY_SIZE];
    for (uint64_t i = 0; i < COUNT; i++) {
        CHECK(tabled_put(table, i, 1, 0));
    }
    for (size_t length = 0; length <= KV_KEY_SIZE; length++) {
        uint64_t wrong = 0;
        uint8_t key[KV_KEY_SIZE];
        sample_key(1234, prefix);
        memset(prefix + length, 0, KV_KEY_SIZE - length);
        scan_all(table, prefix, NOW_MS, seen, sizeof seen);
        for (uint64_t i = 0; i < COUNT; i++) {
            sample_key(i, key);
            bool wanted = memcmp(key, prefix, length) == 0;
            wrong += seen[i] == (wanted ? 1 : 0) ? 0 : 1;
        }
        CHECK_U64(wrong, 0);
    }
    memset(prefix, 'z', sizeof prefix);
    scan_all(table, prefix, NOW_MS, seen, sizeof seen);
    CHECK(bytes_all_zero(seen, sizeof seen));
    table_destroy(table);
}

static void a_scan_leaves_out_what_has_expired(void)
{
    enum { COUNT = 300 };
    struct table *table = tabled_create(COUNT, 1);
    uint8_t seen[COUNT];
    for (uint64_t i = 0; i < COUNT; i++) {
        CHECK(tabled_put(table, i, 1, i == 0 ? 0 : NOW_MS + (int64_t)i));
    }
    scan_all(table, NULL, NOW_MS + 100, seen, sizeof seen);
    for (uint64_t i = 0; i < COUNT; i++) {
        CHECK_INT(seen[i], i == 0 || i > 100 ? 1 : 0);
    }
    table_destroy(table);
}

/* A slot to be loaded, with a record in it. */
static struct record *filled(
    struct table *table, uint64_t index, uint64_t number, uint64_t version)
{
    struct record *record = table_load_slot(table, index);
    record->expire_ms = 0;
    sample_key(number, record->key);
    record->value_len = sample_value(number, version, record->value);
    table_load_hash(table, record);
    return record;
}

/* The loading of the table, and a scan of so many buckets that one call cannot
 * visit them: it goes on though it has found nothing. */
static void a_scan_call_visits_a_bounded_number_of_buckets(void)
{
    enum { COUNT = 200000, BUCKETS = COUNT / TABLE_LOAD };
    struct table *table = tabled_create(COUNT, 1);
    uint8_t *seen = malloc(COUNT);
    uint8_t prefix[KV_KEY_SIZE];
    REQUIRE(seen != NULL);
    REQUIRE(table_load_start(table, COUNT) == 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        REQUIRE(table_load(table, filled(table, i, i, 1)));
    }
    CHECK_U64(table_buckets(table), BUCKETS);
    CHECK_U64(table_records(table), COUNT);
    sample_key(COUNT / 3, prefix);
    uint32_t calls = scan_all(table, prefix, NOW_MS, seen, COUNT);
    CHECK(calls >= BUCKETS / TABLE_SCAN_BUCKETS);
    for (uint64_t i = 0; i < COUNT; i++) {
        if (seen[i] != (i == COUNT / 3 ? 1 : 0)) {
            CHECK_U64(i, COUNT);
        }
    }
    CHECK(!tabled_put(table, COUNT - 1, 2, 0));
    check_present(table, COUNT - 1, 2);
    table_destroy(table);
    free(seen);
}

/* More in one bucket than a call hands out. */
static void a_scan_copes_with_a_crowded_bucket(void)
{
    enum { COUNT = KV_SCAN_MAX + 500 };
    uint64_t *numbers = malloc(COUNT * sizeof *numbers);
    REQUIRE(numbers != NULL);
    struct table *table = tabled_create(COUNT, 1);
    struct tabled_ending ending = {.mask = 127, .bits = 127};
    tabled_choose(table, &ending, numbers, COUNT);
    uint8_t *seen = malloc(ending.next);
    REQUIRE(seen != NULL);
    for (uint64_t i = 0; i < COUNT; i++) {
        CHECK(tabled_put(table, numbers[i], 1, 0));
    }
    CHECK(table_overflow_buckets(table) >= COUNT / BUCKET_ENTRIES - 2);
    CHECK(scan_all(table, NULL, NOW_MS, seen, ending.next) >= 2);
    uint64_t once = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        once += seen[numbers[i]] == 1 ? 1 : 0;
    }
    CHECK_U64(once, COUNT);
    table_destroy(table);
    free(seen);
    free(numbers);
}

/* ---- Loading ------------------------------------------------------------ */

static void loading_makes_the_table_large_enough(void)
{
    static const uint64_t counts[] = {0, 1, 127, 128, 129, 136, 255, 256, 1000};
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        uint64_t count = counts[i];
        struct table *table = tabled_create(1000, 1);
        REQUIRE(table_load_start(table, count) == 0);
        for (uint64_t number = 0; number < count; number++) {
            CHECK(table_load(table, filled(table, number, number, 1)));
        }
        CHECK_U64(table_records(table), count);
        for (uint64_t number = 0; number < count; number++) {
            check_present(table, number, 1);
        }
        for (uint64_t number = count; number < 1000; number++) {
            CHECK(tabled_put(table, number, 2, 0));
        }
        for (uint64_t number = 0; number < 1000; number++) {
            check_present(table, number, number < count ? 1 : 2);
        }
        CHECK(table_take(table) != NULL);
        CHECK(table_take(table) == NULL);
        table_destroy(table);
    }
}

static void what_does_not_fit_is_not_loaded(void)
{
    struct table *table = tabled_create(100, 1);
    CHECK_ERRNO(table_load_start(table, 101), ENOSPC);
    CHECK_OK(table_load_start(table, 100));
    for (uint64_t i = 0; i < 2; i++) {
        CHECK(table_load(table, filled(table, i, 1, i)) == (i == 0));
    }
    check_present(table, 1, 0);
    table_clear(table);
    check_absent(table, 1);
    CHECK_U64(table_records(table), 0);
    CHECK_OK(table_load_start(table, 2));
    table_destroy(table);
}

/* ---- The sweep ---------------------------------------------------------- */

/* Sweeps once around, and removes what is found; returns how many. */
static uint64_t sweep_around(
    struct table *table, int64_t now_ms, uint32_t buckets, uint32_t max)
{
    struct table_found found[64];
    uint64_t position = 0;
    uint64_t sum = 0;
    REQUIRE(max <= ARRAY_SIZE(found));
    do {
        uint32_t count =
            table_sweep(table, &position, buckets, now_ms, found, max);
        CHECK(count <= max);
        for (uint32_t i = 0; i < count; i++) {
            CHECK_U64(table_hash(table, found[i].key), found[i].hash);
            CHECK(table_remove(table, found[i].hash, found[i].key));
        }
        sum += count;
    } while (position != 0);
    return sum;
}

/* Half of the records expire, one each millisecond. */
static void the_sweep_finds_what_has_expired(void)
{
    enum { COUNT = 2000 };
    static const struct {
        uint32_t buckets;
        uint32_t max;
    } steps[] = {{1000, 64}, {1, 64}, {1000, 1}, {7, 3}};
    struct table *table = tabled_create(COUNT, 1);
    for (uint64_t i = 0; i < COUNT; i++) {
        int64_t expire_ms = i % 2 == 0 ? 0 : NOW_MS + (int64_t)i;
        CHECK(tabled_put(table, i, 1, expire_ms));
    }
    CHECK_U64(sweep_around(table, NOW_MS, 1000, 64), 0);
    for (size_t step = 0; step < ARRAY_SIZE(steps); step++) {
        int64_t past_ms = (int64_t)(COUNT * (step + 1) / ARRAY_SIZE(steps));
        uint64_t swept = 0;
        /* What max did not leave room for comes in the next round. */
        for (int round = 0; round < BUCKET_ENTRIES + TABLE_LOAD; round++) {
            swept += sweep_around(table, NOW_MS + past_ms - 1,
                steps[step].buckets, steps[step].max);
        }
        CHECK_U64(swept, COUNT / 2 / ARRAY_SIZE(steps));
        CHECK_U64(table_records(table), COUNT - (uint64_t)past_ms / 2);
    }
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t version;
        CHECK_INT(tabled_get(table, i, &version),
            i % 2 == 0 ? TABLED_PRESENT : TABLED_ABSENT);
    }
    table_destroy(table);
}

/* Times that no clock will tell, and those beyond what a bucket notes. */
static void the_sweep_copes_with_any_time(void)
{
    static const int64_t times[] = {1, 999, 1000, INT64_MAX,
        (int64_t)UINT32_MAX * 1000, (int64_t)UINT32_MAX * 1000 + 5000};
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        struct table *table = tabled_create(10, 1);
        CHECK(tabled_put(table, 1, 1, times[i]));
        CHECK(tabled_put(table, 2, 1, 0));
        CHECK_U64(
            sweep_around(table, NOW_MS, 1000, 64), times[i] <= NOW_MS ? 1 : 0);
        CHECK_U64(table_records(table), times[i] <= NOW_MS ? 1 : 2);
        table_destroy(table);
    }
}

const struct test_case test_table[] = {
    TEST_CASE(an_empty_table_has_nothing),
    TEST_CASE(a_record_is_replaced_and_removed),
    TEST_CASE(every_slot_can_be_taken_once),
    TEST_CASE(equal_tags_are_told_apart),
    TEST_CASE(a_chain_is_as_long_as_it_must_be),
    TEST_CASE(a_whole_table_in_one_bucket_is_split),
    TEST_CASE(the_table_grows_bucket_by_bucket),
    TEST_CASE(a_scan_has_what_begins_with_the_prefix),
    TEST_CASE(a_scan_leaves_out_what_has_expired),
    TEST_CASE(a_scan_call_visits_a_bounded_number_of_buckets),
    TEST_CASE(a_scan_copes_with_a_crowded_bucket),
    TEST_CASE(loading_makes_the_table_large_enough),
    TEST_CASE(what_does_not_fit_is_not_loaded),
    TEST_CASE(the_sweep_finds_what_has_expired),
    TEST_CASE(the_sweep_copes_with_any_time),
    TEST_END,
};
