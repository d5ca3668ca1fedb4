/* sets_random.c: commands about members that are drawn. */
#include "command/sets.h"

#include "random.h"

#include <stdlib.h>

/* The least that a member takes in a reply: "$0", two line ends. */
enum { REPLY_MIN = 6 };

static void reply_member(struct call *call, const struct record *record)
{
    resp_bulk(&call->reply, record->value, record->value_len);
}

static const struct record *draw(const struct set *set)
{
    return set_at(set, random_below(set->head.count));
}

/* ---- Which ones ---------------------------------------------------------- */

/* A choice of some of the numbers below size, each choice as likely as any
 * other, that are told in ascending order: each number is taken with the
 * probability that as many as are still wanted are among those that are left
 * (D. E. Knuth, "The Art of Computer Programming", volume 2, 3.4.2,
 * algorithm S). */
struct choice {
    uint64_t number; /* the next one to be looked at */
    uint64_t size;
    uint64_t wanted; /* of those from number on */
};

static bool choice_takes(struct choice *choice)
{
    uint64_t left = choice->size - choice->number++;
    bool takes = random_below(left) < choice->wanted;
    choice->wanted -= takes ? 1 : 0;
    return takes;
}

/* ---- SRANDMEMBER --------------------------------------------------------- */

/* Numbers that were drawn already: open addressing, 0 is empty, so number n
 * stands as n + 1. */
struct drawn {
    uint64_t slots; /* a power of two, twice the numbers or more */
    uint64_t *numbers;
};

/* False if it was there already. */
static bool drawn_add(struct drawn *drawn, uint64_t number)
{
    uint64_t place = number * 0x9e3779b97f4a7c15u >> 32;
    for (;; place++) {
        uint64_t *at = &drawn->numbers[place & (drawn->slots - 1)];
        if (*at == number + 1) {
            return false;
        }
        if (*at == 0) {
            *at = number + 1;
            return true;
        }
    }
}

/* Few of many: draws again what was drawn before.  What it remembers takes at
 * most 32 bytes a member, and there are not more of them than fit a reply. */
static void reply_few(struct call *call, const struct set *set, uint64_t count)
{
    struct drawn drawn = {.slots = 16};
    while (drawn.slots < 2 * count) {
        drawn.slots *= 2;
    }
    drawn.numbers = calloc(drawn.slots, sizeof *drawn.numbers);
    if (drawn.numbers == NULL) {
        resp_error(&call->reply, "OOM out of memory: ask for fewer at a time");
        return;
    }
    resp_array(&call->reply, count);
    while (count > 0 && !call->reply.failed) {
        uint64_t number = random_below(set->head.count);
        if (drawn_add(&drawn, number)) {
            reply_member(call, set_at(set, number));
            count--;
        }
    }
    free(drawn.numbers);
}

/* A good part of all: goes through them once. */
static void reply_many(struct call *call, const struct set *set, uint64_t count)
{
    struct choice choice = {.size = set->head.count, .wanted = count};
    resp_array(&call->reply, count);
    while (choice.wanted > 0 && !call->reply.failed) {
        uint64_t number = choice.number;
        if (choice_takes(&choice)) {
            reply_member(call, set_at(set, number));
        }
    }
}

static void reply_distinct(
    struct call *call, const struct set *set, uint64_t count)
{
    enum { MANY = 4 /* more than one in so many */ };
    uint64_t size = set->head.count;
    if (u64_min(count, size) > call->reply.buffer->max / REPLY_MIN) {
        call->reply.failed = true;
    } else if (count >= size) {
        resp_array(&call->reply, size);
        sets_reply_all(call, set);
    } else if (count >= size / MANY) {
        reply_many(call, set, count);
    } else {
        reply_few(call, set, count);
    }
}

static void reply_repeated(
    struct call *call, const struct set *set, uint64_t count)
{
    uint64_t most = set->head.count > 0 ? count : 0;
    resp_array(&call->reply, most);
    for (uint64_t i = 0; i < most && !call->reply.failed; i++) {
        reply_member(call, draw(set));
    }
}

