/* test_client.c: what the client asks, what it makes of answers, and what it
 * refuses to ask.  What it does when a connection fails: test_client_lost.c. */
#include "client/client.h"
#include "fake.h"
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIPELINE = 1024 };

static const struct fake_step answers[] = {{FAKE_ANSWER, 0}};

static kv_client_t *connect_to(const struct fake *fake)
{
    kv_client_t *client = kv_client_create("127.0.0.1", fake->port);
    REQUIRE(client != NULL);
    return client;
}

static void check_sentence(const kv_client_t *client, const char *part)
{
    if (strstr(kv_client_error(client), part) == NULL) {
        CHECK_TEXT(kv_client_error(client), part);
    }
}

static void every_request_has_its_answer(void)
{
    struct fake fake;
    int64_t number = 0;
    uint64_t count = 0;
    uint64_t lsn = 0;
    char value[KV_VALUE_MAX];
    size_t value_len = 0;
    fake_start(&fake, answers, 1);
    kv_client_t *client = connect_to(&fake);
    CHECK_INT(kv_client_put(client, "k", 1, "value", 5), KV_SUCCESS);
    CHECK_INT(kv_client_put(client, "k", 1, NULL, 0), KV_SUCCESS);
    CHECK_INT(kv_client_get(client, "k", 1, value, &value_len), KV_SUCCESS);
    CHECK_INT(value_len, 5);
    CHECK_BYTES(value, "value", 5);
    CHECK_INT(kv_client_delete(client, "k", 1), KV_SUCCESS);
    CHECK_INT(kv_client_exists(client, "k", 1), KV_SUCCESS);
    CHECK_INT(kv_client_expire(client, "k", 1, 1000), KV_SUCCESS);
    CHECK_INT(kv_client_ttl(client, "k", 1, &number), KV_SUCCESS);
    CHECK_INT(number, 42);
    CHECK_INT(kv_client_persist(client, "k", 1), KV_SUCCESS);
    CHECK_INT(kv_client_add(client, "k", 1, -7, &number), KV_SUCCESS);
    CHECK_INT(number, 42);
    CHECK_INT(kv_client_add(client, "k", 1, 7, NULL), KV_SUCCESS);
    CHECK_INT(kv_client_count(client, &count), KV_SUCCESS);
    CHECK_U64(count, 42);
    CHECK_INT(kv_client_ping(client), KV_SUCCESS);
    CHECK_INT(kv_client_ping(client), KV_SUCCESS);
    CHECK_INT(kv_client_backup(client, &lsn), KV_SUCCESS);
    CHECK_U64(lsn, 42);
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.connections, 1);
    CHECK_INT(fake.requests, 14);
}

static void a_refusal_comes_with_its_sentence(void)
{
    struct fake fake;
    char value[KV_VALUE_MAX];
    size_t value_len = 9;
    fake_start(&fake, answers, 1);
    kv_client_t *client = connect_to(&fake);
    CHECK_INT(kv_client_get(client, "!k", 2, value, &value_len), KV_NOT_FOUND);
    CHECK_INT(value_len, 0);
    CHECK_TEXT(kv_client_error(client), "GET: not here");
    CHECK_INT(kv_client_put(client, "k", 1, "v", 1), KV_SUCCESS);
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.connections, 1);
}

static void replies_may_come_byte_by_byte(void)
{
    struct fake fake;
    fake_start(&fake, &(struct fake_step){FAKE_PIECES, 0}, 1);
    kv_client_t *client = connect_to(&fake);
    CHECK_INT(kv_client_put(client, "k", 1, "v", 1), KV_SUCCESS);
    CHECK_INT(kv_client_ping(client), KV_SUCCESS);
    kv_client_destroy(client);
    fake_end(&fake);
}

