#include "glob_match.h"

#include <string.h>

#include "bytes.h"
#include "support.h"

static bool matches(const char *pattern, const char *text)
{
    return glob_match(pattern, strlen(pattern), text, strlen(text));
}

struct example {
    const char *pattern;
    const char *text;
};

static void check_all(
    const struct example *examples, size_t count, bool expected)
{
    for (size_t i = 0; i < count; i++) {
        if (matches(examples[i].pattern, examples[i].text) != expected) {
            CHECK_TEXT(examples[i].pattern, examples[i].text);
        }
    }
    CHECK(true);
}

static void these_match(void)
{
    static const struct example examples[] = {{"", ""}, {"a", "a"}, {"*", "a"},
        {"**", "abc"}, {"a*", "a"}, {"*a", "a"}, {"a**b", "ab"},
        {"a*c", "abbc"}, {"a*c*", "abcbd"}, {"*b*d", "abcbd"}, {"?", "a"},
        {"a?c", "abc"}, {"?*?", "ab"}, {"user:*:name", "user:17:name"},
        {"[abc]", "b"}, {"[a-c]", "b"}, {"[c-a]", "b"}, {"[^a-c]", "d"},
        {"[^a]", "^"}, {"[a^]", "^"}, {"[\\]]", "]"}, {"[\\^]", "^"},
        {"[\\a-c]", "-"}, {"[a-]", "]"}, {"[a-]", "^"}, {"[^]", "x"},
        {"[^]]", "x]"}, {"\\*", "*"}, {"\\?", "?"}, {"\\[a", "[a"},
        {"\\\\", "\\"}, {"\\a", "a"}, {"a\\", "a\\"}, {"*\\", "\\"},
        {"[a", "a"}, {"[a-", "-"}, {"[a-c", "b"}, {"[^", "x"}, {"[^a", "b"},
        {"[\\", "\\"}, {"[a\\", "\\"}, {"[a\\]", "]"}, {"x[ab", "xb"},
        {"*[0-9]", "key:7"}, {"*[^0-9]*", "12a34"}, {"[*?]", "*"},
        {"a*\\*", "abc*"}, {"]", "]"}, {"a-c", "a-c"}, {"^", "^"}};
    check_all(examples, ARRAY_SIZE(examples), true);
}

static void these_do_not(void)
{
    static const struct example examples[] = {{"", "a"}, {"a", ""}, {"*", ""},
        {"**", ""}, {"a", "b"}, {"a", "ab"}, {"ab", "a"}, {"?", ""},
        {"?", "ab"}, {"a*c", "abcd"}, {"*b*d", "abcb"}, {"A", "a"},
        {"[abc]", "d"}, {"[abc]", "ab"}, {"[^a-c]", "b"}, {"[]", "]"},
        {"[]a]", "a"}, {"[a-]", "-"}, {"[a-]", "b"}, {"\\*", "a"}, {"\\?", "a"},
        {"a\\", "a"}, {"[", "["}, {"[", "a"}, {"[a", "b"}, {"[a-c", "d"},
        {"[^a", "a"}, {"[\\", "a"}, {"[^]]", "x"}, {"*[0-9]", "key:x"},
        {"a?", "a"}, {"a*b", "a"}};
    check_all(examples, ARRAY_SIZE(examples), false);
}

static void bytes_are_any_bytes(void)
{
    CHECK(glob_match("a\0*", 3, "a\0b", 3));
    CHECK(!glob_match("a\0b", 3, "a\0c", 3));
    CHECK(glob_match("[\0]", 3, "\0", 1));
    CHECK(matches("\xff?", "\xff\x80"));
    /* As signed bytes, \x80 is the smallest. */
    CHECK(matches("[\x80-a]", "\xff"));
    CHECK(matches("[\x80-a]", "0"));
    CHECK(!matches("[\x80-a]", "b"));
    CHECK(!matches("[a-\x80]", "b"));
    CHECK(matches("[\x80-\xff]", "\x90"));
}

/* A pattern of stars that took exponential time would not end. */
static void many_stars_take_no_longer(void)
{
    char pattern[257] = "";
    char text[257] = "";
    for (size_t i = 0; i < 254; i++) {
        pattern[i] = "a*"[i % 2];
    }
    memset(text, 'a', 256);
    pattern[254] = 'b';
    CHECK(!matches(pattern, text));
    text[255] = 'b';
    CHECK(matches(pattern, text));
    for (size_t i = 0; i < 256; i++) {
        pattern[i] = "*[^a-b]?"[i % 8];
    }
    CHECK(!matches(pattern, text));
}

/* What a pattern without classes means, said in another way: row i of a table
 * tells which beginnings of the text the first i bytes of the pattern match. */
static bool matches_by_table(const char *pattern, const char *text)
{
    bool row[32] = {true};
    size_t size = strlen(text);
    if (size == 0) {
        return *pattern == '\0';
    }
    for (; *pattern != '\0'; pattern++) {
        bool before = row[0];
        row[0] = row[0] && *pattern == '*';
        for (size_t i = 1; i <= size; i++) {
            bool here = row[i];
            bool same = *pattern == '?' || *pattern == text[i - 1];
            row[i] = *pattern == '*' ? here || row[i - 1] : before && same;
            before = here;
        }
    }
    return row[size];
}

static void random_patterns_agree_with_a_table(void)
{
    struct test_random random;
    unsigned matched = 0;
    test_random_init(&random);
    for (int i = 0; i < 200000; i++) {
        char pattern[12] = "";
        char text[16] = "";
        for (uint64_t j = test_random_below(&random, 11); j > 0; j--) {
            pattern[j - 1] = "ab*?*"[test_random_below(&random, 5)];
        }
        for (uint64_t j = test_random_below(&random, 15); j > 0; j--) {
            text[j - 1] = "abc"[test_random_below(&random, 3)];
        }
        bool found = matches(pattern, text);
        if (found != matches_by_table(pattern, text)) {
            CHECK_TEXT(pattern, text);
        }
        matched += found ? 1 : 0;
    }
    CHECK(matched > 10000 && matched < 190000);
}

const struct test_case test_glob[] = {
    TEST_CASE(these_match),
    TEST_CASE(these_do_not),
    TEST_CASE(bytes_are_any_bytes),
    TEST_CASE(many_stars_take_no_longer),
    TEST_CASE(random_patterns_agree_with_a_table),
    TEST_END,
};
