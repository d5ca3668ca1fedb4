#include "client_transfer/format.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

/* Reads the text, part bytes more at a time, as a file would come; returns the
 * last result that was not FORMAT_MORE, and counts the items. */
struct reading {
    struct format_reader reader;
    struct item item; /* the last */
    unsigned items;
    size_t used;
};

static enum format_result read_parts(struct reading *reading,
    enum format_kind kind, const char *text, size_t size, size_t part)
{
    enum format_result last = FORMAT_NOTHING;
    size_t shown = 0;
    reading->items = 0;
    reading->used = 0;
    format_begin(&reading->reader, kind);
    for (;;) {
        struct item item;
        struct format_bytes bytes = {
            .at = (const uint8_t *)text + reading->used,
            .size = shown - reading->used,
            .last = shown == size,
        };
        enum format_result result =
            format_read(&reading->reader, &bytes, &item);
        if (result == FORMAT_MORE && bytes.last) {
            return last;
        }
        if (result == FORMAT_MORE) {
            shown = shown + part < size ? shown + part : size;
            continue;
        }
        last = result;
        reading->used += reading->reader.used;
        if (result == FORMAT_BAD) {
            return result;
        }
        if (result == FORMAT_ITEM) {
            reading->item = item;
            reading->items++;
        }
    }
}

static struct reading *reading_make(void)
{
    struct reading *reading = calloc(1, sizeof *reading);
    REQUIRE(reading != NULL);
    return reading;
}

static void check_item(
    const struct item *item, const char *key, const char *value, int64_t at)
{
    kv_message_t padded;
    CHECK_INT(kv_message_fill(&padded, KV_GET, key, strlen(key), NULL, 0),
        KV_SUCCESS);
    CHECK_BYTES(item->key, padded.key, KV_KEY_SIZE);
    CHECK_INT(item->key_len, strlen(key));
    CHECK_INT(item->value_len, strlen(value));
    CHECK_BYTES(item->value, value, strlen(value));
    CHECK_INT(item->expire_at_ms, at);
}

/* ---- Round trips --------------------------------------------------------- */

/* Letters that formats treat apart are frequent in one of two items. */
static void draw_bytes(struct test_random *random, uint8_t *bytes, size_t size)
{
    static const char special[] = "\"\\/,\r\n\t\b\f\x01\x7f ;='";
    bool text = test_random_once_in(random, 2);
    test_random_fill(random, bytes, size);
    for (size_t i = 0; text && i < size; i++) {
        bytes[i] = test_random_once_in(random, 3)
                       ? (uint8_t)special[bytes[i] % (sizeof special - 1)]
                       : (uint8_t)('a' + bytes[i] % 26);
    }
    /* A character of two bytes, in some. */
    if (text && size >= 2 && test_random_once_in(random, 2)) {
        bytes[size - 2] = 0xc3;
        bytes[size - 1] = 0xa9;
    }
}

static struct item draw_item(struct test_random *random)
{
    struct item item = {0};
    item.key_len = 1 + test_random_below(random, KV_KEY_SIZE);
    item.value_len = test_random_below(random, KV_VALUE_MAX + 1);
    draw_bytes(random, item.key, item.key_len);
    draw_bytes(random, item.value, item.value_len);
    if (item.key[item.key_len - 1] == 0) {
        item.key[item.key_len - 1] = 1;
    }
    if (test_random_once_in(random, 3)) {
        item.expire_at_ms =
            1 + (int64_t)test_random_below(random, ITEM_EXPIRE_MAX_MS);
    }
    return item;
}

static void check_same(const struct item *actual, const struct item *expected)
{
    CHECK_BYTES(actual->key, expected->key, KV_KEY_SIZE);
    CHECK_INT(actual->key_len, expected->key_len);
    CHECK_BYTES(actual->value, expected->value, KV_VALUE_MAX);
    CHECK_INT(actual->value_len, expected->value_len);
    CHECK_INT(actual->expire_at_ms, expected->expire_at_ms);
}

