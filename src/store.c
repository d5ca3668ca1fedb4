/* store.c: the store inside a process: the public functions over storage.
 * Each call is a batch of its own; with KV_SYNC_ALWAYS the callers that wait at
 * the same time share a sync. */
#include "kv_store.h"

#include "storage/storage.h"
#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CAPACITY_DEFAULT = 1000000,
    BACKUP_KEEP_DEFAULT = 2,
    SEGMENT_DEFAULT = 64 << 20,
    EXECUTE_MAX = 256 /* messages of one call */
};

struct kv_store {
    struct storage *storage;
    struct diag diag;
};

/* Where a caller waits for the committer. */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool answered;
};

/* ---- Opening ------------------------------------------------------------- */

static kv_error_t error_of(int error)
{
    return error == -ENOMEM   ? KV_NO_MEMORY
           : error == -EINVAL ? KV_ARGUMENT
                              : KV_UNUSABLE;
}

static int open_store(kv_store_t **result, const char *directory,
    const kv_store_options_t *given, char why[STORAGE_WHY_MAX])
{
    static const kv_store_options_t defaults = {0};
    const kv_store_options_t *options = given != NULL ? given : &defaults;
    *result = NULL;
    kv_store_t *store = calloc(1, sizeof *store);
    if (store == NULL) {
        snprintf(why, STORAGE_WHY_MAX, "out of memory");
        return -ENOMEM;
    }
    uint64_t segment =
        options->segment_bytes != 0 ? options->segment_bytes : SEGMENT_DEFAULT;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct storage_options engine = {
        .directory = directory,
        .capacity =
            options->capacity != 0 ? options->capacity : CAPACITY_DEFAULT,
        .sync = options->sync,
        .backup_interval_s = options->backup_interval_s,
        .backup_keep = options->backup_keep != 0 ? options->backup_keep
                                                 : BACKUP_KEEP_DEFAULT,
        .segment_bytes = segment,
        .load_threads = cores > 0 ? (uint32_t)cores : 1,
        .diag = &store->diag,
    };
    int error = storage_open(&store->storage, &engine, why);
    if (error != 0) {
        free(store);
        return error;
    }
    *result = store;
    return 0;
}

kv_store_t *kv_store_create(const char *directory)
{
    char why[STORAGE_WHY_MAX];
    kv_store_t *store;
    int error = open_store(&store, directory, NULL, why);
    if (error != 0) {
        errno = -error;
    }
    return store;
}

kv_error_t kv_store_open(kv_store_t **store, const char *directory,
    const kv_store_options_t *options, char *why, size_t why_size)
{
    char reason[STORAGE_WHY_MAX] = "";
    int error = open_store(store, directory, options, reason);
    if (why != NULL && why_size > 0) {
        snprintf(why, why_size, "%s", reason);
    }
    return error == 0 ? KV_SUCCESS : error_of(error);
}

void kv_store_destroy(kv_store_t *store)
{
    if (store != NULL) {
        /* What went wrong has been said, and the log has everything. */
        (void)storage_close(store->storage, true);
        free(store);
    }
}

/* ---- Executing ----------------------------------------------------------- */

static void answer(struct batch *batch)
{
    struct waiter *waiter = batch->owner;
    pthread_mutex_lock(&waiter->lock);
    waiter->answered = true;
    pthread_cond_signal(&waiter->done);
    pthread_mutex_unlock(&waiter->lock);
}

static void execute(kv_store_t *store, struct batch *batch)
{
    struct waiter waiter = {.answered = false};
    storage_read(store->storage, batch);
    if (batch->commits == 0) {
        return;
    }
    pthread_mutex_init(&waiter.lock, NULL);
    pthread_cond_init(&waiter.done, NULL);
    batch->done = answer;
    /* It is done with the waiter before this function returns. */
    // cppcheck-suppress autoVariables
    batch->owner = &waiter;
    if (!storage_commit(store->storage, batch)) {
        pthread_mutex_lock(&waiter.lock);
        while (!waiter.answered) {
            pthread_cond_wait(&waiter.done, &waiter.lock);
        }
        pthread_mutex_unlock(&waiter.lock);
    }
    pthread_cond_destroy(&waiter.done);
    pthread_mutex_destroy(&waiter.lock);
}

