/* What peers of the Redis protocol send: the first byte tells how large the
 * parts are that the rest arrives in.  The same is found as if all had
 * arrived at once, and what the parser promises holds (resp_feed.c). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "resp_feed.h"

/* Of a long input the parts are longer too: each costs a copy of what is not
 * used yet. */
enum { PARTS_MAX = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct resp_feed feed = {.bytes = bytes + 1, .size = size - 1};
    char *whole = resp_feed(&feed);
    feed.part_max = 1 + bytes[0] + size / PARTS_MAX;
    feed.seed = size;
    char *parts = resp_feed(&feed);
    assert(strcmp(whole, parts) == 0);
    free(whole);
    free(parts);
    return 0;
}
