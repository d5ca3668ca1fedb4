/* siphash.c: SipHash-1-3 of 32 bytes, SipHash-2-4-128 of any number.  The names
 * v0..v3 and the constants, the bytes of "somepseudorandomlygeneratedbytes",
 * are the paper's; what sets the long hash apart, 0xee and 0xdd, the reference
 * code's. */
#include "siphash.h"

#include "bytes.h"

struct sip {
    uint64_t v0;
    uint64_t v1;
    uint64_t v2;
    uint64_t v3;
};

static inline uint64_t rotate_left(uint64_t number, unsigned bits)
{
    return (number << bits) | (number >> (64 - bits));
}

static inline void sip_round(struct sip *sip)
{
    sip->v0 += sip->v1;
    sip->v2 += sip->v3;
    sip->v1 = rotate_left(sip->v1, 13) ^ sip->v0;
    sip->v3 = rotate_left(sip->v3, 16) ^ sip->v2;
    sip->v0 = rotate_left(sip->v0, 32);
    sip->v2 += sip->v1;
    sip->v0 += sip->v3;
    sip->v1 = rotate_left(sip->v1, 17) ^ sip->v2;
    sip->v3 = rotate_left(sip->v3, 21) ^ sip->v0;
    sip->v2 = rotate_left(sip->v2, 32);
}

static inline void sip_word(struct sip *sip, uint64_t word)
{
    sip->v3 ^= word;
    sip_round(sip);
    sip->v0 ^= word;
}

static struct sip sip_begin(const uint8_t secret[SIPHASH_SECRET_SIZE])
{
    uint64_t k0 = bytes_u64(secret);
    uint64_t k1 = bytes_u64(secret + 8);
    return (struct sip){k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
        k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u};
}

uint64_t siphash13(const uint8_t secret[SIPHASH_SECRET_SIZE],
    const uint8_t input[SIPHASH_INPUT_SIZE])
{
    struct sip sip = sip_begin(secret);
    for (size_t i = 0; i < SIPHASH_INPUT_SIZE; i += 8) {
        sip_word(&sip, bytes_u64(input + i));
    }
    /* The length closes the input: its low byte on top of the last word. */
    sip_word(&sip, (uint64_t)SIPHASH_INPUT_SIZE << 56);
    sip.v2 ^= 0xff;
    for (int i = 0; i < 3; i++) {
        sip_round(&sip);
    }
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

static void sip_word_twice(struct sip *sip, uint64_t word)
{
    sip->v3 ^= word;
    sip_round(sip);
    sip_round(sip);
    sip->v0 ^= word;
}

static uint64_t sip_finish(struct sip *sip)
{
    for (int i = 0; i < 4; i++) {
        sip_round(sip);
    }
    return sip->v0 ^ sip->v1 ^ sip->v2 ^ sip->v3;
}

void siphash24_long(const uint8_t secret[SIPHASH_SECRET_SIZE],
    const void *bytes, size_t size, uint8_t hash[SIPHASH_LONG_SIZE])
{
    const uint8_t *at = bytes;
    struct sip sip = sip_begin(secret);
    uint64_t word = 0;
    size_t rest = size % sizeof word;
    sip.v1 ^= 0xee;
    for (const uint8_t *end = at + (size - rest); at < end; at += 8) {
        sip_word_twice(&sip, bytes_u64(at));
    }
    memcpy(&word, at, rest);
    sip_word_twice(&sip, word | (uint64_t)size << 56);
    sip.v2 ^= 0xee;
    uint64_t low = sip_finish(&sip);
    sip.v1 ^= 0xdd;
    uint64_t high = sip_finish(&sip);
    memcpy(hash, &low, sizeof low);
    memcpy(hash + sizeof low, &high, sizeof high);
}
