/* Commands in groups: what does not fit goes to the next one, as a whole; what
 * cannot be written is not there; what was half written is not there either. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "disk.h"
#include "frame.h"
#include "storage/group.h"
#include "storage/state.h"
#include "stored.h"
#include "talked.h"

enum { KEYS = 6000, CAPACITY = 20000 };

static void fill(struct talked *talked, int keys)
{
    struct buffer requests = {.max = 1 << 20};
    char text[64];
    for (int i = 0; i < keys; i++) {
        (void)snprintf(text, sizeof text, "SET k%d %d\r\n", i, i);
        CHECK(buffer_append(&requests, text, strlen(text)));
    }
    talk_bytes(talked, &talked->talkers[0], requests.bytes, requests.size);
    talked->talkers[0].replies.size = 0;
    buffer_free(&requests);
}

/* Appends a DEL of count keys. */
static void add_del(struct buffer *requests, int first, int count)
{
    char text[32];
    CHECK(buffer_append(requests, "DEL", 3));
    for (int i = first; i < first + count; i++) {
        (void)snprintf(text, sizeof text, " k%d", i);
        CHECK(buffer_append(requests, text, strlen(text)));
    }
    CHECK(buffer_append(requests, "\r\n", 2));
}

/* A transaction that removes count keys, a thousand with each command, and sets
 * another one. */
static void add_removal(struct buffer *requests, int first, int count)
{
    char text[64];
    CHECK(buffer_append(requests, "MULTI\r\n", 7));
    for (int i = 0; i < count; i += 1000) {
        add_del(requests, first + i, count - i < 1000 ? count - i : 1000);
    }
    (void)snprintf(text, sizeof text, "SET removed%d 1\r\nEXEC\r\n", first);
    CHECK(buffer_append(requests, text, strlen(text)));
}

static void say(struct talker *talker, struct buffer *requests)
{
    talked_send(talker, requests->bytes, requests->size);
    requests->size = 0;
}

static void run(struct talked *talked)
{
    while (talked_turn(talked)) {
    }
}

static void set_up(struct talked *talked, const char *directory)
{
    talked_open(talked, directory, CAPACITY);
    for (int i = 0; i < 3; i++) {
        (void)talked_dial(talked);
    }
    fill(talked, KEYS);
}

/* ---- Room ---------------------------------------------------------------- */

static void what_is_too_much_for_a_group_changes_nothing(void)
{
    struct talked talked;
    struct buffer requests = {.max = 1 << 20};
    set_up(&talked, NULL);
    add_removal(&requests, 0, GROUP_CHANGES_MAX);
    say(&talked.talkers[0], &requests);
    run(&talked);
    const char *replies = talked_replies(&talked, &talked.talkers[0]);
    CHECK(strstr(replies,
              "-ERR this changes more than 4095 records, which is the most "
              "that can take effect at once: do it in parts") != NULL);
    CHECK_TEXT(talk(&talked, &talked.talkers[0],
                   "DBSIZE\r\nEXISTS removed0 k0 k4094\r\n"),
        ":6000 :2");
    /* As much as there is room for. */
    add_removal(&requests, 0, GROUP_CHANGES_MAX - 5);
    say(&talked.talkers[0], &requests);
    run(&talked);
    replies = talked_replies(&talked, &talked.talkers[0]);
    CHECK(strstr(replies, "*6 :1000 :1000 :1000 :1000 :90 +OK") != NULL);
    CHECK_TEXT(talk(&talked, &talked.talkers[0], "DBSIZE\r\n"), ":1911");
    buffer_free(&requests);
    talked_close(&talked);
}

/* Three connections in one batch, each with more than shares a group with
 * another one, and native requests and a chain between them. */
static void what_finds_no_room_goes_to_the_next_group(void)
{
    struct talked talked;
    struct test_directory directory;
    struct buffer requests = {.max = 1 << 20};
    CHECK(test_directory_make(&directory));
    set_up(&talked, directory.path);
    for (int i = 0; i < 3; i++) {
        add_removal(&requests, 2000 * i, 1990);
        say(&talked.talkers[i], &requests);
    }
    run(&talked);
    for (int i = 0; i < 3; i++) {
        const char *replies = talked_replies(&talked, &talked.talkers[i]);
        CHECK(strstr(replies, "*3 :1000 :990 +OK") != NULL);
    }
    for (int opened = 0; opened < 3; opened++) {
        CHECK_TEXT(talk(&talked, &talked.talkers[0],
                       "DBSIZE\r\nEXISTS k0 k1989 k1990 removed0 removed2000 "
                       "removed4000\r\n"),
            ":33 :4");
        talked_reopen(&talked, opened == 1);
    }
    buffer_free(&requests);
    talked_close(&talked);
    CHECK(test_directory_remove(&directory));
}

