/* bucket.h: the layout of a bucket and the search in it; for the files of this
 * folder only.
 *
 *     line 0   mutex 40 | tags 3 x u64, four lanes of 16 bits each
 *     line 1   slots 12 x u32 | next u32 | saved u32 | soonest_s u32 | bits u32
 *
 * A tag is the top 16 bits of the hash with the lowest of them set; 0: free.
 * Tags and slots are written under the mutex (and read under it, or by the
 * committing thread); they are atomic, relaxed, only because prefetching looks
 * at them without it. */
#ifndef TABLE_BUCKET_H
#define TABLE_BUCKET_H

#include "table/table.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { BUCKET_SLOTS = 12, TAG_WORDS = 3, LANES = 4, LANE_BITS = 16 };

struct bucket {
    pthread_mutex_t lock;
    _Atomic uint64_t tags[TAG_WORDS];
    _Atomic uint32_t slots[BUCKET_SLOTS];
    uint32_t next;      /* overflow bucket, 0: none */
    uint32_t saved;     /* generation of the last snapshot that has it */
    uint32_t soonest_s; /* nothing expires before this second; 0: never */
    uint32_t bits;      /* of the hash that this bucket answers for */
} __attribute__((aligned(CACHE_LINE)));

_Static_assert(sizeof(struct bucket) == 2 * CACHE_LINE, "two cache lines");

struct table {
    struct record *slots;
    struct bucket *buckets;
    struct bucket *overflow; /* number 0 is not used */
    uint8_t secret[SIPHASH_SECRET_SIZE];
    uint64_t capacity;
    uint64_t slots_max; /* capacity and spare */
    uint64_t buckets_max;
    uint64_t overflow_max;
    _Atomic uint64_t bucket_count; /* a reader may use an old one */
    atomic_bool changing; /* of changes that belong together, some are done */
    pthread_mutex_t change_lock; /* held meanwhile; before a bucket's */

    /* Changed by the committing thread alone. */
    uint64_t records;
    uint64_t inner;      /* of these */
    uint64_t slots_used; /* slots 1..slots_used were taken once */
    uint32_t slots_free; /* list through next_free */

    /* Snapshot: set by the committing thread, read under a bucket's mutex. */
    uint32_t generation;
    void (*save)(void *context, const struct record *record);
    void *save_context;

    pthread_mutex_t overflow_lock; /* innermost; guards what follows */
    uint64_t overflow_used;
    uint32_t overflow_free; /* list through next */
    uint64_t overflow_live;
};

static inline uint64_t bits_mask(uint32_t bits)
{
    return ((uint64_t)1 << bits) - 1;
}

/* How many buckets there are.  It may have grown since; but whoever sees a
 * count sees all of its buckets made. */
static inline uint64_t bucket_count(const struct table *table)
{
    return atomic_load_explicit(&table->bucket_count, memory_order_acquire);
}

static inline void bucket_count_set(struct table *table, uint64_t count)
{
    atomic_store_explicit(&table->bucket_count, count, memory_order_release);
}

/* True while changes that belong together are half done. */
static inline bool table_changing(const struct table *table)
{
    return atomic_load_explicit(&table->changing, memory_order_acquire);
}

static inline void table_changing_set(struct table *table, bool changing)
{
    atomic_store_explicit(&table->changing, changing, memory_order_release);
}

/* The bucket of a hash when there are count buckets. */
static inline uint64_t bucket_index(uint64_t hash, uint64_t count)
{
    uint64_t half = (uint64_t)1 << (63 - __builtin_clzll(count));
    uint64_t index = hash & (2 * half - 1);
    return index < count ? index : index & (half - 1);
}

static inline uint64_t hash_tag(uint64_t hash)
{
    return hash >> (64 - LANE_BITS) | 1;
}

static inline uint64_t bucket_tags(const struct bucket *bucket, unsigned word)
{
    return atomic_load_explicit(&bucket->tags[word], memory_order_relaxed);
}

static inline uint32_t bucket_slot(const struct bucket *bucket, unsigned entry)
{
    return atomic_load_explicit(&bucket->slots[entry], memory_order_relaxed);
}

static inline uint64_t bucket_tag(const struct bucket *bucket, unsigned entry)
{
    return bucket_tags(bucket, entry / LANES) >> (entry % LANES * LANE_BITS) &
           0xffff;
}

static inline void bucket_set(
    struct bucket *bucket, unsigned entry, uint64_t tag, uint32_t slot)
{
    unsigned shift = entry % LANES * LANE_BITS;
    uint64_t tags = bucket_tags(bucket, entry / LANES);
    tags = (tags & ~((uint64_t)0xffff << shift)) | tag << shift;
    atomic_store_explicit(
        &bucket->tags[entry / LANES], tags, memory_order_relaxed);
    atomic_store_explicit(&bucket->slots[entry], slot, memory_order_relaxed);
}

/* Asks for the record in a slot, into the second cache as table_prefetch_bucket
 * does. */
