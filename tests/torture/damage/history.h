/* history.h: what a store is told, step by step, and what it holds
 * afterwards: both follow from the number of the step, so that the state after
 * each LSN is known without asking the store. */
#ifndef DAMAGE_HISTORY_H
#define DAMAGE_HISTORY_H

#include <stdbool.h>

#include "kv_store.h"

enum {
    HISTORY_TEXTS = 20, /* keys of texts */
    HISTORY_SUMS = 4,   /* keys of numbers */
    HISTORY_KEYS = HISTORY_TEXTS + HISTORY_SUMS,
    HISTORY_STEP_MAX = 3 /* messages of one step: a chain */
};

struct history_record {
    bool there;
    int64_t sum; /* of a number */
    uint16_t length;
    uint8_t value[KV_VALUE_MAX];
};

struct history {
    struct history_record records[HISTORY_KEYS];
};

/* Takes the step, and makes the messages that ask for it; returns how many.
 * Each changes something, so each becomes a frame. */
uint32_t history_step(struct history *history, uint64_t number,
    kv_message_t messages[HISTORY_STEP_MAX]);
uint32_t history_count(const struct history *history);
/* True if the record is there, exactly so. */
bool history_has(const struct history *history, const kv_message_t *record);

#endif
