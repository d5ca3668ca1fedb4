#include "command/set.h"

#include "random.h"
#include "siphash.h"

#include <assert.h>

_Static_assert((int)SET_HASH_SIZE == (int)SIPHASH_LONG_SIZE, "the hash");
_Static_assert((int)SET_SECRET_SIZE == (int)SIPHASH_SECRET_SIZE, "its secret");

/* ---- Names --------------------------------------------------------------- */

static struct name member_name(const struct view *view,
    const struct collection *head, const uint8_t hash[SET_HASH_SIZE],
    uint8_t bytes[KV_KEY_SIZE])
{
    return collection_name(view, head, hash, bytes);
}

static struct name block_name(const struct view *view,
    const struct collection *head, uint64_t block, uint8_t bytes[KV_KEY_SIZE])
{
    uint8_t tail[KV_KEY_SIZE - OWNER_SIZE];
    memcpy(tail, &block, sizeof block);
    memset(tail + sizeof block, 0xff, sizeof tail - sizeof block);
    return collection_name(view, head, tail, bytes);
}

/* ---- The array of hashes ------------------------------------------------- */

/* Records that the array of so many members has beside the head. */
static uint64_t blocks_of(uint64_t count)
{
    return count == 0 ? 0 : (count - 1) / SET_BLOCK;
}

static const struct record *find_block(
    struct view *view, const struct collection *head, uint64_t block)
{
    uint8_t bytes[KV_KEY_SIZE];
    const struct record *record =
        view_find_any(view, block_name(view, head, block, bytes));
    assert(record != NULL && record->kind == KIND_BLOCK);
    return record;
}

/* The hashes of the block that has this number's member. */
static const uint8_t *block_of(const struct set *set, uint64_t number)
{
    uint64_t block = number / SET_BLOCK;
    assert(number < set->head.count);
    return block == blocks_of(set->head.count)
               ? set->head.rest
               : find_block(set->view, &set->head, block)->value;
}

static bool put_block(
    const struct set *set, uint64_t block, const uint8_t hashes[SET_BLOCK_SIZE])
{
    uint8_t bytes[KV_KEY_SIZE];
    const struct part part = {
        .name = block_name(set->view, &set->head, block, bytes),
        .kind = KIND_BLOCK,
        .bytes = hashes,
        .size = SET_BLOCK_SIZE,
    };
    return collection_put(set->view, &part);
}

/* The last member's hash, taken off the array: when the block in the head is
 * used up, the one before it moves there.  False if the group is full. */
static bool pop_hash(
    struct view *view, struct collection *head, uint8_t hash[SET_HASH_SIZE])
{
    uint64_t last = head->count - 1;
    uint8_t *place = head->rest + (size_t)(last % SET_BLOCK) * SET_HASH_SIZE;
    assert(head->count > 0);
    memcpy(hash, place, SET_HASH_SIZE);
    memset(place, 0, SET_HASH_SIZE);
    if (last % SET_BLOCK == 0 && last > 0) {
        uint8_t bytes[KV_KEY_SIZE];
        uint64_t block = last / SET_BLOCK - 1;
        memcpy(
            head->rest, find_block(view, head, block)->value, SET_BLOCK_SIZE);
        if (!collection_drop(
                view, block_name(view, head, block, bytes), KIND_BLOCK)) {
            return false;
        }
    }
    head->count = last;
    return true;
}

static bool push_hash(struct set *set, const uint8_t hash[SET_HASH_SIZE])
{
    uint64_t number = set->head.count;
    size_t place = (size_t)(number % SET_BLOCK);
    uint8_t *hashes = set->head.rest;
    if (place == 0 && number > 0) {
        if (!put_block(set, number / SET_BLOCK - 1, hashes)) {
            return false;
        }
        memset(hashes, 0, SET_BLOCK_SIZE);
    }
    memcpy(hashes + place * SET_HASH_SIZE, hash, SET_HASH_SIZE);
    set->head.count++;
    return true;
}

