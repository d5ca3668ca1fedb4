/* test_storage_moment.c: a store as it was at a moment is what it was then, and
 * looking at it changes nothing. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backup/backup.h"
#include "file.h"
#include "stored.h"
#include "wal/wal.h"

enum { KEYS = 12, STEPS = 150, STEP_FRAMES = 3, NEVER = 0 };

/* What is there after the frame with this LSN. */
struct state {
    uint64_t lsn;
    uint64_t versions[KEYS]; /* NEVER: no such record */
};

struct history {
    struct test_random random;
    struct stored stored;
    struct state states[STEPS + 1];
    uint32_t count; /* of states; the first is the empty store */
};

/* ---- Making one ---------------------------------------------------------- */

/* One request, or a chain of several: so only whole ones can be told apart. */
static void step(struct history *history)
{
    kv_message_t messages[STEP_FRAMES];
    struct stats stats;
    struct state next = history->states[history->count - 1];
    uint64_t count = 1 + test_random_below(&history->random, STEP_FRAMES);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t key = test_random_below(&history->random, KEYS);
        bool put = next.versions[key] == NEVER ||
                   !test_random_once_in(&history->random, 3);
        int linked = i + 1 < count ? KV_LINKED : 0;
        next.versions[key] =
            put ? 1 + test_random_below(&history->random, 1000) : NEVER;
        messages[i] = sample_request(
            (put ? KV_PUT : KV_DELETE) | linked, key, next.versions[key]);
    }
    stored_execute(&history->stored, messages, (uint32_t)count);
    for (uint64_t i = 0; i < count; i++) {
        CHECK_INT(messages[i].status, KV_SUCCESS);
    }
    stored_stats(&history->stored, &stats);
    next.lsn = stats.lsn;
    history->states[history->count++] = next;
}

/* A closed store with a history, three backups at least in it, and all of its
 * log. */
static struct history *make_history(kv_sync_t sync)
{
    struct history *history = calloc(1, sizeof *history);
    REQUIRE(history != NULL);
    test_random_init(&history->random);
    stored_make(&history->stored, sync);
    history->stored.options.backup_keep = STEPS;
    history->count = 1;
    REQUIRE(stored_open(&history->stored) == 0);
    while (history->count <= STEPS) {
        uint64_t lsn;
        step(history);
        if (history->count % (STEPS / 3) == 0 ||
            test_random_once_in(&history->random, 20)) {
            CHECK_OK(stored_backup(&history->stored, &lsn));
        } else if (test_random_once_in(&history->random, 20)) {
            CHECK_OK(stored_close(&history->stored, false));
            REQUIRE(stored_open(&history->stored) == 0);
        }
    }
    CHECK_OK(stored_close(&history->stored, false));
    return history;
}

static void remove_history(struct history *history)
{
    stored_remove(&history->stored);
    free(history);
}

static uint64_t last_lsn(const struct history *history)
{
    return history->states[history->count - 1].lsn;
}

/* What was there after the last whole step up to lsn. */
static const struct state *state_at(const struct history *history, uint64_t lsn)
{
    const struct state *state = history->states;
    while (
        state + 1 < history->states + history->count && state[1].lsn <= lsn) {
        state++;
    }
    return state;
}

/* The open store has exactly this. */
static void check_state(struct stored *stored, const struct state *state)
{
    uint64_t records = 0;
    for (uint64_t key = 0; key < KEYS; key++) {
        uint64_t version;
        kv_error_t found = stored_get(stored, key, &version);
        bool there = state->versions[key] != NEVER;
        CHECK_INT(found, there ? KV_SUCCESS : KV_NOT_FOUND);
        CHECK_U64(version, state->versions[key]);
        records += there ? 1 : 0;
    }
    CHECK_U64(storage_count(stored->storage), records);
}

/* ---- Looking at it ------------------------------------------------------- */

/* Opens history->stored at a moment. */
static int look(struct history *history, uint64_t lsn, int64_t time_ms)
{
    struct stored *stored = &history->stored;
    const struct storage_moment until = {lsn, time_ms};
    stored->options.directory = stored->disk.temporary.path;
    stored->options.diag = &stored->diag;
    stored->options.capacity = 0;
    int error = storage_open_at(
        &stored->storage, &stored->options, &until, stored->why);
    CHECK((stored->storage != NULL) == (error == 0));
    CHECK((stored->why[0] == '\0') == (error == 0));
    return error;
}

