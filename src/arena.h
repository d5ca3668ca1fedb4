/* arena.h: memory of many small things that are freed together.
 *
 * Not a heap: nothing is given back alone.  All zero is an empty one.  What it
 * holds is bounded by who fills it: a worker by what one turn receives. */
#ifndef ARENA_H
#define ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena_block;

enum { ARENA_UNIT = 16 };

struct arena {
    struct arena_block *blocks; /* the first is the one that is filled */
    uint8_t *next;              /* of it, what is taken next */
    size_t left;                /* bytes of it from there on */
    size_t held;                /* bytes of all of them */
};

/* Begins a block with room for size bytes.  False without memory. */
bool arena_more(struct arena *arena, size_t size);

/* size bytes for anything, or NULL. */
static inline void *arena_take(struct arena *arena, size_t size)
{
    size = (size + ARENA_UNIT - 1) / ARENA_UNIT * ARENA_UNIT;
    if ((size > arena->left || arena->blocks == NULL) &&
        !arena_more(arena, size)) {
        return NULL;
    }
    void *memory = arena->next;
    arena->next += size;
    arena->left -= size;
    return memory;
}

/* Takes over size bytes from malloc.  False, and they are the caller's still,
 * without memory to note them in.  NULL is fine. */
bool arena_adopt(struct arena *arena, void *memory, size_t size);
/* Frees all but one block, which is used again. */
void arena_reset(struct arena *arena);
/* Frees all. */
void arena_free(struct arena *arena);

#endif
