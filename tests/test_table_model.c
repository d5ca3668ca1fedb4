/* test_table_model.c: the table and a plain array go through the same random
 * changes; whatever is asked of the one must be what the other says. */
#include <string.h>

#include "tabled.h"

enum {
    POOL = 3000,     /* numbers that come and go */
    CROWD = 300,     /* of these, in one bucket of the first 64 */
    CAPACITY = POOL, /* so the bucket of the crowd is split, and split again */
    SPARE = 2,
    NOW_MS = 1000000
};

struct entry {
    uint64_t number;
    uint64_t version;
    int64_t expire_ms;
    bool there;
};

struct model {
    struct test_random random;
    struct table *table;
    uint64_t count;
    struct entry entries[POOL];
};

static struct model *model_create(void)
{
    struct model *model = calloc(1, sizeof *model);
    uint64_t crowd[CROWD];
    REQUIRE(model != NULL);
    test_random_init(&model->random);
    model->table = tabled_create(CAPACITY, SPARE);
    struct tabled_ending ending = {.mask = 63, .bits = 9, .next = POOL};
    tabled_choose(model->table, &ending, crowd, CROWD);
    for (uint64_t i = 0; i < POOL; i++) {
        model->entries[i].number = i < CROWD ? crowd[i] : i;
    }
    return model;
}

static void model_destroy(struct model *model)
{
    table_destroy(model->table);
    free(model);
}

/* One random change of both; put_share of 100 are puts. */
static void change(struct model *model, unsigned put_share)
{
    struct entry *entry =
        &model->entries[test_random_below(&model->random, POOL)];
    if (test_random_below(&model->random, 100) >= put_share) {
        bool removed = tabled_remove(model->table, entry->number);
        CHECK(removed == entry->there);
        model->count -= removed ? 1 : 0;
        entry->there = false;
        return;
    }
    entry->version = test_random_next(&model->random);
    entry->expire_ms =
        test_random_once_in(&model->random, 4)
            ? 1 + (int64_t)test_random_below(&model->random, 2 * NOW_MS)
            : 0;
    bool fresh = tabled_put(
        model->table, entry->number, entry->version, entry->expire_ms);
    CHECK(fresh == !entry->there);
    model->count += fresh ? 1 : 0;
    entry->there = true;
}

/* The share of puts falls and rises, so that the table fills and empties. */
static unsigned share_of(unsigned round)
{
    static const unsigned shares[] = {80, 55, 30, 95, 10, 60};
    return shares[round % ARRAY_SIZE(shares)];
}

static struct entry *find_entry(struct entry *entries, uint64_t number)
{
    if (number >= CROWD && number < POOL) {
        return &entries[number];
    }
    for (uint64_t i = 0; i < CROWD; i++) {
        if (entries[i].number == number) {
            return &entries[i];
        }
    }
    return NULL;
}

static uint64_t count_wrong(struct model *model)
{
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < POOL; i++) {
        const struct entry *entry = &model->entries[i];
        uint64_t found;
        uint64_t read;
        enum tabled_state state =
            tabled_find(model->table, entry->number, &found);
        enum tabled_state seen = tabled_get(model->table, entry->number, &read);
        bool right = entry->there
                         ? state == TABLED_PRESENT && found == entry->version
                         : state == TABLED_ABSENT;
        wrong += right && seen == state && read == found ? 0 : 1;
    }
    return wrong;
}

static void it_is_as_the_model_says(void)
{
    struct model *model = model_create();
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = 0; i < 1000; i++) {
            change(model, share_of(round));
        }
        CHECK_U64(table_records(model->table), model->count);
        CHECK_U64(count_wrong(model), 0);
    }
    for (uint64_t i = 0; i < POOL; i++) {
        (void)tabled_remove(model->table, model->entries[i].number);
    }
    CHECK_U64(table_records(model->table), 0);
    CHECK_U64(table_overflow_buckets(model->table), 0);
    model_destroy(model);
}

/* ---- Scans -------------------------------------------------------------- */

/* Between the calls of a scan records change, come and go, and the table
 * grows.  Those that are there throughout come exactly once, others at most
 * once. */
static void a_scan_meets_exactly_once_what_stays(void)
{
    struct model *model = model_create();
    kv_message_t *messages = malloc(KV_SCAN_MAX * sizeof *messages);
    uint8_t seen[POOL];
    bool stays[POOL];
    uint64_t position = 0;
    uint64_t buckets = 0;
    static const uint8_t all[KV_KEY_SIZE];
    REQUIRE(messages != NULL);
    for (unsigned round = 0; round < 12; round++) {
        unsigned wrong = 0;
        unsigned calls = 0;
        memset(seen, 0, sizeof seen);
        for (uint64_t i = 0; i < POOL; i++) {
            stays[i] = model->entries[i].there &&
                       (model->entries[i].expire_ms == 0 ||
                           model->entries[i].expire_ms > NOW_MS);
        }
        do {
            uint32_t count =
                table_scan(model->table, all, NOW_MS, &position, messages);
            for (uint32_t i = 0; i < count; i++) {
                uint64_t number = 0;
                REQUIRE(sample_number(messages[i].key, &number));
                struct entry *entry = find_entry(model->entries, number);
                REQUIRE(entry != NULL);
                seen[entry - model->entries]++;
            }
            for (unsigned i = 0; i < 300; i++) {
                uint64_t at = test_random_below(&model->random, POOL);
                struct entry *entry = &model->entries[at];
                if (test_random_once_in(&model->random, 3)) {
                    tabled_remove(model->table, entry->number);
                    stays[at] = false;
                    entry->there = false;
                } else {
                    tabled_put(model->table, entry->number, i, 0);
                    entry->there = true;
                    entry->expire_ms = 0;
                }
            }
            calls++;
        } while (position != 0);
        for (uint64_t i = 0; i < POOL; i++) {
            wrong += seen[i] > 1 || (stays[i] && seen[i] != 1) ? 1 : 0;
        }
        CHECK_INT(wrong, 0);
        CHECK(table_buckets(model->table) >= buckets);
        buckets = table_buckets(model->table);
    }
    CHECK(buckets > 64);
    free(messages);
    model_destroy(model);
}

