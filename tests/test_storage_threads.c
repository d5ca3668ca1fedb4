/* test_storage_threads.c: writers whose chains keep an invariant, readers that
 * look for it, and backups meanwhile: nobody ever sees half a chain, not in a
 * reply, not in a backup, not after a restart. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "backup/backup.h"
#include "clock.h"
#include "stored.h"

enum {
    ACCOUNTS = 24,
    BALANCE = 1000,
    WRITERS = 3,
    BACKUPS = 4,
    GROUPS_LEAST = 60 /* transfers of each writer, at the least */
};

struct bank {
    struct stored stored;
    pthread_mutex_t lock; /* guards what follows */
    bool over;
    uint64_t wrong;
    uint64_t transfers;
    uint64_t looks;
    uint64_t next_seed;
};

static bool is_over(struct bank *bank)
{
    pthread_mutex_lock(&bank->lock);
    bool over = bank->over;
    pthread_mutex_unlock(&bank->lock);
    return over;
}

static void report(struct bank *bank, uint64_t *counter, uint64_t number)
{
    pthread_mutex_lock(&bank->lock);
    *counter += number;
    pthread_mutex_unlock(&bank->lock);
}

static struct test_random own_random(struct bank *bank)
{
    struct test_random random;
    test_random_init(&random);
    pthread_mutex_lock(&bank->lock);
    random.state += ++bank->next_seed << 32;
    pthread_mutex_unlock(&bank->lock);
    return random;
}

static void set_number(kv_message_t *message, int64_t number)
{
    memset(message->value, 0, KV_VALUE_MAX);
    message->value_len = (uint16_t)decimal_format(number, message->value);
}

static int64_t number_of(const kv_message_t *message)
{
    int64_t number = INT64_MIN;
    bool overflow;
    (void)decimal_parse(message->value, message->value_len, &number, &overflow);
    return number;
}

/* ---- Writers ------------------------------------------------------------ */

/* Two ADDs; it always succeeds. */
static bool move(struct bank *bank, uint64_t from, uint64_t to, int64_t sum)
{
    kv_message_t messages[2] = {
        sample_request(KV_ADD | KV_LINKED, from, 0),
        sample_request(KV_ADD, to, 0),
    };
    set_number(&messages[0], -sum);
    set_number(&messages[1], sum);
    stored_execute(&bank->stored, messages, 2);
    return messages[0].status == KV_SUCCESS && messages[1].status == KV_SUCCESS;
}

/* Reads both, and writes both if nobody else has meanwhile; *moved tells. */
static bool swap(
    struct bank *bank, uint64_t from, uint64_t to, int64_t sum, bool *moved)
{
    kv_message_t now[2] = {
        sample_request(KV_GET | KV_LINKED, from, 0),
        sample_request(KV_GET, to, 0),
    };
    stored_execute(&bank->stored, now, 2);
    kv_message_t messages[4] = {now[0], now[1],
        sample_request(KV_DELETE | KV_LINKED, from, 0),
        sample_request(KV_PUT, to, 0)};
    messages[0].type = KV_EXPECT | KV_LINKED;
    messages[1].type = KV_EXPECT | KV_LINKED;
    messages[2].type = KV_PUT | KV_LINKED;
    set_number(&messages[2], number_of(&now[0]) - sum);
    set_number(&messages[3], number_of(&now[1]) + sum);
    stored_execute(&bank->stored, messages, 4);
    *moved = messages[3].status == KV_SUCCESS;
    if (*moved) {
        return messages[0].status == KV_SUCCESS &&
               messages[1].status == KV_SUCCESS &&
               messages[2].status == KV_SUCCESS;
    }
    return (messages[0].status == KV_MISMATCH ||
               messages[1].status == KV_MISMATCH) &&
           messages[2].status == KV_ABORTED && messages[3].status == KV_ABORTED;
}

static void *transfer_on(void *context)
{
    struct bank *bank = context;
    struct test_random random = own_random(bank);
    uint64_t wrong = 0;
    uint64_t transfers = 0;
    while (!is_over(bank) || transfers < GROUPS_LEAST) {
        uint64_t from = test_random_below(&random, ACCOUNTS);
        uint64_t to = test_random_below(&random, ACCOUNTS - 1);
        int64_t sum = (int64_t)test_random_below(&random, 100);
        bool moved = true;
        to += to >= from ? 1 : 0;
        if (test_random_once_in(&random, 2)) {
            wrong += move(bank, from, to, sum) ? 0 : 1;
        } else {
            wrong += swap(bank, from, to, sum, &moved) ? 0 : 1;
        }
        transfers += moved ? 1 : 0;
    }
    report(bank, &bank->wrong, wrong);
    report(bank, &bank->transfers, transfers);
    return NULL;
}

