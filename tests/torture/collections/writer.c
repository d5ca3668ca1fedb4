#include "torture/collections/writer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MULTI_EVERY = 3, FLUSH_EVERY = 600 };

void writer_init(struct writer *writer, uint32_t number, uint64_t seed)
{
    *writer = (struct writer){.number = number};
    test_random_init_seed(&writer->random, seed);
}

static void drop_unit(struct unit *unit)
{
    free(unit->text.bytes);
    *unit = (struct unit){0};
}

void writer_free(struct writer *writer)
{
    for (uint32_t i = 0; i < writer->waiting_count; i++) {
        drop_unit(&writer->waiting[i]);
    }
    writer->waiting_count = 0;
}

static void complain(
    struct writer *writer, const char *what, const char *is, const char *right)
{
    (void)printf("writer %" PRIu32 ": %s: %.300s, not %.300s\n", writer->number,
        what, is, right);
    writer->complained = true;
}

/* ---- Sending ------------------------------------------------------------- */

/* Draws the unit, and does it in what is sent.  False if its first step is an
 * SPOP, which is not part of a unit. */
static bool draw_unit(struct writer *writer, struct unit *unit)
{
    uint32_t cost = 0;
    *unit = (struct unit){0};
    unit->multi = test_random_once_in(&writer->random, MULTI_EVERY);
    uint32_t most = unit->multi ? 1 + (uint32_t)test_random_below(
                                          &writer->random, UNIT_STEPS_MAX)
                                : 1;
    struct world_text results = {0};
    while (unit->count < most) {
        struct world_step *step = &unit->steps[unit->count];
        world_draw(&writer->sent, &writer->random, &writer->last, step);
        if (writer->alone &&
            test_random_once_in(&writer->random, FLUSH_EVERY)) {
            step->verb = STEP_FLUSH;
        }
        cost += world_cost(&writer->sent, step);
        if (unit->count > 0 &&
            (step->verb == STEP_SPOP || step->verb == STEP_FLUSH ||
                cost > WORLD_COST_MAX)) {
            break;
        }
        if (step->verb == STEP_SPOP) {
            return false;
        }
        world_text_add(&results, " ");
        world_apply(&writer->sent, step, &results);
        unit->count++;
    }
    if (!unit->multi) {
        world_text_add(&unit->text, "%s\n", results.bytes + 1);
    } else {
        world_text_add(&unit->text, "+OK\n");
        for (uint32_t i = 0; i < unit->count; i++) {
            world_text_add(&unit->text, "+QUEUED\n");
        }
        world_text_add(
            &unit->text, "*%" PRIu32 "%s\n", unit->count, results.bytes);
    }
    free(results.bytes);
    return true;
}

static void say_unit(
    const struct writer *writer, const struct unit *unit, struct talk *talk)
{
    if (unit->multi) {
        talk_say(talk, "MULTI");
    }
    for (uint32_t i = 0; i < unit->count; i++) {
        world_say(&unit->steps[i], writer->number, talk);
    }
    if (unit->multi) {
        talk_say(talk, "EXEC");
    }
}

/* ---- Replies ------------------------------------------------------------- */

/* The replies to the first unit that waits.  False if the connection is lost,
 * or after a complaint. */
static bool take_replies(struct writer *writer, struct talk *talk)
{
    struct unit *unit = &writer->waiting[0];
    for (char *right = unit->text.bytes; *right != '\0';) {
        size_t length = strcspn(right, "\n");
        right[length] = '\0';
        const char *line = talk_reply(talk);
        if (line == NULL) {
            return false;
        }
        if (strcmp(line, right) != 0) {
            complain(writer, "a reply", line, right);
            return false;
        }
        right += length + 1;
    }
    for (uint32_t i = 0; i < unit->count; i++) {
        world_apply(&writer->sure, &unit->steps[i], NULL);
    }
    writer->acknowledged++;
    writer->transactions += unit->multi ? 1 : 0;
    drop_unit(unit);
    writer->waiting_count--;
    memmove(unit, unit + 1, writer->waiting_count * sizeof *unit);
    return true;
}

/* Its reply tells what it took. */
static bool draw_members(struct writer *writer, struct talk *talk)
{
    struct world_step *step = &writer->drawing;
    struct world_slot *slot = &writer->sure.slots[step->slot];
    step->count = step->count < slot->count ? step->count : slot->count;
    world_say(step, writer->number, talk);
    const char *line = talk_send(talk) ? talk_reply(talk) : NULL;
    if (line == NULL) {
        return false;
    }
    uint32_t taken = 0;
    for (const char *at = line; (at = strchr(at, '$')) != NULL; at++) {
        uint32_t member = (uint32_t)strtoul(at + 1, NULL, 10);
        if (member >= WORLD_MEMBERS || !world_has(slot, member)) {
            complain(writer, "SPOP", line, "members that are there");
            return false;
        }
        world_toggle(slot, member);
        taken++;
    }
    if (taken != step->count) {
        complain(writer, "SPOP", line, "as many as were asked for");
        return false;
    }
    slot->kind = slot->count > 0 ? WORLD_SET : WORLD_ABSENT;
    writer->sent = writer->sure;
    writer->acknowledged++;
    step->count = 0;
    return true;
}

