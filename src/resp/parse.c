/* parse.c: resp_parse.
 *
 * gather() takes the common case, a well formed request that is all there, in
 * one pass.  Where it stops, scan_bulks() finds out why, and goes on from there
 * when more has come, without recording: the bytes may move meanwhile.  At the
 * end of a request that came in parts gather() records it. */
#include "resp/resp.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "resp/split.h"

enum state { STATE_START, STATE_COUNT, STATE_LINE, STATE_BODY, STATE_INLINE };

enum {
    LINE_END = 2,           /* CR, LF */
    LINE_END_WORD = 0x0a0d, /* as a number */
    DIGITS_MAX = 7          /* of a number that gather() takes */
};

_Static_assert(RESP_REQUEST_MAX < 10000000, "gather takes what is allowed");
_Static_assert(RESP_BULK_MAX + LINE_END <= UINT32_MAX, "a body's size fits");

struct input {
    struct resp_scan *scan;
    uint8_t *bytes;
    size_t size;
    struct resp_request *request;
};

static inline bool is_line_end(const uint8_t *bytes)
{
    return bytes_u16(bytes) == LINE_END_WORD;
}

static inline bool take_digits(
    const uint8_t *bytes, size_t size, size_t *at, uint32_t *number)
{
    size_t end = *at;
    size_t until = size - end > DIGITS_MAX ? end + DIGITS_MAX : size;
    uint32_t sum = 0;
    for (; end < until; end++) {
        unsigned digit = (unsigned)bytes[end] - '0';
        if (digit > 9) {
            break;
        }
        sum = sum * 10 + digit;
    }
    if (end == *at || size - end < LINE_END || !is_line_end(bytes + end) ||
        (bytes[*at] == '0' && end - *at > 1)) {
        return false;
    }
    *at = end + LINE_END;
    *number = sum;
    return true;
}

/* Reads the number and the line end at *at.  False, *at left, if they are not
 * all there, or not plainly so.  Most have one digit or two. */
static inline bool take_number(
    const uint8_t *bytes, size_t size, size_t *at, uint32_t *number)
{
    if (size - *at < 2 + LINE_END) {
        return take_digits(bytes, size, at, number);
    }
    const uint8_t *text = bytes + *at;
    unsigned first = (unsigned)text[0] - '0';
    if (is_line_end(text + 1) && first <= 9) {
        *at += 1 + LINE_END;
        *number = first;
        return true;
    }
    unsigned second = (unsigned)text[1] - '0';
    if (is_line_end(text + 2) && first - 1 <= 8 && second <= 9) {
        *at += 2 + LINE_END;
        *number = first * 10 + second;
        return true;
    }
    return take_digits(bytes, size, at, number);
}

/* Records the arguments behind the count, as far as they are there and well
 * formed.  Returns how many; *at is behind them. */
static uint32_t gather(const struct input *input, uint32_t count, size_t *at)
{
    uint8_t *bytes = input->bytes;
    size_t size = u64_min(input->size, RESP_REQUEST_MAX);
    struct resp_arg *args = input->request->args;
    for (uint32_t i = 0; i < count; i++) {
        size_t next = *at + 1;
        uint32_t length;
        if (next >= size || bytes[*at] != '$' ||
            !take_number(bytes, size, &next, &length) ||
            size - next < length + (size_t)LINE_END ||
            !is_line_end(bytes + next + length)) {
            return i;
        }
        args[i].bytes = bytes + next;
        args[i].size = length;
        *at = next + length + LINE_END;
    }
    return count;
}

static enum resp_result end_broken(const struct input *input, const char *what)
{
    snprintf(input->request->error, sizeof input->request->error,
        "ERR Protocol error: %s", what);
    memset(input->scan, 0, sizeof *input->scan);
    return RESP_BROKEN;
}

static enum resp_result end_request(
    const struct input *input, uint32_t count, size_t used)
{
    input->request->count = count;
    input->request->used = used;
    memset(input->scan, 0, sizeof *input->scan);
    return RESP_REQUEST;
}

/* used: of the bytes that are there now. */
static enum resp_result end_too_long(const struct input *input, size_t used)
{
    struct resp_scan *scan = input->scan;
    char *error = input->request->error;
    size_t size = sizeof input->request->error;
    if (scan->count > RESP_ARGS_MAX) {
        snprintf(error, size,
            "ERR a request has %" PRIu32 " arguments; at most %d are taken",
            scan->count, RESP_ARGS_MAX);
    } else if (scan->large > 0) {
        snprintf(error, size,
            "ERR an argument has %" PRIu32 " bytes; a request has at most %d",
            scan->large, RESP_REQUEST_MAX);
    } else {
        snprintf(error, size,
            "ERR a request has %" PRIu64 " bytes; at most %d are taken",
            scan->dropped + used, RESP_REQUEST_MAX);
    }
    input->request->used = used;
    memset(scan, 0, sizeof *scan);
    return RESP_TOO_LONG;
}

