/* requests.c: each request by itself. */
#include "client_test/test.h"

#include <inttypes.h>
#include <string.h>

#include "bytes.h"

enum { LONG_MS = 100000, SENTENCE_SHOWN = 200 };

static void put_get(struct test *test)
{
    test_wants(test, (struct ask){KV_PUT, "a", "John Doe"}, KV_SUCCESS);
    test_wants_text(test, (struct ask){KV_GET, "a", ""}, "John Doe");
    test_wants(test, (struct ask){KV_PUT, "a", "Jane"}, KV_SUCCESS);
    test_wants_text(test, (struct ask){KV_GET, "a", ""}, "Jane");
    test_wants(test, (struct ask){KV_GET, "none", ""}, KV_NOT_FOUND);
}

static void value_sizes(struct test *test)
{
    for (size_t size = 0; size <= KV_VALUE_MAX; size++) {
        kv_message_t pair[2];
        uint8_t value[KV_VALUE_MAX] = {0};
        for (size_t i = 0; i < size; i++) {
            /* The last byte is zero at times: the length must tell it. */
            value[i] = (uint8_t)(size - 1 - i);
        }
        pair[0] = test_message(test, (struct ask){KV_PUT, "size", ""});
        pair[1] = test_message(test, (struct ask){KV_GET, "size", ""});
        memcpy(pair[0].value, value, size);
        pair[0].value_len = (uint16_t)size;
        /* With length 0, a value that is not all zero would be a string. */
        if (!test_execute(test, pair, ARRAY_SIZE(pair))) {
            return;
        }
        test_wants_reply(test, "PUT", &pair[0], KV_SUCCESS);
        test_wants_bytes(test, "GET", &pair[1], value, size);
    }
}

static void key_sizes(struct test *test)
{
    char name[KV_KEY_SIZE - TEST_PREFIX_SIZE + 1] = "";
    for (size_t i = 0; i + 1 < sizeof name; i++) {
        name[i] = 'k';
        test_wants(test, (struct ask){KV_PUT, name, name}, KV_SUCCESS);
    }
    for (size_t i = sizeof name - 1; i > 0; i--) {
        name[i] = '\0';
        test_wants_text(test, (struct ask){KV_GET, name, ""}, name);
    }
}

static void binary_keys(struct test *test)
{
    enum { KEYS = 4, AT = TEST_PREFIX_SIZE };
    kv_message_t messages[KEYS];
    static const int types[] = {KV_PUT, KV_GET};
    for (size_t round = 0; round < ARRAY_SIZE(types); round++) {
        for (unsigned i = 0; i < KEYS; i++) {
            /* Zeros in the midst, and keys that differ in their last byte. */
            messages[i] = test_message(
                test, (struct ask){types[round], "", round == 0 ? "0" : ""});
            messages[i].key[AT + 1] = i & 1 ? 0xff : 0;
            messages[i].key[KV_KEY_SIZE - 1] = i & 2 ? 0x80 : 1;
            messages[i].value[0] += (uint8_t)(round == 0 ? i : 0);
        }
        if (!test_execute(test, messages, KEYS)) {
            return;
        }
    }
    for (unsigned i = 0; i < KEYS; i++) {
        uint8_t wanted = (uint8_t)('0' + i);
        test_wants_bytes(test, "GET of a binary key", &messages[i], &wanted, 1);
    }
}

static void c_string(struct test *test)
{
    kv_message_t put = test_message(test, (struct ask){KV_PUT, "string", ""});
    memcpy(put.value, "John Doe", sizeof "John Doe");
    /* What stands behind a string's zero in a char array is left over. */
    memcpy(put.value + sizeof "John Doe", "dirt", sizeof "dirt");
    if (test_execute(test, &put, 1)) {
        test_wants_reply(test, "PUT of a C string", &put, KV_SUCCESS);
        test_wants_text(test, (struct ask){KV_GET, "string", ""}, "John Doe");
    }
}

