#include "client_transfer/format.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "bytes.h"

static const struct {
    const char *name;
    const char *head;
    const char *endings[4]; /* of paths */
} kinds[FORMAT_KINDS] = {
    [FORMAT_JSONL] = {"jsonl", "", {".jsonl", ".ndjson", ".json", NULL}},
    [FORMAT_CSV] = {"csv", "key,value,expire_at_ms,key_base64,value_base64\r\n",
        {".csv", NULL}}};

const char *format_name(enum format_kind kind)
{
    assert(kind < FORMAT_KINDS);
    return kinds[kind].name;
}

const char *format_head(enum format_kind kind)
{
    assert(kind < FORMAT_KINDS);
    return kinds[kind].head;
}

bool format_find(const char *name, enum format_kind *kind)
{
    for (enum format_kind each = 0; each < FORMAT_KINDS; each++) {
        if (strcmp(kinds[each].name, name) == 0) {
            *kind = each;
            return true;
        }
    }
    return false;
}

bool format_guess(const char *path, enum format_kind *kind)
{
    const char *ending = strrchr(path, '.');
    for (enum format_kind each = 0; ending != NULL && each < FORMAT_KINDS;
         each++) {
        for (size_t i = 0; kinds[each].endings[i] != NULL; i++) {
            if (strcasecmp(kinds[each].endings[i], ending) == 0) {
                *kind = each;
                return true;
            }
        }
    }
    return false;
}

void format_begin(struct format_reader *reader, enum format_kind kind)
{
    *reader = (struct format_reader){.kind = kind, .line = 1};
}

enum format_result format_refuse(
    struct format_reader *reader, const char *field, const char *format, ...)
{
    va_list arguments;
    struct format_fault *fault = &reader->fault;
    fault->field = field;
    va_start(arguments, format);
    (void)vsnprintf(fault->why, sizeof fault->why, format, arguments);
    va_end(arguments);
    /* It may show bytes of the file, and is bound for a terminal. */
    for (char *letter = fault->why; *letter != '\0'; letter++) {
        if (*letter < ' ' || *letter > '~') {
            *letter = '?';
        }
    }
    return FORMAT_BAD;
}

static uint64_t count_lines(const uint8_t *bytes, size_t size)
{
    uint64_t lines = 0;
    for (size_t at = 0; at < size; at++) {
        lines += bytes[at] == '\n' ? 1 : 0;
    }
    return lines;
}

static enum format_result read_line(struct format_reader *reader,
    const struct format_bytes *bytes, struct item *item)
{
    size_t size = u64_min(bytes->size, FORMAT_RECORD_MAX);
    const uint8_t *end = memchr(bytes->at, '\n', size);
    if (end == NULL) {
        if (bytes->size >= FORMAT_RECORD_MAX) {
            return format_refuse(reader, NULL,
                "the line has more than %d bytes, which no record needs; is "
                "this JSON Lines?",
                FORMAT_RECORD_MAX);
        }
        if (!bytes->last) {
            return FORMAT_MORE;
        }
    }
    size_t length = end == NULL ? size : (size_t)(end - bytes->at);
    reader->used = length + (end == NULL ? 0 : 1);
    return json_read(reader, bytes->at, length, item);
}

/* Some programs begin a file with U+FEFF, to say that it is UTF-8. */
static bool skip_mark(
    struct format_reader *reader, const struct format_bytes *bytes)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    if (bytes->size < sizeof mark ||
        memcmp(bytes->at, mark, sizeof mark) != 0) {
        return false;
    }
    reader->used = sizeof mark;
    return true;
}

enum format_result format_read(struct format_reader *reader,
    const struct format_bytes *bytes, struct item *item)
{
    enum { MARK_MAX = 3 };
    reader->used = 0;
    reader->fault = (struct format_fault){.line = reader->line};
    *item = (struct item){0};
    if (bytes->size == 0) {
        return FORMAT_MORE;
    }
    if (!reader->begun) {
        if (bytes->size < MARK_MAX && !bytes->last) {
            return FORMAT_MORE;
        }
        reader->begun = true;
        if (skip_mark(reader, bytes)) {
            return FORMAT_NOTHING;
        }
    }
    enum format_result result = reader->kind == FORMAT_CSV
                                    ? csv_read(reader, bytes, item)
                                    : read_line(reader, bytes, item);
    assert(result != FORMAT_MORE || (!bytes->last && reader->used == 0));
    assert(reader->used <= bytes->size);
    reader->line += count_lines(bytes->at, reader->used);
    return result;
}

size_t format_write(enum format_kind kind, const struct item *item,
    char text[FORMAT_WRITTEN_MAX])
{
    return kind == FORMAT_CSV ? csv_write(item, text) : json_write(item, text);
}
