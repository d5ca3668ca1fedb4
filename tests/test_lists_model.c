/* test_lists_model.c: random commands on a few lists, the replies compared with
 * those of plain arrays; the store is opened again now and then. */
#include <stdio.h>
#include <stdlib.h>

#include "called.h"

enum {
    KEYS = 3,
    LENGTH_MAX = 400,
    CAPACITY = 400000, /* for what the sweep has not found yet, too */
    VALUES = 17,
    UNIT = 16, /* value v has v * UNIT bytes */
    OPERATIONS = 20000,
    REOPEN = 500, /* one in so many operations */
    PUSHES_MAX = 12,
    REPLY_MAX = LENGTH_MAX * (KV_VALUE_MAX + 8)
};

_Static_assert((VALUES - 1) * UNIT == KV_VALUE_MAX, "the largest value");

struct array {
    int count;
    uint8_t values[LENGTH_MAX];
};

struct world {
    struct called called;
    struct test_random random;
    struct array arrays[KEYS];
    char expected[REPLY_MAX];
    size_t length;
    char line[PUSHES_MAX * (KV_VALUE_MAX + 8)];
};

static int below(struct world *world, int limit)
{
    return (int)test_random_below(&world->random, (uint64_t)limit);
}

/* ---- What is expected ---------------------------------------------------- */

static void expect_text(struct world *world, const char *text)
{
    world->length += (size_t)snprintf(world->expected + world->length,
        sizeof world->expected - world->length, "%s%s",
        world->length == 0 ? "" : " ", text);
    REQUIRE(world->length < sizeof world->expected);
}

static void expect_head(struct world *world, char type, int number)
{
    char text[16];
    snprintf(text, sizeof text, "%c%d", type, number);
    expect_text(world, text);
}

static const char *value_text(char text[KV_VALUE_MAX + 1], int value)
{
    memset(text, 'a' + value, (size_t)value * UNIT);
    text[value * UNIT] = '\0';
    return text;
}

static void expect_value(struct world *world, int value)
{
    char text[KV_VALUE_MAX + 1];
    expect_head(world, '$', value * UNIT);
    expect_text(world, value_text(text, value));
}

/* Executes the line; its reply must be what is expected. */
static void run(struct world *world)
{
    const struct test_place place = {__FILE__, __LINE__, world->line};
    const char *reply = called_run(&world->called, world->line);
    REQUIRE(test_check_text(&place, reply, world->expected));
}

#define LINE(world, ...)                                                       \
    (void)snprintf((world)->line, sizeof(world)->line, __VA_ARGS__)

/* ---- The arrays ---------------------------------------------------------- */

static void put_in(struct array *array, int i, int value)
{
    REQUIRE(array->count < LENGTH_MAX && i >= 0 && i <= array->count);
    memmove(
        array->values + i + 1, array->values + i, (size_t)(array->count - i));
    array->values[i] = (uint8_t)value;
    array->count++;
}

static int take_out(struct array *array, int i)
{
    int value = array->values[i];
    array->count--;
    memmove(
        array->values + i, array->values + i + 1, (size_t)(array->count - i));
    return value;
}

static int find(const struct array *array, int value)
{
    for (int i = 0; i < array->count; i++) {
        if (array->values[i] == value) {
            return i;
        }
    }
    return -1;
}

/* ---- Commands ------------------------------------------------------------ */

static void push(struct world *world, int key)
{
    struct array *array = &world->arrays[key];
    bool left = below(world, 2) == 0;
    bool only_present = below(world, 4) == 0;
    int count = 1 + below(world, PUSHES_MAX);
    if (array->count + count > LENGTH_MAX) {
        return;
    }
    bool pushed = !only_present || array->count > 0;
    size_t length = (size_t)snprintf(world->line, sizeof world->line,
        "%cPUSH%s %d", left ? 'L' : 'R', only_present ? "X" : "", key);
    for (int i = 0; i < count; i++) {
        char text[KV_VALUE_MAX + 1];
        int value = below(world, VALUES);
        length += (size_t)snprintf(world->line + length,
            sizeof world->line - length, " \"%s\"", value_text(text, value));
        if (pushed) {
            put_in(array, left ? 0 : array->count, value);
        }
    }
    expect_head(world, ':', pushed ? array->count : 0);
    run(world);
}

