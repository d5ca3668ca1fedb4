#include "torture/collections/world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRIDE = 7, MEMBERS_A_BLOCK = 13 };

void world_text_add(struct world_text *text, const char *format, ...)
{
    va_list list;
    va_list again;
    va_start(list, format);
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    assert(length >= 0);
    if (text->length + (size_t)length + 1 > text->room) {
        text->room = 2 * (text->length + (size_t)length + 1);
        text->bytes = realloc(text->bytes, text->room);
        assert(text->bytes != NULL);
    }
    (void)vsnprintf(
        text->bytes + text->length, (size_t)length + 1, format, again);
    va_end(again);
    text->length += (size_t)length;
}

/* ---- Slots --------------------------------------------------------------- */

bool world_has(const struct world_slot *slot, uint32_t member)
{
    return (slot->set[member / 64] >> member % 64 & 1) != 0;
}

void world_toggle(struct world_slot *slot, uint32_t member)
{
    slot->count += world_has(slot, member) ? -1U : 1U;
    slot->set[member / 64] ^= UINT64_C(1) << member % 64;
}

static void clear(struct world_slot *slot)
{
    memset(slot, 0, sizeof *slot);
}

bool world_slot_equal(
    const struct world_slot *one, const struct world_slot *other)
{
    if (one->kind != other->kind || one->count != other->count) {
        return false;
    }
    switch (one->kind) {
    case WORLD_NUMBER:
        return one->number == other->number;
    case WORLD_LIST:
        return memcmp(one->list, other->list,
                   one->count * sizeof one->list[0]) == 0;
    case WORLD_SET:
        return memcmp(one->set, other->set, sizeof one->set) == 0;
    case WORLD_ABSENT:
        return true;
    }
    return false;
}

bool world_equal(const struct world *one, const struct world *other)
{
    bool equal = true;
    for (int i = 0; i < WORLD_SLOTS && equal; i++) {
        equal = world_slot_equal(&one->slots[i], &other->slots[i]);
    }
    return equal;
}

void world_count(const struct world *world, uint64_t *keys, uint64_t *inner)
{
    for (int i = 0; i < WORLD_SLOTS; i++) {
        const struct world_slot *slot = &world->slots[i];
        *keys += slot->kind != WORLD_ABSENT ? 1 : 0;
        *inner += slot->count;
        *inner +=
            slot->kind == WORLD_SET ? (slot->count - 1) / MEMBERS_A_BLOCK : 0;
    }
}

uint32_t world_member(const struct world_step *step, uint32_t i)
{
    return (uint32_t)((uint64_t)(step->number + (int64_t)i * STRIDE) %
                      WORLD_MEMBERS);
}

/* ---- Lists --------------------------------------------------------------- */

static void insert_at(struct world_slot *slot, uint32_t i, int64_t value)
{
    assert(slot->count < WORLD_LONG && i <= slot->count);
    memmove(&slot->list[i + 1], &slot->list[i],
        (slot->count - i) * sizeof slot->list[0]);
    slot->list[i] = value;
    slot->count++;
    slot->kind = WORLD_LIST;
}

static int64_t take_at(struct world_slot *slot, uint32_t i)
{
    int64_t value = slot->list[i];
    assert(i < slot->count);
    slot->count--;
    memmove(&slot->list[i], &slot->list[i + 1],
        (slot->count - i) * sizeof slot->list[0]);
    if (slot->count == 0) {
        clear(slot);
    }
    return value;
}

static uint32_t index_of(const struct world_slot *slot, int64_t value)
{
    uint32_t i = 0;
    while (slot->list[i] != value) {
        i++;
        assert(i < slot->count);
    }
    return i;
}

static void apply_range(struct world_slot *slot, const struct world_step *step,
    struct world_text *text)
{
    world_text_add(text, "*%" PRIu32, step->count);
    for (uint32_t i = 0; i < step->count; i++) {
        world_text_add(
            text, " $%" PRId64, slot->list[(uint32_t)step->number + i]);
    }
}

static void apply_pop(struct world_slot *slot, const struct world_step *step,
    struct world_text *text)
{
    world_text_add(text, "*%" PRIu32, step->count);
    for (uint32_t i = 0; i < step->count; i++) {
        int64_t value = take_at(slot, step->left ? 0 : slot->count - 1);
        world_text_add(text, " $%" PRId64, value);
    }
}

