/* sets_algebra.c: what several sets have in common, together, or apart.
 *
 * All sets are looked at under one instant.  A set that is named twice counts
 * once.  A result that is stored is counted first, so that what does not fit
 * changes nothing. */
#include "command/sets.h"

#include "random.h"
#include "siphash.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum operation { INTER, UNION, DIFF };

/* Members that a union has told already: open addressing; they are not changed
 * while it lives. */
struct told {
    uint64_t slots; /* a power of two, twice the members or more */
    const struct record **members;
    uint8_t secret[SIPHASH_SECRET_SIZE];
};

struct algebra {
    struct call *call;
    enum operation operation;
    uint32_t count;
    struct set *sets;
    uint32_t at; /* whose members are walked through */
    struct set_walk walk;
    struct told told;
};

/* ---- The sets ------------------------------------------------------------ */

static int compare_sets(const struct set *one, const struct set *other)
{
    uint64_t first = one->head.count;
    uint64_t second = other->head.count;
    return first != second
               ? (first < second ? -1 : 1)
               : memcmp(one->head.owner, other->head.owner, OWNER_SIZE);
}

static int smaller(const void *one, const void *other)
{
    return compare_sets(one, other);
}

static int larger(const void *one, const void *other)
{
    return compare_sets(other, one);
}

/* An intersection begins with the smallest set; a difference asks the largest
 * ones first, which are the most likely to have a member.  Sets that are the
 * same stand beside each other then. */
static void sort_sets(struct algebra *algebra)
{
    uint32_t fixed = algebra->operation == DIFF ? 1 : 0;
    uint32_t kept = fixed;
    qsort(algebra->sets + fixed, algebra->count - fixed, sizeof *algebra->sets,
        algebra->operation == INTER ? smaller : larger);
    for (uint32_t i = fixed; i < algebra->count; i++) {
        if (kept == fixed ||
            compare_sets(&algebra->sets[kept - 1], &algebra->sets[i]) != 0) {
            algebra->sets[kept++] = algebra->sets[i];
        }
    }
    algebra->count = kept;
}

/* Opens the sets of arguments first to last; at most RESP_ARGS_MAX.  False: the
 * reply says why.  algebra_end follows in any case. */
static bool algebra_begin(
    struct algebra *algebra, struct call *call, uint32_t first, uint32_t last)
{
    algebra->call = call;
    algebra->count = last - first + 1;
    algebra->sets = calloc(algebra->count, sizeof *algebra->sets);
    if (algebra->sets == NULL) {
        resp_error(&call->reply, "OOM out of memory: name fewer sets");
        return false;
    }
    for (uint32_t i = 0; i < algebra->count; i++) {
        if (!set_open(call, first + i, &algebra->sets[i])) {
            return false;
        }
    }
    sort_sets(algebra);
    return true;
}

static void algebra_end(struct algebra *algebra)
{
    free(algebra->sets);
    free(algebra->told.members);
}

/* ---- Their members ------------------------------------------------------- */

/* True if it is the first one that is the same. */
static bool tell(struct told *told, const struct record *record)
{
    uint8_t hash[SIPHASH_LONG_SIZE];
    siphash24_long(told->secret, record->value, record->value_len, hash);
    uint64_t place = bytes_u64(hash);
    for (;; place++) {
        const struct record **at = &told->members[place & (told->slots - 1)];
        if (*at == NULL) {
            *at = record;
            return true;
        }
        if (record_holds(*at, record->value, record->value_len)) {
            return false;
        }
    }
}

/* Begins with the first member of the result, of which at most so many will be
 * asked for.  False without memory: the reply says so. */
static bool rewind_to_first(struct algebra *algebra, uint64_t most)
{
    struct told *told = &algebra->told;
    algebra->at = 0;
    set_walk_begin(&algebra->walk, &algebra->sets[0]);
    if (algebra->operation != UNION || algebra->count == 1) {
        return true;
    }
    uint64_t members = 0;
    for (uint32_t i = 0; i < algebra->count; i++) {
        members += algebra->sets[i].head.count;
    }
    free(told->members);
    told->slots = 16;
    while (told->slots < 2 * u64_min(members, most)) {
        told->slots *= 2;
    }
    told->members = calloc(told->slots, sizeof(struct record *));
    random_fill(told->secret, sizeof told->secret);
    if (told->members == NULL) {
        resp_error(&algebra->call->reply, "OOM out of memory: join fewer sets");
    }
    return told->members != NULL;
}

/* True if a member of the set that is walked through is in the result. */
static bool belongs(struct algebra *algebra, const struct record *record)
{
    const struct member member = {record->value, record->value_len};
    bool wanted = algebra->operation == INTER;
    if (algebra->operation == UNION) {
        return algebra->count == 1 || tell(&algebra->told, record);
    }
    for (uint32_t i = 1; i < algebra->count; i++) {
        if ((set_find_member(&algebra->sets[i], &member) != NULL) != wanted) {
            return false;
        }
    }
    return true;
}

/* The next member of the result, each once; NULL behind the last. */
static const struct record *algebra_next(struct algebra *algebra)
{
    uint32_t walked = algebra->operation == UNION ? algebra->count : 1;
    for (;;) {
        const struct record *record = set_walk_next(&algebra->walk);
        if (record == NULL && ++algebra->at >= walked) {
            return NULL;
        }
        if (record == NULL) {
            set_walk_begin(&algebra->walk, &algebra->sets[algebra->at]);
        } else if (belongs(algebra, record)) {
            return record;
        }
    }
}

