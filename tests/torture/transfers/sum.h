/* sum.h: the accounts of a bank, as somebody saw them. */
#ifndef TORTURE_SUM_H
#define TORTURE_SUM_H

#include "torture/transfers/bank.h"

#include "kv_store.h"

struct sum {
    uint64_t seen; /* bit i: account i */
    uint64_t accounts;
    uint64_t strange; /* seen twice, or without a number */
    int64_t total;
};

_Static_assert(BANK_ACCOUNTS == 64, "a bit for each account");

/* A request for an account. */
kv_message_t sum_request(int type, uint64_t account, int64_t argument);
/* The number in a message's value; false if it is none. */
bool sum_number(const kv_message_t *message, int64_t *number);
/* Adds a record, if it is an account. */
void sum_add(struct sum *sum, const kv_message_t *record);
/* True if every account was seen once and the total is right; if not, prints
 * what, and the sum. */
bool sum_right(const struct sum *sum, const char *what);

#endif