static void bad_arguments_are_not_sent(void)
{
    static const uint8_t zeros[KV_KEY_SIZE];
    static const uint8_t long_value[KV_VALUE_MAX + 1];
    int fd;
    kv_client_t *client = kv_client_create("127.0.0.1", fake_closed_port(&fd));
    REQUIRE(client != NULL);
    CHECK_INT(kv_client_put(client, "", 0, "v", 1), KV_ARGUMENT);
    check_sentence(client, "the key has 0 bytes; 1 to 32 are allowed");
    CHECK_INT(kv_client_delete(client, long_value, 33), KV_ARGUMENT);
    check_sentence(client, "33 bytes");
    CHECK_INT(kv_client_exists(client, zeros, sizeof zeros), KV_ARGUMENT);
    check_sentence(client, "32 zero bytes");
    CHECK_INT(kv_client_put(client, "k", 1, long_value, 257), KV_ARGUMENT);
    check_sentence(client, "257 bytes; at most 256");
    CHECK_INT(kv_client_expire(client, "k", 1, 0), KV_ARGUMENT);
    CHECK_INT(kv_client_put(client, "k", 1, "v", 1), KV_REFUSED);
    check_sentence(client, "Connection refused; is the server running?");
    kv_client_destroy(client);
    CHECK_INT(close(fd), 0);
}

static void execute_checks_its_messages(void)
{
    kv_message_t messages[2];
    int fd;
    kv_client_t *client = kv_client_create("127.0.0.1", fake_closed_port(&fd));
    REQUIRE(client != NULL);
    memset(messages, 0, sizeof messages);
    messages[0].type = KV_PUT;
    CHECK_INT(kv_client_execute(client, messages, 0), KV_ARGUMENT);
    CHECK_INT(kv_client_execute(client, messages, 2), KV_ARGUMENT);
    check_sentence(client, "message 1 is of type 0");
    CHECK_INT(messages[0].status, KV_UNAVAILABLE);
    messages[1].type = KV_SCAN;
    CHECK_INT(kv_client_execute(client, messages, 2), KV_ARGUMENT);
    messages[1].type = KV_STATS;
    CHECK_INT(kv_client_execute(client, messages, 2), KV_ARGUMENT);
    messages[1].type = KV_PUT | KV_LINKED;
    CHECK_INT(kv_client_execute(client, messages, 2), KV_ARGUMENT);
    check_sentence(client, "linked");
    messages[1].type = KV_PUT;
    CHECK_INT(
        kv_client_stream(client, messages, NULL, NULL, NULL), KV_ARGUMENT);
    CHECK_INT(kv_client_execute(client, messages, 2), KV_REFUSED);
    kv_client_destroy(client);
    CHECK_INT(close(fd), 0);
}

static void the_environment_names_the_server(void)
{
    struct fake fake;
    char port[12];
    fake_start(&fake, answers, 1);
    (void)snprintf(port, sizeof port, "%d", fake.port);
    REQUIRE(setenv("KV_HOST", "localhost", 1) == 0);
    REQUIRE(setenv("KV_PORT", port, 1) == 0);
    kv_client_t *client = kv_client_create(NULL, 0);
    REQUIRE(client != NULL);
    CHECK_INT(kv_client_connect(client), KV_SUCCESS);
    CHECK_INT(kv_client_ping(client), KV_SUCCESS);
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.connections, 1);
}

static void what_is_no_server_is_refused(void)
{
    static const char *const ports[] = {
        "", "0", "-1", "65536", "http", "80 ", "99999999999999999999"};
    char host[300];
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        REQUIRE(setenv("KV_PORT", ports[i], 1) == 0);
        errno = 0;
        CHECK(kv_client_create("127.0.0.1", 0) == NULL);
        CHECK_INT(errno, EINVAL);
    }
    memset(host, 'h', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    CHECK(kv_client_create(host, 1) == NULL);
    CHECK(kv_client_create("", 1) == NULL);
    CHECK(kv_client_create("127.0.0.1", 65536) == NULL);
    CHECK(kv_client_create("127.0.0.1", -1) == NULL);
    kv_client_destroy(NULL);
}

static void a_name_without_address_is_told(void)
{
    kv_client_t *client = kv_client_create("no.such.name.invalid", 1);
    REQUIRE(client != NULL);
    CHECK_INT(kv_client_connect(client), KV_REFUSED);
    check_sentence(client, "cannot connect to no.such.name.invalid:1: ");
    kv_client_destroy(client);
    client = kv_client_create("::1", 1);
    REQUIRE(client != NULL);
    CHECK_INT(kv_client_connect(client), KV_REFUSED);
    check_sentence(client, "cannot connect to [::1]:1: ");
    kv_client_destroy(client);
}

/* ---- Many at once -------------------------------------------------------- */

static void fill_numbered(kv_message_t *messages, size_t count, int type)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t key[] = {'n', (uint8_t)(i >> 8), (uint8_t)i};
        kv_error_t error =
            kv_message_fill(&messages[i], type, key, sizeof key, NULL, 0);
        REQUIRE(error == KV_SUCCESS);
    }
}