/* Looks, and finds what was there after the last whole step up to lsn.  Returns
 * the LSN that it is of. */
static uint64_t check_look(
    struct history *history, uint64_t lsn, int64_t time_ms)
{
    if (!CHECK_INT(look(history, lsn, time_ms), 0)) {
        printf("LSN %" PRIu64 ", time %" PRId64 ": %s\n", lsn, time_ms,
            history->stored.why);
        return UINT64_MAX;
    }
    struct storage_moment reached = storage_reached(history->stored.storage);
    CHECK(reached.lsn <= lsn && reached.time_ms <= time_ms);
    check_state(&history->stored, state_at(history, reached.lsn));
    CHECK_OK(stored_close(&history->stored, false));
    return reached.lsn;
}

static void every_lsn_in(kv_sync_t sync)
{
    struct history *history = make_history(sync);
    uint64_t before = disk_digest(&history->stored.disk);
    uint64_t last = last_lsn(history);
    CHECK(last > STEPS);
    for (uint64_t lsn = 0; lsn <= last; lsn++) {
        CHECK(
            check_look(history, lsn, INT64_MAX) >= state_at(history, lsn)->lsn);
    }
    CHECK_U64(disk_digest(&history->stored.disk), before);
    remove_history(history);
}

static void every_lsn_with_always(void)
{
    every_lsn_in(KV_SYNC_ALWAYS);
}

static void every_lsn_with_none(void)
{
    every_lsn_in(KV_SYNC_NONE);
}

/* ---- A store of it ------------------------------------------------------- */

/* Looks and makes a store of it below the other; new: that, closed. */
static int restore(struct history *history, uint64_t lsn, struct stored *new)
{
    char path[TEST_PATH_MAX];
    struct stored *stored = &history->stored;
    stored_make(new, KV_SYNC_ALWAYS);
    REQUIRE(look(history, lsn, INT64_MAX) == 0);
    CHECK_OK(storage_check_new(new->disk.temporary.path, stored->why));
    int length = snprintf(path, sizeof path, "%s/", new->disk.temporary.path);
    REQUIRE(length > 0 && length < TEST_PATH_MAX);
    int error = storage_restore(stored->storage, path, stored->why);
    CHECK((stored->why[0] == '\0') == (error == 0));
    CHECK_OK(stored_close(stored, false));
    return error;
}

/* What was restored opens, goes on, and opens again with both. */
static void check_restored(
    struct history *history, uint64_t lsn, struct stored *new)
{
    struct stats stats;
    struct state state = *state_at(history, lsn);
    CHECK_OK(stored_open(new));
    REQUIRE(new->storage != NULL);
    check_state(new, &state);
    CHECK_INT(stored_ask(new, KV_PUT, 1, 77), KV_SUCCESS);
    stored_stats(new, &stats);
    CHECK(stats.lsn + KV_CHAIN_MAX > lsn && stats.lsn <= lsn + 2);
    CHECK_OK(stored_close(new, false));
    CHECK_OK(stored_open(new));
    REQUIRE(new->storage != NULL);
    state.versions[1] = 77;
    check_state(new, &state);
    CHECK_OK(stored_close(new, true));
}

static void stores_of_many_lsns(void)
{
    enum { APART = 17 };
    struct history *history = make_history(KV_SYNC_ALWAYS);
    uint64_t before = disk_digest(&history->stored.disk);
    for (uint64_t lsn = 0; lsn <= last_lsn(history); lsn += APART) {
        struct stored new;
        CHECK_OK(restore(history, lsn, &new));
        check_restored(history, lsn, &new);
        stored_remove(&new);
    }
    CHECK_U64(disk_digest(&history->stored.disk), before);
    remove_history(history);
}

/* Its log numbers other frames as the log that it comes from does. */
static void it_is_another_store(void)
{
    uint8_t identities[2][WAL_IDENTITY_SIZE];
    struct stored new;
    struct history *history = make_history(KV_SYNC_ALWAYS);
    CHECK_OK(restore(history, last_lsn(history) / 2, &new));
    int directory = file_open_directory(new.disk.temporary.path, false);
    REQUIRE(directory >= 0);
    CHECK_OK(wal_find_identity(directory, identities[0]));
    CHECK_OK(wal_find_identity(history->stored.disk.directory, identities[1]));
    CHECK(memcmp(identities[0], identities[1], WAL_IDENTITY_SIZE) != 0);
    file_close(directory);
    stored_remove(&new);
    remove_history(history);
}