static void delete_exists(struct test *test)
{
    test_wants(test, (struct ask){KV_EXISTS, "d", ""}, KV_NOT_FOUND);
    test_wants(test, (struct ask){KV_DELETE, "d", ""}, KV_NOT_FOUND);
    test_wants(test, (struct ask){KV_PUT, "d", "1"}, KV_SUCCESS);
    test_wants(test, (struct ask){KV_EXISTS, "d", ""}, KV_SUCCESS);
    test_wants(test, (struct ask){KV_DELETE, "d", ""}, KV_SUCCESS);
    test_wants(test, (struct ask){KV_EXISTS, "d", ""}, KV_NOT_FOUND);
    test_wants(test, (struct ask){KV_GET, "d", ""}, KV_NOT_FOUND);
    test_wants(test, (struct ask){KV_DELETE, "d", ""}, KV_NOT_FOUND);
}

/* The milliseconds that name has left; 0 if it does not say. */
static int64_t ttl_of(struct test *test, const char *name)
{
    kv_message_t reply = test_ask(test, (struct ask){KV_TTL, name, ""});
    int64_t ttl_ms = 0;
    bool overflow;
    test_wants_reply(test, "TTL", &reply, KV_SUCCESS);
    if (!decimal_parse(reply.value, reply.value_len, &ttl_ms, &overflow)) {
        test_fail(test, "TTL: got \"%.*s\", wanted a number",
            (int)reply.value_len, (const char *)reply.value);
    }
    return ttl_ms;
}

static void expire_ttl(struct test *test)
{
    test_wants(test, (struct ask){KV_TTL, "e", ""}, KV_NOT_FOUND);
    test_wants(test, (struct ask){KV_EXPIRE, "e", "1000"}, KV_NOT_FOUND);
    test_wants(test, (struct ask){KV_PERSIST, "e", ""}, KV_NOT_FOUND);
    test_wants(test, (struct ask){KV_PUT, "e", "1"}, KV_SUCCESS);
    test_wants_number(test, "TTL without expiry", ttl_of(test, "e"), -1);
    test_wants(test, (struct ask){KV_EXPIRE, "e", "100000"}, KV_SUCCESS);
    int64_t ttl_ms = ttl_of(test, "e");
    if (ttl_ms <= 0 || ttl_ms > LONG_MS) {
        test_fail(
            test, "TTL: got %" PRId64 ", wanted 1 to %d", ttl_ms, LONG_MS);
    }
    test_wants(test, (struct ask){KV_PERSIST, "e", ""}, KV_SUCCESS);
    test_wants_number(test, "TTL after PERSIST", ttl_of(test, "e"), -1);
    test_wants(test, (struct ask){KV_EXPIRE, "e", "100000"}, KV_SUCCESS);
    test_wants(test, (struct ask){KV_PUT, "e", "2"}, KV_SUCCESS);
    test_wants_number(test, "TTL after PUT", ttl_of(test, "e"), -1);
}

static void expired(struct test *test)
{
    test_wants(test, (struct ask){KV_PUT, "gone", "1"}, KV_SUCCESS);
    test_wants(test, (struct ask){KV_EXPIRE, "gone", "100"}, KV_SUCCESS);
    test_wants_chain(test,
        (const struct step[]){{{KV_PUT, "kept", "1"}, KV_SUCCESS},
            {{KV_EXPIRE, "kept", "1"}, KV_SUCCESS},
            {{KV_PERSIST, "kept", ""}, KV_SUCCESS}},
        3);
    test_wants_gone(test, "gone");
    test_wants(test, (struct ask){KV_EXISTS, "gone", ""}, KV_NOT_FOUND);
    test_wants(test, (struct ask){KV_TTL, "gone", ""}, KV_NOT_FOUND);
    test_wants(test, (struct ask){KV_DELETE, "gone", ""}, KV_NOT_FOUND);
    test_wants(test, (struct ask){KV_EXPIRE, "gone", "9"}, KV_NOT_FOUND);
    test_wants(test, (struct ask){KV_EXPECT_ABSENT, "gone", ""}, KV_SUCCESS);
    test_wants_text(test, (struct ask){KV_ADD, "gone", "7"}, "7");
    test_wants_number(test, "TTL of a new one", ttl_of(test, "gone"), -1);
    test_wants_text(test, (struct ask){KV_GET, "kept", ""}, "1");
}

