/* test_command_threads.c: commands of several threads at once: transactions,
 * flushes, lists that come and go, readers, backups.  Most of it is for
 * ThreadSanitizer and helgrind to judge. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "called.h"
#include "command/transaction.h"
#include "conn/decode.h"
#include "storage/storage.h"
#include "support.h"

enum {
    TURN_MS = 60000,
    /* at the most, until each thread had a turn */ READERS = 2,
    ROUNDS = 120,
    FLUSH_EVERY = 10,
    ELEMENTS = 700,
    ARGS = 8
};

/* Who executes commands, in a thread of his own. */
struct actor {
    struct storage *storage;
    struct batch *batch;
    pthread_mutex_t lock;
    pthread_cond_t wakes;
    bool done;
    const uint8_t *reply;
    uint32_t size;
};

static void be_done(struct batch *batch)
{
    struct actor *actor = batch->owner;
    pthread_mutex_lock(&actor->lock);
    actor->done = true;
    pthread_cond_signal(&actor->wakes);
    pthread_mutex_unlock(&actor->lock);
}

static void actor_init(struct actor *actor, struct storage *storage)
{
    *actor = (struct actor){.storage = storage};
    actor->batch = calloc(1, sizeof *actor->batch);
    if (actor->batch == NULL) {
        abort();
    }
    actor->batch->replies.max = BATCH_REPLIES_MAX;
    actor->batch->commit_replies.max = BATCH_REPLIES_MAX;
    actor->batch->done = be_done;
    actor->batch->owner = actor;
    pthread_mutex_init(&actor->lock, NULL);
    pthread_cond_init(&actor->wakes, NULL);
}

static void actor_free(struct actor *actor)
{
    buffer_free(&actor->batch->replies);
    buffer_free(&actor->batch->commit_replies);
    free(actor->batch);
    pthread_mutex_destroy(&actor->lock);
    pthread_cond_destroy(&actor->wakes);
}

static void execute(struct actor *actor, struct call *call)
{
    struct batch *batch = actor->batch;
    batch->count = 1;
    batch->replies.size = 0;
    batch->commit_replies.size = 0;
    batch->ops[0] = (struct op){
        .call = call, .verb = VERB_CALL, .state = (uint8_t)resp_state(call)};
    actor->done = false;
    storage_read(actor->storage, batch);
    if (!storage_commit(actor->storage, batch)) {
        pthread_mutex_lock(&actor->lock);
        while (!actor->done) {
            pthread_cond_wait(&actor->wakes, &actor->lock);
        }
        pthread_mutex_unlock(&actor->lock);
    }
    actor->reply = batch_reply(batch, &batch->ops[0]);
    actor->size = batch->ops[0].reply_size;
}

/* words: parted by single blanks, in memory that stays. */
static void prepare(struct call *call, struct resp_arg *args, char *words)
{
    char why[COMMAND_WHY_MAX];
    *call = (struct call){.args = args, .version = 2};
    char *rest = words;
    for (char *word; (word = strsep(&rest, " ")) != NULL; call->count++) {
        args[call->count] = (struct resp_arg){
            .bytes = (uint8_t *)word, .size = (uint32_t)strlen(word)};
    }
    if (!command_prepare(call, why)) {
        abort();
    }
}

static void act(struct actor *actor, const char *words)
{
    struct resp_arg args[ARGS];
    struct call call;
    char copy[128];
    (void)snprintf(copy, sizeof copy, "%s", words);
    prepare(&call, args, copy);
    execute(actor, &call);
}

/* Sets both keys to one value. */
static void set_both(struct actor *actor, int value)
{
    struct transaction transaction;
    struct buffer queued = {.max = 1024};
    struct resp_arg args[ARGS];
    struct call call;
    char words[64];
    transaction_init(&transaction);
    transaction.open = true;
    for (int key = 'a'; key <= 'b'; key++) {
        (void)snprintf(words, sizeof words, "SET %c %d", key, value);
        prepare(&call, args, words);
        call.reply = (struct resp_reply){.buffer = &queued, .version = 2};
        transaction_queue(&transaction, &call);
    }
    (void)snprintf(words, sizeof words, "EXEC");
    prepare(&call, args, words);
    call.transaction = &transaction;
    execute(actor, &call);
    transaction_clear(&transaction);
    buffer_free(&queued);
}

/* ---- The scene ----------------------------------------------------------- */

struct scene {
    struct storage *storage;
    pthread_mutex_t lock; /* guards what follows */
    bool over;
    uint64_t wrong;
    uint64_t reads;
    uint64_t backups;
};

static bool is_over(struct scene *scene)
{
    pthread_mutex_lock(&scene->lock);
    bool over = scene->over;
    pthread_mutex_unlock(&scene->lock);
    return over;
}

/* "*2 $-1 $-1", or twice the same value. */
static bool both_are_same(const struct actor *actor)
{
    const uint8_t *first = actor->reply + sizeof "*2\r";
    size_t left = actor->size - sizeof "*2\r";
    return actor->size > sizeof "*2\r" && left % 2 == 0 &&
           memcmp(first, first + left / 2, left / 2) == 0;
}

/* Under valgrind one thread runs at a time, and who never waits may keep the
 * committer from its turn until writes are told BUSY. */