/* Looks for the byte that ends the line; seen is then the bytes before it.
 * RESP_BROKEN: it is too long; too_long names it. */
static enum resp_result find_end(
    const struct input *input, uint8_t end, const char *too_long)
{
    struct resp_scan *scan = input->scan;
    const uint8_t *line = input->bytes + scan->at;
    size_t size = input->size - scan->at;
    size_t until = u64_min(size, RESP_INLINE_MAX + 1);
    const uint8_t *found = memchr(line + scan->seen, end, until - scan->seen);
    if (found != NULL) {
        scan->seen = (uint32_t)(found - line);
        return RESP_REQUEST;
    }
    scan->seen = (uint32_t)until;
    if (size > RESP_INLINE_MAX) {
        return end_broken(input, too_long);
    }
    return RESP_MORE;
}

static enum resp_result scan_inline(const struct input *input)
{
    struct resp_scan *scan = input->scan;
    enum resp_result result = find_end(input, '\n', "too big inline request");
    if (result != RESP_REQUEST) {
        return result;
    }
    size_t size = scan->seen;
    size_t used = size + 1;
    if (size > 0 && input->bytes[size - 1] == '\r') {
        size--;
    }
    if (!resp_split(input->bytes, size, input->request->args, &scan->count)) {
        return end_broken(input, "unbalanced quotes in request");
    }
    if (scan->count > RESP_ARGS_MAX) {
        return end_too_long(input, used);
    }
    return end_request(input, scan->count, used);
}

/* The number of a line "*12" or "$12", at its end. */
static enum resp_result scan_number(const struct input *input,
    const char *too_long, const char *invalid, int64_t *number)
{
    struct resp_scan *scan = input->scan;
    enum resp_result result = find_end(input, '\r', too_long);
    if (result != RESP_REQUEST) {
        return result;
    }
    const uint8_t *line = input->bytes + scan->at;
    size_t size = scan->seen;
    bool overflow;
    if (input->size - scan->at - size < LINE_END) {
        return RESP_MORE;
    }
    if (line[size + 1] != '\n' ||
        !decimal_parse(line + 1, size - 1, number, &overflow)) {
        return end_broken(input, invalid);
    }
    scan->at += (uint32_t)size + LINE_END;
    scan->seen = 0;
    return RESP_REQUEST;
}

static enum resp_result scan_count(const struct input *input)
{
    static const char invalid[] = "invalid multibulk length";
    struct resp_scan *scan = input->scan;
    int64_t count;
    enum resp_result result =
        scan_number(input, "too big mbulk count string", invalid, &count);
    if (result != RESP_REQUEST) {
        return result;
    }
    if (count > RESP_COUNT_MAX) {
        return end_broken(input, invalid);
    }
    scan->count = count > 0 ? (uint32_t)count : 0;
    scan->left = scan->count;
    scan->dropping = count > RESP_ARGS_MAX;
    scan->state = STATE_LINE;
    return RESP_REQUEST;
}

static enum resp_result expect_dollar(const struct input *input, uint8_t byte)
{
    char text[sizeof "expected '$', got '\\xff'"];
    bool printable =
        (byte >= ' ' && byte <= '~') || byte == '\r' || byte == '\n';
    snprintf(text, sizeof text,
        printable ? "expected '$', got '%c'" : "expected '$', got '\\x%02x'",
        byte);
    return end_broken(input, text);
}

/* The line before a body. */
static enum resp_result scan_length(const struct input *input)
{
    static const char invalid[] = "invalid bulk length";
    struct resp_scan *scan = input->scan;
    int64_t length;
    if (input->size == scan->at) {
        return RESP_MORE;
    }
    if (input->bytes[scan->at] != '$') {
        return expect_dollar(input, input->bytes[scan->at]);
    }
    enum resp_result result =
        scan_number(input, "too big bulk count string", invalid, &length);
    if (result != RESP_REQUEST) {
        return result;
    }
    if (length < 0 || (uint64_t)length > RESP_BULK_MAX) {
        return end_broken(input, invalid);
    }
    scan->seen = (uint32_t)length + LINE_END;
    scan->state = STATE_BODY;
    if (length > RESP_REQUEST_MAX && scan->large == 0) {
        scan->large = (uint32_t)length;
    }
    if (scan->at + (uint64_t)scan->seen > RESP_REQUEST_MAX) {
        scan->dropping = true;
    }
    return RESP_REQUEST;
}

