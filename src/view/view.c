#include "view/view.h"

#include <assert.h>

struct name view_name(const struct view *view, const uint8_t key[KV_KEY_SIZE])
{
    return (struct name){table_hash(view->table, key), key};
}

struct name view_name_inner(
    const struct view *view, const uint8_t key[KV_KEY_SIZE])
{
    return (struct name){table_hash_inner(view->table, key), key};
}

static int64_t inner_one(uint64_t hash)
{
    return (hash & TABLE_INNER) != 0 ? 1 : 0;
}

/* ---- Changes by name ----------------------------------------------------- */

/* The place in the index where the name's change is noted, or would be. */
static inline uint16_t *index_place(struct view *view, struct name name)
{
    assert(view->overlay != NULL);
    uint32_t place = (uint32_t)name.hash % VIEW_INDEX_SIZE;
    for (;;) {
        uint16_t number = view->overlay->index[place];
        if (number == 0) {
            return &view->overlay->index[place];
        }
        const struct change *change = &view->overlay->changes[number - 1];
        if (change->hash == name.hash &&
            memcmp(change->key, name.key, KV_KEY_SIZE) == 0) {
            return &view->overlay->index[place];
        }
        place = (place + 1) % VIEW_INDEX_SIZE;
    }
}

/* The change that is noted there; NULL if none is. */
static inline struct change *change_at(struct view *view, const uint16_t *place)
{
    return *place != 0 ? &view->overlay->changes[*place - 1] : NULL;
}

/* A name that is changed again after another one: readers who see its end must
 * see that other change too, but it is published first. */
static void note_order(struct view *view, const struct change *change)
{
    const struct change *last =
        &view->overlay->changes[view->overlay->count - 1];
    view->overlay->together = view->overlay->together || change != last;
}

/* Takes note of how a change is, once a chain; one that the chain made needs
 * no note. */
static void remember(struct view *view, struct change *change)
{
    struct overlay *overlay = view->overlay;
    if (!overlay->in_chain || change->chain == overlay->chain) {
        return;
    }
    assert(overlay->undo_count < VIEW_CHANGES_MAX);
    change->chain = overlay->chain;
    struct undo *undo = &overlay->undo[overlay->undo_count++];
    undo->change = (uint32_t)(change - overlay->changes);
    undo->removed = change->record == NULL;
    undo->in_log = change->in_log;
    if (change->record != NULL) {
        undo->record = *change->record;
    }
}

/* place: where the index is to have it. */
static inline struct change *make_change(
    struct view *view, struct name name, uint16_t *place, bool in_table)
{
    struct overlay *overlay = view->overlay;
    assert(overlay->count < VIEW_CHANGES_MAX);
    struct change *change = &overlay->changes[overlay->count++];
    *place = (uint16_t)overlay->count;
    change->place = (uint16_t)(place - overlay->index);
    change->hash = name.hash;
    change->record = NULL;
    change->chain = overlay->chain;
    change->in_table = in_table;
    change->in_log = in_table;
    change->pending = false;
    memcpy(change->key, name.key, KV_KEY_SIZE);
    overlay->added -= in_table ? 1 : 0;
    overlay->inner -= in_table ? inner_one(name.hash) : 0;
    return change;
}

static void give_back(struct view *view, struct change *change)
{
    if (change->record != NULL) {
        table_give(view->table, change->record);
        change->record = NULL;
        view->overlay->added--;
        view->overlay->inner -= inner_one(change->hash);
    }
}

/* Takes a slot for the change; there always is one, since the table has as
 * many spare slots as a view has changes. */
static inline void give_record(struct view *view, struct change *change)
{
    struct record *record = table_take(view->table);
    assert(record != NULL);
    record->hash = change->hash;
    memcpy(record->key, change->key, KV_KEY_SIZE);
    change->record = record;
    view->overlay->added++;
    view->overlay->inner += inner_one(change->hash);
}

/* False if the group has no room for one more frame; a change that is pending
 * needs no other one. */
static inline bool take_room(struct view *view, const struct change *change)
{
    struct overlay *overlay = view->overlay;
    assert(overlay->count <= overlay->frames);
    if (change != NULL && change->pending) {
        assert(overlay->deferred);
        return true;
    }
    if (overlay->frames == overlay->frames_max) {
        overlay->full = true;
        return false;
    }
    overlay->frames++;
    return true;
}

static const struct record *find_in_table(struct view *view, struct name name)
{
    assert(view->overlay != NULL);
    return view->overlay->flushed
               ? NULL
               : table_find(view->table, name.hash, name.key);
}

/* ---- Reading ------------------------------------------------------------- */

