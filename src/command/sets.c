/* sets.c: commands about members that the client names, and about all. */
#include "command/sets.h"

#include "glob_match.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static struct member member_of(const struct call *call, uint32_t i)
{
    return (struct member){call->args[i].bytes, call->args[i].size};
}

static void reply_collision(struct call *call)
{
    resp_error(&call->reply,
        "ERR two different members of this set would have the same hash, which "
        "chance hardly ever brings: copy the set (SUNIONSTORE), which gives "
        "it another secret, and add to the copy");
}

/* ---- SADD ---------------------------------------------------------------- */

/* A member to be added: argument number arg. */
struct fresh {
    uint8_t hash[SET_HASH_SIZE];
    uint32_t arg;
};

static int by_hash(const void *one, const void *other)
{
    return memcmp(one, other, SET_HASH_SIZE);
}

/* Those of the arguments that are not in the set, each once.  False if two
 * collide: the reply says so. */
static bool find_fresh(struct call *call, const struct set *set,
    struct fresh *fresh, uint32_t *found)
{
    uint32_t count = 0;
    for (uint32_t i = 2; i < call->count; i++) {
        struct member member = member_of(call, i);
        set_hash(set, &member, fresh[count].hash);
        fresh[count].arg = i;
        const struct record *record = set_find(set, fresh[count].hash);
        if (record != NULL &&
            !record_holds(record, member.bytes, member.size)) {
            reply_collision(call);
            return false;
        }
        count += record == NULL ? 1 : 0;
    }
    qsort(fresh, count, sizeof *fresh, by_hash);
    *found = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (*found == 0 || by_hash(&fresh[*found - 1], &fresh[i]) != 0) {
            fresh[(*found)++] = fresh[i];
            continue;
        }
        struct member one = member_of(call, fresh[*found - 1].arg);
        struct member other = member_of(call, fresh[i].arg);
        if (one.size != other.size ||
            memcmp(one.bytes, other.bytes, one.size) != 0) {
            reply_collision(call);
            return false;
        }
    }
    return true;
}

static void add_fresh(struct call *call, struct set *set,
    const struct fresh *fresh, uint32_t count)
{
    uint64_t records = set_growth(set, count);
    if (count > 0 && !call_fits(call, records, records + 1 + REMAINS_CHANGES)) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct member member = member_of(call, fresh[i].arg);
        if (!set_add(set, fresh[i].hash, &member)) {
            return;
        }
    }
    if (count == 0 || set_store(set)) {
        resp_number(&call->reply, count);
    }
}

void sets_add(struct call *call)
{
    enum { FEW = 16 };
    struct fresh few[FEW];
    struct set set;
    uint32_t count;
    if (!set_open(call, 1, &set)) {
        return;
    }
    if (set.head.count == 0) {
        set_begin(&set);
    }
    /* At most RESP_ARGS_MAX of them. */
    struct fresh *fresh =
        call->count - 2 <= FEW ? few : calloc(call->count, sizeof *fresh);
    if (fresh == NULL) {
        resp_error(&call->reply, "OOM out of memory: add fewer at a time");
        return;
    }
    if (find_fresh(call, &set, fresh, &count)) {
        add_fresh(call, &set, fresh, count);
    }
    if (fresh != few) {
        free(fresh);
    }
}

/* ---- SREM, SMOVE --------------------------------------------------------- */

void sets_remove(struct call *call)
{
    struct set set;
    int64_t removed = 0;
    if (!set_open(call, 1, &set)) {
        return;
    }
    for (uint32_t i = 2; i < call->count; i++) {
        struct member member = member_of(call, i);
        const struct record *record = set_find_member(&set, &member);
        if (record == NULL) {
            continue;
        }
        if (!set_remove(&set, record)) {
            return;
        }
        removed++;
    }
    if (removed == 0 || set_store(&set)) {
        resp_number(&call->reply, removed);
    }
}

/* Records more there may be than can be taken away by the move. */
static uint64_t move_growth(const struct set *from, const struct set *to)
{
    uint64_t taken = from->head.count == 1 ? 2 : 1;
    uint64_t growth = set_growth(to, 1);
    return growth > taken ? growth - taken : 0;
}

/* member is in from, and not in to, whose hash of it that is. */
static void move(struct call *call, struct set *from, struct set *to,
    const uint8_t hash[SET_HASH_SIZE])
{
    struct member member = member_of(call, 3);
    uint64_t changes = SET_REMOVE_CHANGES + 2 + 2 * (1 + REMAINS_CHANGES);
    if (call_fits(call, move_growth(from, to), changes) &&
        set_remove(from, set_find_member(from, &member)) && set_store(from) &&
        set_add(to, hash, &member) && set_store(to)) {
        resp_number(&call->reply, 1);
    }
}

void sets_move(struct call *call)
{
    struct set from;
    struct set to;
    struct member member = member_of(call, 3);
    if (!set_open(call, 1, &from)) {
        return;
    }
    if (from.head.count == 0) {
        resp_number(&call->reply, 0);
        return;
    }
    if (!set_open(call, 2, &to)) {
        return;
    }
    bool there = set_find_member(&from, &member) != NULL;
    bool same = memcmp(from.key.bytes, to.key.bytes, KV_KEY_SIZE) == 0;
    if (!there || same) {
        resp_number(&call->reply, there ? 1 : 0);
        return;
    }
    if (to.head.count == 0) {
        set_begin(&to);
    }
    uint8_t hash[SET_HASH_SIZE];
    set_hash(&to, &member, hash);
    const struct record *record = set_find(&to, hash);
    if (record == NULL) {
        move(call, &from, &to, hash);
    } else if (!record_holds(record, member.bytes, member.size)) {
        reply_collision(call);
    } else if (set_remove(&from, set_find_member(&from, &member)) &&
               set_store(&from)) {
        resp_number(&call->reply, 1);
    }
}

