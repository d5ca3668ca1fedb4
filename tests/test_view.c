/* test_view.c: the view of a group: chains, their undoing, a flush among them,
 * what has room, what readers find after it; the whole against a model. */
#include <stdio.h>
#include <string.h>

#include "tabled.h"
#include "view/view.h"

enum {
    NAMES = 48, /* the odd ones are inner */
    CAPACITY = 30,
    FRAMES = 40,
    GROUPS = 4000,
    NONE = 0
};

/* A view over a table, without a log; and what it should hold. */
struct fixture {
    struct table *table;
    struct view view;
    uint8_t keys[NAMES][KV_KEY_SIZE];
    uint64_t now[NAMES];    /* as the view has it: a value, or NONE */
    uint64_t before[NAMES]; /* the same when the chain began */
    uint64_t value;         /* the last that was given to a record */
    uint64_t names;         /* that this group changes */
};

static void set_up(struct fixture *fixture)
{
    *fixture =
        (struct fixture){.table = tabled_create(CAPACITY, VIEW_CHANGES_MAX)};
    fixture->view.table = fixture->table;
    fixture->view.overlay = calloc(1, sizeof *fixture->view.overlay);
    REQUIRE(fixture->view.overlay != NULL);
    for (int i = 0; i < NAMES; i++) {
        (void)snprintf((char *)fixture->keys[i], KV_KEY_SIZE, "key %d", i / 2);
    }
}

static void tear_down(struct fixture *fixture)
{
    free(fixture->view.overlay);
    table_destroy(fixture->table);
}

static struct name name_of(struct fixture *fixture, int i)
{
    return i % 2 == 1 ? view_name_inner(&fixture->view, fixture->keys[i])
                      : view_name(&fixture->view, fixture->keys[i]);
}

/* False if there was no room, of whatever kind. */
static bool set(struct fixture *fixture, int i)
{
    struct record *record =
        view_edit(&fixture->view, name_of(fixture, i), NULL);
    if (record == NULL) {
        return false;
    }
    uint64_t value = ++fixture->value;
    record->kind = i % 2 == 1 ? KIND_ELEMENT : KIND_STRING;
    record->expire_ms = 0;
    record->value_len = sizeof value;
    memset(record->value, 0, KV_VALUE_MAX);
    memcpy(record->value, &value, sizeof value);
    fixture->now[i] = value;
    return true;
}

static bool take_away(struct fixture *fixture, int i)
{
    if (!view_remove(&fixture->view, name_of(fixture, i))) {
        return false;
    }
    fixture->now[i] = NONE;
    return true;
}

static bool flush(struct fixture *fixture)
{
    if (!view_flush(&fixture->view)) {
        return false;
    }
    memset(fixture->now, 0, sizeof fixture->now);
    return true;
}

static void begin_chain(struct fixture *fixture)
{
    view_chain_begin(&fixture->view, false);
    memcpy(fixture->before, fixture->now, sizeof fixture->now);
}

static void abort_chain(struct fixture *fixture)
{
    view_chain_abort(&fixture->view);
    memcpy(fixture->now, fixture->before, sizeof fixture->now);
}

static uint64_t value_of(const struct record *record)
{
    uint64_t value = NONE;
    if (record != NULL) {
        memcpy(&value, record->value, sizeof value);
    }
    return value;
}

/* ---- Comparing ----------------------------------------------------------- */

struct seen {
    uint64_t count;
    uint64_t sum;
};

static void see(void *context, const struct record *record)
{
    struct seen *seen = context;
    seen->count++;
    seen->sum += value_of(record);
}

static void compare(struct fixture *fixture)
{
    struct view *view = &fixture->view;
    struct seen wanted = {0};
    struct seen seen = {0};
    uint64_t inner = 0;
    uint64_t position = 0;
    for (int i = 0; i < NAMES; i++) {
        CHECK_U64(value_of(view_find_any(view, name_of(fixture, i))),
            fixture->now[i]);
        wanted.count += fixture->now[i] != NONE ? 1 : 0;
        wanted.sum += fixture->now[i];
        inner += i % 2 == 1 && fixture->now[i] != NONE ? 1 : 0;
    }
    do {
        view_visit(view, &position, see, &seen);
    } while (position != 0);
    CHECK_U64(seen.count, wanted.count);
    CHECK_U64(seen.sum, wanted.sum);
    CHECK_U64(view_records(view), wanted.count);
    CHECK_U64(view_inner(view), inner);
    CHECK_U64(view_space(view), CAPACITY - wanted.count);
}

/* As compare, of what readers find. */
static void compare_published(struct fixture *fixture)
{
    struct view shared = {.table = fixture->table};
    for (int i = 0; i < NAMES; i++) {
        CHECK_U64(value_of(view_find_any(&shared, name_of(fixture, i))),
            fixture->now[i]);
        view_release(&shared);
    }
    compare(fixture);
}

/* ---- Alone --------------------------------------------------------------- */

static void a_chain_is_undone_alone(void)
{
    struct fixture fixture;
    set_up(&fixture);
    view_begin(&fixture.view, FRAMES);
    CHECK(set(&fixture, 0) && set(&fixture, 1) && set(&fixture, 2));
    begin_chain(&fixture);
    CHECK(set(&fixture, 0) && take_away(&fixture, 1) && set(&fixture, 3));
    CHECK(take_away(&fixture, 3) && set(&fixture, 1) && set(&fixture, 3));
    compare(&fixture);
    abort_chain(&fixture);
    compare(&fixture);
    CHECK_U64(view_room(&fixture.view), FRAMES - 3);
    CHECK_U64(view_publish(&fixture.view), 3);
    compare_published(&fixture);
    tear_down(&fixture);
}

