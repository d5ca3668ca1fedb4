#include "buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

uint8_t *buffer_grow(struct buffer *buffer, size_t more)
{
    assert(buffer->size <= buffer->room && buffer->room <= buffer->max);
    if (more > buffer->max - buffer->size) {
        return NULL;
    }
    uint64_t room = buffer->room == 0 ? BUFFER_ROOM_MIN : buffer->room;
    while (room < buffer->size + more) {
        room *= 2;
    }
    room = room < buffer->max ? room : buffer->max;
    uint8_t *bytes = room == 0 ? NULL : realloc(buffer->bytes, room);
    if (bytes == NULL) {
        return NULL;
    }
    buffer->bytes = bytes;
    buffer->room = (uint32_t)room;
    return bytes + buffer->size;
}

bool buffer_append(struct buffer *buffer, const void *bytes, size_t size)
{
    if (size == 0) {
        return true;
    }
    uint8_t *end = buffer_reserve(buffer, size);
    if (end == NULL) {
        return false;
    }
    memcpy(end, bytes, size);
    buffer->size += (uint32_t)size;
    return true;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct buffer){.max = buffer->max};
}
