#include "wal/salvage.h"
#include "wal/segment.h"

#include "file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(char why[WAL_WHY_MAX], const char *name, int error)
{
    (void)snprintf(
        why, WAL_WHY_MAX, "cannot read %s: %s", name, strerror(-error));
    return error;
}

/* ---- Segments ------------------------------------------------------------ */

void salvage_name(char name[WAL_NAME_MAX], uint64_t first_lsn)
{
    segment_name(name, first_lsn);
}

/* What a head that is not as it should be tells all the same. */
static int classify(const struct salvage *salvage, int fd,
    struct salvage_segment *segment, bool *strange, char why[WAL_WHY_MAX])
{
    uint8_t identity[WAL_IDENTITY_SIZE];
    segment->headless = true;
    if (!head_intact(fd)) {
        return 0;
    }
    int error = segment_identity(fd, identity);
    if (error == -EUCLEAN) {
        (void)snprintf(why, WAL_WHY_MAX,
            "%s has a head that is whole, but not known here: another version "
            "wrote it, and must repair it",
            segment->name);
        return -EPROTONOSUPPORT;
    }
    *strange = error == 0 && memcmp(identity, salvage->options.identity,
                                 WAL_IDENTITY_SIZE) != 0;
    return error == 0 ? 0 : failed(why, segment->name, error);
}

static int look_at(const struct salvage *salvage, int fd,
    struct salvage_segment *segment, bool *strange, char why[WAL_WHY_MAX])
{
    char reason[WAL_WHY_MAX];
    struct segment_head head;
    int64_t size = file_size(fd);
    if (size < 0) {
        return failed(why, segment->name, (int)size);
    }
    segment->bytes = (uint64_t)size;
    segment->limit = segment->first_lsn;
    if (segment->bytes > DISK_PAGE) {
        segment->limit += segment_frames(segment->bytes);
    }
    *strange = false;
    int error = segment_read_head(fd, salvage->options.identity, &head, reason);
    if (error == -EUCLEAN) {
        return classify(salvage, fd, segment, strange, why);
    }
    if (error == -EIO) {
        segment->headless = true;
        return 0;
    }
    if (error != 0) {
        return failed(why, segment->name, error);
    }
    *strange = head.first_lsn != segment->first_lsn;
    segment->durable = head.durable;
    segment->next_lsn = head.next_lsn;
    return 0;
}

static int add_segment(
    struct salvage *salvage, uint64_t first_lsn, char why[WAL_WHY_MAX])
{
    bool strange = false;
    struct salvage_segment segment = {.first_lsn = first_lsn};
    segment_name(segment.name, first_lsn);
    int fd = file_open_read(salvage->options.directory, segment.name);
    if (fd < 0) {
        return failed(why, segment.name, fd);
    }
    int error = look_at(salvage, fd, &segment, &strange, why);
    file_close(fd);
    if (error != 0) {
        return error;
    }
    if (strange) {
        salvage->strange[salvage->strange_count++] = segment;
        return 0;
    }
    if (salvage->count > 0) {
        struct salvage_segment *before = &salvage->segments[salvage->count - 1];
        before->limit = u64_min(before->limit, first_lsn);
    }
    salvage->segments[salvage->count++] = segment;
    return 0;
}

int salvage_open(struct salvage *salvage, const struct wal_options *options,
    char why[WAL_WHY_MAX])
{
    struct segment_list list;
    *salvage = (struct salvage){.options = *options};
    int error = segment_list_read(options->directory, &list);
    if (error != 0) {
        return failed(why, "the data directory", error);
    }
    salvage->frames = malloc(WAL_GROUP_MAX * sizeof *salvage->frames);
    salvage->segments = calloc(list.count + 1, sizeof *salvage->segments);
    salvage->strange = calloc(list.count + 1, sizeof *salvage->strange);
    if (salvage->frames == NULL || salvage->segments == NULL ||
        salvage->strange == NULL) {
        error = failed(why, "the log", -ENOMEM);
    }
    for (uint32_t i = 0; i < list.count && error == 0; i++) {
        error = add_segment(salvage, list.first_lsns[i], why);
    }
    segment_list_free(&list);
    return error;
}

void salvage_close(struct salvage *salvage)
{
    free(salvage->frames);
    free(salvage->segments);
    free(salvage->strange);
    *salvage = (struct salvage){0};
}

