#include "command/list.h"

#include <assert.h>

_Static_assert(sizeof(int64_t) <= HEAD_REST, "the first position");

static int64_t first_of(const struct collection *head)
{
    int64_t first;
    memcpy(&first, head->rest, sizeof first);
    return first;
}

static void set_first(struct collection *head, int64_t first)
{
    memcpy(head->rest, &first, sizeof first);
}

/* The name of element number i; bytes gets the key. */
static struct name element_name(const struct view *view,
    const struct collection *head, int64_t i, uint8_t bytes[KV_KEY_SIZE])
{
    int64_t position = first_of(head) + i;
    uint8_t tail[KV_KEY_SIZE - OWNER_SIZE] = {0};
    memcpy(tail, &position, sizeof position);
    return collection_name(view, head, tail, bytes);
}

bool list_shed(struct view *view, struct collection *head)
{
    uint8_t bytes[KV_KEY_SIZE];
    assert(head->count > 0);
    if (!collection_drop(
            view, element_name(view, head, 0, bytes), KIND_ELEMENT)) {
        return false;
    }
    set_first(head, first_of(head) + 1);
    head->count--;
    return true;
}

uint64_t list_parts(const struct collection *head)
{
    return head->count;
}

static const struct record *find_element(
    struct view *view, const struct collection *head, int64_t i)
{
    uint8_t bytes[KV_KEY_SIZE];
    const struct record *record =
        view_find_any(view, element_name(view, head, i, bytes));
    assert(record != NULL && record->kind == KIND_ELEMENT);
    return record;
}

void list_copy(struct view *view, const struct collection *from,
    const struct collection *to)
{
    for (uint64_t i = 0; i < from->count; i++) {
        collection_copy(view, find_element(view, from, (int64_t)i), to);
    }
}

/* ---- Reading ------------------------------------------------------------- */

bool list_find(struct call *call, uint32_t i, struct list *list)
{
    *list = (struct list){0};
    if (!call_key(call, i, &list->key)) {
        return false;
    }
    view_release(call->view);
    const struct record *record =
        view_find_any(call->view, key_name(&list->key));
    list->stored = record != NULL;
    if (record == NULL || record_expired(record, call->view->now_ms)) {
        return true;
    }
    if (record->kind != KIND_LIST) {
        call_wrong_type(call);
        return false;
    }
    collection_read(record, &list->head);
    assert(list->head.count > 0);
    list->expire_ms = record->expire_ms;
    return true;
}

int64_t list_clip(
    const struct list *list, int64_t start, int64_t stop, int64_t *first)
{
    int64_t length = list_length(list);
    start += start < 0 ? length : 0;
    stop += stop < 0 ? length : 0;
    start = start < 0 ? 0 : start;
    stop = stop < length ? stop : length - 1;
    *first = start;
    return start <= stop ? stop - start + 1 : 0;
}

const struct record *list_at(
    struct call *call, const struct list *list, int64_t i)
{
    return find_element(call->view, &list->head, i);
}

/* ---- Walking ------------------------------------------------------------- */

void list_walk(
    struct list_walk *walk, const struct list *list, int64_t i, int64_t count)
{
    assert(i >= 0 && count >= 0 && i + count <= list_length(list));
    walk->list = list;
    walk->next = i;
    walk->left = count;
    walk->step = 1;
    walk->used = 0;
    walk->filled = 0;
}

void list_walk_back(
    struct list_walk *walk, const struct list *list, int64_t i, int64_t count)
{
    assert(i < list_length(list) && count >= 0 && count <= i + 1);
    list_walk(walk, list, 0, 0);
    walk->next = i;
    walk->left = count;
    walk->step = -1;
}

static void fill_block(struct call *call, struct list_walk *walk)
{
    const struct view *view = call->view;
    unsigned count = (unsigned)u64_min((uint64_t)walk->left, LIST_BLOCK);
    for (unsigned i = 0; i < count; i++) {
        walk->names[i] =
            element_name(view, &walk->list->head, walk->next, walk->keys[i]);
        view_prefetch(view, walk->names[i]);
        walk->next += walk->step;
    }
    for (unsigned i = 0; i < count; i++) {
        view_prefetch_record(view, walk->names[i]);
    }
    walk->left -= count;
    walk->used = 0;
    walk->filled = count;
}

const struct record *list_walk_next(struct call *call, struct list_walk *walk)
{
    if (walk->used == walk->filled) {
        if (walk->left == 0) {
            return NULL;
        }
        fill_block(call, walk);
    }
    const struct record *record =
        view_find_any(call->view, walk->names[walk->used++]);
    assert(record != NULL && record->kind == KIND_ELEMENT);
    return record;
}

/* ---- Changing ------------------------------------------------------------ */

void list_begin(struct call *call, struct list *list)
{
    struct view *view = call->view;
    const struct record *old = view_find_any(view, key_name(&list->key));
    assert(list->head.count == 0);
    if (old != NULL && old->kind != KIND_STRING) {
        bool left = remains_leave(view, old);
        assert(left);
    }
    collection_begin(view, KIND_LIST, &list->head);
    list->expire_ms = 0;
}

