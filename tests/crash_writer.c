#include "crash_writer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "tcp.h"

enum {
    MESSAGES_MAX = CRASH_GROUP + 1, /* of one request */
    CHECK_AHEAD = 128,              /* GETs */
    SHOWN_MAX = 5                   /* cells in a complaint */
};

#define KEY_WRITER "writer-"
#define KEY_CELL "-cell-"

static void complain(struct crash_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void complain(struct crash_writer *writer, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    (void)printf("writer %" PRIu32 ": %s\n", writer->number, text);
    writer->complained = true;
}

void crash_writer_init(
    struct crash_writer *writer, uint32_t number, uint64_t seed)
{
    memset(writer, 0, sizeof *writer);
    writer->number = number;
    writer->burst = CRASH_BURST;
    test_random_init_seed(&writer->random, seed);
    for (uint32_t i = 0; i < CRASH_CELLS; i++) {
        writer->sent[i] = CRASH_ABSENT;
        writer->sure[i] = CRASH_ABSENT;
    }
}

/* ---- Cells --------------------------------------------------------------- */

static bool is_sum(uint32_t cell)
{
    return cell >= CRASH_CELLS - CRASH_SUMS;
}

/* Reads a number behind a word; false if they are not there. */
static bool parse_part(const char **at, const char *word, uint32_t *number)
{
    char *rest;
    size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0) {
        return false;
    }
    unsigned long parsed = strtoul(*at + length, &rest, 10);
    bool valid = rest != *at + length && parsed <= UINT32_MAX;
    *number = (uint32_t)parsed;
    *at = rest;
    return valid;
}

bool crash_key_parse(
    const uint8_t key[KV_KEY_SIZE], uint32_t *writer, uint32_t *cell)
{
    char text[KV_KEY_SIZE + 1] = "";
    const char *at = text;
    memcpy(text, key, KV_KEY_SIZE);
    return parse_part(&at, KEY_WRITER, writer) &&
           parse_part(&at, KEY_CELL, cell) && *at == '\0';
}

/* The value that stands for a number; its length tells something of it too. */
static size_t value_of(
    uint32_t cell, int64_t number, uint8_t value[KV_VALUE_MAX])
{
    size_t length = decimal_format(number, value);
    if (is_sum(cell)) {
        return length;
    }
    size_t filled = length + (size_t)(number * 37 % 230);
    memset(value + length, 'a' + (int)(number % 26), filled - length);
    return filled;
}

/* False if the value stands for no number. */
static bool number_of(const kv_message_t *reply, uint32_t cell, int64_t *number)
{
    uint8_t value[KV_VALUE_MAX];
    bool overflow;
    size_t digits = 0;
    while (digits < reply->value_len && reply->value[digits] >= '0' &&
           reply->value[digits] <= '9') {
        digits++;
    }
    return decimal_parse(reply->value, digits, number, &overflow) &&
           value_of(cell, *number, value) == reply->value_len &&
           memcmp(value, reply->value, reply->value_len) == 0;
}

static void fill(kv_message_t *message, int type, uint32_t writer,
    uint32_t cell, int64_t number)
{
    char key[KV_KEY_SIZE + 1];
    uint8_t value[KV_VALUE_MAX];
    size_t value_len = 0;
    int key_len = snprintf(key, sizeof key,
        KEY_WRITER "%" PRIu32 KEY_CELL "%" PRIu32, writer, cell);
    if (type == KV_ADD) {
        value_len = decimal_format(number, value);
    } else if (type == KV_PUT || type == KV_EXPECT) {
        value_len = value_of(cell, number, value);
    }
    kv_error_t error =
        kv_message_fill(message, type, key, (size_t)key_len, value, value_len);
    assert(error == KV_SUCCESS);
}

void crash_get_fill(kv_message_t *message, uint32_t writer, uint32_t cell)
{
    fill(message, KV_GET, writer, cell, 0);
}

bool crash_get_read(const kv_message_t *reply, uint32_t cell, int64_t *number)
{
    *number = CRASH_ABSENT;
    return reply->status == KV_NOT_FOUND ||
           (reply->status == KV_SUCCESS && number_of(reply, cell, number));
}

/* ---- Requests ------------------------------------------------------------ */

void crash_request_apply(
    const struct crash_request *request, int64_t cells[CRASH_CELLS])
{
    uint32_t count = request->kind == CRASH_CHAIN ? CRASH_GROUP : 1;
    for (uint32_t i = 0; i < count; i++) {
        cells[request->cell + i] = request->number;
    }
}