static void it_is_made_in_an_empty_place(void)
{
    char path[TEST_PATH_MAX];
    char why[STORAGE_WHY_MAX];
    struct stored new;
    struct history *history = make_history(KV_SYNC_NONE);
    CHECK_OK(restore(history, 1, &new));
    uint64_t before = disk_digest(&new.disk);
    CHECK_ERRNO(storage_check_new(new.disk.temporary.path, why), EEXIST);
    CHECK(strstr(why, "not empty") != NULL);
    REQUIRE(look(history, 1, INT64_MAX) == 0);
    CHECK(storage_restore(
              history->stored.storage, new.disk.temporary.path, why) < 0);
    CHECK(why[0] != '\0');
    CHECK_OK(stored_close(&history->stored, false));
    CHECK_U64(disk_digest(&new.disk), before);
    int length =
        snprintf(path, sizeof path, "%s/hash.key", new.disk.temporary.path);
    REQUIRE(length > 0 && length < TEST_PATH_MAX);
    CHECK_ERRNO(storage_check_new(path, why), ENOTDIR);
    stored_remove(&new);
    remove_history(history);
}

/* ---- Times --------------------------------------------------------------- */

enum { TIMES_MAX = 4 * STEPS * STEP_FRAMES };

struct times {
    int64_t ms[TIMES_MAX]; /* of the frame with LSN i + 1 */
    bool mark[TIMES_MAX];
    uint32_t count;
};

static int note_time(void *context, const struct frame *frames, uint32_t count,
    char why[WAL_WHY_MAX])
{
    struct times *times = context;
    why[0] = '\0';
    for (uint32_t i = 0; i < count && times->count < TIMES_MAX; i++) {
        times->mark[times->count] = frame_verb(&frames[i]) == VERB_MARK;
        times->ms[times->count++] = frames[i].time_ms;
    }
    return 0;
}

static void read_times(struct history *history, struct times *times)
{
    struct wal_options options = {
        .directory = history->stored.disk.directory,
        .segment_bytes = WAL_SEGMENT_MIN,
    };
    struct wal_sink sink = {note_time, times};
    struct wal_end end;
    char why[WAL_WHY_MAX];
    times->count = 0;
    REQUIRE(wal_find_identity(options.directory, options.identity) == 0);
    REQUIRE(wal_read(&options, 0, &sink, &end, why) == 0);
}

/* LSN of the last frame that is no mark and not later; 0 if there is none. */
static uint64_t last_until(const struct times *times, int64_t ms)
{
    uint64_t lsn = 0;
    for (uint32_t i = 0; i < times->count; i++) {
        lsn = !times->mark[i] && times->ms[i] <= ms ? i + 1 : lsn;
    }
    return lsn;
}

static void every_time(void)
{
    struct history *history = make_history(KV_SYNC_NONE);
    struct times *times = malloc(sizeof *times);
    REQUIRE(times != NULL);
    read_times(history, times);
    CHECK(times->count >= last_lsn(history));
    for (uint32_t i = 0; i < times->count; i++) {
        for (int64_t ms = times->ms[i] - 1; ms <= times->ms[i] + 1; ms++) {
            uint64_t last = last_until(times, ms);
            if (last == 0) {
                CHECK_ERRNO(look(history, UINT64_MAX, ms), ERANGE);
                continue;
            }
            uint64_t lsn = check_look(history, UINT64_MAX, ms);
            REQUIRE(lsn >= last && lsn <= times->count);
            while (lsn > last) {
                CHECK(times->mark[--lsn]);
            }
        }
    }
    free(times);
    remove_history(history);
}

/* ---- What cannot be reached ---------------------------------------------- */

static void behind_the_end(void)
{
    struct history *history = make_history(KV_SYNC_ALWAYS);
    uint64_t last = check_look(history, UINT64_MAX, INT64_MAX);
    CHECK(last >= last_lsn(history));
    CHECK_ERRNO(look(history, last + 1, INT64_MAX), ERANGE);
    CHECK(strstr(history->stored.why, "behind the end") != NULL);
    remove_history(history);
}