static bool place_hash(
    struct set *set, uint64_t number, const uint8_t hash[SET_HASH_SIZE])
{
    uint64_t block = number / SET_BLOCK;
    size_t place = (size_t)(number % SET_BLOCK) * SET_HASH_SIZE;
    assert(number < set->head.count);
    if (block == blocks_of(set->head.count)) {
        memcpy(set->head.rest + place, hash, SET_HASH_SIZE);
        return true;
    }
    uint8_t hashes[SET_BLOCK_SIZE];
    memcpy(hashes, block_of(set, number), sizeof hashes);
    memcpy(hashes + place, hash, SET_HASH_SIZE);
    return put_block(set, block, hashes);
}

/* ---- Reading ------------------------------------------------------------- */

bool set_open(struct call *call, uint32_t i, struct set *set)
{
    bool wrong;
    *set = (struct set){.view = call->view};
    if (!call_key(call, i, &set->key)) {
        return false;
    }
    const struct record *record =
        call_find_kind(call, &set->key, KIND_SET, &wrong);
    if (wrong) {
        return false;
    }
    if (record != NULL) {
        set->stamp = record->stamp;
        set->expire_ms = record->expire_ms;
        collection_read(record, &set->head);
        assert(set->head.count > 0);
    }
    view_release(call->view);
    return true;
}

void set_hash(const struct set *set, const struct member *member,
    uint8_t hash[SET_HASH_SIZE])
{
    siphash24_long(
        set->head.rest + SET_BLOCK_SIZE, member->bytes, member->size, hash);
    hash[SET_HASH_SIZE - 1] &= 0xfe;
}

const struct record *set_find(
    const struct set *set, const uint8_t hash[SET_HASH_SIZE])
{
    uint8_t bytes[KV_KEY_SIZE];
    const struct record *record = view_find_any(
        set->view, member_name(set->view, &set->head, hash, bytes));
    assert(record == NULL || record->kind == KIND_MEMBER);
    return record;
}

const struct record *set_find_member(
    const struct set *set, const struct member *member)
{
    uint8_t hash[SET_HASH_SIZE];
    if (set->head.count == 0) {
        return NULL;
    }
    set_hash(set, member, hash);
    const struct record *record = set_find(set, hash);
    return record != NULL && record_holds(record, member->bytes, member->size)
               ? record
               : NULL;
}

const struct record *set_at(const struct set *set, uint64_t number)
{
    const uint8_t *hashes = block_of(set, number);
    const struct record *record =
        set_find(set, hashes + (size_t)(number % SET_BLOCK) * SET_HASH_SIZE);
    assert(record != NULL && record->expire_ms == -1 - (int64_t)number);
    return record;
}

void set_walk_begin(struct set_walk *walk, const struct set *set)
{
    walk->set = set;
    walk->number = 0;
}

/* Reads the block that the next member stands in. */
static void walk_block(struct set_walk *walk)
{
    const struct set *set = walk->set;
    const uint8_t *hashes = block_of(set, walk->number);
    size_t count = (size_t)u64_min(SET_BLOCK, set->head.count - walk->number);
    for (size_t i = 0; i < count; i++) {
        walk->hashes[i] = member_name(
            set->view, &set->head, hashes + i * SET_HASH_SIZE, walk->keys[i])
                              .hash;
        table_prefetch_bucket(set->view->table, walk->hashes[i]);
    }
    for (size_t i = 0; i < count; i++) {
        table_prefetch_record(set->view->table, walk->hashes[i]);
    }
}

const struct record *set_walk_next(struct set_walk *walk)
{
    size_t place = (size_t)(walk->number % SET_BLOCK);
    if (walk->number >= walk->set->head.count) {
        return NULL;
    }
    if (place == 0) {
        walk_block(walk);
    }
    walk->number++;
    const struct record *record = view_find_any(
        walk->set->view, (struct name){walk->hashes[place], walk->keys[place]});
    assert(record != NULL && record->kind == KIND_MEMBER);
    return record;
}

