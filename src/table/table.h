/* table.h: the records in memory.
 *
 * Not a map for everybody: its keys have 32 bytes and its values 256, it takes
 * all address space at start, and only one thread at a time may change it (the
 * one that commits), while any number read.
 *
 * Record: a slot of 320 bytes in one array, five cache lines:
 *
 *     0    32   header: hash, expiry, length of the value, kind, stamp
 *     32   32   key; header and key are one line, the identity
 *     64   256  value, zero-padded
 *
 * Bucket: two lines: a mutex, twelve tags of 16 bits, twelve slot numbers; the
 * rare thirteenth record goes to an overflow bucket that hangs on it.  The
 * bucket array grows one bucket at a time (W. Litwin, "Linear hashing: a new
 * tool for file and table addressing", 1980); each bucket knows how many bits
 * of the hash it answers for, so that a reader who computed its number from an
 * old size notices under the mutex and goes on to the right one.
 *
 * Invariants:
 *  1. A record that is linked in a bucket never changes; a change is a new
 *     record in a slot of its own, put in the old one's place under the
 *     bucket's mutex.  So a reader holds a mutex for one copy, and what is
 *     being committed is invisible until it is published.
 *  2. Only the last bucket of a chain has room; none is empty but the first.
 *  3. Slot 0 is never used: number 0 means none.
 *  4. Bucket b with n bits holds exactly the records whose hash ends in b.
 *  5. Records whose kind is inner have names of their own: TABLE_INNER is set
 *  in their hashes and in no other's, and two records are the same only if hash
 *     and key are.  The bit is one that no tag and no bucket number has. */
#ifndef TABLE_H
#define TABLE_H

#include "bytes.h"
#include "kind.h"
#include "kv_store.h"
#include "siphash.h"

struct table;

struct record {
    uint64_t hash;
    int64_t expire_ms; /* milliseconds since 1970; 0: never; an inner record
                          may keep a number of its own here, a negative one */
    uint16_t value_len;
    uint8_t kind; /* enum kind */
    uint8_t reserved;
    union {
        uint32_t next_free; /* while the slot is free: the next one */
        uint32_t born;      /* else the last snapshot that began before it */
    };
    uint64_t stamp; /* of the change that made it so; 0: it was loaded */
    uint8_t key[KV_KEY_SIZE];
    uint8_t value[KV_VALUE_MAX];
};

_Static_assert(sizeof(struct record) == 320, "five cache lines");
_Static_assert(offsetof(struct record, key) == 32, "identity");
_Static_assert(offsetof(struct record, value) == CACHE_LINE, "identity");

struct bucket;

static inline bool record_expired(const struct record *record, int64_t now_ms)
{
    return record->expire_ms > 0 && record->expire_ms <= now_ms;
}

/* True if its value is exactly that. */
static inline bool record_holds(
    const struct record *record, const void *bytes, size_t size)
{
    return record->value_len == size && memcmp(record->value, bytes, size) == 0;
}

/* ---- Life -------------------------------------------------------------- */

enum {
    TABLE_LOAD = 8, /* records a bucket, on average, when full */
    TABLE_CAPACITY_MAX = 2000000000 /* slot numbers have 32 bits */
};

/* What a table for capacity records takes, in bytes. */
struct table_size {
    uint64_t slot_bytes;
    uint64_t bucket_bytes;
    uint64_t overflow_bytes; /* the most that overflow buckets can take */
};
void table_measure(uint64_t capacity, uint32_t spare, struct table_size *size);

/* A table for capacity records, and spare slots beside them for changes that
 * are under way.  0, -ENOMEM if the address space is refused. */
int table_create(struct table **table, uint64_t capacity, uint32_t spare,
    const uint8_t secret[SIPHASH_SECRET_SIZE]);
/* Takes all memory that it may ever need now; before anybody else uses it.
 * Returns how many bytes. */
uint64_t table_touch(struct table *table);
void table_destroy(struct table *table);
/* Empties it; nobody else may be using it. */
void table_clear(struct table *table);

/* ---- Reading: any thread ------------------------------------------------ */

#define TABLE_INNER (UINT64_C(1) << 48)

uint64_t table_hash(const struct table *table, const uint8_t key[KV_KEY_SIZE]);
/* Those of four keys, which may be the same, for little more than one. */
void table_hash_four(const struct table *table,
    const uint8_t *const keys[SIPHASH_LANES], uint64_t hashes[SIPHASH_LANES]);
/* The hash of an inner record's key. */
uint64_t table_hash_inner(
    const struct table *table, const uint8_t key[KV_KEY_SIZE]);
/* Two passes over a batch that spare it the waits for memory: first the
 * buckets, then the records.  Hints: they may miss, and change nothing. */
void table_prefetch_bucket(const struct table *table, uint64_t hash);
void table_prefetch_record(const struct table *table, uint64_t hash);

