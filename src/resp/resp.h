/* resp.h: requests of the Redis serialization protocol.  RESP2 and RESP3 have
 * the same ones:
 *
 *     *<count>\r\n  then count times  $<size>\r\n<size bytes>\r\n
 *     <words of one line>\n       the inline form: any other first byte
 *
 * Pure: no socket, no clock, no memory of its own.  Numbers are decimal without
 * leading zeros, blanks or plus.  What is stricter than Redis 7.0: it does not
 * look at the line feed of a line that ends in a carriage return, nor at the
 * two bytes behind a body; here they must be what they should be.  And a NUL
 * does not hide the end of its line; it is a byte like others.
 *
 * 1. The result depends on the bytes alone, not on the parts they come in.
 * 2. A byte is looked at a bounded number of times, a body never but for its
 *    two last bytes.
 * 3. With RESP_MORE less than RESP_REQUEST_MAX bytes are left to be kept. */
#ifndef RESP_H
#define RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RESP_ARGS_MAX = 16384,
    RESP_REQUEST_MAX = 1 << 20,  /* bytes of one, protocol included */
    RESP_INLINE_MAX = 64 * 1024, /* bytes before the end of a line */
    RESP_COUNT_MAX = 1 << 20,    /* declared: more is a protocol error, as up to
                                  * Redis 6.2; 7.0 waits for up to 2^31 - 1 */
    RESP_ERROR_MAX = 128
};

/* A declared size: more is a protocol error. */
#define RESP_BULK_MAX (UINT64_C(512) << 20)

struct resp_arg {
    uint8_t *bytes;
    uint32_t size;
};

/* Where the scan of a request that is not all there has come to.  All zero: at
 * the beginning of a request; so it is again after every result but
 * RESP_MORE. */
struct resp_scan {
    uint64_t dropped; /* bytes of this request that were used already */
    uint32_t at;      /* where the line or the body begins */
    uint32_t seen;    /* bytes of the line without its end; of a body, with its
                       * end: how many are to come */
    uint32_t count;   /* arguments of the request */
    uint32_t left;    /* those not yet scanned */
    uint32_t large;   /* bytes of the first argument that is too long, or 0 */
    uint8_t state;
    bool dropping; /* it is too long */
};

_Static_assert(sizeof(struct resp_scan) <= 32, "every connection has one");

enum resp_result { RESP_MORE, RESP_REQUEST, RESP_TOO_LONG, RESP_BROKEN };

struct resp_request {
    struct resp_arg *args;      /* the caller's, room for RESP_ARGS_MAX */
    uint32_t count;             /* 0: an empty line, "*0", "*-1": to be skipped
                            * without a reply */
    size_t used;                /* bytes that are done with */
    char error[RESP_ERROR_MAX]; /* with RESP_TOO_LONG and RESP_BROKEN: the text
                                 * of the error reply, its code included */
};

/* bytes: what has come of the request, from its first byte on, without those
 * that were reported as used.
 *
 * RESP_MORE: not all there.  used > 0 only while a request that is too long is
 *   dropped.
 * RESP_REQUEST: the arguments point into bytes; those of an inline request may
 *   have been unescaped in place.
 * RESP_TOO_LONG: a request over RESP_ARGS_MAX or RESP_REQUEST_MAX has been
 *   dropped, its last byte included; error says what it had.  The connection
 *   goes on.
 * RESP_BROKEN: nobody knows where the next request begins: answer and close. */
enum resp_result resp_parse(struct resp_scan *scan, uint8_t *bytes, size_t size,
    struct resp_request *request);

#endif