/* ---- Snapshots ---------------------------------------------------------- */

struct saved {
    struct entry then[POOL]; /* as it was when the snapshot started */
    uint32_t times[POOL];
    uint32_t wrong;
    uint32_t count;
};

static void save(void *context, const struct record *record)
{
    struct saved *saved = context;
    uint64_t number = 0;
    uint64_t version;
    saved->count++;
    if (!sample_number(record->key, &number) ||
        !sample_check(number, record->value, record->value_len, &version)) {
        saved->wrong++;
        return;
    }
    struct entry *entry = find_entry(saved->then, number);
    if (entry == NULL || !entry->there || entry->version != version ||
        entry->expire_ms != record->expire_ms) {
        saved->wrong++;
        return;
    }
    saved->times[entry - saved->then]++;
}

/* While it is taken, changes go on; it has every record of its beginning once,
 * as it was, and nothing else. */
static void a_snapshot_is_the_state_of_its_beginning(void)
{
    struct model *model = model_create();
    struct saved *saved = malloc(sizeof *saved);
    REQUIRE(saved != NULL);
    for (unsigned round = 0; round < 24; round++) {
        for (unsigned i = 0; i < 700; i++) {
            change(model, share_of(round));
        }
        memset(saved, 0, sizeof *saved);
        memcpy(saved->then, model->entries, sizeof saved->then);
        uint64_t count = model->count;
        table_snapshot_start(model->table, save, saved);
        enum table_saved last = TABLE_SAVED;
        for (uint64_t i = 0; last != TABLE_ALL_SAVED; i++) {
            last = table_snapshot_bucket(model->table, i, UINT32_MAX, save);
            CHECK(last != TABLE_CROWDED);
            for (unsigned changes = round % 8; changes > 0; changes--) {
                change(model, share_of(round + 1));
            }
        }
        CHECK_U64(saved->count, count);
        CHECK_INT(saved->wrong, 0);
        for (uint64_t i = 0; i < POOL; i++) {
            if (saved->times[i] != (saved->then[i].there ? 1 : 0)) {
                CHECK_INT(saved->times[i], saved->then[i].there ? 1 : 0);
            }
        }
        CHECK_U64(count_wrong(model), 0);
    }
    free(saved);
    model_destroy(model);
}

/* More records in one bucket than a call hands out, as somebody may contrive
 * who has seen many cursors. */
static void a_scan_hands_out_a_bucket_in_parts(void)
{
    enum { MANY = 2 * KV_SCAN_MAX + 100, BITS = 10 };
    static const uint8_t none[KV_KEY_SIZE];
    struct table *table = tabled_create(MANY, 1);
    struct tabled_ending ending = {.mask = (1 << BITS) - 1, .bits = 5};
    uint64_t *numbers = malloc(MANY * sizeof *numbers);
    kv_message_t *messages = malloc(KV_SCAN_MAX * sizeof *messages);
    uint8_t *seen = calloc(MANY, 1);
    REQUIRE(numbers != NULL && messages != NULL && seen != NULL);
    tabled_choose(table, &ending, numbers, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        CHECK(tabled_put(table, numbers[i], 1, 0));
    }
    uint64_t position = 0;
    uint32_t calls = 0;
    do {
        uint32_t count = table_scan(table, none, NOW_MS, &position, messages);
        for (uint32_t i = 0; i < count; i++) {
            uint64_t number = 0;
            uint32_t index = 0;
            REQUIRE(sample_number(messages[i].key, &number));
            while (index < MANY && numbers[index] != number) {
                index++;
            }
            REQUIRE(index < MANY);
            seen[index]++;
        }
        calls++;
    } while (position != 0 && calls < 100);
    CHECK(calls >= 3 && calls < 100);
    for (uint32_t i = 0; i < MANY; i++) {
        CHECK_INT(seen[i], 1);
    }
    free(seen);
    free(messages);
    free(numbers);
    table_destroy(table);
}

const struct test_case test_table_model[] = {
    TEST_CASE(it_is_as_the_model_says),
    TEST_CASE(a_scan_meets_exactly_once_what_stays),
    TEST_CASE(a_scan_hands_out_a_bucket_in_parts),
    TEST_CASE(a_snapshot_is_the_state_of_its_beginning),
    TEST_END,
};
