#include "talked.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "called.h"
#include "command/session.h"
#include "stored.h"

enum { PART = 32 * 1024 };

void talked_open(
    struct talked *talked, const char *directory, uint64_t capacity)
{
    *talked = (struct talked){.replies_max = BATCH_REPLIES_MAX};
    talked->options = called_options(directory, capacity, &talked->diag);
    talked->args = calloc(RESP_ARGS_MAX, sizeof *talked->args);
    talked->lone.max = 2 * BATCH_REPLIES_MAX;
    REQUIRE(talked->args != NULL);
    talked->storage = called_storage(&talked->options);
}

void talked_reopen(struct talked *talked, bool backup)
{
    CHECK_OK(storage_close(talked->storage, backup));
    talked->storage = called_storage(&talked->options);
}

static void close_conn(struct talker *talker)
{
    if (talker->conn != NULL) {
        conn_destroy(talker->conn);
        talker->conn = NULL;
    }
}

void talked_close(struct talked *talked)
{
    for (unsigned i = 0; i < talked->count; i++) {
        struct talker *talker = &talked->talkers[i];
        close_conn(talker);
        talked_hang_up(talker);
        buffer_free(&talker->replies);
    }
    CHECK_OK(storage_close(talked->storage, false));
    buffer_free(&talked->lone);
    free(talked->args);
    free(talked->text);
}

struct talker *talked_dial(struct talked *talked)
{
    int pair[2];
    union conn_address address = {.v4 = {.sin_family = AF_INET}};
    REQUIRE(talked->count < TALKERS_MAX);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    struct talker *talker = &talked->talkers[talked->count++];
    *talker = (struct talker){.conn = conn_create(pair[0], &address),
        .peer = pair[1],
        .replies.max = UINT32_MAX};
    REQUIRE(talker->conn != NULL);
    return talker;
}

void talked_hang_up(struct talker *talker)
{
    if (talker->peer >= 0) {
        close(talker->peer);
        talker->peer = -1;
    }
}

void talked_send(struct talker *talker, const void *bytes, size_t size)
{
    CHECK_INT(send(talker->peer, bytes, size, MSG_NOSIGNAL), size);
}

/* ---- A turn -------------------------------------------------------------- */

static void make_batch(struct talked *talked)
{
    talked->batch = calloc(1, sizeof *talked->batch);
    REQUIRE(talked->batch != NULL);
    talked->batch->args = talked->args;
    talked->batch->replies.max = talked->replies_max;
    talked->batch->commit_replies.max = talked->replies_max;
}

static void free_batch(struct talked *talked)
{
    arena_free(&talked->batch->memory);
    buffer_free(&talked->batch->replies);
    buffer_free(&talked->batch->commit_replies);
    free(talked->batch);
    for (unsigned i = 0; i < talked->count; i++) {
        free(talked->talkers[i].bytes);
        talked->talkers[i].bytes = NULL;
    }
}

static void append(struct talker *talker, const void *bytes, size_t size)
{
    CHECK(size > 0);
    REQUIRE(buffer_append(&talker->replies, bytes, size));
}

static void run_alone(struct talked *talked, struct talker *talker)
{
    const struct op *op = &talked->batch->ops[talked->batch->count];
    CHECK_INT(op->verb, VERB_CALL);
    storage_call(talked->storage, op->call, &talked->lone);
    append(talker, talked->lone.bytes, talked->lone.size);
    talked->lone.size = 0;
}

static void take_in(struct talked *talked, struct talker *talker)
{
    struct conn *conn = talker->conn;
    struct batch *batch = talked->batch;
    struct conn_intake intake;
    size_t size;
    talker->count = 0;
    talker->first = batch->count;
    if (conn == NULL || batch->count > BATCH_OPS_MAX - CONN_ROOM_MESSAGES) {
        return;
    }
    talker->bytes = malloc(CONN_ROOM);
    REQUIRE(talker->bytes != NULL);
    conn->readable = true;
    uint8_t *bytes = conn_receive(conn, talker->bytes, &size);
    if (size > 0 && !conn->greeted) {
        CHECK(!conn_refuse_foreign(conn, bytes[0]));
    }
    conn_decode(conn, bytes, size, batch, &intake);
    CHECK(intake.used <= size);
    conn_keep_rest(conn, bytes, size, intake.used, &batch->memory);
    CHECK(conn->input_size < RESP_REQUEST_MAX + CONN_READ_MAX);
    CHECK(conn_held(conn) >= conn->input_size);
    if (intake.lone) {
        CHECK(!intake.finished && talker->first == batch->count);
        run_alone(talked, talker);
    }
    talker->count = batch->count - talker->first;
}

static void take_replies(struct talked *talked, struct talker *talker)
{
    const struct batch *batch = talked->batch;
    for (uint32_t i = 0; i < talker->count; i++) {
        const struct op *op = &batch->ops[talker->first + i];
        append(talker, batch_reply(batch, op), op->reply_size);
    }
    if (talker->conn->session != NULL && talker->conn->session->leaving) {
        close_conn(talker);
    }
}

bool talked_turn(struct talked *talked)
{
    bool again = false;
    make_batch(talked);
    for (unsigned i = 0; i < talked->count; i++) {
        take_in(talked, &talked->talkers[i]);
    }
    storage_read(talked->storage, talked->batch);
    stored_commit(talked->storage, talked->batch);
    for (unsigned i = 0; i < talked->count; i++) {
        struct talker *talker = &talked->talkers[i];
        if (talker->conn == NULL) {
            continue;
        }
        take_replies(talked, talker);
        if (talker->conn != NULL &&
            (talker->conn->ended || talker->conn->broken) &&
            !talker->conn->pending) {
            close_conn(talker);
        }
        again = again || (talker->conn != NULL &&
                             (talker->conn->pending || talker->conn->readable));
    }
    free_batch(talked);
    return again;
}

/* ---- Replies ------------------------------------------------------------- */

const char *talked_replies(struct talked *talked, struct talker *talker)
{
    uint32_t size = talker->replies.size;
    talker->replies.size = 0;
    return called_text(&talked->text, talker->replies.bytes, size);
}

void talk_bytes(struct talked *talked, struct talker *talker, const void *bytes,
    size_t size)
{
    for (size_t sent = 0; sent < size && talker->conn != NULL;) {
        size_t part = size - sent < PART ? size - sent : PART;
        talked_send(talker, (const uint8_t *)bytes + sent, part);
        sent += part;
        while (talked_turn(talked)) {
        }
    }
}

const char *talk(
    struct talked *talked, struct talker *talker, const char *requests)
{
    talk_bytes(talked, talker, requests, strlen(requests));
    return talked_replies(talked, talker);
}
