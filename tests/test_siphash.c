/* The measure is the paper's description, written out for any length and any
 * number of rounds, and itself measured by the paper's own vector. */
#include "siphash.h"

#include <string.h>

#include "support.h"

static uint64_t rotate(uint64_t number, int bits)
{
    return (number << bits) | (number >> (64 - bits));
}

static void rounds(uint64_t v[4], int count)
{
    for (int i = 0; i < count; i++) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13);
        v[1] ^= v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16);
        v[3] ^= v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21);
        v[3] ^= v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17);
        v[1] ^= v[2];
        v[2] = rotate(v[2], 32);
    }
}

/* Byte i of the padded input: zeros, and the length in the very last byte. */
static uint64_t padded_word(const uint8_t *input, size_t size, size_t word)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < 8; i++) {
        size_t at = word * 8 + i;
        uint64_t byte = at < size ? input[at] : 0;
        if (at == size / 8 * 8 + 7) {
            byte = size & 0xff;
        }
        sum |= byte << (8 * i);
    }
    return sum;
}

struct variant {
    int compression;
    int finalisation;
};

static uint64_t siphash_by_the_paper(struct variant variant,
    const uint8_t secret[16], const uint8_t *input, size_t size)
{
    static const char constants[] = "uespemosmodnarodarenegylsetybdet";
    uint64_t v[4];
    for (size_t i = 0; i < 4; i++) {
        uint64_t key = 0;
        uint64_t constant = 0;
        for (size_t j = 0; j < 8; j++) {
            key |= (uint64_t)secret[(i % 2) * 8 + j] << (8 * j);
            constant |= (uint64_t)(uint8_t)constants[i * 8 + j] << (8 * j);
        }
        v[i] = key ^ constant;
    }
    for (size_t word = 0; word <= size / 8; word++) {
        uint64_t part = padded_word(input, size, word);
        v[3] ^= part;
        rounds(v, variant.compression);
        v[0] ^= part;
    }
    v[2] ^= 0xff;
    rounds(v, variant.finalisation);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void count_up(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)i;
    }
}

static void the_measure_gives_the_vector_of_the_paper(void)
{
    uint8_t secret[SIPHASH_SECRET_SIZE];
    uint8_t input[15];
    count_up(secret, sizeof secret);
    count_up(input, sizeof input);
    struct variant two_four = {2, 4};
    CHECK_U64(siphash_by_the_paper(two_four, secret, input, sizeof input),
        0xa129ca6149be45e5u);
}

static void the_published_vector_of_32_bytes(void)
{
    uint8_t secret[SIPHASH_SECRET_SIZE];
    uint8_t input[SIPHASH_INPUT_SIZE];
    count_up(secret, sizeof secret);
    count_up(input, sizeof input);
    CHECK_U64(siphash13(secret, input), 0x81157b6c16a7b60du);
}

static void random_inputs_agree_with_the_measure(void)
{
    struct variant one_three = {1, 3};
    struct test_random random;
    test_random_init(&random);
    for (int i = 0; i < 2000; i++) {
        uint8_t secret[SIPHASH_SECRET_SIZE];
        uint8_t bytes[SIPHASH_INPUT_SIZE + 8];
        const uint8_t *input = bytes + i % 8;
        test_random_fill(&random, secret, sizeof secret);
        test_random_fill(&random, bytes, sizeof bytes);
        CHECK_U64(siphash13(secret, input),
            siphash_by_the_paper(one_three, secret, input, SIPHASH_INPUT_SIZE));
    }
}

static void four_at_once_are_the_same_as_one_by_one(void)
{
    struct test_random random;
    test_random_init(&random);
    for (int i = 0; i < 2000; i++) {
        uint8_t secret[SIPHASH_SECRET_SIZE];
        uint8_t bytes[SIPHASH_LANES * SIPHASH_INPUT_SIZE];
        const uint8_t *inputs[SIPHASH_LANES];
        uint64_t hashes[SIPHASH_LANES];
        test_random_fill(&random, secret, sizeof secret);
        test_random_fill(&random, bytes, sizeof bytes);
        for (size_t lane = 0; lane < SIPHASH_LANES; lane++) {
            uint64_t room = sizeof bytes - SIPHASH_INPUT_SIZE + 1;
            inputs[lane] = bytes + test_random_below(&random, room);
        }
        siphash13_four(secret, inputs, hashes);
        for (size_t lane = 0; lane < SIPHASH_LANES; lane++) {
            CHECK_U64(hashes[lane], siphash13(secret, inputs[lane]));
        }
    }
}

static void every_bit_of_secret_and_input_counts(void)
{
    uint8_t block[SIPHASH_SECRET_SIZE + SIPHASH_INPUT_SIZE] = {0};
    uint64_t before = siphash13(block, block + SIPHASH_SECRET_SIZE);
    for (size_t bit = 0; bit < 8 * sizeof block; bit++) {
        block[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        CHECK(siphash13(block, block + SIPHASH_SECRET_SIZE) != before);
        block[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

/* From vectors.h of the authors' reference code: inputs 00, 00 01 ... */
static void the_published_vectors_of_the_long_hash(void)
{
    static const struct {
        size_t size;
        uint8_t hash[SIPHASH_LONG_SIZE];
    } vectors[] = {
        {0, {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72,
                0x14, 0xc7, 0x55, 0x02, 0x93}},
        {1, {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59,
                0x11, 0x9b, 0x22, 0xfc, 0x45}},
        {7, {0xa1, 0xf1, 0xeb, 0xbe, 0xd8, 0xdb, 0xc1, 0x53, 0xc0, 0xb8, 0x4a,
                0xa6, 0x1f, 0xf0, 0x82, 0x39}},
        {8, {0x3b, 0x62, 0xa9, 0xba, 0x62, 0x58, 0xf5, 0x61, 0x0f, 0x83, 0xe2,
                0x64, 0xf3, 0x14, 0x97, 0xb4}},
        {15, {0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0, 0xa8, 0x11, 0x7e, 0x08, 0xec,
                 0x0f, 0x97, 0xcf, 0xc3, 0xd9}},
        {63, {0x51, 0x50, 0xd1, 0x77, 0x2f, 0x50, 0x83, 0x4a, 0x50, 0x3e, 0x06,
                 0x9a, 0x97, 0x3f, 0xbd, 0x7c}},
    };
    uint8_t secret[SIPHASH_SECRET_SIZE];
    uint8_t input[64];
    count_up(secret, sizeof secret);
    count_up(input, sizeof input);
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint8_t hash[SIPHASH_LONG_SIZE];
        siphash24_long(secret, input, vectors[i].size, hash);
        CHECK_BYTES(hash, vectors[i].hash, sizeof hash);
    }
}

const struct test_case test_siphash[] = {
    TEST_CASE(the_measure_gives_the_vector_of_the_paper),
    TEST_CASE(the_published_vector_of_32_bytes),
    TEST_CASE(random_inputs_agree_with_the_measure),
    TEST_CASE(four_at_once_are_the_same_as_one_by_one),
    TEST_CASE(the_published_vectors_of_the_long_hash),
    TEST_CASE(every_bit_of_secret_and_input_counts),
    TEST_END,
};
