/* beside.h: a file that is written beside the one whose name it is to have, and
 * takes that name when it is whole and on disk: who reads the name finds the
 * old file or the new one, never a part.
 *
 * 1. Whatever ends the writing before beside_finish leaves the old file alone.
 * 2. A process that is killed leaves NAME.<random>.part. */
#ifndef BESIDE_H
#define BESIDE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

struct beside {
    int directory;
    int fd;
    uint64_t size;
    char name[NAME_MAX + 1];
    char part[NAME_MAX + 1];
};

/* Each returns 0 or -errno. */
int beside_begin(struct beside *beside, const char *path);
int beside_write(struct beside *beside, const void *bytes, size_t size);
/* Whatever it returns, *beside is over. */
int beside_finish(struct beside *beside);
void beside_abandon(struct beside *beside);

#endif
