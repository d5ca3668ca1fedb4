/* stats.h: the counters and gauges, one table.  A struct stats belongs to one
 * thread or stands under its owner's lock; sums are made by stats_add. */
#ifndef STATS_H
#define STATS_H

#include <stddef.h>
#include <stdint.h>

/* field, what it tells */
#define STATS_MAP(X)                                                           \
    X(uptime_s, "seconds since the server started")                            \
    X(connections, "connections open now")                                     \
    X(connections_accepted, "connections accepted since the start")            \
    X(connections_refused, "connections told BUSY since the start")            \
    X(connections_idle, "connections closed by KV_IDLE_TIMEOUT")               \
    X(connections_slow, "connections closed by KV_REQUEST_TIMEOUT")            \
    X(connections_shed, "connections closed for the memory they held")         \
    X(bytes_held, "bytes held of unfinished requests and replies not taken")   \
    X(requests, "requests answered since the start")                           \
    X(requests_invalid, "of these, malformed")                                 \
    X(bytes_received, "bytes received since the start")                        \
    X(bytes_sent, "bytes sent since the start")                                \
    X(records, "records held, with those expired and not yet swept")           \
    X(members, "of these, parts of lists and sets: no keys of their own")      \
    X(capacity, "records that fit")                                            \
    X(buckets, "buckets of the table in use")                                  \
    X(overflow_buckets, "overflow buckets in use")                             \
    X(expired, "expired records removed since the start")                      \
    X(sweep_cycle_ms, "how long the sweep takes for the whole table")          \
    X(commits, "group commits since the start")                                \
    X(frames, "frames written to the log since the start")                     \
    X(syncs, "syncs of the log since the start")                               \
    X(lsn, "LSN of the last frame applied")                                    \
    X(lsn_durable, "LSN up to which the log is known to be on disk")           \
    X(log_bytes, "bytes of log since the last backup")                         \
    X(log_segments, "segments of the log on disk")                             \
    X(log_kept_bytes, "bytes of log that KV_LOG_KEEP alone keeps")             \
    X(log_kept_segments, "segments of the log that KV_LOG_KEEP alone keeps")   \
    X(backups, "backups written since the start")                              \
    X(backup_lsn, "LSN of the newest backup")                                  \
    X(backup_records, "records in the newest backup")                          \
    X(backup_ms, "how long the newest backup took")                            \
    X(backup_time_s, "when the newest backup was begun, seconds since 1970")   \
    X(backup_writing, "1 while a backup is written, or asked for")             \
    X(backup_failed, "1 if the last one begun failed")                         \
    X(backup_failures, "backups that failed since the start")                  \
    X(read_only, "1 while writes are refused")                                 \
    X(write_failures, "failed writes to the log since the start")              \
    X(disk_silent_ms, "how long the disk has not answered by now; 0: it has")  \
    X(stalls, "times that it was silent until writes were told BUSY")          \
    X(writes_busy, "writes told BUSY for that since the start")                \
    X(recovery_ms, "how long recovery took at the start")                      \
    X(recovery_frames, "frames of the log that recovery applied")

struct stats {
#define X(field, text) uint64_t field;
    STATS_MAP(X)
#undef X
};

enum { STATS_COUNT = sizeof(struct stats) / sizeof(uint64_t) };

/* Adds each figure of part to sum. */
void stats_add(struct stats *sum, const struct stats *part);
/* Name, text and value of figure index, 0..STATS_COUNT-1. */
const char *stats_name(size_t index);
const char *stats_text(size_t index);
uint64_t stats_value(const struct stats *stats, size_t index);

#endif