static void apply_move(
    struct world *world, const struct world_step *step, struct world_text *text)
{
    struct world_slot *from = &world->slots[step->slot];
    struct world_slot *to = &world->slots[step->other];
    int64_t value = take_at(from, step->left ? 0 : from->count - 1);
    insert_at(to, step->other_left ? 0 : to->count, value);
    world_text_add(text, "$%" PRId64, value);
}

static void apply_list(
    struct world *world, const struct world_step *step, struct world_text *text)
{
    struct world_slot *slot = &world->slots[step->slot];
    switch (step->verb) {
    case STEP_PUSH:
        for (uint32_t i = 0; i < step->count; i++) {
            insert_at(
                slot, step->left ? 0 : slot->count, step->number + (int64_t)i);
        }
        world_text_add(text, ":%" PRIu32, slot->count);
        break;
    case STEP_POP:
        apply_pop(slot, step, text);
        break;
    case STEP_MOVE:
        apply_move(world, step, text);
        break;
    case STEP_TRIM:
        memmove(slot->list, &slot->list[step->number],
            step->count * sizeof slot->list[0]);
        slot->count = step->count;
        world_text_add(text, "+OK");
        break;
    case STEP_INSERT:
        insert_at(slot, index_of(slot, step->pivot), step->number);
        world_text_add(text, ":%" PRIu32, slot->count);
        break;
    case STEP_REMOVE:
        (void)take_at(slot, index_of(slot, step->pivot));
        world_text_add(text, ":1");
        break;
    default:
        apply_range(slot, step, text);
        break;
    }
}

/* ---- Sets, numbers, keys ------------------------------------------------- */

static void apply_set(struct world_slot *slot, const struct world_step *step,
    struct world_text *text)
{
    uint32_t before = slot->count;
    if (step->verb == STEP_HAS) {
        bool has = world_has(slot, world_member(step, 0));
        world_text_add(text, ":%d", has ? 1 : 0);
        return;
    }
    for (uint32_t i = 0; i < step->count; i++) {
        uint32_t member = world_member(step, i);
        if (world_has(slot, member) != (step->verb == STEP_ADD)) {
            world_toggle(slot, member);
        }
    }
    slot->kind = slot->count > 0 ? WORLD_SET : WORLD_ABSENT;
    world_text_add(text, ":%" PRIu32,
        step->verb == STEP_ADD ? slot->count - before : before - slot->count);
}

static void apply_key(
    struct world *world, const struct world_step *step, struct world_text *text)
{
    struct world_slot *slot = &world->slots[step->slot];
    switch (step->verb) {
    case STEP_INCR:
        slot->kind = WORLD_NUMBER;
        slot->number += step->number;
        world_text_add(text, ":%" PRId64, slot->number);
        break;
    case STEP_SET:
        clear(slot);
        slot->kind = WORLD_NUMBER;
        slot->number = step->number;
        world_text_add(text, "+OK");
        break;
    case STEP_DEL:
    case STEP_EXPIRE:
        clear(slot);
        world_text_add(text, ":1");
        break;
    case STEP_RENAME:
        world->slots[step->other] = *slot;
        clear(slot);
        world_text_add(text, "+OK");
        break;
    case STEP_COPY:
        world->slots[step->other] = *slot;
        world_text_add(text, ":1");
        break;
    case STEP_FLUSH:
        memset(world, 0, sizeof *world);
        world_text_add(text, "+OK");
        break;
    default: /* STEP_LATER */
        world_text_add(text, ":1");
        break;
    }
}

void world_apply(
    struct world *world, const struct world_step *step, struct world_text *text)
{
    struct world_text unused = {0};
    struct world_text *to = text != NULL ? text : &unused;
    assert(step->verb != STEP_SPOP);
    if (step->verb <= STEP_RANGE) {
        apply_list(world, step, to);
    } else if (step->verb <= STEP_HAS) {
        apply_set(&world->slots[step->slot], step, to);
    } else {
        apply_key(world, step, to);
    }
    free(unused.bytes);
}

/* ---- Drawing ------------------------------------------------------------- */

static const enum world_verb absent_verbs[] = {
    STEP_PUSH, STEP_PUSH, STEP_PUSH, STEP_ADD, STEP_ADD, STEP_INCR};
static const enum world_verb number_verbs[] = {STEP_INCR, STEP_INCR, STEP_INCR,
    STEP_SET, STEP_DEL, STEP_LATER, STEP_RENAME, STEP_COPY};
