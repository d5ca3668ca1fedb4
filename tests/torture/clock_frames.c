/* clock_frames.c: whether time runs back in the log of a data directory:
 *
 *     clock_frames DIR
 *
 * prints "N frames, to TIME ms"; the status is 1, with a line, if a frame is
 * older than the one before, or if the log cannot be read. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "torture/damage/world.h"
#include "wal/wal.h"

struct looking {
    uint64_t frames;
    int64_t time_ms;
    uint64_t first; /* LSN of the oldest segment */
};

static int take(void *context, const struct frame *frames, uint32_t count,
    char why[WAL_WHY_MAX])
{
    struct looking *looking = context;
    for (uint32_t i = 0; i < count; i++) {
        if (frames[i].time_ms < looking->time_ms) {
            (void)snprintf(why, WAL_WHY_MAX,
                "LSN %" PRIu64 " is of %" PRId64 " ms, the one before of "
                "%" PRId64,
                frames[i].lsn, frames[i].time_ms, looking->time_ms);
            return -1;
        }
        looking->time_ms = frames[i].time_ms;
    }
    looking->frames += count;
    return 0;
}

static int note_first(void *context, const char *name)
{
    struct looking *looking = context;
    uint64_t lsn;
    if (world_name_lsn(name, "log-", &lsn)) {
        looking->first =
            looking->first == 0 ? lsn : u64_min(looking->first, lsn);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct looking looking = {.frames = 0};
    struct wal_options options = {.segment_bytes = WAL_SEGMENT_MIN};
    const struct wal_sink sink = {take, &looking};
    struct wal_end end;
    char why[WAL_WHY_MAX] = "it holds no log";
    options.directory = argc == 2 ? file_open_directory(argv[1], false) : -1;
    if (options.directory < 0) {
        (void)fprintf(stderr, "usage: clock_frames DIR\n");
        return EXIT_FAILURE;
    }
    if (file_list(options.directory, note_first, &looking) != 0 ||
        looking.first == 0 ||
        wal_find_identity(options.directory, options.identity) != 0 ||
        wal_read(&options, looking.first - 1, &sink, &end, why) != 0) {
        (void)printf("%s: %s\n", argv[1], why);
        return EXIT_FAILURE;
    }
    (void)printf("%" PRIu64 " frames, to %" PRId64 " ms\n", looking.frames,
        looking.time_ms);
    file_close(options.directory);
    return EXIT_SUCCESS;
}
