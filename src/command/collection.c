#include "command/collection.h"

#include "command/list.h"
#include "command/set.h"

#include <assert.h>

static const struct collection_kind kinds[] = {
    {KIND_LIST, list_shed, list_parts, list_copy},
    {KIND_SET, set_shed, set_parts, set_copy},
};

const struct collection_kind *collection_kind(unsigned kind)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (kinds[i].kind == kind) {
            return &kinds[i];
        }
    }
    assert(!"a kind of collection");
    return NULL;
}

void collection_begin(struct view *view, unsigned kind, struct collection *head)
{
    uint64_t lsn = view->wal != NULL ? wal_next_lsn(view->wal) : 0;
    uint64_t number = ++view->overlay->stamp;
    *head = (struct collection){.kind = (uint8_t)kind};
    memcpy(head->owner, &lsn, sizeof lsn);
    memcpy(head->owner + sizeof lsn, &number, sizeof number);
}

void collection_read(const struct record *record, struct collection *head)
{
    assert(record->value_len == sizeof *head);
    memcpy(head, record->value, sizeof *head);
}

static bool write_record(struct view *view, const struct part *part)
{
    struct record *record = part->fresh ? view_add(view, part->name)
                                        : view_edit(view, part->name, NULL);
    if (record == NULL) {
        return false;
    }
    assert(part->size <= KV_VALUE_MAX);
    record->kind = (uint8_t)part->kind;
    record->expire_ms = part->number;
    record->value_len = (uint16_t)part->size;
    memcpy(record->value, part->bytes, part->size);
    memset(record->value + part->size, 0, KV_VALUE_MAX - part->size);
    view_log_record(view, record);
    return true;
}

bool collection_write(struct view *view, struct name name,
    const struct collection *head, int64_t expire_ms)
{
    const struct part part = {
        .name = name,
        .kind = head->kind,
        .bytes = head,
        .size = sizeof *head,
        .number = expire_ms,
    };
    return write_record(view, &part);
}

struct name collection_name(const struct view *view,
    const struct collection *head, const uint8_t tail[16],
    uint8_t bytes[KV_KEY_SIZE])
{
    memcpy(bytes, head->owner, OWNER_SIZE);
    memcpy(bytes + OWNER_SIZE, tail, KV_KEY_SIZE - OWNER_SIZE);
    return view_name_inner(view, bytes);
}

bool collection_put(struct view *view, const struct part *part)
{
    assert(kind_inner(part->kind) && part->number <= 0);
    return write_record(view, part);
}

void collection_copy(
    struct view *view, const struct record *record, const struct collection *to)
{
    uint8_t bytes[KV_KEY_SIZE];
    const struct part part = {
        .name = collection_name(view, to, record->key + OWNER_SIZE, bytes),
        .kind = record->kind,
        .bytes = record->value,
        .size = record->value_len,
        .number = record->expire_ms,
    };
    bool put = collection_put(view, &part);
    assert(put);
}

bool collection_drop(struct view *view, struct name name, unsigned kind)
{
    assert(((name.hash & TABLE_INNER) != 0) == kind_inner(kind));
    if (!view_remove(view, name)) {
        return false;
    }
    view_log_drop(view, name);
    return true;
}

/* ---- Remains ------------------------------------------------------------- */

enum { LONG_AGO = 1 /* ms since 1970: when remains have expired */ };

static bool write_remains(
    struct view *view, struct name name, const struct collection *head)
{
    const struct part part = {
        .name = name,
        .kind = KIND_REMAINS,
        .bytes = head,
        .size = sizeof *head,
        .number = LONG_AGO,
    };
    return write_record(view, &part);
}

bool remains_leave(struct view *view, const struct record *record)
{
    struct collection head;
    uint8_t tail[KV_KEY_SIZE - OWNER_SIZE];
    uint8_t bytes[KV_KEY_SIZE];
    collection_read(record, &head);
    assert(head.count > 0 && head.kind == record->kind);
    if (!collection_kind(head.kind)->shed(view, &head)) {
        return false;
    }
    if (head.count == 0) {
        return true;
    }
    memset(tail, 0xff, sizeof tail);
    struct name name = collection_name(view, &head, tail, bytes);
    remains_note(view, bytes);
    return write_remains(view, name, &head);
}

void remains_note(struct view *view, const uint8_t key[KV_KEY_SIZE])
{
    struct overlay *overlay = view->overlay;
    uint32_t place = overlay->noted_count++ % VIEW_NOTED_MAX;
    memcpy(overlay->noted[place], key, KV_KEY_SIZE);
}

bool remains_shrink(
    struct view *view, const struct record *record, uint32_t steps)
{
    struct collection head;
    uint8_t bytes[KV_KEY_SIZE];
    struct name name = {record->hash, bytes};
    memcpy(bytes, record->key, sizeof bytes);
    collection_read(record, &head);
    const struct collection_kind *collection = collection_kind(head.kind);
    for (uint32_t i = 0; i < steps && head.count > 0; i++) {
        if (view_room(view) < REMAINS_CHANGES) {
            break;
        }
        bool shed = collection->shed(view, &head);
        assert(shed);
    }
    if (head.count == 0) {
        bool dropped = collection_drop(view, name, KIND_REMAINS);
        assert(dropped);
        return true;
    }
    bool written = write_remains(view, name, &head);
    assert(written);
    return false;
}

/* A member takes two changes at the most: its own record and a block's. */
bool remains_reclaim(struct view *view, uint64_t records, uint64_t changes)
{
    const struct overlay *overlay = view->overlay;
    uint64_t wanted = view_space(view) + records;
    uint64_t kept = changes + 2 * REMAINS_CHANGES;
    uint32_t steps = REMAINS_STEP;
    uint32_t noted = (uint32_t)u64_min(overlay->noted_count, VIEW_NOTED_MAX);
    for (uint32_t i = 0; i < noted && steps > 0; i++) {
        uint64_t room = view_room(view);
        uint64_t space = view_space(view);
        if (space >= wanted) {
            return true;
        }
        if (room < kept + 2) {
            return overlay->chain_frames == 0 && changes <= room &&
                   overlay->frames_max == VIEW_CHANGES_MAX - 1;
        }
        const struct record *record =
            view_find_any(view, view_name_inner(view, overlay->noted[i]));
        if (record == NULL || record->kind != KIND_REMAINS) {
            continue;
        }
        struct collection head;
        collection_read(record, &head);
        uint64_t most = u64_min((room - kept) / 2, steps);
        most = u64_min(most, u64_min(wanted - space, head.count));
        steps -= (uint32_t)most;
        if (!remains_shrink(view, record, (uint32_t)most)) {
            i--; /* there is more */
        }
    }
    return true;
}
