#include "table/table.h"
#include "table/bucket.h"

#include "file.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { BUCKETS_AT_START = 16 };

/* ---- Life -------------------------------------------------------------- */

static uint64_t buckets_for(uint64_t records)
{
    return u64_max((records + TABLE_LOAD - 1) / TABLE_LOAD, BUCKETS_AT_START);
}

/* Every overflow bucket but the last of its chain is full, and what hangs on a
 * bucket begins with the thirteenth record: so there is at most one for each
 * twelve records; and as many again while the chain that all of them could be
 * in is split, and for a moment there twice. */
static uint64_t overflow_for(uint64_t records)
{
    return 2 * (records / BUCKET_SLOTS) + 2;
}

void table_measure(uint64_t capacity, uint32_t spare, struct table_size *size)
{
    size->slot_bytes = (capacity + spare + 1) * sizeof(struct record);
    size->bucket_bytes = buckets_for(capacity) * sizeof(struct bucket);
    size->overflow_bytes =
        overflow_for(capacity + spare) * sizeof(struct bucket);
}

static void bucket_init(struct bucket *bucket, uint32_t bits)
{
    int error = pthread_mutex_init(&bucket->lock, NULL);
    assert(error == 0);
    (void)error;
    bucket->bits = bits;
}

/* Makes the empty table one of count buckets. */
static void start_buckets(struct table *table, uint64_t count)
{
    uint32_t level = 63 - (uint32_t)__builtin_clzll(count);
    uint64_t half = (uint64_t)1 << level;
    for (uint64_t i = 0; i < count; i++) {
        bool split = i < count - half || i >= half;
        bucket_init(&table->buckets[i], level + (split ? 1 : 0));
    }
    bucket_count_set(table, count);
}

int table_create(struct table **result, uint64_t capacity, uint32_t spare,
    const uint8_t secret[SIPHASH_SECRET_SIZE])
{
    assert(capacity >= 1 && capacity + spare < UINT32_MAX);
    struct table *table = calloc(1, sizeof *table);
    *result = NULL;
    if (table == NULL) {
        return -ENOMEM;
    }
    struct table_size size;
    table_measure(capacity, spare, &size);
    table->capacity = capacity;
    table->slots_max = capacity + spare;
    table->buckets_max = buckets_for(capacity);
    table->overflow_max = overflow_for(capacity + spare);
    memcpy(table->secret, secret, sizeof table->secret);
    pthread_mutex_init(&table->overflow_lock, NULL);
    pthread_mutex_init(&table->change_lock, NULL);
    table->slots = file_reserve_memory(size.slot_bytes, true);
    table->buckets = file_reserve_memory(size.bucket_bytes, true);
    table->overflow = file_reserve_memory(size.overflow_bytes, false);
    if (table->slots == NULL || table->buckets == NULL ||
        table->overflow == NULL) {
        table_destroy(table);
        return -ENOMEM;
    }
    start_buckets(table, BUCKETS_AT_START);
    *result = table;
    return 0;
}

static struct table_size size_of(const struct table *table)
{
    struct table_size size;
    table_measure(
        table->capacity, (uint32_t)(table->slots_max - table->capacity), &size);
    return size;
}

uint64_t table_touch(struct table *table)
{
    struct table_size size = size_of(table);
    file_touch_memory(table->slots, size.slot_bytes);
    file_touch_memory(table->buckets, size.bucket_bytes);
    file_touch_memory(table->overflow, size.overflow_bytes);
    return size.slot_bytes + size.bucket_bytes + size.overflow_bytes;
}

void table_destroy(struct table *table)
{
    if (table == NULL) {
        return;
    }
    struct table_size size = size_of(table);
    uint64_t count = bucket_count(table);
    for (uint64_t i = 0; i < count; i++) {
        pthread_mutex_destroy(&table->buckets[i].lock);
    }
    file_release_memory(table->overflow, size.overflow_bytes);
    file_release_memory(table->buckets, size.bucket_bytes);
    file_release_memory(table->slots, size.slot_bytes);
    pthread_mutex_destroy(&table->change_lock);
    pthread_mutex_destroy(&table->overflow_lock);
    free(table);
}

