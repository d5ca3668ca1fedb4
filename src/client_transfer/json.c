/* json.c: an item as one JSON object (RFC 8259).  Not a parser of JSON: nothing
 * nests. */
#include "client_transfer/format.h"

#include <assert.h>
#include <stdio.h>

#include "bytes.h"
#include "client_transfer/text.h"

/* The longest: every byte of key and value as \uXXXX. */
_Static_assert((KV_KEY_SIZE + KV_VALUE_MAX) * 6 + 128 <= FORMAT_WRITTEN_MAX,
    "an object has room");

enum { NAME_SHOWN_MAX = 40, NUMBER_SHOWN_MAX = 40 };

struct json {
    struct format_reader *reader;
    const uint8_t *line;
    const uint8_t *at;
    const uint8_t *end;
    struct item *item;
    size_t length; /* of the string in reader->text */
};

/* What is wrong at this place. */
static bool fail_at(struct json *json, const uint8_t *at, const char *why)
{
    json->reader->fault.column = (size_t)(at - json->line) + 1;
    (void)format_refuse(json->reader, NULL, "%s", why);
    return false;
}

static bool fail(struct json *json, const char *why)
{
    return fail_at(json, json->at, why);
}

static void skip_blanks(struct json *json)
{
    while (json->at < json->end &&
           (*json->at == ' ' || *json->at == '\t' || *json->at == '\r')) {
        json->at++;
    }
}

/* Takes the letter, after blanks, if it is the next. */
static bool take(struct json *json, char letter)
{
    skip_blanks(json);
    if (json->at == json->end || *json->at != (uint8_t)letter) {
        return false;
    }
    json->at++;
    return true;
}

static bool take_word(struct json *json, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(json->end - json->at) < length ||
        memcmp(json->at, word, length) != 0) {
        return false;
    }
    json->at += length;
    return true;
}

/* The four digits of \uXXXX; -1: none. */
static int32_t take_code(struct json *json)
{
    int32_t code = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t letter = json->at < json->end ? *json->at : 0;
        int digit = letter >= '0' && letter <= '9'   ? letter - '0'
                    : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10
                    : letter >= 'A' && letter <= 'F' ? letter - 'A' + 10
                                                     : -1;
        if (digit < 0) {
            return -1;
        }
        code = code * 16 + digit;
        json->at++;
    }
    return code;
}

