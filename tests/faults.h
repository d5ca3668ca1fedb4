/* faults.h: the stores that tests/faults begins with, what is done to them, and
 * the tests of a disk that is full or breaks. */
#ifndef FAULTS_H
#define FAULTS_H

#include "faults_store.h"

enum { FAULTS_TEXT_MAX = 160 };

/* ---- faults_work.c ------------------------------------------------------- */

enum {
    FAULTS_NEW,  /* none at all: the directory is not there */
    FAULTS_USED, /* two backups, a log after them, a segment almost full; not
                    closed, as after a kill */
    FAULTS_TORN, /* the same, killed amid the write of a chain */
    FAULTS_STORES
};

struct faults_store {
    const char *name;
    char directory[TEST_PATH_MAX]; /* "": not there */
    struct journal journal;
    void (*make)(struct run *run); /* ends by killing itself; NULL: not made */
    void (*work)(struct run *run); /* with run's fault */
};

/* Fills stores[number] but for the journal, and sets run up for its make. */
void faults_prepare(struct faults_store *stores, uint32_t number,
    struct run *run, const char *directory);
/* Puts a copy of the store below directory and its journal into run. */
void faults_place(
    const struct faults_store *store, struct run *run, const char *directory);
/* What is left is opened without a fault, twice, and compared. */
void faults_verify(struct run *run);

/* ---- faults_disk.c ------------------------------------------------------- */

/* Works on a used store or a new one, without a fault but its own. */
struct faults_disk_test {
    const char *name; /* NULL closes the list */
    uint32_t store;
    bool verify; /* the journal tells what is there afterwards */
    void (*run)(struct run *run);
};

extern const struct faults_disk_test faults_disk[];

/* ---- faults_restore.c ---------------------------------------------------- */

void faults_restore(struct run *run);

#endif