void sets_random(struct call *call)
{
    struct set set;
    int64_t count = 0;
    if (call->count > 3) {
        call_syntax(call);
        return;
    }
    if ((call->count == 3 &&
            !call_range(call, 2, -INT64_MAX, INT64_MAX, &count)) ||
        !set_open(call, 1, &set)) {
        return;
    }
    if (call->count == 3 && count >= 0) {
        reply_distinct(call, &set, (uint64_t)count);
    } else if (call->count == 3) {
        reply_repeated(call, &set, (uint64_t)-count);
    } else if (set.head.count > 0) {
        reply_member(call, draw(&set));
    } else {
        resp_null(&call->reply);
    }
}

/* ---- SPOP ---------------------------------------------------------------- */

/* Takes members away one by one, in one unit: at most three changes each and
 * one more for each block that goes. */
static uint64_t pop_changes(uint64_t count)
{
    return 3 * count + count / SET_BLOCK + 2 + REMAINS_CHANGES;
}

static void pop_each(struct call *call, struct set *set, uint64_t count)
{
    if (!call_fits(call, 0, pop_changes(count))) {
        return;
    }
    resp_set(&call->reply, count);
    for (uint64_t i = 0; i < count; i++) {
        const struct record *record = draw(set);
        reply_member(call, record);
        if (call->reply.failed || !set_remove(set, record)) {
            return;
        }
    }
    (void)set_store(set);
}

/* Writes those that stay under a new owner, in their order, so that their
 * numbers only get smaller, and leaves the old set as remains. */
static void pop_most(struct call *call, struct set *set, uint64_t count)
{
    struct choice choice = {.size = set->head.count, .wanted = count};
    struct set rest = {.view = set->view, .key = set->key};
    struct set_walk walk;
    const struct record *record;
    uint64_t records = set_growth(&rest, set->head.count - count);
    if (!call_fits(call, records, records + 1 + REMAINS_CHANGES)) {
        return;
    }
    resp_set(&call->reply, count);
    set_begin(&rest);
    rest.expire_ms = set->expire_ms;
    set_walk_begin(&walk, set);
    while (!call->reply.failed && (record = set_walk_next(&walk)) != NULL) {
        const struct member member = {record->value, record->value_len};
        uint8_t hash[SET_HASH_SIZE];
        if (choice_takes(&choice)) {
            reply_member(call, record);
            continue;
        }
        set_hash(&rest, &member, hash);
        if (!set_add(&rest, hash, &member)) {
            return;
        }
    }
    (void)set_store(&rest);
}

static void pop_some(struct call *call, struct set *set, uint64_t count)
{
    if (count == 0 || set->head.count == 0) {
        resp_set(&call->reply, 0);
        return;
    }
    if (count >= set->head.count) {
        resp_set(&call->reply, set->head.count);
        sets_reply_all(call, set);
        (void)(!call->reply.failed && call_remove(call, &set->key));
    } else if (pop_changes(count) < VIEW_CHANGES_MAX) {
        pop_each(call, set, count);
    } else {
        pop_most(call, set, count);
    }
}

static void pop_one(struct call *call, struct set *set)
{
    if (set->head.count == 0) {
        resp_null(&call->reply);
        return;
    }
    const struct record *record = draw(set);
    reply_member(call, record);
    if (!call->reply.failed && set_remove(set, record)) {
        (void)set_store(set);
    }
}

void sets_pop(struct call *call)
{
    struct set set;
    int64_t count = -1;
    bool overflow;
    if (call->count > 3) {
        call_syntax(call);
        return;
    }
    if (call->count == 3 && (!decimal_parse(call->args[2].bytes,
                                 call->args[2].size, &count, &overflow) ||
                                count < 0)) {
        resp_error(&call->reply, "ERR value is out of range, must be positive");
        return;
    }
    if (!set_open(call, 1, &set)) {
        return;
    }
    if (call->count == 3) {
        pop_some(call, &set, (uint64_t)count);
    } else {
        pop_one(call, &set);
    }
}
