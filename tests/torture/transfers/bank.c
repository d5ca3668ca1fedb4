#include "torture/transfers/bank.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backup/backup.h"
#include "torture/transfers/sum.h"

enum {
    BURST = 8, /* transfers that a writer sends at once */
    FILL_BURST = 64,
    TTL_MS_MAX = 300,
    SLICE = 1024, /* records of a backup that are read at once */
    CLIENT_MS = 60000
};

struct bank_visitor {
    struct bank *bank;
    kv_client_t *client;
    struct test_random random;
    uint64_t number;
    pthread_t thread;
};

/* ---- The counters -------------------------------------------------------- */

static void lock(struct bank *bank)
{
    int error = pthread_mutex_lock(&bank->lock);
    assert(error == 0);
    (void)error;
}

static void unlock(struct bank *bank)
{
    int error = pthread_mutex_unlock(&bank->lock);
    assert(error == 0);
    (void)error;
}

static void add(struct bank *bank, uint64_t *counter, uint64_t number)
{
    lock(bank);
    *counter += number;
    pthread_cond_signal(&bank->moved);
    unlock(bank);
}

static bool judge(struct bank *bank, const struct sum *sum, const char *what)
{
    bool right = sum_right(sum, what);
    lock(bank);
    bank->sums++;
    bank->wrong += right ? 0 : 1;
    pthread_cond_signal(&bank->moved);
    unlock(bank);
    return right;
}

/* An answer that has no place here. */
static void complain(struct bank_visitor *visitor, const kv_message_t *reply)
{
    (void)printf("visitor %" PRIu64 ": %s was answered %s\n", visitor->number,
        kv_request_name(reply->type), kv_error_name(reply->status));
    add(visitor->bank, &visitor->bank->errors, 1);
}

static kv_client_t *connect_to(uint16_t port)
{
    kv_client_t *client = kv_client_create("127.0.0.1", port);
    assert(client != NULL);
    kv_client_set_timeout(client, CLIENT_MS);
    return client;
}

/* ---- The visitors -------------------------------------------------------- */

static bool is_over(struct bank *bank)
{
    lock(bank);
    bool over = bank->over;
    unlock(bank);
    return over;
}

/* Two different accounts, and what goes from one to the other. */
static void choose(
    struct bank_visitor *visitor, uint64_t accounts[2], int64_t *sum)
{
    struct test_random *random = &visitor->random;
    accounts[0] = test_random_below(random, BANK_ACCOUNTS);
    accounts[1] =
        (accounts[0] + 1 + test_random_below(random, BANK_ACCOUNTS - 1)) %
        BANK_ACCOUNTS;
    *sum = (int64_t)test_random_below(random, BANK_BALANCE);
}

/* Messages that all succeed.  False if the connection is lost. */
static bool execute(
    struct bank_visitor *visitor, kv_message_t *messages, uint64_t count)
{
    if (kv_client_execute(visitor->client, messages, count) != KV_SUCCESS) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (messages[i].status != KV_SUCCESS) {
            complain(visitor, &messages[i]);
        }
    }
    return true;
}

/* Some transfers by ADD, sent at once.  False if the connection is lost. */
static bool move(struct bank_visitor *visitor)
{
    kv_message_t messages[2 * BURST];
    uint64_t count = 1 + test_random_below(&visitor->random, BURST);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t accounts[2];
        int64_t sum;
        choose(visitor, accounts, &sum);
        messages[2 * i] = sum_request(KV_ADD | KV_LINKED, accounts[0], -sum);
        messages[2 * i + 1] = sum_request(KV_ADD, accounts[1], sum);
    }
    if (!execute(visitor, messages, 2 * count)) {
        return false;
    }
    add(visitor->bank, &visitor->bank->transfers, count);
    return true;
}

/* A transfer by compare and set. */
static bool swap(struct bank_visitor *visitor)
{
    struct bank *bank = visitor->bank;
    uint64_t accounts[2];
    int64_t sum;
    int64_t before[2] = {0, 0};
    choose(visitor, accounts, &sum);
    kv_message_t read[] = {sum_request(KV_GET | KV_LINKED, accounts[0], 0),
        sum_request(KV_GET, accounts[1], 0)};
    if (kv_client_execute(visitor->client, read, 2) != KV_SUCCESS) {
        return false;
    }
    if (!sum_number(&read[0], &before[0]) ||
        !sum_number(&read[1], &before[1])) {
        complain(visitor, &read[0]);
        return false;
    }
    kv_message_t write[] = {
        sum_request(KV_EXPECT | KV_LINKED, accounts[0], before[0]),
        sum_request(KV_EXPECT | KV_LINKED, accounts[1], before[1]),
        sum_request(KV_PUT | KV_LINKED, accounts[0], before[0] - sum),
        sum_request(KV_PUT, accounts[1], before[1] + sum)};
    if (kv_client_execute(visitor->client, write, 4) != KV_SUCCESS) {
        return false;
    }
    bool moved = write[3].status == KV_SUCCESS;
    bool refused =
        (write[0].status == KV_MISMATCH || write[1].status == KV_MISMATCH) &&
        write[2].status == KV_ABORTED && write[3].status == KV_ABORTED;
    if (!moved && !refused) {
        complain(visitor, &write[3]);
    }
    add(bank, moved ? &bank->transfers : &bank->refused, 1);
    return true;
}

