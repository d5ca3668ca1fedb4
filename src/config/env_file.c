/* env_file.c: see env_file.h. */
#include "config/env_file.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { END = -1 };

void env_file_begin(struct env_file *file, const char *bytes, size_t size)
{
    assert(bytes != NULL || size == 0);
    *file = (struct env_file){.bytes = bytes, .size = size, .line = 1};
}

static int peek(const struct env_file *file)
{
    assert(file->at <= file->size);
    return file->at < file->size ? (unsigned char)file->bytes[file->at] : END;
}

static int take(struct env_file *file)
{
    int c = peek(file);
    if (c != END) {
        file->at++;
        file->line += c == '\n' ? 1 : 0;
    }
    return c;
}

static bool is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_letter(int c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static void skip_blanks(struct env_file *file)
{
    while (is_blank(peek(file))) {
        (void)take(file);
    }
}

static void skip_line(struct env_file *file)
{
    while (peek(file) != END && peek(file) != '\n') {
        (void)take(file);
    }
}

/* Ends the reading; the first reason stands. */
static int fail(struct env_file *file, const char *why)
{
    if (file->why[0] == '\0') {
        (void)snprintf(file->why, sizeof file->why, "%s", why);
    }
    file->at = file->size;
    return -EINVAL;
}

static int append(struct env_file *file, int c)
{
    if (c == '\0') {
        return fail(file, "a zero byte in a value");
    }
    if (file->value_len == sizeof file->value - 1) {
        return fail(file, "a value longer than 4095 bytes");
    }
    file->value[file->value_len++] = (char)c;
    return 0;
}

_Static_assert(ENV_NAME_MAX == 64 && ENV_VALUE_MAX == 4096,
    "the sentences name these limits");

static int read_name(struct env_file *file)
{
    size_t length = 0;
    while (is_letter(peek(file)) || is_digit(peek(file))) {
        if (length == sizeof file->name - 1) {
            return fail(file, "a name longer than 63 bytes");
        }
        file->name[length++] = (char)take(file);
    }
    file->name[length] = '\0';
    if (length == 0 || is_digit((unsigned char)file->name[0])) {
        return fail(file, "not a comment and not NAME=VALUE");
    }
    skip_blanks(file);
    if (take(file) != '=') {
        return fail(file, "no = after the name, as in NAME=VALUE");
    }
    return 0;
}

/* Behind the opening quote, up to and with the closing one. */
static int read_single_quoted(struct env_file *file)
{
    int result = 0;
    while (result == 0) {
        int c = take(file);
        if (c == '\'') {
            return 0;
        }
        result =
            c == END ? fail(file, "a ' that is never closed") : append(file, c);
    }
    return result;
}

/* What a backslash between double quotes makes of the character behind it. */
static int append_escaped(struct env_file *file, int c)
{
    if (c == '\n') {
        return 0;
    }
    if (c == '"' || c == '\\' || c == '`' || c == '$') {
        return append(file, c);
    }
    int result = append(file, '\\');
    return result < 0 ? result : append(file, c);
}

static int read_double_quoted(struct env_file *file)
{
    int result = 0;
    while (result == 0) {
        int c = take(file);
        if (c == '"') {
            return 0;
        }
        bool escaped = c == '\\';
        c = escaped ? take(file) : c;
        if (c == END) {
            return fail(file, "a \" that is never closed");
        }
        result = escaped ? append_escaped(file, c) : append(file, c);
    }
    return result;
}

/* Up to the end of the line, which stays; blanks at the end are not part of
 * the value unless a backslash stands before them. */
static int read_unquoted(struct env_file *file)
{
    size_t kept = file->value_len;
    int result = 0;
    while (result == 0 && peek(file) != END && peek(file) != '\n') {
        int c = take(file);
        bool escaped = c == '\\';
        c = escaped ? take(file) : c;
        if (c != END && !(escaped && c == '\n')) {
            result = append(file, c);
        }
        kept = escaped || !is_blank(c) ? file->value_len : kept;
    }
    file->value_len = kept;
    return result;
}

static int read_value(struct env_file *file)
{
    int result = 0;
    file->value_len = 0;
    while (result == 0) {
        skip_blanks(file);
        int c = peek(file);
        if (c == END || c == '\n') {
            break;
        }
        if (c == '\'' || c == '"') {
            (void)take(file);
            result =
                c == '"' ? read_double_quoted(file) : read_single_quoted(file);
        } else {
            result = read_unquoted(file);
        }
    }
    file->value[file->value_len] = '\0';
    return result;
}

int env_file_next(struct env_file *file)
{
    if (file->size > ENV_FILE_MAX) {
        file->name_line = 1;
        return fail(file, "a file larger than 1 MiB");
    }
    if (file->why[0] != '\0') {
        return -EINVAL;
    }
    for (;;) {
        skip_blanks(file);
        int c = peek(file);
        if (c == END) {
            return 0;
        }
        if (c == '#' || c == ';') {
            skip_line(file);
        } else if (c == '\n') {
            (void)take(file);
        } else {
            break;
        }
    }
    file->name_line = file->line;
    int result = read_name(file);
    result = result < 0 ? result : read_value(file);
    return result < 0 ? result : 1;
}
