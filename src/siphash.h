/* siphash.h: SipHash-1-3, a keyed hash: who does not know the secret cannot
 * choose keys that collide.  After J.-P. Aumasson and D. J. Bernstein,
 * "SipHash: a fast short-input PRF", 2012; one compression round and three of
 * finalisation, for inputs of exactly 32 bytes.  And SipHash-2-4 with 128 bits
 * of output, as the authors' reference code has it, for inputs of any size. */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <stddef.h>
#include <stdint.h>

enum {
    SIPHASH_SECRET_SIZE = 16,
    SIPHASH_INPUT_SIZE = 32,
    SIPHASH_LANES = 4,
    SIPHASH_LONG_SIZE = 16
};

uint64_t siphash13(const uint8_t secret[SIPHASH_SECRET_SIZE],
    const uint8_t input[SIPHASH_INPUT_SIZE]);

/* The same of four inputs, which may overlap, at once. */
void siphash13_four(const uint8_t secret[SIPHASH_SECRET_SIZE],
    const uint8_t *const inputs[SIPHASH_LANES], uint64_t hashes[SIPHASH_LANES]);

void siphash24_long(const uint8_t secret[SIPHASH_SECRET_SIZE],
    const void *bytes, size_t size, uint8_t hash[SIPHASH_LONG_SIZE]);

#endif