static void choose(struct crash_writer *writer, struct crash_request *request)
{
    struct test_random *random = &writer->random;
    request->kind = (enum crash_kind)test_random_below(random, CRASH_KINDS);
    request->length = 1;
    if (request->kind == CRASH_CHAIN) {
        request->cell =
            CRASH_SINGLES +
            CRASH_GROUP * (uint32_t)test_random_below(random, CRASH_GROUPS);
        request->length = CRASH_GROUP + 1;
    } else if (request->kind == CRASH_ADD) {
        request->cell = CRASH_CELLS - CRASH_SUMS +
                        (uint32_t)test_random_below(random, CRASH_SUMS);
    } else {
        request->cell = (uint32_t)test_random_below(random, CRASH_SINGLES);
    }
    int64_t before = writer->sent[request->cell];
    request->before = before;
    switch (request->kind) {
    case CRASH_PUT:
    case CRASH_CHAIN:
        request->number = ++writer->last;
        break;
    case CRASH_DELETE:
        request->number = CRASH_ABSENT;
        break;
    case CRASH_ADD:
        request->number = (before == CRASH_ABSENT ? 0 : before) + 1 +
                          (int64_t)test_random_below(random, 1000);
        break;
    default:
        request->number = before;
        request->length = request->kind == CRASH_FAIL ? 2 : 1;
        break;
    }
}

/* The messages of a request. */
static void make_messages(const struct crash_writer *writer,
    const struct crash_request *request, kv_message_t messages[MESSAGES_MAX])
{
    int64_t before = request->before == CRASH_ABSENT ? 0 : request->before;
    uint32_t cell = request->cell;
    uint32_t number = writer->number;
    switch (request->kind) {
    case CRASH_PUT:
        fill(messages, KV_PUT, number, cell, request->number);
        break;
    case CRASH_DELETE:
        fill(messages, KV_DELETE, number, cell, 0);
        break;
    case CRASH_ADD:
        fill(messages, KV_ADD, number, cell, request->number - before);
        break;
    case CRASH_CHAIN:
        fill(messages,
            request->before == CRASH_ABSENT ? KV_EXPECT_ABSENT : KV_EXPECT,
            number, cell, before);
        for (uint32_t i = 0; i < CRASH_GROUP; i++) {
            fill(&messages[1 + i], KV_PUT, number, cell + i, request->number);
        }
        break;
    case CRASH_FAIL:
        fill(messages, KV_PUT, number, cell, writer->last + 1);
        fill(&messages[1], KV_EXPECT, number, cell, writer->last + 2);
        break;
    default:
        fill(messages, KV_GET, number, cell, 0);
        break;
    }
    for (uint32_t i = 0; i + 1 < request->length; i++) {
        messages[i].type |= KV_LINKED;
    }
}

static kv_error_t expected_status(
    const struct crash_request *request, uint32_t index)
{
    bool absent = request->before == CRASH_ABSENT;
    if (request->kind == CRASH_FAIL) {
        return index == 0 ? KV_ABORTED : KV_MISMATCH;
    }
    return (request->kind == CRASH_DELETE || request->kind == CRASH_GET) &&
                   absent
               ? KV_NOT_FOUND
               : KV_SUCCESS;
}

/* Compares the answer to message index of the first request that waits. */
static void judge(struct crash_writer *writer, const kv_message_t *reply)
{
    const struct crash_request *request = &writer->waiting[0];
    kv_error_t expected = expected_status(request, writer->answers);
    int64_t number = request->number;
    bool right = reply->status == expected;
    if (right && expected == KV_SUCCESS &&
        (request->kind == CRASH_GET || request->kind == CRASH_ADD)) {
        right = number_of(reply, request->cell, &number) &&
                number == request->number;
    }
    if (!right) {
        complain(writer,
            "%s of cell %" PRIu32 " was answered %s: %.*s (%" PRId64
            "), expected %s (%" PRId64 ")",
            kv_request_name(reply->type), request->cell,
            kv_error_name(reply->status),
            expected == KV_SUCCESS ? reply->value_len : 0,
            (const char *)reply->value, number, kv_error_name(expected),
            request->number);
    }
    writer->answers++;
    if (writer->answers == request->length) {
        if (writer->tell != NULL) {
            writer->tell(writer->context, request, true);
        }
        crash_request_apply(request, writer->sure);
        writer->acknowledged++;
        writer->answers = 0;
        writer->waiting_count--;
        memmove(&writer->waiting[0], &writer->waiting[1],
            writer->waiting_count * sizeof writer->waiting[0]);
    }
}

/* ---- The connection ------------------------------------------------------ */

static bool receive(struct crash_writer *writer, int fd, kv_message_t *reply)
{
    bool received = tcp_receive(fd, reply, sizeof *reply);
    if (!received && errno == EAGAIN) {
        complain(writer, "no answer in %d s", TCP_WAIT_S);
    }
    return received;
}

static bool send_burst(struct crash_writer *writer, int fd)
{
    kv_message_t messages[CRASH_BURST_MAX * MESSAGES_MAX];
    uint32_t count =
        1 + (uint32_t)test_random_below(&writer->random, writer->burst);
    uint32_t length = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct crash_request *request =
            &writer->waiting[writer->waiting_count++];
        choose(writer, request);
        if (writer->tell != NULL) {
            writer->tell(writer->context, request, false);
        }
        make_messages(writer, request, &messages[length]);
        length += request->length;
        crash_request_apply(request, writer->sent);
    }
    return tcp_send(fd, messages, length * sizeof messages[0]);
}

