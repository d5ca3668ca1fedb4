/* world.h: the stores that are damaged: what was written to them, which
 * LSN each step ended with, and their files as a killed process left them. */
#ifndef DAMAGE_WORLD_H
#define DAMAGE_WORLD_H

#include "storage/storage.h"
#include "torture/damage/history.h"
#include "torture/damage/image.h"

enum world_name {
    WORLD_LOG,      /* a log of one segment, no backup */
    WORLD_UNSYNCED, /* the same with KV_SYNC=none */
    WORLD_BACKUPS,  /* two backups, and a log from the beginning */
    WORLD_SEGMENTS, /* a log of three segments, no backup */
    WORLD_REUSED, /* two backups; of the log, segments that were used before */
    WORLDS
};

struct world {
    enum world_name name;
    kv_sync_t sync;
    uint32_t steps;
    uint32_t batch;      /* messages of one commit, about */
    uint32_t backups[2]; /* steps after which one is written; 0: none */
    uint64_t *ends;      /* LSN of the last frame of each step */
    struct image image;
    struct image early; /* halfway between the backups, or in the middle */
    struct image other; /* of another store that was told the same */
    uint64_t last;      /* LSN */
    uint64_t marked;    /* up to which the log says that it was durable */
};

/* Writes it, in directories below parent. */
void world_make(struct world *world, enum world_name name, const char *parent);
void world_free(struct world *world);

/* The options that a world is opened with. */
struct storage_options world_options(
    const struct world *world, const char *directory);

/* True if some steps, and not half of one, end with lsn, marks behind them
 * included; *history: what they make. */
bool world_at(const struct world *world, uint64_t lsn, struct history *history);

/* The LSN that a name tells, behind prefix; false if it is none. */
bool world_name_lsn(const char *name, const char *prefix, uint64_t *lsn);
/* Up to which LSN marks in the logs of a directory say it was durable. */
uint64_t world_marked(int directory);

#endif
