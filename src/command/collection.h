/* collection.h: what all collections have in common: a head under the client's
 * key, members under inner ones, and how they end.
 *
 * The value of a head, and of remains, 256 bytes:
 *
 *     0    16   owner    names this collection and no other one that ever was:
 *                        the LSN at which it was made, and a number that counts
 *                        changes while the process lives
 *     16   8    count    of members
 *     24   1    kind     of the head
 *     25   7    zero
 *     32   224  what the kind needs: see list.h, set.h
 *
 * An inner key: the owner, and 16 bytes that the kind chooses.
 *
 * Whoever removes a head, or overwrites it, has remains left in its place: a
 * record that holds the head's value under the inner key of its owner and 16
 * bytes 0xff.  It counts as expired, so the sweep finds it, and takes away some
 * members at a time.  So removing a collection takes effect at once whatever
 * its size, and a capacity that is used up never prevents it: one member goes
 * at the same time.  Who finds the table full takes some more from what was
 * removed last, so the sweep need not be faster than those who remove.
 *
 * Every change of a collection writes its head anew, so its stamp tells
 * WATCH. */
#ifndef COMMAND_COLLECTION_H
#define COMMAND_COLLECTION_H

#include "view/view.h"

enum { OWNER_SIZE = 16, HEAD_REST = 224 };

struct collection {
    uint8_t owner[OWNER_SIZE];
    uint64_t count;
    uint8_t kind;
    uint8_t reserved[7];
    uint8_t rest[HEAD_REST];
};

_Static_assert(
    sizeof(struct collection) == KV_VALUE_MAX, "a head fills a value");

/* A kind of collection. */
struct collection_kind {
    uint8_t kind;
    /* Removes the records of one member, of the last one all that is left, and
     * counts down in *head, which is not stored.  False if the group is
     * full. */
    bool (*shed)(struct view *view, struct collection *head);
    /* How many inner records it has. */
    uint64_t (*parts)(const struct collection *head);
    /* Copies them to another owner.  There must be room for all. */
    void (*copy)(struct view *view, const struct collection *from,
        const struct collection *to);
};

/* The row of a kind that there is. */
const struct collection_kind *collection_kind(unsigned kind);

/* A head without members, with an owner of its own. */
void collection_begin(
    struct view *view, unsigned kind, struct collection *head);
void collection_read(const struct record *record, struct collection *head);
/* Writes and logs the head of a client's key; expire_ms as the record has it.
 * There must be room. */
bool collection_write(struct view *view, struct name name,
    const struct collection *head, int64_t expire_ms);

/* The inner name of one of its records; bytes gets the key and must stay. */
struct name collection_name(const struct view *view,
    const struct collection *head, const uint8_t tail[16],
    uint8_t bytes[KV_KEY_SIZE]);
/* Writes and logs, or removes and logs, one of its records.  False if the table
 * or the group is full. */
struct part {
    struct name name;
    unsigned kind;
    const void *bytes;
    size_t size;
    int64_t number; /* 0, or a negative one that the kind keeps with it */
    bool fresh;     /* there is no such record: nobody needs to look */
};
bool collection_put(struct view *view, const struct part *part);
/* The record as it is, under the other owner.  There must be room. */
void collection_copy(struct view *view, const struct record *record,
    const struct collection *to);
bool collection_drop(struct view *view, struct name name, unsigned kind);

/* The head's record is about to be removed or overwritten: what it needs for
 * that is at most REMAINS_CHANGES changes beside, and no record more than
 * there are.  False if the group is full. */
enum { REMAINS_CHANGES = 4, REMAINS_STEP = 512 };
bool remains_leave(struct view *view, const struct record *record);
/* Remembers where there are remains, for remains_reclaim. */
void remains_note(struct view *view, const uint8_t key[KV_KEY_SIZE]);
/* Takes away up to steps members of remains, and the record with the last one.
 * True if that was all. */
bool remains_shrink(
    struct view *view, const struct record *record, uint32_t steps);
/* Tries to make so many records free, by REMAINS_STEP members at the most, and
 * leaves room for so many changes.  False if the group has no room for these,
 * or one with more could do more. */
bool remains_reclaim(struct view *view, uint64_t records, uint64_t changes);

#endif