static bool write_some(struct bank_visitor *visitor)
{
    return test_random_once_in(&visitor->random, 2) ? move(visitor)
                                                    : swap(visitor);
}

static kv_error_t read_all(kv_client_t *client, struct sum *sum)
{
    kv_message_t messages[BANK_ACCOUNTS];
    for (uint64_t i = 0; i < BANK_ACCOUNTS; i++) {
        messages[i] = sum_request(
            i + 1 < BANK_ACCOUNTS ? KV_GET | KV_LINKED : KV_GET, i, 0);
    }
    kv_error_t error = kv_client_execute(client, messages, BANK_ACCOUNTS);
    *sum = (struct sum){.seen = 0};
    for (uint64_t i = 0; error == KV_SUCCESS && i < BANK_ACCOUNTS; i++) {
        if (messages[i].status == KV_SUCCESS) {
            sum_add(sum, &messages[i]);
        }
    }
    return error;
}

static bool look(struct bank_visitor *visitor)
{
    struct sum sum;
    if (read_all(visitor->client, &sum) != KV_SUCCESS) {
        return false;
    }
    (void)judge(visitor->bank, &sum, "a chain of GETs");
    add(visitor->bank, &visitor->bank->looks, 1);
    return true;
}

/* Other records: the table grows, and what expires is swept out of it. */
static bool fill(struct bank_visitor *visitor)
{
    kv_message_t messages[2 * FILL_BURST];
    for (uint64_t i = 0; i < FILL_BURST; i++) {
        char key[KV_KEY_SIZE];
        char ttl[KV_KEY_SIZE];
        uint8_t value[KV_VALUE_MAX];
        uint64_t number = test_random_below(&visitor->random, BANK_FILL);
        bool stays = number % 2 == 0;
        int key_len = snprintf(key, sizeof key, "other-%" PRIu64, number);
        int ttl_len = snprintf(ttl, sizeof ttl, "%" PRIu64,
            1 + test_random_below(&visitor->random, TTL_MS_MAX));
        test_random_fill(&visitor->random, value, sizeof value);
        kv_error_t error =
            kv_message_fill(&messages[2 * i], KV_PUT | (stays ? 0 : KV_LINKED),
                key, (size_t)key_len, value, sizeof value);
        assert(error == KV_SUCCESS);
        error =
            kv_message_fill(&messages[2 * i + 1], stays ? KV_EXISTS : KV_EXPIRE,
                key, (size_t)key_len, ttl, stays ? 0 : (size_t)ttl_len);
        assert(error == KV_SUCCESS);
        (void)error;
    }
    if (!execute(visitor, messages, 2 * FILL_BURST)) {
        return false;
    }
    add(visitor->bank, &visitor->bank->filled, FILL_BURST);
    return true;
}

/* ---- Backups ------------------------------------------------------------- */

/* Reads all records of a backup.  False, with why, if it is not sound. */
static bool read_backup(const struct backup_reader *reader, struct sum *sum,
    char why[BACKUP_WHY_MAX])
{
    struct frame *frames = calloc(SLICE, sizeof *frames);
    assert(frames != NULL);
    int error = 0;
    uint64_t count = reader->head.count;
    for (uint64_t first = 1; error == 0 && first <= count; first += SLICE) {
        uint32_t length = (uint32_t)u64_min(SLICE, count + 1 - first);
        error = backup_read(reader, first, length, frames, why);
        for (uint32_t i = 0; error == 0 && i < length; i++) {
            sum_add(sum, &frames[i].message);
        }
    }
    free(frames);
    return error == 0;
}

/* False if another has checked it already. */
static bool claim_backup(struct bank *bank, uint64_t lsn)
{
    bool fresh = true;
    lock(bank);
    for (uint32_t i = 0; i < BANK_BACKUPS_MAX; i++) {
        fresh = fresh && bank->backups[i] != lsn;
    }
    if (fresh) {
        bank->backups[bank->backups_claimed++ % BANK_BACKUPS_MAX] = lsn;
    }
    unlock(bank);
    return fresh;
}

static void check_backup(struct bank *bank, uint64_t lsn)
{
    struct backup_reader reader;
    struct sum sum = {.seen = 0};
    char why[BACKUP_WHY_MAX] = "";
    bool sound = backup_open(&reader, bank->directory, lsn, NULL, why) == 0;
    if (sound) {
        sound = read_backup(&reader, &sum, why);
        backup_close(&reader);
    }
    if (!sound) {
        (void)printf("the backup of LSN %" PRIu64 ": %s\n", lsn, why);
        add(bank, &bank->errors, 1);
        return;
    }
    bool right = judge(bank, &sum, "a backup");
    lock(bank);
    bank->backups_right += right ? 1 : 0;
    bank->backup_records = u64_max(bank->backup_records, reader.head.count);
    pthread_cond_signal(&bank->moved);
    unlock(bank);
}