uint32_t salvage_find(const struct salvage *salvage, uint64_t lsn)
{
    uint32_t index = salvage->count;
    while (index > 0 && salvage->segments[index - 1].first_lsn > lsn) {
        index--;
    }
    return index == 0 ? salvage->count : index - 1;
}

uint64_t salvage_claimed(const struct salvage *salvage)
{
    uint64_t claimed = 0;
    for (uint32_t i = 0; i < salvage->count; i++) {
        const struct salvage_segment *segment = &salvage->segments[i];
        uint64_t next_lsn = u64_max(segment->next_lsn, segment->first_lsn);
        claimed = u64_max(claimed, u64_max(segment->durable, next_lsn - 1));
    }
    return claimed;
}

/* ---- Frames -------------------------------------------------------------- */

/* Reads up to WAL_GROUP_MAX frames from LSN lsn on, to the segment's limit;
 * where the disk cannot, zeros, which are no frame.  Returns how many. */
static int64_t read_frames(const struct salvage *salvage, int fd,
    const struct salvage_segment *segment, uint64_t lsn)
{
    uint64_t want = u64_min(segment->limit - lsn, WAL_GROUP_MAX);
    uint64_t offset = segment_offset(segment->first_lsn, lsn);
    memset(salvage->frames, 0, want * FRAME_SIZE);
    int64_t got = file_read_at(fd, salvage->frames, want * FRAME_SIZE, offset);
    for (uint64_t i = 0; got == -EIO && i < want; i++) {
        struct frame *frame = &salvage->frames[i];
        if (file_read_at(fd, frame, FRAME_SIZE, offset + i * FRAME_SIZE) < 0) {
            memset(frame, 0, FRAME_SIZE);
        }
    }
    return got < 0 && got != -EIO ? got : (int64_t)want;
}

/* How many of the want frames that were read, the first of LSN lsn, are valid
 * and have their whole chain; *all: there is none that is not valid. */
static uint32_t count_whole(
    const struct salvage *salvage, uint64_t lsn, uint32_t want, bool *all)
{
    uint32_t valid = 0;
    uint32_t whole = 0;
    while (valid < want && frame_valid(&salvage->frames[valid], lsn + valid)) {
        valid++;
        whole = frame_linked(&salvage->frames[valid - 1]) ? whole : valid;
    }
    *all = valid == want;
    return whole;
}

/* Goes on behind *last to the end of the segment, or of what is sound. */
static int reach_through(const struct salvage *salvage, int fd,
    const struct salvage_segment *segment, const struct wal_sink *sink,
    uint64_t *last, char why[WAL_WHY_MAX])
{
    bool goes_on = true;
    while (goes_on && *last + 1 < segment->limit) {
        int64_t want = read_frames(salvage, fd, segment, *last + 1);
        if (want < 0) {
            return failed(why, segment->name, (int)want);
        }
        uint32_t whole =
            count_whole(salvage, *last + 1, (uint32_t)want, &goes_on);
        int error =
            whole == 0 ? 0
                       : sink->take(sink->context, salvage->frames, whole, why);
        if (error != 0) {
            return error;
        }
        goes_on = goes_on && whole > 0;
        *last += whole;
    }
    return 0;
}

static int open_segment(const struct salvage *salvage,
    const struct salvage_segment *segment, char why[WAL_WHY_MAX])
{
    int fd = file_open_read(salvage->options.directory, segment->name);
    return fd < 0 ? failed(why, segment->name, fd) : fd;
}

int salvage_reach(struct salvage *salvage, uint64_t from,
    const struct wal_sink *sink, uint64_t *last, char why[WAL_WHY_MAX])
{
    int error = 0;
    *last = from;
    for (uint32_t i = salvage_find(salvage, from + 1);
         i < salvage->count && error == 0; i++) {
        const struct salvage_segment *segment = &salvage->segments[i];
        if (segment->first_lsn > *last + 1) {
            break;
        }
        int fd = open_segment(salvage, segment, why);
        error =
            fd < 0 ? fd : reach_through(salvage, fd, segment, sink, last, why);
        file_close(fd < 0 ? -1 : fd);
    }
    return error;
}

