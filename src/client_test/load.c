/* load.c: many records, many requests at once, many connections. */
#include "client_test/test.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "bytes.h"

enum {
    PIPELINED = 1000,
    RECORDS = 3000,
    RECORDS_AT_ONCE = 500,
    PASSING = 64, /* records that come and go during a scan */
    THREADS = 4,
    ADDS = 400,
    SWAPS = 50,
    SWAPS_TRIED_MAX = 100000,
    TRANSFERS = 200,
    ACCOUNT_SUM = 1000
};

static void pipeline(struct test *test)
{
    kv_message_t messages[PIPELINED];
    for (size_t i = 0; i < PIPELINED; i++) {
        messages[i] = test_message(test, (struct ask){KV_ADD, "order", "1"});
    }
    if (!test_execute(test, messages, PIPELINED)) {
        return;
    }
    for (size_t i = 0; i < PIPELINED && !test->disappointed; i++) {
        uint8_t wanted[DECIMAL_MAX];
        size_t length = decimal_format((int64_t)i + 1, wanted);
        test_wants_bytes(test, "ADD", &messages[i], wanted, length);
    }
}

/* ---- SCAN ---------------------------------------------------------------- */

/* Executes one type of request on records first..first+count-1. */
static bool each_record(
    struct test *test, int type, unsigned first, unsigned count)
{
    kv_message_t messages[RECORDS_AT_ONCE];
    for (unsigned i = 0; i < count; i++) {
        char name[] = "scan-0000";
        (void)snprintf(name, sizeof name, "scan-%04u", first + i);
        messages[i] = test_message(
            test, (struct ask){type, name, type == KV_PUT ? name : ""});
    }
    if (!test_execute(test, messages, count)) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        test_wants_reply(test, kv_request_name(type), &messages[i], KV_SUCCESS);
    }
    return !test->disappointed;
}

struct seen {
    struct test *test;
    uint8_t times[RECORDS];
};

static bool note_record(void *context, const kv_message_t *record)
{
    struct seen *seen = context;
    const char *name = (const char *)record->key + TEST_PREFIX_SIZE;
    int64_t number = 0;
    if (record->value_len != strlen("scan-0000") ||
        memcmp(record->value, name, record->value_len) != 0) {
        test_fail(seen->test, "SCAN: %.9s has another record's value", name);
        return false;
    }
    for (size_t i = strlen("scan-"); i < record->value_len; i++) {
        number = number * 10 + record->value[i] - '0';
    }
    if (number >= 0 && number < RECORDS) {
        seen->times[number]++;
    }
    return true;
}

/* Scans to the end, while other records come and go between the calls. */
static void scan_all(struct test *test, struct seen *seen)
{
    kv_message_t end;
    kv_message_t request =
        test_message(test, (struct ask){KV_SCAN, "scan-", ""});
    bool there = false;
    do {
        if (kv_client_stream(test->client, &request, note_record, seen, &end) !=
            KV_SUCCESS) {
            test_fail(test, "%s", kv_client_error(test->client));
            return;
        }
        request.value_len = end.value_len;
        memcpy(request.value, end.value, sizeof request.value);
        if (!each_record(test, there ? KV_DELETE : KV_PUT, RECORDS, PASSING)) {
            return;
        }
        there = !there;
    } while (end.value_len > 0);
}

static void scan(struct test *test)
{
    struct seen seen = {.test = test};
    for (unsigned i = 0; i < RECORDS; i += RECORDS_AT_ONCE) {
        if (!each_record(test, KV_PUT, i, RECORDS_AT_ONCE)) {
            return;
        }
    }
    scan_all(test, &seen);
    for (unsigned i = 0; i < RECORDS && !test->disappointed; i++) {
        if (seen.times[i] != 1) {
            test_fail(test, "SCAN: got record %u %u times, wanted once", i,
                (unsigned)seen.times[i]);
        }
    }
}

static bool note_any(void *context, const kv_message_t *record)
{
    (void)record;
    ++*(unsigned *)context;
    return true;
}

static void scan_nothing(struct test *test)
{
    unsigned rows = 0;
    kv_message_t end;
    kv_message_t request =
        test_message(test, (struct ask){KV_SCAN, "nothing", ""});
    do {
        if (kv_client_stream(test->client, &request, note_any, &rows, &end) !=
            KV_SUCCESS) {
            test_fail(test, "%s", kv_client_error(test->client));
            return;
        }
        request.value_len = end.value_len;
        memcpy(request.value, end.value, sizeof request.value);
    } while (end.value_len > 0);
    test_wants_number(test, "rows", rows, 0);
}

/* ---- Several connections ------------------------------------------------- */

/* One thread with its own connection, and a test of its own to say what it
 * expected in vain. */
struct party {
    pthread_t thread;
    bool started;
    unsigned number;
    void (*play)(struct party *party);
    struct test test;
};

static void *play(void *context)
{
    struct party *party = context;
    party->play(party);
    return NULL;
}

