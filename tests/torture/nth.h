/* nth.h: what the row nth and the library in its server share. */
#ifndef NTH_H
#define NTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define NTH_FILE "NTH_FILE" /* path of a file that holds what follows */

struct nth_shared {
    uint64_t nth;        /* 0: never */
    bool afterwards;     /* the call takes effect before the end */
    _Atomic bool paused; /* not now: the next one after this */
    _Atomic uint64_t calls;
    _Atomic bool struck;
    _Atomic uint32_t kind; /* of the call that it struck */
};

#endif
