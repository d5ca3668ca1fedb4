/* csv.c: an item as a record of comma-separated values (RFC 4180). */
#include "client_transfer/format.h"

#include <assert.h>

#include "bytes.h"
#include "client_transfer/text.h"

/* The longest: every byte of key and value a doubled quote. */
_Static_assert((KV_KEY_SIZE + KV_VALUE_MAX) * 2 + 64 <= FORMAT_WRITTEN_MAX,
    "a record has room");

enum { NAME_SHOWN_MAX = 40 };

enum stop {
    STOP_COMMA,
    STOP_END,  /* of the record */
    STOP_MORE, /* its end is not in sight */
    STOP_BAD
};

struct csv {
    struct format_reader *reader;
    const uint8_t *bytes;
    size_t at;
    size_t size; /* at most FORMAT_RECORD_MAX */
    bool last;
    struct item *item;
    size_t length; /* of the field in reader->text */
};

static enum stop refuse(struct csv *csv, const char *why)
{
    csv->reader->fault.column = csv->at + 1;
    (void)format_refuse(csv->reader, NULL, "%s", why);
    return STOP_BAD;
}

/* Where the bytes end before the record does. */
static enum stop run_out(struct csv *csv, bool quoted)
{
    if (csv->size == FORMAT_RECORD_MAX) {
        (void)format_refuse(csv->reader, NULL,
            "the record has more than %d bytes, which none needs; is a "
            "closing quote missing?",
            FORMAT_RECORD_MAX);
        return STOP_BAD;
    }
    if (!csv->last) {
        return STOP_MORE;
    }
    if (quoted) {
        (void)format_refuse(
            csv->reader, NULL, "the file ends before a quote is closed");
        return STOP_BAD;
    }
    return STOP_END;
}

/* What stands behind a field. */
static enum stop take_stop(struct csv *csv)
{
    if (csv->at == csv->size) {
        return run_out(csv, false);
    }
    uint8_t letter = csv->bytes[csv->at];
    if (letter == '\r') {
        if (csv->at + 1 == csv->size) {
            enum stop stop = run_out(csv, false);
            csv->at += stop == STOP_END ? 1 : 0;
            return stop;
        }
        if (csv->bytes[csv->at + 1] == '\n') {
            csv->at += 2;
            return STOP_END;
        }
        return refuse(csv,
            "a carriage return without a line feed; the field needs quotes");
    }
    if (letter == '\n' || letter == ',') {
        csv->at++;
        return letter == '\n' ? STOP_END : STOP_COMMA;
    }
    return refuse(csv, letter == '"'
                           ? "a quote inside of a field without quotes"
                           : "more behind the closing quote of a field");
}

/* After the opening quote. */
static enum stop take_quoted(struct csv *csv)
{
    for (;;) {
        if (csv->at == csv->size) {
            return run_out(csv, true);
        }
        uint8_t letter = csv->bytes[csv->at];
        if (letter == '"') {
            if (csv->at + 1 == csv->size && !csv->last) {
                return run_out(csv, true);
            }
            csv->at++;
            if (csv->at == csv->size || csv->bytes[csv->at] != '"') {
                return take_stop(csv);
            }
        }
        csv->reader->text[csv->length++] = letter;
        csv->at++;
    }
}

/* One field, into reader->text, and what ends it. */
static enum stop take_field(struct csv *csv)
{
    csv->length = 0;
    if (csv->at < csv->size && csv->bytes[csv->at] == '"') {
        csv->at++;
        return take_quoted(csv);
    }
    while (csv->at < csv->size && csv->bytes[csv->at] != ',' &&
           csv->bytes[csv->at] != '\r' && csv->bytes[csv->at] != '\n' &&
           csv->bytes[csv->at] != '"') {
        csv->reader->text[csv->length++] = csv->bytes[csv->at++];
    }
    return take_stop(csv);
}

/* ---- The head ------------------------------------------------------------ */

static bool add_column(struct csv *csv)
{
    struct format_reader *reader = csv->reader;
    enum item_field field = item_field_find(reader->text, csv->length);
    if (field == ITEM_FIELDS) {
        (void)format_refuse(reader, NULL,
            "the head names a column \"%.*s\"; it may name key, value, "
            "expire_at_ms, key_base64, value_base64",
            (int)u64_min(csv->length, NAME_SHOWN_MAX),
            (const char *)reader->text);
        return false;
    }
    for (size_t i = 0; i < reader->columns; i++) {
        if (reader->fields[i] == field) {
            (void)format_refuse(
                reader, item_field_name(field), "the head names it twice");
            return false;
        }
    }
    reader->fields[reader->columns++] = field;
    return true;
}

static bool has_column(
    const struct format_reader *reader, enum item_field a, enum item_field b)
{
    for (size_t i = 0; i < reader->columns; i++) {
        if (reader->fields[i] == a || reader->fields[i] == b) {
            return true;
        }
    }
    return false;
}