static int hand_valid(const struct salvage *salvage, int fd,
    const struct salvage_segment *segment, uint64_t lsn,
    const struct wal_sink *sink, char why[WAL_WHY_MAX])
{
    int error = 0;
    while (error == 0 && lsn < segment->limit) {
        int64_t want = read_frames(salvage, fd, segment, lsn);
        if (want < 0) {
            return failed(why, segment->name, (int)want);
        }
        for (uint32_t i = 0; error == 0 && i < (uint32_t)want; i++) {
            const struct frame *frame = &salvage->frames[i];
            if (frame_valid(frame, lsn + i)) {
                error = sink->take(sink->context, frame, 1, why);
            }
        }
        lsn += (uint64_t)want;
    }
    return error;
}

int salvage_behind(struct salvage *salvage, uint64_t lsn,
    const struct wal_sink *sink, char why[WAL_WHY_MAX])
{
    int error = 0;
    for (uint32_t i = 0; i < salvage->count && error == 0; i++) {
        const struct salvage_segment *segment = &salvage->segments[i];
        if (segment->limit <= lsn + 1) {
            continue;
        }
        int fd = open_segment(salvage, segment, why);
        error = fd < 0 ? fd
                       : hand_valid(salvage, fd, segment,
                             u64_max(segment->first_lsn, lsn + 1), sink, why);
        file_close(fd < 0 ? -1 : fd);
    }
    return error;
}

/* ---- Writing ------------------------------------------------------------- */

static int copy_frames(const struct salvage *salvage, int fd,
    const struct salvage_segment *segment, int source, uint64_t last)
{
    int error = 0;
    uint64_t lsn = segment->first_lsn;
    while (error == 0 && lsn < segment->limit && lsn <= last) {
        int64_t got = read_frames(salvage, source, segment, lsn);
        if (got < 0) {
            return (int)got;
        }
        uint64_t part = u64_min((uint64_t)got, last + 1 - lsn);
        error = file_write_at(fd, salvage->frames, part * FRAME_SIZE,
            segment_offset(segment->first_lsn, lsn));
        lsn += part;
    }
    return error;
}

/* A segment with the frames of the one that is open as source, if any. */
static int make(const struct salvage *salvage,
    const struct salvage_segment *segment, int source, uint64_t last,
    const struct salvage_target *target)
{
    struct segment_head head = {
        .first_lsn = segment->first_lsn,
        .durable = segment->durable,
        .bytes =
            u64_max(u64_round_up(segment->bytes, DISK_PAGE), WAL_SEGMENT_MIN),
    };
    int fd = segment_make(target->into, target->name, head.bytes);
    if (fd < 0) {
        return fd;
    }
    int error =
        source < 0 ? 0 : copy_frames(salvage, fd, segment, source, last);
    if (error == 0) {
        error = segment_write_head(fd, salvage->options.identity, &head);
    }
    if (error == 0) {
        error = file_sync(fd);
    }
    file_close(fd);
    return error;
}

int salvage_rewrite(struct salvage *salvage, uint32_t index, uint64_t last,
    const struct salvage_target *target)
{
    const struct salvage_segment *segment = &salvage->segments[index];
    int source = file_open_read(salvage->options.directory, segment->name);
    if (source < 0) {
        return source;
    }
    int error = make(salvage, segment, source, last, target);
    file_close(source);
    return error;
}

int salvage_begin(const struct salvage *salvage, uint64_t first_lsn,
    const struct salvage_target *target)
{
    struct salvage_segment segment = {.first_lsn = first_lsn};
    return make(salvage, &segment, -1, 0, target);
}

/* ---- Whose it is --------------------------------------------------------- */

int salvage_identities(int directory,
    int (*take)(void *context, const uint8_t identity[WAL_IDENTITY_SIZE]),
    void *context)
{
    struct segment_list list;
    int result = segment_list_read(directory, &list);
    for (uint32_t i = 0; result == 0 && i < list.count; i++) {
        char name[WAL_NAME_MAX];
        uint8_t identity[WAL_IDENTITY_SIZE];
        segment_name(name, list.first_lsns[i]);
        int fd = file_open_read(directory, name);
        if (fd >= 0 && segment_identity(fd, identity) == 0) {
            result = take(context, identity);
        }
        file_close(fd < 0 ? -1 : fd);
    }
    segment_list_free(&list);
    return result;
}
