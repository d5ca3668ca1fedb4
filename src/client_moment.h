/* client_moment.h: a moment in a store's history as people write it:
 *
 *     123456                           after the frame with this LSN
 *     2026-11-21T12:00:00              local time, with up to three digits of
 *     2026-11-21T12:00:00.250+01:00    a second if wanted, and another zone:
 *     2026-11-21T11:00:00Z             what was written up to then
 *     @1795258800000                   the same, in milliseconds since 1970
 *     -10m                             before now, as --ttl takes it
 *
 * Pure but for the local time zone. */
#ifndef CLIENT_MOMENT_H
#define CLIENT_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/storage.h"

#define MOMENT_FORMS                                                           \
    "an LSN, a time such as 2026-11-21T12:00:00[.250][Z|+01:00], "             \
    "@MILLISECONDS "                                                           \
    "since 1970, or -10m before now"

/* False if text is no moment, or one that has yet to come. */
bool moment_parse(
    const char *text, int64_t now_ms, struct storage_moment *moment);

/* A time in a form that moment_parse takes: local, with its zone.  Returns
 * text. */
enum { MOMENT_TEXT_MAX = 64 };
const char *moment_text(int64_t time_ms, char text[MOMENT_TEXT_MAX]);

#endif