void table_clear(struct table *table)
{
    uint64_t count = table_buckets(table);
    for (uint64_t i = 0; i < count; i++) {
        struct bucket *bucket = &table->buckets[i];
        pthread_mutex_destroy(&bucket->lock);
        memset(bucket, 0, sizeof *bucket);
    }
    for (uint64_t i = 0; i <= table->overflow_used; i++) {
        memset(&table->overflow[i], 0, sizeof table->overflow[i]);
    }
    table->records = 0;
    table->inner = 0;
    table->slots_used = 0;
    table->slots_free = 0;
    table->generation = 0;
    table->overflow_used = 0;
    table->overflow_free = 0;
    table->overflow_live = 0;
    start_buckets(table, BUCKETS_AT_START);
}

/* ---- Growth ------------------------------------------------------------- */

/* Puts the records of bucket from whose next bit is set into bucket to. */
static void copy_half(
    struct table *table, const struct bucket *from, struct bucket *to)
{
    for (const struct bucket *bucket = from; bucket != NULL;
         bucket = bucket_next(table, bucket)) {
        for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
            __builtin_prefetch(&table->slots[bucket_slot(bucket, i)]);
        }
        for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
            uint32_t slot = bucket_slot(bucket, i);
            if (table->slots[slot].hash >> from->bits & 1 && slot != 0) {
                bucket_append(table, to, bucket_tag(bucket, i), slot);
            }
        }
    }
}

/* Takes those records out of it. */
static void drop_half(struct table *table, struct bucket *from)
{
    struct place place = {from, 0};
    while (place.bucket != NULL) {
        uint32_t slot = bucket_slot(place.bucket, place.entry);
        if (slot != 0 && table->slots[slot].hash >> from->bits & 1) {
            bool here = bucket_last(table, from) == place.bucket;
            bool emptied = here && place.bucket != from && place.entry == 0 &&
                           bucket_entries(place.bucket) == 1;
            bucket_take_out(table, from, place);
            if (emptied) {
                return;
            }
            continue;
        }
        if (slot == 0 || ++place.entry == BUCKET_SLOTS) {
            place.bucket = bucket_next(table, place.bucket);
            place.entry = 0;
        }
    }
}

/* Splits the next bucket in turn.  The new one is filled before anybody can
 * reach it, the old one emptied of what moved under its mutex: at any moment a
 * reader finds each record in the bucket that he is led to. */
static void grow(struct table *table)
{
    uint64_t count = table_buckets(table);
    uint64_t half = (uint64_t)1 << (63 - __builtin_clzll(count));
    struct bucket *from = &table->buckets[count - half];
    struct bucket *to = &table->buckets[count];

    bucket_lock(from);
    bucket_save_locked(table, from);
    uint32_t soonest_s = from->soonest_s; /* a sweep may only raise it */
    bucket_unlock(from);

    bucket_init(to, from->bits + 1);
    bucket_lock(to);
    to->saved = table->generation;
    to->soonest_s = soonest_s;
    copy_half(table, from, to);
    bucket_unlock(to);

    bucket_lock(from);
    drop_half(table, from);
    from->bits++;
    bucket_unlock(from);
    bucket_count_set(table, count + 1);
}

static void grow_to_fit(struct table *table)
{
    while (table->records > table_buckets(table) * TABLE_LOAD &&
           table_buckets(table) < table->buckets_max) {
        grow(table);
    }
}

/* ---- Reading ------------------------------------------------------------ */

uint64_t table_hash(const struct table *table, const uint8_t key[KV_KEY_SIZE])
{
    return siphash13(table->secret, key) & ~TABLE_INNER;
}

void table_hash_four(const struct table *table,
    const uint8_t *const keys[SIPHASH_LANES], uint64_t hashes[SIPHASH_LANES])
{
    siphash13_four(table->secret, keys, hashes);
    for (size_t i = 0; i < SIPHASH_LANES; i++) {
        hashes[i] &= ~TABLE_INNER;
    }
}

