/* linear.c: the search.
 *
 * It goes through the calls and returns of one part of the history in the order
 * of time and keeps the set of all worlds that are thinkable at that moment.
 *
 * 1. A call makes an operation pending: it may take effect from now on.
 * 2. At a return every world goes on in which the operation has taken effect.
 *    In the others it does so now, after any of the other pending ones that may
 *    go before it.  An open operation may also never take effect.
 * 3. No world left: the history is not linearizable.
 *
 * Two rules keep the set small, and neither loses a world that matters.  What
 * by its answer changes nothing, and is right already, takes effect at once:
 * later it could only be harder.  And a text is put once, so nobody overwrites
 * it before all who read it have done so. */
#include "torture/linear.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "torture/history/linear_model.h"
#include "torture/history/worlds.h"

struct event {
    int64_t at_ns;
    uint32_t op;
    bool returns;
};

struct search {
    const struct linear_op *ops;
    uint32_t count;
    struct linear_result *result;
    uint8_t parts[LINEAR_HISTORY_KEYS];
    uint8_t places[LINEAR_HISTORY_KEYS]; /* of a key, among those of its part */
    uint32_t *last_demand; /* by text: 1 + the last event that calls for it */
    struct event *events;
    uint32_t events_count;

    uint32_t at;       /* event that is looked at */
    uint64_t pending;  /* bit i: place i is taken */
    uint64_t harmless; /* of these, those that change nothing */
    uint32_t slots[LINEAR_PENDING_MAX];  /* operation in place i */
    uint64_t before[LINEAR_PENDING_MAX]; /* those that must go before it */
    uint64_t work;
    struct worlds now;
    struct worlds next;
};

/* ---- Worlds -------------------------------------------------------------- */

static bool undecided(struct search *search, const char *why)
{
    search->result->verdict = LINEAR_UNDECIDED;
    (void)snprintf(search->result->why, sizeof search->result->why,
        "%s, at event %u of %u", why, search->at, search->events_count);
    return false;
}

static const struct linear_op *op_in(const struct search *search, unsigned slot)
{
    return &search->ops[search->slots[slot]];
}

/* True if somebody who has not taken effect yet must meet this text. */
static bool is_awaited(
    const struct search *search, uint64_t done, int64_t value)
{
    if (search->last_demand[value / 2] > search->at + 1) {
        return true;
    }
    for (uint64_t left = search->pending & ~done; left != 0; left &= left - 1) {
        if (linear_demands(
                op_in(search, (unsigned)__builtin_ctzll(left)), value)) {
            return true;
        }
    }
    return false;
}

/* Has everything take effect that changes nothing and answers right. */
static void settle(const struct search *search, struct world *world)
{
    uint64_t before;
    do {
        before = world->done;
        for (uint64_t left = search->harmless & ~world->done; left != 0;
             left &= left - 1) {
            unsigned slot = (unsigned)__builtin_ctzll(left);
            if ((search->before[slot] & ~world->done) == 0 &&
                linear_apply(
                    op_in(search, slot), search->places, world->values)) {
                world->done |= UINT64_C(1) << slot;
            }
        }
    } while (world->done != before);
}

/* The world after the operation in slot.  False if there is none. */
static bool advance(const struct search *search, const struct world *from,
    unsigned slot, struct world *to)
{
    *to = *from;
    if ((search->before[slot] & ~from->done) != 0 ||
        !linear_apply(op_in(search, slot), search->places, to->values)) {
        return false;
    }
    to->done |= UINT64_C(1) << slot;
    for (uint32_t i = 0; i < LINEAR_KEYS_MAX; i++) {
        if (to->values[i] != from->values[i] &&
            linear_is_text(from->values[i]) &&
            is_awaited(search, to->done, from->values[i])) {
            return false;
        }
    }
    settle(search, to);
    return true;
}

/* Adds what becomes of this world, without the operation in slot, by one more
 * operation: to the next worlds if that one has taken effect then. */
static bool branch(struct search *search, uint32_t number, unsigned slot)
{
    uint64_t bit = UINT64_C(1) << slot;
    struct world from = search->now.worlds[number];
    for (uint64_t left = search->pending & ~from.done; left != 0;
         left &= left - 1) {
        struct world to;
        if (!advance(search, &from, (unsigned)__builtin_ctzll(left), &to)) {
            continue;
        }
        bool returned = (to.done & bit) != 0;
        to.done &= ~bit;
        if (!worlds_add(returned ? &search->next : &search->now, &to)) {
            return undecided(search, "too many thinkable worlds");
        }
    }
    return true;
}

