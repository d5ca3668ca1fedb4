/* model.h: what a store does, without a log, threads or files: an array of
 * entries.  A request is decoded by whoever made it: he knows what is wrong in
 * it.
 *
 * Of an expiry the model knows two times between which it ends, since the
 * engine has a clock of its own; of records whose expiry is over it is told. */
#ifndef MODEL_H
#define MODEL_H

#include "bytes.h"
#include "kv_store.h"

enum { MODEL_KEYS = 40 };

struct model_entry {
    bool there;
    uint16_t value_len;
    uint8_t value[KV_VALUE_MAX];
    int64_t expire_min_ms; /* it expires between the two; 0: never */
    int64_t expire_max_ms;
};

/* A request, and what is wrong with it: KV_SUCCESS if nothing. */
struct model_request {
    kv_message_t message;
    unsigned verb;
    bool linked;
    uint64_t number; /* of its key, a sample's */
    int64_t argument;
    kv_error_t refused;
};

/* What is expected of a reply. */
struct model_reply {
    kv_error_t status;
    bool number; /* from least to most, in decimal; else the value */
    int64_t least;
    int64_t most;
    uint16_t value_len;
    uint8_t value[KV_VALUE_MAX];
};

struct model {
    uint64_t capacity;
    bool swept;     /* nothing that has expired is still held */
    int64_t now_ms; /* when the batch is executed, at the earliest */
    struct model_entry entries[MODEL_KEYS];
};

/* Executes a batch. */
void model_apply(struct model *model, const struct model_request *requests,
    struct model_reply *replies, uint32_t count);
/* Tells how long at most the batch took. */
void model_settle(struct model *model, int64_t took_ms);
uint64_t model_count(const struct model *model);

#endif
