#include "command/lists.h"

#include <assert.h>

_Static_assert(sizeof(int64_t) <= HEAD_REST, "the first position");

static int64_t first_of(const struct collection *head)
{
    int64_t first;
    memcpy(&first, head->rest, sizeof first);
    return first;
}

static void set_first(struct collection *head, int64_t first)
{
    memcpy(head->rest, &first, sizeof first);
}

/* The name of the element at a position; bytes gets the key. */
static struct name element_name(const struct view *view,
    const struct collection *head, int64_t position, uint8_t bytes[KV_KEY_SIZE])
{
    uint8_t tail[KV_KEY_SIZE - OWNER_SIZE] = {0};
    memcpy(tail, &position, sizeof position);
    return collection_name(view, head, tail, bytes);
}

bool list_shed(struct view *view, struct collection *head)
{
    uint8_t bytes[KV_KEY_SIZE];
    int64_t first = first_of(head);
    assert(head->count > 0);
    if (!collection_drop(
            view, element_name(view, head, first, bytes), KIND_ELEMENT)) {
        return false;
    }
    set_first(head, first + 1);
    head->count--;
    return true;
}
