#include "conn/conn.h"
#include "served.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Runs test on a server of each kind. */
static void for_each_kind(void (*test)(const struct served *served))
{
    for (size_t i = 0; i < SERVED_KINDS; i++) {
        struct served served;
        served_start(&served, &served_kinds[i]);
        test(&served);
        served_end(&served);
    }
}

/* ---- Requests ------------------------------------------------------------ */

static void try_requests(const struct served *served)
{
    int fd = served_dial(served);
    const struct {
        int type;
        kv_error_t status;
        const char *key;
        const char *value;
        const char *result; /* NULL: any */
    } steps[] = {
        {KV_PING, KV_SUCCESS, "", "there?", "there?"},
        {KV_GET, KV_NOT_FOUND, "name", "", NULL},
        {KV_PUT, KV_SUCCESS, "name", "John Doe", ""},
        {KV_GET, KV_SUCCESS, "name", "", "John Doe"},
        {KV_EXISTS, KV_SUCCESS, "name", "", NULL},
        {KV_TTL, KV_SUCCESS, "name", "", "-1"},
        {KV_EXPIRE, KV_SUCCESS, "name", "3600000", NULL},
        {KV_PERSIST, KV_SUCCESS, "name", "", NULL},
        {KV_ADD, KV_SUCCESS, "sum", "40", "40"},
        {KV_ADD, KV_SUCCESS, "sum", "2", "42"},
        {KV_ADD, KV_NOT_A_NUMBER, "name", "1", NULL},
        {KV_EXPECT, KV_SUCCESS, "sum", "42", NULL},
        {KV_EXPECT, KV_MISMATCH, "sum", "43", NULL},
        {KV_EXPECT_ABSENT, KV_MISMATCH, "sum", "", NULL},
        {KV_COUNT, KV_SUCCESS, "", "", "2"},
        {KV_DELETE, KV_SUCCESS, "name", "", NULL},
        {KV_DELETE, KV_NOT_FOUND, "name", "", NULL},
        {KV_COUNT, KV_SUCCESS, "", "", "1"},
        {KV_AUTH, KV_INVALID, "", "secret", NULL},
        {KV_EXPIRE, KV_INVALID, "sum", "never", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        kv_message_t request =
            served_request(steps[i].type, steps[i].key, steps[i].value);
        served_check(fd, &request, steps[i].status, steps[i].result);
    }
    close(fd);
}

static void each_request_is_answered(void)
{
    for_each_kind(try_requests);
}

static void a_message_may_come_byte_by_byte(void)
{
    struct served served;
    served_start(&served, &served_kinds[0]);
    int fd = served_dial(&served);
    kv_message_t request = served_request(KV_PUT, "slow", "value");
    kv_message_t reply = {0};
    for (size_t i = 0; i < sizeof request; i++) {
        served_send(fd, (const uint8_t *)&request + i, 1);
    }
    REQUIRE(served_receive(fd, &reply, sizeof reply) == sizeof reply);
    served_check_reply(&reply, KV_SUCCESS, "");
    close(fd);
    served_end(&served);
}

static void a_plain_struct_is_a_request(void)
{
    struct served served;
    struct {
        uint32_t type;
        char key[KV_KEY_SIZE];
        char value[KV_VALUE_MAX];
    } plain = {.type = KV_PUT, .key = "name", .value = "John Doe"};
    served_start(&served, &served_kinds[3]);
    int fd = served_dial(&served);
    served_send(fd, &plain, sizeof plain);
    REQUIRE(served_receive(fd, &plain, sizeof plain) == sizeof plain);
    plain.type = KV_GET; /* and what the reply left in the value */
    served_send(fd, &plain, sizeof plain);
    REQUIRE(served_receive(fd, &plain, sizeof plain) == sizeof plain);
    CHECK_TEXT(plain.value, "John Doe");
    close(fd);
    served_end(&served);
}

/* ---- Order --------------------------------------------------------------- */

/* Counts up and reads back, thousands ahead of the replies. */
static void try_pipeline(const struct served *served)
{
    enum { ROUNDS = 2000, MESSAGES = 2 * ROUNDS };
    int fd = served_dial(served);
    size_t size = MESSAGES * sizeof(kv_message_t);
    kv_message_t *messages = malloc(size);
    size_t sent = 0;
    size_t received = 0;
    uint8_t *replies = malloc(size);
    REQUIRE(messages != NULL && replies != NULL);
    for (size_t i = 0; i < ROUNDS; i++) {
        messages[2 * i] = served_request(KV_ADD, "counter", "1");
        messages[2 * i + 1] = served_request(KV_GET, "counter", "");
    }
    while (received < size) {
        ssize_t part = send(fd, (uint8_t *)messages + sent, size - sent,
            MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += part > 0 ? (size_t)part : 0;
        part = recv(fd, replies + received, size - received,
            part > 0 ? MSG_DONTWAIT : 0);
        REQUIRE(part != 0 && (part > 0 || sent <= size));
        received += part > 0 ? (size_t)part : 0;
    }
    for (size_t i = 0; i < MESSAGES; i++) {
        kv_message_t reply = {0};
        char expected[DECIMAL_MAX + 1] = "";
        memcpy(&reply, replies + i * sizeof reply, sizeof reply);
        (void)decimal_format((int64_t)i / 2 + 1, (uint8_t *)expected);
        CHECK_INT(reply.type, i % 2 == 0 ? KV_ADD : KV_GET);
        served_check_reply(&reply, KV_SUCCESS, expected);
    }
    free(messages);
    free(replies);
    close(fd);
}

static void thousands_may_be_sent_ahead(void)
{
    for_each_kind(try_pipeline);
}

/* Reads a stream of this type up to its END; returns how many came before. */
static int receive_stream(int fd, int type)
{
    kv_message_t row = {0};
    int count = -1;
    do {
        REQUIRE(served_receive(fd, &row, sizeof row) == sizeof row);
        CHECK_INT(row.type, type);
        count++;
    } while (row.status == KV_SUCCESS);
    served_check_reply(&row, KV_END, "");
    return count;
}

static void try_lone_verbs(const struct served *served)
{
    int fd = served_dial(served);
    const kv_message_t requests[] = {served_request(KV_PUT, "a", "1"),
        served_request(KV_SCAN, "", ""), served_request(KV_PUT, "b", "2"),
        served_request(KV_STATS, "", ""), served_request(KV_SCAN, "", ""),
        served_request(KV_DELETE, "a", ""), served_request(KV_BACKUP, "", ""),
        served_request(KV_SCAN, "", ""), served_request(KV_GET, "b", "")};
    const int records[] = {-1, 1, -1, STATS_COUNT, 2, -1, -1, 1, -1};
    served_send(fd, requests, sizeof requests);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        kv_message_t reply = {0};
        if (records[i] >= 0) {
            CHECK_INT(receive_stream(fd, requests[i].type), records[i]);
            continue;
        }
        bool refused = requests[i].type == KV_BACKUP && served->options.memory;
        REQUIRE(served_receive(fd, &reply, sizeof reply) == sizeof reply);
        CHECK_INT(reply.type, requests[i].type);
        served_check_reply(&reply, refused ? KV_INVALID : KV_SUCCESS, NULL);
    }
    close(fd);
}

static void streams_keep_their_place_among_the_others(void)
{
    for_each_kind(try_lone_verbs);
}

/* ---- Chains -------------------------------------------------------------- */

static void try_chains(const struct served *served)
{
    int fd = served_dial(served);
    kv_message_t lock[] = {
        served_request(KV_EXPECT_ABSENT | KV_LINKED, "lock", ""),
        served_request(KV_PUT | KV_LINKED, "lock", "mine"),
        served_request(KV_EXPIRE, "lock", "60000")};
    kv_message_t lone[] = {served_request(KV_PUT | KV_LINKED, "x", "1"),
        served_request(KV_STATS, "", "")};
    kv_message_t replies[ARRAY_SIZE(lock)];
    served_send(fd, lock, sizeof lock);
    REQUIRE(served_receive(fd, replies, sizeof replies) == sizeof replies);
    for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
        served_check_reply(&replies[i], KV_SUCCESS, NULL);
        CHECK_INT(replies[i].type, lock[i].type);
    }
    served_send(fd, lock, sizeof lock);
    REQUIRE(served_receive(fd, replies, sizeof replies) == sizeof replies);
    served_check_reply(&replies[0], KV_MISMATCH, NULL);
    served_check_reply(&replies[1], KV_ABORTED, NULL);
    served_check_reply(&replies[2], KV_ABORTED, NULL);
    served_send(fd, lone, sizeof lone);
    REQUIRE(served_receive(fd, replies, sizeof lone) == sizeof lone);
    served_check_reply(&replies[0], KV_ABORTED, NULL);
    served_check_reply(&replies[1], KV_INVALID, NULL);
    kv_message_t get = served_request(KV_GET, "x", "");
    served_check(fd, &get, KV_NOT_FOUND, NULL);
    close(fd);
}