/* The record or NULL; *held, which table_release takes back, keeps it from
 * changing. */
const struct record *table_acquire(struct table *table, uint64_t hash,
    const uint8_t key[KV_KEY_SIZE], struct bucket **held);
void table_release(struct bucket *held);

/* Copies records with the prefix that are not inner and have not expired at
 * now_ms into messages (key, value, value_len: of a collection 0), from
 * *position on, in the order of their hashes read backwards: an order that
 * growth does not change, so that what exists throughout is met exactly once.
 * *position: 0 at first, where to go on afterwards, 0 at the end.  Visits at
 * most TABLE_SCAN_BUCKETS. */
enum { TABLE_SCAN_BUCKETS = 512 };
uint32_t table_scan(struct table *table, const uint8_t prefix[KV_KEY_SIZE],
    int64_t now_ms, uint64_t *position, kv_message_t messages[KV_SCAN_MAX]);

/* Shows every record of one bucket, expired and inner ones too, under its
 * mutex; *position goes on as table_scan's does, by whole buckets: with its
 * bits backwards it is below the number of buckets. */
void table_visit(struct table *table, uint64_t *position,
    void (*see)(void *context, const struct record *record), void *context);

/* ---- Changing: the committing thread ------------------------------------ */

uint64_t table_records(const struct table *table);
/* How many of them are inner. */
uint64_t table_inner(const struct table *table);
uint64_t table_capacity(const struct table *table);
uint64_t table_buckets(const struct table *table);
uint64_t table_overflow_buckets(const struct table *table);

/* As table_acquire, without a mutex: for the thread that alone may change. */
const struct record *table_find(
    struct table *table, uint64_t hash, const uint8_t key[KV_KEY_SIZE]);
/* A slot that nobody sees yet; NULL when none is free.  Its contents are
 * undefined. */
struct record *table_take(struct table *table);
/* Gives back a slot that nobody sees. */
void table_give(struct table *table, struct record *record);
/* Shows a taken record (hash, key, kind, value, expiry set) to readers, in
 * place of the one with its key.  Returns true if there was none. */
bool table_publish(struct table *table, struct record *record);
/* Removes the record with this key and frees its slot; false if none. */
bool table_remove(
    struct table *table, uint64_t hash, const uint8_t key[KV_KEY_SIZE]);

/* Removes every record. */
void table_flush(struct table *table);

/* What is published and removed between the two, readers see all at once: who
 * reads meanwhile waits for the end.  The table grows after it only: that may
 * have to wait for a snapshot. */
void table_change_begin(struct table *table);
void table_change_end(struct table *table);
/* Hands the bucket of this hash (a bucket's number is one) to the snapshot now:
 * a change of it does not take the time later. */
void table_save(struct table *table, uint64_t hash);

/* ---- Walks --------------------------------------------------------------- */

/* The hash and key of a record that a sweep found expired. */
struct table_found {
    uint64_t hash;
    uint8_t key[KV_KEY_SIZE];
};

/* Looks at up to buckets buckets from *position on for records that have
 * expired, and reports up to max.  *position then is where to go on; it begins
 * anew behind the last bucket.  Any one thread at a time. */
uint32_t table_sweep(struct table *table, uint64_t *position, uint32_t buckets,
    int64_t now_ms, struct table_found *found, uint32_t max);

/* A snapshot hands every record, as it is when the snapshot starts, to save
 * exactly once: from table_snapshot_bucket, or, where a change takes the record
 * away first, from the committing thread.  It may wait there: no mutex is held.
 * Start is for the committing thread (or under the lock that makes it so),
 * buckets for any one thread; once all are saved, what the committing thread
 * had begun to save may be under way still. */
void table_snapshot_start(struct table *table,
    void (*save)(void *context, const struct record *record), void *context);

enum table_saved {
    TABLE_SAVED,
    TABLE_CROWDED,  /* it has more than most records: table_save does it */
    TABLE_ALL_SAVED /* there is no bucket of that number */
};

/* Saves bucket number index, if it is not saved yet, under its mutex: with a
 * save that does not wait, for at most that many records. */
enum table_saved table_snapshot_bucket(struct table *table, uint64_t index,
    uint32_t most, void (*save)(void *context, const struct record *record));

/* ---- Loading: many threads, an empty table ------------------------------ */

/* Makes the table as large as count records want it; -ENOSPC if they do not
 * fit. */
int table_load_start(struct table *table, uint64_t count);
/* Slot of the record number index, 0..count-1, to be filled (all but hash and
 * stamp). */
struct record *table_load_slot(struct table *table, uint64_t index);
/* Fills in hash and stamp, and asks for the bucket. */
void table_load_hash(const struct table *table, struct record *record);
/* Links it; false if its key is there already. */
bool table_load(struct table *table, struct record *record);

#endif