static void play_together(struct test *test, void (*act)(struct party *party))
{
    struct party parties[THREADS] = {0};
    for (unsigned i = 0; i < THREADS; i++) {
        struct party *party = &parties[i];
        party->number = i;
        party->play = act;
        party->test = *test;
        party->test.client =
            kv_client_create(test->program->host, test->program->port);
        if (party->test.client == NULL) {
            test_fail(test, "no memory for thread %u", i);
            break;
        }
        kv_client_set_timeout(party->test.client, test->program->timeout_ms);
        if (pthread_create(&party->thread, NULL, play, party) != 0) {
            test_fail(test, "no thread %u", i);
            break;
        }
        party->started = true;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        if (parties[i].started) {
            (void)pthread_join(parties[i].thread, NULL);
        }
        kv_client_destroy(parties[i].test.client);
        if (parties[i].test.disappointed) {
            test_fail(test, "%s", parties[i].test.note);
        }
    }
}

static void add_often(struct party *party)
{
    struct test *test = &party->test;
    for (unsigned i = 0; i < ADDS && !test->disappointed; i++) {
        test_wants(test, (struct ask){KV_ADD, "shared", "1"}, KV_SUCCESS);
    }
}

static void shared_counter(struct test *test)
{
    char wanted[DECIMAL_MAX];
    play_together(test, add_often);
    (void)snprintf(wanted, sizeof wanted, "%d", THREADS * ADDS);
    test_wants_text(test, (struct ask){KV_GET, "shared", ""}, wanted);
}

/* Raises a number by compare and set: false if somebody was faster. */
static bool swap_once(struct test *test)
{
    kv_message_t pair[] = {test_message(test, (struct ask){KV_GET, "swap", ""}),
        test_message(test, (struct ask){KV_PUT, "swap", ""})};
    int64_t number = 0;
    bool overflow;
    if (!test_execute(test, &pair[0], 1) ||
        !decimal_parse(pair[0].value, pair[0].value_len, &number, &overflow)) {
        test_fail(test, "GET swap: got %s, wanted a number",
            kv_error_name(pair[0].status));
        return false;
    }
    pair[0].type = KV_EXPECT;
    pair[0].status = 0;
    pair[1].value_len = (uint16_t)decimal_format(number + 1, pair[1].value);
    test_link(pair, ARRAY_SIZE(pair));
    if (!test_execute(test, pair, ARRAY_SIZE(pair))) {
        return false;
    }
    if (pair[0].status == KV_SUCCESS) {
        test_wants_reply(test, "PUT swap", &pair[1], KV_SUCCESS);
        return true;
    }
    test_wants_reply(test, "EXPECT swap", &pair[0], KV_MISMATCH);
    test_wants_reply(test, "PUT swap", &pair[1], KV_ABORTED);
    return false;
}

static void swap_often(struct party *party)
{
    struct test *test = &party->test;
    unsigned done = 0;
    for (unsigned i = 0; i < SWAPS_TRIED_MAX && done < SWAPS; i++) {
        done += swap_once(test) ? 1 : 0;
        if (test->disappointed) {
            return;
        }
    }
    test_wants_number(test, "swaps that succeeded", done, SWAPS);
}

static void contention(struct test *test)
{
    char wanted[DECIMAL_MAX];
    test_wants(test, (struct ask){KV_PUT, "swap", "0"}, KV_SUCCESS);
    play_together(test, swap_often);
    (void)snprintf(wanted, sizeof wanted, "%d", THREADS * SWAPS);
    test_wants_text(test, (struct ask){KV_GET, "swap", ""}, wanted);
}

/* Half of the threads move one unit between two accounts, the other half look
 * at both at one instant. */
static void transfer_often(struct party *party)
{
    struct test *test = &party->test;
    bool looks = party->number % 2 == 1;
    int type = looks ? KV_GET : KV_ADD;
    for (unsigned i = 0; i < TRANSFERS && !test->disappointed; i++) {
        kv_message_t pair[] = {
            test_message(test, (struct ask){type, "from", looks ? "" : "-1"}),
            test_message(test, (struct ask){type, "to", looks ? "" : "1"})};
        int64_t from = 0;
        int64_t to = 0;
        bool overflow;
        test_link(pair, ARRAY_SIZE(pair));
        if (!test_execute(test, pair, ARRAY_SIZE(pair))) {
            return;
        }
        test_wants_reply(test, "from", &pair[0], KV_SUCCESS);
        test_wants_reply(test, "to", &pair[1], KV_SUCCESS);
        if (looks &&
            decimal_parse(pair[0].value, pair[0].value_len, &from, &overflow) &&
            decimal_parse(pair[1].value, pair[1].value_len, &to, &overflow)) {
            test_wants_number(test, "sum of both", from + to, ACCOUNT_SUM);
        }
    }
}

static void isolation(struct test *test)
{
    test_wants(test, (struct ask){KV_PUT, "from", "1000"}, KV_SUCCESS);
    test_wants(test, (struct ask){KV_PUT, "to", "0"}, KV_SUCCESS);
    play_together(test, transfer_often);
}

const struct check test_load[] = {
    {"pipeline: 1000 requests at once, answered in order", pipeline},
    {"scan: each of 3000 records once, while others come and go", scan},
    {"scan: a prefix that no key has", scan_nothing},
    {"connections: 4 count together", shared_counter},
    {"connections: 4 compare and set the same record", contention},
    {"connections: nobody sees half of a chain", isolation}, {NULL, NULL}};
