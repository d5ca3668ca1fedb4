#include "command/copy.h"

#include "command/lists.h"
#include "command/sets.h"

#include <assert.h>

enum { TAIL_SIZE = KV_KEY_SIZE - OWNER_SIZE };

/* The record with this tail, as it is, under the other owner. */
static const struct record *copy_part(struct view *view,
    const struct collection *from, const struct collection *to,
    const uint8_t tail[TAIL_SIZE])
{
    uint8_t old[KV_KEY_SIZE];
    uint8_t new[KV_KEY_SIZE];
    const struct record *record =
        view_find_any(view, collection_name(view, from, tail, old));
    assert(record != NULL);
    const struct part part = {
        .name = collection_name(view, to, tail, new),
        .kind = record->kind,
        .bytes = record->value,
        .size = record->value_len,
        .number = record->expire_ms,
    };
    bool put = collection_put(view, &part);
    assert(put);
    (void)put;
    return record;
}

static void copy_head(const struct collection *from, struct collection *to)
{
    memcpy(to->rest, from->rest, sizeof to->rest);
    to->count = from->count;
}

/* ---- Lists --------------------------------------------------------------- */

uint64_t copy_list_parts(const struct collection *head)
{
    return head->count;
}

void copy_list(
    struct view *view, const struct collection *from, struct collection *to)
{
    int64_t first;
    memcpy(&first, from->rest, sizeof first);
    for (uint64_t i = 0; i < from->count; i++) {
        int64_t position = first + (int64_t)i;
        uint8_t tail[TAIL_SIZE] = {0};
        memcpy(tail, &position, sizeof position);
        (void)copy_part(view, from, to, tail);
    }
    copy_head(from, to);
}

/* ---- Sets ---------------------------------------------------------------- */

/* Blocks that are records; the last one stands in the head. */
static uint64_t set_blocks(const struct collection *head)
{
    return (head->count - 1) / SET_BLOCK;
}

uint64_t copy_set_parts(const struct collection *head)
{
    return head->count + set_blocks(head);
}

static void block_tail(uint64_t number, uint8_t tail[TAIL_SIZE])
{
    memcpy(tail, &number, sizeof number);
    memset(tail + sizeof number, 0xff, TAIL_SIZE - sizeof number);
}

static void copy_members(struct view *view, const struct collection *from,
    const struct collection *to, const uint8_t *hashes, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        (void)copy_part(view, from, to, hashes + i * SET_HASH_SIZE);
    }
}

void copy_set(
    struct view *view, const struct collection *from, struct collection *to)
{
    uint64_t blocks = set_blocks(from);
    for (uint64_t i = 0; i < blocks; i++) {
        uint8_t tail[TAIL_SIZE];
        block_tail(i, tail);
        const struct record *block = copy_part(view, from, to, tail);
        copy_members(view, from, to, block->value, SET_BLOCK);
    }
    copy_members(view, from, to, from->rest, from->count - blocks * SET_BLOCK);
    copy_head(from, to);
}

/* ---- What a set holds ---------------------------------------------------- */

static const struct record *find_part(struct view *view,
    const struct collection *head, const uint8_t tail[TAIL_SIZE])
{
    uint8_t bytes[KV_KEY_SIZE];
    view_release(view);
    const struct record *record =
        view_find_any(view, collection_name(view, head, tail, bytes));
    assert(record != NULL);
    return record;
}

void copy_set_see(struct view *view, const struct collection *head,
    void (*see)(void *context, const struct record *record), void *context)
{
    uint64_t blocks = set_blocks(head);
    for (uint64_t i = 0; i < head->count; i++) {
        uint8_t tail[TAIL_SIZE];
        const uint8_t *hashes = head->rest;
        if (i / SET_BLOCK < blocks) {
            block_tail(i / SET_BLOCK, tail);
            hashes = find_part(view, head, tail)->value;
        }
        memcpy(tail, hashes + i % SET_BLOCK * SET_HASH_SIZE, SET_HASH_SIZE);
        see(context, find_part(view, head, tail));
    }
}