static void a_chain_is_all_or_nothing(void)
{
    for_each_kind(try_chains);
}

/* The bytes before the split are seen to have arrived, so that the server has
 * had the incomplete chain in its hands. */
static void a_chain_may_be_split_anywhere(void)
{
    struct served served;
    served_start(&served, &served_kinds[0]);
    int fd = served_dial(&served);
    int other = served_dial(&served);
    const kv_message_t chain[] = {served_request(KV_ADD | KV_LINKED, "n", "1"),
        served_request(KV_ADD | KV_LINKED, "m", "1"),
        served_request(KV_GET, "n", "")};
    const uint8_t *bytes = (const uint8_t *)chain;
    char sum[DECIMAL_MAX + 1] = "";
    int64_t count = 0;
    for (size_t split = 1; split < sizeof chain; split += 73) {
        kv_message_t replies[ARRAY_SIZE(chain)];
        uint64_t due = served_figure(other, "bytes_received") + split;
        served_send(fd, bytes, split);
        do {
            due += KV_MESSAGE_SIZE; /* of asking */
        } while (served_figure(other, "bytes_received") < due);
        kv_message_t get = served_call(other, KV_GET, "n", "");
        served_check_reply(&get, count == 0 ? KV_NOT_FOUND : KV_SUCCESS,
            count == 0 ? NULL : sum);
        served_send(fd, bytes + split, sizeof chain - split);
        REQUIRE(served_receive(fd, replies, sizeof replies) == sizeof replies);
        sum[decimal_format(++count, (uint8_t *)sum)] = '\0';
        served_check_reply(&replies[2], KV_SUCCESS, sum);
    }
    close(fd);
    close(other);
    served_end(&served);
}

