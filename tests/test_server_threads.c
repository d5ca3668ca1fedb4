/* test_server_threads.c: all that a server's threads do, at once: eight workers
 * with connections that come and go, write, read and scan; records that expire,
 * a table that grows from nothing, backups one after the other, and in the
 * middle of it the orderly stop.
 *
 * Mostly for ThreadSanitizer and helgrind, which see what no answer shows.
 * TEST_OPERATIONS sets how many operations come before the stop. */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "served.h"

enum {
    WORKERS = 8,
    CLIENTS = 8,
    OPERATIONS = 2000,
    BACKUPS = 2,
    BURST = 16,      /* requests, not counting the second ones of chains */
    KEYS = 200,      /* that all clients share */
    NEW_KEYS = 9000, /* that the table grows by */
    BURSTS_OF_CONNECTION = 10,
    TTL_MS_MAX = 20
};

struct crowd {
    struct served served;
    uint64_t wanted;      /* operations before the stop */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t moved;
    uint64_t operations;
    uint64_t scanned;
    uint64_t backups;
    uint64_t errors;
    uint64_t next_seed;
    uint64_t next_key;
};

static void add(struct crowd *crowd, uint64_t *counter, uint64_t number)
{
    pthread_mutex_lock(&crowd->lock);
    *counter += number;
    pthread_cond_signal(&crowd->moved);
    pthread_mutex_unlock(&crowd->lock);
}

static uint64_t draw(struct crowd *crowd, uint64_t *counter)
{
    pthread_mutex_lock(&crowd->lock);
    uint64_t number = ++*counter;
    pthread_mutex_unlock(&crowd->lock);
    return number;
}

static kv_client_t *call_in(const struct crowd *crowd)
{
    kv_client_t *client =
        kv_client_create("127.0.0.1", server_port(crowd->served.server));
    if (client != NULL) {
        kv_client_set_timeout(client, 10 * SERVED_WAIT_MS);
    }
    return client;
}

/* ---- Clients ------------------------------------------------------------- */

struct burst {
    kv_message_t messages[2 * BURST];
    size_t count;
};

static void add_message(
    struct burst *burst, int type, const char *key, int64_t argument)
{
    kv_message_t *message = &burst->messages[burst->count++];
    uint8_t value[DECIMAL_MAX];
    int verb = type & ~KV_LINKED;
    bool valued = verb == KV_PUT || verb == KV_ADD || verb == KV_EXPIRE ||
                  verb == KV_EXPECT;
    size_t value_len = valued ? decimal_format(argument, value) : 0;
    size_t key_len = verb == KV_COUNT ? 0 : strlen(key);
    (void)kv_message_fill(message, type, key, key_len, value, value_len);
}

static void choose(
    struct crowd *crowd, struct test_random *random, struct burst *burst)
{
    char key[KV_KEY_SIZE];
    char other[KV_KEY_SIZE];
    (void)snprintf(
        key, sizeof key, "key-%" PRIu64, test_random_below(random, KEYS));
    (void)snprintf(other, sizeof other, "new-%" PRIu64,
        draw(crowd, &crowd->next_key) % NEW_KEYS);
    int64_t number = (int64_t)test_random_below(random, TTL_MS_MAX);
    switch (test_random_below(random, 10)) {
    case 0:
        add_message(burst, KV_PUT | KV_LINKED, key, number);
        add_message(burst, KV_EXPIRE, key, 1 + number);
        break;
    case 1:
        add_message(burst, KV_PUT, other, number);
        break;
    case 2:
        add_message(burst, KV_ADD | KV_LINKED, key, number);
        add_message(burst, KV_ADD, other, -number);
        break;
    case 3:
        add_message(burst, KV_EXPECT | KV_LINKED, key, number);
        add_message(burst, KV_PUT, key, number + 1);
        break;
    case 4:
        add_message(burst, KV_DELETE, key, 0);
        break;
    case 5:
        add_message(burst, KV_TTL, key, 0);
        break;
    case 6:
        add_message(burst, KV_COUNT, key, 0);
        break;
    case 7:
        add_message(burst, KV_PUT, key, number);
        break;
    default:
        add_message(burst, KV_GET, key, 0);
        break;
    }
}

static bool note_record(void *context, const kv_message_t *record)
{
    uint64_t *records = context;
    (void)record;
    (*records)++;
    return true;
}

static kv_error_t scan(struct crowd *crowd, kv_client_t *client)
{
    kv_message_t request = {.type = KV_SCAN};
    kv_message_t last = {0};
    uint64_t records = 0;
    kv_error_t error;
    do {
        error =
            kv_client_stream(client, &request, note_record, &records, &last);
        request.value_len = last.value_len;
        memcpy(request.value, last.value, sizeof request.value);
    } while (error == KV_SUCCESS && last.value_len > 0);
    add(crowd, &crowd->scanned, records);
    return error;
}