/* Decodes the messages into the batch: what follows a write, or belongs to a
 * chain, goes through commit. */
static void fill(struct batch *batch, kv_message_t *messages, size_t count)
{
    bool committed = false;
    batch->count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        struct op *op = &batch->ops[i];
        wire_decode(&messages[i], op);
        if (op->state == OP_READ && (verb_flags(op->verb) & VERB_LONE) != 0) {
            op->state = OP_REFUSED;
            op_refuse(op, KV_INVALID, "%s is not for kv_store_execute",
                kv_request_name(op->verb));
        }
        committed =
            committed || op->linked || (verb_flags(op->verb) & VERB_WRITE) != 0;
        if (op->state == OP_READ && committed) {
            op->state = OP_COMMIT;
        }
    }
}

static kv_error_t check_chains(const kv_message_t *messages, size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        length++;
        if (length > KV_CHAIN_MAX) {
            return KV_ARGUMENT;
        }
        if ((messages[i].type & KV_LINKED) == 0) {
            length = 0;
        }
    }
    return length == 0 ? KV_SUCCESS : KV_ARGUMENT;
}

kv_error_t kv_store_execute(
    kv_store_t *store, kv_message_t *messages, size_t count)
{
    struct batch batch;
    if (count == 0 || count > EXECUTE_MAX ||
        check_chains(messages, count) != KV_SUCCESS) {
        return KV_ARGUMENT;
    }
    fill(&batch, messages, count);
    execute(store, &batch);
    return KV_SUCCESS;
}

/* Executes one request made of its arguments, which message then answers.  Its
 * status, or KV_ARGUMENT. */
static kv_error_t ask(kv_store_t *store, kv_message_t *message)
{
    kv_error_t error = kv_store_execute(store, message, 1);
    return error != KV_SUCCESS ? error : (kv_error_t)message->status;
}

static kv_error_t ask_key(kv_store_t *store, kv_message_t *message, int type,
    const void *key, size_t key_len)
{
    kv_error_t error = kv_message_fill(message, type, key, key_len, NULL, 0);
    return error != KV_SUCCESS || key_len == 0 ? KV_ARGUMENT
                                               : ask(store, message);
}

static kv_error_t ask_number(kv_store_t *store, kv_message_t *message, int type,
    const void *key, size_t key_len, int64_t number)
{
    uint8_t text[DECIMAL_MAX];
    kv_error_t error = kv_message_fill(
        message, type, key, key_len, text, decimal_format(number, text));
    return error != KV_SUCCESS || key_len == 0 ? KV_ARGUMENT
                                               : ask(store, message);
}

/* The number that a message answers. */
static int64_t number_of(const kv_message_t *message)
{
    int64_t number = 0;
    bool overflow;
    bool valid =
        decimal_parse(message->value, message->value_len, &number, &overflow);
    assert(valid);
    (void)valid;
    return number;
}

/* ---- Requests ------------------------------------------------------------ */

kv_error_t kv_store_put(kv_store_t *store, const void *key, size_t key_len,
    const void *value, size_t value_len)
{
    kv_message_t message;
    kv_error_t error =
        kv_message_fill(&message, KV_PUT, key, key_len, value, value_len);
    return error != KV_SUCCESS || key_len == 0 ? KV_ARGUMENT
                                               : ask(store, &message);
}

kv_error_t kv_store_get(kv_store_t *store, const void *key, size_t key_len,
    void *value, size_t *value_len)
{
    kv_message_t message;
    kv_error_t error = ask_key(store, &message, KV_GET, key, key_len);
    *value_len = 0;
    if (error == KV_SUCCESS) {
        memcpy(value, message.value, message.value_len);
        *value_len = message.value_len;
    }
    return error;
}

kv_error_t kv_store_delete(kv_store_t *store, const void *key, size_t key_len)
{
    kv_message_t message;
    return ask_key(store, &message, KV_DELETE, key, key_len);
}