/* ---- Lookers ------------------------------------------------------------ */

/* The sum by one chain of GETs. */
static int64_t sum_of(struct bank *bank)
{
    kv_message_t messages[ACCOUNTS];
    int64_t sum = 0;
    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        messages[i] = sample_request(
            i + 1 < ACCOUNTS ? KV_GET | KV_LINKED : KV_GET, i, 0);
    }
    stored_execute(&bank->stored, messages, ACCOUNTS);
    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        sum += number_of(&messages[i]);
    }
    return sum;
}

static void *look_on(void *context)
{
    struct bank *bank = context;
    uint64_t wrong = 0;
    uint64_t looks = 0;
    while (!is_over(bank)) {
        wrong += sum_of(bank) != ACCOUNTS * BALANCE;
        looks++;
    }
    report(bank, &bank->wrong, wrong);
    report(bank, &bank->looks, looks);
    return NULL;
}

static void check_backup(const struct bank *bank, uint64_t lsn)
{
    struct backup_reader reader;
    struct frame frames[ACCOUNTS];
    char why[BACKUP_WHY_MAX];
    int64_t sum = 0;
    REQUIRE(
        backup_open(&reader, bank->stored.disk.directory, lsn, NULL, why) == 0);
    CHECK_U64(reader.head.count, ACCOUNTS);
    CHECK_OK(backup_read(&reader, 1, ACCOUNTS, frames, why));
    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        sum += number_of(&frames[i].message);
    }
    CHECK_INT(sum, ACCOUNTS * BALANCE);
    backup_close(&reader);
}

static void open_bank(struct bank *bank, kv_sync_t sync)
{
    *bank = (struct bank){.over = false};
    stored_make(&bank->stored, sync);
    bank->stored.options.backup_keep = BACKUPS;
    REQUIRE(stored_open(&bank->stored) == 0);
    pthread_mutex_init(&bank->lock, NULL);
    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        CHECK_INT(
            stored_ask_number(&bank->stored, KV_ADD, i, BALANCE), KV_SUCCESS);
    }
}

static void keep_the_sum(kv_sync_t sync)
{
    struct bank bank;
    pthread_t threads[WRITERS + 1];
    uint64_t lsns[BACKUPS];
    open_bank(&bank, sync);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        REQUIRE(pthread_create(&threads[i], NULL,
                    i < WRITERS ? transfer_on : look_on, &bank) == 0);
    }
    for (size_t i = 0; i < BACKUPS; i++) {
        CHECK_OK(stored_backup(&bank.stored, &lsns[i]));
    }
    pthread_mutex_lock(&bank.lock);
    bank.over = true;
    pthread_mutex_unlock(&bank.lock);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_U64(bank.wrong, 0);
    CHECK(bank.transfers >= WRITERS * GROUPS_LEAST);
    for (size_t i = 0; i < BACKUPS; i++) {
        check_backup(&bank, lsns[i]);
    }
    struct stored image;
    stored_crash(&bank.stored, &image);
    CHECK_OK(stored_close(&bank.stored, false));
    stored_remove(&bank.stored);
    bank.stored = image;
    REQUIRE(stored_open(&bank.stored) == 0);
    CHECK_INT(sum_of(&bank), ACCOUNTS * BALANCE);
    stored_remove(&bank.stored);
    pthread_mutex_destroy(&bank.lock);
}

static void with_always_the_sum_is_kept(void)
{
    keep_the_sum(KV_SYNC_ALWAYS);
}

static void with_everysec_the_sum_is_kept(void)
{
    keep_the_sum(KV_SYNC_EVERYSEC);
}

static void with_none_the_sum_is_kept(void)
{
    keep_the_sum(KV_SYNC_NONE);
}

/* ---- Order, as readers see it ------------------------------------------- */

enum { LOOKS = 60000, FIRST_LIMIT_MS = 120000 };

/* True for LOOKS looks, and on until there was something to be seen: the writer
 * may get no time before, where threads take turns. */
static bool looks_on(uint64_t look, bool something, int64_t limit_ms)
{
    if (look < LOOKS || something) {
        return look < LOOKS;
    }
    (void)sched_yield();
    return clock_steady_ms() < limit_ms;
}

