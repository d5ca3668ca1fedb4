/* test_set.c: two members with one hash.  Nobody can choose such, so one is
 * planted: the record of a member gets other bytes. */
#include "command/set.h"

#include "command/command.h"

#include "support.h"

enum { CAPACITY = 1000, ROOM = 1000, ARGS_MAX = 8 };

struct world {
    struct view view;
    struct buffer out;
};

static void world_open(struct world *world)
{
    static const uint8_t secret[SIPHASH_SECRET_SIZE] = {1};
    *world = (struct world){.out.max = BATCH_REPLIES_MAX};
    CHECK_OK(
        table_create(&world->view.table, CAPACITY, VIEW_CHANGES_MAX, secret));
    world->view.overlay = calloc(1, sizeof *world->view.overlay);
    REQUIRE(world->view.overlay != NULL);
    view_begin(&world->view, ROOM);
}

static void world_close(struct world *world)
{
    view_abandon(&world->view);
    table_destroy(world->view.table);
    free(world->view.overlay);
    buffer_free(&world->out);
}

/* The reply without its end, and how many changes were made. */
static uint32_t run(struct world *world, char *line, const char *expected)
{
    struct resp_arg args[ARGS_MAX];
    struct call call = {.args = args, .version = 2};
    char why[COMMAND_WHY_MAX];
    uint32_t before = world->view.overlay->frames;
    for (char *word = strtok(line, " "); word != NULL;
         word = strtok(NULL, " ")) {
        REQUIRE(call.count < ARGS_MAX);
        args[call.count++] =
            (struct resp_arg){(uint8_t *)word, (uint32_t)strlen(word)};
    }
    REQUIRE(command_prepare(&call, why));
    call.key.hash = view_name(&world->view, call.key.bytes).hash;
    world->out.size = 0;
    view_chain_begin(&world->view, true);
    CHECK(command_run(&call, &world->view, &world->out));
    view_chain_end(&world->view);
    CHECK_BYTES(world->out.bytes, expected, strlen(expected));
    return world->view.overlay->frames - before;
}

#define RUN(world, line, expected) run(world, (char[]){line}, expected)

/* Gives the member "a" of s the bytes "b", and leaves its hash. */
static void plant(struct world *world)
{
    struct set set = {.view = &world->view, .key.bytes = "s"};
    const struct member member = {(const uint8_t *)"a", 1};
    uint8_t hash[SET_HASH_SIZE];
    set.key.hash = view_name(&world->view, set.key.bytes).hash;
    const struct record *head = view_find(&world->view, key_name(&set.key));
    REQUIRE(head != NULL);
    collection_read(head, &set.head);
    set_hash(&set, &member, hash);
    const struct record *record = set_find(&set, hash);
    REQUIRE(record != NULL && record_holds(record, member.bytes, member.size));
    view_chain_begin(&world->view, true);
    struct record *changed = view_edit(
        &world->view, (struct name){record->hash, record->key}, record);
    REQUIRE(changed != NULL);
    changed->value[0] = 'b';
    view_chain_end(&world->view);
}

#define COLLISION                                                              \
    "-ERR two different members of this set would have the same hash, "

static void a_collision_is_refused(void)
{
    struct world world;
    world_open(&world);
    CHECK(RUN(&world, "SADD s a c", ":2") > 0);
    CHECK(RUN(&world, "SADD t a x", ":2") > 0);
    plant(&world);
    CHECK_INT(RUN(&world, "SADD s a", COLLISION), 0);
    CHECK_INT(RUN(&world, "SADD s d e a f", COLLISION), 0);
    CHECK_INT(RUN(&world, "SMOVE t s a", COLLISION), 0);
    CHECK_INT(RUN(&world, "SISMEMBER s a", ":0"), 0);
    CHECK_INT(RUN(&world, "SREM s a", ":0"), 0);
    CHECK_INT(RUN(&world, "SMOVE s t a", ":0"), 0);
    CHECK_INT(RUN(&world, "SCARD s", ":2"), 0);
    CHECK_INT(RUN(&world, "SCARD t", ":2"), 0);
    CHECK_INT(RUN(&world, "SISMEMBER s d", ":0"), 0);
    world_close(&world);
}

static void a_copy_takes_what_collided(void)
{
    struct world world;
    world_open(&world);
    CHECK(RUN(&world, "SADD s a c", ":2") > 0);
    plant(&world);
    CHECK(RUN(&world, "SUNIONSTORE s s", ":2") > 0);
    CHECK(RUN(&world, "SADD s a b", ":1") > 0);
    CHECK_INT(RUN(&world, "SMISMEMBER s a b c", "*3\r\n:1\r\n:1\r\n:1"), 0);
    world_close(&world);
}

static void sets_have_secrets_of_their_own(void)
{
    struct world world;
    struct set sets[2] = {{.view = &world.view}, {.view = &world.view}};
    const struct member member = {(const uint8_t *)"a", 1};
    uint8_t hashes[2][SET_HASH_SIZE];
    world_open(&world);
    for (int i = 0; i < 2; i++) {
        set_begin(&sets[i]);
        set_hash(&sets[i], &member, hashes[i]);
    }
    CHECK(memcmp(sets[0].head.owner, sets[1].head.owner, OWNER_SIZE) != 0);
    CHECK(memcmp(hashes[0], hashes[1], SET_HASH_SIZE) != 0);
    world_close(&world);
}

/* The key of a block or of remains ends in bytes 0xff. */
static void no_hash_ends_as_a_block_does(void)
{
    struct world world;
    struct set set = {.view = &world.view};
    struct test_random random;
    test_random_init(&random);
    world_open(&world);
    set_begin(&set);
    for (int i = 0; i < 10000; i++) {
        uint64_t number = test_random_next(&random);
        const struct member member = {(const uint8_t *)&number, sizeof number};
        uint8_t hash[SET_HASH_SIZE];
        set_hash(&set, &member, hash);
        CHECK(hash[SET_HASH_SIZE - 1] != 0xff);
    }
    world_close(&world);
}

const struct test_case test_set[] = {
    TEST_CASE(a_collision_is_refused),
    TEST_CASE(a_copy_takes_what_collided),
    TEST_CASE(sets_have_secrets_of_their_own),
    TEST_CASE(no_hash_ends_as_a_block_does),
    TEST_END,
};