/* Without a good head no record can be understood: used stays 0 then. */
static enum format_result read_head(struct csv *csv)
{
    struct format_reader *reader = csv->reader;
    enum stop stop;
    reader->columns = 0;
    do {
        stop = take_field(csv);
        bool taken = stop == STOP_COMMA || stop == STOP_END;
        if (taken && !add_column(csv)) {
            stop = STOP_BAD;
        }
    } while (stop == STOP_COMMA);
    if (stop == STOP_END &&
        (!has_column(reader, ITEM_KEY, ITEM_KEY_BASE64) ||
            !has_column(reader, ITEM_VALUE, ITEM_VALUE_BASE64))) {
        (void)format_refuse(reader, NULL,
            "the head must name a column key or key_base64, and value or "
            "value_base64");
        stop = STOP_BAD;
    }
    if (stop != STOP_END) {
        reader->columns = 0;
        return stop == STOP_MORE ? FORMAT_MORE : FORMAT_BAD;
    }
    reader->used = csv->at;
    return FORMAT_NOTHING;
}

/* ---- Records ------------------------------------------------------------- */

/* The first fault is the one to tell. */
static bool set_field(struct csv *csv, size_t column)
{
    char why[ITEM_WHY_MAX];
    struct format_reader *reader = csv->reader;
    if (column >= reader->columns || csv->length == 0) {
        return true;
    }
    enum item_field field = reader->fields[column];
    if (!item_set(csv->item, field, reader->text, csv->length, why)) {
        (void)format_refuse(reader, item_field_name(field), "%s", why);
        return false;
    }
    return true;
}

static bool finish(struct csv *csv, size_t columns)
{
    char why[ITEM_WHY_MAX];
    struct format_reader *reader = csv->reader;
    if (columns != reader->columns) {
        (void)format_refuse(reader, NULL,
            "it has %zu fields; the head names %zu", columns, reader->columns);
        return false;
    }
    if ((csv->item->given & (1U << ITEM_VALUE | 1U << ITEM_VALUE_BASE64)) ==
        0) {
        csv->item->given |= 1U << ITEM_VALUE;
    }
    if (!item_finish(csv->item, why)) {
        (void)format_refuse(reader, NULL, "%s", why);
        return false;
    }
    return true;
}

static enum format_result read_record(struct csv *csv)
{
    struct format_reader *reader = csv->reader;
    size_t columns = 0;
    bool good = true;
    enum stop stop;
    reader->fault.record = reader->record + 1;
    do {
        stop = take_field(csv);
        if (stop == STOP_COMMA || stop == STOP_END) {
            good = good && set_field(csv, columns);
            columns++;
        }
    } while (stop == STOP_COMMA);
    if (stop == STOP_MORE) {
        return FORMAT_MORE;
    }
    reader->record++;
    if (stop == STOP_BAD) {
        return FORMAT_BAD;
    }
    reader->used = csv->at;
    return good && finish(csv, columns) ? FORMAT_ITEM : FORMAT_BAD;
}

enum format_result csv_read(struct format_reader *reader,
    const struct format_bytes *bytes, struct item *item)
{
    struct csv csv = {.reader = reader,
        .bytes = bytes->at,
        .size = u64_min(bytes->size, FORMAT_RECORD_MAX),
        .last = bytes->last,
        .item = item};
    size_t blank = csv.bytes[0] == '\r' ? 1 : 0;
    if (blank == csv.size && !csv.last) {
        return FORMAT_MORE;
    }
    if (blank == csv.size || csv.bytes[blank] == '\n') {
        reader->used = u64_min(blank + 1, csv.size);
        return FORMAT_NOTHING;
    }
    return reader->columns == 0 ? read_head(&csv) : read_record(&csv);
}

/* ---- Writing ------------------------------------------------------------- */

struct out {
    char *text;
    size_t length;
};

static void put_letter(struct out *out, char letter)
{
    out->text[out->length++] = letter;
}

/* In quotes if it has to be. */
static void put_text(struct out *out, const uint8_t *bytes, size_t size)
{
    bool quoted = false;
    for (size_t at = 0; at < size; at++) {
        quoted = quoted || strchr(",\"\r\n", bytes[at]) != NULL;
    }
    if (quoted) {
        put_letter(out, '"');
    }
    for (size_t at = 0; at < size; at++) {
        if (bytes[at] == '"') {
            put_letter(out, '"');
        }
        put_letter(out, (char)bytes[at]);
    }
    if (quoted) {
        put_letter(out, '"');
    }
}

/* The field of a column, empty if the item is written in others. */
static void put_field(
    struct out *out, enum item_field field, const struct item *item)
{
    bool text_key = item_is_text(item->key, item->key_len);
    bool text_value = item_is_text(item->value, item->value_len);
    char *end = out->text + out->length;
    if (field == ITEM_KEY && text_key) {
        put_text(out, item->key, item->key_len);
    } else if (field == ITEM_VALUE && text_value) {
        put_text(out, item->value, item->value_len);
    } else if (field == ITEM_EXPIRE_AT_MS && item->expire_at_ms != 0) {
        out->length += decimal_format(item->expire_at_ms, (uint8_t *)end);
    } else if (field == ITEM_KEY_BASE64 && !text_key) {
        out->length += text_put_base64(item->key, item->key_len, end);
    } else if (field == ITEM_VALUE_BASE64 && !text_value) {
        out->length += text_put_base64(item->value, item->value_len, end);
    }
}

/* In the order of the head. */
size_t csv_write(const struct item *item, char text[FORMAT_WRITTEN_MAX])
{
    struct out out = {0};
    out.text = text;
    for (enum item_field field = 0; field < ITEM_FIELDS; field++) {
        if (field > 0) {
            put_letter(&out, ',');
        }
        put_field(&out, field, item);
    }
    put_letter(&out, '\r');
    put_letter(&out, '\n');
    assert(out.length <= FORMAT_WRITTEN_MAX);
    return out.length;
}
