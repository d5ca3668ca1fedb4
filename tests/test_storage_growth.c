/* test_storage_growth.c: a store that takes new keys can be looked at from
 * outside, as client restore does: how many records it will find is not known
 * when it begins. */
#include <pthread.h>

#include "stored.h"

enum { KEYS = 600000, GROUP = 500 };

struct growth {
    struct stored stored;
    pthread_mutex_t lock; /* guards what follows */
    bool over;
    uint64_t wrong;
};

static bool is_over(struct growth *growth)
{
    pthread_mutex_lock(&growth->lock);
    bool over = growth->over;
    pthread_mutex_unlock(&growth->lock);
    return over;
}

/* Puts keys that were never there, as one batch.  True if they are taken. */
static bool put_new(struct growth *growth, uint64_t first)
{
    kv_message_t messages[GROUP];
    for (uint64_t i = 0; i < GROUP; i++) {
        messages[i] = sample_request(KV_PUT, first + i, 1);
    }
    stored_execute(&growth->stored, messages, GROUP);
    return messages[0].status == KV_SUCCESS;
}

static void *grow(void *context)
{
    struct growth *growth = context;
    uint64_t wrong = 0;
    for (uint64_t next = KEYS / 3; next < KEYS; next += GROUP) {
        wrong += put_new(growth, next) ? 0 : 1;
    }
    pthread_mutex_lock(&growth->lock);
    growth->over = true;
    growth->wrong += wrong;
    pthread_mutex_unlock(&growth->lock);
    return NULL;
}

static void look(const struct growth *growth)
{
    char why[STORAGE_WHY_MAX];
    struct storage *storage;
    struct storage_options options = growth->stored.options;
    options.capacity = 0;
    int error = storage_open_at(&storage, &options, &STORAGE_NEWEST, why);
    CHECK_OK(error);
    if (error == 0) {
        CHECK(storage_count(storage) >= KEYS / 3);
        CHECK_OK(storage_close(storage, false));
    }
}

static void a_store_that_grows_can_be_looked_at(void)
{
    static struct growth growth;
    pthread_t thread;
    pthread_mutex_init(&growth.lock, NULL);
    stored_make(&growth.stored, KV_SYNC_NONE);
    growth.stored.options.capacity = KEYS;
    REQUIRE(stored_open(&growth.stored) == 0);
    for (uint64_t i = 0; i < KEYS / 3; i += GROUP) {
        CHECK(put_new(&growth, i));
    }
    REQUIRE(pthread_create(&thread, NULL, grow, &growth) == 0);
    do {
        look(&growth);
    } while (!is_over(&growth));
    pthread_join(thread, NULL);
    CHECK_U64(growth.wrong, 0);
    stored_remove(&growth.stored);
    pthread_mutex_destroy(&growth.lock);
}

const struct test_case test_storage_growth[] = {
    TEST_CASE(a_store_that_grows_can_be_looked_at),
    TEST_END,
};