static void let_others(void)
{
    (void)poll(NULL, 0, 1);
}

static void *read_on(void *context)
{
    struct scene *scene = context;
    struct actor actor;
    actor_init(&actor, scene->storage);
    while (!is_over(scene)) {
        uint64_t wrong = 0;
        act(&actor, "MGET a b");
        wrong += both_are_same(&actor) ? 0 : 1;
        act(&actor, "GET a");
        wrong += actor.size > 0 && actor.reply[0] == '$' ? 0 : 1;
        act(&actor, "TYPE list");
        wrong += actor.size > 0 && actor.reply[0] == '+' ? 0 : 1;
        act(&actor, "DBSIZE");
        pthread_mutex_lock(&scene->lock);
        scene->wrong += wrong;
        scene->reads++;
        pthread_mutex_unlock(&scene->lock);
        let_others();
    }
    actor_free(&actor);
    return NULL;
}

static void backup_done(
    struct storage_backup_request *request, int error, uint64_t lsn)
{
    struct actor *actor = request->owner;
    (void)error;
    (void)lsn;
    be_done(actor->batch);
}

static void *back_up_on(void *context)
{
    struct scene *scene = context;
    struct actor actor;
    actor_init(&actor, scene->storage);
    while (!is_over(scene)) {
        struct storage_backup_request request = {
            .done = backup_done, .owner = &actor};
        actor.done = false;
        if (!storage_backup(scene->storage, &request)) {
            break;
        }
        pthread_mutex_lock(&actor.lock);
        while (!actor.done) {
            pthread_cond_wait(&actor.wakes, &actor.lock);
        }
        pthread_mutex_unlock(&actor.lock);
        pthread_mutex_lock(&scene->lock);
        scene->backups++;
        pthread_mutex_unlock(&scene->lock);
        let_others();
    }
    actor_free(&actor);
    return NULL;
}

/* A list that is pushed to, and removed with all its elements. */
static void *push_on(void *context)
{
    struct scene *scene = context;
    struct actor actor;
    actor_init(&actor, scene->storage);
    while (!is_over(scene)) {
        for (int i = 0; i < ELEMENTS && !is_over(scene); i++) {
            act(&actor, "RPUSH list one two three four");
            if (i % 16 == 15) {
                let_others();
            }
        }
        act(&actor, "DEL list");
    }
    actor_free(&actor);
    return NULL;
}

/* On a machine that does much else some threads have not had their turn yet. */
static bool all_had_a_turn(struct scene *scene)
{
    pthread_mutex_lock(&scene->lock);
    bool had = scene->reads > 0 && scene->backups > 0;
    pthread_mutex_unlock(&scene->lock);
    return had;
}

static void play(struct scene *scene)
{
    pthread_t threads[READERS + 2];
    struct actor actor;
    actor_init(&actor, scene->storage);
    for (int i = 0; i < READERS + 2; i++) {
        void *(*run)(void *) = i < READERS    ? read_on
                               : i == READERS ? back_up_on
                                              : push_on;
        REQUIRE(pthread_create(&threads[i], NULL, run, scene) == 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        set_both(&actor, round);
        CHECK(actor.size > 0 && actor.reply[0] == '*');
        if (round % FLUSH_EVERY == FLUSH_EVERY - 1) {
            act(&actor, "FLUSHALL");
            CHECK(actor.size > 0 && actor.reply[0] == '+');
        }
    }
    for (int i = 0; i < TURN_MS && !all_had_a_turn(scene); i++) {
        (void)poll(NULL, 0, 1);
    }
    set_both(&actor, ROUNDS);
    pthread_mutex_lock(&scene->lock);
    scene->over = true;
    pthread_mutex_unlock(&scene->lock);
    for (int i = 0; i < READERS + 2; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    act(&actor, "MGET a b");
    CHECK(both_are_same(&actor));
    actor_free(&actor);
}

static void check_again(struct storage *storage)
{
    struct actor actor;
    actor_init(&actor, storage);
    act(&actor, "MGET a b");
    CHECK_BYTES(actor.reply, "*2\r\n$3\r\n120\r\n$3\r\n120\r\n", actor.size);
    actor_free(&actor);
}

static void commands_of_many_threads_go_together(void)
{
    for (int sync = 0; sync < TEST_SYNCS; sync++) {
        struct test_directory directory;
        struct diag diag = {0};
        struct scene scene = {0};
        CHECK(test_directory_make(&directory));
        struct storage_options options =
            called_options(directory.path, 20000, &diag);
        options.sync = (kv_sync_t)sync;
        options.load_threads = 2;
        pthread_mutex_init(&scene.lock, NULL);
        scene.storage = called_storage(&options);
        play(&scene);
        CHECK_U64(scene.wrong, 0);
        CHECK(scene.reads > 0 && scene.backups > 0);
        CHECK_OK(storage_close(scene.storage, false));
        scene.storage = called_storage(&options);
        check_again(scene.storage);
        CHECK_OK(storage_close(scene.storage, false));
        pthread_mutex_destroy(&scene.lock);
        CHECK(test_directory_remove(&directory));
    }
}

const struct test_case test_command_threads[] = {
    TEST_CASE(commands_of_many_threads_go_together),
    TEST_END,
};
