/* test_store.c: the store inside a process, through the public header alone. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "disk.h"
#include "kv_store.h"

enum { WHY_MAX = 512, WRITERS = 4, PUTS = 100 };

struct opened {
    struct disk disk;
    kv_store_options_t options;
    kv_store_t *store;
    char why[WHY_MAX];
};

static void open_in(struct opened *opened, kv_sync_t sync)
{
    *opened = (struct opened){.store = NULL};
    disk_make(&opened->disk);
    opened->options = (kv_store_options_t){
        .capacity = 10000, .sync = sync, .segment_bytes = 2 << 20};
    REQUIRE(kv_store_open(&opened->store, opened->disk.temporary.path,
                &opened->options, opened->why, sizeof opened->why) == 0);
    CHECK_TEXT(opened->why, "");
}

static void reopen(struct opened *opened)
{
    kv_store_destroy(opened->store);
    REQUIRE(kv_store_open(&opened->store, opened->disk.temporary.path,
                &opened->options, opened->why, sizeof opened->why) == 0);
}

static void end(struct opened *opened)
{
    kv_store_destroy(opened->store);
    disk_remove(&opened->disk);
}

static void check_value(kv_store_t *store, const char *key, const char *value)
{
    char found[KV_VALUE_MAX + 1] = "";
    size_t length = 99;
    kv_error_t error = kv_store_get(store, key, strlen(key), found, &length);
    CHECK_INT(error, value == NULL ? KV_NOT_FOUND : KV_SUCCESS);
    CHECK_TEXT(found, value == NULL ? "" : value);
    CHECK_U64(length, value == NULL ? 0 : strlen(value));
}

static kv_error_t put(kv_store_t *store, const char *key, const char *value)
{
    return kv_store_put(store, key, strlen(key), value, strlen(value));
}

/* ---- Requests ------------------------------------------------------------ */

static void every_request(kv_store_t *store)
{
    int64_t number = 0;
    CHECK_INT(kv_store_exists(store, "name", 4), KV_NOT_FOUND);
    CHECK_INT(put(store, "name", "John Doe"), KV_SUCCESS);
    CHECK_INT(kv_store_exists(store, "name", 4), KV_SUCCESS);
    check_value(store, "name", "John Doe");
    check_value(store, "nam", NULL);
    CHECK_INT(kv_store_ttl(store, "name", 4, &number), KV_SUCCESS);
    CHECK_INT(number, -1);
    CHECK_INT(kv_store_expire(store, "name", 4, 1000000), KV_SUCCESS);
    CHECK_INT(kv_store_ttl(store, "name", 4, &number), KV_SUCCESS);
    CHECK(number > 900000 && number <= 1000000);
    CHECK_INT(kv_store_persist(store, "name", 4), KV_SUCCESS);
    CHECK_INT(kv_store_ttl(store, "name", 4, &number), KV_SUCCESS);
    CHECK_INT(number, -1);
    CHECK_INT(kv_store_ttl(store, "x", 1, &number), KV_NOT_FOUND);
    CHECK_INT(kv_store_expire(store, "x", 1, 1), KV_NOT_FOUND);
    CHECK_INT(kv_store_persist(store, "x", 1), KV_NOT_FOUND);
    CHECK_INT(kv_store_add(store, "n", 1, 5, &number), KV_SUCCESS);
    CHECK_INT(number, 5);
    CHECK_INT(kv_store_add(store, "n", 1, -8, NULL), KV_SUCCESS);
    check_value(store, "n", "-3");
    CHECK_INT(kv_store_add(store, "n", 1, INT64_MIN, &number), KV_OVERFLOW);
    CHECK_INT(kv_store_add(store, "name", 4, 1, &number), KV_NOT_A_NUMBER);
    CHECK_U64(kv_store_count(store), 2);
    CHECK_INT(kv_store_delete(store, "name", 4), KV_SUCCESS);
    CHECK_INT(kv_store_delete(store, "name", 4), KV_NOT_FOUND);
    check_value(store, "name", NULL);
    CHECK_U64(kv_store_count(store), 1);
}

