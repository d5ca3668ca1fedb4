/* lists_within.c: commands that search a list, or change it within: their cost
 * grows with its length. */
#include "command/lists.h"

#include <assert.h>

/* ---- LINSERT ------------------------------------------------------------- */

/* The number of the first element equal to an argument; -1: none is. */
static int64_t find_first(
    struct call *call, const struct list *list, const struct resp_arg *arg)
{
    struct list_walk walk;
    const struct record *element;
    list_walk(&walk, list, 0, list_length(list));
    for (int64_t i = 0; (element = list_walk_next(call, &walk)) != NULL; i++) {
        if (record_holds(element, arg->bytes, arg->size)) {
            return i;
        }
    }
    return -1;
}

/* Moves the elements before number i one position to the left, or those from it
 * on to the right: the fewer. */
static void insert(struct call *call, struct list *list, int64_t i)
{
    struct list_walk walk;
    const struct record *element;
    const struct resp_arg *arg = &call->args[4];
    int64_t length = list_length(list);
    bool left = i <= length - i;
    int64_t to = left ? -1 : length;
    if (left) {
        list_walk(&walk, list, 0, i);
    } else {
        list_walk_back(&walk, list, length - 1, length - i);
    }
    while ((element = list_walk_next(call, &walk)) != NULL) {
        list_put(call, list, to, element->value, element->value_len);
        to += walk.step;
    }
    list_put(call, list, to, arg->bytes, arg->size);
    list_grow(list, left ? LIST_LEFT : LIST_RIGHT);
    list_store(call, list);
}

void lists_linsert(struct call *call)
{
    struct list list;
    bool after = call_is(call, 2, "after");
    if (!after && !call_is(call, 2, "before")) {
        call_syntax(call);
        return;
    }
    if (!list_find(call, 1, &list)) {
        return;
    }
    int64_t length = list_length(&list);
    if (length == 0) {
        resp_number(&call->reply, 0);
        return;
    }
    int64_t i = find_first(call, &list, &call->args[3]);
    if (i < 0) {
        resp_number(&call->reply, -1);
        return;
    }
    i += after ? 1 : 0;
    if (call_fits(call, 1, 2 + u64_min((uint64_t)i, (uint64_t)(length - i)))) {
        insert(call, &list, i);
        resp_number(&call->reply, list_length(&list));
    }
}

/* ---- LREM ---------------------------------------------------------------- */

/* What LREM removes: from number low to high, all that are equal to the value.
 * The longest run of others stays where it is; what is before it moves to the
 * right, what is behind it to the left: no other way moves fewer. */
struct removal {
    const struct resp_arg *value;
    int64_t count;
    int64_t low;
    int64_t high;
    int64_t run; /* number of the run's first element */
    int64_t run_length;
};

static bool is_removed(
    const struct removal *removal, const struct record *element, int64_t i)
{
    return i >= removal->low && i <= removal->high &&
           record_holds(element, removal->value->bytes, removal->value->size);
}

/* Elements between two that go, or the end: both numbers excluded. */
static void note_run(struct removal *removal, int64_t before, int64_t behind)
{
    if (behind - before - 1 > removal->run_length) {
        removal->run = before + 1;
        removal->run_length = behind - before - 1;
    }
}

static void find_removed(struct call *call, const struct list *list,
    int64_t limit, struct removal *removal)
{
    struct list_walk walk;
    const struct record *element;
    int64_t length = list_length(list);
    int64_t last = -1; /* the one that goes before this one */
    list_walk(&walk, list, 0, length);
    for (int64_t i = 0; removal->count < limit &&
                        (element = list_walk_next(call, &walk)) != NULL;
         i++) {
        if (record_holds(
                element, removal->value->bytes, removal->value->size)) {
            note_run(removal, last, i);
            removal->low = removal->count++ == 0 ? i : removal->low;
            last = i;
        }
    }
    removal->high = last;
    note_run(removal, last, length);
}

