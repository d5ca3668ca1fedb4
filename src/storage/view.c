#include "storage/view.h"

#include <assert.h>

/* ---- Changes by key ------------------------------------------------------ */

/* The place in the index where the key's change is noted, or would be. */
static uint16_t *index_place(
    struct view *view, uint64_t hash, const uint8_t key[KV_KEY_SIZE])
{
    uint32_t place = (uint32_t)hash % VIEW_INDEX_SIZE;
    for (;;) {
        uint16_t number = view->overlay->index[place];
        if (number == 0) {
            return &view->overlay->index[place];
        }
        const struct change *change = &view->overlay->changes[number - 1];
        if (change->hash == hash &&
            memcmp(change->key, key, KV_KEY_SIZE) == 0) {
            return &view->overlay->index[place];
        }
        place = (place + 1) % VIEW_INDEX_SIZE;
    }
}

static struct change *find_change(struct view *view, const struct op *op)
{
    assert(view->overlay != NULL);
    if (view->overlay->count == 0) {
        return NULL;
    }
    uint16_t number = *index_place(view, op->hash, op->message->key);
    return number != 0 ? &view->overlay->changes[number - 1] : NULL;
}

/* A key that is changed again after another one: readers who see its end must
 * see that other change too, but it is published first. */
static void note_order(struct view *view, const struct change *change)
{
    const struct change *last =
        &view->overlay->changes[view->overlay->count - 1];
    view->overlay->together = view->overlay->together || change != last;
}

/* Takes note of how a change is, once a chain. */
static void remember(struct view *view, const struct change *change, bool made)
{
    uint32_t number = (uint32_t)(change - view->overlay->changes);
    if (!view->overlay->in_chain) {
        return;
    }
    for (uint32_t i = 0; i < view->overlay->undo_count; i++) {
        if (view->overlay->undo[i].change == number) {
            return;
        }
    }
    assert(view->overlay->undo_count < KV_CHAIN_MAX);
    struct undo *undo = &view->overlay->undo[view->overlay->undo_count++];
    undo->change = number;
    undo->made = made;
    undo->removed = change->record == NULL;
    if (!made && change->record != NULL) {
        undo->record = *change->record;
    }
}

static struct change *make_change(
    struct view *view, const struct op *op, bool in_table)
{
    assert(view->overlay != NULL && view->overlay->count < VIEW_CHANGES_MAX);
    uint16_t *place = index_place(view, op->hash, op->message->key);
    struct change *change = &view->overlay->changes[view->overlay->count++];
    *place = (uint16_t)view->overlay->count;
    change->place = (uint16_t)(place - view->overlay->index);
    change->hash = op->hash;
    change->record = NULL;
    change->in_table = in_table;
    memcpy(change->key, op->message->key, KV_KEY_SIZE);
    view->overlay->added -= in_table ? 1 : 0;
    remember(view, change, true);
    return change;
}

static void give_back(struct view *view, struct change *change)
{
    if (change->record != NULL) {
        table_give(view->table, change->record);
        change->record = NULL;
        view->overlay->added--;
    }
}

/* Takes a slot for the change; there always is one, since the table has as
 * many spare slots as a view has changes. */
static void give_record(struct view *view, struct change *change)
{
    struct record *record = table_take(view->table);
    assert(record != NULL);
    record->hash = change->hash;
    memcpy(record->key, change->key, KV_KEY_SIZE);
    change->record = record;
    view->overlay->added++;
}

/* ---- For apply ----------------------------------------------------------- */

const struct record *view_find_any(struct view *view, const struct op *op)
{
    const uint8_t *key = op->message->key;
    if (view->overlay == NULL) {
        return table_acquire(view->table, op->hash, key, &view->held);
    }
    struct change *change = find_change(view, op);
    return change != NULL ? change->record
                          : table_find(view->table, op->hash, key);
}

const struct record *view_find(struct view *view, const struct op *op)
{
    const struct record *record = view_find_any(view, op);
    return record != NULL && record_expired(record, view->now_ms) ? NULL
                                                                  : record;
}

void view_release(struct view *view)
{
    if (view->held != NULL) {
        table_release(view->held);
        view->held = NULL;
    }
}

