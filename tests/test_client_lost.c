/* test_client_lost.c: the client and servers that fail: what is sent again,
 * what never is, and which answers are not believed. */
#include "client/client.h"
#include "client/link.h"
#include "fake.h"
#include "support.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SHORT_MS = 100, LONG_MS = 20000, CHAIN = 1024, SMALL_BUFFER = 4096 };

static kv_client_t *connect_to(const struct fake *fake)
{
    kv_client_t *client = kv_client_create("127.0.0.1", fake->port);
    REQUIRE(client != NULL);
    kv_client_set_timeout(client, LONG_MS);
    return client;
}

static void check_sentence(const kv_client_t *client, const char *part)
{
    if (strstr(kv_client_error(client), part) == NULL) {
        CHECK_TEXT(kv_client_error(client), part);
    }
}

static kv_error_t put(kv_client_t *client)
{
    return kv_client_put(client, "k", 1, "v", 1);
}

static kv_error_t get(kv_client_t *client)
{
    char value[KV_VALUE_MAX];
    size_t value_len;
    return kv_client_get(client, "k", 1, value, &value_len);
}

/* Waits until the server's close, or what it said, has arrived. */
static void await_news(const kv_client_t *client)
{
    REQUIRE(client->fd >= 0);
    REQUIRE(link_wait(client->fd, POLLIN, link_now_ms() + LONG_MS) > 0);
}

static const enum fake_act losses[] = {FAKE_CLOSE, FAKE_RESET, FAKE_HALF};
enum { LOSSES = sizeof losses / sizeof losses[0] };

static void a_write_is_never_sent_twice(void)
{
    for (size_t i = 0; i < LOSSES; i++) {
        struct fake fake;
        struct fake_step steps[] = {{losses[i], 0}, {FAKE_ANSWER, 0}};
        fake_start(&fake, steps, 2);
        kv_client_t *client = connect_to(&fake);
        CHECK_INT(put(client), KV_LOST);
        check_sentence(client, "it may or may not have been executed");
        CHECK_INT(client->fd, -1);
        CHECK_INT(put(client), KV_SUCCESS);
        kv_client_destroy(client);
        fake_end(&fake);
        CHECK_INT(fake.connections, 2);
        CHECK_INT(fake.requests, 2);
    }
}

static void a_read_is_sent_again_once(void)
{
    for (size_t i = 0; i < LOSSES; i++) {
        struct fake fake;
        struct fake_step steps[] = {
            {losses[i], 0}, {losses[i], 1}, {losses[i], 0}, {FAKE_ANSWER, 0}};
        fake_start(&fake, steps, 4);
        kv_client_t *client = connect_to(&fake);
        /* lost, then answered */
        CHECK_INT(get(client), KV_SUCCESS);
        /* lost, lost */
        CHECK_INT(get(client), KV_LOST);
        check_sentence(client, losses[i] == FAKE_HALF ? "after 146 of 292 bytes"
                                                      : "the reply to GET");
        CHECK_INT(get(client), KV_SUCCESS);
        kv_client_destroy(client);
        fake_end(&fake);
        CHECK_INT(fake.connections, 4);
    }
}

static void a_closed_connection_is_noticed_before_sending(void)
{
    struct fake fake;
    struct fake_step steps[] = {
        {FAKE_LEAVE, 1}, {FAKE_LEAVE, 1}, {FAKE_ANSWER, 0}};
    fake_start(&fake, steps, 3);
    kv_client_t *client = connect_to(&fake);
    CHECK_INT(put(client), KV_SUCCESS);
    await_news(client);
    CHECK_INT(put(client), KV_SUCCESS);
    await_news(client);
    CHECK_INT(kv_client_connect(client), KV_SUCCESS);
    CHECK_INT(put(client), KV_SUCCESS);
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.connections, 3);
    CHECK_INT(fake.requests, 3);
}

static void a_restart_is_survived_and_an_end_told(void)
{
    struct fake fake;
    struct fake_step steps[] = {{FAKE_LEAVE, 1}, {FAKE_LEAVE, 1}};
    fake_start(&fake, steps, 2);
    kv_client_t *client = connect_to(&fake);
    CHECK_INT(put(client), KV_SUCCESS);
    await_news(client);
    CHECK_INT(put(client), KV_SUCCESS);
    await_news(client);
    fake_end(&fake);
    CHECK_INT(put(client), KV_REFUSED);
    check_sentence(client, "cannot connect to 127.0.0.1:");
    kv_client_destroy(client);
}