static void what_is_written_is_read(void)
{
    struct test_random random;
    struct reading *reading = reading_make();
    test_random_init(&random);
    for (unsigned round = 0; round < 500; round++) {
        char text[FORMAT_WRITTEN_MAX + 64];
        enum format_kind kind = round % FORMAT_KINDS;
        struct item item = draw_item(&random);
        size_t head = strlen(format_head(kind));
        memcpy(text, format_head(kind), head);
        size_t size = head + format_write(kind, &item, text + head);
        size_t part = 1 + test_random_below(&random, 600);
        REQUIRE(read_parts(reading, kind, text, size, part) == FORMAT_ITEM);
        CHECK_INT(reading->items, 1);
        CHECK_INT(reading->used, size);
        check_same(&reading->item, &item);
    }
    free(reading);
}

static void the_largest_fit(void)
{
    /* The first takes most room in JSON, the second in CSV, the third in
     * base64. */
    static const uint8_t fillings[] = {0x01, '"', 0xff};
    struct reading *reading = reading_make();
    for (unsigned i = 0; i < 2 * sizeof fillings; i++) {
        char text[FORMAT_WRITTEN_MAX + 64];
        enum format_kind kind = i % FORMAT_KINDS;
        struct item item = {.key_len = KV_KEY_SIZE,
            .value_len = KV_VALUE_MAX,
            .expire_at_ms = ITEM_EXPIRE_MAX_MS};
        memset(item.key, fillings[i / 2], KV_KEY_SIZE);
        memset(item.value, fillings[i / 2], KV_VALUE_MAX);
        size_t head = strlen(format_head(kind));
        memcpy(text, format_head(kind), head);
        size_t size = head + format_write(kind, &item, text + head);
        REQUIRE(read_parts(reading, kind, text, size, 1) == FORMAT_ITEM);
        check_same(&reading->item, &item);
    }
    free(reading);
}

static void text_is_readable_and_bytes_are_base64(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *json;
        const char *csv;
    } values[] = {
        {"John Doe", 8, "\"value\":\"John Doe\"", ",John Doe,,,\r\n"},
        {"\xc3\xa9", 2, "\"value\":\"\xc3\xa9\"", ",\xc3\xa9,,,\r\n"},
        {"", 0, "\"value\":\"\"", ",,,,\r\n"},
        {"a,b", 3, "\"value\":\"a,b\"", ",\"a,b\",,,\r\n"},
        {"\"\n\x01", 3, "\"value\":\"\\\"\\n\\u0001\"",
            ",\"\"\"\n\x01\",,,\r\n"},
        {"a\0", 2, "\"value_base64\":\"YQA=\"", ",,,,YQA=\r\n"},
        {"\xff", 1, "\"value_base64\":\"/w==\"", ",,,,/w==\r\n"},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[FORMAT_WRITTEN_MAX];
        char wanted[128];
        struct item item = {
            .key = "k", .key_len = 1, .value_len = values[i].size};
        memcpy(item.value, values[i].bytes, values[i].size);
        size_t size = format_write(FORMAT_JSONL, &item, text);
        int length = snprintf(
            wanted, sizeof wanted, "{\"key\":\"k\",%s}\n", values[i].json);
        CHECK_INT(size, length);
        CHECK_BYTES(text, wanted, size);
        size = format_write(FORMAT_CSV, &item, text);
        length = snprintf(wanted, sizeof wanted, "k%s", values[i].csv);
        CHECK_INT(size, length);
        CHECK_BYTES(text, wanted, size);
    }
}

/* ---- What others write --------------------------------------------------- */

static void good(enum format_kind kind, const char *text, const char *key,
    const char *value, int64_t expire_at_ms)
{
    struct reading *reading = reading_make();
    for (size_t part = 1; part <= strlen(text) + 1; part += strlen(text)) {
        enum format_result result =
            read_parts(reading, kind, text, strlen(text), part);
        if (result == FORMAT_BAD) {
            CHECK_TEXT(reading->reader.fault.why, text);
        }
        CHECK_INT(reading->items, 1);
        CHECK_INT(reading->used, strlen(text));
        check_item(&reading->item, key, value, expire_at_ms);
    }
    free(reading);
}