static void expire_wrong(struct test *test)
{
    static const char *const wrong[] = {
        "", "0", "-1", "1.5", "soon", "99999999999999999999"};
    test_wants(test, (struct ask){KV_PUT, "w", "1"}, KV_SUCCESS);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        test_wants(test, (struct ask){KV_EXPIRE, "w", wrong[i]}, KV_INVALID);
    }
    test_wants_number(test, "TTL", ttl_of(test, "w"), -1);
}

static void add(struct test *test)
{
    test_wants_text(test, (struct ask){KV_ADD, "n", "5"}, "5");
    test_wants_text(test, (struct ask){KV_ADD, "n", "-12"}, "-7");
    test_wants_text(test, (struct ask){KV_GET, "n", ""}, "-7");
    test_wants(test, (struct ask){KV_EXPIRE, "n", "100000"}, KV_SUCCESS);
    test_wants_text(test, (struct ask){KV_ADD, "n", "7"}, "0");
    if (ttl_of(test, "n") < 0) {
        test_fail(test, "TTL after ADD: got -1, wanted the expiry kept");
    }
}

static void add_limits(struct test *test)
{
    static const char most[] = "9223372036854775807";
    static const char least[] = "-9223372036854775808";
    test_wants(test, (struct ask){KV_PUT, "m", most}, KV_SUCCESS);
    test_wants(test, (struct ask){KV_ADD, "m", "1"}, KV_OVERFLOW);
    test_wants_text(test, (struct ask){KV_GET, "m", ""}, most);
    test_wants_text(test, (struct ask){KV_ADD, "m", "0"}, most);
    test_wants_text(test, (struct ask){KV_ADD, "m", least}, "-1");
    test_wants(test, (struct ask){KV_ADD, "m", least}, KV_OVERFLOW);
    test_wants(
        test, (struct ask){KV_ADD, "m", "9223372036854775808"}, KV_OVERFLOW);
    test_wants_text(test, (struct ask){KV_GET, "m", ""}, "-1");
}

static void add_wrong(struct test *test)
{
    static const char *const wrong[] = {"John", "1.5", " 1", "1 ", "+1", "01"};
    test_wants(test, (struct ask){KV_PUT, "t", "John"}, KV_SUCCESS);
    test_wants(test, (struct ask){KV_ADD, "t", "1"}, KV_NOT_A_NUMBER);
    test_wants_text(test, (struct ask){KV_GET, "t", ""}, "John");
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        test_wants(test, (struct ask){KV_ADD, "u", wrong[i]}, KV_NOT_A_NUMBER);
    }
    test_wants(test, (struct ask){KV_GET, "u", ""}, KV_NOT_FOUND);
}

static void expect(struct test *test)
{
    test_wants(test, (struct ask){KV_EXPECT, "x", "1"}, KV_MISMATCH);
    test_wants(test, (struct ask){KV_EXPECT_ABSENT, "x", ""}, KV_SUCCESS);
    test_wants(test, (struct ask){KV_PUT, "x", "1"}, KV_SUCCESS);
    test_wants(test, (struct ask){KV_EXPECT, "x", "1"}, KV_SUCCESS);
    test_wants(test, (struct ask){KV_EXPECT, "x", "10"}, KV_MISMATCH);
    test_wants(test, (struct ask){KV_EXPECT, "x", ""}, KV_MISMATCH);
    test_wants(test, (struct ask){KV_EXPECT_ABSENT, "x", ""}, KV_MISMATCH);
    test_wants(test, (struct ask){KV_PUT, "x", ""}, KV_SUCCESS);
    test_wants(test, (struct ask){KV_EXPECT, "x", ""}, KV_SUCCESS);
}

static void ping(struct test *test)
{
    test_wants_text(test, (struct ask){KV_PING, NULL, "marco"}, "marco");
    test_wants_text(test, (struct ask){KV_PING, NULL, ""}, "");
}

