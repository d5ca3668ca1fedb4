/* set.h: one set: where its members are, and how they come and go.
 *
 * Each member is a record under the inner key of owner and the keyed 128-bit
 * hash of its bytes, so that one look finds it; equality is decided by the
 * bytes.  Each has a number, 0 to count - 1 without a gap, so that one draw
 * finds any: an array of all hashes, in blocks of thirteen.  Full blocks are
 * records, the last one, which is never empty, stands in the head.  Who removes
 * a member puts the last one in its place.
 *
 *     head's rest:  0   208  hashes of the last block, 16 bytes each
 *                   208 16   secret of the hash, random, made with the set
 *     inner key of a member:  16  16  hash; its last bit is zero
 *     member:       the record's value; its number n stands as -1 - n where
 *                   other records have their expiry
 *     inner key of a block:   16  8   number of the block; 24  8  bytes 0xff
 *     block:        0   208  hashes of thirteen members
 *
 *  1. No member's key is that of a block or of remains, which end in 0xff.
 *  2. A number only ever gets smaller while its member is there.
 *  3. Two members with one hash are refused: who does not know the secret,
 *     which leaves the server in no reply, cannot choose them. */
#ifndef COMMAND_SET_H
#define COMMAND_SET_H

#include "command/call.h"
#include "command/collection.h"

enum {
    SET_SECRET_SIZE = 16,
    SET_HASH_SIZE = 16,
    SET_BLOCK = (HEAD_REST - SET_SECRET_SIZE) / SET_HASH_SIZE,
    SET_BLOCK_SIZE = SET_BLOCK * SET_HASH_SIZE,
    /* changes that the removal of one member is at the most: its record, the
     * last one's, two blocks */
    SET_REMOVE_CHANGES = 4
};

_Static_assert(
    SET_SECRET_SIZE + SET_BLOCK_SIZE == HEAD_REST, "a full block in a head");

struct set {
    struct view *view;
    struct key key;
    uint64_t stamp; /* of the head's record; 0: there is none */
    int64_t expire_ms;
    struct collection head; /* count 0: there is no such set */
};

struct member {
    const uint8_t *bytes;
    size_t size; /* at most KV_VALUE_MAX */
};

/* ---- Reading ------------------------------------------------------------- */

/* The set whose key is argument number i; a shared view holds nothing
 * afterwards.  False: it is no key, or holds something else, and the reply says
 * so. */
bool set_open(struct call *call, uint32_t i, struct set *set);

void set_hash(const struct set *set, const struct member *member,
    uint8_t hash[SET_HASH_SIZE]);
/* The member of that hash, or NULL. */
const struct record *set_find(
    const struct set *set, const uint8_t hash[SET_HASH_SIZE]);
/* The member's record; NULL: it is not there. */
const struct record *set_find_member(
    const struct set *set, const struct member *member);
/* The member with a number, which is below count. */
const struct record *set_at(const struct set *set, uint64_t number);

/* All members in the order of their numbers, while nothing is changed in the
 * set; it asks for the records of a block before it looks at the first. */
struct set_walk {
    const struct set *set;
    uint64_t number; /* of the next one */
    uint64_t hashes[SET_BLOCK];
    uint8_t keys[SET_BLOCK][KV_KEY_SIZE];
};
void set_walk_begin(struct set_walk *walk, const struct set *set);
/* NULL behind the last. */
const struct record *set_walk_next(struct set_walk *walk);

/* ---- Changing ------------------------------------------------------------ */
/* The head is changed in *set alone until set_store.  Functions that return
 * bool return false if the group is full; that there is space is seen to
 * before. */

/* An empty set with an owner and a secret of its own. */
void set_begin(struct set *set);
/* Records that so many members more need, and the head if it is the first
 * record of its key. */
uint64_t set_growth(const struct set *set, uint64_t members);
/* A member that is not there; one of the same hash must not be, which is
 * certain where the set is new: to 1 in 2^100. */
bool set_add(struct set *set, const uint8_t hash[SET_HASH_SIZE],
    const struct member *member);
/* A member that is there: its record. */
bool set_remove(struct set *set, const struct record *record);
/* Writes the head, in place of whatever its key holds; of an empty set removes
 * it.  At most 1 + REMAINS_CHANGES changes. */
bool set_store(struct set *set);

/* ---- As a kind of collection --------------------------------------------- */

bool set_shed(struct view *view, struct collection *head);
uint64_t set_parts(const struct collection *head);
void set_copy(struct view *view, const struct collection *from,
    const struct collection *to);

#endif
