#include "buffer.h"

#include <string.h>

#include "support.h"

static void it_grows_up_to_its_bound(void)
{
    struct buffer buffer = {.max = 10000};
    for (uint32_t i = 0; i < 10000; i++) {
        uint8_t byte = (uint8_t)(i % 251);
        REQUIRE(buffer_append(&buffer, &byte, 1));
        REQUIRE(buffer.size == i + 1);
        REQUIRE(buffer.room >= buffer.size && buffer.room <= buffer.max);
    }
    CHECK_INT(buffer.room, buffer.max);
    const uint8_t *bytes = buffer.bytes;
    CHECK(!buffer_append(&buffer, "x", 1));
    CHECK(buffer_reserve(&buffer, 1) == NULL);
    CHECK_INT(buffer.size, 10000);
    CHECK(buffer.bytes == bytes);
    uint64_t wrong = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        wrong += bytes[i] != i % 251 ? 1 : 0;
    }
    CHECK_INT(wrong, 0);
    buffer_free(&buffer);
}

static void room_doubles(void)
{
    struct buffer buffer = {.max = UINT32_MAX};
    unsigned grown = 0;
    for (uint32_t i = 0; i < 1 << 20; i++) {
        uint32_t room = buffer.room;
        REQUIRE(buffer_append(&buffer, "x", 1));
        grown += room != buffer.room ? 1 : 0;
    }
    CHECK_INT(grown, 13); /* 256 bytes to 1 MiB */
    CHECK_INT(buffer.room, 1 << 20);
    buffer_free(&buffer);
}

static void what_is_reserved_is_not_yet_there(void)
{
    struct buffer buffer = {.max = 1000};
    uint8_t *end = buffer_reserve(&buffer, 700);
    REQUIRE(end != NULL && end == buffer.bytes);
    CHECK_INT(buffer.size, 0);
    CHECK(buffer.room >= 700);
    memset(end, 'x', 700);
    buffer.size = 700;
    end = buffer_reserve(&buffer, 300);
    REQUIRE(end != NULL && end == buffer.bytes + 700);
    CHECK_INT(buffer.room, 1000);
    CHECK(buffer_reserve(&buffer, 301) == NULL);
    CHECK_INT(buffer.size, 700);
    CHECK(buffer.bytes[699] == 'x');
    buffer_free(&buffer);
}

static void sizes_beyond_all_bounds_are_refused(void)
{
    struct buffer buffer = {.max = UINT32_MAX};
    CHECK(buffer_reserve(&buffer, SIZE_MAX) == NULL);
    CHECK(buffer_reserve(&buffer, (size_t)UINT32_MAX + 1) == NULL);
    REQUIRE(buffer_append(&buffer, "abc", 3));
    CHECK(buffer_reserve(&buffer, SIZE_MAX) == NULL);
    CHECK(buffer_reserve(&buffer, UINT32_MAX - 2) == NULL);
    CHECK_INT(buffer.size, 3);
    buffer_free(&buffer);
}

static void nothing_always_fits(void)
{
    struct buffer buffer = {.max = 0};
    CHECK(buffer_append(&buffer, NULL, 0));
    CHECK(!buffer_append(&buffer, "x", 1));
    CHECK(buffer.bytes == NULL);
    buffer.max = 3;
    CHECK(buffer_reserve(&buffer, 0) != NULL);
    REQUIRE(buffer_append(&buffer, "abc", 3));
    CHECK(buffer_append(&buffer, "", 0));
    CHECK(buffer_reserve(&buffer, 0) == buffer.bytes + 3);
    CHECK_INT(buffer.size, 3);
    buffer_free(&buffer);
}

static void freed_it_is_empty_again(void)
{
    struct buffer buffer = {.max = 500};
    REQUIRE(buffer_append(&buffer, "abc", 3));
    buffer_free(&buffer);
    CHECK(buffer.bytes == NULL);
    CHECK_INT(buffer.size, 0);
    CHECK_INT(buffer.room, 0);
    CHECK_INT(buffer.max, 500);
    REQUIRE(buffer_append(&buffer, "de", 2));
    CHECK_BYTES(buffer.bytes, "de", 2);
    buffer_free(&buffer);
    buffer_free(&buffer);
}

const struct test_case test_buffer[] = {
    TEST_CASE(it_grows_up_to_its_bound),
    TEST_CASE(room_doubles),
    TEST_CASE(what_is_reserved_is_not_yet_there),
    TEST_CASE(sizes_beyond_all_bounds_are_refused),
    TEST_CASE(nothing_always_fits),
    TEST_CASE(freed_it_is_empty_again),
    TEST_END,
};
