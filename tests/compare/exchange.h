/* exchange.h: what a request and its reply are in each protocol.
 *
 * All requests of a run are of one form: a key of 16 bytes, "key:" and a number
 * of 12 digits, as redis-benchmark -r makes them, and a value of one size whose
 * first 8 letters tell the number.  So both ways are templates in which a
 * number changes, and a reply's length is known once its first bytes are there:
 * the generator costs little, and still looks at every reply.
 *
 * An exchange knows no socket and no clock. */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EXCHANGE_MAX = 512, /* bytes of a request, and of a reply */
    EXCHANGE_STAMP = 8, /* the least size of a value */
    EXCHANGE_NUMBERS = 100000000
};

enum exchange_kind { EXCHANGE_GET, EXCHANGE_SET, EXCHANGE_KINDS };

struct exchange_text {
    uint8_t bytes[EXCHANGE_MAX];
    size_t size;
    size_t head;     /* so many bytes at the front never change */
    size_t key_at;   /* 0: no key in it */
    size_t value_at; /* 0: no value in it */
};

struct exchange {
    struct exchange_text request;
    struct exchange_text hit;
    struct exchange_text miss; /* size 0: there is none */
};

/* False: no such protocol (native, resp, meta, memcached), or no such size. */
bool exchange_make(struct exchange exchanges[EXCHANGE_KINDS],
    const char *protocol, size_t value_size);

/* Writes the request for a number, less than EXCHANGE_NUMBERS; its size. */
size_t exchange_request(
    const struct exchange *exchange, uint8_t *to, uint64_t number);

enum exchange_found { EXCHANGE_HIT, EXCHANGE_MISS, EXCHANGE_OTHER };

/* The reply to that request at the front of size bytes: its length, 0 if it is
 * not all there yet.  EXCHANGE_OTHER: what is there is no such reply. */
size_t exchange_reply(const struct exchange *exchange, uint64_t number,
    const uint8_t *bytes, size_t size, enum exchange_found *found);

#endif
