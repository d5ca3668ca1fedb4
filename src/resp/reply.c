#include "resp/reply.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    LINE_END = 2,
    KIND_SIZE = 3 /* of a verbatim text */
};

/* Room for more bytes; NULL if the reply has failed. */
static inline uint8_t *reserve(struct resp_reply *reply, size_t more)
{
    uint8_t *end = reply->failed ? NULL : buffer_reserve(reply->buffer, more);
    reply->failed = end == NULL;
    return end;
}

/* What was written ends at end. */
static inline void written(struct resp_reply *reply, const uint8_t *end)
{
    reply->buffer->size = (uint32_t)(end - reply->buffer->bytes);
}

static inline uint8_t *put_line_end(uint8_t *end)
{
    end[0] = '\r';
    end[1] = '\n';
    return end + LINE_END;
}

static inline uint8_t *put_head(uint8_t *end, char type, int64_t number)
{
    *end++ = (uint8_t)type;
    if (number >= 0 && number <= 9) {
        *end++ = (uint8_t)('0' + number);
    } else {
        end += decimal_format(number, end);
    }
    return put_line_end(end);
}

static inline uint8_t *put_bytes(uint8_t *end, const void *bytes, size_t size)
{
    if (size > 0) {
        memcpy(end, bytes, size);
    }
    return end + size;
}

static inline void put_text(struct resp_reply *reply, const char *text)
{
    size_t size = strlen(text);
    uint8_t *end = reserve(reply, size);
    if (end != NULL) {
        written(reply, put_bytes(end, text, size));
    }
}

static void head(struct resp_reply *reply, char type, int64_t number)
{
    uint8_t *end = reserve(reply, RESP_HEAD_MAX);
    if (end != NULL) {
        written(reply, put_head(end, type, number));
    }
}

void resp_ok(struct resp_reply *reply)
{
    put_text(reply, "+OK\r\n");
}

void resp_simple(struct resp_reply *reply, const char *text)
{
    size_t size = strlen(text);
    assert(strpbrk(text, "\r\n") == NULL);
    uint8_t *end = reserve(reply, 1 + size + LINE_END);
    if (end != NULL) {
        *end++ = '+';
        written(reply, put_line_end(put_bytes(end, text, size)));
    }
}

static bool is_line_end(char letter)
{
    return letter == '\r' || letter == '\n';
}

void resp_error(struct resp_reply *reply, const char *format, ...)
{
    char text[RESP_ERROR_TEXT_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    size_t size = u64_min((uint64_t)length, RESP_ERROR_TEXT_MAX);
    while (size > 0 && is_line_end(text[size - 1])) {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        if (is_line_end(text[i])) {
            text[i] = ' ';
        }
    }
    uint8_t *end = reserve(reply, 1 + size + LINE_END);
    if (end != NULL) {
        *end++ = '-';
        written(reply, put_line_end(put_bytes(end, text, size)));
    }
}

void resp_number(struct resp_reply *reply, int64_t number)
{
    head(reply, ':', number);
}

void resp_bulk(struct resp_reply *reply, const void *bytes, size_t size)
{
    uint8_t *end = NULL;
    if (size <= UINT32_MAX) {
        end = reserve(reply, RESP_HEAD_MAX + size + LINE_END);
    }
    if (end == NULL) {
        reply->failed = true;
        return;
    }
    end = put_head(end, '$', (int64_t)size);
    written(reply, put_line_end(put_bytes(end, bytes, size)));
}

void resp_bulk_text(struct resp_reply *reply, const char *text)
{
    resp_bulk(reply, text, strlen(text));
}

void resp_bulk_number(struct resp_reply *reply, int64_t number)
{
    uint8_t text[DECIMAL_MAX];
    resp_bulk(reply, text, decimal_format(number, text));
}

void resp_null(struct resp_reply *reply)
{
    put_text(reply, reply->version >= 3 ? "_\r\n" : "$-1\r\n");
}

void resp_null_array(struct resp_reply *reply)
{
    put_text(reply, reply->version >= 3 ? "_\r\n" : "*-1\r\n");
}

void resp_array(struct resp_reply *reply, size_t count)
{
    assert(count <= INT64_MAX);
    head(reply, '*', (int64_t)count);
}

void resp_map(struct resp_reply *reply, size_t pairs)
{
    assert(pairs <= INT64_MAX / 2);
    if (reply->version >= 3) {
        head(reply, '%', (int64_t)pairs);
    } else {
        head(reply, '*', (int64_t)pairs * 2);
    }
}

void resp_set(struct resp_reply *reply, size_t count)
{
    assert(count <= INT64_MAX);
    head(reply, reply->version >= 3 ? '~' : '*', (int64_t)count);
}

/* Moves what was written last, from last on, to the place at. */
static void move_to(struct resp_reply *reply, uint32_t at, uint32_t last)
{
    uint8_t announced[RESP_HEAD_MAX];
    if (reply->failed) {
        return;
    }
    uint8_t *bytes = reply->buffer->bytes;
    size_t size = reply->buffer->size - last;
    assert(at <= last && size <= sizeof announced);
    memcpy(announced, bytes + last, size);
    memmove(bytes + at + size, bytes + at, last - at);
    memcpy(bytes + at, announced, size);
}

void resp_array_at(struct resp_reply *reply, uint32_t at, size_t count)
{
    uint32_t last = reply->buffer->size;
    resp_array(reply, count);
    move_to(reply, at, last);
}

void resp_set_at(struct resp_reply *reply, uint32_t at, size_t count)
{
    uint32_t last = reply->buffer->size;
    resp_set(reply, count);
    move_to(reply, at, last);
}

void resp_boolean(struct resp_reply *reply, bool value)
{
    if (reply->version >= 3) {
        put_text(reply, value ? "#t\r\n" : "#f\r\n");
    } else {
        resp_number(reply, value ? 1 : 0);
    }
}

void resp_double(struct resp_reply *reply, double number)
{
    char text[32];
    if (isnan(number)) {
        /* Its sign means nothing. */
        number = fabs(number);
    }
    int length = snprintf(text, sizeof text, "%.17g", number);
    assert(length > 0 && (size_t)length < sizeof text);
    if (reply->version < 3) {
        resp_bulk(reply, text, (size_t)length);
        return;
    }
    uint8_t *end = reserve(reply, 1 + (size_t)length + LINE_END);
    if (end != NULL) {
        *end++ = ',';
        written(reply, put_line_end(put_bytes(end, text, (size_t)length)));
    }
}

void resp_verbatim(struct resp_reply *reply, const char *text, const char *kind)
{
    assert(strlen(kind) == KIND_SIZE);
    if (reply->version < 3) {
        resp_bulk_text(reply, text);
        return;
    }
    size_t size = strlen(text);
    size_t whole = KIND_SIZE + 1 + size;
    uint8_t *end = reserve(reply, RESP_HEAD_MAX + whole + LINE_END);
    if (end == NULL) {
        return;
    }
    end = put_head(end, '=', (int64_t)whole);
    end = put_bytes(end, kind, KIND_SIZE);
    *end++ = ':';
    written(reply, put_line_end(put_bytes(end, text, size)));
}
