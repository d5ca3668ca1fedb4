/* buffer.h: bytes that grow up to a bound.
 *
 * Not a queue: what has been used at the front is its user's to move.  All
 * zero but max is an empty one, which holds no memory.
 *
 * 1. size <= room <= max.
 * 2. What fails leaves it as it was. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BUFFER_ROOM_MIN = 256 }; /* of the first allocation, if max allows */

struct buffer {
    uint8_t *bytes;
    uint32_t size;
    uint32_t room;
    uint32_t max;
};

/* buffer_reserve, where the room does not suffice. */
uint8_t *buffer_grow(struct buffer *buffer, size_t more);

/* Makes room for more bytes behind size, and returns where they go; size is
 * the caller's to raise.  The room doubles, so appending costs linear time.
 * NULL if max would be passed or memory is out.  What was in it may have
 * moved. */
static inline uint8_t *buffer_reserve(struct buffer *buffer, size_t more)
{
    if (more <= buffer->room - buffer->size && buffer->bytes != NULL) {
        return buffer->bytes + buffer->size;
    }
    return buffer_grow(buffer, more);
}

/* False where buffer_reserve returns NULL; never so for no bytes. */
bool buffer_append(struct buffer *buffer, const void *bytes, size_t size);

/* Empty again, without memory; max stays. */
void buffer_free(struct buffer *buffer);

#endif
