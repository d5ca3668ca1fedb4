/* faults_store.h: what tests/faults lets a store do, and what it must hold
 * then: a journal of what was asked and what was acknowledged.
 *
 * The journal lies in memory that is shared, so that it outlives a process that
 * is killed.  A cell is a key and the number that its value stands for:
 *  1. sure: the last that was acknowledged.
 *  2. doubtful: maybe was asked for, and it is not known whether it is there:
 *     the process was killed, or the answer was INTERNAL.
 *  3. What a store shows while it is open is sure; what it shows when it was
 *     opened is sure, or maybe where that is doubtful; and either from then on.
 *  4. After a loss of power it is as the history says.
 * A chain's cells are asked for as one, and become what they are together. */
#ifndef FAULTS_STORE_H
#define FAULTS_STORE_H

#include "faults_calls.h"
#include "faults_history.h"
#include "kv_store.h"
#include "support.h"

enum {
    CELL_PUT = 0,   /* single PUTs and DELETEs */
    CELL_CHAIN = 6, /* written by chains of this many, and more below */
    CHAIN_CELLS = 3,
    CELL_SUM = CELL_CHAIN + CHAIN_CELLS, /* changed by ADD */
    CELL_MANY = CELL_SUM + 1,            /* many in one batch, or chain */
    MANY_CELLS = 60,
    CELL_COUNT = CELL_MANY + MANY_CELLS,
    CELL_ABSENT = -1
};

struct cell {
    int64_t sure;
    int64_t maybe;
    bool doubtful;
};

struct journal {
    struct cell cells[CELL_COUNT];
    int64_t last; /* number handed out */
    struct history history;
};

/* One run: a store in a process, with one fault or none. */
struct run {
    struct journal journal;
    const struct fault *fault; /* NULL: none */
    uint32_t nth;
    kv_sync_t sync;
    char directory[TEST_PATH_MAX];
    bool broken;     /* a sync failed: nothing more may be acknowledged */
    bool struck;     /* the fault did, in this process or the one before */
    bool complained; /* something was not as it must be */
    char refusal[KV_VALUE_MAX + 1]; /* what the last one said */
};

struct span {
    uint32_t first;
    uint32_t count;
    bool chain;
};

/* True if nobody may notice the fault: the call is made again, or something
 * else in its place. */
bool fault_unseen(const struct fault *fault);

/* Empties the journal; lets its history begin where the cells are now. */
void journal_init(struct journal *journal);
void journal_begin(struct journal *journal);

/* Prints what is wrong, with the run that it is wrong in. */
void run_complain(struct run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Opens the store and compares it with the journal.  Where the fault strikes
 * it may fail, but only with a sentence; the next attempt must do, without the
 * fault if that lasts.  NULL after a complaint. */
kv_store_t *run_open(struct run *run);
/* The same without any fault. */
kv_store_t *run_open_plainly(struct run *run);

/* Each writes, and judges the answer; cells that are doubtful are left out. */
void run_put(struct run *run, kv_store_t *store, const struct span *span);
void run_delete(struct run *run, kv_store_t *store, uint32_t cell);
void run_add(struct run *run, kv_store_t *store);
/* A chain whose last condition does not hold. */
void run_fail_chain(struct run *run, kv_store_t *store);
void run_backup(struct run *run, kv_store_t *store, uint64_t *lsn);

/* Every cell, the count and a scan show what the journal says. */
void run_compare(struct run *run, kv_store_t *store);

/* No file is left that should not be there. */
void run_check_files(struct run *run);

#endif