static inline const struct record *find(struct view *view, struct name name)
{
    if (view->overlay != NULL) {
        struct change *change = change_at(view, index_place(view, name));
        return change != NULL ? change->record : find_in_table(view, name);
    }
    if (view->still) {
        return table_find(view->table, name.hash, name.key);
    }
    assert(view->held == NULL);
    return table_acquire(view->table, name.hash, name.key, &view->held);
}

const struct record *view_find_any(struct view *view, struct name name)
{
    return find(view, name);
}

const struct record *view_find(struct view *view, struct name name)
{
    const struct record *record = find(view, name);
    return record != NULL && record_expired(record, view->now_ms) ? NULL
                                                                  : record;
}

uint64_t view_space(const struct view *view)
{
    uint64_t records = view_records(view);
    uint64_t capacity = table_capacity(view->table);
    return records < capacity ? capacity - records : 0;
}

/* ---- Changing ------------------------------------------------------------ */

/* What is not deferred is logged at once. */
static inline void note_log(struct view *view, struct change *change)
{
    struct overlay *overlay = view->overlay;
    if (!overlay->deferred) {
        change->in_log = change->record != NULL;
    } else if (!change->pending) {
        change->pending = true;
        overlay->pending[overlay->pending_count++] =
            (uint16_t)(change - overlay->changes);
    }
}

/* unknown: the table has none of that name. */
static inline struct record *edit(struct view *view, struct name name,
    const struct record *from, bool unknown)
{
    uint16_t *place = index_place(view, name);
    struct change *change = change_at(view, place);
    bool in_table =
        change == NULL && !unknown && find_in_table(view, name) != NULL;
    bool more = change == NULL ? !in_table : change->record == NULL;
    if ((more && view_space(view) == 0) || !take_room(view, change)) {
        return NULL;
    }
    if (change == NULL) {
        change = make_change(view, name, place, in_table);
    } else {
        remember(view, change);
        note_order(view, change);
    }
    if (change->record == NULL) {
        give_record(view, change);
    }
    if (from != NULL && from != change->record) {
        lines_copy(change->record, from, sizeof *from);
    }
    change->record->stamp = ++view->overlay->stamp;
    note_log(view, change);
    return change->record;
}

struct record *view_edit(
    struct view *view, struct name name, const struct record *from)
{
    return edit(view, name, from, false);
}

struct record *view_add(struct view *view, struct name name)
{
    table_prefetch_bucket(view->table, name.hash);
    return edit(view, name, NULL, true);
}

bool view_remove(struct view *view, struct name name)
{
    uint16_t *place = index_place(view, name);
    struct change *change = change_at(view, place);
    if (!take_room(view, change)) {
        return false;
    }
    if (change == NULL) {
        change = make_change(view, name, place, true);
    } else {
        remember(view, change);
        note_order(view, change);
        give_back(view, change);
    }
    note_log(view, change);
    return true;
}

/* Forgets all changes, which have been given away or back. */
static void forget(struct view *view)
{
    struct overlay *overlay = view->overlay;
    for (uint32_t i = 0; i < overlay->count; i++) {
        overlay->index[overlay->changes[i].place] = 0;
    }
    overlay->count = 0;
    overlay->undo_count = 0;
    overlay->pending_count = 0;
    overlay->pending_flush = false;
    overlay->added = 0;
    overlay->inner = 0;
    overlay->together = false;
    overlay->flushed = false;
}

static void give_all_back(struct view *view)
{
    for (uint32_t i = 0; i < view->overlay->count; i++) {
        give_back(view, &view->overlay->changes[i]);
    }
    forget(view);
}

bool view_flush(struct view *view)
{
    struct overlay *overlay = view->overlay;
    bool others = overlay->flushed && overlay->flush_chain != overlay->chain;
    bool before = overlay->in_chain && (others || overlay->chain_count > 0);
    if (before) {
        overlay->full = true;
    }
    if (before || !take_room(view, NULL)) {
        return false;
    }
    give_all_back(view);
    overlay->flushed = true;
    overlay->pending_flush = overlay->deferred;
    overlay->flush_chain = overlay->chain;
    overlay->together = true;
    overlay->added = -(int64_t)table_records(view->table);
    overlay->inner = -(int64_t)table_inner(view->table);
    return true;
}

/* ---- Chains -------------------------------------------------------------- */

void view_chain_begin(struct view *view, bool deferred)
{
    struct overlay *overlay = view->overlay;
    bool pending = overlay->pending_count > 0 || overlay->pending_flush;
    assert(!overlay->in_chain && !overlay->full && (deferred || !pending));
    overlay->in_chain = true;
    overlay->deferred = deferred;
    overlay->chain_pending = overlay->pending_count;
    overlay->chain++;
    overlay->chain_count = overlay->count;
    overlay->chain_frames = overlay->frames;
    if (view_at_once(view)) {
        overlay->chain_lsn = wal_next_lsn(view->wal);
    }
}

