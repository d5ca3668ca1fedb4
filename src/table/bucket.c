/* bucket.c: entries of a bucket and of the chain that hangs on it. */
#include "table/bucket.h"

#include <assert.h>

/* The size may have grown since it was read.  Then the bucket found was split,
 * and the record, if it moved, went to the bucket that the next set bit of the
 * hash names; which may have been split in its turn. */
struct bucket *bucket_acquire(struct table *table, uint64_t hash)
{
    uint64_t index = bucket_index(hash, bucket_count(table));
    for (;;) {
        struct bucket *bucket = &table->buckets[index];
        bucket_lock(bucket);
        uint64_t right = hash & bits_mask(bucket->bits);
        if (right == index) {
            return bucket;
        }
        bucket_unlock(bucket);
        uint64_t moved = right ^ index;
        index |= moved & (~moved + 1);
    }
}

/* Whoever sees one of the changes acquires the bucket after the commit let go
 * of it; so he sees that changes are under way, or that all are done. */
struct bucket *bucket_acquire_settled(struct table *table, uint64_t hash)
{
    struct bucket *bucket = bucket_acquire(table, hash);
    if (!table_changing(table)) {
        return bucket;
    }
    bucket_unlock(bucket);
    int error = pthread_mutex_lock(&table->change_lock);
    assert(error == 0);
    bucket = bucket_acquire(table, hash);
    error = pthread_mutex_unlock(&table->change_lock);
    assert(error == 0);
    (void)error;
    return bucket;
}

void bucket_save_locked(struct table *table, struct bucket *head)
{
    if (head->saved == table->generation) {
        return;
    }
    head->saved = table->generation;
    bucket_unlock(head);
    bucket_save_each(table, head, table->save);
    bucket_lock(head);
}

uint32_t bucket_records(
    const struct table *table, const struct bucket *bucket, uint32_t most)
{
    uint32_t count = 0;
    for (; bucket != NULL && count <= most;
         bucket = bucket_next(table, bucket)) {
        count += bucket_entries(bucket);
    }
    return count;
}

void bucket_each(const struct table *table, const struct bucket *bucket,
    void (*save)(void *context, const struct record *record), void *context)
{
    for (; bucket != NULL; bucket = bucket_next(table, bucket)) {
        for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
            uint32_t slot = bucket_slot(bucket, i);
            if (slot != 0) {
                save(context, &table->slots[slot]);
            }
        }
    }
}

struct saving {
    const struct table *table;
    void (*save)(void *context, const struct record *record);
};

static void save_if_old(void *context, const struct record *record)
{
    const struct saving *saving = context;
    if (record->born != saving->table->generation) {
        saving->save(saving->table->save_context, record);
    }
}

void bucket_save_each(const struct table *table, const struct bucket *bucket,
    void (*save)(void *context, const struct record *record))
{
    struct saving saving = {table, save};
    bucket_each(table, bucket, save_if_old, &saving);
}

static uint32_t overflow_take(struct table *table)
{
    pthread_mutex_lock(&table->overflow_lock);
    uint32_t number = table->overflow_free;
    if (number != 0) {
        table->overflow_free = table->overflow[number].next;
        table->overflow[number].next = 0;
    } else {
        number = (uint32_t)++table->overflow_used;
        assert(number < table->overflow_max);
    }
    table->overflow_live++;
    pthread_mutex_unlock(&table->overflow_lock);
    return number;
}

static void overflow_give(struct table *table, uint32_t number)
{
    pthread_mutex_lock(&table->overflow_lock);
    table->overflow[number].next = table->overflow_free;
    table->overflow_free = number;
    table->overflow_live--;
    pthread_mutex_unlock(&table->overflow_lock);
}

struct bucket *bucket_last(const struct table *table, struct bucket *bucket)
{
    while (bucket->next != 0) {
        bucket = &table->overflow[bucket->next];
    }
    return bucket;
}

/* How many entries of a bucket are used; they are the first ones. */
unsigned bucket_entries(const struct bucket *bucket)
{
    unsigned count = 0;
    while (count < BUCKET_SLOTS && bucket_slot(bucket, count) != 0) {
        count++;
    }
    return count;
}

void bucket_append(
    struct table *table, struct bucket *head, uint64_t tag, uint32_t slot)
{
    struct bucket *last = bucket_last(table, head);
    unsigned entry = bucket_entries(last);
    if (entry == BUCKET_SLOTS) {
        last->next = overflow_take(table);
        last = &table->overflow[last->next];
        entry = 0;
    }
    bucket_set(last, entry, tag, slot);
}

/* Gives back the last overflow bucket of the chain if it is empty. */
static void trim(struct table *table, struct bucket *head)
{
    struct bucket *bucket = head;
    while (bucket->next != 0) {
        struct bucket *next = &table->overflow[bucket->next];
        if (next->next == 0 && bucket_slot(next, 0) == 0) {
            overflow_give(table, bucket->next);
            bucket->next = 0;
            return;
        }
        bucket = next;
    }
}

static void clear(struct bucket *bucket)
{
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        bucket_set(bucket, i, 0, 0);
    }
}

/* Puts the chain's last entry in the place of the one that goes. */
void bucket_take_out(
    struct table *table, struct bucket *head, struct place place)
{
    struct bucket *last = bucket_last(table, head);
    unsigned entry = bucket_entries(last) - 1;
    bucket_set(place.bucket, place.entry, bucket_tag(last, entry),
        bucket_slot(last, entry));
    bucket_set(last, entry, 0, 0);
    trim(table, head);
}

void bucket_empty(struct table *table, struct bucket *head)
{
    for (uint32_t next = head->next; next != 0;) {
        struct bucket *bucket = &table->overflow[next];
        uint32_t number = next;
        next = bucket->next;
        clear(bucket);
        overflow_give(table, number);
    }
    clear(head);
    head->next = 0;
    head->soonest_s = 0;
}