void crash_writer_run(struct crash_writer *writer, uint16_t port)
{
    int fd = tcp_dial(port);
    bool lost = fd < 0;
    kv_message_t reply;
    while (!lost && !writer->complained) {
        lost = !send_burst(writer, fd);
        uint32_t left = (uint32_t)test_random_below(
            &writer->random, CRASH_AHEAD * writer->burst);
        while (!lost && writer->waiting_count > left && !writer->complained) {
            lost = !receive(writer, fd, &reply);
            if (!lost) {
                judge(writer, &reply);
            }
        }
    }
    (void)close(fd);
}

/* ---- Checking ------------------------------------------------------------ */

static void ask_cells(
    struct crash_writer *writer, int fd, uint32_t first, uint32_t count)
{
    kv_message_t messages[CHECK_AHEAD];
    for (uint32_t i = 0; i < count; i++) {
        crash_get_fill(&messages[i], writer->number, first + i);
    }
    if (!tcp_send(fd, messages, count * sizeof messages[0])) {
        complain(writer, "the server is gone");
    }
}

static void read_cells(
    struct crash_writer *writer, int fd, int64_t found[CRASH_CELLS])
{
    for (uint32_t i = 0; i < CRASH_CELLS && !writer->complained; i++) {
        kv_message_t reply;
        uint32_t left = CRASH_CELLS - i;
        if (i % CHECK_AHEAD == 0) {
            ask_cells(writer, fd, i, left < CHECK_AHEAD ? left : CHECK_AHEAD);
        }
        if (!receive(writer, fd, &reply)) {
            complain(writer, "the server is gone");
        } else if (!crash_get_read(&reply, i, &found[i])) {
            complain(
                writer, "cell %" PRIu32 " has a value that nobody wrote", i);
        }
    }
}

static uint32_t count_differences(
    const int64_t left[CRASH_CELLS], const int64_t right[CRASH_CELLS])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < CRASH_CELLS; i++) {
        count += left[i] != right[i] ? 1 : 0;
    }
    return count;
}

/* Says in which cells the two differ. */
static void show(struct crash_writer *writer, const int64_t found[CRASH_CELLS],
    uint32_t differences)
{
    uint32_t shown = 0;
    complain(writer,
        "%" PRIu32 " cells are neither as acknowledged nor as any of the "
        "%" PRIu32 " unanswered requests makes them",
        differences, writer->waiting_count);
    for (uint32_t i = 0; i < CRASH_CELLS && shown < SHOWN_MAX; i++) {
        if (found[i] != writer->sure[i]) {
            complain(writer,
                "cell %" PRIu32 " is %" PRId64 "; acknowledged was %" PRId64
                ", sent last %" PRId64,
                i, found[i], writer->sure[i], writer->sent[i]);
            shown++;
        }
    }
}

/* Finds the n unanswered requests that took effect; one that was answered in
 * part did. */
static void match(struct crash_writer *writer, const int64_t found[CRASH_CELLS])
{
    int64_t cells[CRASH_CELLS];
    uint32_t taken = 0;
    memcpy(cells, writer->sure, sizeof cells);
    if (writer->answers > 0) {
        crash_request_apply(&writer->waiting[taken++], cells);
    }
    uint32_t differences = count_differences(found, cells);
    uint32_t least = differences;
    while (differences > 0 && taken < writer->waiting_count) {
        crash_request_apply(&writer->waiting[taken++], cells);
        differences = count_differences(found, cells);
        least = differences < least ? differences : least;
    }
    if (differences > 0) {
        show(writer, found, least);
    }
}

/* Reads the cells; false after a complaint. */
static bool find_cells(
    struct crash_writer *writer, uint16_t port, int64_t found[CRASH_CELLS])
{
    int fd = tcp_dial(port);
    if (fd < 0) {
        complain(writer, "no connection: %s", strerror(errno));
    } else {
        read_cells(writer, fd, found);
        (void)close(fd);
    }
    return !writer->complained;
}

/* Begins again with what was found. */
static void settle(
    struct crash_writer *writer, const int64_t found[CRASH_CELLS])
{
    memcpy(writer->sure, found, sizeof writer->sure);
    memcpy(writer->sent, found, sizeof writer->sent);
    writer->waiting_count = 0;
    writer->answers = 0;
}

uint64_t crash_writer_check(struct crash_writer *writer, uint16_t port)
{
    int64_t found[CRASH_CELLS] = {0};
    uint64_t records = 0;
    if (find_cells(writer, port, found)) {
        match(writer, found);
    }
    settle(writer, found);
    for (uint32_t i = 0; i < CRASH_CELLS; i++) {
        records += found[i] != CRASH_ABSENT ? 1 : 0;
    }
    return records;
}

void crash_writer_adopt(struct crash_writer *writer, uint16_t port)
{
    int64_t found[CRASH_CELLS] = {0};
    (void)find_cells(writer, port, found);
    settle(writer, found);
    for (uint32_t i = 0; i < CRASH_CELLS; i++) {
        writer->last = found[i] > writer->last ? found[i] : writer->last;
    }
}