static bool back_up(struct bank_visitor *visitor)
{
    uint64_t lsn;
    if (kv_client_backup(visitor->client, &lsn) != KV_SUCCESS) {
        return false;
    }
    if (claim_backup(visitor->bank, lsn)) {
        check_backup(visitor->bank, lsn);
    }
    return true;
}

/* ---- All together -------------------------------------------------------- */

/* What each visitor does, again and again, until its connection is lost. */
static bool (*const works[BANK_VISITORS])(struct bank_visitor *visitor) = {fill,
    back_up, back_up, look, look, write_some, write_some, write_some,
    write_some};

static void *visit(void *context)
{
    struct bank_visitor *visitor = context;
    struct bank *bank = visitor->bank;
    bool going = true;
    while (going && !is_over(bank)) {
        going = works[visitor->number](visitor);
    }
    kv_client_destroy(visitor->client);
    lock(bank);
    bank->running--;
    pthread_cond_signal(&bank->moved);
    unlock(bank);
    return NULL;
}

void bank_run(struct bank *bank, uint16_t port, int directory)
{
    struct test_random random;
    test_random_init_seed(&random, bank->seed);
    bank->port = port;
    bank->directory = directory;
    bank->over = false;
    bank->running = BANK_VISITORS;
    bank->backups_claimed = 0;
    memset(bank->backups, 0, sizeof bank->backups);
    for (uint64_t i = 0; i < BANK_VISITORS; i++) {
        struct bank_visitor *visitor = &bank->visitors[i];
        visitor->bank = bank;
        visitor->number = i;
        visitor->client = connect_to(port);
        test_random_init_seed(&visitor->random, test_random_next(&random));
        int error = pthread_create(&visitor->thread, NULL, visit, visitor);
        assert(error == 0);
        (void)error;
    }
    bank->seed = test_random_next(&random);
}

bool bank_await(struct bank *bank, uint32_t backups)
{
    lock(bank);
    uint64_t wanted = bank->backups_right + backups;
    while (bank->backups_right < wanted && bank->wrong == 0 &&
           bank->errors == 0 && bank->running == BANK_VISITORS) {
        pthread_cond_wait(&bank->moved, &bank->lock);
    }
    bool good =
        bank->backups_right >= wanted && bank->wrong == 0 && bank->errors == 0;
    unlock(bank);
    return good;
}

void bank_join(struct bank *bank)
{
    lock(bank);
    bank->over = true;
    unlock(bank);
    for (uint64_t i = 0; i < BANK_VISITORS; i++) {
        int error = pthread_join(bank->visitors[i].thread, NULL);
        assert(error == 0);
        (void)error;
    }
}

/* ---- Alone with the server ----------------------------------------------- */

bool bank_open(uint16_t port)
{
    kv_message_t messages[BANK_ACCOUNTS];
    kv_client_t *client = connect_to(port);
    for (uint64_t i = 0; i < BANK_ACCOUNTS; i++) {
        messages[i] =
            sum_request(i + 1 < BANK_ACCOUNTS ? KV_PUT | KV_LINKED : KV_PUT, i,
                BANK_BALANCE);
    }
    bool open =
        kv_client_execute(client, messages, BANK_ACCOUNTS) == KV_SUCCESS &&
        messages[0].status == KV_SUCCESS;
    if (!open) {
        (void)printf("no accounts: %s\n", kv_client_error(client));
    }
    kv_client_destroy(client);
    return open;
}

bool bank_audit(uint16_t port)
{
    struct sum sum;
    kv_client_t *client = connect_to(port);
    kv_error_t error = read_all(client, &sum);
    if (error != KV_SUCCESS) {
        (void)printf("no sum: %s\n", kv_client_error(client));
    }
    kv_client_destroy(client);
    return error == KV_SUCCESS && sum_right(&sum, "after a restart");
}

struct figure {
    const char *name;
    int64_t number;
};

static bool note_figure(void *context, const kv_message_t *row)
{
    struct figure *figure = context;
    if (strncmp((const char *)row->key, figure->name, KV_KEY_SIZE) == 0) {
        (void)sum_number(row, &figure->number);
    }
    return true;
}

uint64_t bank_figure(uint16_t port, const char *name)
{
    struct figure figure = {.name = name};
    kv_message_t request = {.type = KV_STATS};
    kv_client_t *client = connect_to(port);
    kv_error_t error =
        kv_client_stream(client, &request, note_figure, &figure, NULL);
    kv_client_destroy(client);
    return error == KV_SUCCESS ? (uint64_t)figure.number : 0;
}

void bank_init(struct bank *bank, uint64_t seed)
{
    *bank = (struct bank){.seed = seed};
    bank->visitors = calloc(BANK_VISITORS, sizeof *bank->visitors);
    assert(bank->visitors != NULL);
    pthread_mutex_init(&bank->lock, NULL);
    pthread_cond_init(&bank->moved, NULL);
}

void bank_free(struct bank *bank)
{
    pthread_cond_destroy(&bank->moved);
    pthread_mutex_destroy(&bank->lock);
    free(bank->visitors);
}
