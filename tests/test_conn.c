#include "conn/conn.h"
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection, its peer, and what a worker would have for it. */
struct fixture {
    struct conn *conn;
    int peer;
    uint8_t *bytes; /* CONN_ROOM */
    struct batch *batch;
    struct conn_intake intake;
};

static void set_up(struct fixture *fixture)
{
    int pair[2];
    union conn_address address = {.v4 = {.sin_family = AF_INET}};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    fixture->conn = conn_create(pair[0], &address);
    fixture->peer = pair[1];
    fixture->bytes = aligned_alloc(CACHE_LINE, CONN_ROOM);
    fixture->batch = calloc(1, sizeof *fixture->batch);
    REQUIRE(fixture->conn != NULL && fixture->bytes != NULL);
    REQUIRE(fixture->batch != NULL);
}

static void tear_down(struct fixture *fixture)
{
    conn_destroy(fixture->conn);
    if (fixture->peer >= 0) {
        close(fixture->peer);
    }
    free(fixture->bytes);
    free(fixture->batch);
}

/* What the peer sends, at once. */
static void put_in(struct fixture *fixture, const void *bytes, size_t size)
{
    CHECK_INT(send(fixture->peer, bytes, size, 0), size);
    fixture->conn->readable = true;
}

/* One turn: receives, decodes into an empty batch, keeps the rest.  Returns how
 * many operations there are. */
static uint32_t take_in(struct fixture *fixture)
{
    struct conn_intake *intake = &fixture->intake;
    fixture->batch->count = 0;
    size_t size;
    uint8_t *bytes = conn_receive(fixture->conn, fixture->bytes, &size);
    conn_decode(fixture->conn, bytes, size, fixture->batch, intake);
    CHECK(intake->used <= size);
    conn_keep(
        fixture->conn, fixture->bytes + intake->used, size - intake->used);
    CHECK(!fixture->conn->broken);
    return fixture->batch->count;
}

static kv_message_t request(int type, const char *key)
{
    kv_message_t message;
    CHECK_INT(kv_message_fill(&message, type, key, strlen(key), "1", 1), 0);
    return message;
}

static bool all_in_state(
    const struct batch *batch, uint32_t from, uint32_t to, int state)
{
    for (uint32_t i = from; i < to; i++) {
        if (batch->ops[i].state != state) {
            return false;
        }
    }
    return true;
}

/* ---- Receiving ----------------------------------------------------------- */

static void a_message_may_come_byte_by_byte(void)
{
    struct fixture fixture;
    kv_message_t message = request(KV_PUT, "slow");
    const uint8_t *byte = (const uint8_t *)&message;
    set_up(&fixture);
    for (size_t i = 0; i + 1 < sizeof message; i++) {
        put_in(&fixture, byte + i, 1);
        CHECK_INT(take_in(&fixture), 0);
        CHECK_INT(fixture.conn->input_size, i + 1);
        CHECK(fixture.conn->input_room <= 2 * KV_MESSAGE_SIZE);
    }
    put_in(&fixture, byte + sizeof message - 1, 1);
    REQUIRE(take_in(&fixture) == 1);
    CHECK_BYTES(fixture.batch->ops[0].message, &message, sizeof message);
    CHECK(fixture.conn->input == NULL);
    tear_down(&fixture);
}

static void a_short_read_means_that_the_socket_is_empty(void)
{
    struct fixture fixture;
    kv_message_t message = request(KV_GET, "key");
    set_up(&fixture);
    put_in(&fixture, &message, sizeof message);
    CHECK_INT(take_in(&fixture), 1);
    CHECK(!fixture.conn->readable);
    fixture.conn->readable = true;
    CHECK_INT(take_in(&fixture), 0);
    CHECK(!fixture.conn->readable && !fixture.conn->ended);
    tear_down(&fixture);
}

static void an_end_is_found_behind_the_last_bytes(void)
{
    struct fixture fixture;
    kv_message_t message = request(KV_GET, "key");
    set_up(&fixture);
    put_in(&fixture, &message, sizeof message);
    CHECK_INT(shutdown(fixture.peer, SHUT_WR), 0);
    fixture.conn->hung_up = true;
    CHECK_INT(take_in(&fixture), 1);
    CHECK(fixture.conn->readable && !fixture.conn->ended);
    CHECK_INT(take_in(&fixture), 0);
    CHECK(fixture.conn->ended && !fixture.conn->broken);
    tear_down(&fixture);
}

static void the_last_bytes_are_those_that_are_there(void)
{
    struct fixture fixture;
    kv_message_t message = request(KV_GET, "key");
    set_up(&fixture);
    put_in(&fixture, &message, sizeof message);
    fixture.conn->last = true;
    CHECK_INT(take_in(&fixture), 1);
    CHECK(fixture.conn->ended);
    tear_down(&fixture);
}

