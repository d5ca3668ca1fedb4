/* arena.h: memory of many small things that are freed together.
 *
 * Not a heap: nothing is given back alone.  All zero is an empty one.  What it
 * holds is bounded by who fills it: a worker by what one turn receives. */
#ifndef ARENA_H
#define ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* the first is the one that is filled */
    size_t used;                /* bytes of it */
    size_t held;                /* bytes of all of them */
};

/* size bytes for anything, or NULL. */
void *arena_take(struct arena *arena, size_t size);
/* Takes over size bytes from malloc.  False, and they are the caller's still,
 * without memory to note them in.  NULL is fine. */
bool arena_adopt(struct arena *arena, void *memory, size_t size);
/* Frees all but one block, which is used again. */
void arena_reset(struct arena *arena);
/* Frees all. */
void arena_free(struct arena *arena);

#endif
