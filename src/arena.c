#include "arena.h"

#include <stdlib.h>

enum { BLOCK_SIZE = 32 * 1024, KEPT_MAX = 64 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* of bytes; 0: it holds something adopted */
    void *adopted;
    uint8_t *unused; /* for the alignment of bytes */
    uint8_t bytes[];
};

_Static_assert(
    sizeof(struct arena_block) % ARENA_UNIT == 0, "bytes are aligned");

/* The first block is empty. */
static void begin_block(struct arena *arena)
{
    arena->next = arena->blocks->bytes;
    arena->left = arena->blocks->size;
}

static struct arena_block *make_block(struct arena *arena, size_t size)
{
    struct arena_block *block = malloc(sizeof *block + size);
    if (block != NULL) {
        block->next = arena->blocks;
        block->size = size;
        block->adopted = NULL;
        arena->blocks = block;
        begin_block(arena);
        arena->held += size;
    }
    return block;
}

bool arena_more(struct arena *arena, size_t size)
{
    return make_block(arena, size > BLOCK_SIZE ? size : BLOCK_SIZE) != NULL;
}

/* Behind the block that is filled, so that this goes on being filled. */
bool arena_adopt(struct arena *arena, void *memory, size_t size)
{
    if (memory == NULL) {
        return true;
    }
    if (arena->blocks == NULL && make_block(arena, BLOCK_SIZE) == NULL) {
        return false;
    }
    struct arena_block *block = malloc(sizeof *block);
    if (block == NULL) {
        return false;
    }
    *block = (struct arena_block){
        .next = arena->blocks->next, .size = 0, .adopted = memory};
    arena->blocks->next = block;
    arena->held += size;
    return true;
}

static void free_from(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block->adopted);
        free(block);
        block = next;
    }
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = arena->blocks;
    if (kept == NULL) {
        return;
    }
    if (kept->size > KEPT_MAX) {
        arena_free(arena);
        return;
    }
    free_from(kept->next);
    kept->next = NULL;
    arena->held = kept->size;
    begin_block(arena);
}

void arena_free(struct arena *arena)
{
    free_from(arena->blocks);
    *arena = (struct arena){0};
}