static inline void slot_prefetch(const struct table *table, uint32_t slot)
{
    const char *record = (const char *)&table->slots[slot];
    for (size_t i = 0; i < sizeof(struct record); i += CACHE_LINE) {
        __builtin_prefetch(record + i, 0, 2);
    }
}

static inline struct bucket *bucket_next(
    const struct table *table, const struct bucket *bucket)
{
    return bucket->next != 0 ? &table->overflow[bucket->next] : NULL;
}

/* An entry of a bucket or of one that hangs on it. */
struct place {
    struct bucket *bucket;
    unsigned entry;
};

/* The entries of one bucket that hold the tag, one bit each.  Nobody can
 * predict which one does, so all are compared before the first branch. */
static inline uint32_t bucket_marks(const struct bucket *bucket, uint64_t tag)
{
#if defined(__SSE2__)
    __m128i wanted = _mm_set1_epi16((short)tag);
    __m128i eight = _mm_set_epi64x(
        (long long)bucket_tags(bucket, 1), (long long)bucket_tags(bucket, 0));
    __m128i four = _mm_cvtsi64_si128((long long)bucket_tags(bucket, 2));
    return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(
        _mm_cmpeq_epi16(eight, wanted), _mm_cmpeq_epi16(four, wanted)));
#else
    uint32_t marks = 0;
    for (unsigned entry = 0; entry < BUCKET_SLOTS; entry++) {
        marks |= (uint32_t)(bucket_tag(bucket, entry) == tag) << entry;
    }
    return marks;
#endif
}

/* The entry of one bucket with this key; BUCKET_SLOTS if it has none. */
static inline unsigned bucket_entry(const struct table *table,
    const struct bucket *bucket, uint64_t hash, const uint8_t key[KV_KEY_SIZE])
{
    uint32_t marks = bucket_marks(bucket, hash_tag(hash));
    for (; marks != 0; marks &= marks - 1) {
        unsigned entry = (unsigned)__builtin_ctz(marks);
        uint32_t slot = bucket_slot(bucket, entry);
        if (table->slots[slot].hash == hash &&
            memcmp(table->slots[slot].key, key, KV_KEY_SIZE) == 0) {
            return entry;
        }
    }
    return BUCKET_SLOTS;
}

/* Where the record with this key is; a place without bucket if nowhere. */
static inline struct place bucket_find(const struct table *table,
    struct bucket *head, uint64_t hash, const uint8_t key[KV_KEY_SIZE])
{
    for (struct bucket *bucket = head; bucket != NULL;
         bucket = bucket_next(table, bucket)) {
        unsigned entry = bucket_entry(table, bucket, hash, key);
        if (entry != BUCKET_SLOTS) {
            return (struct place){bucket, entry};
        }
    }
    return (struct place){NULL, 0};
}

/* Locks the bucket that answers for the hash, and returns it. */
struct bucket *bucket_acquire(struct table *table, uint64_t hash);
/* The same for readers: not while changes that belong together are half
 * done. */
struct bucket *bucket_acquire_settled(struct table *table, uint64_t hash);
static inline void bucket_lock(struct bucket *bucket)
{
    int error = pthread_mutex_lock(&bucket->lock);
    assert(error == 0);
    (void)error;
}

static inline void bucket_unlock(struct bucket *bucket)
{
    int error = pthread_mutex_unlock(&bucket->lock);
    assert(error == 0);
    (void)error;
}

/* For the committing thread, which alone lets the table grow. */
static inline struct bucket *bucket_of(struct table *table, uint64_t hash)
{
    return &table->buckets[bucket_index(hash, bucket_count(table))];
}

/* True if the snapshot needs the record from whoever takes it away. */
static inline bool bucket_owes(const struct table *table,
    const struct bucket *head, const struct record *record)
{
    return head->saved != table->generation &&
           record->born != table->generation;
}

/* For the committing thread: hands the bucket's records to the snapshot if it
 * does not have them.  Lets go of the mutex meanwhile, so that readers do not
 * wait for whatever the snapshot waits for: nobody else changes the bucket. */
void bucket_save_locked(struct table *table, struct bucket *bucket);
/* Its records, counted no further than just beyond most. */
uint32_t bucket_records(
    const struct table *table, const struct bucket *bucket, uint32_t most);
/* Calls save, with the snapshot's context, for those of them that the snapshot
 * began with. */
void bucket_save_each(const struct table *table, const struct bucket *bucket,
    void (*save)(void *context, const struct record *record));
/* Calls save for each of them. */
void bucket_each(const struct table *table, const struct bucket *bucket,
    void (*save)(void *context, const struct record *record), void *context);

/* The last bucket of the chain, and how many entries of one are used: they are
 * the first ones. */
struct bucket *bucket_last(const struct table *table, struct bucket *bucket);
unsigned bucket_entries(const struct bucket *bucket);

/* Adds an entry behind the last one. */
void bucket_append(
    struct table *table, struct bucket *head, uint64_t tag, uint32_t slot);
/* Takes out all entries. */
void bucket_empty(struct table *table, struct bucket *head);
/* Puts the chain's last entry in the place of the one that goes. */
void bucket_take_out(
    struct table *table, struct bucket *head, struct place place);

#endif