/* ---- Events -------------------------------------------------------------- */

static void change_worlds(struct search *search)
{
    struct worlds now = search->now;
    search->now = search->next;
    search->next = now;
    worlds_empty(&search->next);
    search->result->longest =
        u64_max(search->result->longest, search->now.count);
}

static bool take_call(struct search *search, uint32_t number)
{
    const struct linear_op *op = &search->ops[number];
    if (search->pending == UINT64_MAX) {
        return undecided(search, "too many operations under way at once");
    }
    unsigned slot = (unsigned)__builtin_ctzll(~search->pending);
    search->before[slot] = 0;
    for (unsigned i = 0; i < LINEAR_PENDING_MAX; i++) {
        if ((search->pending >> i & 1) != 0 &&
            op_in(search, i)->session == op->session &&
            op->session != LINEAR_NO_SESSION) {
            search->before[slot] |= UINT64_C(1) << i;
        }
    }
    search->slots[slot] = number;
    search->pending |= UINT64_C(1) << slot;
    search->harmless |= linear_harmless(op) ? UINT64_C(1) << slot : 0;
    for (uint32_t i = 0; i < search->now.count; i++) {
        struct world world = search->now.worlds[i];
        settle(search, &world);
        if (!worlds_add(&search->next, &world)) {
            return undecided(search, "too many thinkable worlds");
        }
    }
    change_worlds(search);
    return true;
}

static unsigned slot_of(const struct search *search, uint32_t number)
{
    unsigned slot = 0;
    while (
        (search->pending >> slot & 1) == 0 || search->slots[slot] != number) {
        slot++;
        assert(slot < LINEAR_PENDING_MAX);
    }
    return slot;
}

static bool take_return(struct search *search, uint32_t number)
{
    unsigned slot = slot_of(search, number);
    uint64_t bit = UINT64_C(1) << slot;
    uint32_t first = search->now.count;
    for (uint32_t i = 0; i < search->now.count; i++) {
        struct world world = search->now.worlds[i];
        bool done = (world.done & bit) != 0;
        world.done &= ~bit;
        if (++search->work > LINEAR_WORK_MAX) {
            return undecided(search, "too much to be searched");
        }
        if ((done || (i < first && search->ops[number].open)) &&
            !worlds_add(&search->next, &world)) {
            return undecided(search, "too many thinkable worlds");
        }
        if (!done && !branch(search, i, slot)) {
            return false;
        }
    }
    search->pending &= ~bit;
    search->harmless &= ~bit;
    for (unsigned i = 0; i < LINEAR_PENDING_MAX; i++) {
        search->before[i] &= ~bit;
    }
    change_worlds(search);
    if (search->now.count == 0) {
        search->result->verdict = LINEAR_NO;
        search->result->culprit = number;
        return false;
    }
    return true;
}

/* ---- Parts --------------------------------------------------------------- */

void linear_parts(const struct linear_op *ops, uint32_t count,
    uint8_t parts[LINEAR_HISTORY_KEYS])
{
    for (uint32_t i = 0; i < LINEAR_HISTORY_KEYS; i++) {
        parts[i] = (uint8_t)i;
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 1; j < ops[i].length; j++) {
            uint8_t one = parts[ops[i].steps[0].key];
            uint8_t other = parts[ops[i].steps[j].key];
            for (uint32_t k = 0; one != other && k < LINEAR_HISTORY_KEYS; k++) {
                bool joins = parts[k] == one || parts[k] == other;
                parts[k] = joins ? (one < other ? one : other) : parts[k];
            }
        }
    }
}

/* By time; calls before returns, so that who meets in one instant overlaps.  A
 * session's open operations return together: the last one first, so that it has
 * not taken effect where one before it has not. */
static int compare_events(const void *left, const void *right)
{
    const struct event *a = left;
    const struct event *b = right;
    if (a->at_ns != b->at_ns) {
        return a->at_ns < b->at_ns ? -1 : 1;
    }
    if (a->returns != b->returns) {
        return a->returns ? 1 : -1;
    }
    int order = a->op < b->op ? -1 : 1;
    return a->returns ? -order : order;
}