static void all_requests_in_every_mode(void)
{
    for (int sync = KV_SYNC_ALWAYS; sync <= KV_SYNC_NONE; sync++) {
        struct opened opened;
        open_in(&opened, (kv_sync_t)sync);
        every_request(opened.store);
        reopen(&opened);
        check_value(opened.store, "n", "-3");
        CHECK_U64(kv_store_count(opened.store), 1);
        end(&opened);
    }
}

static void a_store_in_memory_alone(void)
{
    uint64_t lsn = 77;
    kv_store_t *store = kv_store_create(NULL);
    REQUIRE(store != NULL);
    every_request(store);
    CHECK_INT(kv_store_backup(store, &lsn), KV_INVALID);
    kv_store_destroy(store);
    kv_store_destroy(NULL);
}

static void keys_and_values_of_every_length(void)
{
    struct opened opened;
    uint8_t key[KV_KEY_SIZE];
    uint8_t value[KV_VALUE_MAX];
    uint8_t found[KV_VALUE_MAX];
    size_t length;
    open_in(&opened, KV_SYNC_NONE);
    memset(key, 0, sizeof key);
    for (size_t i = 0; i < KV_KEY_SIZE; i++) {
        key[i] = (uint8_t)(255 - i);
        memset(value, (int)i, sizeof value);
        CHECK_INT(
            kv_store_put(opened.store, key, i + 1, value, i * 8), KV_SUCCESS);
        CHECK_INT(kv_store_get(opened.store, key, KV_KEY_SIZE, found, &length),
            KV_SUCCESS);
        CHECK_U64(length, i * 8);
        CHECK_BYTES(found, value, length);
    }
    memset(value, 0, sizeof value);
    CHECK_INT(
        kv_store_put(opened.store, "k", 1, value, KV_VALUE_MAX), KV_SUCCESS);
    CHECK_INT(kv_store_get(opened.store, "k", 1, found, &length), KV_SUCCESS);
    CHECK_U64(length, KV_VALUE_MAX);
    CHECK_BYTES(found, value, KV_VALUE_MAX);
    end(&opened);
}

static void wrong_arguments(void)
{
    struct opened opened;
    char value[KV_VALUE_MAX + 1] = "";
    char key[KV_KEY_SIZE + 1] = "k";
    size_t length = 9;
    int64_t number = 9;
    open_in(&opened, KV_SYNC_NONE);
    kv_store_t *store = opened.store;
    CHECK_INT(kv_store_put(store, key, 0, "v", 1), KV_ARGUMENT);
    CHECK_INT(kv_store_put(store, key, sizeof key, "v", 1), KV_ARGUMENT);
    CHECK_INT(kv_store_put(store, "\0\0", 2, "v", 1), KV_ARGUMENT);
    CHECK_INT(
        kv_store_put(store, key, 1, value, KV_VALUE_MAX + 1), KV_ARGUMENT);
    CHECK_INT(kv_store_get(store, key, 0, value, &length), KV_ARGUMENT);
    CHECK_U64(length, 0);
    CHECK_INT(kv_store_delete(store, key, sizeof key), KV_ARGUMENT);
    CHECK_INT(kv_store_exists(store, "", 1), KV_ARGUMENT);
    CHECK_INT(kv_store_persist(store, key, 0), KV_ARGUMENT);
    CHECK_INT(kv_store_ttl(store, key, 0, &number), KV_ARGUMENT);
    CHECK_INT(number, 0);
    CHECK_INT(kv_store_add(store, key, 0, 1, &number), KV_ARGUMENT);
    CHECK_INT(kv_store_expire(store, key, 0, 1), KV_ARGUMENT);
    CHECK_INT(put(store, "k", "v"), KV_SUCCESS);
    CHECK_INT(kv_store_expire(store, "k", 1, 0), KV_ARGUMENT);
    CHECK_INT(kv_store_expire(store, "k", 1, -1), KV_ARGUMENT);
    CHECK_INT(kv_store_expire(store, "k", 1, INT64_MAX), KV_ARGUMENT);
    check_value(store, "k", "v");
    end(&opened);
}

/* ---- Opening ------------------------------------------------------------- */