static void pop(struct world *world, int key)
{
    struct array *array = &world->arrays[key];
    bool left = below(world, 2) == 0;
    int count = below(world, 3) == 0 ? below(world, 20) : -1;
    int popped = count < 0 ? 1 : count;
    popped = popped < array->count ? popped : array->count;
    if (count < 0) {
        LINE(world, "%cPOP %d", left ? 'L' : 'R', key);
    } else {
        LINE(world, "%cPOP %d %d", left ? 'L' : 'R', key, count);
    }
    if (array->count == 0) {
        expect_text(world, count < 0 ? "$-1" : "*-1");
    } else if (count >= 0) {
        expect_head(world, '*', popped);
    }
    for (int i = 0; i < popped; i++) {
        expect_value(world, take_out(array, left ? 0 : array->count - 1));
    }
    run(world);
}

static void range(struct world *world, int key)
{
    const struct array *array = &world->arrays[key];
    int start = below(world, array->count + 2);
    int stop = start + below(world, array->count + 2);
    int last = stop < array->count ? stop : array->count - 1;
    /* The same start counted from the end. */
    int shift = start < array->count && below(world, 2) == 0 ? array->count : 0;
    LINE(world, "LRANGE %d %d %d", key, start - shift, stop);
    expect_head(world, '*', last >= start ? last - start + 1 : 0);
    for (int i = start; i <= last; i++) {
        expect_value(world, array->values[i]);
    }
    run(world);
}

static void all(struct world *world, int key)
{
    const struct array *array = &world->arrays[key];
    LINE(world, "LRANGE %d 0 -1", key);
    expect_head(world, '*', array->count);
    for (int i = 0; i < array->count; i++) {
        expect_value(world, array->values[i]);
    }
    run(world);
}

static void element(struct world *world, int key)
{
    struct array *array = &world->arrays[key];
    int i = below(world, array->count + 2) - 1;
    int place = i < 0 ? array->count - 1 : i;
    bool there = place >= 0 && place < array->count;
    if (below(world, 2) == 0) {
        LINE(world, "LINDEX %d %d", key, i);
        there ? expect_value(world, array->values[place])
              : expect_text(world, "$-1");
    } else {
        char text[KV_VALUE_MAX + 1];
        int value = below(world, VALUES);
        LINE(world, "LSET %d %d \"%s\"", key, i, value_text(text, value));
        expect_text(world, there              ? "+OK"
                           : array->count > 0 ? "-ERR index out of range"
                                              : "-ERR no such key");
        array->values[there ? place : 0] =
            there ? (uint8_t)value : array->values[0];
    }
    run(world);
}

static void insert(struct world *world, int key)
{
    struct array *array = &world->arrays[key];
    char pivot_text[KV_VALUE_MAX + 1];
    char text[KV_VALUE_MAX + 1];
    bool after = below(world, 2) == 0;
    int pivot = below(world, VALUES);
    int value = below(world, VALUES);
    int i = find(array, pivot);
    if (array->count == LENGTH_MAX) {
        return;
    }
    LINE(world, "LINSERT %d %s \"%s\" \"%s\"", key, after ? "AFTER" : "BEFORE",
        value_text(pivot_text, pivot), value_text(text, value));
    int reply = array->count == 0 ? 0 : -1;
    if (i >= 0) {
        put_in(array, i + (after ? 1 : 0), value);
        reply = array->count;
    }
    expect_head(world, ':', reply);
    run(world);
}

static void remove_equal(struct world *world, int key)
{
    struct array *array = &world->arrays[key];
    char text[KV_VALUE_MAX + 1];
    int value = below(world, VALUES);
    int count = below(world, 9) - 4;
    int left = count == 0 ? LENGTH_MAX : abs(count);
    int removed = 0;
    LINE(world, "LREM %d %d \"%s\"", key, count, value_text(text, value));
    for (int seen = 0, length = array->count; seen < length; seen++) {
        int i = count < 0 ? length - 1 - seen : seen - removed;
        if (removed < left && array->values[i] == value) {
            (void)take_out(array, i);
            removed++;
        }
    }
    expect_head(world, ':', removed);
    run(world);
}

