#include "decimal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "support.h"

static bool parse(const char *text, long double *number)
{
    return decimal_parse_float(text, strlen(text), number);
}

static void check_format(long double number, const char *expected)
{
    uint8_t text[DECIMAL_FLOAT_MAX];
    size_t size = decimal_format_float(number, text);
    REQUIRE(size < sizeof text);
    text[size] = '\0';
    CHECK_TEXT((const char *)text, expected);
}

/* What INCRBYFLOAT on a new key answers. */
struct example {
    const char *text;
    const char *expected;
};

static void check_examples(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        long double number = 0;
        CHECK(parse(examples[i].text, &number));
        check_format(number, examples[i].expected);
    }
}

/* valgrind computes with the 53 bits of a double; what needs all 64 is left to
 * the processor. */
static bool has_all_bits(void)
{
    volatile long double one = 1;
    return one + LDBL_EPSILON != one;
}

static void numbers_go_there_and_back(void)
{
    static const struct example examples[] = {{"0", "0"}, {"-0", "0"},
        {"-0.0", "0"}, {"+1", "1"}, {"1.5", "1.5"}, {"10.50", "10.5"},
        {"100", "100"}, {"-120", "-120"}, {".5", "0.5"}, {"5.", "5"},
        {"-.5", "-0.5"}, {"5.0e3", "5000"}, {"2e-3", "0.002"},
        {"1e5", "100000"}, {"1E2", "100"}, {"3.0000000000000000", "3"},
        {"0x10", "16"}, {"0x1.8p1", "3"}, {"1e-17", "0.00000000000000001"},
        {"1e-18", "0"}, {"-1e-18", "0"},
        {"0.00000000000000000000000000000000000000001", "0"}};
    check_examples(examples, ARRAY_SIZE(examples));
}

static void all_their_digits_count(void)
{
    static const struct example examples[] = {{"0.1", "0.1"}, {"-0.3", "-0.3"},
        {"3.14159265358979323", "3.14159265358979323"},
        {"999999999999999999", "999999999999999999"},
        {"1e30", "1000000000000000000024696061952"}};
    if (has_all_bits()) {
        check_examples(examples, ARRAY_SIZE(examples));
        check_format(nextafterl(1, 0), "1");
    }
    CHECK(true);
}

static void what_is_no_number_is_refused(void)
{
    static const char *const wrong[] = {"", " ", " 1", "1 ", "\t1", "\v1", "a",
        "1a", "1.5.5", "1e", "1e+", "--1", "+-1", "-", "+", ".", "e5", "0x",
        "nan", "-nan", "NAN(1)", "1e5000", "-1e5000", "1e-5000", "1,5",
        "infinit", "1_000"};
    long double number = 7;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        if (parse(wrong[i], &number)) {
            CHECK_TEXT(wrong[i], "refused");
        }
    }
    CHECK(!decimal_parse_float("1\0", 2, &number));
    CHECK(!decimal_parse_float("1\0002", 3, &number));
    CHECK(!decimal_parse_float("\0", 1, &number));
    CHECK(number == 7);
}

/* Redis reads it, and refuses the sum. */
static void infinity_is_a_number(void)
{
    static const char *const texts[] = {"inf", "-inf", "+INF", "Infinity"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        long double number = 0;
        CHECK(parse(texts[i], &number));
        CHECK(number == (texts[i][0] == '-' ? -HUGE_VALL : HUGE_VALL));
    }
}

static void the_bytes_behind_do_not_count(void)
{
    long double number = 0;
    CHECK(decimal_parse_float("12345", 2, &number));
    CHECK(number == 12);
}

static void the_longest_fits(void)
{
    uint8_t text[DECIMAL_FLOAT_MAX];
    CHECK_INT(decimal_format_float(LDBL_MAX, text), LDBL_MAX_10_EXP + 1);
    CHECK_INT(decimal_format_float(-LDBL_MAX, text), LDBL_MAX_10_EXP + 2);
    check_format(LDBL_MIN, "0");
    check_format(-LDBL_MIN, "0");
}

static void long_texts_have_a_bound(void)
{
    char text[DECIMAL_FLOAT_TEXT_MAX + 1];
    long double number = 0;
    memset(text, '0', sizeof text);
    text[DECIMAL_FLOAT_TEXT_MAX - 1] = '7';
    CHECK(decimal_parse_float(text, DECIMAL_FLOAT_TEXT_MAX, &number));
    CHECK(number == 7);
    CHECK(!decimal_parse_float(text, DECIMAL_FLOAT_TEXT_MAX + 1, &number));
}

static void written_numbers_are_read_again(void)
{
    struct test_random random;
    test_random_init(&random);
    for (int i = 0; i < 20000; i++) {
        /* A few thousandths: what has so few digits comes back exactly. */
        int64_t thousandths =
            (int64_t)test_random_below(&random, 2000000001) - 1000000000;
        long double number = (long double)thousandths / 1000;
        long double again = 0;
        uint8_t text[DECIMAL_FLOAT_MAX];
        size_t size = decimal_format_float(number, text);
        REQUIRE(decimal_parse_float(text, size, &again));
        REQUIRE(llroundl(again * 1000) == thousandths);
        REQUIRE(fabsl(again - number) <= 1e-17L);
    }
    CHECK(true);
}

const struct test_case test_decimal[] = {
    TEST_CASE(numbers_go_there_and_back),
    TEST_CASE(all_their_digits_count),
    TEST_CASE(what_is_no_number_is_refused),
    TEST_CASE(infinity_is_a_number),
    TEST_CASE(the_bytes_behind_do_not_count),
    TEST_CASE(the_longest_fits),
    TEST_CASE(long_texts_have_a_bound),
    TEST_CASE(written_numbers_are_read_again),
    TEST_END,
};
