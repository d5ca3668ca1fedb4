/* test_resp_limits.c: what is too long for the parser of the Redis protocol,
 * and that it looks at nothing twice. */
#include "resp/resp.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "buffer.h"
#include "bytes.h"
#include "crc32c.h"
#include "resp_feed.h"
#include "support.h"

#define BROKEN(text) "{ERR Protocol error: " text "}"

/* size times x, with what stands before and behind. */
static uint8_t *make_text(
    const char *before, size_t size, const char *behind, size_t *whole)
{
    struct buffer text = {.max = 16 << 20};
    REQUIRE(buffer_append(&text, before, strlen(before)));
    uint8_t *end = buffer_reserve(&text, size);
    REQUIRE(end != NULL);
    memset(end, 'x', size);
    text.size += (uint32_t)size;
    REQUIRE(buffer_append(&text, behind, strlen(behind)));
    *whole = text.size;
    return text.bytes;
}

/* How a long argument of size x is written down. */
static void name_long(size_t size, char text[32])
{
    uint8_t *bytes = malloc(size);
    REQUIRE(bytes != NULL);
    memset(bytes, 'x', size);
    snprintf(text, 32, "[%zu:%08x]", size, (unsigned)crc32c(0, bytes, size));
    free(bytes);
}

/* Whole, and in parts as a socket brings them. */
static void check_long(uint8_t *bytes, size_t size, const char *expected)
{
    static const size_t parts[] = {0, 1000, 40000, 3000000};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        struct resp_feed feed = {bytes, size, parts[i], i};
        char *found = resp_feed(&feed);
        CHECK_TEXT(found, expected);
        free(found);
    }
    free(bytes);
}

static void a_line_has_a_bound(void)
{
    char longest[32];
    name_long(RESP_INLINE_MAX, longest);
    const struct {
        const char *before;
        size_t size;
        const char *behind;
        const char *found;
    } lines[] = {
        {"", RESP_INLINE_MAX, "", "~"},
        {"", RESP_INLINE_MAX, "\n", longest},
        {"", RESP_INLINE_MAX + 1, "", BROKEN("too big inline request")},
        {"", RESP_INLINE_MAX + 1, "\n", BROKEN("too big inline request")},
        {"*", RESP_INLINE_MAX - 1, "", "~"},
        {"*", RESP_INLINE_MAX - 1, "\r\n", BROKEN("invalid multibulk length")},
        {"*", RESP_INLINE_MAX, "\r\n", BROKEN("too big mbulk count string")},
        {"*1\r\n$", RESP_INLINE_MAX - 1, "", "~"},
        {"*1\r\n$", RESP_INLINE_MAX - 1, "\r\n", BROKEN("invalid bulk length")},
        {"*1\r\n$", RESP_INLINE_MAX, "", BROKEN("too big bulk count string")},
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        size_t size;
        uint8_t *text =
            make_text(lines[i].before, lines[i].size, lines[i].behind, &size);
        check_long(text, size, lines[i].found);
    }
}

static void a_long_argument_is_dropped(void)
{
    size_t size;
    uint8_t *text = make_text("PING\r\n*2\r\n$3\r\nGET\r\n$5000000\r\n",
        5000000, "\r\nPING\r\n", &size);
    check_long(text, size,
        "[PING](ERR an argument has 5000000 bytes; a request has at most "
        "1048576)[PING]");
    text = make_text("*2\r\n$1048577\r\n", RESP_REQUEST_MAX + 1,
        "\r\n$0\r\n\r\nPING\r\n", &size);
    check_long(text, size,
        "(ERR an argument has 1048577 bytes; a request has at most "
        "1048576)[PING]");
    text = make_text("*3\r\n$1\r\na\r\n$1048577\r\n", RESP_REQUEST_MAX + 1,
        "\r\n$2000000\r\n", &size);
    struct buffer two = {text, (uint32_t)size, (uint32_t)size, 16 << 20};
    uint8_t *end = buffer_reserve(&two, 2000002);
    REQUIRE(end != NULL);
    memset(end, 'y', 2000000);
    end[2000000] = '\r';
    end[2000001] = '\n';
    check_long(two.bytes, two.size + 2000002,
        "(ERR an argument has 1048577 bytes; a request has at most "
        "1048576)");
}