static void a_chain_that_is_too_long_has_no_effect(void)
{
    enum { MEMBERS = KV_CHAIN_MAX + 10 };
    struct served served;
    kv_message_t chain[MEMBERS + 1];
    served_start(&served, &served_kinds[0]);
    int fd = served_dial(&served);
    for (size_t i = 0; i < MEMBERS; i++) {
        chain[i] = served_request(
            KV_PUT | (i + 1 < MEMBERS ? KV_LINKED : 0), "long", "1");
    }
    chain[MEMBERS] = served_request(KV_EXISTS, "long", "");
    served_send(fd, chain, sizeof chain);
    REQUIRE(served_receive(fd, chain, sizeof chain) == sizeof chain);
    served_check_reply(&chain[0], KV_INVALID, NULL);
    for (size_t i = 1; i < MEMBERS; i++) {
        served_check_reply(&chain[i], KV_ABORTED, NULL);
    }
    served_check_reply(&chain[MEMBERS], KV_NOT_FOUND, NULL);
    close(fd);
    served_end(&served);
}

/* ---- Streams ------------------------------------------------------------- */

/* One SCAN; returns the records, marks them in seen, puts the cursor. */
static int scan_once(int fd, const char *prefix, char *cursor, uint8_t *seen)
{
    kv_message_t row = served_request(KV_SCAN, prefix, cursor);
    int records = 0;
    served_send(fd, &row, sizeof row);
    for (;;) {
        REQUIRE(served_receive(fd, &row, sizeof row) == sizeof row);
        if (row.status != KV_SUCCESS) {
            break;
        }
        char key[KV_KEY_SIZE + 1] = "";
        memcpy(key, row.key, KV_KEY_SIZE);
        CHECK(strncmp(key, prefix, strlen(prefix)) == 0);
        seen[strtoul(strchr(key, ':') + 1, NULL, 10)]++;
        records++;
    }
    CHECK_INT(row.status, KV_END);
    CHECK(strncmp((const char *)row.key, prefix, KV_KEY_SIZE) == 0);
    REQUIRE(row.value_len == 0 || row.value_len == 16);
    memcpy(cursor, row.value, row.value_len + (size_t)1);
    CHECK(records <= KV_SCAN_MAX);
    return records;
}