/* The server's buffers hold a few messages, and it reads none while it cannot
 * answer: whoever sent all of them before he reads would wait for ever. */
static void many_at_once_do_not_block_each_other(void)
{
    static kv_message_t messages[PIPELINE];
    struct fake fake;
    fake_start(&fake, answers, 1);
    kv_client_t *client = connect_to(&fake);
    fill_numbered(messages, PIPELINE, KV_GET);
    CHECK_INT(kv_client_execute(client, messages, PIPELINE), KV_SUCCESS);
    for (size_t i = 0; i < PIPELINE; i++) {
        CHECK_INT(messages[i].key[1] << 8 | messages[i].key[2], i);
        CHECK_INT(messages[i].value_len, 5);
    }
    CHECK_INT(kv_client_execute(client, messages, PIPELINE + 1), KV_ARGUMENT);
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.requests, PIPELINE);
}

static void chains_pass_through(void)
{
    kv_message_t messages[3];
    struct fake fake;
    fake_start(&fake, answers, 1);
    kv_client_t *client = connect_to(&fake);
    fill_numbered(messages, 3, KV_EXPECT_ABSENT | KV_LINKED);
    messages[1].key[0] = '!';
    messages[2].type = KV_PUT;
    CHECK_INT(kv_client_execute(client, messages, 3), KV_SUCCESS);
    CHECK_INT(messages[0].type, KV_EXPECT_ABSENT | KV_LINKED);
    CHECK_INT(messages[0].status, KV_SUCCESS);
    CHECK_INT(messages[1].status, KV_NOT_FOUND);
    CHECK_INT(messages[2].status, KV_SUCCESS);
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.requests, 3);
}

/* ---- Streams ------------------------------------------------------------- */

struct rows {
    unsigned seen;
    unsigned wanted;
};

static bool count_row(void *context, const kv_message_t *row)
{
    struct rows *rows = context;
    rows->seen++;
    CHECK_INT(row->key[KV_KEY_SIZE - 1], rows->seen);
    return rows->seen < rows->wanted;
}

static void streams_end(void)
{
    struct fake fake;
    kv_message_t request;
    kv_message_t end;
    struct rows rows = {.wanted = 100};
    fake_start(&fake, answers, 1);
    kv_client_t *client = connect_to(&fake);
    CHECK_INT(kv_message_fill(&request, KV_SCAN, "k", 1, NULL, 0), KV_SUCCESS);
    CHECK_INT(
        kv_client_stream(client, &request, count_row, &rows, &end), KV_SUCCESS);
    CHECK_INT(rows.seen, FAKE_ROWS);
    CHECK_INT(end.status, KV_END);
    CHECK_INT(end.value_len, 6);
    CHECK_BYTES(end.value, "cursor", 6);
    CHECK_INT(request.status, 0);

    /* Who has seen enough is not called again; the stream is read all the
     * same, so that the next request has its own answer. */
    rows = (struct rows){.wanted = 2};
    request = (kv_message_t){.type = KV_STATS};
    CHECK_INT(
        kv_client_stream(client, &request, count_row, &rows, NULL), KV_SUCCESS);
    CHECK_INT(rows.seen, 2);
    CHECK_INT(kv_client_ping(client), KV_SUCCESS);

    request = (kv_message_t){.type = KV_SCAN, .key = "!"};
    CHECK_INT(kv_client_stream(client, &request, count_row, &rows, NULL),
        KV_NOT_FOUND);
    CHECK_TEXT(kv_client_error(client), "SCAN: not here");
    CHECK_INT(kv_client_ping(client), KV_SUCCESS);
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.connections, 1);
}

const struct test_case test_client[] = {
    TEST_CASE(every_request_has_its_answer),
    TEST_CASE(a_refusal_comes_with_its_sentence),
    TEST_CASE(replies_may_come_byte_by_byte),
    TEST_CASE(bad_arguments_are_not_sent),
    TEST_CASE(execute_checks_its_messages),
    TEST_CASE(the_environment_names_the_server),
    TEST_CASE(what_is_no_server_is_refused),
    TEST_CASE(a_name_without_address_is_told),
    TEST_CASE(many_at_once_do_not_block_each_other),
    TEST_CASE(chains_pass_through),
    TEST_CASE(streams_end),
    TEST_END,
};