static void json_of_others_is_read(void)
{
    static const struct {
        const char *text;
        const char *key;
        const char *value;
        int64_t expire_at_ms;
    } lines[] = {
        {"{\"key\":\"a\",\"value\":\"b\"}", "a", "b", 0},
        {" { \"value\" : \"\" ,\t\"key\":\"a\" } \r\n\n \n", "a", "", 0},
        {"\xef\xbb\xbf\n{\"key\":\"a\",\"value\":\"b\"}\n", "a", "b", 0},
        {"{\"expire_at_ms\": 5, \"key\": \"a\", \"value\": \"b\"}", "a", "b",
            5},
        {"{\"expire_at_ms\":null,\"key\":\"a\",\"value\":\"b\"}", "a", "b", 0},
        {"{\"key_base64\":\"YQ==\",\"value_base64\":\"\"}", "a", "", 0},
        {"{\"key\":\"a\\u0000\",\"value\":\"b\"}", "a", "b", 0},
        {"{\"key\":\"\\u00e9\\u20AC\\ud83d\\ude00\",\"value\":\"b\"}",
            "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "b", 0},
        {"{\"k\\u0065y\":\"\\\"\\\\\\/\\b\\f\",\"value\":\"\\n\\r\\t\"}",
            "\"\\/\b\f", "\n\r\t", 0},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        good(FORMAT_JSONL, lines[i].text, lines[i].key, lines[i].value,
            lines[i].expire_at_ms);
    }
}

static void csv_of_others_is_read(void)
{
    static const struct {
        const char *text;
        const char *key;
        const char *value;
        int64_t expire_at_ms;
    } files[] = {
        {"key,value\na,b", "a", "b", 0},
        {"key,value\r\na,b\r\n\r\n", "a", "b", 0},
        {"\xef\xbb\xbfvalue,key\n\nb,a\n", "a", "b", 0},
        {"\"key\",\"value\"\n\"a\",\"b\"", "a", "b", 0},
        {"key,value\na,\n", "a", "", 0},
        {"key,value\na, b \n", "a", " b ", 0},
        {"key,value\na,\"b \"\"c\"\",\r\nd\ne\"\r\n", "a", "b \"c\",\r\nd\ne",
            0},
        {"expire_at_ms,value_base64,key\n7,Yg==,a", "a", "b", 7},
        {"key,key_base64,value,value_base64\n,YQ==,,\n", "a", "", 0},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        good(FORMAT_CSV, files[i].text, files[i].key, files[i].value,
            files[i].expire_at_ms);
    }
}

/* ---- What is refused ----------------------------------------------------- */

struct refusal {
    const char *text;
    const char *why; /* part of the sentence */
    const char *field;
    unsigned line;
    unsigned items; /* before it */
    bool last;      /* nothing more can be read */
};

static void refused(enum format_kind kind, const struct refusal *refusal)
{
    struct reading *reading = reading_make();
    size_t size = strlen(refusal->text);
    for (size_t part = 1; part <= size + 1; part += size) {
        const struct format_fault *fault = &reading->reader.fault;
        enum format_result result =
            read_parts(reading, kind, refusal->text, size, part);
        CHECK_INT(result, FORMAT_BAD);
        if (strstr(fault->why, refusal->why) == NULL) {
            CHECK_TEXT(fault->why, refusal->why);
        }
        CHECK_TEXT(fault->field == NULL ? "" : fault->field, refusal->field);
        CHECK_INT(fault->line, refusal->line);
        CHECK_INT(reading->items, refusal->items);
        CHECK_INT(reading->reader.used == 0, refusal->last);
    }
    free(reading);
}

#define RECORD "{\"key\":\"a\",\"value\":\"b\"}\n"
#define KEY_33 "123456789012345678901234567890123"

static void bad_json_is_refused(void)
{
    static const struct refusal refusals[] = {
        {"x", "a line must be a JSON object", "", 1, 0, false},
        {RECORD "\n[1]", "a line must be a JSON object", "", 3, 1, false},
        {"{}", "neither key nor key_base64", "", 1, 0, false},
        {"{\"key\":\"a\"}", "neither value nor value_base64", "", 1, 0, false},
        {"{\"key\":\"a\",\"key_base64\":\"YQ==\",\"value\":\"\"}",
            "key and key_base64 are both there", "", 1, 0, false},
        {"{\"key\":\"a\",\"key\":\"a\"}", "it is there twice", "key", 1, 0,
            false},
        {RECORD "{\"key\":\"" KEY_33 "\"}", "it has 33 bytes; 1 to 32", "key",
            2, 1, false},
        {"{\"key\":\"\"}", "it has 0 bytes; 1 to 32", "key", 1, 0, false},
        {"{\"key\":\"\\u0000\"}", "nothing but zero bytes", "key", 1, 0, false},
        {"{\"key\":1}", "must be a string", "key", 1, 0, false},
        {"{\"value\":null}", "must be a string", "value", 1, 0, false},
        {"{\"value\":\"\x80\"}", "it is not UTF-8; value_base64", "value", 1, 0,
            false},
        {"{\"key_base64\":\"YQ\"}", "2 characters are not base64", "key_base64",
            1, 0, false},
        {"{\"expire_at_ms\":\"5\"}", "must be a number", "expire_at_ms", 1, 0,
            false},
        {"{\"expire_at_ms\":0}", "it is \"0\"; it must be a whole number",
            "expire_at_ms", 1, 0, false},
        {"{\"expire_at_ms\":1.5e3}", "it is \"1.5e3\"", "expire_at_ms", 1, 0,
            false},
        {"{\"expire_at_ms\":-1}", "it is \"-1\"", "expire_at_ms", 1, 0, false},
        {"{\"expire_at_ms\":2000000000000001}", "to 2000000000000000",
            "expire_at_ms", 1, 0, false},
        {"{\"expire_at_ms\":18446744073709551617}", "it is \"184467",
            "expire_at_ms", 1, 0, false},
        {"{\"ttl\":5}", "a member \"ttl\", which is none of key", "", 1, 0,
            false},
        {"{\"a\x1b\":5}", "a control character", "", 1, 0, false},
        {"{\"key\":\"a\" \"value\":\"b\"}", "a comma or the closing brace", "",
            1, 0, false},
        {"{\"key\":\"a\",}", "a string in double quotes is missing", "", 1, 0,
            false},
        {"{\"key\" \"a\"}", "a colon is missing", "", 1, 0, false},
        {"{\"key\":\"a\",\"value\":\"b\"} x", "more behind the object", "", 1,
            0, false},
        {"{\"key\":\"a", "a string that is not closed", "", 1, 0, false},
        {"{\"key\":\"a\\", "an escape that JSON does not know", "", 1, 0,
            false},
        {"{\"key\":\"\\x41\"}", "an escape that JSON does not know", "", 1, 0,
            false},
        {"{\"key\":\"\\u12g4\"}", "without four hexadecimal", "", 1, 0, false},
        {"{\"key\":\"\\ud800\"}", "half of a surrogate pair", "", 1, 0, false},
        {"{\"key\":\"\\ud800\\u0041\"}", "half of a surrogate pair", "", 1, 0,
            false},
        {"{\"key\":\"\\udc00\"}", "half of a surrogate pair", "", 1, 0, false},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        refused(FORMAT_JSONL, &refusals[i]);
    }
}

static void bad_csv_is_refused(void)
{
    static const struct refusal refusals[] = {
        {"a,b\n", "the head names a column \"a\"", "", 1, 0, true},
        {"key\n", "the head must name a column key", "", 1, 0, true},
        {"value,expire_at_ms\n", "the head must name", "", 1, 0, true},
        {"key,key,value\n", "the head names it twice", "key", 1, 0, true},
        {"key,value\na\n", "it has 1 fields; the head names 2", "", 2, 0,
            false},
        {"key,value\na,b\nc,d,e\n", "it has 3 fields", "", 3, 1, false},
        {"key,value\na,\"b\nc\"\n" KEY_33 ",e\n", "it has 33 bytes", "key", 4,
            1, false},
        {"key,value\n,b\n", "neither key nor key_base64", "", 2, 0, false},
        {"key,key_base64,value\na,YQ==,b\n", "both there", "", 2, 0, false},
        {"key,value\na,\xff\n", "it is not UTF-8", "value", 2, 0, false},
        {"key,value,expire_at_ms\na,b,soon\n", "it is \"soon\"", "expire_at_ms",
            2, 0, false},
        {"key,value\na,b\"c\n", "a quote inside of a field", "", 2, 0, true},
        {"key,value\na,\"b\"c\n", "more behind the closing quote", "", 2, 0,
            true},
        {"key,value\na,b\rc\n", "a carriage return without", "", 2, 0, true},
        {"key,value\na,\"b\n", "before a quote is closed", "", 2, 0, true},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        refused(FORMAT_CSV, &refusals[i]);
    }
}

static void what_is_too_long_is_refused(void)
{
    static const char *const begins[FORMAT_KINDS] = {
        [FORMAT_JSONL] = "{\"key\":\"", [FORMAT_CSV] = "key,value\na,\""};
    static const char *const reasons[FORMAT_KINDS] = {
        [FORMAT_JSONL] = "the line has more than 16384 bytes",
        [FORMAT_CSV] = "is a closing quote missing?"};
    for (enum format_kind kind = 0; kind < FORMAT_KINDS; kind++) {
        char *text = malloc(2 * FORMAT_RECORD_MAX + 1);
        REQUIRE(text != NULL);
        memset(text, '\\', 2 * FORMAT_RECORD_MAX);
        text[2 * FORMAT_RECORD_MAX] = '\0';
        memcpy(text, begins[kind], strlen(begins[kind]));
        refused(kind, &(struct refusal){text, reasons[kind], "",
                          kind == FORMAT_CSV ? 2 : 1, 0, true});
        free(text);
    }
}

/* A dry run tells of each: the next is read as if nothing had been. */
static void the_next_is_read(void)
{
    static const char *const texts[FORMAT_KINDS] = {
        [FORMAT_JSONL] = "{\"key\":1}\n" RECORD,
        [FORMAT_CSV] = "key,value\n" KEY_33 ",\"\nx\"\na,b\n"};
    static const unsigned lines[FORMAT_KINDS] = {
        [FORMAT_JSONL] = 2, [FORMAT_CSV] = 4};
    for (enum format_kind kind = 0; kind < FORMAT_KINDS; kind++) {
        struct reading *reading = reading_make();
        struct item item;
        const char *text = texts[kind];
        CHECK_INT(
            read_parts(reading, kind, text, strlen(text), 100), FORMAT_BAD);
        CHECK_INT(reading->reader.line, lines[kind]);
        struct format_bytes bytes = {
            .at = (const uint8_t *)text + reading->used,
            .size = strlen(text) - reading->used,
            .last = true,
        };
        CHECK_INT(format_read(&reading->reader, &bytes, &item), FORMAT_ITEM);
        check_item(&item, "a", "b", 0);
        free(reading);
    }
}

static void names_and_endings_are_known(void)
{
    enum format_kind kind = FORMAT_JSONL;
    CHECK(format_find("csv", &kind));
    CHECK_TEXT(format_name(kind), "csv");
    CHECK(format_find("jsonl", &kind));
    CHECK_TEXT(format_name(kind), "jsonl");
    CHECK(!format_find("json", &kind) && !format_find("", &kind));
    CHECK(format_guess("a.b/c.CSV", &kind));
    CHECK_INT(kind, FORMAT_CSV);
    CHECK(format_guess("x.ndjson", &kind));
    CHECK_INT(kind, FORMAT_JSONL);
    CHECK(!format_guess("-", &kind) && !format_guess("csv", &kind));
}

const struct test_case test_format[] = {
    TEST_CASE(what_is_written_is_read),
    TEST_CASE(the_largest_fit),
    TEST_CASE(text_is_readable_and_bytes_are_base64),
    TEST_CASE(json_of_others_is_read),
    TEST_CASE(csv_of_others_is_read),
    TEST_CASE(bad_json_is_refused),
    TEST_CASE(bad_csv_is_refused),
    TEST_CASE(what_is_too_long_is_refused),
    TEST_CASE(the_next_is_read),
    TEST_CASE(names_and_endings_are_known),
    TEST_END,
};
