/* test_sets_model.c: random commands against a model, a table of who is in
 * which set; the store is opened again now and then. */
#include <stdio.h>

#include "called.h"

enum {
    KEYS = 5,
    MEMBERS = 120, /* several blocks */
    STEPS = 12000,
    CAPACITY = 400000, /* for what the sweep has not found yet, too */
    NAMED_MAX = 40,    /* members in one request */
    LINE_MAX_SIZE = 1024
};

struct world {
    struct called called;
    struct test_random random;
    bool in[KEYS][MEMBERS];
    char line[LINE_MAX_SIZE];
    size_t length;
};

static uint32_t below(struct world *world, uint32_t limit)
{
    return (uint32_t)test_random_below(&world->random, limit);
}

static int count(const bool set[MEMBERS])
{
    int sum = 0;
    for (int i = 0; i < MEMBERS; i++) {
        sum += set[i] ? 1 : 0;
    }
    return sum;
}

/* A word of a letter or none, and a number with so many digits. */
static void word(
    struct world *world, const char *letter, int digits, unsigned number)
{
    world->length += (size_t)snprintf(world->line + world->length,
        sizeof world->line - world->length, " %s%0*u", letter, digits, number);
    REQUIRE(world->length < sizeof world->line);
}

static void add_key(struct world *world, unsigned number)
{
    word(world, "k", 1, number);
}

static void add_member(struct world *world, unsigned number)
{
    word(world, "m", 3, number);
}

static void begin(struct world *world, const char *command)
{
    world->length =
        (size_t)snprintf(world->line, sizeof world->line, "%s", command);
}

/* Runs the line; its reply is this number. */
static void check_number(struct world *world, int expected)
{
    char text[32];
    snprintf(text, sizeof text, ":%d", expected);
    const char *reply = called_run(&world->called, world->line);
    if (strcmp(reply, text) != 0) {
        printf("    %s\n", world->line);
    }
    CHECK_TEXT(reply, text);
}

/* Reads the members of a reply, "mNNN" each; false if one comes twice. */
static bool read_members(const char *reply, bool set[MEMBERS])
{
    memset(set, 0, MEMBERS * sizeof *set);
    for (const char *at = strchr(reply, 'm'); at != NULL;
         at = strchr(at + 1, 'm')) {
        unsigned long member = strtoul(at + 1, NULL, 10);
        if (member >= MEMBERS || set[member]) {
            return false;
        }
        set[member] = true;
    }
    return true;
}

/* ---- Steps --------------------------------------------------------------- */

static void change_members(struct world *world, bool add)
{
    uint32_t key = below(world, KEYS);
    uint32_t named = 1 + below(world, NAMED_MAX);
    bool *set = world->in[key];
    int before = count(set);
    begin(world, add ? "SADD" : "SREM");
    add_key(world, key);
    for (uint32_t i = 0; i < named; i++) {
        uint32_t member = below(world, MEMBERS);
        add_member(world, member);
        set[member] = add;
    }
    check_number(world, abs(count(set) - before));
}

static void move(struct world *world)
{
    uint32_t from = below(world, KEYS);
    uint32_t to = below(world, KEYS);
    uint32_t member = below(world, MEMBERS);
    bool there = world->in[from][member];
    begin(world, "SMOVE");
    add_key(world, from);
    add_key(world, to);
    add_member(world, member);
    check_number(world, there ? 1 : 0);
    if (there) {
        world->in[from][member] = false;
        world->in[to][member] = true;
    }
}

static void pop(struct world *world)
{
    uint32_t key = below(world, KEYS);
    uint32_t wanted = below(world, 1 + NAMED_MAX);
    bool *set = world->in[key];
    bool popped[MEMBERS];
    int before = count(set);
    begin(world, "SPOP");
    add_key(world, key);
    word(world, "", 1, wanted);
    const char *reply = called_run(&world->called, world->line);
    CHECK(read_members(reply, popped));
    for (int i = 0; i < MEMBERS; i++) {
        CHECK(!popped[i] || set[i]);
        set[i] = set[i] && !popped[i];
    }
    CHECK_INT(before - count(set), u64_min((uint64_t)before, (uint64_t)wanted));
}