/* After "\u": characters past U+FFFF are two codes (RFC 8259, section 7). */
static bool take_unicode(struct json *json)
{
    const uint8_t *begin = json->at - 2;
    int32_t code = take_code(json);
    if (code >= 0xd800 && code <= 0xdbff && take_word(json, "\\u")) {
        int32_t low = take_code(json);
        if (low < 0xdc00 || low > 0xdfff) {
            return fail_at(json, begin, "half of a surrogate pair");
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code < 0) {
        return fail_at(json, begin, "\\u without four hexadecimal digits");
    }
    if (code >= 0xd800 && code <= 0xdfff) {
        return fail_at(json, begin, "half of a surrogate pair");
    }
    json->length +=
        text_put_utf8((uint32_t)code, json->reader->text + json->length);
    return true;
}

/* Both in the same place: what is escaped, by which letter. */
static const char escaped[] = "\"\\/\b\f\n\r\t";
static const char escapes[] = "\"\\/bfnrt";

/* After the backslash. */
static bool take_escape(struct json *json)
{
    uint8_t letter = json->at < json->end ? *json->at : 0;
    const char *found = letter == 0 ? NULL : strchr(escapes, letter);
    if (letter != 'u' && found == NULL) {
        return fail_at(json, json->at - 1, "an escape that JSON does not know");
    }
    json->at++;
    if (letter == 'u') {
        return take_unicode(json);
    }
    json->reader->text[json->length++] = (uint8_t)escaped[found - escapes];
    return true;
}

/* A string, into reader->text: it is never longer there than in the line. */
static bool take_string(struct json *json)
{
    const uint8_t *begin = json->at;
    json->length = 0;
    if (!take(json, '"')) {
        return fail(json, "a string in double quotes is missing");
    }
    while (json->at < json->end && *json->at != '"') {
        uint8_t letter = *json->at;
        if (letter < ' ') {
            return fail(json, "a control character; JSON wants it escaped");
        }
        json->at++;
        if (letter != '\\') {
            json->reader->text[json->length++] = letter;
        } else if (!take_escape(json)) {
            return false;
        }
    }
    if (!take(json, '"')) {
        return fail_at(json, begin, "a string that is not closed");
    }
    assert(json->length <= FORMAT_RECORD_MAX);
    return true;
}

static bool refuse_field(
    struct json *json, enum item_field field, const char *why)
{
    (void)format_refuse(json->reader, item_field_name(field), "%s", why);
    return false;
}

/* A number or null; the digits go to reader->text. */
static bool take_expiry(struct json *json, bool *given)
{
    size_t length = 0;
    *given = !take_word(json, "null");
    if (!*given) {
        return true;
    }
    while (json->at + length < json->end && json->at[length] != 0 &&
           strchr("+-.0123456789Ee", json->at[length]) != NULL) {
        length++;
    }
    if (length == 0) {
        return refuse_field(
            json, ITEM_EXPIRE_AT_MS, "it must be a number, without quotes");
    }
    memcpy(json->reader->text, json->at, length);
    json->length = length;
    json->at += length;
    return true;
}

static bool take_value(struct json *json, enum item_field field)
{
    char why[ITEM_WHY_MAX];
    bool given = true;
    skip_blanks(json);
    if (field == ITEM_EXPIRE_AT_MS) {
        if (!take_expiry(json, &given)) {
            return false;
        }
    } else if (json->at < json->end && *json->at != '"') {
        return refuse_field(json, field, "it must be a string, in quotes");
    } else if (!take_string(json)) {
        return false;
    }
    if (given &&
        !item_set(json->item, field, json->reader->text, json->length, why)) {
        return refuse_field(json, field, why);
    }
    return true;
}

static bool take_member(struct json *json)
{
    skip_blanks(json);
    const uint8_t *begin = json->at;
    if (!take_string(json)) {
        return false;
    }
    enum item_field field = item_field_find(json->reader->text, json->length);
    if (field == ITEM_FIELDS) {
        char why[FORMAT_WHY_MAX];
        (void)snprintf(why, sizeof why,
            "a member \"%.*s\", which is none of key, value, expire_at_ms, "
            "key_base64, value_base64",
            (int)u64_min(json->length, NAME_SHOWN_MAX),
            (const char *)json->reader->text);
        return fail_at(json, begin, why);
    }
    if (!take(json, ':')) {
        return fail(json, "a colon is missing behind the name of a member");
    }
    return take_value(json, field);
}

static bool take_object(struct json *json)
{
    char why[ITEM_WHY_MAX];
    if (!take(json, '{')) {
        return fail(json, "a line must be a JSON object, {...}");
    }
    if (!take(json, '}')) {
        do {
            if (!take_member(json)) {
                return false;
            }
        } while (take(json, ','));
        if (!take(json, '}')) {
            return fail(json, "a comma or the closing brace is missing");
        }
    }
    skip_blanks(json);
    if (json->at < json->end) {
        return fail(json, "more behind the object");
    }
    if (!item_finish(json->item, why)) {
        (void)format_refuse(json->reader, NULL, "%s", why);
        return false;
    }
    return true;
}

enum format_result json_read(struct format_reader *reader, const uint8_t *line,
    size_t length, struct item *item)
{
    struct json json = {.reader = reader,
        .line = line,
        .at = line,
        .end = line + length,
        .item = item};
    skip_blanks(&json);
    if (json.at == json.end) {
        return FORMAT_NOTHING;
    }
    return take_object(&json) ? FORMAT_ITEM : FORMAT_BAD;
}

/* ---- Writing ------------------------------------------------------------- */

struct out {
    char *text;
    size_t length;
};

static void put(struct out *out, const char *text)
{
    size_t length = strlen(text);
    memcpy(out->text + out->length, text, length);
    out->length += length;
}

static void put_letter(struct out *out, uint8_t letter)
{
    static const char digits[] = "0123456789abcdef";
    const char *found =
        letter == '/' || letter == 0 ? NULL : strchr(escaped, letter);
    if (found != NULL) {
        out->text[out->length++] = '\\';
        out->text[out->length++] = escapes[found - escaped];
    } else if (letter < ' ' || letter == 0x7f) {
        put(out, "\\u00");
        out->text[out->length++] = digits[letter >> 4];
        out->text[out->length++] = digits[letter & 15];
    } else {
        out->text[out->length++] = (char)letter;
    }
}

static void put_bytes(
    struct out *out, const char *name, const uint8_t *bytes, size_t size)
{
    bool text = item_is_text(bytes, size);
    put(out, "\"");
    put(out, name);
    put(out, text ? "\":\"" : "_base64\":\"");
    if (!text) {
        out->length += text_put_base64(bytes, size, out->text + out->length);
    }
    for (size_t at = 0; text && at < size; at++) {
        put_letter(out, bytes[at]);
    }
    put(out, "\"");
}

size_t json_write(const struct item *item, char text[FORMAT_WRITTEN_MAX])
{
    struct out out = {0};
    out.text = text;
    put(&out, "{");
    put_bytes(&out, "key", item->key, item->key_len);
    put(&out, ",");
    put_bytes(&out, "value", item->value, item->value_len);
    if (item->expire_at_ms != 0) {
        put(&out, ",\"expire_at_ms\":");
        out.length += decimal_format(
            item->expire_at_ms, (uint8_t *)out.text + out.length);
    }
    put(&out, "}\n");
    assert(out.length <= FORMAT_WRITTEN_MAX);
    return out.length;
}