static void list_events(struct search *search, uint8_t part)
{
    search->events_count = 0;
    for (uint32_t i = 0; i < search->count; i++) {
        const struct linear_op *op = &search->ops[i];
        if (search->parts[op->steps[0].key] != part ||
            (op->open && !linear_writes(op))) {
            continue;
        }
        struct event *events = &search->events[search->events_count];
        events[0] = (struct event){op->call_ns, i, false};
        events[1] = (struct event){op->return_ns, i, true};
        search->events_count += 2;
    }
    qsort(search->events, search->events_count, sizeof *search->events,
        compare_events);
}

static void note_demands(struct search *search)
{
    for (uint32_t i = 0; i < search->events_count; i++) {
        const struct linear_op *op = &search->ops[search->events[i].op];
        for (uint32_t j = 0; j < op->length; j++) {
            const struct linear_step *step = &op->steps[j];
            int64_t met =
                step->verb == KV_EXPECT ? step->argument : step->result;
            if (!search->events[i].returns && linear_is_text(met) &&
                linear_demands(op, met)) {
                search->last_demand[met / 2] = i + 1;
            }
        }
    }
}

/* Searches one part.  False if the verdict is not that it is linearizable. */
static bool check_part(struct search *search, uint8_t part)
{
    struct world first = {.done = 0};
    uint8_t keys = 0;
    bool going = true;
    for (uint32_t i = 0; i < LINEAR_HISTORY_KEYS; i++) {
        if (search->parts[i] == part) {
            search->places[i] = keys < LINEAR_KEYS_MAX ? keys : 0;
            keys++;
        }
    }
    for (uint32_t i = 0; i < LINEAR_KEYS_MAX; i++) {
        first.values[i] = LINEAR_ABSENT;
    }
    search->at = 0;
    search->pending = 0;
    search->harmless = 0;
    search->work = 0;
    list_events(search, part);
    note_demands(search);
    if (keys > LINEAR_KEYS_MAX) {
        return undecided(search, "chains join too many keys");
    }
    worlds_empty(&search->now);
    worlds_empty(&search->next);
    if (!worlds_add(&search->now, &first)) {
        return undecided(search, "no memory");
    }
    for (search->at = 0; going && search->at < search->events_count;
         search->at++) {
        const struct event *event = &search->events[search->at];
        going = event->returns ? take_return(search, event->op)
                               : take_call(search, event->op);
    }
    search->result->parts += search->events_count > 0 ? 1 : 0;
    return going;
}

/* ---- The check ----------------------------------------------------------- */

/* One more than the greatest text; 0 if a text is put twice, or too great. */
static uint32_t count_texts(const struct linear_op *ops, uint32_t count)
{
    uint8_t *put = calloc(LINEAR_TEXTS_MAX, 1);
    uint32_t texts = 1;
    for (uint32_t i = 0; put != NULL && texts > 0 && i < count; i++) {
        for (uint32_t j = 0; texts > 0 && j < ops[i].length; j++) {
            const struct linear_step *step = &ops[i].steps[j];
            int64_t met[] = {step->argument, step->result};
            for (uint32_t k = 0; texts > 0 && k < ARRAY_SIZE(met); k++) {
                int64_t text = met[k] / 2;
                bool puts = k == 0 && step->verb == KV_PUT;
                if (step->verb == KV_ADD || !linear_is_text(met[k])) {
                    continue;
                }
                bool wrong = text < 0 || text >= LINEAR_TEXTS_MAX ||
                             (puts && put[text]++ > 0);
                texts = wrong ? 0 : (uint32_t)u64_max(texts, text + 1);
            }
        }
    }
    free(put);
    return put == NULL ? 0 : texts;
}

void linear_check(const struct linear_op *ops, uint32_t count,
    uint32_t worlds_max, struct linear_result *result)
{
    struct search search = {.ops = ops,
        .count = count,
        .result = result,
        .now.count_max = worlds_max,
        .next.count_max = worlds_max};
    uint32_t texts = count_texts(ops, count);
    *result = (struct linear_result){.verdict = LINEAR_YES};
    search.last_demand = calloc((size_t)texts + 1, sizeof *search.last_demand);
    search.events = calloc(2 * ((size_t)count + 1), sizeof *search.events);
    linear_parts(ops, count, search.parts);
    bool going = true;
    if (texts == 0 || search.last_demand == NULL || search.events == NULL) {
        going = undecided(&search, "no memory, or a text is put twice");
    }
    for (uint32_t i = 0; going && i < LINEAR_HISTORY_KEYS; i++) {
        if (search.parts[i] == i) {
            going = check_part(&search, (uint8_t)i);
        }
    }
    worlds_free(&search.now);
    worlds_free(&search.next);
    free(search.events);
    free(search.last_demand);
}
