/* stored.h: a storage of the test's own, in a directory of its own, with the
 * records of samples.h. */
#ifndef STORED_H
#define STORED_H

#include "disk.h"
#include "samples.h"
#include "storage/storage.h"

struct stored {
    struct disk disk;
    struct storage_options options; /* may be changed while it is closed */
    struct diag diag;
    struct storage *storage; /* NULL: closed */
    char why[STORAGE_WHY_MAX];
};

/* An empty directory, nothing open. */
void stored_make(struct stored *stored, kv_sync_t sync);
/* Closes it if it is open, and removes all. */
void stored_remove(struct stored *stored);
/* Each returns what storage_open or storage_close does. */
int stored_open(struct stored *stored);
int stored_close(struct stored *stored, bool backup);
/* Makes image of the files as they are at this moment, while stored is open:
 * what is left when a process is killed.  Nothing is open in image. */
void stored_crash(const struct stored *stored, struct stored *image);

/* Executes them as one batch and waits for the replies, each written over its
 * request.  Any thread. */
void stored_execute(
    struct stored *stored, kv_message_t *messages, uint32_t count);
/* Commits the batch, which storage_read has had, and waits until that is done.
 * Any thread. */
void stored_commit(struct storage *storage, struct batch *batch);
/* One request with the sample's key, a PUT with its value too; its status. */
kv_error_t stored_ask(
    struct stored *stored, int type, uint64_t number, uint64_t version);
/* The same with a decimal value: EXPIRE, ADD. */
kv_error_t stored_ask_number(
    struct stored *stored, int type, uint64_t number, int64_t argument);
/* NOT_FOUND, INTERNAL if the value is not that of the number, or SUCCESS. */
kv_error_t stored_get(
    struct stored *stored, uint64_t number, uint64_t *version);

/* Writes a backup and waits for it: 0 or -errno. */
int stored_backup(struct stored *stored, uint64_t *lsn);
void stored_stats(struct stored *stored, struct stats *stats);

/* Scans all; returns how many records there are, and of how many the value is
 * not that of the key. */
struct stored_sum {
    uint64_t records;
    uint64_t wrong;
};
struct stored_sum stored_scan(struct stored *stored);

#endif
