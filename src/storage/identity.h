/* identity.h: whose data a directory holds; see identity.c. */
#ifndef STORAGE_IDENTITY_H
#define STORAGE_IDENTITY_H

#include "head.h"

#include <stdbool.h>

/* The identity in hash.key, and whether it says that a log has begun: 0,
 * -ENOENT, -EUCLEAN if it is damaged, or another -errno. */
int identity_read(
    int directory, uint8_t identity[HEAD_IDENTITY_SIZE], bool *begun);

#endif
