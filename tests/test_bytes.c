#include "bytes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

static void u64_is_little_endian_at_any_address(void)
{
    uint8_t bytes[16] = {0};
    for (uint8_t i = 0; i < 8; i++) {
        for (uint8_t j = 0; j < 8; j++) {
            bytes[i + j] = (uint8_t)(j + 1);
        }
        CHECK_U64(bytes_u64(bytes + i), 0x0807060504030201u);
    }
}

static void min_max_and_round_up(void)
{
    CHECK_U64(u64_min(3, 7), 3);
    CHECK_U64(u64_min(UINT64_MAX, 0), 0);
    CHECK_U64(u64_max(3, 7), 7);
    CHECK_U64(u64_max(UINT64_MAX, 0), UINT64_MAX);
    CHECK_U64(u64_round_up(0, 4096), 0);
    CHECK_U64(u64_round_up(1, 4096), 4096);
    CHECK_U64(u64_round_up(4096, 4096), 4096);
    CHECK_U64(u64_round_up(4097, 4096), 8192);
    CHECK_U64(u64_round_up(5, 1), 5);
}

static void lines_touch_nothing_else(void)
{
    uint8_t from[256];
    uint8_t to[1 + 256 + 1];
    for (unsigned i = 0; i < sizeof from; i++) {
        from[i] = (uint8_t)(i * 7 + 1);
    }
    memset(to, 'x', sizeof to);
    lines_copy(to + 1, from, sizeof from);
    CHECK_BYTES(to + 1, from, sizeof from);
    lines_zero(to + 1 + 64, 128);
    CHECK_BYTES(to + 1, from, 64);
    CHECK(bytes_all_zero(to + 1 + 64, 128));
    CHECK_BYTES(to + 1 + 192, from + 192, 64);
    CHECK_U64(to[0], 'x');
    CHECK_U64(to[257], 'x');
}

static void reverse_moves_each_bit(void)
{
    struct test_random random;
    for (unsigned i = 0; i < 64; i++) {
        CHECK_U64(u64_reverse((uint64_t)1 << i), (uint64_t)1 << (63 - i));
    }
    test_random_init(&random);
    for (int i = 0; i < 100; i++) {
        uint64_t number = test_random_next(&random);
        CHECK_U64(u64_reverse(u64_reverse(number)), number);
    }
}

static void all_zero_sees_every_byte(void)
{
    uint8_t bytes[264] = {0};
    CHECK(bytes_all_zero(bytes, 0));
    CHECK(bytes_all_zero(bytes, 32));
    CHECK(bytes_all_zero(bytes + 3, 256));
    for (size_t i = 0; i < 32; i++) {
        bytes[i] = 1;
        CHECK(!bytes_all_zero(bytes, 32));
        bytes[i] = 0;
    }
    bytes[32] = 1;
    CHECK(bytes_all_zero(bytes, 32));
}

static void unpadded_ends_where_only_zeros_follow(void)
{
    uint8_t bytes[32] = {0};
    CHECK_U64(bytes_unpadded(bytes, 0), 0);
    CHECK_U64(bytes_unpadded(bytes, 32), 0);
    for (size_t i = 0; i < 32; i++) {
        bytes[i] = 1;
        CHECK_U64(bytes_unpadded(bytes, 32), i + 1);
        CHECK_U64(bytes_unpadded(bytes, i), 0);
        bytes[i] = 0;
    }
    bytes[0] = 1;
    bytes[9] = 1;
    CHECK_U64(bytes_unpadded(bytes, 32), 10);
}