static void a_scan_hands_out_each_record_once(void)
{
    enum { RECORDS = 3000, CALLS_MAX = 100000 };
    struct served served;
    uint8_t seen[RECORDS] = {0};
    char cursor[32] = "";
    int calls = 0;
    served_start(&served, &served_kinds[3]);
    int fd = served_dial(&served);
    for (int i = 0; i < RECORDS; i++) {
        char key[KV_KEY_SIZE];
        (void)snprintf(
            key, sizeof key, "%s:%d", i % 3 == 0 ? "odd" : "even", i);
        kv_message_t put = served_request(KV_PUT, key, "value");
        served_check(fd, &put, KV_SUCCESS, "");
    }
    do {
        (void)scan_once(fd, "even:", cursor, seen);
    } while (*cursor != '\0' && ++calls < CALLS_MAX);
    for (int i = 0; i < RECORDS; i++) {
        CHECK_INT(seen[i], i % 3 == 0 ? 0 : 1);
    }
    kv_message_t wrong = served_request(KV_SCAN, "", "not a cursor");
    served_check(fd, &wrong, KV_INVALID, NULL);
    close(fd);
    served_end(&served);
}

static void figures_count_what_was_done(void)
{
    struct served served;
    served_start(&served, &(struct served_options){.workers = 2});
    int fd = served_dial(&served);
    int other = served_dial(&served);
    for (int i = 0; i < 10; i++) {
        (void)served_call(other, KV_PUT, "key", "value");
        kv_message_t unknown = served_request(99, "key", "");
        served_check(other, &unknown, KV_INVALID, NULL);
    }
    CHECK_U64(served_figure(fd, "requests"), 21);
    CHECK_U64(served_figure(fd, "requests_invalid"), 10);
    CHECK_U64(served_figure(fd, "connections"), 2);
    CHECK_U64(served_figure(fd, "connections_accepted"), 2);
    CHECK_U64(served_figure(fd, "records"), 1);
    close(other);
    served_await_figure(fd, "connections", 1);
    close(fd);
    served_end(&served);
}

static void backups_are_written_on_demand(void)
{
    struct served served;
    served_start(&served, &served_kinds[0]);
    int fd = served_dial(&served);
    kv_message_t backup = served_request(KV_BACKUP, "", "");
    (void)served_call(fd, KV_PUT, "a", "1");
    served_check(fd, &backup, KV_SUCCESS, NULL);
    CHECK_U64(served_figure(fd, "backup_records"), 1);
    close(fd);
    served_end(&served);
}

static void a_store_in_memory_has_no_backups(void)
{
    struct served served;
    served_start(&served, &served_kinds[3]);
    int fd = served_dial(&served);
    kv_message_t backup = served_request(KV_BACKUP, "", "");
    served_check(fd, &backup, KV_INVALID, NULL);
    close(fd);
    served_end(&served);
}

/* ---- Diagnostics --------------------------------------------------------- */

static void connections_and_requests_are_told_if_wanted(void)
{
    struct served served;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    REQUIRE(stream != NULL);
    served_start(
        &served, &(struct served_options){.verbose = 2, .diagnostics = stream});
    int fd = served_dial(&served);
    (void)served_call(fd, KV_PUT, "a\n\\b", "1");
    (void)served_call(fd, KV_GET, "gone", "");
    close(fd);
    served_end(&served);
    CHECK_INT(fclose(stream), 0);
    CHECK(strstr(text, ": opened") != NULL);
    CHECK(strstr(text, "PUT \"a\\x0a\\x5cb\": SUCCESS") != NULL);
    CHECK(strstr(text, "GET \"gone\": NOT_FOUND") != NULL);
    CHECK(strstr(text, ": closed") != NULL);
    free(text);
}

const struct test_case test_server[] = {
    TEST_CASE(each_request_is_answered),
    TEST_CASE(a_message_may_come_byte_by_byte),
    TEST_CASE(a_plain_struct_is_a_request),
    TEST_CASE(thousands_may_be_sent_ahead),
    TEST_CASE(streams_keep_their_place_among_the_others),
    TEST_CASE(a_chain_is_all_or_nothing),
    TEST_CASE(a_chain_may_be_split_anywhere),
    TEST_CASE(a_chain_that_is_too_long_has_no_effect),
    TEST_CASE(a_scan_hands_out_each_record_once),
    TEST_CASE(figures_count_what_was_done),
    TEST_CASE(backups_are_written_on_demand),
    TEST_CASE(a_store_in_memory_has_no_backups),
    TEST_CASE(connections_and_requests_are_told_if_wanted),
    TEST_END,
};