/* Backups whose log is gone can be had themselves, and nothing before them. */
static void before_what_is_left(void)
{
    struct history *history = make_history(KV_SYNC_ALWAYS);
    struct stored *stored = &history->stored;
    struct backup_list *list = malloc(sizeof *list);
    REQUIRE(list != NULL);
    REQUIRE(backup_list_read(stored->disk.directory, list) == 0);
    REQUIRE(list->count >= 2);
    uint64_t oldest = list->lsns[list->count - 1];
    char name[WAL_NAME_MAX];
    (void)snprintf(name, sizeof name, "log-%020d", 1);
    disk_rename(&stored->disk, name, "elsewhere");
    CHECK_ERRNO(look(history, oldest - 1, INT64_MAX), ERANGE);
    CHECK_ERRNO(look(history, 0, INT64_MAX), ERANGE);
    CHECK_ERRNO(look(history, UINT64_MAX, 1), ERANGE);
    for (uint32_t i = 0; i < list->count; i++) {
        (void)check_look(history, list->lsns[i], INT64_MAX);
    }
    CHECK_ERRNO(look(history, oldest + 1, INT64_MAX), EUCLEAN);
    CHECK_ERRNO(look(history, UINT64_MAX, INT64_MAX), EUCLEAN);
    CHECK(strstr(stored->why, "no log") != NULL);
    free(list);
    remove_history(history);
}

static void no_store(void)
{
    struct history *history = calloc(1, sizeof *history);
    REQUIRE(history != NULL);
    stored_make(&history->stored, KV_SYNC_ALWAYS);
    CHECK_ERRNO(look(history, UINT64_MAX, INT64_MAX), ENOENT);
    CHECK(strstr(history->stored.why, "no store") != NULL);
    history->stored.options.capacity = 100;
    REQUIRE(stored_open(&history->stored) == 0);
    CHECK_OK(stored_close(&history->stored, false));
    CHECK_OK(look(history, 0, INT64_MAX));
    CHECK_U64(storage_count(history->stored.storage), 0);
    remove_history(history);
}

/* Damage stands in the way of what comes after it, and of nothing else. */
static void damage_on_the_way(void)
{
    struct history *history = make_history(KV_SYNC_ALWAYS);
    struct stored *stored = &history->stored;
    struct backup_list *list = malloc(sizeof *list);
    REQUIRE(list != NULL);
    REQUIRE(backup_list_read(stored->disk.directory, list) == 0);
    for (uint32_t i = 0; i < list->count; i++) {
        char name[BACKUP_NAME_MAX];
        backup_name(name, list->lsns[i]);
        disk_delete(&stored->disk, name);
    }
    uint64_t lsn = history->states[STEPS / 2].lsn + 1;
    char name[WAL_NAME_MAX];
    (void)snprintf(name, sizeof name, "log-%020d", 1);
    disk_flip(&stored->disk, name, DISK_PAGE + (lsn - 1) * FRAME_SIZE + 99, 3);
    (void)check_look(history, history->states[STEPS / 2].lsn, INT64_MAX);
    CHECK_ERRNO(look(history, lsn, INT64_MAX), EUCLEAN);
    char named[64];
    (void)snprintf(named, sizeof named, "LSN %" PRIu64 " at offset", lsn);
    CHECK(strstr(stored->why, named) != NULL);
    free(list);
    remove_history(history);
}

/* A store that is open, and goes on. */
static void beside_its_server(void)
{
    struct history *history = make_history(KV_SYNC_ALWAYS);
    struct stored *stored = &history->stored;
    REQUIRE(stored_open(stored) == 0);
    struct storage *server = stored->storage;
    stored->storage = NULL;
    (void)check_look(history, UINT64_MAX, INT64_MAX);
    (void)check_look(history, last_lsn(history) / 2, INT64_MAX);
    CHECK_OK(storage_close(server, false));
    remove_history(history);
}

const struct test_case test_storage_moment[] = {
    TEST_CASE(every_lsn_with_always),
    TEST_CASE(every_lsn_with_none),
    TEST_CASE(stores_of_many_lsns),
    TEST_CASE(it_is_another_store),
    TEST_CASE(it_is_made_in_an_empty_place),
    TEST_CASE(every_time),
    TEST_CASE(behind_the_end),
    TEST_CASE(before_what_is_left),
    TEST_CASE(no_store),
    TEST_CASE(damage_on_the_way),
    TEST_CASE(beside_its_server),
    TEST_END,
};
