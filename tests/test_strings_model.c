/* test_strings_model.c: random commands on few keys, and a model of an array:
 * the same replies, also after the store was opened again. */
#include "called.h"

#include <stdio.h>

enum {
    KEYS = 7,
    STEPS = 20000,
    WORD_MAX = 40,
    LINE_MAX = 2 * KV_VALUE_MAX,
    LATER_S = 2000000000, /* since 1970: far away */
    LATER_KINDS = 3
};

struct entry {
    bool there;
    int later; /* 0: it has no end, else which */
    char value[KV_VALUE_MAX + 1];
};

struct model {
    struct called called;
    struct test_random random;
    struct entry entries[KEYS];
    char line[LINE_MAX];
    char reply[LINE_MAX];
};

static unsigned below(struct model *model, unsigned limit)
{
    return (unsigned)test_random_below(&model->random, limit);
}

/* ---- Replies ------------------------------------------------------------- */

static void expect_number(struct model *model, long long number)
{
    snprintf(model->reply, LINE_MAX, ":%lld", number);
}

static void expect_value(struct model *model, const struct entry *entry)
{
    if (entry->there) {
        snprintf(model->reply, LINE_MAX, "$%zu %s", strlen(entry->value),
            entry->value);
    } else {
        snprintf(model->reply, LINE_MAX, "$-1");
    }
}

static void expect(struct model *model, const char *reply)
{
    snprintf(model->reply, LINE_MAX, "%s", reply);
}

/* ---- Steps: the line, the reply, and what becomes of the entry ----------- */

static void entry_set(struct entry *entry, const char *value, int later)
{
    entry->there = true;
    entry->later = later;
    memmove(entry->value, value, strlen(value) + 1);
}

static void random_word(struct model *model, char word[WORD_MAX])
{
    if (below(model, 3) > 0) {
        snprintf(word, WORD_MAX, "%d", (int)below(model, 200) - 100);
        return;
    }
    unsigned size = 1 + below(model, WORD_MAX - 2);
    memset(word, 'a' + (int)below(model, 3), size);
    word[size] = '\0';
}

static void step_set(struct model *model, unsigned key)
{
    struct entry *entry = &model->entries[key];
    char word[WORD_MAX];
    random_word(model, word);
    bool get = below(model, 3) == 0;
    unsigned condition = below(model, 4);
    unsigned time = below(model, 4); /* none, KEEPTTL, EXAT, PXAT passed */
    int later = 1 + (int)below(model, LATER_KINDS);
    char equal[WORD_MAX + 8] = "";
    bool same = below(model, 2) == 0 && strlen(entry->value) < WORD_MAX;
    snprintf(equal, sizeof equal, "IFEQ %.*s", WORD_MAX - 1,
        same && entry->there ? entry->value : "1");
    const char *const conditions[] = {"", "NX", "XX", equal};
    char exat[WORD_MAX];
    snprintf(exat, sizeof exat, "EXAT %d", LATER_S + later);
    const char *const times[] = {"", "KEEPTTL", exat, "PXAT 5"};
    snprintf(model->line, LINE_MAX, "SET key%u %s %s %s %s", key, word,
        conditions[condition], times[time], get ? "GET" : "");
    bool wanted = condition == 0 || (condition == 1 && !entry->there) ||
                  (condition == 2 && entry->there) ||
                  (condition == 3 && entry->there &&
                      strcmp(entry->value, equal + strlen("IFEQ ")) == 0);
    if (get) {
        expect_value(model, entry);
    } else {
        expect(model, wanted ? "+OK" : "$-1");
    }
    if (wanted) {
        int kept = entry->there ? entry->later : 0;
        entry_set(entry, word, time == 1 ? kept : time == 2 ? later : 0);
        entry->there = time != 3;
    }
}

static void step_get(struct model *model, unsigned key)
{
    snprintf(model->line, LINE_MAX, "GET key%u", key);
    expect_value(model, &model->entries[key]);
}

static void step_getdel(struct model *model, unsigned key)
{
    snprintf(model->line, LINE_MAX, "GETDEL key%u", key);
    expect_value(model, &model->entries[key]);
    model->entries[key].there = false;
}

static void step_append(struct model *model, unsigned key)
{
    struct entry *entry = &model->entries[key];
    char word[WORD_MAX];
    random_word(model, word);
    size_t old = entry->there ? strlen(entry->value) : 0;
    size_t size = old + strlen(word);
    snprintf(model->line, LINE_MAX, "APPEND key%u %s", key, word);
    if (size > KV_VALUE_MAX) {
        snprintf(model->reply, LINE_MAX,
            "-ERR the value would have %zu bytes; a value has at most %d", size,
            KV_VALUE_MAX);
        return;
    }
    memcpy(entry->value + old, word, strlen(word) + 1);
    entry->later = entry->there ? entry->later : 0;
    entry->there = true;
    expect_number(model, (long long)size);
}

static void step_incr(struct model *model, unsigned key)
{
    struct entry *entry = &model->entries[key];
    int delta = (int)below(model, 100) - 50;
    char *end = entry->value;
    snprintf(model->line, LINE_MAX, "INCRBY key%u %d", key, delta);
    long long number = entry->there ? strtoll(entry->value, &end, 10) : 0;
    /* No plus, no leading zeros, no overflow: as it would be written. */
    char text[WORD_MAX];
    snprintf(text, sizeof text, "%lld", number);
    if (entry->there && strcmp(text, entry->value) != 0) {
        expect(model, "-ERR value is not an integer or out of range");
        return;
    }
    long long sum;
    if (__builtin_add_overflow(number, (long long)delta, &sum)) {
        expect(model, "-ERR increment or decrement would overflow");
        return;
    }
    snprintf(text, sizeof text, "%lld", sum);
    entry_set(entry, text, entry->there ? entry->later : 0);
    expect_number(model, sum);
}

