/* reply.h: replies of the Redis serialization protocol, written into a buffer.
 *
 * The version decides the form, so a command need not know it.  An aggregate
 * is announced with the number of its elements, which follow.
 *
 * If a reply does not fit the buffer, failed is set, and nothing is written
 * from then on: what stands there since the caller last looked is void.  A
 * reply may count as too large from RESP_HEAD_MAX bytes below the bound. */
#ifndef RESP_REPLY_H
#define RESP_REPLY_H

#include "buffer.h"
#include "bytes.h"

enum {
    RESP_HEAD_MAX = 1 + DECIMAL_MAX + 2, /* a type, a number, CR, LF */
    RESP_ERROR_TEXT_MAX = 512            /* bytes; what is more is cut */
};

struct resp_reply {
    struct buffer *buffer;
    uint8_t version; /* 2 or 3 */
    bool failed;     /* the buffer's bound was met, or memory is out */
};

/* +OK */
void resp_ok(struct resp_reply *reply);
/* +PONG: text has neither CR nor LF. */
void resp_simple(struct resp_reply *reply, const char *text);
/* -ERR ...: the caller writes the code; CR and LF become blanks, and
 * those at its end go, as in Redis. */
void resp_error(struct resp_reply *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* :1 */
void resp_number(struct resp_reply *reply, int64_t number);

/* $3 and the bytes */
void resp_bulk(struct resp_reply *reply, const void *bytes, size_t size);
void resp_bulk_text(struct resp_reply *reply, const char *text);
/* The number in decimal, as a bulk. */
void resp_bulk_number(struct resp_reply *reply, int64_t number);

/* $-1, or _ */
void resp_null(struct resp_reply *reply);
/* *-1, or _ */
void resp_null_array(struct resp_reply *reply);

/* *n */
void resp_array(struct resp_reply *reply, size_t count);
/* *2n, or %n; each pair is two elements */
void resp_map(struct resp_reply *reply, size_t pairs);
/* *n, or ~n */
void resp_set(struct resp_reply *reply, size_t count);

/* Announces, as array or set of so many elements, what has been written since
 * the buffer had size at: for whoever knows the number afterwards only. */
void resp_array_at(struct resp_reply *reply, uint32_t at, size_t count);
void resp_set_at(struct resp_reply *reply, uint32_t at, size_t count);

/* :1 and :0, or #t and #f */
void resp_boolean(struct resp_reply *reply, bool value);
/* The number with up to 17 digits, inf, -inf or nan: a bulk, or ,1.5 */
void resp_double(struct resp_reply *reply, double number);
/* A bulk, or =7, kind and a colon before the text; kind has three characters:
 * "txt", "mkd". */
void resp_verbatim(
    struct resp_reply *reply, const char *text, const char *kind);

#endif