uint64_t table_hash_inner(
    const struct table *table, const uint8_t key[KV_KEY_SIZE])
{
    return siphash13(table->secret, key) | TABLE_INNER;
}

/* Both into the second cache: what is on the way to the first has some two
 * dozen places, which five records fill. */
void table_prefetch_bucket(const struct table *table, uint64_t hash)
{
    const struct bucket *bucket =
        &table->buckets[bucket_index(hash, bucket_count(table))];
    __builtin_prefetch(bucket, 0, 2);
    __builtin_prefetch((const char *)bucket + CACHE_LINE, 0, 2);
}

void table_prefetch_record(const struct table *table, uint64_t hash)
{
    const struct bucket *bucket =
        &table->buckets[bucket_index(hash, bucket_count(table))];
    uint32_t marks = bucket_marks(bucket, hash_tag(hash));
    if (marks != 0) {
        slot_prefetch(
            table, bucket_slot(bucket, (unsigned)__builtin_ctz(marks)));
    }
}

const struct record *table_acquire(struct table *table, uint64_t hash,
    const uint8_t key[KV_KEY_SIZE], struct bucket **held)
{
    *held = bucket_acquire_settled(table, hash);
    struct place place = bucket_find(table, *held, hash, key);
    return place.bucket != NULL
               ? &table->slots[bucket_slot(place.bucket, place.entry)]
               : NULL;
}

void table_release(struct bucket *held)
{
    bucket_unlock(held);
}

/* ---- Changing ----------------------------------------------------------- */

uint64_t table_records(const struct table *table)
{
    return table->records;
}

uint64_t table_inner(const struct table *table)
{
    return table->inner;
}

uint64_t table_capacity(const struct table *table)
{
    return table->capacity;
}

uint64_t table_buckets(const struct table *table)
{
    return bucket_count(table);
}

uint64_t table_overflow_buckets(const struct table *table)
{
    return table->overflow_live;
}

const struct record *table_find(
    struct table *table, uint64_t hash, const uint8_t key[KV_KEY_SIZE])
{
    struct place place = bucket_find(table, bucket_of(table, hash), hash, key);
    return place.bucket != NULL
               ? &table->slots[bucket_slot(place.bucket, place.entry)]
               : NULL;
}

/* The value of the slot that is taken next: it was a record's that nobody has
 * looked at for long, while its identity was needed just before. */
static inline void prefetch_to_write(const struct record *record)
{
    for (size_t i = 0; i < KV_VALUE_MAX; i += CACHE_LINE) {
        __builtin_prefetch(record->value + i, 1);
    }
}

struct record *table_take(struct table *table)
{
    uint32_t slot = table->slots_free;
    if (slot != 0) {
        table->slots_free = table->slots[slot].next_free;
    } else if (table->slots_used < table->slots_max) {
        slot = (uint32_t)++table->slots_used;
    } else {
        return NULL;
    }
    prefetch_to_write(&table->slots[table->slots_free]);
    return &table->slots[slot];
}

void table_give(struct table *table, struct record *record)
{
    uint32_t slot = (uint32_t)(record - table->slots);
    assert(slot >= 1 && slot <= table->slots_used);
    record->next_free = table->slots_free;
    table->slots_free = slot;
}

/* Seconds, rounded down, as buckets note them; what lies beyond 2106 is looked
 * at in vain from then on. */
static void note_expiry(struct bucket *bucket, int64_t expire_ms)
{
    if (expire_ms > 0) {
        uint32_t second = (uint32_t)u64_max(
            u64_min((uint64_t)expire_ms / 1000, UINT32_MAX), 1);
        if (bucket->soonest_s == 0 || second < bucket->soonest_s) {
            bucket->soonest_s = second;
        }
    }
}

/* Gives back the slot of a record that nobody can find any more, once a
 * snapshot that needs it has it. */
