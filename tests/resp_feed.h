/* resp_feed.h: feeds the parser of the Redis protocol as a connection would,
 * in one piece or in parts, and writes down what it found, so that it can be
 * compared.
 *
 *     [SET][k][v]    a request; bytes that are not printable as \xHH, an
 *                    argument of more than RESP_FEED_LONG bytes as size, colon
 *                    and checksum
 *     []             one without arguments
 *     (ERR ...)      one that was too long, and was dropped
 *     {ERR ...}      the end of the connection
 *     ~              at the end: something is not all there
 *
 * What the parser promises besides is checked by assert. */
#ifndef RESP_FEED_H
#define RESP_FEED_H

#include "buffer.h"

enum { RESP_FEED_LONG = 64, RESP_FEED_MAX = 64 << 20 };

struct resp_feed {
    const void *bytes;
    size_t size;
    size_t part_max; /* parts have 1..part_max bytes; 0: all in one piece */
    uint64_t seed;   /* of their sizes */
};

/* What was found as a C string, which is the caller's to free. */
char *resp_feed(const struct resp_feed *feed);

#endif
