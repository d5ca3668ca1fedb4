/* lists.c: what costs the same whatever the length of the list: the ends, the
 * index; and reading a range. */
#include "command/lists.h"

#include "command/command.h"

/* ---- Pushing ------------------------------------------------------------- */

static void push(struct call *call, enum list_end end, bool only_present)
{
    struct list list;
    uint32_t count = call->count - 2;
    if (!list_find(call, 1, &list)) {
        return;
    }
    bool absent = list.head.count == 0;
    if (absent && only_present) {
        resp_number(&call->reply, 0);
        return;
    }
    uint64_t begin = absent ? LIST_BEGIN_CHANGES : 0;
    if (!call_fits(call, count + (list.stored ? 0 : 1), count + 1 + begin)) {
        return;
    }
    if (absent) {
        list_begin(call, &list);
    }
    for (uint32_t i = 2; i < call->count; i++) {
        list_push(call, &list, end, call->args[i].bytes, call->args[i].size);
    }
    list_store(call, &list);
    resp_number(&call->reply, list_length(&list));
}

void lists_lpush(struct call *call)
{
    push(call, LIST_LEFT, false);
}

void lists_rpush(struct call *call)
{
    push(call, LIST_RIGHT, false);
}

void lists_lpushx(struct call *call)
{
    push(call, LIST_LEFT, true);
}

void lists_rpushx(struct call *call)
{
    push(call, LIST_RIGHT, true);
}

/* ---- Popping ------------------------------------------------------------- */

static void reply_range(struct call *call, struct list_walk *walk)
{
    const struct record *element;
    while (
        !call->reply.failed && (element = list_walk_next(call, walk)) != NULL) {
        resp_bulk(&call->reply, element->value, element->value_len);
    }
}

static void pop_one(struct call *call, enum list_end end)
{
    struct list list;
    struct list_value value;
    if (!list_find(call, 1, &list)) {
        return;
    }
    if (list.head.count == 0) {
        resp_null(&call->reply);
        return;
    }
    if (!call_fits(call, 0, 2)) {
        return;
    }
    list_take(call, &list, end, &value);
    list_store(call, &list);
    resp_bulk(&call->reply, value.bytes, value.size);
}

static bool parse_count(struct call *call, int64_t *count)
{
    bool overflow;
    const struct resp_arg *arg = &call->args[2];
    if (decimal_parse(arg->bytes, arg->size, count, &overflow) && *count >= 0) {
        return true;
    }
    resp_error(&call->reply, "ERR value is out of range, must be positive");
    return false;
}

/* The reply comes first, while the elements are there.  If they cannot go it is
 * void, for then the group is full. */
static void pop_many(struct call *call, enum list_end end)
{
    struct list list;
    struct list_walk walk;
    int64_t count;
    if (!parse_count(call, &count) || !list_find(call, 1, &list)) {
        return;
    }
    int64_t length = list_length(&list);
    if (length == 0) {
        resp_null_array(&call->reply);
        return;
    }
    count = count < length ? count : length;
    resp_array(&call->reply, (size_t)count);
    if (count == 0) {
        return;
    }
    if (end == LIST_LEFT) {
        list_walk(&walk, &list, 0, count);
    } else {
        list_walk_back(&walk, &list, length - 1, count);
    }
    reply_range(call, &walk);
    list_keep(call, &list, end == LIST_LEFT ? count : 0, length - count);
}

static void pop(struct call *call, enum list_end end)
{
    if (call->count > 3) {
        resp_error(&call->reply,
            "ERR wrong number of arguments for '%s' command",
            call->command->name);
    } else if (call->count == 3) {
        pop_many(call, end);
    } else {
        pop_one(call, end);
    }
}

void lists_lpop(struct call *call)
{
    pop(call, LIST_LEFT);
}

void lists_rpop(struct call *call)
{
    pop(call, LIST_RIGHT);
}

/* ---- Moving -------------------------------------------------------------- */

struct route {
    enum list_end from;
    enum list_end to;
};