/* A burst of units; false if an SPOP is to follow when all are answered. */
static bool say_burst(struct writer *writer, struct talk *talk)
{
    for (uint32_t i = 0; i < WRITER_BURST; i++) {
        struct unit *unit = &writer->waiting[writer->waiting_count];
        if (!draw_unit(writer, unit)) {
            writer->drawing = unit->steps[0];
            return false;
        }
        writer->waiting_count++;
        say_unit(writer, unit, talk);
    }
    return true;
}

void writer_run(struct writer *writer, uint16_t port)
{
    struct talk *talk = malloc(sizeof *talk);
    assert(talk != NULL);
    bool goes_on = talk_open(talk, port);
    while (goes_on) {
        bool more = say_burst(writer, talk);
        uint32_t left = more ? WRITER_BURST * (WRITER_AHEAD - 1) : 0;
        goes_on = talk_send(talk);
        while (goes_on && writer->waiting_count > left) {
            goes_on = take_replies(writer, talk);
        }
        if (goes_on && !more) {
            goes_on = draw_members(writer, talk);
        } else if (!more) {
            writer->drawing.count = 0; /* it was never sent */
        }
    }
    talk_close(talk);
    free(talk);
}

/* ---- Checking ------------------------------------------------------------ */

/* True if what is there is what was, or that after the SPOP that nobody
 * answered: so many members less. */
static bool drawn_from(const struct writer *writer, const struct world *was,
    const struct world *is)
{
    const struct world_slot *from = &was->slots[writer->drawing.slot];
    const struct world_slot *to = &is->slots[writer->drawing.slot];
    if (writer->drawing.count == 0 ||
        to->count + writer->drawing.count != from->count) {
        return false;
    }
    for (uint32_t i = 0; i < WORLD_SLOTS; i++) {
        if (i != writer->drawing.slot &&
            !world_slot_equal(&was->slots[i], &is->slots[i])) {
            return false;
        }
    }
    bool subset = true;
    for (uint32_t i = 0; i < WORLD_MEMBERS / 64; i++) {
        subset = subset && (to->set[i] & ~from->set[i]) == 0;
    }
    return subset && (to->count == 0 || to->kind == WORLD_SET);
}

/* Does of a unit only the first steps. */
static void do_unit(
    struct world *world, const struct unit *unit, uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++) {
        world_apply(world, &unit->steps[i], NULL);
    }
}

/* Makes of what is there what must be found to be wrong. */
static void plant_fault(
    struct writer *writer, struct world *is, enum writer_plant plant)
{
    struct world_step push = {.verb = STEP_PUSH, .count = 1};
    struct world_slot *slot = &writer->sure.slots[0];
    if (plant == PLANT_LOST) {
        push.number = ++writer->last;
        writer->waiting_count = 0;
        writer->drawing.count = 0;
        if (slot->kind != WORLD_ABSENT && slot->kind != WORLD_LIST) {
            memset(slot, 0, sizeof *slot);
        }
        slot->count -= slot->count == WORLD_LONG ? 1 : 0;
        world_apply(&writer->sure, &push, NULL);
    } else if (plant == PLANT_TWICE) {
        memset(&is->slots[0], 0, sizeof is->slots[0]);
        push.count = 2;
        push.number = ++writer->last;
        world_apply(is, &push, NULL);
        is->slots[0].list[1] = push.number;
    } else if (plant == PLANT_HALF) {
        struct unit *unit = &writer->waiting[0];
        writer_free(writer);
        writer->drawing.count = 0;
        writer->sure = *is;
        *unit = (struct unit){.count = 2};
        for (uint32_t i = 0; i < 2; i++) {
            unit->steps[i] = (struct world_step){
                .verb = STEP_SET, .slot = i, .number = ++writer->last};
        }
        writer->waiting_count = 1;
        do_unit(is, unit, 1);
    }
}

static void tell_wrong(struct writer *writer, const struct world *is)
{
    for (uint32_t i = 0; i < WORLD_SLOTS; i++) {
        const struct world_slot *was = &writer->sure.slots[i];
        const struct world_slot *now = &is->slots[i];
        if (!world_slot_equal(was, now)) {
            (void)printf("  key %" PRIu32 ": kind %d of %" PRIu32
                         " was acknowledged, kind %d of %" PRIu32 " is there\n",
                i, (int)was->kind, was->count, (int)now->kind, now->count);
        }
    }
}

void writer_check(struct writer *writer, uint16_t port, enum writer_plant plant)
{
    struct talk *talk = malloc(sizeof *talk);
    struct world *is = malloc(sizeof *is);
    struct world *was = malloc(sizeof *was);
    assert(talk != NULL && is != NULL && was != NULL);
    if (!talk_open(talk, port) || !world_read(is, writer->number, talk)) {
        complain(writer, "the keys", "not readable", "readable");
    } else {
        plant_fault(writer, is, plant);
        *was = writer->sure;
        uint32_t done = 0;
        bool found = world_equal(was, is);
        while (!found && done < writer->waiting_count) {
            const struct unit *unit = &writer->waiting[done++];
            do_unit(was, unit, unit->count);
            found = world_equal(was, is);
        }
        if (!found && !drawn_from(writer, was, is)) {
            complain(writer, "the keys", "something else",
                "what was acknowledged and the first of the others");
            tell_wrong(writer, is);
        }
        writer->sure = *is;
        writer->sent = *is;
        writer_free(writer);
        writer->drawing.count = 0;
    }
    talk_close(talk);
    free(talk);
    free(is);
    free(was);
}
