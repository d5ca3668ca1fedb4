/* test_resp.c: requests of the Redis protocol, whole and in parts. */
#include "resp/resp.h"

#include <string.h>

#include "buffer.h"
#include "bytes.h"
#include "resp_feed.h"
#include "support.h"

/* Whatever parts it comes in, the same is found. */
static void check_found(const void *bytes, size_t size, const char *expected)
{
    static const size_t parts[] = {0, 1, 2, 3, 7};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        struct resp_feed feed = {bytes, size, parts[i], i};
        char *found = resp_feed(&feed);
        CHECK_TEXT(found, expected);
        free(found);
    }
}

/* bytes: what may hold zero bytes. */
struct example {
    const char *bytes;
    size_t size;
    const char *found;
};

#define EXAMPLE(text, found)                                                   \
    {                                                                          \
        text, sizeof text - 1, found                                           \
    }

static void check_examples(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_found(examples[i].bytes, examples[i].size, examples[i].found);
    }
}

static void requests_are_taken_apart(void)
{
    static const struct example examples[] = {
        EXAMPLE("*1\r\n$4\r\nPING\r\n", "[PING]"),
        EXAMPLE("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n", "[SET][k][]"),
        EXAMPLE(
            "*2\r\n$3\r\nGET\r\n$4\r\n\r\n\0*\r\n", "[GET][\\x0D\\x0A\\x00*]"),
        EXAMPLE("*2\r\n$4\r\nECHO\r\n$12\r\nhello, world\r\n",
            "[ECHO][hello, world]"),
        EXAMPLE("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n", "[PING][QUIT]"),
        EXAMPLE("*1\r\n$4\r\nPING\r\nPING\r\n*1\r\n$1\r\nx\r\n*1\r\n",
            "[PING][PING][x]~"),
    };
    check_examples(examples, ARRAY_SIZE(examples));
}

static void nothing_is_a_request_without_arguments(void)
{
    static const struct example examples[] = {
        EXAMPLE("*0\r\n", "[]"),
        EXAMPLE("*-1\r\n", "[]"),
        EXAMPLE("*-9223372036854775808\r\n", "[]"),
        EXAMPLE("\r\n", "[]"),
        EXAMPLE("\n", "[]"),
        EXAMPLE(" \t\v\f\r\r\n", "[]"),
        EXAMPLE("*0\r\n\r\n*-5\r\nPING\r\n", "[][][][PING]"),
        EXAMPLE("", ""),
    };
    check_examples(examples, ARRAY_SIZE(examples));
}

static void what_is_not_all_there_waits(void)
{
    static const char request[] = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
    for (size_t size = 1; size < sizeof request - 1; size++) {
        check_found(request, size, "~");
    }
    check_found("PING", 4, "~");
    check_found("PING\r", 5, "~");
    check_found("\0", 1, "~");
}

#define BROKEN(text) "{ERR Protocol error: " text "}"
#define BROKEN_COUNT BROKEN("invalid multibulk length")
#define BROKEN_LENGTH BROKEN("invalid bulk length")

static void broken_counts_end_it(void)
{
    static const struct example examples[] = {
        EXAMPLE("*\r\n", BROKEN_COUNT),
        EXAMPLE("*-\r\n", BROKEN_COUNT),
        EXAMPLE("*-0\r\n", BROKEN_COUNT),
        EXAMPLE("*+1\r\n", BROKEN_COUNT),
        EXAMPLE("*01\r\n", BROKEN_COUNT),
        EXAMPLE("* 1\r\n", BROKEN_COUNT),
        EXAMPLE("*1 \r\n", BROKEN_COUNT),
        EXAMPLE("*1x\r\n", BROKEN_COUNT),
        EXAMPLE("*1\0\r\n", BROKEN_COUNT),
        EXAMPLE("*1\rX", BROKEN_COUNT),
        EXAMPLE("*abc\r\n", BROKEN_COUNT),
        EXAMPLE("*1048577\r\n", BROKEN_COUNT),
        EXAMPLE("*3000000000\r\n", BROKEN_COUNT),
        EXAMPLE("*9223372036854775808\r\n", BROKEN_COUNT),
        EXAMPLE("*99999999999999999999999\r\n", BROKEN_COUNT),
        EXAMPLE("PING\r\n*x\r\nPING\r\n", "[PING]" BROKEN_COUNT),
    };
    check_examples(examples, ARRAY_SIZE(examples));
}