static const enum world_verb list_verbs[] = {STEP_PUSH, STEP_PUSH, STEP_PUSH,
    STEP_PUSH, STEP_PUSH, STEP_POP, STEP_POP, STEP_POP, STEP_MOVE, STEP_MOVE,
    STEP_INSERT, STEP_INSERT, STEP_REMOVE, STEP_RANGE, STEP_TRIM, STEP_SET,
    STEP_DEL, STEP_EXPIRE, STEP_LATER, STEP_RENAME, STEP_COPY};
static const enum world_verb set_verbs[] = {STEP_ADD, STEP_ADD, STEP_ADD,
    STEP_ADD, STEP_REM, STEP_REM, STEP_HAS, STEP_SPOP, STEP_SET, STEP_DEL,
    STEP_EXPIRE, STEP_LATER, STEP_RENAME, STEP_COPY};

static const struct {
    const enum world_verb *verbs;
    size_t count;
} drawn[] = {
    {absent_verbs, sizeof absent_verbs / sizeof absent_verbs[0]},
    {number_verbs, sizeof number_verbs / sizeof number_verbs[0]},
    {list_verbs, sizeof list_verbs / sizeof list_verbs[0]},
    {set_verbs, sizeof set_verbs / sizeof set_verbs[0]},
};

/* Few mostly, sometimes many. */
static uint32_t draw_count(struct test_random *random)
{
    uint64_t limit = test_random_once_in(random, 24) ? 400 : 6;
    return 1 + (uint32_t)test_random_below(random, limit);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* A slot that is a list with room, or absent; else the same. */
static uint32_t draw_target(
    const struct world *world, struct test_random *random, uint32_t slot)
{
    uint32_t other = (uint32_t)test_random_below(random, WORLD_SLOTS);
    const struct world_slot *to = &world->slots[other];
    bool right = to->kind == WORLD_ABSENT ||
                 (to->kind == WORLD_LIST && to->count < WORLD_LONG);
    return right ? other : slot;
}

static void draw_of_list(const struct world_slot *slot,
    struct test_random *random, struct world_step *step)
{
    uint32_t some = (uint32_t)test_random_below(random, slot->count);
    step->pivot = slot->list[some];
    if (step->verb == STEP_POP) {
        step->count = least(step->count, slot->count);
    } else if (step->verb == STEP_TRIM || step->verb == STEP_RANGE) {
        uint32_t most = step->verb == STEP_RANGE ? 20 : slot->count;
        step->number = some / 4;
        step->count = least(slot->count - some / 4, most);
        if (step->verb == STEP_TRIM && step->left) {
            step->count = 1 + step->count / 2;
        }
    }
}

void world_draw(const struct world *world, struct test_random *random,
    int64_t *last, struct world_step *step)
{
    uint32_t slot_number = (uint32_t)test_random_below(random, WORLD_SLOTS);
    const struct world_slot *slot = &world->slots[slot_number];
    *step = (struct world_step){
        .verb = drawn[slot->kind]
                    .verbs[test_random_below(random, drawn[slot->kind].count)],
        .slot = slot_number,
        .other = (slot_number + 1 +
                     (uint32_t)test_random_below(random, WORLD_SLOTS - 1)) %
                 WORLD_SLOTS,
        .count = draw_count(random),
        .left = test_random_once_in(random, 2),
        .other_left = test_random_once_in(random, 2),
    };
    if (step->verb == STEP_PUSH && slot->count + step->count > WORLD_LONG) {
        step->verb = STEP_POP;
    }
    if (step->verb == STEP_INSERT && slot->count == WORLD_LONG) {
        step->verb = STEP_REMOVE;
    }
    step->number = *last + 1;
    *last += step->count;
    if (slot->kind == WORLD_LIST) {
        draw_of_list(slot, random, step);
    }
    if (step->verb == STEP_MOVE) {
        step->other = draw_target(world, random, slot_number);
    }
}

uint32_t world_cost(const struct world *world, const struct world_step *step)
{
    enum { HEADS = 12 };
    uint32_t there = world->slots[step->slot].count;
    switch (step->verb) {
    case STEP_PUSH:
    case STEP_POP:
        return step->count + HEADS;
    case STEP_ADD:
    case STEP_REM:
        return 4 * step->count + HEADS;
    case STEP_INSERT:
    case STEP_REMOVE:
    case STEP_TRIM:
        return there + HEADS;
    case STEP_COPY:
        return there + there / MEMBERS_A_BLOCK + HEADS;
    default:
        return HEADS;
    }
}
