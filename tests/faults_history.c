#include "faults_history.h"

#include <assert.h>
#include <string.h>

void history_begin(struct history *history, uint32_t cells)
{
    assert(cells <= HISTORY_CELLS_MAX);
    history->cells = cells;
    history->count = 0;
    history->acknowledged = 0;
    history->durable = 0;
}

void history_ask(
    struct history *history, uint32_t cell, int64_t number, bool linked)
{
    assert(cell < history->cells);
    if (history->count < HISTORY_MAX) {
        struct asked *asked = &history->asked[history->count++];
        asked->cell = cell;
        asked->number = number;
        asked->linked = linked;
    }
}

bool history_matches(
    const struct history *history, const int64_t *numbers, uint32_t least)
{
    int64_t cells[HISTORY_CELLS_MAX];
    size_t size = history->cells * sizeof cells[0];
    assert(history->count < HISTORY_MAX);
    memcpy(cells, history->base, size);
    for (uint32_t i = 0;; i++) {
        bool whole = i == 0 || !history->asked[i - 1].linked;
        if (i >= least && whole && memcmp(cells, numbers, size) == 0) {
            return true;
        }
        if (i == history->count) {
            return false;
        }
        cells[history->asked[i].cell] = history->asked[i].number;
    }
}