static void broken_lengths_end_it(void)
{
    static const struct example examples[] = {
        EXAMPLE("*1\r\n$\r\n", BROKEN_LENGTH),
        EXAMPLE("*1\r\n$-1\r\n", BROKEN_LENGTH),
        EXAMPLE("*1\r\n$-0\r\n", BROKEN_LENGTH),
        EXAMPLE("*1\r\n$04\r\nPING\r\n", BROKEN_LENGTH),
        EXAMPLE("*1\r\n$00\r\n", BROKEN_LENGTH),
        EXAMPLE("*1\r\n$+4\r\nPING\r\n", BROKEN_LENGTH),
        EXAMPLE("*1\r\n$4x\r\nPING\r\n", BROKEN_LENGTH),
        EXAMPLE("*1\r\n$4\rPING\r\n", BROKEN_LENGTH),
        EXAMPLE("*1\r\n$536870913\r\n", BROKEN_LENGTH),
        EXAMPLE("*1\r\n$2000000000\r\n", BROKEN_LENGTH),
        EXAMPLE("*1\r\n$18446744073709551620\r\n", BROKEN_LENGTH),
        EXAMPLE("*2\r\n$4\r\nECHO\r\n$blabla\r\n", BROKEN_LENGTH),
        EXAMPLE("*1\r\n$4\r\nPINGxx", BROKEN("expected CRLF after a bulk")),
        EXAMPLE("*1\r\n$4\r\nPING\r\r", BROKEN("expected CRLF after a bulk")),
        EXAMPLE("*1\r\n$3\r\nPING\r\n", BROKEN("expected CRLF after a bulk")),
    };
    check_examples(examples, ARRAY_SIZE(examples));
}

static void what_is_no_bulk_is_named(void)
{
    static const struct example examples[] = {
        EXAMPLE("*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n",
            BROKEN("expected '$', got 'f'")),
        EXAMPLE("*1\r\n*1\r\n", BROKEN("expected '$', got '*'")),
        EXAMPLE("*1\r\n:1\r\n", BROKEN("expected '$', got ':'")),
        EXAMPLE("*1\r\n\r\n", BROKEN("expected '$', got '\r'")),
        EXAMPLE("*1\r\n\n", BROKEN("expected '$', got '\n'")),
        EXAMPLE("*1\r\n\0", BROKEN("expected '$', got '\\x00'")),
        EXAMPLE("*1\r\n\xff", BROKEN("expected '$', got '\\xff'")),
        EXAMPLE("*1\r\n%", BROKEN("expected '$', got '%'")),
    };
    check_examples(examples, ARRAY_SIZE(examples));
}

static void a_line_is_split_into_words(void)
{
    static const struct example examples[] = {
        EXAMPLE("PING\r\n", "[PING]"),
        EXAMPLE("PING\n", "[PING]"),
        EXAMPLE("  SET  k\tv \r\n", "[SET][k][v]"),
        EXAMPLE("SET k\rv\n", "[SET][k][v]"),
        EXAMPLE("PING\r\r\n", "[PING]"),
        EXAMPLE("PI\vNG a\f\n", "[PI\\x0BNG][a\\x0C]"),
        EXAMPLE("a \v\fb\n", "[a][b]"),
        EXAMPLE("a\0b c\n", "[a\\x00b][c]"),
        EXAMPLE("a\\n b\\\n", "[a\\n][b\\]"),
        EXAMPLE("$4\n", "[$4]"),
        EXAMPLE(" *1\r\n", "[*1]"),
        EXAMPLE("\xff\n", "[\\xFF]"),
    };
    check_examples(examples, ARRAY_SIZE(examples));
}

