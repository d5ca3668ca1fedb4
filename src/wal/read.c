/* read.c: the log, read from its files: for recovery, and for whoever looks at
 * a directory without opening it.  Changes nothing. */
#include "wal/segment.h"

#include "file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOKS_MAX = 1000 /* at a log that grows meanwhile */ };

struct reader {
    const struct wal_options *options;
    const struct wal_sink *sink;
    struct wal_end *end;
    char *why;
    struct segment_list list;
    struct frame *frames; /* room for WAL_GROUP_MAX */
    uint64_t expected;    /* LSN of the next frame */
    uint64_t invalid;     /* LSN of the first frame at or behind it that is not
                             valid, once that was looked for */
    bool ended;           /* a frame was not valid, or its chain not whole */
    uint32_t lists;       /* how often the list was read again */
};

/* One segment while it is read. */
struct part {
    uint32_t index;
    int fd;
    char name[WAL_NAME_MAX];
    uint64_t first_lsn;
    uint64_t limit; /* LSN behind the last frame that it can hold */
    struct segment_head head;
    bool unwritten; /* its head was never written */
};

static int damage(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int damage(struct reader *reader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->why, WAL_WHY_MAX, format, arguments);
    va_end(arguments);
    return -EUCLEAN;
}

static int failed(struct reader *reader, const char *name, int error)
{
    snprintf(
        reader->why, WAL_WHY_MAX, "cannot read %s: %s", name, strerror(-error));
    return error;
}

static int part_open(struct reader *reader, uint32_t index, struct part *part)
{
    *part = (struct part){.index = index};
    part->first_lsn = reader->list.first_lsns[index];
    segment_name(part->name, part->first_lsn);
    part->fd = file_open_read(reader->options->directory, part->name);
    if (part->fd < 0) {
        return failed(reader, part->name, part->fd);
    }
    char reason[WAL_WHY_MAX] = "";
    int error = segment_read_head(
        part->fd, reader->options->identity, &part->head, reason);
    if (error == -EUCLEAN && head_unwritten(part->fd)) {
        part->unwritten = true;
        part->head.bytes = (uint64_t)file_size(part->fd);
        error = 0;
    } else if (error == -EUCLEAN) {
        error = damage(reader, "%s: %s", part->name, reason);
    } else if (error != 0) {
        error = failed(reader, part->name, error);
    } else if (part->head.first_lsn != part->first_lsn) {
        error = damage(reader,
            "%s: its head says that it begins with LSN %" PRIu64
            ": a segment in the wrong place",
            part->name, part->head.first_lsn);
    }
    part->limit = part->first_lsn + segment_frames(part->head.bytes);
    if (error != 0) {
        file_close(part->fd);
    }
    return error;
}

/* The last segment of the list names a successor: in a log that grows it has
 * come since the list was read. */
static int list_again(struct reader *reader, struct part *part)
{
    struct segment_list *list = &reader->list;
    if (++reader->lists > LOOKS_MAX) {
        return 0;
    }
    segment_list_free(list);
    int error = segment_list_read(reader->options->directory, list);
    if (error != 0) {
        return failed(reader, "the data directory", error);
    }
    part->index = 0;
    while (part->index < list->count &&
           list->first_lsns[part->index] < part->first_lsn) {
        part->index++;
    }
    if (part->index == list->count ||
        list->first_lsns[part->index] != part->first_lsn) {
        return failed(reader, part->name, -ENOENT);
    }
    return 0;
}

/* Which segment must follow, and whether it is there. */
static int part_check_next(struct reader *reader, struct part *part)
{
    const struct segment_list *list = &reader->list;
    if (part->index + 1 == list->count && part->head.next_lsn != 0) {
        int error = list_again(reader, part);
        if (error != 0) {
            return error;
        }
    }
    bool last = part->index + 1 == list->count;
    uint64_t next = last ? 0 : list->first_lsns[part->index + 1];
    uint64_t named = part->head.next_lsn;
    uint64_t missing = 0;
    if (named != 0 && named != next) {
        missing = named;
    } else if (!last && next > part->limit) {
        missing = part->limit;
    }
    if (missing != 0) {
        return damage(reader,
            "the segment with LSN %" PRIu64 " is missing: it should follow %s",
            missing, part->name);
    }
    if (!last) {
        part->limit = next;
    }
    return 0;
}

static int deliver(struct reader *reader, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (frame_verb(&reader->frames[i]) != VERB_MARK) {
            reader->end->data_lsn = reader->frames[i].lsn;
        }
    }
    reader->end->frames += count;
    return count == 0 || reader->sink->take == NULL
               ? 0
               : reader->sink->take(
                     reader->sink->context, reader->frames, count, reader->why);
}

