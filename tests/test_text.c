#include "client_transfer/text.h"
#include "support.h"

#include <string.h>

/* What decoding makes of one character; the long way: -1 if it is none. */
static int64_t decode(const uint8_t *bytes, size_t size)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = bytes[0] < 0x80           ? 1
                    : (bytes[0] >> 5) == 0x06 ? 2
                    : (bytes[0] >> 4) == 0x0e ? 3
                    : (bytes[0] >> 3) == 0x1e ? 4
                                              : 0;
    if (length == 0 || length != size) {
        return -1;
    }
    uint32_t code = length == 1 ? bytes[0] : bytes[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return -1;
        }
        code = code << 6 | (bytes[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < least[length] || code > 0x10ffff || surrogate ? -1
                                                                : (int64_t)code;
}

static void every_character_is_utf8(void)
{
    unsigned wrong = 0;
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        uint8_t bytes[TEXT_UTF8_MAX];
        if (code >= 0xd800 && code <= 0xdfff) {
            continue;
        }
        size_t size = text_put_utf8(code, bytes);
        wrong += decode(bytes, size) != code ? 1 : 0;
        wrong += text_is_utf8(bytes, size) ? 0 : 1;
        wrong += size > 1 && text_is_utf8(bytes, size - 1) ? 1 : 0;
    }
    CHECK_INT(wrong, 0);
}

static void nothing_else_is_utf8(void)
{
    static const uint8_t edges[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
    static const size_t count = sizeof edges;
    unsigned wrong = 0;
    for (unsigned pair = 0; pair <= UINT16_MAX; pair++) {
        for (size_t i = 0; i < count * count; i++) {
            uint8_t bytes[] = {(uint8_t)(pair >> 8), (uint8_t)pair,
                edges[i / count], edges[i % count]};
            /* Of more than one byte, so that one character is all of it. */
            for (size_t size = 2; bytes[0] >= 0x80 && size <= 4; size++) {
                bool wanted = decode(bytes, size) >= 0;
                /* Or a character of two bytes, and what follows is ASCII. */
                wanted = wanted || (decode(bytes, 2) >= 0 &&
                                       text_is_utf8(bytes + 2, size - 2));
                wanted = wanted || (size == 4 && decode(bytes, 3) >= 0 &&
                                       bytes[3] < 0x80);
                wrong += text_is_utf8(bytes, size) != wanted ? 1 : 0;
            }
        }
    }
    CHECK_INT(wrong, 0);
    CHECK(text_is_utf8((const uint8_t *)"", 0));
    CHECK(!text_is_utf8((const uint8_t *)"ok\x80", 3));
}

/* RFC 4648, section 10. */
static void base64_is_that_of_the_rfc(void)
{
    static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="},
        {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char text[16] = "";
        const char *plain = pairs[i][0];
        size_t length =
            text_put_base64((const uint8_t *)plain, strlen(plain), text);
        CHECK_INT(length, strlen(pairs[i][1]));
        CHECK_TEXT(text, pairs[i][1]);
        CHECK_INT(
            text_take_base64((uint8_t *)text, length), (int64_t)strlen(plain));
        CHECK_BYTES(text, plain, strlen(plain));
    }
}

static void what_is_no_base64_is_refused(void)
{
    static const char *const wrong[] = {"Z", "Zg", "Zg=", "Zg===", "=",
        "====", "Z===", "Zg==Zg==", "Zm9v ", " Zm9v", "Zm\n9", "Zm-_",
        "Zh==", "Zm9=", "Zm=v", "Zm9vYg==\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t text[16] = {0};
        memcpy(text, wrong[i], strlen(wrong[i]));
        if (text_take_base64(text, strlen(wrong[i])) != -1) {
            CHECK_TEXT(wrong[i], "refused");
        }
    }
    CHECK(true);
}

static void base64_keeps_random_bytes(void)
{
    struct test_random random;
    test_random_init(&random);
    for (size_t size = 0; size < 300; size++) {
        uint8_t bytes[300];
        char text[TEXT_BASE64_SIZE(sizeof bytes)];
        test_random_fill(&random, bytes, size);
        size_t length = text_put_base64(bytes, size, text);
        CHECK_INT(length, TEXT_BASE64_SIZE(size));
        REQUIRE(text_take_base64((uint8_t *)text, length) == (int64_t)size);
        CHECK_BYTES(text, bytes, size);
    }
}

const struct test_case test_text[] = {
    TEST_CASE(every_character_is_utf8),
    TEST_CASE(nothing_else_is_utf8),
    TEST_CASE(base64_is_that_of_the_rfc),
    TEST_CASE(what_is_no_base64_is_refused),
    TEST_CASE(base64_keeps_random_bytes),
    TEST_END,
};
