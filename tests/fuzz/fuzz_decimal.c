/* Decimal numbers of clients: what is taken must come out the same way, and be
 * what strtoll reads. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "bytes.h"

enum { TEXT_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char text[TEXT_MAX + 1] = "";
    uint8_t again[DECIMAL_MAX];
    int64_t number = 0;
    bool overflow = false;
    bool taken = decimal_parse(bytes, size, &number, &overflow);
    assert(!taken || !overflow);
    if (size > TEXT_MAX || size == 0) {
        assert(!taken);
        return 0;
    }
    memcpy(text, bytes, size);
    errno = 0;
    long long expected = strtoll(text, NULL, 10);
    assert(overflow == false || errno == ERANGE);
    if (taken) {
        assert(errno == 0);
        assert(number == expected);
        assert(decimal_format(number, again) == size);
        assert(memcmp(again, bytes, size) == 0);
    }
    return 0;
}