static bool combined(unsigned how, bool one, bool other)
{
    return how == 0 ? one && other : how == 1 ? one || other : one && !other;
}

static void store(struct world *world)
{
    static const char *const commands[] = {
        "SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"};
    uint32_t how = below(world, ARRAY_SIZE(commands));
    uint32_t to = below(world, KEYS);
    uint32_t sources = 1 + below(world, 3);
    bool result[MEMBERS] = {false};
    begin(world, commands[how]);
    add_key(world, to);
    for (uint32_t i = 0; i < sources; i++) {
        uint32_t key = below(world, KEYS);
        add_key(world, key);
        for (int j = 0; j < MEMBERS; j++) {
            result[j] = i == 0 ? world->in[key][j]
                               : combined(how, result[j], world->in[key][j]);
        }
    }
    check_number(world, count(result));
    memcpy(world->in[to], result, sizeof result);
}

static void replace(struct world *world)
{
    uint32_t key = below(world, KEYS);
    int before = count(world->in[key]) > 0 ? 1 : 0;
    if (below(world, 2) == 0) {
        begin(world, "SET");
        add_key(world, key);
        word(world, "", 1, 1);
        CHECK_TEXT(called_run(&world->called, world->line), "+OK");
        before = 1;
    }
    begin(world, "DEL");
    add_key(world, key);
    check_number(world, before);
    memset(world->in[key], 0, sizeof world->in[key]);
}

/* ---- Looking ------------------------------------------------------------- */

static void check_all(struct world *world)
{
    for (uint32_t key = 0; key < KEYS; key++) {
        bool found[MEMBERS];
        begin(world, "SMEMBERS");
        add_key(world, key);
        CHECK(read_members(called_run(&world->called, world->line), found));
        CHECK_BYTES(found, world->in[key], sizeof found);
        begin(world, "SMISMEMBER");
        add_key(world, key);
        char expected[LINE_MAX_SIZE];
        int length = snprintf(expected, sizeof expected, "*%d", MEMBERS);
        for (unsigned i = 0; i < MEMBERS; i++) {
            add_member(world, i);
            length +=
                snprintf(expected + length, sizeof expected - (size_t)length,
                    " :%d", world->in[key][i] ? 1 : 0);
        }
        CHECK_TEXT(called_run(&world->called, world->line), expected);
        begin(world, "SCARD");
        add_key(world, key);
        check_number(world, count(world->in[key]));
    }
}

static void step(struct world *world)
{
    switch (below(world, 10)) {
    case 0:
    case 1:
    case 2:
        change_members(world, true);
        break;
    case 3:
    case 4:
        change_members(world, false);
        break;
    case 5:
        move(world);
        break;
    case 6:
    case 7:
        pop(world);
        break;
    case 8:
        store(world);
        break;
    default:
        if (test_random_once_in(&world->random, 4)) {
            replace(world);
        }
        break;
    }
}

static void random_commands_agree_with_the_model(void)
{
    struct world *world = calloc(1, sizeof *world);
    struct test_directory directory;
    REQUIRE(world != NULL && test_directory_make(&directory));
    test_random_init(&world->random);
    called_open(&world->called, directory.path, CAPACITY);
    for (int i = 0; i < STEPS; i++) {
        step(world);
        if (test_random_once_in(&world->random, 100)) {
            check_all(world);
        }
        if (test_random_once_in(&world->random, 600)) {
            called_reopen(&world->called);
        } else if (test_random_once_in(&world->random, 900)) {
            called_reopen_from_backup(&world->called);
        }
    }
    check_all(world);
    called_close(&world->called);
    CHECK(test_directory_remove(&directory));
    free(world);
}

const struct test_case test_sets_model[] = {
    TEST_CASE(random_commands_agree_with_the_model),
    TEST_END,
};