/* As long as it may be, and a byte more. */
static void a_long_request_is_dropped(void)
{
    static const char before[] = "*1\r\n$1048560\r\n";
    char longest[32];
    char expected[64];
    size_t size;
    size_t body = RESP_REQUEST_MAX - (sizeof before - 1) - 2;
    REQUIRE(body == 1048560);
    name_long(body, longest);
    snprintf(expected, sizeof expected, "%s[PING]", longest);
    uint8_t *text = make_text(before, body, "\r\nPING\r\n", &size);
    check_long(text, size, expected);
    text = make_text("*1\r\n$1048561\r\n", body + 1, "\r\nPING\r\n", &size);
    check_long(text, size,
        "(ERR a request has 1048577 bytes; at most 1048576 are taken)[PING]");
    text = make_text("*3\r\n$1048552\r\n", body - 8,
        "\r\n$2\r\nab\r\n$1\r\nc\r\nPING\r\n", &size);
    check_long(text, size,
        "(ERR a request has 1048583 bytes; at most 1048576 are taken)[PING]");
    text = make_text("*2\r\n$1048560\r\n", body, "\r\nx", &size);
    check_long(text, size, BROKEN("expected '$', got 'x'"));
    text = make_text("*2\r\n$1048560\r\n", body, "\r\n", &size);
    check_long(text, size, "~");
    text = make_text("*2\r\n$1048558\r\n", body - 2, "\r\n$1", &size);
    check_long(text, size, "~");
    text = make_text("*1\r\n$2000000\r\n", 2000000, "xx", &size);
    check_long(text, size, BROKEN("expected CRLF after a bulk"));
    text = make_text("*1\r\n$536870912\r\n", 2000000, "", &size);
    check_long(text, size, "~");
}

/* count times the argument, behind a head; PING behind all. */
static uint8_t *make_many(
    const char *head, size_t count, const char *argument, size_t *size)
{
    struct buffer text = {.max = 16 << 20};
    REQUIRE(buffer_append(&text, head, strlen(head)));
    for (size_t i = 0; i < count; i++) {
        REQUIRE(buffer_append(&text, argument, strlen(argument)));
    }
    REQUIRE(buffer_append(&text, "\r\nPING\r\n", strlen("\r\nPING\r\n")));
    *size = text.size;
    return text.bytes;
}

static void many_arguments_have_a_bound(void)
{
    static const char bulk[] = "$1\r\na\r\n";
    char *expected = malloc(3 * RESP_ARGS_MAX + 16);
    size_t size;
    REQUIRE(expected != NULL);
    for (size_t i = 0; i < 3 * RESP_ARGS_MAX; i++) {
        expected[i] = "[a]"[i % 3];
    }
    memcpy(expected + 3 * RESP_ARGS_MAX, "[][PING]", sizeof "[][PING]");
    uint8_t *text = make_many("*16384\r\n", RESP_ARGS_MAX, bulk, &size);
    check_long(text, size, expected);
    memcpy(expected + 3 * RESP_ARGS_MAX, "[PING]", sizeof "[PING]");
    text = make_many("", RESP_ARGS_MAX, "a ", &size);
    check_long(text, size, expected);
    free(expected);
    text = make_many("*16385\r\n", RESP_ARGS_MAX + 1, bulk, &size);
    check_long(text, size,
        "(ERR a request has 16385 arguments; at most 16384 are taken)"
        "[][PING]");
    text = make_many("", RESP_ARGS_MAX + 2, "a ", &size);
    check_long(text, size,
        "(ERR a request has 16386 arguments; at most 16384 are taken)[PING]");
    text = make_many("*1048576\r\n", RESP_COUNT_MAX, bulk, &size);
    check_long(text, size,
        "(ERR a request has 1048576 arguments; at most 16384 are taken)"
        "[][PING]");
}

/* A request in pages of its own, that can be made unreadable. */
struct paged {
    uint8_t *bytes;
    size_t size;
    struct resp_scan scan;
    struct resp_request request;
};