static void count(struct test *test)
{
    uint64_t records = 0;
    for (unsigned i = 0; i < 3; i++) {
        char name[] = "count0";
        name[5] = (char)('0' + i);
        test_wants(test, (struct ask){KV_PUT, name, ""}, KV_SUCCESS);
    }
    if (kv_client_count(test->client, &records) != KV_SUCCESS) {
        test_fail(test, "%s", kv_client_error(test->client));
    } else if (records < 3) {
        test_fail(test, "COUNT: got %" PRIu64 ", wanted 3 at least", records);
    }
}

struct figures {
    struct test *test;
    unsigned rows;
    unsigned known;
};

static bool note_figure(void *context, const kv_message_t *row)
{
    static const char *const known[] = {
        "records", "capacity", "requests", "connections", "uptime_s"};
    struct figures *figures = context;
    int64_t number;
    bool overflow;
    if (!decimal_parse(row->value, row->value_len, &number, &overflow)) {
        test_fail(figures->test, "STATS %.*s: got \"%.*s\", wanted a number",
            (int)program_key_length(row), (const char *)row->key,
            (int)row->value_len, (const char *)row->value);
    }
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strlen(known[i]) == program_key_length(row) &&
            memcmp(known[i], row->key, strlen(known[i])) == 0) {
            figures->known |= 1u << i;
        }
    }
    figures->rows++;
    return true;
}

static void stats(struct test *test)
{
    static const unsigned all = (1u << 5) - 1;
    struct figures figures = {.test = test};
    kv_message_t request = {.type = KV_STATS};
    if (kv_client_stream(test->client, &request, note_figure, &figures, NULL) !=
        KV_SUCCESS) {
        test_fail(test, "%s", kv_client_error(test->client));
        return;
    }
    if (figures.known != all) {
        test_fail(test,
            "STATS: got %u figures without some of records, capacity, "
            "requests, connections, uptime_s",
            figures.rows);
    }
}

static void backup(struct test *test)
{
    uint64_t lsn = 0;
    if (!test->program->timeout_given) {
        kv_client_set_timeout(test->client, PROGRAM_BACKUP_TIMEOUT_MS);
    }
    kv_error_t error = kv_client_backup(test->client, &lsn);
    kv_client_set_timeout(test->client, test->program->timeout_ms);
    if (error == KV_INVALID || error == KV_READ_ONLY) {
        /* A store in memory alone has nowhere to write it, a full disk no
         * room; either is an answer. */
        (void)snprintf(test->note, sizeof test->note, "refused, %.*s",
            SENTENCE_SHOWN, kv_client_error(test->client));
    } else if (error != KV_SUCCESS) {
        test_fail(test, "%s", kv_client_error(test->client));
    }
}

static void not_served(struct test *test)
{
    test_wants(test, (struct ask){KV_AUTH, NULL, "secret"}, KV_INVALID);
    for (int type = KV_BACKUP + 1; type < ' '; type++) {
        test_wants(test, (struct ask){type, "a", ""}, KV_INVALID);
    }
}

const struct check test_requests[] = {
    {"put, get: the value comes back, the last one wins", put_get},
    {"put, get: values of 0 to 256 bytes, any byte", value_sizes},
    {"put, get: keys of up to 32 bytes are different keys", key_sizes},
    {"put, get: keys with zeros in them", binary_keys},
    {"put: a C string in place of a length", c_string},
    {"delete, exists: there, then not there", delete_exists},
    {"expire, ttl, persist: set, told, taken away", expire_ttl},
    {"expire: gone for every request when its time is over", expired},
    {"expire: what is no time from now is refused", expire_wrong},
    {"add: from nothing, up and down, the expiry stays", add},
    {"add: never over 64 bits", add_limits},
    {"add: what is no number is refused", add_wrong},
    {"expect: exactly this value; expect_absent: none", expect},
    {"ping: echoes", ping}, {"count: a number", count},
    {"stats: names and numbers", stats}, {"backup: its LSN", backup},
    {"auth and the log's own requests are refused", not_served}, {NULL, NULL}};