/* ---- Looking ------------------------------------------------------------- */

/* In a shared view the set's head and the member's record are looked at one
 * after the other, so between the two the member may come or go, and the set
 * may be replaced, or renamed and added to under another key.  If the head's
 * record is still the same afterwards, then all the while: a stamp never comes
 * again, and every change of a set writes its head.  So the answer was true at
 * any instant between; if it is another one, the call is executed again where
 * nothing changes. */
void sets_is_member(struct call *call)
{
    struct set set;
    struct member member = member_of(call, 2);
    if (!set_open(call, 1, &set)) {
        return;
    }
    bool has = set_find_member(&set, &member) != NULL;
    if (set.head.count > 0) {
        const struct record *head = call_find(call, &set.key);
        call->view->moved = head == NULL || head->stamp != set.stamp;
    }
    resp_number(&call->reply, has ? 1 : 0);
}

void sets_are_members(struct call *call)
{
    struct set set;
    if (!set_open(call, 1, &set)) {
        return;
    }
    resp_array(&call->reply, call->count - 2);
    for (uint32_t i = 2; i < call->count; i++) {
        struct member member = member_of(call, i);
        bool has = set_find_member(&set, &member) != NULL;
        resp_number(&call->reply, has ? 1 : 0);
    }
}

void sets_reply_all(struct call *call, const struct set *set)
{
    struct set_walk walk;
    const struct record *record;
    set_walk_begin(&walk, set);
    while (!call->reply.failed && (record = set_walk_next(&walk)) != NULL) {
        resp_bulk(&call->reply, record->value, record->value_len);
    }
}

void sets_members(struct call *call)
{
    struct set set;
    if (set_open(call, 1, &set)) {
        resp_set(&call->reply, set.head.count);
        sets_reply_all(call, &set);
    }
}

void sets_count(struct call *call)
{
    struct set set;
    if (set_open(call, 1, &set)) {
        resp_number(&call->reply, (int64_t)set.head.count);
    }
}

/* ---- SSCAN --------------------------------------------------------------- */

enum {
    SCAN_COUNT = 10,
    SCAN_COUNT_MAX = 16384 /* members looked at in one call */
};

struct scan {
    const struct resp_arg *pattern; /* NULL: all */
    uint64_t count;
};

/* The options behind the cursor. */
static bool read_options(struct call *call, struct scan *scan)
{
    *scan = (struct scan){.count = SCAN_COUNT};
    for (uint32_t i = 3; i < call->count; i += 2) {
        bool more = i + 1 < call->count;
        int64_t count;
        if (more && call_is(call, i, "count")) {
            if (!call_integer(call, i + 1, &count)) {
                return false;
            }
            if (count < 1) {
                call_syntax(call);
                return false;
            }
            scan->count = u64_min((uint64_t)count, SCAN_COUNT_MAX);
        } else if (more && call_is(call, i, "match")) {
            const struct resp_arg *pattern = &call->args[i + 1];
            bool any = pattern->size == 1 && pattern->bytes[0] == '*';
            scan->pattern = any ? NULL : pattern;
        } else {
            call_syntax(call);
            return false;
        }
    }
    return true;
}

/* As strtoul reads it, without blanks before it. */
static bool read_cursor(const struct resp_arg *arg, uint64_t *cursor)
{
    char text[KV_VALUE_MAX + 1];
    char *end;
    assert(arg->size <= KV_VALUE_MAX);
    memcpy(text, arg->bytes, arg->size);
    text[arg->size] = '\0';
    if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')) {
        return false;
    }
    errno = 0;
    *cursor = strtoul(text, &end, 10);
    return errno == 0 && end == text + arg->size;
}

/* Shows the members below number *cursor, from the highest down, and where the
 * next call goes on; 0: that was all. */
static void scan_members(struct call *call, const struct set *set,
    const struct scan *scan, uint64_t cursor)
{
    uint64_t count = set->head.count;
    uint64_t from = cursor == 0 || cursor > count ? count : cursor;
    uint64_t to = from - u64_min(from, scan->count);
    size_t shown = 0;
    resp_array(&call->reply, 2);
    resp_bulk_number(&call->reply, (int64_t)to);
    uint32_t at = call->reply.buffer->size;
    for (uint64_t number = from; number > to; number--) {
        const struct record *record = set_at(set, number - 1);
        if (scan->pattern == NULL ||
            glob_match(scan->pattern->bytes, scan->pattern->size, record->value,
                record->value_len)) {
            resp_bulk(&call->reply, record->value, record->value_len);
            shown++;
        }
    }
    resp_array_at(&call->reply, at, shown);
}

/* The cursor is a number, all members below which are still to be shown.  A
 * member's number only ever gets smaller while it is there, since the last one
 * takes the place of one that goes: so who is still to be shown never gets
 * behind the cursor, and new members, which get the highest numbers, never
 * make a scan longer. */
void sets_scan(struct call *call)
{
    struct set set;
    struct scan scan;
    uint64_t cursor;
    if (!read_cursor(&call->args[2], &cursor)) {
        resp_error(&call->reply, "ERR invalid cursor");
        return;
    }
    if (!set_open(call, 1, &set)) {
        return;
    }
    if (set.head.count == 0) {
        resp_array(&call->reply, 2);
        resp_bulk_number(&call->reply, 0);
        resp_array(&call->reply, 0);
    } else if (read_options(call, &scan)) {
        scan_members(call, &set, &scan, cursor);
    }
}