static void quotes_hold_blanks_and_escapes(void)
{
    static const struct example examples[] = {
        EXAMPLE("SET \"a b\" 'c d'\n", "[SET][a b][c d]"),
        EXAMPLE("\"\" ''\r\n", "[][]"),
        EXAMPLE("\"\\n\\r\\t\\b\\a\"\n", "[\\x0A\\x0D\\x09\\x08\\x07]"),
        EXAMPLE("\"\\x41\\xfF\\x0\\xg0\\x\"\n", "[A\\xFFx0xg0x]"),
        EXAMPLE("\"\\\"\\\\\\q'\"\n", "[\"\\q']"),
        EXAMPLE("'\\'\\n\\\\\"'\n", "['\\n\\\\\"]"),
        EXAMPLE("a\"b c\" d'e f'\n", "[ab c][de f]"),
        EXAMPLE("\"a\"\t'b'\v\"c\"\f\n", "[a][b][c]"),
        EXAMPLE("\"a\"\r\n", "[a]"),
    };
    check_examples(examples, ARRAY_SIZE(examples));
}

static void unbalanced_quotes_end_it(void)
{
    static const char *const lines[] = {"\"\n", "'\n", "set \"a b\r\n",
        "a \"b\"c\n", "a 'b'c\n", "\"a\"'b'\n", "\"a\\\"\n", "'a\\'\n",
        "\"\\\n", "\"\\x4\n", "a\"\n"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        check_found(
            lines[i], strlen(lines[i]), BROKEN("unbalanced quotes in request"));
    }
}

enum { RANDOM_ROUNDS = 4000 };

/* A stream of requests, good ones for the most part. */
static void make_random(struct test_random *random, struct buffer *text)
{
    static const char *const parts[] = {"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
        "*1\r\n$4\r\nPING\r\n", "PING\r\n", "set k \"a\\x41 b\" 'c'\n", "\r\n",
        "*0\r\n", "*3\r\n$3\r\nSET\r\n$2\r\nab\r\n$10\r\n0123456789\r\n",
        "*-1\r\n", "*1\r\n$0\r\n\r\n"};
    static const char odd[] = "*$\r\n 019-\"'\\xa";
    for (uint64_t i = test_random_below(random, 12); i > 0; i--) {
        const char *part = parts[test_random_below(random, ARRAY_SIZE(parts))];
        REQUIRE(buffer_append(text, part, strlen(part)));
    }
    for (uint64_t i = test_random_below(random, 3); i > 0 && text->size > 0;
         i--) {
        text->bytes[test_random_below(random, text->size)] =
            (uint8_t)odd[test_random_below(random, sizeof odd - 1)];
    }
}

static void parts_do_not_matter(void)
{
    struct test_random random;
    test_random_init(&random);
    for (int i = 0; i < RANDOM_ROUNDS; i++) {
        struct buffer text = {.max = 1 << 16};
        make_random(&random, &text);
        struct resp_feed feed = {.bytes = text.bytes, .size = text.size};
        char *whole = resp_feed(&feed);
        feed.part_max = 1 + test_random_below(&random, 40);
        feed.seed = test_random_next(&random);
        char *parts = resp_feed(&feed);
        REQUIRE(whole != NULL && parts != NULL);
        REQUIRE(test_check_text(TEST_PLACE("in parts"), parts, whole));
        free(whole);
        free(parts);
        buffer_free(&text);
    }
}

const struct test_case test_resp[] = {
    TEST_CASE(requests_are_taken_apart),
    TEST_CASE(nothing_is_a_request_without_arguments),
    TEST_CASE(what_is_not_all_there_waits),
    TEST_CASE(broken_counts_end_it),
    TEST_CASE(broken_lengths_end_it),
    TEST_CASE(what_is_no_bulk_is_named),
    TEST_CASE(a_line_is_split_into_words),
    TEST_CASE(quotes_hold_blanks_and_escapes),
    TEST_CASE(unbalanced_quotes_end_it),
    TEST_CASE(parts_do_not_matter),
    TEST_END,
};
