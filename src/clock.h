/* clock.h: what time it is. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970, as the machine's clock says: may run back. */
int64_t clock_wall_ms(void);
/* From an arbitrary beginning, never runs back. */
int64_t clock_steady_ms(void);
int64_t clock_steady_ns(void);
/* clock_steady_ms of the kernel's last tick, up to 10 ms ago: much cheaper. */
int64_t clock_coarse_ms(void);

#endif