kv_error_t kv_store_exists(kv_store_t *store, const void *key, size_t key_len)
{
    kv_message_t message;
    return ask_key(store, &message, KV_EXISTS, key, key_len);
}

kv_error_t kv_store_expire(
    kv_store_t *store, const void *key, size_t key_len, int64_t ttl_ms)
{
    kv_message_t message;
    kv_error_t error =
        ask_number(store, &message, KV_EXPIRE, key, key_len, ttl_ms);
    return error == KV_INVALID ? KV_ARGUMENT : error;
}

kv_error_t kv_store_ttl(
    kv_store_t *store, const void *key, size_t key_len, int64_t *ttl_ms)
{
    kv_message_t message;
    kv_error_t error = ask_key(store, &message, KV_TTL, key, key_len);
    *ttl_ms = error == KV_SUCCESS ? number_of(&message) : 0;
    return error;
}

kv_error_t kv_store_persist(kv_store_t *store, const void *key, size_t key_len)
{
    kv_message_t message;
    return ask_key(store, &message, KV_PERSIST, key, key_len);
}

kv_error_t kv_store_add(kv_store_t *store, const void *key, size_t key_len,
    int64_t delta, int64_t *sum)
{
    kv_message_t message;
    kv_error_t error = ask_number(store, &message, KV_ADD, key, key_len, delta);
    if (sum != NULL) {
        *sum = error == KV_SUCCESS ? number_of(&message) : 0;
    }
    return error;
}

uint64_t kv_store_count(kv_store_t *store)
{
    return storage_keys(store->storage);
}

/* ---- Backup and scan ----------------------------------------------------- */

struct backup_waiter {
    struct storage_backup_request request;
    struct waiter waiter;
    int error;
    uint64_t lsn;
};

static void backup_done(
    struct storage_backup_request *request, int error, uint64_t lsn)
{
    struct backup_waiter *backup = request->owner;
    pthread_mutex_lock(&backup->waiter.lock);
    backup->error = error;
    backup->lsn = lsn;
    backup->waiter.answered = true;
    pthread_cond_signal(&backup->waiter.done);
    pthread_mutex_unlock(&backup->waiter.lock);
}

kv_error_t kv_store_backup(kv_store_t *store, uint64_t *lsn)
{
    struct backup_waiter backup = {.request = {.done = backup_done}};
    backup.request.owner = &backup;
    pthread_mutex_init(&backup.waiter.lock, NULL);
    pthread_cond_init(&backup.waiter.done, NULL);
    bool taken = storage_backup(store->storage, &backup.request);
    pthread_mutex_lock(&backup.waiter.lock);
    while (taken && !backup.waiter.answered) {
        pthread_cond_wait(&backup.waiter.done, &backup.waiter.lock);
    }
    pthread_mutex_unlock(&backup.waiter.lock);
    pthread_cond_destroy(&backup.waiter.done);
    pthread_mutex_destroy(&backup.waiter.lock);
    if (lsn != NULL) {
        *lsn = backup.lsn;
    }
    if (!taken) {
        return storage_durable(store->storage) ? KV_BUSY : KV_INVALID;
    }
    return backup.error != 0 ? KV_INTERNAL : KV_SUCCESS;
}

kv_error_t kv_store_scan(kv_store_t *store, const void *prefix,
    size_t prefix_len, uint64_t *cursor, kv_message_t *records, size_t *count)
{
    uint8_t padded[KV_KEY_SIZE] = {0};
    *count = 0;
    if (prefix_len > KV_KEY_SIZE) {
        return KV_ARGUMENT;
    }
    if (prefix_len > 0) {
        memcpy(padded, prefix, prefix_len);
    }
    uint32_t found = storage_scan(store->storage, padded, cursor, records);
    for (uint32_t i = 0; i < found; i++) {
        /* Zeros at the end of the prefix are padding to the storage. */
        if (memcmp(records[i].key, padded, prefix_len) != 0) {
            continue;
        }
        if (*count < i) {
            records[*count] = records[i];
        }
        ++*count;
    }
    return KV_SUCCESS;
}