/* The same from the end. */
static void find_removed_back(struct call *call, const struct list *list,
    int64_t limit, struct removal *removal)
{
    struct list_walk walk;
    const struct record *element;
    int64_t length = list_length(list);
    int64_t last = length;
    list_walk_back(&walk, list, length - 1, length);
    for (int64_t i = length - 1;
         removal->count < limit &&
         (element = list_walk_next(call, &walk)) != NULL;
         i--) {
        if (record_holds(
                element, removal->value->bytes, removal->value->size)) {
            note_run(removal, i, last);
            removal->high = removal->count++ == 0 ? i : removal->high;
            last = i;
        }
    }
    removal->low = last;
    note_run(removal, -1, last);
}

/* Closes the gaps on one side of the run: left of it, with step -1, or right of
 * it.  Returns how many went. */
static int64_t close_gaps(struct call *call, const struct list *list,
    const struct removal *removal, int step)
{
    struct list_walk walk;
    const struct record *element;
    int64_t i =
        step > 0 ? removal->run + removal->run_length : removal->run - 1;
    int64_t to = i;
    int64_t gone = 0;
    if (step > 0) {
        list_walk(&walk, list, i, list_length(list) - i);
    } else {
        list_walk_back(&walk, list, i, i + 1);
    }
    for (; (element = list_walk_next(call, &walk)) != NULL; i += step) {
        if (is_removed(removal, element, i)) {
            gone++;
        } else {
            list_put(call, list, to, element->value, element->value_len);
            to += step;
        }
    }
    for (; to != i; to += step) {
        list_drop(call, list, to);
    }
    return gone;
}

static void renew_without(
    struct call *call, const struct list *list, const struct removal *removal)
{
    struct list renewed;
    struct list_walk walk;
    const struct record *element;
    list_renew(call, list, &renewed);
    list_walk(&walk, list, 0, list_length(list));
    for (int64_t i = 0; (element = list_walk_next(call, &walk)) != NULL; i++) {
        if (!is_removed(removal, element, i)) {
            list_push(
                call, &renewed, LIST_RIGHT, element->value, element->value_len);
        }
    }
    list_replace(call, &renewed);
}

/* False if it does not fit. */
static bool remove_all(
    struct call *call, struct list *list, const struct removal *removal)
{
    int64_t kept = list_length(list) - removal->count;
    uint64_t changes =
        (uint64_t)(removal->count + kept - removal->run_length) + 1;
    if (kept == 0) {
        return list_keep(call, list, 0, 0);
    }
    if (changes > view_room(call->view) && list_renewal_fits(call, kept)) {
        renew_without(call, list, removal);
        return true;
    }
    if (!call_fits(call, 0, changes)) {
        return false;
    }
    int64_t left = close_gaps(call, list, removal, -1);
    int64_t right = close_gaps(call, list, removal, 1);
    assert(left + right == removal->count);
    list_shrink(list, LIST_LEFT, left);
    list_shrink(list, LIST_RIGHT, right);
    list_store(call, list);
    return true;
}

void lists_lrem(struct call *call)
{
    struct list list;
    int64_t count;
    struct removal removal = {.value = &call->args[3]};
    if (!call_integer(call, 2, &count) || !list_find(call, 1, &list)) {
        return;
    }
    if (count < 0) {
        int64_t limit = count == INT64_MIN ? INT64_MAX : -count;
        find_removed_back(call, &list, limit, &removal);
    } else {
        find_removed(call, &list, count == 0 ? INT64_MAX : count, &removal);
    }
    if (removal.count == 0 || remove_all(call, &list, &removal)) {
        resp_number(&call->reply, removal.count);
    }
}

/* ---- LTRIM --------------------------------------------------------------- */

