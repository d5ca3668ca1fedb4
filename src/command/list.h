/* list.h: a list as its commands work on it: an array of positions.
 *
 * Element number i has the position first + i, and its record the inner key of
 * owner and position; so both ends, LINDEX and LSET cost the same whatever the
 * length.  An insertion or a removal within it moves the elements of the
 * shorter side.
 *
 *     head's rest:  0   8   first: position of the first element, signed
 *     inner key:    16  8   position; 24  8  zero
 *     element:      the record's value
 *
 * 1. A head with count 0 does not exist: the last element takes it along.
 * 2. While a list is open, struct list has the head as it will be;
 *    list_store writes it, once, as the last of the changes.
 * 3. Who changes has asked call_fits before: what changes here cannot fail,
 *    but where it says so. */
#ifndef COMMAND_LIST_H
#define COMMAND_LIST_H

#include "command/call.h"
#include "command/collection.h"

/* As a kind of collection. */
bool list_shed(struct view *view, struct collection *head);
uint64_t list_parts(const struct collection *head);
void list_copy(struct view *view, const struct collection *from,
    const struct collection *to);

struct list {
    struct key key;
    struct collection head; /* count 0: there is no such list */
    int64_t expire_ms;
    bool stored; /* the key has a record, be it one that has expired */
};

enum list_end { LIST_LEFT, LIST_RIGHT };

/* An element's value, apart from its record. */
struct list_value {
    size_t size;
    uint8_t bytes[KV_VALUE_MAX];
};

/* ---- Reading ------------------------------------------------------------- */

/* Opens the list whose key is argument number i.  False if it is something
 * else: the reply says so. */
bool list_find(struct call *call, uint32_t i, struct list *list);

/* The length, as a number to reckon with. */
static inline int64_t list_length(const struct list *list)
{
    return (int64_t)list->head.count;
}

/* The elements from start to stop, both as clients give them: negative ones
 * count from the end.  Returns how many there are; *first is the first. */
int64_t list_clip(
    const struct list *list, int64_t start, int64_t stop, int64_t *first);

/* Element number i, which there is.  It stays until it is changed. */
const struct record *list_at(
    struct call *call, const struct list *list, int64_t i);

/* A walk over elements, each way.  The records of a block are asked for
 * together, so it waits for the memory once a block and not once an element.
 * What it has not come to yet must not be changed meanwhile. */
enum { LIST_BLOCK = 16 };
struct list_walk {
    const struct list *list;
    int64_t next; /* number of the next element that is not in the block */
    int64_t left; /* how many there are from it on */
    int step;     /* 1, or -1: backwards */
    unsigned used;
    unsigned filled;
    struct name names[LIST_BLOCK];
    uint8_t keys[LIST_BLOCK][KV_KEY_SIZE];
};
/* From element number i on, count of them; all of them exist. */
void list_walk(
    struct list_walk *walk, const struct list *list, int64_t i, int64_t count);
void list_walk_back(
    struct list_walk *walk, const struct list *list, int64_t i, int64_t count);
/* The next element; NULL behind the last. */
const struct record *list_walk_next(struct call *call, struct list_walk *walk);

/* ---- Changing ------------------------------------------------------------ */

/* Changes that list_begin makes at the most. */
enum { LIST_BEGIN_CHANGES = REMAINS_CHANGES };

/* Makes a list that there is not: what has expired under its key leaves its
 * remains. */
void list_begin(struct call *call, struct list *list);
/* Writes element number i, which may be one beyond either end: there list_grow
 * makes it part of the list.  One change; bytes may be another element's. */
void list_put(struct call *call, const struct list *list, int64_t i,
    const void *bytes, size_t size);
/* Removes the record of element number i.  One change; list_shrink makes the
 * list shorter. */
void list_drop(struct call *call, const struct list *list, int64_t i);
void list_grow(struct list *list, enum list_end end);
void list_shrink(struct list *list, enum list_end end, int64_t count);

/* Adds an element at an end.  One change. */
void list_push(struct call *call, struct list *list, enum list_end end,
    const void *bytes, size_t size);
/* Takes away the element at an end, of which there is one.  One change. */
void list_take(struct call *call, struct list *list, enum list_end end,
    struct list_value *value);
/* Writes the head, or takes it away with the last element.  One change. */
void list_store(struct call *call, const struct list *list);

/* Leaves count elements from number i on, and stores the list.  False if that
 * does not fit, as call_fits. */
bool list_keep(struct call *call, struct list *list, int64_t i, int64_t count);

/* The way out where too many elements go: those that stay are written into a
 * list of another owner, and all of the old one becomes remains.  True if so
 * many, not none, fit. */
bool list_renewal_fits(const struct call *call, int64_t count);
/* Begins it: with the same key and expiry, empty. */
void list_renew(
    struct call *call, const struct list *list, struct list *renewed);
/* Ends it, and stores the new one. */
void list_replace(struct call *call, const struct list *renewed);

#endif