/* A flush finds what others have changed in its group, and waits for the next
 * one; undone there, it takes nothing of theirs with it. */
static void a_flush_has_a_group_of_its_own(void)
{
    struct talked talked;
    struct test_directory directory;
    struct buffer requests = {.max = 1 << 20};
    CHECK(test_directory_make(&directory));
    set_up(&talked, directory.path);
    static const char first[] = "SET k0 first\r\nSET k1 first\r\n";
    talked_send(&talked.talkers[0], first, strlen(first));
    static const char begin[] =
        "MULTI\r\nSET k0 second\r\nSET k1 second\r\nFLUSHALL\r\nSET k2 1\r\n";
    CHECK(buffer_append(&requests, begin, strlen(begin)));
    for (int i = 0; i < 5; i++) {
        CHECK(buffer_append(&requests, "RPUSH list", 10));
        for (int element = 0; element < 1000; element++) {
            CHECK(buffer_append(&requests, " e", 2));
        }
        CHECK(buffer_append(&requests, "\r\n", 2));
    }
    CHECK(buffer_append(&requests, "EXEC\r\n", 6));
    say(&talked.talkers[1], &requests);
    run(&talked);
    const char *replies = talked_replies(&talked, &talked.talkers[1]);
    CHECK(strstr(replies, "-ERR this changes more than 4095") != NULL);
    for (int opened = 0; opened < 2; opened++) {
        CHECK_TEXT(
            talk(&talked, &talked.talkers[2], "DBSIZE\r\nMGET k0 k1 k2\r\n"),
            ":6000 *3 $5 first $5 first $1 2");
        talked_reopen(&talked, false);
    }
    static const char flushes[] = "MULTI\r\nSET k0 3\r\nFLUSHALL\r\n"
                                  "SET k1 3\r\nFLUSHALL\r\nSET k2 3\r\n"
                                  "DBSIZE\r\nEXEC\r\n";
    talked_send(&talked.talkers[0], first, strlen(first));
    talked_send(&talked.talkers[1], flushes, strlen(flushes));
    talked_send(&talked.talkers[2], first, strlen(first));
    run(&talked);
    CHECK_TEXT(talked_replies(&talked, &talked.talkers[1]),
        "+OK +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED *6 +OK +OK +OK "
        "+OK +OK :1");
    for (int opened = 0; opened < 3; opened++) {
        CHECK_TEXT(
            talk(&talked, &talked.talkers[2], "DBSIZE\r\nMGET k0 k1 k2\r\n") +
                (opened == 0 ? strlen("+OK +OK ") : 0),
            ":3 *3 $5 first $5 first $1 3");
        talked_reopen(&talked, opened == 0);
    }
    buffer_free(&requests);
    talked_close(&talked);
    CHECK(test_directory_remove(&directory));
}

/* ---- Writes that fail ---------------------------------------------------- */

static uint64_t lsn_of(const struct talked *talked)
{
    return wal_next_lsn(talked->storage->wal) - 1;
}

