#include "torture/history/worlds.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_LEAST = 64 };

static uint64_t hash_of(const struct world *world)
{
    uint64_t hash = world->done;
    for (uint32_t i = 0; i < LINEAR_KEYS_MAX; i++) {
        hash = (hash ^ (uint64_t)world->values[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash;
}

/* The place in the index where the world stands, or would. */
static uint64_t *place_of(
    const struct worlds *worlds, const struct world *world)
{
    uint64_t mask = 2 * (uint64_t)worlds->room - 1;
    uint64_t at = hash_of(world) & mask;
    for (;; at = (at + 1) & mask) {
        uint64_t entry = worlds->index[at];
        if (entry >> 32 != worlds->generation) {
            return &worlds->index[at];
        }
        const struct world *other = &worlds->worlds[(uint32_t)entry];
        if (memcmp(other, world, sizeof *world) == 0) {
            return &worlds->index[at];
        }
    }
}

static void note(struct worlds *worlds, uint32_t number)
{
    uint64_t *place = place_of(worlds, &worlds->worlds[number]);
    *place = (uint64_t)worlds->generation << 32 | number;
}

static bool grow(struct worlds *worlds)
{
    uint32_t room = worlds->room == 0 ? ROOM_LEAST : 2 * worlds->room;
    uint64_t *index = NULL;
    struct world *more = NULL;
    if (worlds->room < worlds->count_max) {
        index = calloc(2 * (size_t)room, sizeof *index);
        more = realloc(worlds->worlds, room * sizeof *more);
    }
    if (more != NULL) {
        worlds->worlds = more;
    }
    if (index == NULL || more == NULL) {
        free(index);
        return false;
    }
    free(worlds->index);
    worlds->index = index;
    worlds->room = room;
    worlds->generation = 1;
    for (uint32_t i = 0; i < worlds->count; i++) {
        note(worlds, i);
    }
    return true;
}

bool worlds_add(struct worlds *worlds, const struct world *world)
{
    if (worlds->count == worlds->count_max ||
        (worlds->count == worlds->room && !grow(worlds))) {
        return false;
    }
    uint64_t *place = place_of(worlds, world);
    if (*place >> 32 != worlds->generation) {
        worlds->worlds[worlds->count] = *world;
        *place = (uint64_t)worlds->generation << 32 | worlds->count;
        worlds->count++;
    }
    return true;
}

void worlds_empty(struct worlds *worlds)
{
    worlds->count = 0;
    worlds->generation++;
    if (worlds->generation == 0) {
        memset(
            worlds->index, 0, 2 * (size_t)worlds->room * sizeof *worlds->index);
        worlds->generation = 1;
    }
}

void worlds_free(struct worlds *worlds)
{
    free(worlds->worlds);
    free(worlds->index);
    *worlds = (struct worlds){.count_max = worlds->count_max};
}