static void drop(struct table *table, struct record *record, bool owed)
{
    if (owed) {
        table->save(table->save_context, record);
    }
    table_give(table, record);
}

bool table_publish(struct table *table, struct record *record)
{
    uint32_t slot = (uint32_t)(record - table->slots);
    assert(slot >= 1 && slot <= table->slots_used);
    record->born = table->generation;
    struct bucket *head = bucket_of(table, record->hash);
    bucket_lock(head);
    note_expiry(head, record->expire_ms);
    struct place place = bucket_find(table, head, record->hash, record->key);
    if (place.bucket == NULL) {
        bucket_append(table, head, hash_tag(record->hash), slot);
        bucket_unlock(head);
        table->records++;
        table->inner += kind_inner(record->kind) ? 1 : 0;
        if (!table_changing(table)) {
            grow_to_fit(table);
        }
        return true;
    }
    struct record *old = &table->slots[bucket_slot(place.bucket, place.entry)];
    bool owed = bucket_owes(table, head, old);
    bucket_set(place.bucket, place.entry, hash_tag(record->hash), slot);
    bucket_unlock(head);
    drop(table, old, owed);
    return false;
}

bool table_remove(
    struct table *table, uint64_t hash, const uint8_t key[KV_KEY_SIZE])
{
    struct bucket *head = bucket_of(table, hash);
    bucket_lock(head);
    struct place place = bucket_find(table, head, hash, key);
    if (place.bucket == NULL) {
        bucket_unlock(head);
        return false;
    }
    struct record *old = &table->slots[bucket_slot(place.bucket, place.entry)];
    bool owed = bucket_owes(table, head, old);
    bucket_take_out(table, head, place);
    bucket_unlock(head);
    table->records--;
    table->inner -= kind_inner(old->kind) ? 1 : 0;
    drop(table, old, owed);
    return true;
}

void table_save(struct table *table, uint64_t hash)
{
    if (table->generation == 0) {
        return; /* there was no snapshot yet */
    }
    struct bucket *head = bucket_of(table, hash);
    bucket_lock(head);
    bucket_save_locked(table, head);
    bucket_unlock(head);
}

void table_change_begin(struct table *table)
{
    int error = pthread_mutex_lock(&table->change_lock);
    assert(error == 0);
    (void)error;
    table_changing_set(table, true);
}

void table_change_end(struct table *table)
{
    table_changing_set(table, false);
    int error = pthread_mutex_unlock(&table->change_lock);
    assert(error == 0);
    (void)error;
    grow_to_fit(table);
}

/* ---- Loading ------------------------------------------------------------ */

int table_load_start(struct table *table, uint64_t count)
{
    assert(table->records == 0 && table->slots_used == 0);
    if (count > table->capacity) {
        return -ENOSPC;
    }
    for (uint64_t i = 0; i < table_buckets(table); i++) {
        pthread_mutex_destroy(&table->buckets[i].lock);
    }
    start_buckets(table, buckets_for(count));
    table->slots_used = count;
    table->records = count;
    return 0;
}

struct record *table_load_slot(struct table *table, uint64_t index)
{
    assert(index < table->records);
    return &table->slots[index + 1];
}

void table_load_hash(const struct table *table, struct record *record)
{
    record->hash = kind_inner(record->kind)
                       ? table_hash_inner(table, record->key)
                       : table_hash(table, record->key);
    record->stamp = 0;
    record->born = 0;
    table_prefetch_bucket(table, record->hash);
}

bool table_load(struct table *table, struct record *record)
{
    if (kind_inner(record->kind)) {
        __atomic_fetch_add(&table->inner, 1, __ATOMIC_RELAXED);
    }
    struct bucket *head = bucket_acquire(table, record->hash);
    struct place place = bucket_find(table, head, record->hash, record->key);
    if (place.bucket == NULL) {
        note_expiry(head, record->expire_ms);
        bucket_append(table, head, hash_tag(record->hash),
            (uint32_t)(record - table->slots));
    }
    bucket_unlock(head);
    return place.bucket == NULL;
}
