/* audit.h: goes through all records of a store and looks whether its
 * collections are whole: each inner record belongs to one head or to remains,
 * what heads count is there, positions and numbers have no gaps.
 *
 * It knows the layouts of command/list.h and command/set.h, and no function
 * that makes them. */
#ifndef AUDIT_H
#define AUDIT_H

#include "storage/storage.h"

enum { AUDIT_WHY_MAX = 256 };

struct audit {
    uint64_t strings; /* records that are there, expired or not */
    uint64_t lists;
    uint64_t sets;
    uint64_t remains;
    uint64_t inner;  /* records that are not under a client's key */
    uint64_t owned;  /* of these: those that heads and remains account for */
    uint64_t faults; /* things that are not right */
    char why[AUDIT_WHY_MAX]; /* the first of them */
};

/* Of a store that nobody changes meanwhile.  True if all is right. */
bool audit_storage(struct storage *storage, struct audit *audit);
/* Of the store in a directory as it would be opened; changes nothing there.  A
 * store that cannot be opened is a fault. */
bool audit_directory(const char *path, struct audit *audit);

#endif