/* Chains that put the same version everywhere. */
static void *put_everywhere(void *context)
{
    struct bank *bank = context;
    kv_message_t messages[KV_CHAIN_MAX];
    uint64_t wrong = 0;
    for (uint64_t version = 1; !is_over(bank); version++) {
        for (uint64_t i = 0; i < KV_CHAIN_MAX; i++) {
            messages[i] = sample_request(
                i + 1 < KV_CHAIN_MAX ? KV_PUT | KV_LINKED : KV_PUT, i, version);
        }
        stored_execute(&bank->stored, messages, KV_CHAIN_MAX);
        wrong += messages[KV_CHAIN_MAX - 1].status != KV_SUCCESS;
    }
    report(bank, &bank->wrong, wrong);
    return NULL;
}

/* Requests of one batch, none linked: 0 gets a version, then all the others do,
 * then 0 gets the next one. */
static void *put_in_order(void *context)
{
    struct bank *bank = context;
    kv_message_t messages[KV_CHAIN_MAX + 1];
    uint64_t wrong = 0;
    for (uint64_t version = 1; !is_over(bank); version += 2) {
        for (uint64_t i = 0; i < KV_CHAIN_MAX; i++) {
            messages[i] = sample_request(KV_PUT, i, version);
        }
        messages[KV_CHAIN_MAX] = sample_request(KV_PUT, 0, version + 1);
        stored_execute(&bank->stored, messages, ARRAY_SIZE(messages));
        wrong += messages[KV_CHAIN_MAX].status != KV_SUCCESS;
    }
    report(bank, &bank->wrong, wrong);
    return NULL;
}

static uint64_t version_of(struct bank *bank, uint64_t number)
{
    uint64_t version;
    kv_error_t status = stored_get(&bank->stored, number, &version);
    bank->wrong += status == KV_SUCCESS ? 0 : 1;
    return version;
}

/* Whoever has seen one record of a chain finds the others no older, though he
 * asks for each by itself. */
static uint64_t look_at_chains(struct bank *bank, struct test_random *random)
{
    uint64_t backward = 0;
    uint64_t seen = 0;
    int64_t limit_ms = clock_steady_ms() + FIRST_LIMIT_MS;
    for (uint64_t look = 0; looks_on(look, seen > 0, limit_ms); look++) {
        uint64_t number = test_random_below(random, KV_CHAIN_MAX);
        uint64_t version = version_of(bank, number);
        backward += version < seen ? 1 : 0;
        seen = u64_max(seen, version);
    }
    CHECK(seen > 0);
    return backward;
}

/* Whoever has seen the last write of a client finds those before it. */
static uint64_t look_at_order(struct bank *bank, struct test_random *random)
{
    uint64_t backward = 0;
    uint64_t even = 0;
    int64_t limit_ms = clock_steady_ms() + FIRST_LIMIT_MS;
    for (uint64_t look = 0; looks_on(look, even > 0, limit_ms); look++) {
        uint64_t last = version_of(bank, 0);
        uint64_t number = 1 + test_random_below(random, KV_CHAIN_MAX - 1);
        uint64_t before = version_of(bank, number);
        even += last % 2 == 0 ? 1 : 0;
        backward += last % 2 == 0 && before + 1 < last ? 1 : 0;
    }
    CHECK(even > 0);
    return backward;
}

static void look_meanwhile(void *(*write)(void *),
    uint64_t (*look)(struct bank *bank, struct test_random *random))
{
    struct bank bank = {.over = false};
    pthread_t thread;
    stored_make(&bank.stored, KV_SYNC_NONE);
    REQUIRE(stored_open(&bank.stored) == 0);
    pthread_mutex_init(&bank.lock, NULL);
    struct test_random random = own_random(&bank);
    for (uint64_t i = 0; i < KV_CHAIN_MAX; i++) {
        CHECK_INT(stored_ask(&bank.stored, KV_PUT, i, 0), KV_SUCCESS);
    }
    REQUIRE(pthread_create(&thread, NULL, write, &bank) == 0);
    CHECK_U64(look(&bank, &random), 0);
    pthread_mutex_lock(&bank.lock);
    bank.over = true;
    pthread_mutex_unlock(&bank.lock);
    pthread_join(thread, NULL);
    CHECK_U64(bank.wrong, 0);
    stored_remove(&bank.stored);
    pthread_mutex_destroy(&bank.lock);
}

static void a_chain_takes_effect_at_once(void)
{
    look_meanwhile(put_everywhere, look_at_chains);
}

static void a_batch_takes_effect_in_order(void)
{
    look_meanwhile(put_in_order, look_at_order);
}

const struct test_case test_storage_threads[] = {
    TEST_CASE(with_always_the_sum_is_kept),
    TEST_CASE(with_everysec_the_sum_is_kept),
    TEST_CASE(with_none_the_sum_is_kept),
    TEST_CASE(a_chain_takes_effect_at_once),
    TEST_CASE(a_batch_takes_effect_in_order),
    TEST_END,
};