/* Reads the frames of a segment up to its limit, or to where the log ends. */
static int part_read(struct reader *reader, struct part *part)
{
    while (reader->expected < part->limit && !reader->ended) {
        uint64_t want = u64_min(part->limit - reader->expected, WAL_GROUP_MAX);
        int64_t got = file_read_at(part->fd, reader->frames, want * FRAME_SIZE,
            segment_offset(part->first_lsn, reader->expected));
        if (got < 0) {
            return failed(reader, part->name, (int)got);
        }
        uint32_t valid = 0;
        uint32_t whole = 0;
        while (valid < (uint64_t)got / FRAME_SIZE &&
               frame_valid(&reader->frames[valid], reader->expected + valid)) {
            valid++;
            whole = frame_linked(&reader->frames[valid - 1]) ? whole : valid;
        }
        if (valid - whole > WAL_CHAIN_MAX) {
            return damage(reader,
                "%s: a chain of more than %d frames begins at LSN %" PRIu64,
                part->name, WAL_CHAIN_MAX, reader->expected + whole);
        }
        int error = deliver(reader, whole);
        if (error != 0) {
            return error;
        }
        reader->ended = valid < want || whole == 0;
        reader->expected += whole;
    }
    return 0;
}

/* True if somebody began to write a frame at offset.  What the file held in an
 * earlier use begins at the next page, or is a frame of its own. */
static bool frame_begun(const struct frame *frame, uint64_t offset)
{
    uint64_t here = u64_min(
        DISK_PAGE - offset % DISK_PAGE, offsetof(struct frame, message));
    return !bytes_all_zero((const uint8_t *)frame, here) &&
           frame->crc != frame_crc(frame);
}

/* Looks for valid frames at or behind the end, and for what they say. */
static int part_judge(struct reader *reader, const struct part *part)
{
    struct wal_end *end = reader->end;
    uint64_t lsn = u64_max(reader->expected, part->first_lsn);
    end->durable = u64_max(end->durable, part->head.durable);
    if (part->head.next_lsn != 0) {
        end->durable = u64_max(end->durable, part->head.next_lsn - 1);
    }
    while (lsn < part->limit) {
        uint64_t want = u64_min(part->limit - lsn, WAL_GROUP_MAX);
        int64_t got = file_read_at(part->fd, reader->frames, want * FRAME_SIZE,
            segment_offset(part->first_lsn, lsn));
        if (got < 0) {
            return failed(reader, part->name, (int)got);
        }
        for (uint64_t i = 0; i < (uint64_t)got / FRAME_SIZE; i++) {
            const struct frame *frame = &reader->frames[i];
            if (!frame_valid(frame, lsn + i)) {
                reader->invalid = u64_min(reader->invalid, lsn + i);
                end->torn = end->torn ||
                            (lsn + i == reader->expected &&
                                frame_begun(frame,
                                    segment_offset(part->first_lsn, lsn + i)));
                continue;
            }
            end->cut_frames++;
            if (part->first_lsn == end->first_lsn) {
                end->cut_lsn = lsn + i;
            }
            if (frame_verb(frame) == VERB_MARK) {
                end->durable = u64_max(end->durable, (uint64_t)frame->arg);
            }
        }
        lsn += want;
    }
    return 0;
}

/* The log ends before reader->expected, in part: is that what a crash leaves,
 * or damage? */
static int judge(struct reader *reader, const struct part *part)
{
    char chain[64] = "";
    reader->invalid = UINT64_MAX;
    reader->end->cut_lsn = reader->expected - 1;
    int error = part_judge(reader, part);
    for (uint32_t i = part->index + 1; i < reader->list.count && error == 0;
         i++) {
        struct part later;
        error = part_open(reader, i, &later);
        if (error == 0) {
            error = part_judge(reader, &later);
            file_close(later.fd);
        }
    }
    if (error != 0 || reader->end->durable < reader->expected) {
        return error;
    }
    /* Of a chain, those before it are whole, but do not count without it. */
    uint64_t lsn = u64_min(reader->invalid, part->limit - 1);
    if (lsn > reader->expected) {
        snprintf(chain, sizeof chain, ", in the chain from LSN %" PRIu64 " on",
            reader->expected);
    } else {
        lsn = reader->expected;
    }
    return damage(reader,
        "%s: the frame with LSN %" PRIu64 " at offset %" PRIu64
        " is damaged%s: the log was durable up to LSN %" PRIu64,
        part->name, lsn, segment_offset(part->first_lsn, lsn), chain,
        reader->end->durable);
}

/* A segment without a head ends the log in the one before it, unless that one
 * says that it was durable. */
static int part_unwritten(struct reader *reader, const struct part *part)
{
    struct part before;
    reader->ended = true;
    if (part->index == 0) {
        return !reader->options->begun
                   ? 0
                   : damage(reader,
                         "%s: its head is gone, and the log begins there",
                         part->name);
    }
    int error = part_open(reader, part->index - 1, &before);
    if (error != 0) {
        return error;
    }
    file_close(before.fd);
    error = part_check_next(reader, &before);
    if (error != 0) {
        return error;
    }
    reader->end->first_lsn = before.first_lsn;
    if (before.unwritten) {
        /* Reading began behind it: a backup says that it was durable. */
        return damage(reader, "%s: its head is gone, and so is that of %s",
            before.name, part->name);
    }
    return before.head.next_lsn != part->first_lsn
               ? 0
               : damage(reader,
                     "%s: its head is gone, but %s says that it was durable",
                     part->name, before.name);
}