static void make_paged(struct paged *paged, size_t size)
{
    *paged = (struct paged){.size = size};
    paged->bytes = mmap(
        NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    paged->request.args = calloc(RESP_ARGS_MAX, sizeof(struct resp_arg));
    REQUIRE(paged->bytes != MAP_FAILED && paged->request.args != NULL);
}

static void free_paged(struct paged *paged)
{
    REQUIRE(munmap(paged->bytes, paged->size) == 0);
    free(paged->request.args);
}

static enum resp_result parse_paged(struct paged *paged, size_t here)
{
    return resp_parse(&paged->scan, paged->bytes, here, &paged->request);
}

/* Between two pages that may be read, most of a body may not. */
static void a_body_is_never_looked_at(void)
{
    static const char head[] = "*2\r\n$1\r\na\r\n$131050\r\n";
    struct paged paged;
    size_t body = 131050;
    size_t size = sizeof head - 1 + body + 2;
    make_paged(&paged, u64_round_up(size, DISK_PAGE));
    memcpy(paged.bytes, head, sizeof head - 1);
    memcpy(paged.bytes + size - 2, "\r\n", 2);
    REQUIRE(size > paged.size - DISK_PAGE + 2);
    REQUIRE(mprotect(paged.bytes + DISK_PAGE, paged.size - 2 * DISK_PAGE,
                PROT_NONE) == 0);
    CHECK_INT(parse_paged(&paged, size), RESP_REQUEST);
    CHECK_INT(paged.request.count, 2);
    CHECK_INT(paged.request.used, size);
    CHECK_INT(paged.request.args[1].size, body);
    for (size_t here = 0; here < size; here++) {
        REQUIRE(parse_paged(&paged, here) == RESP_MORE);
        REQUIRE(paged.request.used == 0);
    }
    CHECK_INT(parse_paged(&paged, size), RESP_REQUEST);
    CHECK_INT(paged.request.args[1].size, body);
    free_paged(&paged);
}

/* Byte by byte up to the last one; what is more than a page behind can no
 * longer be read: so it takes linear time. */
static void scan_paged(struct paged *paged, size_t size)
{
    for (size_t here = 1; here < size; here++) {
        REQUIRE(parse_paged(paged, here) == RESP_MORE);
        REQUIRE(paged->request.used == 0);
        if (here % DISK_PAGE == 0 && here > DISK_PAGE) {
            uint8_t *behind = paged->bytes + here - 2 * (size_t)DISK_PAGE;
            REQUIRE(mprotect(behind, DISK_PAGE, PROT_NONE) == 0);
        }
    }
    REQUIRE(mprotect(paged->bytes, paged->size, PROT_READ | PROT_WRITE) == 0);
    CHECK_INT(parse_paged(paged, size), RESP_REQUEST);
    CHECK_INT(paged->request.used, size);
}

static void what_was_scanned_waits_for_the_end(void)
{
    static const char head[] = "*16384\r\n";
    static const char argument[] = "$8\r\n01234567\r\n";
    struct paged paged;
    size_t size = sizeof head - 1 + RESP_ARGS_MAX * (sizeof argument - 1);
    make_paged(&paged, u64_round_up(size, DISK_PAGE));
    memcpy(paged.bytes, head, sizeof head - 1);
    for (size_t at = sizeof head - 1; at < size; at += sizeof argument - 1) {
        memcpy(paged.bytes + at, argument, sizeof argument - 1);
    }
    scan_paged(&paged, size);
    CHECK_INT(paged.request.count, RESP_ARGS_MAX);
    free_paged(&paged);
}

static void so_does_a_line(void)
{
    struct paged paged;
    make_paged(&paged, RESP_INLINE_MAX);
    memset(paged.bytes, 'x', RESP_INLINE_MAX - 1);
    paged.bytes[RESP_INLINE_MAX - 1] = '\n';
    scan_paged(&paged, RESP_INLINE_MAX);
    CHECK_INT(paged.request.count, 1);
    free_paged(&paged);
}

const struct test_case test_resp_limits[] = {
    TEST_CASE(a_line_has_a_bound),
    TEST_CASE(a_long_argument_is_dropped),
    TEST_CASE(a_long_request_is_dropped),
    TEST_CASE(many_arguments_have_a_bound),
    TEST_CASE(a_body_is_never_looked_at),
    TEST_CASE(what_was_scanned_waits_for_the_end),
    TEST_CASE(so_does_a_line),
    TEST_END,
};
