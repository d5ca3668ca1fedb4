/* bank.h: accounts whose sum never changes, and all who come to them at once:
 * writers who transfer from one to another, readers who look at all of them,
 * others who fill and empty the table beside them, and backups.
 *
 * A transfer is a chain: two ADDs; or EXPECTs of what was read before and two
 * PUTs.  Whoever sees the accounts at one instant, in a chain of GETs or in a
 * backup, must find all of them and the same sum. */
#ifndef TORTURE_BANK_H
#define TORTURE_BANK_H

#include <pthread.h>

#include "support.h"

enum {
    BANK_ACCOUNTS = 64, /* one chain reads them */
    BANK_BALANCE = 1000,
    BANK_FILL = 30000 /* other records, at the most */
};

enum { BANK_BACKUPS_MAX = 16, BANK_VISITORS = 9 };

struct bank_visitor;

struct bank {
    uint16_t port;
    int directory; /* the server's, a descriptor */
    uint64_t seed;
    struct bank_visitor *visitors;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t moved;
    bool over;
    uint32_t running; /* threads */
    uint64_t transfers;
    uint64_t refused; /* transfers whose EXPECT did not hold */
    uint64_t looks;
    uint64_t filled;
    uint64_t sums;   /* that were looked at, in chains and in backups */
    uint64_t wrong;  /* of these */
    uint64_t errors; /* else */
    uint64_t backups[BANK_BACKUPS_MAX]; /* LSNs, of the last ones */
    uint32_t backups_claimed;           /* since bank_run */
    uint64_t backups_right;
    uint64_t backup_records; /* most in one */
};

void bank_init(struct bank *bank, uint64_t seed);
void bank_free(struct bank *bank);

/* Opens all accounts in one chain.  False, with a complaint printed, if that
 * fails. */
bool bank_open(uint16_t port);
/* Reads all accounts in one chain.  False, with a complaint printed, if the sum
 * or their number is wrong. */
bool bank_audit(uint16_t port);
/* A figure of STATS; 0 if there is none. */
uint64_t bank_figure(uint16_t port, const char *name);

/* All come to the server at that port. */
void bank_run(struct bank *bank, uint16_t port, int directory);
/* Waits until so many more backups were checked, or until something is wrong.
 * False if so. */
bool bank_await(struct bank *bank, uint32_t backups);
/* After the server was killed: waits for all threads. */
void bank_join(struct bank *bank);

#endif