static void decimal_parse_takes_what_it_should(void)
{
    static const struct {
        const char *text;
        int64_t number;
    } good[] = {{"0", 0}, {"1", 1}, {"-1", -1}, {"10", 10},
        {"1000000", 1000000}, {"9223372036854775807", INT64_MAX},
        {"9223372036854775799", INT64_MAX - 8},
        {"-9223372036854775807", -INT64_MAX},
        {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        int64_t number = 77;
        bool overflow = true;
        CHECK(decimal_parse(
            good[i].text, strlen(good[i].text), &number, &overflow));
        CHECK_INT(number, good[i].number);
        CHECK(!overflow);
    }
}

static void decimal_parse_refuses_what_it_should(void)
{
    static const struct {
        const char *text;
        bool overflow;
    } bad[] = {{"", false}, {"-", false}, {"--1", false}, {"+1", false},
        {" 1", false}, {"1 ", false}, {"01", false}, {"-0", false},
        {"-01", false}, {"00", false}, {"1.0", false}, {"1e3", false},
        {"0x1", false}, {"one", false}, {"/", false}, {":", false},
        {"9223372036854775808", true}, {"-9223372036854775809", true},
        {"18446744073709551616", true}, {"99999999999999999999", true},
        {"9223372036854775808x", false}, {"123456789012345678901234", true}};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        int64_t number = 77;
        bool overflow = !bad[i].overflow;
        CHECK(!decimal_parse(
            bad[i].text, strlen(bad[i].text), &number, &overflow));
        CHECK_INT(overflow, bad[i].overflow);
        CHECK_INT(number, 77);
    }
}

static void decimal_parse_stops_at_the_length(void)
{
    int64_t number = 0;
    bool overflow = false;
    CHECK(decimal_parse("12345", 3, &number, &overflow));
    CHECK_INT(number, 123);
    CHECK(!decimal_parse("1\0", 2, &number, &overflow));
    CHECK(!decimal_parse("-5", 1, &number, &overflow));
}

static void check_round_trip(int64_t number)
{
    char expected[DECIMAL_MAX + 1];
    uint8_t text[DECIMAL_MAX];
    int64_t back = 0;
    bool overflow = false;
    int length = snprintf(expected, sizeof expected, "%" PRId64, number);
    CHECK_INT(decimal_format(number, text), length);
    CHECK_BYTES(text, expected, (size_t)length);
    CHECK(decimal_parse(text, (size_t)length, &back, &overflow));
    CHECK_INT(back, number);
}

static void decimal_format_agrees_with_printf(void)
{
    struct test_random random;
    test_random_init(&random);
    check_round_trip(0);
    check_round_trip(INT64_MAX);
    check_round_trip(INT64_MIN);
    for (int i = 0; i < 2000; i++) {
        uint64_t bits = test_random_next(&random);
        check_round_trip((int64_t)(bits >> test_random_below(&random, 64)));
        check_round_trip((int64_t)bits);
    }
}

static void padding_fills_what_is_left(void)
{
    for (size_t size = 1; size <= BYTES_PADDED; size++) {
        uint8_t expected[BYTES_PADDED] = {0};
        uint8_t padded[BYTES_PADDED];
        uint8_t *from = malloc(size); /* no byte beyond it is looked at */
        REQUIRE(from != NULL);
        for (size_t i = 0; i < size; i++) {
            from[i] = expected[i] = (uint8_t)(i + 1);
        }
        memset(padded, 0xff, sizeof padded);
        bytes_pad(padded, from, size);
        CHECK_BYTES(padded, expected, sizeof padded);
        free(from);
    }
}

const struct test_case test_bytes[] = {
    TEST_CASE(u64_is_little_endian_at_any_address),
    TEST_CASE(min_max_and_round_up),
    TEST_CASE(lines_touch_nothing_else),
    TEST_CASE(reverse_moves_each_bit),
    TEST_CASE(all_zero_sees_every_byte),
    TEST_CASE(unpadded_ends_where_only_zeros_follow),
    TEST_CASE(padding_fills_what_is_left),
    TEST_CASE(decimal_parse_takes_what_it_should),
    TEST_CASE(decimal_parse_refuses_what_it_should),
    TEST_CASE(decimal_parse_stops_at_the_length),
    TEST_CASE(decimal_format_agrees_with_printf),
    TEST_END,
};
