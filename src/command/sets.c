#include "command/sets.h"

#include <assert.h>

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

/* The last member's hash, taken off the array: when the block in the head is
 * used up, the one before it moves there.  False if the group is full. */
static bool pop_hash(
    struct view *view, struct collection *head, uint8_t hash[SET_HASH_SIZE])
{
    uint64_t last = head->count - 1;
    size_t place = (size_t)(last % SET_BLOCK) * SET_HASH_SIZE;
    memcpy(hash, head->rest + place, SET_HASH_SIZE);
    memset(head->rest + place, 0, SET_HASH_SIZE);
    if (place == 0 && last > 0) {
        uint8_t bytes[KV_KEY_SIZE];
        struct name name = block_name(view, head, last / SET_BLOCK - 1, bytes);
        const struct record *block = view_find_any(view, name);
        assert(block != NULL && block->kind == KIND_BLOCK);
        memcpy(head->rest, block->value, HEAD_REST);
        if (!collection_drop(view, name, KIND_BLOCK)) {
            return false;
        }
    }
    head->count = last;
    return true;
}

bool set_shed(struct view *view, struct collection *head)
{
    uint8_t hash[SET_HASH_SIZE];
    uint8_t bytes[KV_KEY_SIZE];
    assert(head->count > 0);
    return pop_hash(view, head, hash) &&
           collection_drop(
               view, member_name(view, head, hash, bytes), KIND_MEMBER);
}