struct record *view_edit(
    struct view *view, const struct op *op, const struct record *from)
{
    assert(view->overlay != NULL);
    struct change *change = find_change(view, op);
    bool in_table = change == NULL &&
                    table_find(view->table, op->hash, op->message->key) != NULL;
    bool more = change == NULL ? !in_table : change->record == NULL;
    if (more && view_records(view) >= table_capacity(view->table)) {
        return NULL;
    }
    if (change == NULL) {
        change = make_change(view, op, in_table);
    } else {
        remember(view, change, false);
        note_order(view, change);
    }
    if (change->record == NULL) {
        give_record(view, change);
    }
    if (from != NULL && from != change->record) {
        *change->record = *from;
    }
    return change->record;
}

void view_remove(struct view *view, const struct op *op)
{
    assert(view->overlay != NULL);
    struct change *change = find_change(view, op);
    if (change == NULL) {
        make_change(view, op, true);
        return;
    }
    remember(view, change, false);
    note_order(view, change);
    give_back(view, change);
}

void view_log(struct view *view, const struct op *op)
{
    if (view->wal != NULL) {
        unsigned linked = view->overlay->in_chain ? KV_LINKED : 0;
        wal_append(view->wal, op->message, (uint8_t)(op->verb | linked),
            op->number, view->now_ms);
    }
}

uint64_t view_records(const struct view *view)
{
    return view->overlay == NULL
               ? view->records
               : table_records(view->table) + (uint64_t)view->overlay->added;
}

/* ---- Chains -------------------------------------------------------------- */

void view_chain_begin(struct view *view)
{
    assert(!view->overlay->in_chain);
    view->overlay->in_chain = true;
    view->overlay->undo_count = 0;
    view->overlay->chain_lsn = view->wal != NULL ? wal_next_lsn(view->wal) : 0;
}

void view_chain_end(struct view *view)
{
    assert(view->overlay->in_chain);
    view->overlay->in_chain = false;
    view->overlay->together =
        view->overlay->together || view->overlay->undo_count > 1;
    if (view->wal != NULL &&
        wal_next_lsn(view->wal) > view->overlay->chain_lsn) {
        wal_close_chain(view->wal);
    }
}

/* Backwards: so the changes that the chain made are the last ones, in the view
 * and in every run of the index. */
void view_chain_abort(struct view *view)
{
    assert(view->overlay->in_chain);
    view->overlay->in_chain = false;
    while (view->overlay->undo_count > 0) {
        struct undo *undo = &view->overlay->undo[--view->overlay->undo_count];
        struct change *change = &view->overlay->changes[undo->change];
        if (undo->made) {
            give_back(view, change);
            view->overlay->added += change->in_table ? 1 : 0;
            view->overlay->index[change->place] = 0;
            view->overlay->count--;
            assert(undo->change == view->overlay->count);
        } else if (undo->removed) {
            give_back(view, change);
        } else {
            if (change->record == NULL) {
                give_record(view, change);
            }
            *change->record = undo->record;
        }
    }
    if (view->wal != NULL) {
        wal_take_back(view->wal, view->overlay->chain_lsn);
    }
}

/* ---- The end ------------------------------------------------------------- */

static void forget(struct view *view)
{
    for (uint32_t i = 0; i < view->overlay->count; i++) {
        const struct change *change = &view->overlay->changes[i];
        view->overlay->index[change->place] = 0;
    }
    view->overlay->count = 0;
    view->overlay->added = 0;
    view->overlay->together = false;
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

/* Where readers must wait, they do not wait for a backup too. */
uint32_t view_publish(struct view *view)
{
    assert(view->overlay != NULL && !view->overlay->in_chain);
    const struct change *changes = view->overlay->changes;
    uint32_t count = view->overlay->count;
    bool together = view->overlay->together && count > 1;
    for (uint32_t i = 0; together && i < count; i++) {
        table_save(view->table, changes[i].hash);
    }
    if (together) {
        table_change_begin(view->table);
    }
    for (uint32_t i = 0; i < count; i++) {
        publish_change(view, &changes[i]);
    }
    if (together) {
        table_change_end(view->table);
    }
    forget(view);
    return count;
}

void view_abandon(struct view *view)
{
    assert(!view->overlay->in_chain);
    for (uint32_t i = 0; i < view->overlay->count; i++) {
        give_back(view, &view->overlay->changes[i]);
    }
    forget(view);
}
