/* test_storage_mixed.c: requests of both protocols in one group, at random:
 * what was answered is what the log says. */
#include <stdio.h>
#include <string.h>

#include "called.h"
#include "command/transaction.h"
#include "storage/storage.h"
#include "stored.h"
#include "support.h"
#include "wire.h"

enum { OPS = 40, ARGS = 8, KEYS = 5, STATE_MAX = 64 * 1024, CAPACITY = 5000 };

struct mixed {
    struct test_directory directory;
    struct storage_options options;
    struct diag diag;
    struct storage *storage;
    struct batch *batch;
    kv_message_t messages[OPS];
    struct call calls[OPS];
    struct resp_arg args[OPS][ARGS];
    char words[OPS][128];
};

static struct mixed *set_up(void)
{
    struct mixed *mixed = calloc(1, sizeof *mixed);
    REQUIRE(mixed != NULL && test_directory_make(&mixed->directory));
    mixed->options =
        called_options(mixed->directory.path, CAPACITY, &mixed->diag);
    mixed->batch = calloc(1, sizeof *mixed->batch);
    REQUIRE(mixed->batch != NULL);
    mixed->batch->replies.max = BATCH_REPLIES_MAX;
    mixed->batch->commit_replies.max = BATCH_REPLIES_MAX;
    mixed->storage = called_storage(&mixed->options);
    return mixed;
}

static void tear_down(struct mixed *mixed)
{
    CHECK_OK(storage_close(mixed->storage, false));
    CHECK(test_directory_remove(&mixed->directory));
    buffer_free(&mixed->batch->replies);
    buffer_free(&mixed->batch->commit_replies);
    free(mixed->batch);
    free(mixed);
}

/* ---- One batch ----------------------------------------------------------- */

static void add_call(struct mixed *mixed, const char *words)
{
    uint32_t i = mixed->batch->count++;
    struct call *call = &mixed->calls[i];
    char why[COMMAND_WHY_MAX];
    (void)snprintf(mixed->words[i], sizeof mixed->words[i], "%s", words);
    *call = (struct call){.args = mixed->args[i], .version = 2};
    char *rest = mixed->words[i];
    for (char *word; (word = strsep(&rest, " ")) != NULL; call->count++) {
        REQUIRE(call->count < ARGS);
        call->args[call->count] = (struct resp_arg){
            .bytes = (uint8_t *)word, .size = (uint32_t)strlen(word)};
    }
    REQUIRE(command_prepare(call, why));
    mixed->batch->ops[i] =
        (struct op){.call = call, .verb = VERB_CALL, .state = OP_COMMIT};
}

static void add_native(
    struct mixed *mixed, int type, const char *key, const char *value)
{
    uint32_t i = mixed->batch->count++;
    CHECK_INT(kv_message_fill(&mixed->messages[i], type, key, strlen(key),
                  value, strlen(value)),
        KV_SUCCESS);
    wire_decode(&mixed->messages[i], &mixed->batch->ops[i]);
    mixed->batch->ops[i].state = OP_COMMIT;
}

static void execute(struct mixed *mixed)
{
    struct batch *batch = mixed->batch;
    batch->replies.size = 0;
    batch->commit_replies.size = 0;
    storage_read(mixed->storage, batch);
    stored_commit(mixed->storage, batch);
    batch->count = 0;
}

/* A request about a key: its name, and what stands behind the key. */
struct asked {
    const char *name;
    const char *rest;
};

static void add_asked(struct mixed *mixed, const struct asked *asked, int key)
{
    char words[64];
    (void)snprintf(
        words, sizeof words, "%s k%d%s", asked->name, key, asked->rest);
    add_call(mixed, words);
}

/* What all keys hold, as replies. */
static void look(struct mixed *mixed, char *state)
{
    static const struct asked asked[] = {
        {"TYPE", ""}, {"GET", ""}, {"LRANGE", " 0 -1"}, {"SCARD", ""}};
    for (int key = 0; key < KEYS; key++) {
        for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
            add_asked(mixed, &asked[i], key);
        }
    }
    add_call(mixed, "DBSIZE");
    execute(mixed);
    const struct buffer *out = &mixed->batch->commit_replies;
    size_t length = out->size < STATE_MAX ? out->size : STATE_MAX - 1;
    memcpy(state, out->bytes, length);
    state[length] = '\0';
}

