/* look.h: what one look at a data directory has found. */
#ifndef CLIENT_CHECK_LOOK_H
#define CLIENT_CHECK_LOOK_H

#include "backup/backup.h"
#include "wal/wal.h"

#define LOCK_FILE "lock"

enum {
    PROBLEMS_MAX = 12, /* more are left out */
    PROBLEM_SIZE = 1024
};

enum file_kind { OF_BACKUP, OF_LOG, OF_OLDER_LOG, OF_STORE };

struct problem {
    enum file_kind kind; /* with lsn, what tells one from another */
    uint64_t lsn;
    char text[PROBLEM_SIZE];
};

struct found_backup {
    struct backup_head head;
    bool valid;
};

/* What one look has found. */
struct look {
    bool running; /* another process has the directory open */
    int key;      /* of hash.key: 0, -ENOENT, -EUCLEAN, other -errno */
    bool begun;   /* it says that a log has begun */
    uint8_t identity[WAL_IDENTITY_SIZE];
    struct backup_list list;
    struct found_backup backups[BACKUP_LIST_MAX];
    uint32_t count;  /* of them */
    uint32_t valid;  /* of them */
    uint64_t newest; /* LSN of the newest valid one; 0: none */
    uint64_t oldest;
    uint64_t named; /* LSN up to which they tell that the log was durable */

    uint64_t segments;
    uint64_t first_lsn; /* of the log */
    struct wal_end end;
    uint64_t replayed; /* frames behind the newest backup */
    bool broken;       /* recovery would refuse the log */
    bool counted;      /* records is what recovery would find */
    uint64_t records;
    uint32_t problems;
    struct problem found[PROBLEMS_MAX];
};

/* Looks.  locked: this process has the directory's lock.  False, with a
 * message, if there is nothing to look at. */
bool look_around(
    struct look *look, int directory, const char *path, bool locked);
/* Looks at backups and log alone, of the store with this identity.  0 or
 * -errno. */
int look_as(struct look *look, int directory,
    const uint8_t identity[WAL_IDENTITY_SIZE]);
/* A wal_sink's: refuses frames of a type that is not known here, and counts in
 * the look, its context, those behind the newest backup. */
int look_take(void *context, const struct frame *frames, uint32_t count,
    char why[WAL_WHY_MAX]);

/* ---- report.c ------------------------------------------------------------ */

/* Prints it; the exit status that it means. */
int report_print(const struct look *look, const char *path);

#endif
