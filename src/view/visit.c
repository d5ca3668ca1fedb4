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

void view_visit(struct view *view, uint64_t *position,
    void (*see)(void *context, const struct record *record), void *context)
{
    const struct overlay *overlay = view->overlay;
    uint64_t first = *position;
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
    for (uint32_t i = 0; i < overlay->count; i++) {
        const struct change *change = &overlay->changes[i];
        uint64_t place = u64_reverse(change->hash);
        if (change->record != NULL && place >= first &&
            place <= *position - 1) {
            see(context, change->record);
        }
    }
}