static void check_again(struct mixed *mixed, bool backup)
{
    char *before = malloc(STATE_MAX);
    char *after = malloc(STATE_MAX);
    REQUIRE(before != NULL && after != NULL);
    look(mixed, before);
    CHECK_OK(storage_close(mixed->storage, backup));
    mixed->storage = called_storage(&mixed->options);
    look(mixed, after);
    CHECK_TEXT(after, before);
    free(before);
    free(after);
}

/* ---- Tests --------------------------------------------------------------- */

/* What one protocol writes and the other removes in one group. */
static void a_record_comes_and_goes_in_one_group(void)
{
    struct mixed *mixed = set_up();
    add_native(mixed, KV_PUT, "k0", "1");
    add_call(mixed, "DEL k0");
    execute(mixed);
    check_again(mixed, false);
    add_native(mixed, KV_PUT, "k1", "1");
    execute(mixed);
    add_native(mixed, KV_DELETE, "k1", "");
    add_call(mixed, "SET k1 2");
    add_call(mixed, "DEL k1");
    execute(mixed);
    check_again(mixed, false);
    add_call(mixed, "SET k2 1");
    add_native(mixed, KV_DELETE, "k2", "");
    add_call(mixed, "SET k2 2");
    add_native(mixed, KV_DELETE, "k2", "");
    execute(mixed);
    check_again(mixed, false);
    tear_down(mixed);
}

static void add_random_native(struct mixed *mixed, struct test_random *random)
{
    static const int types[] = {KV_PUT, KV_PUT, KV_DELETE, KV_DELETE, KV_ADD,
        KV_EXPIRE, KV_PERSIST, KV_GET, KV_EXPECT_ABSENT};
    int type = types[test_random_below(random, ARRAY_SIZE(types))];
    char key[8];
    (void)snprintf(
        key, sizeof key, "k%d", (int)test_random_below(random, KEYS));
    add_native(mixed, type, key,
        type == KV_EXPIRE                  ? "100000000"
        : type == KV_PUT || type == KV_ADD ? "7"
                                           : "");
}

static void add_random_call(struct mixed *mixed, struct test_random *random)
{
    static const struct asked calls[] = {{"SET", " 5"}, {"SET", " x"},
        {"DEL", ""}, {"DEL", " k1 k2"}, {"INCR", ""}, {"RPUSH", " a b c"},
        {"LPUSH", " d"}, {"RPOP", ""}, {"LPOP", " 2"}, {"SADD", " a b c"},
        {"SREM", " a"}, {"SPOP", ""}, {"LTRIM", " 1 0"}, {"DEL", ""},
        {"RENAME", " k0"}};
    if (test_random_once_in(random, 60)) {
        add_call(mixed, "FLUSHALL");
        return;
    }
    add_asked(mixed, &calls[test_random_below(random, ARRAY_SIZE(calls))],
        (int)test_random_below(random, KEYS));
}

/* A chain that ends where the batch has room for it. */
static void add_random_chain(struct mixed *mixed, struct test_random *random)
{
    struct batch *batch = mixed->batch;
    uint64_t members = 2 + test_random_below(random, 4);
    for (uint64_t i = 0; i < members; i++) {
        add_random_native(mixed, random);
        batch->ops[batch->count - 1].linked = i + 1 < members;
    }
}

static void what_is_answered_is_what_the_log_says(void)
{
    enum { BATCHES = 3000, OPEN_EVERY = 20, CHAIN_MAX = 6 };
    struct mixed *mixed = set_up();
    struct test_random random;
    test_random_init(&random);
    for (int i = 1; i <= BATCHES; i++) {
        uint64_t ops = 1 + test_random_below(&random, OPS - CHAIN_MAX);
        while (mixed->batch->count < ops) {
            uint64_t what = test_random_below(&random, 8);
            if (what == 0) {
                add_random_chain(mixed, &random);
            } else if (what < 4) {
                add_random_native(mixed, &random);
            } else {
                add_random_call(mixed, &random);
            }
        }
        execute(mixed);
        if (i % OPEN_EVERY == 0) {
            check_again(mixed, test_random_once_in(&random, 4));
        }
    }
    tear_down(mixed);
}

const struct test_case test_storage_mixed[] = {
    TEST_CASE(a_record_comes_and_goes_in_one_group),
    TEST_CASE(what_is_answered_is_what_the_log_says),
    TEST_END,
};
