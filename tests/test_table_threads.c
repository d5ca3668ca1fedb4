/* test_table_threads.c: readers, a scan, a sweep and a snapshot in threads of
 * their own while one thread changes the table and lets it grow; and a load by
 * many threads.  Most of it is for ThreadSanitizer and helgrind to judge. */
#include <pthread.h>
#include <string.h>

#include "tabled.h"

enum {
    STABLE = 400,    /* numbers 0..399 are never removed */
    FLEETING = 6000, /* those after them come and go */
    CHANGES = 20000,
    READERS = 3,
    NOW_MS = 1000000
};

struct scene {
    struct table *table;
    pthread_mutex_t lock; /* guards what follows */
    bool over;
    uint64_t snapshots_asked;
    uint64_t snapshots_taken;
    uint64_t wrong;
    uint64_t reads;
    uint64_t expired;
};

static bool is_over(struct scene *scene)
{
    pthread_mutex_lock(&scene->lock);
    bool over = scene->over;
    pthread_mutex_unlock(&scene->lock);
    return over;
}

static void report(struct scene *scene, uint64_t reads, uint64_t wrong)
{
    pthread_mutex_lock(&scene->lock);
    scene->reads += reads;
    scene->wrong += wrong;
    pthread_mutex_unlock(&scene->lock);
}

/* What stays is always found, in a version that never goes back; what is found
 * of the rest is whole. */
static void *read_on(void *context)
{
    struct scene *scene = context;
    struct test_random random;
    uint64_t versions[STABLE] = {0};
    uint64_t wrong = 0;
    uint64_t reads = 0;
    test_random_init(&random);
    random.state += (uint64_t)(uintptr_t)versions;
    while (!is_over(scene)) {
        for (int i = 0; i < 50; i++, reads++) {
            uint64_t version;
            uint64_t stable = test_random_below(&random, STABLE);
            enum tabled_state state =
                tabled_get(scene->table, stable, &version);
            wrong += state != TABLED_PRESENT || version < versions[stable];
            versions[stable] = version;
            state = tabled_get(scene->table,
                STABLE + test_random_below(&random, FLEETING), &version);
            wrong += state == TABLED_WRONG;
        }
    }
    report(scene, reads, wrong);
    return NULL;
}

static void *scan_on(void *context)
{
    struct scene *scene = context;
    static const uint8_t all[KV_KEY_SIZE];
    kv_message_t *messages = malloc(KV_SCAN_MAX * sizeof *messages);
    uint64_t wrong = messages == NULL ? 1 : 0;
    uint64_t scans = 0;
    while (messages != NULL && !is_over(scene)) {
        uint64_t position = 0;
        uint64_t stable = 0;
        do {
            uint32_t count =
                table_scan(scene->table, all, NOW_MS, &position, messages);
            for (uint32_t i = 0; i < count; i++) {
                uint64_t number;
                uint64_t version;
                bool whole = sample_number(messages[i].key, &number) &&
                             sample_check(number, messages[i].value,
                                 messages[i].value_len, &version);
                wrong += whole ? 0 : 1;
                stable += whole && number < STABLE ? 1 : 0;
            }
        } while (position != 0);
        wrong += stable == STABLE ? 0 : 1;
        scans++;
    }
    free(messages);
    report(scene, scans, wrong);
    return NULL;
}

static void *sweep_on(void *context)
{
    struct scene *scene = context;
    struct table_found found[16];
    uint64_t position = 0;
    uint64_t expired = 0;
    uint64_t wrong = 0;
    while (!is_over(scene)) {
        uint32_t count = table_sweep(
            scene->table, &position, 64, NOW_MS, found, ARRAY_SIZE(found));
        for (uint32_t i = 0; i < count; i++) {
            uint64_t number;
            wrong += sample_number(found[i].key, &number) ? 0 : 1;
            wrong += number < STABLE ? 1 : 0;
        }
        expired += count;
    }
    pthread_mutex_lock(&scene->lock);
    scene->expired += expired;
    pthread_mutex_unlock(&scene->lock);
    report(scene, 0, wrong);
    return NULL;
}

/* Called by two threads. */
static void save(void *context, const struct record *record)
{
    struct scene *scene = context;
    uint64_t number;
    uint64_t version;
    if (!sample_number(record->key, &number) ||
        !sample_check(number, record->value, record->value_len, &version)) {
        report(scene, 0, 1);
    }
}

/* The changing thread starts a snapshot when it is asked to; its buckets are
 * saved here. */