/* ---- Changing ------------------------------------------------------------ */

void set_begin(struct set *set)
{
    collection_begin(set->view, KIND_SET, &set->head);
    random_fill(set->head.rest + SET_BLOCK_SIZE, SET_SECRET_SIZE);
    set->expire_ms = 0;
}

uint64_t set_growth(const struct set *set, uint64_t members)
{
    uint64_t count = set->head.count;
    bool head = view_find_any(set->view, key_name(&set->key)) == NULL;
    return members + blocks_of(count + members) - blocks_of(count) +
           (head ? 1 : 0);
}

static bool put_member(const struct set *set, const uint8_t hash[SET_HASH_SIZE],
    const struct member *member, uint64_t number)
{
    uint8_t bytes[KV_KEY_SIZE];
    const struct part part = {
        .name = member_name(set->view, &set->head, hash, bytes),
        .kind = KIND_MEMBER,
        .bytes = member->bytes,
        .size = member->size,
        .number = -1 - (int64_t)number,
    };
    return collection_put(set->view, &part);
}

bool set_add(struct set *set, const uint8_t hash[SET_HASH_SIZE],
    const struct member *member)
{
    assert(set_find(set, hash) == NULL);
    return push_hash(set, hash) &&
           put_member(set, hash, member, set->head.count - 1);
}

bool set_remove(struct set *set, const struct record *record)
{
    uint64_t number = (uint64_t)(-1 - record->expire_ms);
    uint8_t bytes[KV_KEY_SIZE];
    uint8_t hash[SET_HASH_SIZE];
    const struct name name = {record->hash, bytes};
    memcpy(bytes, record->key, sizeof bytes);
    if (!collection_drop(set->view, name, KIND_MEMBER) ||
        !pop_hash(set->view, &set->head, hash)) {
        return false;
    }
    if (number == set->head.count) {
        return true;
    }
    const struct record *last = set_find(set, hash);
    uint8_t value[KV_VALUE_MAX];
    const struct member moved = {value, last->value_len};
    memcpy(value, last->value, last->value_len);
    return place_hash(set, number, hash) &&
           put_member(set, hash, &moved, number);
}

/* What the key holds is not of this set: of a collection remains are left. */
static bool leave_other(const struct set *set, const struct record *old)
{
    struct collection other;
    if (old == NULL || old->kind == KIND_STRING) {
        return true;
    }
    collection_read(old, &other);
    return memcmp(other.owner, set->head.owner, OWNER_SIZE) == 0 ||
           remains_leave(set->view, old);
}

bool set_store(struct set *set)
{
    struct name name = key_name(&set->key);
    const struct record *old = view_find_any(set->view, name);
    if (!leave_other(set, old)) {
        return false;
    }
    if (set->head.count == 0) {
        return collection_drop(set->view, name, KIND_SET);
    }
    return collection_write(set->view, name, &set->head, set->expire_ms);
}

/* ---- As a kind of collection --------------------------------------------- */

bool set_shed(struct view *view, struct collection *head)
{
    uint8_t hash[SET_HASH_SIZE];
    uint8_t bytes[KV_KEY_SIZE];
    assert(head->count > 0);
    return pop_hash(view, head, hash) &&
           collection_drop(
               view, member_name(view, head, hash, bytes), KIND_MEMBER);
}

uint64_t set_parts(const struct collection *head)
{
    return head->count + blocks_of(head->count);
}

void set_copy(struct view *view, const struct collection *from,
    const struct collection *to)
{
    const struct set set = {.view = view, .head = *from};
    struct set_walk walk;
    const struct record *record;
    for (uint64_t i = 0; i < blocks_of(from->count); i++) {
        collection_copy(view, find_block(view, from, i), to);
    }
    set_walk_begin(&walk, &set);
    while ((record = set_walk_next(&walk)) != NULL) {
        collection_copy(view, record, to);
    }
}