/* The log cannot be written past this frame. */
static void limit_log(uint64_t lsn)
{
    struct rlimit limit;
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = lsn == 0 ? limit.rlim_max : DISK_PAGE + lsn * FRAME_SIZE;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* What was written cannot be wiped either. */
#define UNSURE                                                                 \
    "-ERR the log cannot be written: File too large; a restart may bring "     \
    "this "                                                                    \
    "write back"

/* Of several groups of one batch the second cannot be written: the first is
 * there, the second and what came with it is not, and says so. */
static void a_group_that_cannot_be_written_is_not_there(void)
{
    struct talked talked;
    struct test_directory directory;
    struct buffer requests = {.max = 1 << 20};
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHECK(test_directory_make(&directory));
    set_up(&talked, directory.path);
    for (int i = 0; i < 2; i++) {
        add_removal(&requests, 3000 * i, 2900);
        CHECK(buffer_append(&requests, "GET k0\r\nGET k3000\r\n", 19));
        say(&talked.talkers[i], &requests);
    }
    talked_send(&talked.talkers[2], "INCR n\r\nGET n\r\n", 15);
    limit_log(lsn_of(&talked) + 4000);
    run(&talked);
    limit_log(0);
    const char *replies = talked_replies(&talked, &talked.talkers[0]);
    CHECK(strstr(replies, "*4 :1000 :1000 :900 +OK $-1 $4 3000") != NULL);
    replies = talked_replies(&talked, &talked.talkers[1]);
    CHECK(strstr(replies, UNSURE) != NULL);
    CHECK(strstr(replies, "$-1 $4 3000") != NULL);
    replies = talked_replies(&talked, &talked.talkers[2]);
    CHECK(strncmp(replies, UNSURE, strlen(UNSURE)) == 0);
    CHECK(strstr(replies, " $-1") != NULL);
    for (int opened = 0; opened < 2; opened++) {
        CHECK_TEXT(talk(&talked, &talked.talkers[0],
                       "DBSIZE\r\nEXISTS k0 k3000 removed0 removed3000 n\r\n"),
            ":3101 :2");
        talked_reopen(&talked, false);
    }
    CHECK_TEXT(talk(&talked, &talked.talkers[0], "INCR n\r\n"), ":1");
    buffer_free(&requests);
    talked_close(&talked);
    CHECK(test_directory_remove(&directory));
}

/* ---- Half a chain -------------------------------------------------------- */

#define SEGMENT "log-00000000000000000001"

/* What the transactions of the test may have left. */
static const char look[] = "MGET a b c d\r\nDBSIZE\r\n";

/* The files of disk, but for the log's frames behind lsn, a mark among them if
 * the store was silent for long enough: opens what is left. */
static void check_cut(
    const struct disk *disk, uint64_t lsn, const char *expected)
{
    struct disk copy;
    struct talked talked;
    disk_copy(disk, &copy);
    struct disk_span span = {.offset = DISK_PAGE + lsn * FRAME_SIZE};
    span.size = (size_t)(disk_size(&copy, SEGMENT) - span.offset);
    disk_zero(&copy, SEGMENT, span);
    talked_open(&talked, copy.temporary.path, 100);
    struct talker *talker = talked_dial(&talked);
    if (!CHECK_TEXT(talk(&talked, talker, look), expected)) {
        printf("    cut behind LSN %" PRIu64 "\n", lsn);
    }
    talked_reopen(&talked, false);
    CHECK_TEXT(talk(&talked, talker, look), expected);
    talked_close(&talked);
    disk_remove(&copy);
}

static void a_chain_is_recovered_whole_or_not_at_all(void)
{
    static const struct {
        const char *requests;
        const char *expected; /* of look */
    } steps[] = {
        {"SET a 1\r\nSET b 1\r\nINCR c\r\n", "*4 $1 1 $1 1 $1 1 $-1 :3"},
        {"MULTI\r\nSET a 2\r\nDEL b c\r\nSET d 2\r\nINCR a\r\nEXEC\r\n",
            "*4 $1 3 $-1 $-1 $1 2 :2"},
        {"MULTI\r\nSET b 4\r\nFLUSHALL\r\nSET c 4\r\nDEL c\r\nSET c 5\r\n"
         "EXEC\r\n",
            "*4 $-1 $-1 $1 5 $-1 :1"},
        {"DEL c none\r\n", "*4 $-1 $-1 $-1 $-1 :0"},
    };
    struct disk disk;
    struct talked talked;
    uint64_t lsns[ARRAY_SIZE(steps)];
    disk_make(&disk);
    talked_open(&talked, disk.temporary.path, 100);
    struct talker *talker = talked_dial(&talked);
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        (void)talk(&talked, talker, steps[i].requests);
        CHECK_TEXT(talk(&talked, talker, look), steps[i].expected);
        lsns[i] = lsn_of(&talked);
    }
    uint64_t last = lsns[ARRAY_SIZE(steps) - 1];
    for (uint64_t lsn = lsns[0]; lsn <= last; lsn++) {
        size_t step = 0;
        while (step + 1 < ARRAY_SIZE(steps) && lsns[step + 1] <= lsn) {
            step++;
        }
        check_cut(&disk, lsn, steps[step].expected);
    }
    talked_close(&talked);
    disk_remove(&disk);
}

/* ---- The sweep of what is left of collections ---------------------------- */

static struct stats stats_of(const struct talked *talked)
{
    struct stats stats = {0};
    storage_stats(talked->storage, &stats);
    return stats;
}

/* However many collections end at once, others wait for a little of it only:
 * no commit takes away much more than REMAINS_STEP members. */