static void *snapshot_on(void *context)
{
    struct scene *scene = context;
    while (!is_over(scene)) {
        pthread_mutex_lock(&scene->lock);
        bool started = scene->snapshots_asked == scene->snapshots_taken;
        pthread_mutex_unlock(&scene->lock);
        if (!started) {
            continue;
        }
        uint64_t index = 0;
        while (table_snapshot_bucket(scene->table, index, UINT32_MAX, save) !=
               TABLE_ALL_SAVED) {
            index++;
        }
        pthread_mutex_lock(&scene->lock);
        scene->snapshots_asked++;
        pthread_mutex_unlock(&scene->lock);
    }
    return NULL;
}

static void change(struct scene *scene, struct test_random *random, uint64_t i)
{
    pthread_mutex_lock(&scene->lock);
    bool asked = scene->snapshots_asked > scene->snapshots_taken;
    pthread_mutex_unlock(&scene->lock);
    if (asked) {
        table_snapshot_start(scene->table, save, scene);
        pthread_mutex_lock(&scene->lock);
        scene->snapshots_taken++;
        pthread_mutex_unlock(&scene->lock);
    }
    uint64_t number = STABLE + test_random_below(random, FLEETING);
    if (test_random_once_in(random, 5)) {
        tabled_put(scene->table, test_random_below(random, STABLE), i, 0);
    } else if (test_random_once_in(random, 3)) {
        tabled_remove(scene->table, number);
    } else {
        tabled_put(scene->table, number, i,
            test_random_once_in(random, 10) ? NOW_MS - 1 : 0);
    }
}

static void readers_go_on_while_one_changes(void)
{
    static void *(*const others[])(void *) = {scan_on, sweep_on, snapshot_on};
    pthread_t threads[READERS + ARRAY_SIZE(others)];
    struct scene scene = {.snapshots_asked = 1};
    struct test_random random;
    test_random_init(&random);
    scene.table = tabled_create(STABLE + FLEETING, 2);
    pthread_mutex_init(&scene.lock, NULL);
    for (uint64_t i = 0; i < STABLE; i++) {
        CHECK(tabled_put(scene.table, i, 0, 0));
    }
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        REQUIRE(pthread_create(&threads[i], NULL,
                    i < READERS ? read_on : others[i - READERS], &scene) == 0);
    }
    for (uint64_t i = 1; i <= CHANGES; i++) {
        change(&scene, &random, i);
    }
    pthread_mutex_lock(&scene.lock);
    scene.over = true;
    pthread_mutex_unlock(&scene.lock);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_U64(scene.wrong, 0);
    CHECK(table_buckets(scene.table) > STABLE / TABLE_LOAD);
    table_destroy(scene.table);
    pthread_mutex_destroy(&scene.lock);
}

/* ---- Loading ------------------------------------------------------------ */

struct slice {
    struct table *table;
    uint64_t first;
    uint64_t count;
    uint64_t refused;
};

enum { LOADERS = 4, LOADED = 20000, TWICE = 10 };

/* The last ones have the numbers of the first ones: keys of another thread. */
static void *load_slice(void *context)
{
    struct slice *slice = context;
    for (uint64_t i = slice->first; i < slice->first + slice->count; i++) {
        uint64_t number = i < LOADED - TWICE ? i : i - (LOADED - TWICE);
        struct record *record = table_load_slot(slice->table, i);
        record->expire_ms = 0;
        sample_key(number, record->key);
        record->value_len = sample_value(number, 1, record->value);
        table_load_hash(slice->table, record);
        slice->refused += table_load(slice->table, record) ? 0 : 1;
    }
    return NULL;
}

static void many_threads_load_and_no_key_twice(void)
{
    pthread_t threads[LOADERS];
    struct slice slices[LOADERS];
    struct table *table = tabled_create(LOADED, 1);
    uint64_t refused = 0;
    uint64_t wrong = 0;
    REQUIRE(table_load_start(table, LOADED) == 0);
    for (size_t i = 0; i < LOADERS; i++) {
        slices[i] = (struct slice){
            .table = table,
            .first = i * (LOADED / LOADERS),
            .count = LOADED / LOADERS,
        };
        REQUIRE(pthread_create(&threads[i], NULL, load_slice, &slices[i]) == 0);
    }
    for (size_t i = 0; i < LOADERS; i++) {
        pthread_join(threads[i], NULL);
        refused += slices[i].refused;
    }
    CHECK_U64(refused, TWICE);
    for (uint64_t i = 0; i < LOADED - TWICE; i++) {
        uint64_t version;
        wrong += tabled_get(table, i, &version) != TABLED_PRESENT;
    }
    CHECK_U64(wrong, 0);
    table_destroy(table);
}

const struct test_case test_table_threads[] = {
    TEST_CASE(readers_go_on_while_one_changes),
    TEST_CASE(many_threads_load_and_no_key_twice),
    TEST_END,
};