static void why_it_does_not_open(void)
{
    struct opened opened;
    kv_store_t *second;
    char why[WHY_MAX];
    open_in(&opened, KV_SYNC_NONE);
    const char *path = opened.disk.temporary.path;
    CHECK_INT(kv_store_open(&second, path, NULL, why, sizeof why), KV_UNUSABLE);
    CHECK(second == NULL);
    CHECK(strstr(why, "in use") != NULL);
    CHECK_INT(kv_store_open(&second, path, NULL, NULL, 0), KV_UNUSABLE);
    CHECK_INT(kv_store_open(&second, path, NULL, why, 4), KV_UNUSABLE);
    CHECK_U64(strlen(why), 3);
    errno = 0;
    CHECK(kv_store_create(path) == NULL);
    CHECK_INT(errno, EBUSY);
    CHECK_INT(put(opened.store, "k", "v"), KV_SUCCESS);
    end(&opened);
    errno = EDOM;
    kv_store_t *memory = kv_store_create(NULL);
    CHECK(memory != NULL);
    CHECK_INT(errno, EDOM);
    kv_store_destroy(memory);
    errno = 0;
    CHECK(kv_store_create("/no/such/directory") == NULL);
    CHECK_INT(errno, ENOENT);
}

static void damage_is_told(void)
{
    struct opened opened;
    open_in(&opened, KV_SYNC_ALWAYS);
    for (int i = 0; i < 9; i++) {
        CHECK_INT(put(opened.store, "k", "v"), KV_SUCCESS);
    }
    kv_store_destroy(opened.store);
    opened.store = NULL;
    disk_flip(&opened.disk, "log-00000000000000000001", 9, 1);
    CHECK_INT(kv_store_open(&opened.store, opened.disk.temporary.path,
                  &opened.options, opened.why, sizeof opened.why),
        KV_UNUSABLE);
    CHECK(strstr(opened.why, "log-00000000000000000001") != NULL);
    errno = 0;
    CHECK(kv_store_create(opened.disk.temporary.path) == NULL);
    CHECK_INT(errno, EUCLEAN);
    end(&opened);
}

static void wrong_options(void)
{
    static const kv_store_options_t wrong[] = {
        {.capacity = UINT64_MAX},
        {.segment_bytes = 4096},
        {.segment_bytes = UINT64_MAX},
        {.sync = (kv_sync_t)7},
    };
    struct disk disk;
    disk_make(&disk);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        kv_store_t *store;
        char why[WHY_MAX] = "";
        CHECK_INT(kv_store_open(
                      &store, disk.temporary.path, &wrong[i], why, sizeof why),
            KV_ARGUMENT);
        CHECK(store == NULL);
        CHECK(strstr(why, "allowed") != NULL);
    }
    CHECK_INT(disk_count(&disk, ""), 0);
    disk_remove(&disk);
}

/* ---- Chains -------------------------------------------------------------- */

static kv_message_t message_of(int type, const char *key, const char *value)
{
    kv_message_t message;
    CHECK_INT(kv_message_fill(&message, type, key, strlen(key), value,
                  value == NULL ? 0 : strlen(value)),
        KV_SUCCESS);
    return message;
}

static void execute_is_all_or_none(void)
{
    struct opened opened;
    open_in(&opened, KV_SYNC_ALWAYS);
    CHECK_INT(put(opened.store, "state", "idle"), KV_SUCCESS);
    for (int round = 0; round < 2; round++) {
        kv_message_t messages[] = {
            message_of(KV_GET, "state", NULL),
            message_of(KV_EXPECT | KV_LINKED, "state", "idle"),
            message_of(KV_PUT | KV_LINKED, "state", "busy"),
            message_of(KV_ADD, "runs", "1"),
            message_of(KV_GET, "state", NULL),
            message_of(KV_COUNT, "", NULL),
        };
        CHECK_INT(kv_store_execute(opened.store, messages, 6), KV_SUCCESS);
        CHECK_TEXT((const char *)messages[0].value, round ? "busy" : "idle");
        CHECK_INT(messages[1].status, round ? KV_MISMATCH : KV_SUCCESS);
        CHECK_INT(messages[2].status, round ? KV_ABORTED : KV_SUCCESS);
        CHECK_INT(messages[3].status, round ? KV_ABORTED : KV_SUCCESS);
        CHECK_TEXT((const char *)messages[4].value, "busy");
        CHECK_TEXT((const char *)messages[5].value, "2");
    }
    reopen(&opened);
    check_value(opened.store, "runs", "1");
    end(&opened);
}

