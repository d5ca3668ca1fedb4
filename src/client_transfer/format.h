/* format.h: items as bytes of a file, in one of two formats.  Pure: bytes in,
 * item out; no file, no clock.
 *
 *     jsonl   One JSON object a line (RFC 8259), flat; members as in item.h, in
 *             any order, each once, expire_at_ms a number (or null: never), the
 *             others strings.  Lines of nothing but blanks are passed over.
 *     csv     Comma-separated values (RFC 4180); the first record is the head,
 *             with the fields of item.h in any order: a key and a value column
 *             at least.  An empty field is one that is not given; no value at
 *             all is the empty value.  Lines end with CRLF or LF; empty ones
 *             are passed over.
 *
 * 1. A record is at most FORMAT_RECORD_MAX bytes, whatever its format: far more
 *    than a good one can need, little enough to hold.
 * 2. What is read is strict: what is not as above is refused with the line, and
 *    the field or the column, and the reader goes on behind it if asked to.
 *    Only a record whose end is not known stops it for good.
 * 3. What format_write writes, format_read reads as the same item. */
#ifndef FORMAT_H
#define FORMAT_H

#include "client_transfer/item.h"

enum format_kind { FORMAT_JSONL, FORMAT_CSV, FORMAT_KINDS };

enum {
    FORMAT_RECORD_MAX = 16384,
    FORMAT_WRITTEN_MAX = 2048,
    FORMAT_WHY_MAX = 256
};

enum format_result {
    FORMAT_MORE,    /* no whole record: call again with more bytes */
    FORMAT_ITEM,    /* one was read */
    FORMAT_NOTHING, /* a head or an empty line was read */
    FORMAT_BAD      /* refused, see fault; used 0: nothing more can be read */
};

struct format_bytes {
    const uint8_t *at;
    size_t size;
    bool last; /* nothing follows them in the file */
};

struct format_fault {
    uint64_t line;     /* from 1 */
    uint64_t record;   /* of a csv file, without the head; 0: not told */
    size_t column;     /* from 1, in bytes; 0: not told */
    const char *field; /* NULL: of no single one */
    char why[FORMAT_WHY_MAX];
};

struct format_reader {
    enum format_kind kind;
    bool begun;
    uint64_t line;   /* where the next byte stands, from 1 */
    uint64_t record; /* of a csv file: how many were read, without the head */
    size_t used;     /* bytes that the last call has taken */
    struct format_fault fault;
    size_t columns; /* of a csv file, from its head; 0: not read yet */
    enum item_field fields[ITEM_FIELDS]; /* what they hold */
    uint8_t text[FORMAT_RECORD_MAX];     /* a field, decoded */
};

/* "jsonl", "csv"; and the kind of a name, or of the ending of a path; false:
 * it tells none. */
const char *format_name(enum format_kind kind);
bool format_find(const char *name, enum format_kind *kind);
bool format_guess(const char *path, enum format_kind *kind);

void format_begin(struct format_reader *reader, enum format_kind kind);
/* Reads what stands at the beginning of bytes. */
enum format_result format_read(struct format_reader *reader,
    const struct format_bytes *bytes, struct item *item);

/* What stands before the first item; "" if nothing does. */
const char *format_head(enum format_kind kind);
/* Writes an item; returns how many bytes, at most FORMAT_WRITTEN_MAX. */
size_t format_write(enum format_kind kind, const struct item *item,
    char text[FORMAT_WRITTEN_MAX]);

/* For the formats' own files.  Notes the fault; returns FORMAT_BAD. */
enum format_result format_refuse(
    struct format_reader *reader, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* line: without its line feed.  reader->fault is zero but for the line. */
enum format_result json_read(struct format_reader *reader, const uint8_t *line,
    size_t length, struct item *item);
size_t json_write(const struct item *item, char text[FORMAT_WRITTEN_MAX]);
/* Sets reader->used if the end of the record is known. */
enum format_result csv_read(struct format_reader *reader,
    const struct format_bytes *bytes, struct item *item);
size_t csv_write(const struct item *item, char text[FORMAT_WRITTEN_MAX]);

#endif