/* From one list to another. */
static void move_across(
    struct call *call, struct list *source, struct route route)
{
    struct list target;
    struct list_value value;
    if (!list_find(call, 2, &target)) {
        return;
    }
    bool absent = target.head.count == 0;
    bool head_goes = source->head.count == 1;
    uint64_t records = !target.stored && !head_goes ? 1 : 0;
    if (!call_fits(call, records, 4 + (absent ? LIST_BEGIN_CHANGES : 0))) {
        return;
    }
    list_take(call, source, route.from, &value);
    list_store(call, source);
    if (absent) {
        list_begin(call, &target);
    }
    list_push(call, &target, route.to, value.bytes, value.size);
    list_store(call, &target);
    resp_bulk(&call->reply, value.bytes, value.size);
}

/* Within one list, which never is without an element for a reader. */
static void rotate(struct call *call, struct list *list, struct route route)
{
    struct list_value value;
    if (!call_fits(call, 0, 3)) {
        return;
    }
    list_take(call, list, route.from, &value);
    list_push(call, list, route.to, value.bytes, value.size);
    list_store(call, list);
    resp_bulk(&call->reply, value.bytes, value.size);
}

static void move(struct call *call, struct route route)
{
    struct list source;
    struct key target;
    if (!list_find(call, 1, &source)) {
        return;
    }
    if (source.head.count == 0) {
        resp_null(&call->reply);
        return;
    }
    if (!call_key(call, 2, &target)) {
        return;
    }
    if (memcmp(target.bytes, source.key.bytes, KV_KEY_SIZE) == 0) {
        rotate(call, &source, route);
    } else {
        move_across(call, &source, route);
    }
}

static bool parse_end(const struct call *call, uint32_t i, enum list_end *end)
{
    *end = call_is(call, i, "left") ? LIST_LEFT : LIST_RIGHT;
    return *end == LIST_LEFT || call_is(call, i, "right");
}

void lists_lmove(struct call *call)
{
    struct route route;
    if (parse_end(call, 3, &route.from) && parse_end(call, 4, &route.to)) {
        move(call, route);
    } else {
        call_syntax(call);
    }
}

void lists_rpoplpush(struct call *call)
{
    move(call, (struct route){.from = LIST_RIGHT, .to = LIST_LEFT});
}

/* ---- Reading, and one element -------------------------------------------- */

void lists_llen(struct call *call)
{
    struct list list;
    if (list_find(call, 1, &list)) {
        resp_number(&call->reply, list_length(&list));
    }
}

void lists_lrange(struct call *call)
{
    struct list list;
    struct list_walk walk;
    int64_t start;
    int64_t stop;
    int64_t first;
    if (!call_integer(call, 2, &start) || !call_integer(call, 3, &stop) ||
        !list_find(call, 1, &list)) {
        return;
    }
    int64_t count = list_clip(&list, start, stop, &first);
    resp_array(&call->reply, (size_t)count);
    if (count > 0) {
        list_walk(&walk, &list, first, count);
        reply_range(call, &walk);
    }
}

/* Argument number i as the number of an element.  False: there is no such
 * element, and *failed if it is no number, of which the reply tells. */
static bool find_index(
    struct call *call, const struct list *list, int64_t *index, bool *failed)
{
    *failed = !call_integer(call, 2, index);
    if (*failed) {
        return false;
    }
    *index += *index < 0 ? list_length(list) : 0;
    return *index >= 0 && *index < list_length(list);
}

void lists_lindex(struct call *call)
{
    struct list list;
    int64_t index;
    bool failed = false;
    if (!list_find(call, 1, &list)) {
        return;
    }
    if (list.head.count > 0 && find_index(call, &list, &index, &failed)) {
        const struct record *element = list_at(call, &list, index);
        resp_bulk(&call->reply, element->value, element->value_len);
    } else if (!failed) {
        resp_null(&call->reply);
    }
}

void lists_lset(struct call *call)
{
    struct list list;
    int64_t index;
    bool failed;
    if (!list_find(call, 1, &list)) {
        return;
    }
    if (list.head.count == 0) {
        resp_error(&call->reply, "ERR no such key");
        return;
    }
    if (!find_index(call, &list, &index, &failed)) {
        if (!failed) {
            resp_error(&call->reply, "ERR index out of range");
        }
        return;
    }
    if (call_fits(call, 0, 2)) {
        list_put(call, &list, index, call->args[3].bytes, call->args[3].size);
        list_store(call, &list);
        resp_ok(&call->reply);
    }
}