static void execute_has_its_limits(void)
{
    enum { MOST = 256 };
    struct opened opened;
    kv_message_t *messages = calloc(MOST + 1, sizeof *messages);
    REQUIRE(messages != NULL);
    open_in(&opened, KV_SYNC_NONE);
    for (size_t i = 0; i <= MOST; i++) {
        messages[i] = message_of(KV_PING, "", "hello");
    }
    CHECK_INT(kv_store_execute(opened.store, messages, 0), KV_ARGUMENT);
    CHECK_INT(kv_store_execute(opened.store, messages, MOST + 1), KV_ARGUMENT);
    CHECK_INT(kv_store_execute(opened.store, messages, MOST), KV_SUCCESS);
    CHECK_TEXT((const char *)messages[MOST - 1].value, "hello");
    messages[3] = message_of(KV_PUT | KV_LINKED, "k", "v");
    CHECK_INT(kv_store_execute(opened.store, messages, 4), KV_ARGUMENT);
    for (size_t i = 0; i <= KV_CHAIN_MAX; i++) {
        messages[i] = message_of(
            i < KV_CHAIN_MAX ? KV_PUT | KV_LINKED : KV_PUT, "k", "v");
    }
    CHECK_INT(kv_store_execute(opened.store, messages, KV_CHAIN_MAX + 1),
        KV_ARGUMENT);
    CHECK_INT(
        kv_store_execute(opened.store, messages + 1, KV_CHAIN_MAX), KV_SUCCESS);
    CHECK_INT(messages[KV_CHAIN_MAX].status, KV_SUCCESS);
    static const int refused[] = {
        KV_SCAN, KV_STATS, KV_BACKUP, KV_AUTH, 0, 17, 18, 127};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        for (int linked = 0; linked < 2; linked++) {
            int type = refused[i] | (linked ? KV_LINKED : 0);
            messages[0] = message_of(type, "key", NULL);
            messages[1] = message_of(KV_PUT, "x", "y");
            CHECK_INT(kv_store_execute(opened.store, messages, 2), KV_SUCCESS);
            CHECK_INT(messages[0].status, KV_INVALID);
            CHECK(messages[0].value_len > 0);
            CHECK_INT(messages[1].status, linked ? KV_ABORTED : KV_SUCCESS);
        }
    }
    free(messages);
    end(&opened);
}

/* ---- Scan and backup ----------------------------------------------------- */

static void scan_by_prefix(void)
{
    enum { COUNT = 3000 };
    struct opened opened;
    kv_message_t *records = calloc(KV_SCAN_MAX, sizeof *records);
    REQUIRE(records != NULL);
    open_in(&opened, KV_SYNC_NONE);
    for (int i = 0; i < COUNT; i++) {
        char key[KV_KEY_SIZE];
        (void)snprintf(key, sizeof key, "%s:%d", i % 3 ? "user" : "item", i);
        CHECK_INT(put(opened.store, key, key), KV_SUCCESS);
    }
    static const struct {
        const char *prefix;
        size_t length;
        size_t expected;
    } scans[] = {{"", 0, COUNT}, {"item", 4, COUNT / 3}, {"user:", 5, 2000},
        {"user:1", 6, 742}, {"no", 2, 0}, {"item:3", 6, 39}, {"item:3\0", 7, 1},
        {"\0", 1, 0}};
    for (size_t i = 0; i < sizeof scans / sizeof scans[0]; i++) {
        uint64_t cursor = 0;
        size_t sum = 0;
        size_t count;
        do {
            CHECK_INT(kv_store_scan(opened.store, scans[i].prefix,
                          scans[i].length, &cursor, records, &count),
                KV_SUCCESS);
            for (size_t j = 0; j < count; j++) {
                CHECK(memcmp(records[j].key, scans[i].prefix,
                          scans[i].length) == 0);
                CHECK_TEXT((const char *)records[j].value,
                    (const char *)records[j].key);
            }
            sum += count;
        } while (cursor != 0);
        CHECK_U64(sum, scans[i].expected);
    }
    uint64_t cursor = 5;
    size_t count = 5;
    CHECK_INT(kv_store_scan(
                  opened.store, "x", KV_KEY_SIZE + 1, &cursor, records, &count),
        KV_ARGUMENT);
    CHECK_U64(count, 0);
    free(records);
    end(&opened);
}