static void step_expire(struct model *model, unsigned key)
{
    struct entry *entry = &model->entries[key];
    int later = (int)below(model, LATER_KINDS + 1);
    snprintf(model->line, LINE_MAX, "EXPIREAT key%u %d", key,
        later == 0 ? 5 : LATER_S + later);
    expect_number(model, entry->there ? 1 : 0);
    entry->later = later;
    entry->there = entry->there && later != 0;
}

static void step_expiretime(struct model *model, unsigned key)
{
    const struct entry *entry = &model->entries[key];
    snprintf(model->line, LINE_MAX, "EXPIRETIME key%u", key);
    expect_number(model, !entry->there       ? -2
                         : entry->later == 0 ? -1
                                             : LATER_S + entry->later);
}

static void step_persist(struct model *model, unsigned key)
{
    struct entry *entry = &model->entries[key];
    snprintf(model->line, LINE_MAX, "PERSIST key%u", key);
    expect_number(model, entry->there && entry->later != 0 ? 1 : 0);
    entry->later = 0;
}

static void step_del(struct model *model, unsigned key)
{
    unsigned other = below(model, KEYS);
    struct entry *entries = model->entries;
    snprintf(model->line, LINE_MAX, "DEL key%u key%u", key, other);
    int count = (entries[key].there ? 1 : 0) +
                (entries[other].there && other != key ? 1 : 0);
    entries[key].there = false;
    entries[other].there = false;
    expect_number(model, count);
}

static void step_rename(struct model *model, unsigned key)
{
    unsigned other = below(model, KEYS);
    struct entry *entries = model->entries;
    snprintf(model->line, LINE_MAX, "RENAME key%u key%u", key, other);
    if (!entries[key].there) {
        expect(model, "-ERR no such key");
        return;
    }
    expect(model, "+OK");
    if (key != other) {
        entries[other] = entries[key];
        entries[key].there = false;
    }
}

static void step_copy(struct model *model, unsigned key)
{
    unsigned other = (key + 1 + below(model, KEYS - 1)) % KEYS;
    struct entry *entries = model->entries;
    bool replace = below(model, 2) == 0;
    snprintf(model->line, LINE_MAX, "COPY key%u key%u %s", key, other,
        replace ? "REPLACE" : "");
    bool copied = entries[key].there && (replace || !entries[other].there);
    expect_number(model, copied ? 1 : 0);
    if (copied) {
        entries[other] = entries[key];
    }
}

static void step_mset(struct model *model, unsigned key)
{
    unsigned other = below(model, KEYS);
    struct entry *entries = model->entries;
    bool only_new = below(model, 2) == 0;
    snprintf(model->line, LINE_MAX, "%s key%u 7 key%u 8",
        only_new ? "MSETNX" : "MSET", key, other);
    if (only_new && (entries[key].there || entries[other].there)) {
        expect_number(model, 0);
        return;
    }
    entry_set(&entries[key], "7", 0);
    entry_set(&entries[other], "8", 0);
    expect(model, only_new ? ":1" : "+OK");
}

/* ---- The walk ------------------------------------------------------------ */

static void check_all(struct model *model)
{
    int count = 0;
    for (unsigned key = 0; key < KEYS; key++) {
        count += model->entries[key].there ? 1 : 0;
        step_get(model, key);
        CHECK_TEXT(called_run(&model->called, model->line), model->reply);
        step_expiretime(model, key);
        CHECK_TEXT(called_run(&model->called, model->line), model->reply);
    }
    expect_number(model, count);
    CHECK_TEXT(called_run(&model->called, "DBSIZE"), model->reply);
}

static void as_the_model(void)
{
    static void (*const steps[])(struct model * model, unsigned key) = {
        step_set, step_set, step_get, step_getdel, step_append, step_append,
        step_append, step_incr, step_incr, step_expire, step_expiretime,
        step_persist, step_del, step_rename, step_copy, step_mset};
    struct test_directory directory;
    struct model model = {0};
    REQUIRE(test_directory_make(&directory));
    test_random_init(&model.random);
    /* MSET counts a new key that it has twice as two. */
    called_open(&model.called, directory.path, KEYS + 1);
    for (int i = 0; i < STEPS; i++) {
        unsigned step = below(&model, sizeof steps / sizeof *steps);
        steps[step](&model, below(&model, KEYS));
        if (!CHECK_TEXT(called_run(&model.called, model.line), model.reply)) {
            printf("    step %d: %s\n", i, model.line);
            break;
        }
        if (test_random_once_in(&model.random, 500)) {
            called_reopen(&model.called);
            check_all(&model);
        } else if (test_random_once_in(&model.random, 500)) {
            called_reopen_from_backup(&model.called);
            check_all(&model);
        }
    }
    called_close(&model.called);
    CHECK(test_directory_remove(&directory));
}

const struct test_case test_strings_model[] = {
    TEST_CASE(as_the_model),
    TEST_END,
};