static void what_is_left_goes_in_small_parts(void)
{
    enum { LISTS = 20, ELEMENTS = 900, FRAMES_MAX = 1200, LIMIT_MS = 20000 };
    struct talked talked;
    struct test_directory directory;
    struct buffer requests = {.max = 1 << 20};
    char text[32];
    CHECK(test_directory_make(&directory));
    talked_open(&talked, directory.path, CAPACITY);
    struct talker *talker = talked_dial(&talked);
    for (int list = 0; list < LISTS; list++) {
        (void)snprintf(text, sizeof text, "RPUSH k%d", list);
        CHECK(buffer_append(&requests, text, strlen(text)));
        for (int element = 0; element < ELEMENTS; element++) {
            CHECK(buffer_append(&requests, " e", 2));
        }
        CHECK(buffer_append(&requests, "\r\n", 2));
    }
    talk_bytes(&talked, talker, requests.bytes, requests.size);
    struct stats before = stats_of(&talked);
    CHECK_U64(before.records, LISTS * (ELEMENTS + 1));
    requests.size = 0;
    add_del(&requests, 0, LISTS);
    talk_bytes(&talked, talker, requests.bytes, requests.size);
    struct stats after = stats_of(&talked);
    int64_t until = clock_steady_ms() + LIMIT_MS;
    while (after.records > 0 && clock_steady_ms() < until) {
        (void)poll(NULL, 0, 1);
        after = stats_of(&talked);
    }
    CHECK_U64(after.records, 0);
    uint64_t commits = after.commits - before.commits;
    CHECK(after.frames - before.frames <= commits * FRAMES_MAX);
    buffer_free(&requests);
    talked_close(&talked);
    CHECK(test_directory_remove(&directory));
}

/* Where nothing can be written the sweep tries again at each tick, and no
 * sooner. */
static void a_sweep_that_is_refused_waits(void)
{
    enum { RECORDS = 40 * SWEEP_KEYS_MAX, WATCHED_MS = 500, TRIES_MAX = 50 };
    struct stored stored;
    struct stats before;
    struct stats after;
    stored_make(&stored, KV_SYNC_NONE);
    REQUIRE(stored_open(&stored) == 0);
    for (uint64_t i = 0; i < RECORDS; i++) {
        CHECK_INT(stored_ask(&stored, KV_PUT, i, 1), KV_SUCCESS);
    }
    for (uint64_t i = 0; i < RECORDS; i++) {
        CHECK_INT(stored_ask_number(&stored, KV_EXPIRE, i, 1000), KV_SUCCESS);
    }
    lock(&stored.storage->commit);
    stored.storage->broken = true;
    (void)snprintf(stored.storage->refusal, STORAGE_WHY_MAX, "it is broken");
    unlock(&stored.storage->commit);
    uint64_t version;
    while (stored_get(&stored, RECORDS - 1, &version) == KV_SUCCESS) {
        (void)poll(NULL, 0, 1);
    }
    stored_stats(&stored, &before);
    CHECK(
        before.records >= 2 * SWEEP_KEYS_MAX); /* what a slow machine leaves */
    (void)poll(NULL, 0, WATCHED_MS);
    stored_stats(&stored, &after);
    CHECK_U64(after.records, before.records);
    CHECK(after.commits - before.commits <= TRIES_MAX);
    (void)stored_close(&stored, false);
    stored_remove(&stored);
}

/* A part of a sweep whose group could not be written is refused after it was
 * executed; it has left nothing to go on with. */
static void a_sweep_that_was_not_written_waits(void)
{
    struct stored stored;
    kv_message_t message = {.type = VERB_SWEEP, .status = KV_READ_ONLY};
    stored_make(&stored, KV_SYNC_NONE);
    CHECK_INT(stored_open(&stored), 0);
    keeper_stop(stored.storage);
    struct sweeper *sweeper = stored.storage->sweeper;
    for (int written = 0; written < 2; written++) {
        message.status = written == 0 ? KV_READ_ONLY : KV_END;
        sweeper->batch.count = 1;
        sweeper->batch.ops[0] = (struct op){
            .message = &message, .verb = VERB_SWEEP, .number = SWEEP_MORE};
        sweeper->batch.done(&sweeper->batch);
        CHECK_INT(sweeper->left, written);
        CHECK_INT(stored.storage->sweep_goes_on, written);
    }
    (void)stored_close(&stored, false);
    stored_remove(&stored);
}

const struct test_case test_storage_groups[] = {
    TEST_CASE(what_is_too_much_for_a_group_changes_nothing),
    TEST_CASE(what_finds_no_room_goes_to_the_next_group),
    TEST_CASE(a_flush_has_a_group_of_its_own),
    TEST_CASE(a_group_that_cannot_be_written_is_not_there),
    TEST_CASE(a_chain_is_recovered_whole_or_not_at_all),
    TEST_CASE(what_is_left_goes_in_small_parts),
    TEST_CASE(a_sweep_that_is_refused_waits),
    TEST_CASE(a_sweep_that_was_not_written_waits),
    TEST_END,
};