/* How many members the result has, but at most so many. */
static uint64_t count_members(struct algebra *algebra, uint64_t most)
{
    uint64_t found = 0;
    while (found < most && algebra_next(algebra) != NULL) {
        found++;
    }
    return found;
}

/* ---- SINTER, SUNION, SDIFF ----------------------------------------------- */

static void show(struct algebra *algebra)
{
    struct resp_reply *reply = &algebra->call->reply;
    enum { REPLY_MIN = 6 /* bytes of a member */ };
    const struct record *record;
    uint32_t at = reply->buffer->size;
    size_t shown = 0;
    if (!rewind_to_first(algebra, reply->buffer->max / REPLY_MIN + 1)) {
        return;
    }
    while (!reply->failed && (record = algebra_next(algebra)) != NULL) {
        resp_bulk(reply, record->value, record->value_len);
        shown++;
    }
    resp_set_at(reply, at, shown);
}

static void combine(struct call *call, enum operation operation)
{
    struct algebra algebra = {.operation = operation};
    if (algebra_begin(&algebra, call, 1, call->count - 1)) {
        show(&algebra);
    }
    algebra_end(&algebra);
}

void sets_inter(struct call *call)
{
    combine(call, INTER);
}

void sets_union(struct call *call)
{
    combine(call, UNION);
}

void sets_diff(struct call *call)
{
    combine(call, DIFF);
}

/* ---- SINTERSTORE, SUNIONSTORE, SDIFFSTORE -------------------------------- */

static void store_nothing(struct call *call, const struct key *key)
{
    if (call_find(call, key) == NULL || call_remove(call, key)) {
        resp_number(&call->reply, 0);
    }
}

/* Makes the result, of so many members, under a new owner, and gives it the
 * key.  No change of the sets comes before the last look at them. */
static void store_members(
    struct algebra *algebra, const struct key *key, uint64_t count)
{
    struct call *call = algebra->call;
    struct set result = {.view = call->view, .key = *key};
    const struct record *record;
    uint64_t records = set_growth(&result, count);
    if (!call_fits(call, records, records + 1 + REMAINS_CHANGES) ||
        !rewind_to_first(algebra, count)) {
        return;
    }
    set_begin(&result);
    while ((record = algebra_next(algebra)) != NULL) {
        const struct member member = {record->value, record->value_len};
        uint8_t hash[SET_HASH_SIZE];
        set_hash(&result, &member, hash);
        if (!set_add(&result, hash, &member)) {
            return;
        }
    }
    assert(result.head.count == count);
    if (set_store(&result)) {
        resp_number(&call->reply, (int64_t)count);
    }
}

static void store(struct call *call, enum operation operation)
{
    struct algebra algebra = {.operation = operation};
    struct key key;
    if (call_key(call, 1, &key) &&
        algebra_begin(&algebra, call, 2, call->count - 1) &&
        rewind_to_first(&algebra, VIEW_CHANGES_MAX)) {
        uint64_t count = count_members(&algebra, VIEW_CHANGES_MAX);
        if (count == 0) {
            store_nothing(call, &key);
        } else {
            store_members(&algebra, &key, count);
        }
    }
    algebra_end(&algebra);
}

void sets_inter_store(struct call *call)
{
    store(call, INTER);
}

void sets_union_store(struct call *call)
{
    store(call, UNION);
}

void sets_diff_store(struct call *call)
{
    store(call, DIFF);
}

/* ---- SINTERCARD ---------------------------------------------------------- */

/* numkeys, and the limit behind the keys; 0: none. */
static bool read_limit(struct call *call, uint32_t *keys, uint64_t *limit)
{
    int64_t number;
    bool overflow;
    const struct resp_arg *arg = &call->args[1];
    *limit = 0;
    if (!decimal_parse(arg->bytes, arg->size, &number, &overflow) ||
        number < 1) {
        resp_error(&call->reply, "ERR numkeys should be greater than 0");
        return false;
    }
    if (number > call->count - 2) {
        resp_error(&call->reply,
            "ERR Number of keys can't be greater than number of args");
        return false;
    }
    *keys = (uint32_t)number;
    for (uint32_t i = 2 + *keys; i < call->count; i += 2) {
        if (!call_is(call, i, "limit") || i + 1 == call->count) {
            call_syntax(call);
            return false;
        }
        arg = &call->args[i + 1];
        if (!decimal_parse(arg->bytes, arg->size, &number, &overflow) ||
            number < 0) {
            resp_error(&call->reply, "ERR LIMIT can't be negative");
            return false;
        }
        *limit = (uint64_t)number;
    }
    return true;
}

void sets_inter_count(struct call *call)
{
    struct algebra algebra = {.operation = INTER};
    uint32_t keys;
    uint64_t limit;
    if (!read_limit(call, &keys, &limit)) {
        return;
    }
    if (algebra_begin(&algebra, call, 2, 1 + keys) &&
        rewind_to_first(&algebra, 0)) {
        uint64_t most = limit == 0 ? UINT64_MAX : limit;
        resp_number(&call->reply, (int64_t)count_members(&algebra, most));
    }
    algebra_end(&algebra);
}
