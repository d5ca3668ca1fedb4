#include "arena.h"
#include "support.h"

#include <string.h>

enum { THINGS = 3000, THING_MAX = 300, LARGE = 200 * 1024 };

/* What is taken is aligned, its own, and stays where it is. */
static void things_stay_as_they_are(void)
{
    struct arena arena = {0};
    struct test_random random;
    static uint8_t *things[THINGS];
    static size_t sizes[THINGS];
    test_random_init(&random);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < THINGS; i++) {
            bool large = test_random_once_in(&random, 200);
            sizes[i] = large ? LARGE : test_random_below(&random, THING_MAX);
            things[i] = arena_take(&arena, sizes[i]);
            REQUIRE(things[i] != NULL);
            CHECK_U64((uintptr_t)things[i] % 16, 0);
            memset(things[i], (int)(i % 251), sizes[i]);
            if (test_random_once_in(&random, 50)) {
                CHECK(arena_adopt(&arena, malloc(100), 100));
            }
        }
        size_t wrong = 0;
        for (size_t i = 0; i < THINGS; i++) {
            for (size_t at = 0; at < sizes[i]; at++) {
                wrong += things[i][at] != i % 251 ? 1 : 0;
            }
        }
        CHECK_U64(wrong, 0);
        arena_reset(&arena);
    }
    arena_free(&arena);
}

/* Memory that is adopted first does not become the block that is filled. */
static void what_is_adopted_is_freed_with_the_rest(void)
{
    struct arena arena = {0};
    CHECK(arena_adopt(&arena, NULL, 0));
    CHECK(arena.blocks == NULL);
    for (int i = 0; i < 10; i++) {
        uint8_t *bytes = malloc(LARGE);
        REQUIRE(bytes != NULL);
        CHECK(arena_adopt(&arena, bytes, LARGE));
        memset(bytes, i, LARGE);
        uint8_t *taken = arena_take(&arena, 8);
        REQUIRE(taken != NULL);
        memset(taken, i, 8);
        CHECK_INT(bytes[LARGE - 1], i);
    }
    arena_reset(&arena);
    CHECK(arena.blocks != NULL);
    arena_free(&arena);
    CHECK(arena.blocks == NULL);
    arena_free(&arena);
}

/* A block that was made for something large is not kept. */
static void a_large_block_goes_with_the_reset(void)
{
    struct arena arena = {0};
    void *small = arena_take(&arena, 1);
    arena_reset(&arena);
    CHECK(arena_take(&arena, 1) == small);
    CHECK(arena_take(&arena, LARGE) != NULL);
    arena_reset(&arena);
    CHECK(arena.blocks == NULL);
    arena_reset(&arena);
    arena_free(&arena);
}

const struct test_case test_arena[] = {
    TEST_CASE(things_stay_as_they_are),
    TEST_CASE(what_is_adopted_is_freed_with_the_rest),
    TEST_CASE(a_large_block_goes_with_the_reset),
    TEST_END,
};
