/* siphash.c: SipHash-1-3 of 32 bytes, SipHash-2-4-128 of any number.  The names
 * v0..v3 and the constants, the bytes of "somepseudorandomlygeneratedbytes",
 * are the paper's; what sets the long hash apart, 0xee and 0xdd, the reference
 * code's.
 *
 * A round is a chain of additions and rotations that wait for each other; four
 * inputs side by side, a lane of the wide registers each, take hardly longer
 * than one. */
#include "siphash.h"

#include "bytes.h"

/* The length closes the input: its low byte on top of the last word. */
#define CLOSING_WORD ((uint64_t)SIPHASH_INPUT_SIZE << 56)

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
    sip_word(&sip, CLOSING_WORD);
    sip.v2 ^= 0xff;
    for (int i = 0; i < 3; i++) {
        sip_round(&sip);
    }
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

#if defined(__x86_64__)

#include <immintrin.h>

#define WITH_AVX2 __attribute__((target("avx2")))

struct sip_lanes {
    __m256i v0;
    __m256i v1;
    __m256i v2;
    __m256i v3;
};

WITH_AVX2 static inline __m256i lanes_rotate(__m256i lanes, int bits)
{
    return _mm256_or_si256(
        _mm256_slli_epi64(lanes, bits), _mm256_srli_epi64(lanes, 64 - bits));
}

/* By half a word, which is an exchange. */
WITH_AVX2 static inline __m256i lanes_swap(__m256i lanes)
{
    return _mm256_shuffle_epi32(lanes, _MM_SHUFFLE(2, 3, 0, 1));
}

WITH_AVX2 static inline void lanes_round(struct sip_lanes *sip)
{
    sip->v0 = _mm256_add_epi64(sip->v0, sip->v1);
    sip->v2 = _mm256_add_epi64(sip->v2, sip->v3);
    sip->v1 = _mm256_xor_si256(lanes_rotate(sip->v1, 13), sip->v0);
    sip->v3 = _mm256_xor_si256(lanes_rotate(sip->v3, 16), sip->v2);
    sip->v0 = lanes_swap(sip->v0);
    sip->v2 = _mm256_add_epi64(sip->v2, sip->v1);
    sip->v0 = _mm256_add_epi64(sip->v0, sip->v3);
    sip->v1 = _mm256_xor_si256(lanes_rotate(sip->v1, 17), sip->v2);
    sip->v3 = _mm256_xor_si256(lanes_rotate(sip->v3, 21), sip->v0);
    sip->v2 = lanes_swap(sip->v2);
}

WITH_AVX2 static inline void lanes_word(struct sip_lanes *sip, __m256i word)
{
    sip->v3 = _mm256_xor_si256(sip->v3, word);
    lanes_round(sip);
    sip->v0 = _mm256_xor_si256(sip->v0, word);
}

WITH_AVX2 static inline __m256i load(const uint8_t *bytes)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)bytes);
}

WITH_AVX2 static void siphash13_lanes(const struct sip *begin,
    const uint8_t *const inputs[SIPHASH_LANES], uint64_t hashes[SIPHASH_LANES])
{
    struct sip_lanes sip = {_mm256_set1_epi64x((long long)begin->v0),
        _mm256_set1_epi64x((long long)begin->v1),
        _mm256_set1_epi64x((long long)begin->v2),
        _mm256_set1_epi64x((long long)begin->v3)};
    /* Words 0 and 2, and 1 and 3, of two inputs each; then one of all four. */
    __m256i even = _mm256_unpacklo_epi64(load(inputs[0]), load(inputs[1]));
    __m256i odd = _mm256_unpackhi_epi64(load(inputs[0]), load(inputs[1]));
    __m256i even2 = _mm256_unpacklo_epi64(load(inputs[2]), load(inputs[3]));
    __m256i odd2 = _mm256_unpackhi_epi64(load(inputs[2]), load(inputs[3]));
    lanes_word(&sip, _mm256_permute2x128_si256(even, even2, 0x20));
    lanes_word(&sip, _mm256_permute2x128_si256(odd, odd2, 0x20));
    lanes_word(&sip, _mm256_permute2x128_si256(even, even2, 0x31));
    lanes_word(&sip, _mm256_permute2x128_si256(odd, odd2, 0x31));
    lanes_word(&sip, _mm256_set1_epi64x((long long)CLOSING_WORD));
    sip.v2 = _mm256_xor_si256(sip.v2, _mm256_set1_epi64x(0xff));
    for (int i = 0; i < 3; i++) {
        lanes_round(&sip);
    }
    _mm256_storeu_si256((__m256i *)(void *)hashes,
        _mm256_xor_si256(_mm256_xor_si256(sip.v0, sip.v1),
            _mm256_xor_si256(sip.v2, sip.v3)));
}

#endif

void siphash13_four(const uint8_t secret[SIPHASH_SECRET_SIZE],
    const uint8_t *const inputs[SIPHASH_LANES], uint64_t hashes[SIPHASH_LANES])
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        struct sip begin = sip_begin(secret);
        siphash13_lanes(&begin, inputs, hashes);
        return;
    }
#endif
    for (size_t i = 0; i < SIPHASH_LANES; i++) {
        hashes[i] = siphash13(secret, inputs[i]);
    }
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