/* Steps over what is there of a body, but for its end; over that if it is
 * whole. */
static enum resp_result scan_body(const struct input *input)
{
    struct resp_scan *scan = input->scan;
    size_t here = input->size - scan->at;
    if (here < scan->seen) {
        size_t over = u64_min(here, scan->seen - LINE_END);
        scan->at += (uint32_t)over;
        scan->seen -= (uint32_t)over;
        return RESP_MORE;
    }
    const uint8_t *end = input->bytes + scan->at + scan->seen - LINE_END;
    if (end[0] != '\r' || end[1] != '\n') {
        return end_broken(input, "expected CRLF after a bulk");
    }
    scan->at += scan->seen;
    scan->seen = 0;
    scan->left--;
    scan->state = STATE_LINE;
    return RESP_REQUEST;
}

static enum resp_result scan_bulks(const struct input *input)
{
    struct resp_scan *scan = input->scan;
    enum resp_result result = RESP_REQUEST;
    while (result == RESP_REQUEST && scan->left > 0) {
        result =
            scan->state == STATE_LINE ? scan_length(input) : scan_body(input);
    }
    return result;
}

/* What the scan of a multibulk came to. */
static enum resp_result finish(const struct input *input)
{
    struct resp_scan *scan = input->scan;
    if (scan->dropping) {
        return end_too_long(input, scan->at);
    }
    size_t at = 0;
    if (scan->count > 0) {
        uint32_t count = 0;
        at = 1;
        bool plain = take_number(input->bytes, input->size, &at, &count);
        assert(plain && count == scan->count);
        count = gather(input, scan->count, &at);
        assert(count == scan->count && at == scan->at);
    }
    return end_request(input, scan->count, scan->at);
}

/* What is kept stays bounded: a request that is not all there after
 * RESP_REQUEST_MAX bytes is too long, and its bytes so far can go. */
static enum resp_result wait_for_more(const struct input *input)
{
    struct resp_scan *scan = input->scan;
    if (input->size >= RESP_REQUEST_MAX) {
        scan->dropping = true;
    }
    if (scan->dropping) {
        input->request->used = scan->at;
        scan->dropped += scan->at;
        scan->at = 0;
    }
    return RESP_MORE;
}

static enum resp_result scan_multibulk(const struct input *input)
{
    struct resp_scan *scan = input->scan;
    enum resp_result result = RESP_REQUEST;
    if (scan->state == STATE_COUNT) {
        result = scan_count(input);
    }
    if (result == RESP_REQUEST) {
        result = scan_bulks(input);
    }
    if (result == RESP_REQUEST) {
        return finish(input);
    }
    return result == RESP_MORE ? wait_for_more(input) : result;
}

/* The first look at a multibulk.  If it is all there, there is nothing to be
 * noted. */
static enum resp_result begin_multibulk(const struct input *input)
{
    struct resp_scan *scan = input->scan;
    size_t at = 1;
    uint32_t count;
    if (!take_number(input->bytes, input->size, &at, &count) || count == 0 ||
        count > RESP_ARGS_MAX) {
        scan->state = STATE_COUNT;
        return scan_multibulk(input);
    }
    uint32_t gathered = gather(input, count, &at);
    if (gathered == count) {
        input->request->count = count;
        input->request->used = at;
        return RESP_REQUEST;
    }
    scan->state = STATE_LINE;
    scan->at = (uint32_t)at;
    scan->count = count;
    scan->left = count - gathered;
    return scan_multibulk(input);
}

enum resp_result resp_parse(struct resp_scan *scan, uint8_t *bytes, size_t size,
    struct resp_request *request)
{
    struct input input = {.scan = scan, .size = size, .request = request};
    input.bytes = bytes;
    assert(size <= UINT32_MAX);
    request->count = 0;
    request->used = 0;
    request->error[0] = '\0';
    if (size == 0) {
        return RESP_MORE;
    }
    if (scan->state == STATE_START) {
        if (bytes[0] == '*') {
            return begin_multibulk(&input);
        }
        scan->state = STATE_INLINE;
    }
    return scan->state == STATE_INLINE ? scan_inline(&input)
                                       : scan_multibulk(&input);
}
