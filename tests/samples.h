/* samples.h: records that can be told by looking at them: a number makes the
 * key, number and version make the value.  So whoever finds one, in whatever
 * thread or file, can tell whether it is whole, and whether it is right. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include "kv_store.h"

/* "ab-00000000000000000123": two letters of a..c that follow from the number,
 * so that prefixes have something to find; numbers below 10^20. */
void sample_key(uint64_t number, uint8_t key[KV_KEY_SIZE]);
/* The number of such a key; false if it is none. */
bool sample_number(const uint8_t key[KV_KEY_SIZE], uint64_t *number);

/* Fills the block, zero-padded; returns the length, 16 to 256. */
uint16_t sample_value(
    uint64_t number, uint64_t version, uint8_t value[KV_VALUE_MAX]);
/* True if this is the value of number in some version. */
bool sample_check(uint64_t number, const uint8_t value[KV_VALUE_MAX],
    uint16_t value_len, uint64_t *version);

/* A request with the key; PUT has the value too. */
kv_message_t sample_request(int type, uint64_t number, uint64_t version);

#endif