void view_chain_end(struct view *view)
{
    struct overlay *overlay = view->overlay;
    assert(overlay->in_chain && !overlay->full);
    uint32_t made = overlay->count - overlay->chain_count;
    if (made + overlay->undo_count > 1) {
        overlay->together = true;
    }
    if (view_at_once(view) && wal_next_lsn(view->wal) > overlay->chain_lsn) {
        wal_close_chain(view->wal);
    }
    overlay->undo_count = 0;
    overlay->in_chain = false;
    overlay->deferred = false;
}

/* Takes away the last change, which the chain made. */
static void unmake_change(struct view *view)
{
    struct overlay *overlay = view->overlay;
    struct change *change = &overlay->changes[--overlay->count];
    give_back(view, change);
    overlay->added += change->in_table ? 1 : 0;
    overlay->inner += change->in_table ? inner_one(change->hash) : 0;
    overlay->index[change->place] = 0;
}

static void undo_change(struct view *view, const struct undo *undo)
{
    struct change *change = &view->overlay->changes[undo->change];
    change->chain = 0;
    change->in_log = undo->in_log;
    if (undo->removed) {
        give_back(view, change);
    } else {
        if (change->record == NULL) {
            give_record(view, change);
        }
        *change->record = undo->record;
    }
}

/* The changes that the chain made are the last ones, in the view and, the last
 * one first, in every run of the index.  A chain that emptied the table is the
 * first one of its group that changed anything. */
void view_chain_abort(struct view *view)
{
    struct overlay *overlay = view->overlay;
    assert(overlay->in_chain);
    overlay->full = false;
    while (overlay->pending_count > overlay->chain_pending) {
        uint16_t number = overlay->pending[--overlay->pending_count];
        overlay->changes[number].pending = false;
    }
    if (overlay->flushed && overlay->flush_chain == overlay->chain) {
        give_all_back(view);
    }
    while (overlay->count > overlay->chain_count) {
        unmake_change(view);
    }
    while (overlay->undo_count > 0) {
        undo_change(view, &overlay->undo[--overlay->undo_count]);
    }
    overlay->frames = overlay->chain_frames;
    if (view_at_once(view)) {
        wal_take_back(view->wal, overlay->chain_lsn);
    }
    overlay->in_chain = false;
    overlay->deferred = false;
}

/* ---- Groups -------------------------------------------------------------- */

static void note_table(struct view *view)
{
    view->records = table_records(view->table);
    view->inner = table_inner(view->table);
}

void view_begin(struct view *view, uint32_t frames)
{
    struct overlay *overlay = view->overlay;
    assert(overlay->count == 0 && !overlay->in_chain);
    assert(frames <= VIEW_CHANGES_MAX);
    note_table(view);
    overlay->frames = 0;
    overlay->frames_max = frames;
    overlay->full = false;
    overlay->chain = 0;
}

static void publish_change(struct view *view, const struct change *change)
{
    bool fresh = false;
    if (change->record != NULL) {
        fresh = table_publish(view->table, change->record);
        assert(fresh == !change->in_table);
    } else if (change->in_table) {
        fresh = !table_remove(view->table, change->hash, change->key);
        assert(!fresh);
    }
    (void)fresh;
}

/* What will be changed is handed to a backup that runs: where readers must
 * wait, they do not wait for that too. */
static void save_before(struct view *view)
{
    const struct overlay *overlay = view->overlay;
    uint64_t buckets = overlay->flushed ? table_buckets(view->table) : 0;
    for (uint64_t i = 0; i < buckets; i++) {
        table_save(view->table, i);
    }
    for (uint32_t i = 0; buckets == 0 && i < overlay->count; i++) {
        table_save(view->table, overlay->changes[i].hash);
    }
}

uint32_t view_publish(struct view *view)
{
    struct overlay *overlay = view->overlay;
    assert(overlay != NULL && !overlay->in_chain);
    uint32_t count = overlay->count;
    bool together = overlay->together && (count > 1 || overlay->flushed);
    if (together) {
        save_before(view);
        table_change_begin(view->table);
    }
    if (overlay->flushed) {
        table_flush(view->table);
    }
    for (uint32_t i = 0; i < count; i++) {
        publish_change(view, &overlay->changes[i]);
    }
    if (together) {
        table_change_end(view->table);
    }
    forget(view);
    note_table(view);
    return count;
}

void view_abandon(struct view *view)
{
    assert(!view->overlay->in_chain);
    give_all_back(view);
}