/* The log ends in part, unless it grows while it is read: what has come since
 * makes marks behind the end that are no sign of damage. */
static int part_end(struct reader *reader, struct part *part)
{
    uint64_t expected;
    uint32_t looks = 0;
    int error;
    do {
        expected = reader->expected;
        reader->why[0] = '\0';
        reader->end->cut_frames = 0;
        reader->end->torn = false;
        error = judge(reader, part);
        if (error == -EUCLEAN && !part->unwritten) {
            reader->ended = false;
            int more = part_read(reader, part);
            error = more != 0 ? more : error;
        }
    } while (error == -EUCLEAN && reader->expected > expected &&
             ++looks < LOOKS_MAX);
    return error;
}

/* Reads segment number *index, which may have another number then.  *last: the
 * log ends in or before it. */
static int read_part(struct reader *reader, uint32_t *index, bool *last)
{
    struct part part;
    int error = part_open(reader, *index, &part);
    if (error != 0) {
        return error;
    }
    error = part_check_next(reader, &part);
    if (error == 0 && part.unwritten) {
        error = part_unwritten(reader, &part);
    } else if (error == 0) {
        reader->end->first_lsn = part.first_lsn;
        error = part_read(reader, &part);
    }
    *index = part.index;
    *last = reader->ended || part.index + 1 == reader->list.count;
    if (error == 0 && *last) {
        error = part_end(reader, &part);
    }
    file_close(part.fd);
    return error;
}

/* Number of the segment in which lsn stands, or of the first. */
static uint32_t segment_of(const struct segment_list *list, uint64_t lsn)
{
    uint32_t index = list->count - 1;
    while (index > 0 && list->first_lsns[index] > lsn) {
        index--;
    }
    return index;
}

/* Nothing was read, so the log ends before a backup or with it.  It was durable
 * up to from when the backup was written: one that ends before is of an earlier
 * time.  A frame that is damaged may have stood there: the backup has it. */
static int check_from(struct reader *reader, uint64_t from)
{
    struct part part;
    struct frame frame = {.lsn = 0};
    uint32_t index = segment_of(&reader->list, from + 1);
    uint64_t first_lsn = reader->list.first_lsns[index];
    if (first_lsn > from) {
        return 0;
    }
    int error = part_open(reader, index, &part);
    if (error != 0) {
        return error;
    }
    int64_t got = file_read_at(
        part.fd, &frame, sizeof frame, segment_offset(first_lsn, from));
    file_close(part.fd);
    if (got < 0) {
        return failed(reader, part.name, (int)got);
    }
    bool none = got < FRAME_SIZE ||
                bytes_all_zero((void *)&frame, FRAME_SIZE) ||
                (frame.lsn != from && frame.crc == frame_crc(&frame));
    return !none ? 0
                 : damage(reader,
                       "%s: it ends before LSN %" PRIu64 " at offset %" PRIu64
                       ", which a backup holds: it is of an earlier time",
                       part.name, from, segment_offset(first_lsn, from));
}

static int read_all(struct reader *reader, uint64_t from)
{
    const struct segment_list *list = &reader->list;
    if (list->count == 0) {
        return !reader->options->begun
                   ? 0
                   : damage(reader,
                         "there is no log, but there was one: what was "
                         "written to it is missing; put the files log-* back");
    }
    if (list->first_lsns[0] > from + 1) {
        return damage(reader,
            "the segment with LSN %" PRIu64
            " is missing: the log begins with LSN %" PRIu64,
            from + 1, list->first_lsns[0]);
    }
    uint32_t index = segment_of(list, from + 1);
    bool last = false;
    int error = segment_room(reader->options->directory,
        list->first_lsns[list->count - 1], &reader->end->room_lsn);
    if (error != 0) {
        return failed(reader, "the newest segment", error);
    }
    for (; error == 0 && !last; index++) {
        error = read_part(reader, &index, &last);
    }
    return error == 0 && reader->end->frames == 0 ? check_from(reader, from)
                                                  : error;
}

int wal_read(const struct wal_options *options, uint64_t from,
    const struct wal_sink *sink, struct wal_end *end, char why[WAL_WHY_MAX])
{
    struct reader reader = {
        .options = options,
        .sink = sink,
        .end = end,
        .why = why,
        .frames = malloc(WAL_GROUP_MAX * sizeof(struct frame)),
        .expected = from + 1,
    };
    *end = (struct wal_end){.durable = options->durable};
    why[0] = '\0';
    if (reader.frames == NULL) {
        return failed(&reader, "the log", -ENOMEM);
    }
    int error = segment_list_read(options->directory, &reader.list);
    if (error != 0) {
        error = failed(&reader, "the data directory", error);
    } else {
        end->segments = reader.list.count;
        error = read_all(&reader, from);
    }
    end->lsn = reader.expected - 1;
    segment_list_free(&reader.list);
    free(reader.frames);
    return error;
}
