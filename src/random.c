#include "random.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { AHEAD = 32 /* numbers */ };

/* The kernel hands out up to 256 bytes whole, once it has been seeded; before
 * that it waits. */
_Static_assert(AHEAD * sizeof(uint64_t) <= 256, "never interrupted");

uint64_t random_next(void)
{
    static _Thread_local uint64_t numbers[AHEAD];
    static _Thread_local unsigned left;
    if (left == 0) {
        ssize_t got;
        do {
            got = getrandom(numbers, sizeof numbers, 0);
        } while (got < 0 && errno == EINTR);
        assert(got == (ssize_t)sizeof numbers);
        left = AHEAD;
    }
    return numbers[--left];
}

/* Numbers below the remainder of 2^64 by limit are drawn again: what is left is
 * a multiple of limit. */
uint64_t random_below(uint64_t limit)
{
    assert(limit > 0);
    uint64_t surplus = (UINT64_MAX - limit + 1) % limit;
    uint64_t number;
    do {
        number = random_next();
    } while (number < surplus);
    return number % limit;
}

void random_fill(void *bytes, size_t size)
{
    uint8_t *to = bytes;
    while (size > 0) {
        uint64_t number = random_next();
        size_t part = size < sizeof number ? size : sizeof number;
        memcpy(to, &number, part);
        to += part;
        size -= part;
    }
}
