/* The syntax of the settings file: as systemd.exec(5) has it, and where it is
 * stricter. */
#include "support.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "config/env_file.h"

static void values_are_read_as_systemd_reads_them(void)
{
    static const struct {
        const char *text;
        const char *value;
    } cases[] = {
        {"A=b", "b"},
        {"A=b\n", "b"},
        {"A=b\r\n", "b"},
        {"\n  # x\n ; A=c\n\tA=b", "b"},
        {"A = b ", "b"},
        {"A=", ""},
        {"A= \t\r\n", ""},
        {"A=b c\t d", "b c\t d"},
        {"A=b # c", "b # c"},
        {"A=b\\ \\ ", "b  "},
        {"A=b\\c\\\\d", "bc\\d"},
        {"A=b\\\nc", "bc"},
        {"A=b \\\n  c", "b   c"},
        {"A=b\\", "b"},
        {"A=\\\nb", "b"},
        {"A='b'", "b"},
        {"A='b\\'", "b\\"},
        {"A=' b\nc '", " b\nc "},
        {"A='\"'", "\""},
        {"A=\"b\"", "b"},
        {"A=\" b\nc \"  ", " b\nc "},
        {"A=\"\\\"\\\\\\`\\$\"", "\"\\`$"},
        {"A=\"b\\nc\"", "b\\nc"},
        {"A=\"b\\\nc\"", "bc"},
        {"A=\"b\"'c'", "bc"},
        {"A=\"b\" 'c'", "bc"},
        {"A=\"b\" c d ", "bc d"},
        {"A=b\"c\"", "b\"c\""},
        {"A=b=c", "b=c"},
        {"_a9=b", "b"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct env_file file;
        env_file_begin(&file, cases[i].text, strlen(cases[i].text));
        CHECK_INT(env_file_next(&file), 1);
        CHECK_TEXT(file.value, cases[i].value);
        CHECK_U64(file.value_len, strlen(cases[i].value));
        CHECK_INT(env_file_next(&file), 0);
        CHECK_INT(env_file_next(&file), 0);
    }
}

static void lines_are_counted_through_quotes_and_continuations(void)
{
    static const char text[] = "# x\\\nA='1\n2'\nB=3\\\n4\n\nC=5";
    static const struct {
        const char *name;
        const char *value;
        unsigned line;
    } expected[] = {{"A", "1\n2", 2}, {"B", "34", 4}, {"C", "5", 7}};
    struct env_file file;
    env_file_begin(&file, text, strlen(text));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        CHECK_INT(env_file_next(&file), 1);
        CHECK_TEXT(file.name, expected[i].name);
        CHECK_TEXT(file.value, expected[i].value);
        CHECK_INT(file.name_line, expected[i].line);
    }
    CHECK_INT(env_file_next(&file), 0);
}

static void malformed_files_are_refused_with_their_line(void)
{
    static const struct {
        const char *text;
        size_t size;
        unsigned line;
        const char *why;
    } cases[] = {
#define TEXT(literal) literal, sizeof(literal) - 1
        {TEXT("A=1\nB 2\n"), 2, "no = after the name, as in NAME=VALUE"},
        {TEXT("A"), 1, "no = after the name, as in NAME=VALUE"},
        {TEXT("export A=1"), 1, "no = after the name, as in NAME=VALUE"},
        {TEXT("=1"), 1, "not a comment and not NAME=VALUE"},
        {TEXT("1A=1"), 1, "not a comment and not NAME=VALUE"},
        {TEXT("\xef\xbb\xbf"
              "A=1"),
            1, "not a comment and not NAME=VALUE"},
        {TEXT("\n\0"), 2, "not a comment and not NAME=VALUE"},
        {TEXT("A=a\0b"), 1, "a zero byte in a value"},
        {TEXT("\nA='b\n\n"), 2, "a ' that is never closed"},
        {TEXT("A=\"b"), 1, "a \" that is never closed"},
        {TEXT("A=\"b\\"), 1, "a \" that is never closed"},
#undef TEXT
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct env_file file;
        int result;
        env_file_begin(&file, cases[i].text, cases[i].size);
        do {
            result = env_file_next(&file);
        } while (result > 0);
        CHECK_ERRNO(result, EINVAL);
        CHECK_TEXT(file.why, cases[i].why);
        CHECK_INT(file.name_line, cases[i].line);
    }
}

static void limits_of_the_file_hold(void)
{
    static char text[ENV_FILE_MAX + 1];
    struct env_file file;
    memset(text, 'N', sizeof text);
    text[ENV_NAME_MAX - 1] = '=';
    env_file_begin(&file, text, ENV_NAME_MAX + ENV_VALUE_MAX - 1);
    CHECK_INT(env_file_next(&file), 1);
    CHECK_U64(strlen(file.name), ENV_NAME_MAX - 1);
    CHECK_U64(strlen(file.value), ENV_VALUE_MAX - 1);

    env_file_begin(&file, text, ENV_NAME_MAX + ENV_VALUE_MAX);
    CHECK_ERRNO(env_file_next(&file), EINVAL);
    CHECK_TEXT(file.why, "a value longer than 4095 bytes");
    CHECK_ERRNO(env_file_next(&file), EINVAL);

    text[ENV_NAME_MAX - 1] = 'N';
    text[ENV_NAME_MAX] = '=';
    env_file_begin(&file, text, sizeof text - 1);
    CHECK_ERRNO(env_file_next(&file), EINVAL);
    CHECK_TEXT(file.why, "a name longer than 63 bytes");

    memset(text, '#', sizeof text);
    env_file_begin(&file, text, sizeof text - 1);
    CHECK_INT(env_file_next(&file), 0);
    env_file_begin(&file, text, sizeof text);
    CHECK_ERRNO(env_file_next(&file), EINVAL);
    CHECK_TEXT(file.why, "a file larger than 1 MiB");
    env_file_begin(&file, NULL, 0);
    CHECK_INT(env_file_next(&file), 0);
}

const struct test_case test_env_file[] = {
    TEST_CASE(values_are_read_as_systemd_reads_them),
    TEST_CASE(lines_are_counted_through_quotes_and_continuations),
    TEST_CASE(malformed_files_are_refused_with_their_line),
    TEST_CASE(limits_of_the_file_hold),
    TEST_END,
};
