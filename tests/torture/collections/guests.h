/* guests.h: who else comes to the server beside the writers: those who add to
 * one number under WATCH, those who make large collections and leave them to
 * the sweep, in each way in which a key ends, and who asks for backups. */
#ifndef TORTURE_COLLECTIONS_GUESTS_H
#define TORTURE_COLLECTIONS_GUESTS_H

#include "support.h"

/* Numbers that the list of those that were added has, at the most. */
enum { ADDED_KEPT = 300 };

/* One of those who add: it knows how often it did. */
struct adder {
    uint16_t port;
    uint32_t pause_ms; /* between two */
    uint64_t added;    /* EXECs that were answered, since the last look */
    uint64_t unknown;  /* that were not */
    uint64_t refused;  /* since another came first */
    bool complained;
};
/* Adds until the connection ends. */
void adder_run(struct adder *adder);
/* Looks at the number, which was *total: it and the list of all numbers that
 * there were tell of everyone's additions.  False if one is missing, or there
 * without having been made. */
bool adders_check(
    struct adder *adders, uint32_t count, uint64_t *total, uint16_t port);

struct churner {
    uint16_t port;
    uint32_t number;
    uint32_t many;     /* members that one command adds */
    uint32_t pause_ms; /* between two collections */
    struct test_random random;
    uint64_t ended; /* collections */
    bool complained;
};
/* Makes and ends collections until the connection ends. */
void churner_run(struct churner *churner);

enum { CHURNER_KEYS = 6 };

struct saver {
    uint16_t port;
    uint64_t backups;
};
/* Has one written after the other until the connection ends. */
void backups_run(struct saver *saver);

#endif