/* Each command is a chain: in some hours there are more than 2^32. */
static void a_chain_is_undone_whatever_its_number(void)
{
    struct fixture fixture;
    set_up(&fixture);
    fixture.view.overlay->chain = UINT32_MAX - 1;
    for (int i = 0; i < 4; i++) {
        view_begin(&fixture.view, FRAMES);
        begin_chain(&fixture);
        CHECK(set(&fixture, 0) && set(&fixture, 1));
        abort_chain(&fixture);
        compare(&fixture);
        CHECK_U64(view_publish(&fixture.view), 0);
        compare_published(&fixture);
    }
    tear_down(&fixture);
}

/* What stands before a flush in its group is another's, who has his reply: a
 * chain that could be undone must not have thrown it away, even if it has
 * changed the same names itself. */
static void a_flush_waits_for_what_others_have_changed(void)
{
    struct fixture fixture;
    set_up(&fixture);
    view_begin(&fixture.view, FRAMES);
    begin_chain(&fixture);
    CHECK(set(&fixture, 0));
    view_chain_end(&fixture.view);
    begin_chain(&fixture);
    CHECK(set(&fixture, 0));
    CHECK(!flush(&fixture));
    CHECK(view_full(&fixture.view));
    abort_chain(&fixture);
    compare(&fixture);
    (void)view_publish(&fixture.view);
    compare_published(&fixture);
    tear_down(&fixture);
}

static void a_flush_is_undone_with_its_chain(void)
{
    struct fixture fixture;
    set_up(&fixture);
    view_begin(&fixture.view, FRAMES);
    CHECK(set(&fixture, 0) && set(&fixture, 1));
    (void)view_publish(&fixture.view);
    view_begin(&fixture.view, FRAMES);
    begin_chain(&fixture);
    CHECK(set(&fixture, 0) && set(&fixture, 2) && flush(&fixture));
    CHECK(set(&fixture, 4) && flush(&fixture) && set(&fixture, 5));
    compare(&fixture);
    abort_chain(&fixture);
    compare(&fixture);
    begin_chain(&fixture);
    CHECK(flush(&fixture) && set(&fixture, 6));
    view_chain_end(&fixture.view);
    begin_chain(&fixture);
    CHECK(!flush(&fixture));
    abort_chain(&fixture);
    CHECK_U64(view_publish(&fixture.view), 1);
    compare_published(&fixture);
    tear_down(&fixture);
}

static void a_group_has_room_for_so_much(void)
{
    struct fixture fixture;
    set_up(&fixture);
    view_begin(&fixture.view, 3);
    begin_chain(&fixture);
    CHECK(set(&fixture, 0) && set(&fixture, 0));
    view_chain_end(&fixture.view);
    begin_chain(&fixture);
    CHECK(set(&fixture, 1) && !set(&fixture, 2) && view_full(&fixture.view));
    CHECK(!take_away(&fixture, 0));
    abort_chain(&fixture);
    CHECK(!view_full(&fixture.view));
    CHECK_U64(view_room(&fixture.view), 1);
    CHECK(set(&fixture, 1));
    CHECK_U64(view_room(&fixture.view), 0);
    compare(&fixture);
    view_abandon(&fixture.view);
    memset(fixture.now, 0, sizeof fixture.now);
    compare_published(&fixture);
    tear_down(&fixture);
}

/* ---- Against the model --------------------------------------------------- */

/* One change.  False if the chain is to be undone for want of room. */
static bool change(struct fixture *fixture, struct test_random *random)
{
    int i = (int)test_random_below(random, fixture->names);
    if (test_random_once_in(random, 25)) {
        return flush(fixture);
    }
    if (fixture->now[i] != NONE && test_random_once_in(random, 2)) {
        return take_away(fixture, i);
    }
    return set(fixture, i) || !view_full(&fixture->view);
}

static void chain(struct fixture *fixture, struct test_random *random)
{
    uint64_t changes = test_random_below(random, 12);
    bool fits = true;
    begin_chain(fixture);
    while (fits && changes-- > 0) {
        fits = change(fixture, random);
        CHECK(fits != view_full(&fixture->view));
    }
    if (fits && !test_random_once_in(random, 4)) {
        view_chain_end(&fixture->view);
    } else {
        abort_chain(fixture);
    }
}

static void groups_do_what_the_model_does(void)
{
    struct fixture fixture;
    struct test_random random;
    test_random_init(&random);
    set_up(&fixture);
    for (int i = 0; i < GROUPS; i++) {
        uint64_t published[NAMES];
        memcpy(published, fixture.now, sizeof published);
        fixture.names = test_random_once_in(&random, 2) ? NAMES : 3;
        view_begin(
            &fixture.view, 1 + (uint32_t)test_random_below(&random, FRAMES));
        for (uint64_t left = test_random_below(&random, 6); left > 0; left--) {
            chain(&fixture, &random);
            compare(&fixture);
        }
        if (test_random_once_in(&random, 5)) {
            view_abandon(&fixture.view);
            memcpy(fixture.now, published, sizeof published);
        } else {
            (void)view_publish(&fixture.view);
        }
        compare_published(&fixture);
    }
    tear_down(&fixture);
}

const struct test_case test_view[] = {
    TEST_CASE(a_chain_is_undone_alone),
    TEST_CASE(a_chain_is_undone_whatever_its_number),
    TEST_CASE(a_flush_waits_for_what_others_have_changed),
    TEST_CASE(a_flush_is_undone_with_its_chain),
    TEST_CASE(a_group_has_room_for_so_much),
    TEST_CASE(groups_do_what_the_model_does),
    TEST_END,
};
