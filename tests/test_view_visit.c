#include "view/view.h"

#include "support.h"

enum {
    RECORDS = 100000, /* enough for more buckets than the index has places */
    KEYS = RECORDS + VIEW_CHANGES_MAX
};

struct viewed {
    struct view view;
    uint8_t *expected; /* by number of the key: how often it is to be seen */
    uint32_t *seen;
};

static void key_of(uint32_t number, uint8_t key[KV_KEY_SIZE])
{
    memset(key, 0, KV_KEY_SIZE);
    number++; /* no key is all zero */
    memcpy(key, &number, sizeof number);
}

static void set(struct viewed *viewed, uint32_t number)
{
    uint8_t key[KV_KEY_SIZE];
    key_of(number, key);
    struct record *record =
        view_edit(&viewed->view, view_name(&viewed->view, key), NULL);
    REQUIRE(record != NULL);
    record->kind = KIND_STRING;
    record->expire_ms = 0;
    record->value_len = 0;
    viewed->expected[number] = 1;
}

static void take(struct viewed *viewed, uint32_t number)
{
    uint8_t key[KV_KEY_SIZE];
    key_of(number, key);
    struct name name = view_name(&viewed->view, key);
    if (view_find_any(&viewed->view, name) != NULL) {
        REQUIRE(view_remove(&viewed->view, name));
    }
    viewed->expected[number] = 0;
}

static void begin(struct viewed *viewed, uint32_t records)
{
    static const uint8_t secret[SIPHASH_SECRET_SIZE] = {1, 2, 3};
    *viewed = (struct viewed){0};
    CHECK_OK(table_create(&viewed->view.table, KEYS, VIEW_CHANGES_MAX, secret));
    viewed->view.overlay = calloc(1, sizeof *viewed->view.overlay);
    viewed->expected = calloc(KEYS, sizeof *viewed->expected);
    viewed->seen = calloc(KEYS, sizeof *viewed->seen);
    REQUIRE(viewed->view.overlay != NULL && viewed->expected != NULL &&
            viewed->seen != NULL);
    for (uint32_t i = 0; i < records; i++) {
        if (i % VIEW_CHANGES_MAX == 0) {
            view_publish(&viewed->view);
            view_begin(&viewed->view, VIEW_CHANGES_MAX);
        }
        set(viewed, i);
    }
    view_publish(&viewed->view);
    view_begin(&viewed->view, VIEW_CHANGES_MAX);
}

static void end(struct viewed *viewed)
{
    view_abandon(&viewed->view);
    table_destroy(viewed->view.table);
    free(viewed->view.overlay);
    free(viewed->expected);
    free(viewed->seen);
}

static void see(void *context, const struct record *record)
{
    struct viewed *viewed = context;
    uint32_t number;
    memcpy(&number, record->key, sizeof number);
    viewed->seen[number - 1]++;
}

static void check_visits(struct viewed *viewed)
{
    uint64_t position = 0;
    uint32_t wrong = 0;
    memset(viewed->seen, 0, KEYS * sizeof *viewed->seen);
    do {
        view_visit(&viewed->view, &position, see, viewed);
    } while (position != 0);
    for (uint32_t i = 0; i < KEYS; i++) {
        wrong += viewed->seen[i] != viewed->expected[i] ? 1 : 0;
    }
    CHECK_INT(wrong, 0);
}

static void change_some(
    struct viewed *viewed, struct test_random *random, uint32_t changes)
{
    for (uint32_t i = 0; i < changes; i++) {
        uint32_t number = (uint32_t)test_random_below(random, KEYS);
        if (test_random_once_in(random, 3)) {
            take(viewed, number);
        } else {
            set(viewed, number);
        }
    }
}

/* With few buckets and with many, and with a chain that is undone: each record
 * is seen once, as the view has it. */
static void a_visit_sees_changes(void)
{
    static const uint32_t records[] = {0, 100, 20000, RECORDS};
    struct test_random random;
    test_random_init(&random);
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        struct viewed viewed;
        begin(&viewed, records[i]);
        check_visits(&viewed);
        change_some(&viewed, &random, 2000);
        check_visits(&viewed);
        view_chain_begin(&viewed.view, false);
        uint8_t *expected = malloc(KEYS);
        REQUIRE(expected != NULL);
        memcpy(expected, viewed.expected, KEYS);
        change_some(&viewed, &random, 1000);
        check_visits(&viewed);
        view_chain_abort(&viewed.view);
        memcpy(viewed.expected, expected, KEYS);
        free(expected);
        check_visits(&viewed);
        end(&viewed);
    }
}

static void a_visit_sees_what_follows_a_flush(void)
{
    struct viewed viewed;
    begin(&viewed, 1000);
    REQUIRE(view_flush(&viewed.view));
    memset(viewed.expected, 0, KEYS);
    check_visits(&viewed);
    set(&viewed, 1);
    set(&viewed, 5000);
    check_visits(&viewed);
    end(&viewed);
}

const struct test_case test_view_visit[] = {
    TEST_CASE(a_visit_sees_changes),
    TEST_CASE(a_visit_sees_what_follows_a_flush),
    TEST_END,
};