/* A position outside the list has no record. */
void list_put(struct call *call, const struct list *list, int64_t i,
    const void *bytes, size_t size)
{
    uint8_t key[KV_KEY_SIZE];
    const struct part part = {
        .name = element_name(call->view, &list->head, i, key),
        .kind = KIND_ELEMENT,
        .bytes = bytes,
        .size = size,
        .fresh = i < 0 || i >= list_length(list),
    };
    bool put = collection_put(call->view, &part);
    assert(put);
}

void list_drop(struct call *call, const struct list *list, int64_t i)
{
    uint8_t bytes[KV_KEY_SIZE];
    bool dropped = collection_drop(call->view,
        element_name(call->view, &list->head, i, bytes), KIND_ELEMENT);
    assert(dropped);
}

void list_grow(struct list *list, enum list_end end)
{
    set_first(&list->head, first_of(&list->head) - (end == LIST_LEFT ? 1 : 0));
    list->head.count++;
}

void list_shrink(struct list *list, enum list_end end, int64_t count)
{
    assert(count >= 0 && count <= list_length(list));
    set_first(
        &list->head, first_of(&list->head) + (end == LIST_LEFT ? count : 0));
    list->head.count -= (uint64_t)count;
}

void list_push(struct call *call, struct list *list, enum list_end end,
    const void *bytes, size_t size)
{
    int64_t i = end == LIST_LEFT ? -1 : list_length(list);
    list_put(call, list, i, bytes, size);
    list_grow(list, end);
}

/* Whoever takes from a list mostly goes on: asks for what the next two will
 * need.  They may be beyond its end. */
static void ask_ahead(
    const struct view *view, const struct list *list, int64_t i, int64_t step)
{
    uint8_t bytes[KV_KEY_SIZE];
    view_prefetch_record(
        view, element_name(view, &list->head, i + step, bytes));
    view_prefetch(view, element_name(view, &list->head, i + 2 * step, bytes));
}

void list_take(struct call *call, struct list *list, enum list_end end,
    struct list_value *value)
{
    int64_t i = end == LIST_LEFT ? 0 : list_length(list) - 1;
    ask_ahead(call->view, list, i, end == LIST_LEFT ? 1 : -1);
    const struct record *element = list_at(call, list, i);
    value->size = element->value_len;
    memcpy(value->bytes, element->value, value->size);
    list_drop(call, list, i);
    list_shrink(list, end, 1);
}

void list_store(struct call *call, const struct list *list)
{
    struct name name = key_name(&list->key);
    bool stored =
        list->head.count > 0
            ? collection_write(call->view, name, &list->head, list->expire_ms)
            : collection_drop(call->view, name, KIND_LIST);
    assert(stored);
}

/* ---- Removing many ------------------------------------------------------- */

bool list_renewal_fits(const struct call *call, int64_t count)
{
    uint64_t changes = (uint64_t)count + 1 + REMAINS_CHANGES;
    return count > 0 && changes <= view_room(call->view) &&
           (uint64_t)count <= view_space(call->view);
}

void list_renew(
    struct call *call, const struct list *list, struct list *renewed)
{
    *renewed = *list;
    collection_begin(call->view, KIND_LIST, &renewed->head);
}

void list_replace(struct call *call, const struct list *renewed)
{
    const struct record *old =
        view_find_any(call->view, key_name(&renewed->key));
    assert(old != NULL && old->kind == KIND_LIST);
    bool left = remains_leave(call->view, old);
    assert(left);
    list_store(call, renewed);
}

static void renew_range(
    struct call *call, const struct list *list, int64_t i, int64_t count)
{
    struct list renewed;
    struct list_walk walk;
    const struct record *element;
    list_renew(call, list, &renewed);
    list_walk(&walk, list, i, count);
    while ((element = list_walk_next(call, &walk)) != NULL) {
        list_push(
            call, &renewed, LIST_RIGHT, element->value, element->value_len);
    }
    list_replace(call, &renewed);
}

bool list_keep(struct call *call, struct list *list, int64_t i, int64_t count)
{
    int64_t gone = list_length(list) - count;
    bool direct = (uint64_t)gone < view_room(call->view);
    if (!direct && count == 0) {
        return call_remove(call, &list->key);
    }
    if (!direct && list_renewal_fits(call, count)) {
        renew_range(call, list, i, count);
        return true;
    }
    if (!call_fits(call, 0, (uint64_t)gone + 1)) {
        return false;
    }
    for (int64_t left = 0; left < i; left++) {
        list_drop(call, list, left);
    }
    for (int64_t right = i + count; right < list_length(list); right++) {
        list_drop(call, list, right);
    }
    list_shrink(list, LIST_RIGHT, list_length(list) - (i + count));
    list_shrink(list, LIST_LEFT, i);
    list_store(call, list);
    return true;
}