static bool is_expected(const kv_message_t *reply)
{
    return reply->status == KV_SUCCESS || reply->status == KV_NOT_FOUND ||
           reply->status == KV_MISMATCH || reply->status == KV_ABORTED;
}

static kv_error_t burst_once(
    struct crowd *crowd, kv_client_t *client, struct test_random *random)
{
    struct burst burst = {.count = 0};
    uint64_t errors = 0;
    for (uint32_t i = 0; i < BURST; i++) {
        choose(crowd, random, &burst);
    }
    kv_error_t error = kv_client_execute(client, burst.messages, burst.count);
    for (size_t i = 0; error == KV_SUCCESS && i < burst.count; i++) {
        errors += is_expected(&burst.messages[i]) ? 0 : 1;
    }
    add(crowd, &crowd->errors, errors);
    add(crowd, &crowd->operations, error == KV_SUCCESS ? burst.count : 0);
    return error;
}

/* The server's end ends it: first the connection is lost, then refused. */
static bool is_the_end(kv_error_t error)
{
    return error == KV_LOST || error == KV_REFUSED;
}

static void *visit(void *context)
{
    struct crowd *crowd = context;
    struct test_random random;
    kv_error_t error = KV_SUCCESS;
    test_random_init(&random);
    random.state += draw(crowd, &crowd->next_seed) << 32;
    while (error == KV_SUCCESS) {
        kv_client_t *client = call_in(crowd);
        error = client == NULL ? KV_NO_MEMORY : KV_SUCCESS;
        for (uint32_t i = 0; error == KV_SUCCESS && i < BURSTS_OF_CONNECTION;
             i++) {
            error = burst_once(crowd, client, &random);
        }
        error = error == KV_SUCCESS ? scan(crowd, client) : error;
        kv_client_destroy(client);
    }
    add(crowd, &crowd->errors, is_the_end(error) ? 0 : 1);
    return NULL;
}

static void *back_up(void *context)
{
    struct crowd *crowd = context;
    kv_client_t *client = call_in(crowd);
    kv_error_t error = client == NULL ? KV_NO_MEMORY : KV_SUCCESS;
    while (error == KV_SUCCESS) {
        error = kv_client_backup(client, NULL);
        add(crowd, &crowd->backups, error == KV_SUCCESS ? 1 : 0);
    }
    kv_client_destroy(client);
    add(crowd, &crowd->errors, is_the_end(error) ? 0 : 1);
    return NULL;
}

/* ---- The test ------------------------------------------------------------ */

static bool has_expired(struct crowd *crowd)
{
    struct stats stats = {0};
    storage_stats(crowd->served.storage, &stats);
    return stats.expired > 0;
}

/* Until all there is to be seen was seen once. */
static void await_all(struct crowd *crowd)
{
    pthread_mutex_lock(&crowd->lock);
    while (crowd->errors == 0 &&
           (crowd->operations < crowd->wanted || crowd->backups < BACKUPS ||
               crowd->scanned == 0 || !has_expired(crowd))) {
        pthread_cond_wait(&crowd->moved, &crowd->lock);
    }
    pthread_mutex_unlock(&crowd->lock);
}

static void all_at_once(kv_sync_t sync)
{
    const struct served_options options = {.sync = sync, .workers = WORKERS};
    struct crowd crowd = {.wanted = OPERATIONS};
    pthread_t threads[CLIENTS + 1];
    const char *wanted = getenv("TEST_OPERATIONS");
    if (wanted != NULL) {
        crowd.wanted = strtoull(wanted, NULL, 10);
    }
    served_start(&crowd.served, &options);
    pthread_mutex_init(&crowd.lock, NULL);
    pthread_cond_init(&crowd.moved, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        REQUIRE(pthread_create(&threads[i], NULL, i < CLIENTS ? visit : back_up,
                    &crowd) == 0);
    }
    await_all(&crowd);
    server_stop(crowd.served.server);
    served_join(&crowd.served);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    CHECK_U64(crowd.errors, 0);
    CHECK(crowd.operations >= crowd.wanted);
    (void)printf("server_threads: %" PRIu64 " operations, %" PRIu64
                 " backups\n",
        crowd.operations, crowd.backups);
    served_end(&crowd.served);
    pthread_cond_destroy(&crowd.moved);
    pthread_mutex_destroy(&crowd.lock);
}

static void all_at_once_with_always(void)
{
    all_at_once(KV_SYNC_ALWAYS);
}

static void all_at_once_with_everysec(void)
{
    all_at_once(KV_SYNC_EVERYSEC);
}

static void all_at_once_with_none(void)
{
    all_at_once(KV_SYNC_NONE);
}

const struct test_case test_server_threads[] = {
    TEST_CASE(all_at_once_with_always),
    TEST_CASE(all_at_once_with_everysec),
    TEST_CASE(all_at_once_with_none),
    TEST_END,
};
