/* The measure of both functions is the definition: one bit at a time. */
#include "crc32c.h"

#include <string.h>

#include "support.h"

enum { LENGTH_MAX = 1000, ALIGNMENTS = 16 };

static uint32_t crc32c_by_bits(uint32_t crc, const uint8_t *bytes, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
        }
    }
    return ~crc;
}

static void check_vector(const void *bytes, size_t size, uint32_t expected)
{
    CHECK_U64(crc32c(0, bytes, size), expected);
    CHECK_U64(crc32c_portable(0, bytes, size), expected);
    CHECK_U64(crc32c_by_bits(0, bytes, size), expected);
}

static void vectors_of_rfc_3720(void)
{
    /* Appendix B.4; the last one is a SCSI read command. */
    static const uint8_t read_command[48] = {0x01,
        0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18,
        0x28, [40] = 0x02};
    uint8_t bytes[32];
    memset(bytes, 0, sizeof bytes);
    check_vector(bytes, sizeof bytes, 0x8a9136aau);
    memset(bytes, 0xff, sizeof bytes);
    check_vector(bytes, sizeof bytes, 0x62a8ab43u);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    check_vector(bytes, sizeof bytes, 0x46dd794eu);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(sizeof bytes - 1 - i);
    }
    check_vector(bytes, sizeof bytes, 0x113fdb5cu);
    check_vector(read_command, sizeof read_command, 0xd9963a56u);
    check_vector("123456789", 9, 0xe3069283u);
    check_vector("", 0, 0);
}

static void every_length_and_alignment_agree(void)
{
    struct test_random random;
    uint8_t bytes[LENGTH_MAX + ALIGNMENTS];
    test_random_init(&random);
    test_random_fill(&random, bytes, sizeof bytes);
    for (size_t length = 0; length <= LENGTH_MAX; length++) {
        size_t at = length % ALIGNMENTS;
        uint32_t crc = (uint32_t)test_random_next(&random);
        uint32_t expected = crc32c_by_bits(crc, bytes + at, length);
        CHECK_U64(crc32c_portable(crc, bytes + at, length), expected);
        CHECK_U64(crc32c(crc, bytes + at, length), expected);
    }
    for (size_t at = 0; at < ALIGNMENTS; at++) {
        uint32_t expected = crc32c_by_bits(0, bytes + at, LENGTH_MAX);
        CHECK_U64(crc32c_portable(0, bytes + at, LENGTH_MAX), expected);
        CHECK_U64(crc32c(0, bytes + at, LENGTH_MAX), expected);
    }
}

static void a_long_run_agrees(void)
{
    static uint8_t bytes[1 << 18];
    struct test_random random;
    test_random_init(&random);
    test_random_fill(&random, bytes, sizeof bytes);
    uint32_t expected = crc32c_by_bits(0, bytes, sizeof bytes);
    CHECK_U64(crc32c(0, bytes, sizeof bytes), expected);
    CHECK_U64(crc32c_portable(0, bytes, sizeof bytes), expected);
}

static void parts_give_the_crc_of_the_whole(void)
{
    struct test_random random;
    uint8_t bytes[LENGTH_MAX];
    test_random_init(&random);
    test_random_fill(&random, bytes, sizeof bytes);
    uint32_t whole = crc32c(0, bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        uint32_t head = crc32c(0, bytes, cut);
        CHECK_U64(crc32c(head, bytes + cut, sizeof bytes - cut), whole);
        head = crc32c_portable(0, bytes, cut);
        CHECK_U64(
            crc32c_portable(head, bytes + cut, sizeof bytes - cut), whole);
    }
}

static void every_bit_counts(void)
{
    uint8_t frame[316] = {0};
    uint32_t before = crc32c(0, frame, sizeof frame);
    for (size_t bit = 0; bit < 8 * sizeof frame; bit++) {
        frame[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        CHECK(crc32c(0, frame, sizeof frame) != before);
        frame[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

const struct test_case test_crc32c[] = {
    TEST_CASE(vectors_of_rfc_3720),
    TEST_CASE(every_length_and_alignment_agree),
    TEST_CASE(a_long_run_agrees),
    TEST_CASE(parts_give_the_crc_of_the_whole),
    TEST_CASE(every_bit_counts),
    TEST_END,
};