void lists_ltrim(struct call *call)
{
    struct list list;
    int64_t start;
    int64_t stop;
    int64_t first;
    if (!call_integer(call, 2, &start) || !call_integer(call, 3, &stop) ||
        !list_find(call, 1, &list)) {
        return;
    }
    if (list.head.count > 0) {
        int64_t count = list_clip(&list, start, stop, &first);
        if (!list_keep(call, &list, count > 0 ? first : 0, count)) {
            return;
        }
    }
    resp_ok(&call->reply);
}

/* ---- LPOS ---------------------------------------------------------------- */

struct search {
    int64_t rank;   /* never 0; negative: from the end */
    int64_t limit;  /* of matches */
    int64_t maxlen; /* of elements that are looked at */
    bool many;      /* COUNT was given */
};

static bool parse_rank(struct call *call, uint32_t i, struct search *search)
{
    if (!call_range(call, i, -INT64_MAX, INT64_MAX, &search->rank)) {
        return false;
    }
    if (search->rank == 0) {
        resp_error(&call->reply,
            "ERR RANK can't be zero: use 1 to start from the first match, 2 "
            "from the second ... or use negative to start from the end of the "
            "list");
        return false;
    }
    return true;
}

/* A number of which 0 stands for any. */
static bool parse_limit(
    struct call *call, uint32_t i, const char *name, int64_t *limit)
{
    bool overflow;
    const struct resp_arg *arg = &call->args[i];
    if (!decimal_parse(arg->bytes, arg->size, limit, &overflow) || *limit < 0) {
        resp_error(&call->reply, "ERR %s can't be negative", name);
        return false;
    }
    *limit = *limit == 0 ? INT64_MAX : *limit;
    return true;
}

static bool parse_search(struct call *call, struct search *search)
{
    *search = (struct search){.rank = 1, .limit = 1, .maxlen = INT64_MAX};
    for (uint32_t i = 3; i < call->count; i += 2) {
        bool valid = false;
        bool more = i + 1 < call->count;
        if (more && call_is(call, i, "rank")) {
            valid = parse_rank(call, i + 1, search);
        } else if (more && call_is(call, i, "count")) {
            valid = parse_limit(call, i + 1, "COUNT", &search->limit);
            search->many = true;
        } else if (more && call_is(call, i, "maxlen")) {
            valid = parse_limit(call, i + 1, "MAXLEN", &search->maxlen);
        } else {
            call_syntax(call);
        }
        if (!valid) {
            return false;
        }
    }
    return true;
}

/* Returns how many matches there are up to the limit, *last the number of the
 * last one; with reply, each is written. */
static int64_t find_matches(struct call *call, const struct list *list,
    const struct search *search, int64_t *last, bool reply)
{
    struct list_walk walk;
    const struct record *element;
    const struct resp_arg *arg = &call->args[2];
    int64_t length = list_length(list);
    int64_t looks = search->maxlen < length ? search->maxlen : length;
    bool back = search->rank < 0;
    int64_t skip = (back ? -search->rank : search->rank) - 1;
    int64_t found = 0;
    int64_t i = back ? length - 1 : 0;
    if (back) {
        list_walk_back(&walk, list, i, looks);
    } else {
        list_walk(&walk, list, i, looks);
    }
    for (; found < search->limit &&
           (element = list_walk_next(call, &walk)) != NULL;
         i += walk.step) {
        if (!record_holds(element, arg->bytes, arg->size) || skip-- > 0) {
            continue;
        }
        found++;
        *last = i;
        if (reply) {
            resp_number(&call->reply, i);
        }
    }
    return found;
}

void lists_lpos(struct call *call)
{
    struct list list;
    struct search search;
    int64_t last;
    if (!parse_search(call, &search) || !list_find(call, 1, &list)) {
        return;
    }
    int64_t found = find_matches(call, &list, &search, &last, false);
    if (search.many) {
        /* An array begins with its length: so it is searched twice. */
        resp_array(&call->reply, (size_t)found);
        search.limit = found;
        (void)find_matches(call, &list, &search, &last, true);
    } else if (found == 0) {
        resp_null(&call->reply);
    } else {
        resp_number(&call->reply, last);
    }
}
