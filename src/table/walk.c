/* walk.c: what goes through all buckets: scan, sweep, snapshot.  Each holds
 * one bucket's mutex at a time. */
#include "table/bucket.h"
#include "table/table.h"

#include <assert.h>

struct scan {
    const uint8_t *prefix;
    size_t prefix_len;
    int64_t now_ms;
    uint64_t position;
    kv_message_t *messages;
    uint32_t count;
};

static bool wanted(
    const struct scan *scan, const struct record *record, uint64_t last)
{
    uint64_t position = u64_reverse(record->hash);
    return position >= scan->position && position <= last &&
           !kind_inner(record->kind) && !record_expired(record, scan->now_ms) &&
           memcmp(record->key, scan->prefix, scan->prefix_len) == 0;
}

static void copy(kv_message_t *message, const struct record *record)
{
    message->type = KV_SCAN;
    message->status = KV_SUCCESS;
    memcpy(message->key, record->key, KV_KEY_SIZE);
    if (record->kind == KIND_STRING) {
        message->value_len = record->value_len;
        memcpy(message->value, record->value, KV_VALUE_MAX);
    } else {
        message->value_len = 0;
        memset(message->value, 0, KV_VALUE_MAX);
    }
}

/* Copies what is wanted of one bucket up to position last; false, and nothing
 * counted, if there is no room for all of it. */
static bool scan_bucket_locked(struct table *table, const struct bucket *head,
    struct scan *scan, uint64_t last)
{
    uint32_t count = scan->count;
    for (const struct bucket *bucket = head; bucket != NULL;
         bucket = bucket_next(table, bucket)) {
        for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
            uint32_t slot = bucket_slot(bucket, i);
            if (slot == 0 || !wanted(scan, &table->slots[slot], last)) {
                continue;
            }
            if (count == KV_SCAN_MAX) {
                return false;
            }
            copy(&scan->messages[count++], &table->slots[slot]);
        }
    }
    scan->count = count;
    return true;
}

/* In the order of hashes read backwards a bucket of n bits is one interval: of
 * the positions that begin with its number, backwards.  A split cuts it in two
 * neighbours, so a position keeps what is before and what is behind it. */
uint32_t table_scan(struct table *table, const uint8_t prefix[KV_KEY_SIZE],
    int64_t now_ms, uint64_t *position, kv_message_t messages[KV_SCAN_MAX])
{
    struct scan scan = {
        .prefix = prefix,
        .prefix_len = bytes_unpadded(prefix, KV_KEY_SIZE),
        .now_ms = now_ms,
        .position = *position,
        .messages = messages,
    };
    for (uint32_t i = 0; i < TABLE_SCAN_BUCKETS; i++) {
        struct bucket *bucket =
            bucket_acquire_settled(table, u64_reverse(scan.position));
        uint64_t last = scan.position | (UINT64_MAX >> bucket->bits);
        bool all = scan_bucket_locked(table, bucket, &scan, last);
        /* Who has seen many cursors can fill one bucket with more than a call
         * hands out; then it is handed out in parts of the interval.  Only
         * records of one and the same hash, all 64 bits, would not fit. */
        while (!all && scan.count == 0 && last > scan.position) {
            last = scan.position + (last - scan.position) / 2;
            all = scan_bucket_locked(table, bucket, &scan, last);
        }
        bucket_unlock(bucket);
        if (!all) {
            break;
        }
        scan.position = last + 1;
        if (scan.position == 0) {
            break;
        }
    }
    *position = scan.position;
    return scan.count;
}

void table_visit(struct table *table, uint64_t *position,
    void (*see)(void *context, const struct record *record), void *context)
{
    struct bucket *bucket =
        bucket_acquire_settled(table, u64_reverse(*position));
    *position = (*position | (UINT64_MAX >> bucket->bits)) + 1;
    bucket_each(table, bucket, see, context);
    bucket_unlock(bucket);
}

/* Reports what has expired in one bucket, and notes anew when to look next. */
static uint32_t sweep_bucket_locked(struct table *table, struct bucket *head,
    int64_t now_ms, struct table_found *found, uint32_t max)
{
    uint32_t count = 0;
    uint32_t soonest_s = 0;
    for (const struct bucket *bucket = head; bucket != NULL;
         bucket = bucket_next(table, bucket)) {
        for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
            uint32_t slot = bucket_slot(bucket, i);
            const struct record *record = &table->slots[slot];
            if (slot == 0 || record->expire_ms <= 0) {
                continue;
            }
            uint64_t second = u64_max(
                u64_min((uint64_t)record->expire_ms / 1000, UINT32_MAX), 1);
            if (soonest_s == 0 || second < soonest_s) {
                soonest_s = (uint32_t)second;
            }
            if (record_expired(record, now_ms) && count < max) {
                found[count].hash = record->hash;
                memcpy(found[count].key, record->key, KV_KEY_SIZE);
                count++;
            }
        }
    }
    head->soonest_s = soonest_s;
    return count;
}

uint32_t table_sweep(struct table *table, uint64_t *position, uint32_t buckets,
    int64_t now_ms, struct table_found *found, uint32_t max)
{
    uint32_t count = 0;
    uint64_t all = table_buckets(table);
    uint64_t index = *position;
    for (uint32_t i = 0; i < buckets && count < max; i++, index++) {
        if (index >= all) {
            index = 0;
            break;
        }
        struct bucket *bucket = &table->buckets[index];
        bucket_lock(bucket);
        if (bucket->soonest_s != 0 &&
            bucket->soonest_s <= (uint64_t)now_ms / 1000) {
            count += sweep_bucket_locked(
                table, bucket, now_ms, found + count, max - count);
        }
        bucket_unlock(bucket);
    }
    *position = index;
    return count;
}

void table_snapshot_start(struct table *table,
    void (*save)(void *context, const struct record *record), void *context)
{
    table->generation++;
    table->save = save;
    table->save_context = context;
}

/* Asks for the records of the bucket that is saved next: nobody has looked at
 * them for long. */
static void prefetch_next(const struct table *table, uint64_t index)
{
    if (index + 1 >= table_buckets(table)) {
        return;
    }
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        uint32_t slot = bucket_slot(&table->buckets[index + 1], i);
        if (slot != 0) {
            slot_prefetch(table, slot);
        }
    }
}

enum table_saved table_snapshot_bucket(struct table *table, uint64_t index,
    uint32_t most, void (*save)(void *context, const struct record *record))
{
    if (index >= table_buckets(table)) {
        return TABLE_ALL_SAVED;
    }
    prefetch_next(table, index);
    enum table_saved saved = TABLE_SAVED;
    struct bucket *bucket = &table->buckets[index];
    bucket_lock(bucket);
    if (bucket->saved != table->generation) {
        if (bucket_records(table, bucket, most) > most) {
            saved = TABLE_CROWDED;
        } else {
            bucket->saved = table->generation;
            bucket_save_each(table, bucket, save);
        }
    }
    bucket_unlock(bucket);
    return saved;
}

static void give_back(void *context, const struct record *record)
{
    struct table *table = context;
    table_give(table, &table->slots[record - table->slots]);
}

void table_flush(struct table *table)
{
    uint64_t count = table_buckets(table);
    for (uint64_t i = 0; i < count; i++) {
        struct bucket *bucket = &table->buckets[i];
        bucket_lock(bucket);
        if (bucket_slot(bucket, 0) != 0) {
            bucket_save_locked(table, bucket);
            bucket_each(table, bucket, give_back, table);
            bucket_empty(table, bucket);
        }
        bucket_unlock(bucket);
    }
    table->records = 0;
    table->inner = 0;
}
