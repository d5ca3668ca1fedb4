/* world.h: keys of one connection as they should be: numbers, lists, sets; and
 * the commands that change them, with the replies that they must get.
 *
 * A step is one command.  The keys change their kinds, move, and are copied, so
 * each meets each. */
#ifndef TORTURE_WORLD_H
#define TORTURE_WORLD_H

#include "support.h"
#include "talk.h"

enum {
    WORLD_SLOTS = 10,
    WORLD_LONG = 1500,    /* elements of a list, at the most */
    WORLD_MEMBERS = 1536, /* numbers that members are */
    WORLD_KEY_MAX = 32,
    WORLD_COST_MAX = 3500 /* records changed by the steps of one unit */
};

enum world_kind { WORLD_ABSENT, WORLD_NUMBER, WORLD_LIST, WORLD_SET };

struct world_slot {
    enum world_kind kind;
    uint32_t count; /* of a list or set */
    int64_t number;
    int64_t list[WORLD_LONG];
    uint64_t set[WORLD_MEMBERS / 64];
};

struct world {
    struct world_slot slots[WORLD_SLOTS];
};

enum world_verb {
    STEP_PUSH, /* count numbers from number on */
    STEP_POP,
    STEP_MOVE,   /* from slot to other */
    STEP_TRIM,   /* leaves count from index number on */
    STEP_INSERT, /* value, before the first element that is pivot */
    STEP_REMOVE, /* the first element that is pivot */
    STEP_RANGE,  /* shows count from index number on */
    STEP_ADD,    /* count members, from number on */
    STEP_REM,
    STEP_HAS,
    STEP_INCR,
    STEP_SET,
    STEP_DEL,
    STEP_EXPIRE, /* at a time that is over */
    STEP_LATER,  /* at one that will not come */
    STEP_RENAME,
    STEP_COPY,
    STEP_FLUSH,
    STEP_SPOP /* not world_apply's: its reply tells what it did */
};

struct world_step {
    enum world_verb verb;
    uint32_t slot;
    uint32_t other;
    uint32_t count;
    bool left;
    bool other_left;
    int64_t number;
    int64_t pivot;
};

/* The expected replies; all of it is one line, as talk_reply's. */
struct world_text {
    char *bytes;
    size_t length;
    size_t room;
};
void world_text_add(struct world_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Draws a step that can be done; *last: number of the last element that was
 * given out. */
void world_draw(const struct world *world, struct test_random *random,
    int64_t *last, struct world_step *step);
/* How many records it changes, at the most. */
uint32_t world_cost(const struct world *world, const struct world_step *step);
/* Does it; appends its reply to *text, unless that is NULL. */
void world_apply(struct world *world, const struct world_step *step,
    struct world_text *text);
/* Adds it to what talk sends; the keys are those of that writer. */
void world_say(
    const struct world_step *step, uint32_t writer, struct talk *talk);

/* The member number i of those that STEP_ADD and STEP_REM name. */
uint32_t world_member(const struct world_step *step, uint32_t i);

bool world_slot_equal(
    const struct world_slot *one, const struct world_slot *other);
bool world_equal(const struct world *one, const struct world *other);
bool world_has(const struct world_slot *slot, uint32_t member);
void world_toggle(struct world_slot *slot, uint32_t member);
/* Records that the keys take, and those under inner names. */
void world_count(const struct world *world, uint64_t *keys, uint64_t *inner);

/* Reads all keys of that writer.  False if the connection is lost, or a key
 * holds what nobody wrote, which is printed. */
bool world_read(struct world *world, uint32_t writer, struct talk *talk);

#endif