static void trim(struct world *world, int key)
{
    struct array *array = &world->arrays[key];
    int start = below(world, 4);
    int cut = below(world, 4);
    if (below(world, 10) == 0) {
        start = below(world, array->count + 1);
    }
    LINE(world, "LTRIM %d %d %d", key, start, -1 - cut);
    expect_text(world, "+OK");
    for (int i = 0; i < cut && array->count > 0; i++) {
        (void)take_out(array, array->count - 1);
    }
    for (int i = 0; i < start && array->count > 0; i++) {
        (void)take_out(array, 0);
    }
    run(world);
}

static void places(struct world *world, int key)
{
    const struct array *array = &world->arrays[key];
    char text[KV_VALUE_MAX + 1];
    int found[LENGTH_MAX];
    int matches = 0;
    int seen = 0;
    int value = below(world, VALUES);
    bool back = below(world, 2) == 0;
    int rank = 1 + below(world, 3);
    int count = below(world, 4);
    int maxlen = below(world, 2) == 0 ? 0 : below(world, 50);
    int looks = maxlen == 0 || maxlen > array->count ? array->count : maxlen;
    for (int step = 0; step < looks; step++) {
        int i = back ? array->count - 1 - step : step;
        bool match = array->values[i] == value && ++seen >= rank;
        if (match && (count == 0 || matches < count)) {
            found[matches++] = i;
        }
    }
    LINE(world, "LPOS %d \"%s\" RANK %d COUNT %d MAXLEN %d", key,
        value_text(text, value), back ? -rank : rank, count, maxlen);
    expect_head(world, '*', matches);
    for (int i = 0; i < matches; i++) {
        expect_head(world, ':', found[i]);
    }
    run(world);
}

static void move(struct world *world, int key)
{
    int to = below(world, KEYS);
    struct array *source = &world->arrays[key];
    struct array *target = &world->arrays[to];
    bool from_left = below(world, 2) == 0;
    bool to_left = below(world, 2) == 0;
    if (target->count == LENGTH_MAX) {
        return;
    }
    if (!from_left && to_left && below(world, 2) == 0) {
        LINE(world, "RPOPLPUSH %d %d", key, to);
    } else {
        LINE(world, "LMOVE %d %d %s %s", key, to, from_left ? "LEFT" : "RIGHT",
            to_left ? "LEFT" : "RIGHT");
    }
    if (source->count == 0) {
        expect_text(world, "$-1");
    } else {
        int value = take_out(source, from_left ? 0 : source->count - 1);
        put_in(target, to_left ? 0 : target->count, value);
        expect_value(world, value);
    }
    run(world);
}

static void delete (struct world *world, int key)
{
    struct array *array = &world->arrays[key];
    if (below(world, 10) > 0) {
        LINE(world, "LLEN %d", key);
        expect_head(world, ':', array->count);
    } else {
        LINE(world, "DEL %d", key);
        expect_head(world, ':', array->count > 0 ? 1 : 0);
        array->count = 0;
    }
    run(world);
}

static void reopen(struct world *world)
{
    if (below(world, 2) == 0) {
        called_reopen(&world->called);
    } else {
        called_reopen_from_backup(&world->called);
    }
    for (int key = 0; key < KEYS; key++) {
        world->length = 0;
        all(world, key);
    }
}

static void random_commands_do_what_arrays_do(void)
{
    static void (*const acts[])(struct world * world, int key) = {push, push,
        push, pop, range, all, element, element, insert, insert, remove_equal,
        trim, places, move, move, delete};
    struct world *world = calloc(1, sizeof *world);
    struct test_directory directory;
    REQUIRE(world != NULL && test_directory_make(&directory));
    test_random_init(&world->random);
    called_open(&world->called, directory.path, CAPACITY);
    for (int i = 0; i < OPERATIONS; i++) {
        world->length = 0;
        acts[below(world, ARRAY_SIZE(acts))](world, below(world, KEYS));
        if (below(world, REOPEN) == 0) {
            reopen(world);
        }
    }
    called_close(&world->called);
    free(world);
    CHECK(test_directory_remove(&directory));
}

const struct test_case test_lists_model[] = {
    TEST_CASE(random_commands_do_what_arrays_do),
    TEST_END,
};