static void backup_on_demand(void)
{
    struct opened opened;
    uint64_t first = 0;
    uint64_t second = 0;
    open_in(&opened, KV_SYNC_ALWAYS);
    CHECK_INT(put(opened.store, "a", "1"), KV_SUCCESS);
    CHECK_INT(kv_store_backup(opened.store, &first), KV_SUCCESS);
    CHECK_INT(put(opened.store, "b", "2"), KV_SUCCESS);
    CHECK_INT(kv_store_backup(opened.store, &second), KV_SUCCESS);
    CHECK(first >= 1 && second > first);
    CHECK_INT(kv_store_backup(opened.store, NULL), KV_SUCCESS);
    CHECK_INT(disk_count(&opened.disk, "backup-"), 2);
    reopen(&opened);
    check_value(opened.store, "a", "1");
    check_value(opened.store, "b", "2");
    end(&opened);
}

/* ---- Threads ------------------------------------------------------------- */

struct writer {
    kv_store_t *store;
    int number;
    uint64_t wrong;
};

/* Each has keys of its own, and all share a counter. */
static void *write_on(void *context)
{
    struct writer *writer = context;
    for (int i = 0; i < PUTS; i++) {
        char key[KV_KEY_SIZE];
        char found[KV_VALUE_MAX];
        size_t length;
        int64_t sum;
        (void)snprintf(key, sizeof key, "%d-%d", writer->number, i);
        writer->wrong += put(writer->store, key, key) != KV_SUCCESS;
        writer->wrong += kv_store_get(writer->store, key, strlen(key), found,
                             &length) != KV_SUCCESS ||
                         length != strlen(key) ||
                         memcmp(found, key, length) != 0;
        writer->wrong +=
            kv_store_add(writer->store, "sum", 3, 1, &sum) != KV_SUCCESS;
    }
    return NULL;
}

static void many_threads_share_a_store(void)
{
    for (int sync = KV_SYNC_ALWAYS; sync <= KV_SYNC_NONE; sync++) {
        struct opened opened;
        pthread_t threads[WRITERS];
        struct writer writers[WRITERS];
        char sum[16];
        open_in(&opened, (kv_sync_t)sync);
        for (int i = 0; i < WRITERS; i++) {
            writers[i] = (struct writer){opened.store, i, 0};
            REQUIRE(
                pthread_create(&threads[i], NULL, write_on, &writers[i]) == 0);
        }
        for (int i = 0; i < WRITERS; i++) {
            pthread_join(threads[i], NULL);
            CHECK_U64(writers[i].wrong, 0);
        }
        (void)snprintf(sum, sizeof sum, "%d", WRITERS * PUTS);
        check_value(opened.store, "sum", sum);
        CHECK_U64(kv_store_count(opened.store), WRITERS * PUTS + 1);
        reopen(&opened);
        check_value(opened.store, "sum", sum);
        check_value(opened.store, "3-99", "3-99");
        CHECK_U64(kv_store_count(opened.store), WRITERS * PUTS + 1);
        end(&opened);
    }
}

const struct test_case test_store[] = {
    TEST_CASE(all_requests_in_every_mode),
    TEST_CASE(a_store_in_memory_alone),
    TEST_CASE(keys_and_values_of_every_length),
    TEST_CASE(wrong_arguments),
    TEST_CASE(why_it_does_not_open),
    TEST_CASE(damage_is_told),
    TEST_CASE(wrong_options),
    TEST_CASE(execute_is_all_or_none),
    TEST_CASE(execute_has_its_limits),
    TEST_CASE(scan_by_prefix),
    TEST_CASE(backup_on_demand),
    TEST_CASE(many_threads_share_a_store),
    TEST_END,
};
