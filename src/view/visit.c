/* visit.c: going through all records of a view, bucket by bucket. */
#include "view/view.h"

/* What the table shows, without what has been changed. */
struct filter {
    struct view *view;
    void (*see)(void *context, const struct record *record);
    void *context;
};

static void see_unchanged(void *context, const struct record *record)
{
    const struct filter *filter = context;
    struct name name = {record->hash, record->key};
    if (view_find_any(filter->view, name) == record) {
        filter->see(filter->context, record);
    }
}

/* The interval of places, hashes read backwards, that a bucket has. */
struct interval {
    uint64_t first;
    uint64_t last;
};

static void see_change(const struct filter *filter, const struct change *change,
    const struct interval *interval)
{
    uint64_t place = u64_reverse(change->hash);
    if (change->record != NULL && place >= interval->first &&
        place <= interval->last) {
        filter->see(filter->context, change->record);
    }
}

/* Hashes of an interval that is narrow enough begin, backwards, with the same
 * bits, and these are what the index goes by: so one run of it has all their
 * changes.  Others are looked at one and all; few buckets are that wide. */
static void see_changes(
    const struct filter *filter, const struct interval *interval)
{
    const struct overlay *overlay = filter->view->overlay;
    if (interval->last - interval->first > UINT64_MAX / VIEW_INDEX_SIZE) {
        for (uint32_t i = 0; i < overlay->count; i++) {
            see_change(filter, &overlay->changes[i], interval);
        }
        return;
    }
    uint32_t place = (uint32_t)u64_reverse(interval->first) % VIEW_INDEX_SIZE;
    for (; overlay->index[place] != 0; place = (place + 1) % VIEW_INDEX_SIZE) {
        see_change(
            filter, &overlay->changes[overlay->index[place] - 1], interval);
    }
}

void view_visit(struct view *view, uint64_t *position,
    void (*see)(void *context, const struct record *record), void *context)
{
    const struct overlay *overlay = view->overlay;
    struct interval interval = {.first = *position};
    if (overlay == NULL || (overlay->count == 0 && !overlay->flushed)) {
        table_visit(view->table, position, see, context);
        return;
    }
    struct filter filter = {view, see, context};
    if (overlay->flushed) {
        *position = 0;
    } else {
        table_visit(view->table, position, see_unchanged, &filter);
    }
    interval.last = *position - 1;
    see_changes(&filter, &interval);
}
