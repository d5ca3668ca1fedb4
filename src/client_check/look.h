/* look.h: what one look at a data directory has found. */
#ifndef CLIENT_CHECK_LOOK_H
#define CLIENT_CHECK_LOOK_H

#include "backup/backup.h"
#include "wal/wal.h"

enum {
    PROBLEMS_MAX = 12, /* more are left out */
    PROBLEM_SIZE = 1024
};

enum kind { OF_BACKUP, OF_LOG, OF_OLDER_LOG, OF_STORE };

struct problem {
    enum kind kind; /* with lsn, what tells one from another */
    uint64_t lsn;
    char text[PROBLEM_SIZE];
};

struct found_backup {
    struct backup_head head;
    bool valid;
};

/* What one look has found. */
struct look {
    bool running; /* a server has the directory open */
    int key;      /* of hash.key: 0, -ENOENT, -EUCLEAN, other -errno */
    uint8_t identity[WAL_IDENTITY_SIZE];
    struct backup_list list;
    struct found_backup backups[BACKUP_LIST_MAX];
    uint32_t count;  /* of them */
    uint32_t valid;  /* of them */
    uint64_t newest; /* LSN of the newest valid one; 0: none */
    uint64_t oldest;

    uint64_t segments;
    uint64_t segment_bytes;
    uint64_t first_lsn; /* of the log */
    uint64_t last_first_lsn;
    struct wal_end end;
    uint64_t replayed; /* frames behind the newest backup */
    bool broken;       /* recovery would refuse the log */
    uint32_t problems;
    struct problem found[PROBLEMS_MAX];
};

/* Looks.  False, with a message, if there is nothing to look at. */
bool look_around(struct look *look, int directory, const char *path);

/* ---- report.c ------------------------------------------------------------ */

/* Prints it; the exit status that it means. */
int report_print(const struct look *look, const char *path);

#endif