static void a_refused_connection_says_why(void)
{
    struct fake fake;
    struct fake_step steps[] = {
        {FAKE_BUSY, 0}, {FAKE_BUSY, 0}, {FAKE_BUSY, 0}, {FAKE_ANSWER, 0}};
    fake_start(&fake, steps, 4);
    kv_client_t *client = connect_to(&fake);
    CHECK_INT(put(client), KV_BUSY);
    CHECK_TEXT(kv_client_error(client), "the server refuses: too many friends");
    CHECK_INT(get(client), KV_BUSY);
    /* What lies there before the first request is no answer to it. */
    CHECK_INT(kv_client_connect(client), KV_SUCCESS);
    await_news(client);
    CHECK_INT(put(client), KV_SUCCESS);
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.connections, 4);
}

static void silence_ends_in_time(void)
{
    struct fake fake;
    struct fake_step steps[] = {
        {FAKE_SILENT, 0}, {FAKE_SILENT, 0}, {FAKE_ANSWER, 0}};
    fake_start(&fake, steps, 3);
    kv_client_t *client = connect_to(&fake);
    kv_client_set_timeout(client, SHORT_MS);
    int64_t begin_ms = link_now_ms();
    CHECK_INT(get(client), KV_TIMED_OUT);
    check_sentence(client, "has not answered GET within 100 ms");
    CHECK(link_now_ms() - begin_ms >= SHORT_MS);
    CHECK_INT(put(client), KV_TIMED_OUT);
    check_sentence(client, "it may or may not have been executed");
    kv_client_set_timeout(client, LONG_MS);
    CHECK_INT(put(client), KV_SUCCESS);
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.connections, 3);
    CHECK_INT(fake.requests, 3);
}

static void strange_replies_are_not_believed(void)
{
    static const enum fake_act acts[] = {
        FAKE_KEY, FAKE_TYPE, FAKE_LENGTH, FAKE_TWICE, FAKE_FOREIGN};
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        struct fake fake;
        struct fake_step steps[] = {
            {acts[i], 0}, {acts[i], 1}, {FAKE_ANSWER, 0}};
        fake_start(&fake, steps, 3);
        kv_client_t *client = connect_to(&fake);
        CHECK_INT(get(client), KV_STRANGE_REPLY);
        check_sentence(client, "is it a fixkv server of this version?");
        CHECK_INT(client->fd, -1);
        CHECK_INT(put(client), KV_SUCCESS);
        CHECK_INT(put(client), KV_STRANGE_REPLY);
        CHECK_INT(put(client), KV_SUCCESS);
        kv_client_destroy(client);
        fake_end(&fake);
        CHECK_INT(fake.connections, 3);
    }
}

/* ---- Several at once ----------------------------------------------------- */

static void fill(kv_message_t *messages, size_t count, int type)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t key[] = {'n', (uint8_t)(i >> 8), (uint8_t)i};
        kv_error_t error =
            kv_message_fill(&messages[i], type, key, sizeof key, NULL, 0);
        REQUIRE(error == KV_SUCCESS);
    }
}

static void what_arrived_is_kept(void)
{
    struct fake fake;
    kv_message_t messages[6];
    fake_start(&fake, &(struct fake_step){FAKE_CLOSE, 3}, 1);
    kv_client_t *client = connect_to(&fake);
    fill(messages, 6, KV_PUT);
    CHECK_INT(kv_client_execute(client, messages, 6), KV_LOST);
    for (size_t i = 0; i < 6; i++) {
        CHECK_INT(messages[i].status, i < 3 ? KV_SUCCESS : KV_UNAVAILABLE);
    }
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.requests, 4);
}

static void reads_go_on_where_they_were(void)
{
    struct fake fake;
    kv_message_t messages[6];
    struct fake_step steps[] = {{FAKE_CLOSE, 3}, {FAKE_ANSWER, 0}};
    fake_start(&fake, steps, 2);
    kv_client_t *client = connect_to(&fake);
    fill(messages, 6, KV_GET);
    CHECK_INT(kv_client_execute(client, messages, 6), KV_SUCCESS);
    for (size_t i = 0; i < 6; i++) {
        CHECK_INT(messages[i].value_len, 5);
    }
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.requests, 4 + 3);
}

static void a_write_among_reads_is_not_sent_twice(void)
{
    struct fake fake;
    kv_message_t messages[6];
    fake_start(&fake, &(struct fake_step){FAKE_CLOSE, 3}, 1);
    kv_client_t *client = connect_to(&fake);
    fill(messages, 6, KV_GET);
    messages[5].type = KV_ADD;
    CHECK_INT(kv_client_execute(client, messages, 6), KV_LOST);
    CHECK_INT(messages[2].status, KV_SUCCESS);
    CHECK_INT(messages[3].status, KV_UNAVAILABLE);
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.connections, 1);
}