static void what_is_pending_comes_before_what_is_received(void)
{
    struct fixture fixture;
    const kv_message_t messages[] = {
        request(KV_GET, "key"), request(KV_STATS, ""), request(KV_GET, "next")};
    set_up(&fixture);
    put_in(&fixture, messages, sizeof messages);
    CHECK_INT(take_in(&fixture), 1);
    CHECK(fixture.conn->pending);
    put_in(&fixture, messages, sizeof messages[0]);
    CHECK_INT(take_in(&fixture), 0);
    CHECK(fixture.intake.lone);
    CHECK_INT(fixture.conn->input_size, sizeof messages[0]);
    CHECK_INT(take_in(&fixture), 1);
    CHECK(!fixture.conn->pending);
    CHECK_INT(take_in(&fixture), 1);
    tear_down(&fixture);
}

static void much_is_received_in_bounded_parts(void)
{
    enum { MESSAGES = 700 };
    struct fixture fixture;
    kv_message_t *messages = calloc(MESSAGES, sizeof *messages);
    uint32_t taken = 0;
    int size = MESSAGES * KV_MESSAGE_SIZE;
    set_up(&fixture);
    REQUIRE(messages != NULL);
    CHECK_INT(
        setsockopt(fixture.peer, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    for (size_t i = 0; i < MESSAGES; i++) {
        messages[i] = request(KV_GET, "key");
    }
    put_in(&fixture, messages, (size_t)size);
    for (int turn = 0; turn < 5; turn++) {
        taken += take_in(&fixture);
        CHECK(fixture.intake.used <= CONN_ROOM);
        CHECK(fixture.conn->input_size < KV_MESSAGE_SIZE);
    }
    CHECK_INT(taken, MESSAGES);
    CHECK(!fixture.conn->readable);
    free(messages);
    tear_down(&fixture);
}

static void a_reset_breaks_the_connection(void)
{
    struct fixture fixture;
    kv_message_t message = request(KV_GET, "key");
    set_up(&fixture);
    conn_send(fixture.conn, &message, sizeof message);
    close(fixture.peer); /* with bytes unread: a reset */
    fixture.peer = -1;
    fixture.conn->readable = true;
    size_t size;
    (void)conn_receive(fixture.conn, fixture.bytes, &size);
    CHECK(fixture.conn->broken);
    tear_down(&fixture);
}

/* ---- Order --------------------------------------------------------------- */

static void all_from_the_first_write_on_is_committed(void)
{
    struct fixture fixture;
    const kv_message_t messages[] = {request(KV_GET, "a"), request(KV_GET, "b"),
        request(KV_PUT, "a"), request(KV_GET, "a"), request(31, "a"),
        request(KV_COUNT, "")};
    set_up(&fixture);
    put_in(&fixture, messages, sizeof messages);
    REQUIRE(take_in(&fixture) == ARRAY_SIZE(messages));
    CHECK(all_in_state(fixture.batch, 0, 2, OP_READ));
    CHECK(all_in_state(fixture.batch, 2, 4, OP_COMMIT));
    CHECK(all_in_state(fixture.batch, 4, 5, OP_REFUSED));
    CHECK(all_in_state(fixture.batch, 5, 6, OP_COMMIT));
    CHECK(fixture.intake.commits);
    CHECK_INT(fixture.intake.refused, 1);
    put_in(&fixture, messages, sizeof messages[0]);
    CHECK_INT(take_in(&fixture), 1);
    CHECK(all_in_state(fixture.batch, 0, 1, OP_READ));
    CHECK(!fixture.intake.commits);
    tear_down(&fixture);
}

static void a_lone_verb_waits_for_what_stands_before_it(void)
{
    struct fixture fixture;
    const kv_message_t messages[] = {request(KV_PUT, "a"), request(KV_SCAN, ""),
        request(KV_BACKUP, ""), request(KV_PUT, "b")};
    const uint32_t counts[] = {1, 0, 0, 1};
    const int lone[] = {0, KV_SCAN, KV_BACKUP, 0};
    set_up(&fixture);
    put_in(&fixture, messages, sizeof messages);
    fixture.batch->ops[0].verb = VERB_NONE;
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        CHECK_INT(take_in(&fixture), counts[i]);
        CHECK_INT(fixture.intake.lone, lone[i] != 0);
        CHECK_INT(fixture.intake.used, KV_MESSAGE_SIZE);
        CHECK_INT(fixture.conn->pending, i + 1 < ARRAY_SIZE(counts));
        if (lone[i] != 0) {
            CHECK_INT(fixture.batch->ops[0].verb, lone[i]);
        }
    }
    tear_down(&fixture);
}

static void a_refused_lone_verb_is_like_any_other(void)
{
    struct fixture fixture;
    kv_message_t messages[] = {request(KV_SCAN, ""), request(KV_GET, "a")};
    messages[0].status = 1;
    set_up(&fixture);
    put_in(&fixture, messages, sizeof messages);
    CHECK_INT(take_in(&fixture), 2);
    CHECK(!fixture.intake.lone);
    CHECK_INT(fixture.intake.refused, 1);
    tear_down(&fixture);
}

/* ---- Sending ------------------------------------------------------------- */

static void what_the_socket_does_not_take_is_kept(void)
{
    enum { SIZE = 8 * 1024 * 1024 };
    struct fixture fixture;
    uint8_t *sent = malloc(SIZE);
    uint8_t *got = malloc(SIZE);
    struct test_random random;
    size_t received = 0;
    set_up(&fixture);
    REQUIRE(sent != NULL && got != NULL);
    test_random_init(&random);
    test_random_fill(&random, sent, SIZE);
    conn_send(fixture.conn, sent, SIZE);
    CHECK(fixture.conn->output != NULL);
    CHECK(fixture.conn->output_size < SIZE);
    CHECK(!conn_drain(fixture.conn));
    while (received < SIZE) {
        ssize_t part = recv(fixture.peer, got + received, SIZE - received, 0);
        REQUIRE(part > 0);
        received += (size_t)part;
        (void)conn_drain(fixture.conn);
    }
    CHECK(conn_drain(fixture.conn));
    CHECK(fixture.conn->output == NULL);
    CHECK_BYTES(got, sent, SIZE);
    free(sent);
    free(got);
    tear_down(&fixture);
}

static void a_peer_that_is_gone_breaks_the_connection(void)
{
    struct fixture fixture;
    kv_message_t message = request(KV_GET, "key");
    set_up(&fixture);
    close(fixture.peer);
    fixture.peer = -1;
    conn_send(fixture.conn, &message, sizeof message);
    CHECK(fixture.conn->broken);
    CHECK(fixture.conn->output == NULL);
    conn_send(fixture.conn, &message, sizeof message);
    tear_down(&fixture);
}

/* ---- Protocols ----------------------------------------------------------- */

/* The answer to a connection that begins with this byte; its length. */
static size_t refuse(uint8_t first, void *answer, size_t room, bool *broken)
{
    struct fixture fixture;
    set_up(&fixture);
    CHECK(conn_refuse_foreign(fixture.conn, first));
    *broken = fixture.conn->broken;
    CHECK(*broken || fixture.conn->discarding);
    ssize_t size = recv(fixture.peer, answer, room, 0);
    if (!*broken) {
        CHECK_INT(recv(fixture.peer, answer, 0, 0), 0);
    }
    tear_down(&fixture);
    return size < 0 ? 0 : (size_t)size;
}

static void other_protocols_are_told_and_shut_out(void)
{
    struct fixture fixture;
    char text[512] = "";
    kv_message_t message;
    bool broken;
    CHECK_INT(refuse(0x16, text, sizeof text, &broken), 0);
    CHECK(broken);
    CHECK_INT(refuse(0xff, &message, sizeof message, &broken), sizeof message);
    CHECK(!broken);
    CHECK_INT(message.type, 0);
    CHECK_INT(message.status, KV_INVALID);
    CHECK(strstr((const char *)message.value, "255") != NULL);
    set_up(&fixture);
    CHECK(!conn_refuse_foreign(fixture.conn, KV_PUT | KV_LINKED));
    CHECK(!fixture.conn->discarding && !fixture.conn->broken);
    tear_down(&fixture);
}

static void peers_have_names(void)
{
    char text[CONN_PEER_MAX];
    struct conn conn = {0};
    conn.peer.v4 =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(40112)};
    REQUIRE(inet_pton(AF_INET, "127.0.0.1", &conn.peer.v4.sin_addr) == 1);
    conn_peer(&conn, text);
    CHECK_TEXT(text, "127.0.0.1:40112");
    conn.peer.v6 = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htons(65535)};
    memset(&conn.peer.v6.sin6_addr, 0xff, sizeof conn.peer.v6.sin6_addr);
    conn_peer(&conn, text);
    CHECK_TEXT(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

const struct test_case test_conn[] = {
    TEST_CASE(a_message_may_come_byte_by_byte),
    TEST_CASE(a_short_read_means_that_the_socket_is_empty),
    TEST_CASE(an_end_is_found_behind_the_last_bytes),
    TEST_CASE(the_last_bytes_are_those_that_are_there),
    TEST_CASE(what_is_pending_comes_before_what_is_received),
    TEST_CASE(much_is_received_in_bounded_parts),
    TEST_CASE(a_reset_breaks_the_connection),
    TEST_CASE(all_from_the_first_write_on_is_committed),
    TEST_CASE(a_lone_verb_waits_for_what_stands_before_it),
    TEST_CASE(a_refused_lone_verb_is_like_any_other),
    TEST_CASE(what_the_socket_does_not_take_is_kept),
    TEST_CASE(a_peer_that_is_gone_breaks_the_connection),
    TEST_CASE(other_protocols_are_told_and_shut_out),
    TEST_CASE(peers_have_names),
    TEST_END,
};
