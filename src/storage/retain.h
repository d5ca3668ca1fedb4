/* retain.h: the rule by which backups and log stay; see retain.c.  Pure. */
#ifndef STORAGE_RETAIN_H
#define STORAGE_RETAIN_H

#include <stdbool.h>
#include <stdint.h>

struct retain_rule {
    uint32_t newest; /* backups that stay in any case; at least 1 */
    /* KV_LOG_KEEP: one of the two, or neither. */
    int64_t keep_ms;
    uint64_t keep_bytes;
};

struct retained {
    uint64_t lsn;
    int64_t time_ms;
    bool valid; /* a backup that is not is no anchor */
    bool kept;  /* the answer */
};

/* Decides which of count backups, the newest first, stay, and returns the LSN
 * behind which the log stays; 0: all of it. */
uint64_t retain_decide(const struct retain_rule *rule, struct retained *backups,
    uint32_t count, int64_t now_ms);

#endif