static void half_of_a_chain_is_not_sent_again(void)
{
    struct fake fake;
    kv_message_t messages[6];
    fake_start(&fake, &(struct fake_step){FAKE_CLOSE, 3}, 1);
    kv_client_t *client = connect_to(&fake);
    fill(messages, 6, KV_GET | KV_LINKED);
    messages[5].type = KV_GET;
    CHECK_INT(kv_client_execute(client, messages, 6), KV_LOST);
    CHECK_INT(messages[2].status, KV_SUCCESS);
    CHECK_INT(messages[3].status, KV_UNAVAILABLE);
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.connections, 1);
}

/* A chain whose last byte did not leave cannot have been executed, however
 * many of its messages did. */
static void an_unfinished_chain_is_sent_again(void)
{
    static kv_message_t messages[CHAIN];
    int size = SMALL_BUFFER;
    struct fake fake;
    struct fake_step steps[] = {{FAKE_CLOSE, 0}, {FAKE_ANSWER, 0}};
    fake_start(&fake, steps, 2);
    kv_client_t *client = connect_to(&fake);
    CHECK_INT(kv_client_connect(client), KV_SUCCESS);
    REQUIRE(
        setsockopt(client->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
    fill(messages, CHAIN, KV_PUT | KV_LINKED);
    messages[CHAIN - 1].type = KV_PUT;
    CHECK_INT(kv_client_execute(client, messages, CHAIN), KV_SUCCESS);
    CHECK_INT(messages[0].status, KV_SUCCESS);
    CHECK_INT(messages[CHAIN - 1].status, KV_SUCCESS);
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.connections, 2);
    CHECK_INT(fake.requests, 1 + CHAIN);
}

/* ---- Streams ------------------------------------------------------------- */

static bool count_row(void *context, const kv_message_t *row)
{
    (void)row;
    ++*(unsigned *)context;
    return true;
}

static void a_stream_is_sent_again_before_its_first_row(void)
{
    struct fake fake;
    unsigned rows = 0;
    kv_message_t request = {.type = KV_STATS};
    /* the half of a reply is the half of a row, too */
    struct fake_step steps[] = {{FAKE_HALF, 0}, {FAKE_ANSWER, 0}};
    fake_start(&fake, steps, 2);
    kv_client_t *client = connect_to(&fake);
    CHECK_INT(
        kv_client_stream(client, &request, count_row, &rows, NULL), KV_SUCCESS);
    CHECK_INT(rows, FAKE_ROWS);
    kv_client_destroy(client);
    fake_end(&fake);
    CHECK_INT(fake.requests, 2);
}

static void strange_streams_are_not_believed(void)
{
    static const enum fake_act acts[] = {
        FAKE_ENDLESS, FAKE_KEY, FAKE_TYPE, FAKE_LENGTH, FAKE_FOREIGN};
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        struct fake fake;
        unsigned rows = 0;
        kv_message_t request = {.type = KV_SCAN, .key = "prefix"};
        fake_start(&fake, &(struct fake_step){acts[i], 0}, 1);
        kv_client_t *client = connect_to(&fake);
        CHECK_INT(kv_client_stream(client, &request, count_row, &rows, NULL),
            KV_STRANGE_REPLY);
        CHECK_INT(rows, acts[i] == FAKE_ENDLESS ? KV_SCAN_MAX : 0);
        kv_client_destroy(client);
        fake_end(&fake);
        CHECK_INT(fake.connections, 1);
    }
}

const struct test_case test_client_lost[] = {
    TEST_CASE(a_write_is_never_sent_twice),
    TEST_CASE(a_read_is_sent_again_once),
    TEST_CASE(a_closed_connection_is_noticed_before_sending),
    TEST_CASE(a_restart_is_survived_and_an_end_told),
    TEST_CASE(a_refused_connection_says_why),
    TEST_CASE(silence_ends_in_time),
    TEST_CASE(strange_replies_are_not_believed),
    TEST_CASE(what_arrived_is_kept),
    TEST_CASE(reads_go_on_where_they_were),
    TEST_CASE(a_write_among_reads_is_not_sent_twice),
    TEST_CASE(half_of_a_chain_is_not_sent_again),
    TEST_CASE(an_unfinished_chain_is_sent_again),
    TEST_CASE(a_stream_is_sent_again_before_its_first_row),
    TEST_CASE(strange_streams_are_not_believed),
    TEST_END,
};
