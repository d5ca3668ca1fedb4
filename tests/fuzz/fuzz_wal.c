/* Files of a log: the first byte tells whether the rest is the beginning of a
 * segment, byte by byte, or a script that makes segments and frames, valid and
 * not.  Whatever they hold, reading delivers valid frames in order and whole
 * chains, or refuses with a sentence; a log that is read can be opened, goes
 * on, and is then read to its end. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "file.h"
#include "wal/segment.h"
#include "wal/wal.h"

enum { PATH_MAX_HERE = 256, FRAMES_MAX = 300, SEGMENTS_MAX = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* ---- The files ---------------------------------------------------------- */

struct maker {
    int directory;
    const uint8_t *bytes; /* what is left of the script */
    size_t size;
    uint64_t lsn; /* of the next frame */
    uint64_t first_lsn;
    int fd; /* the segment that is being made */
    unsigned segments;
};

static uint8_t next_byte(struct maker *maker)
{
    if (maker->size == 0) {
        return 0;
    }
    maker->size--;
    return *maker->bytes++;
}

static void open_segment(struct maker *maker)
{
    char name[WAL_NAME_MAX];
    segment_name(name, maker->lsn);
    file_close(maker->fd);
    maker->fd = file_create(maker->directory, name);
    assert(maker->fd >= 0);
    maker->first_lsn = maker->lsn;
    maker->segments++;
    int error = file_truncate(maker->fd, WAL_SEGMENT_MIN);
    assert(error == 0);
}

static void begin_segment(struct maker *maker)
{
    static const uint8_t identity[WAL_IDENTITY_SIZE];
    struct segment_head head = {.bytes = WAL_SEGMENT_MIN};
    if (maker->segments == SEGMENTS_MAX) {
        return;
    }
    maker->lsn += next_byte(maker) % 8;
    open_segment(maker);
    head.first_lsn = maker->lsn + (next_byte(maker) == 1 ? 1 : 0);
    head.durable = next_byte(maker);
    head.next_lsn = next_byte(maker);
    if (next_byte(maker) != 0) {
        int error = segment_write_head(maker->fd, identity, &head);
        assert(error == 0);
    }
}

static void put_frame(struct maker *maker, uint64_t lsn)
{
    struct frame frame = {.lsn = lsn, .time_ms = 1000};
    frame.message.type = next_byte(maker);
    frame.arg = next_byte(maker);
    frame.message.key[0] = next_byte(maker);
    frame.crc = frame_crc(&frame);
    int error = file_write_at(maker->fd, &frame, sizeof frame,
        segment_offset(maker->first_lsn, maker->lsn));
    assert(error == 0);
    maker->lsn++;
}

static void put_bytes(struct maker *maker)
{
    uint64_t offset = next_byte(maker);
    offset = offset << 8 | next_byte(maker);
    const uint8_t byte = next_byte(maker);
    int error = file_write_at(maker->fd, &byte, 1, offset);
    assert(error == 0);
}

static void follow_script(struct maker *maker)
{
    begin_segment(maker);
    while (maker->size > 0 && maker->lsn < FRAMES_MAX) {
        switch (next_byte(maker) % 8) {
        case 4: /* nothing stands there */
            maker->lsn++;
            break;
        case 5:
            begin_segment(maker);
            break;
        case 6: /* one of an earlier use of the file */
            put_frame(maker, maker->lsn / 2);
            break;
        case 7:
            put_bytes(maker);
            break;
        default:
            put_frame(maker, maker->lsn);
            break;
        }
    }
}

static void make_files(int directory, const uint8_t *bytes, size_t size)
{
    struct maker maker = {
        .directory = directory,
        .bytes = bytes + 1,
        .size = size - 1,
        .lsn = 1,
        .fd = -1,
    };
    if (bytes[0] % 2 == 0) {
        open_segment(&maker);
        int error = file_write_at(maker.fd, maker.bytes, maker.size, 0);
        assert(error == 0);
    } else {
        follow_script(&maker);
    }
    file_close(maker.fd);
}

static int remove_entry(void *context, const char *name)
{
    return file_remove(*(const int *)context, name);
}

/* ---- Reading ------------------------------------------------------------ */

static int take(void *context, const struct frame *frames, uint32_t count,
    char why[WAL_WHY_MAX]) // NOLINT(readability-non-const-parameter)
{
    uint64_t *lsn = context;
    (void)why;
    assert(count > 0 && count <= WAL_GROUP_MAX);
    for (uint32_t i = 0; i < count; i++) {
        assert(frame_valid(&frames[i], ++*lsn));
    }
    assert(!frame_linked(&frames[count - 1]));
    return 0;
}

static int read_log(
    const struct wal_options *options, uint64_t from, struct wal_end *end)
{
    char why[WAL_WHY_MAX];
    uint64_t lsn = from;
    const struct wal_sink sink = {take, &lsn};
    int error = wal_read(options, from, &sink, end, why);
    assert(error == 0 || error == -EUCLEAN);
    assert((why[0] == '\0') == (error == 0));
    assert(error != 0 || (end->lsn == lsn && end->frames == lsn - from));
    return error;
}

static void go_on(
    const struct wal_options *options, uint64_t from, uint64_t lsn)
{
    static const kv_message_t message = {.key = {1}};
    char why[WAL_WHY_MAX];
    uint64_t read = from;
    const struct wal_sink sink = {take, &read};
    struct wal_end end;
    struct wal *wal;
    int error = wal_open(&wal, options, from, &sink, &end, why);
    assert(error == 0 && end.lsn == lsn && wal_next_lsn(wal) == lsn + 1);
    error = wal_reserve(wal, 1);
    assert(error == 0);
    wal_mark(wal, 1);
    uint64_t last = wal_append(wal, &message, KV_PUT, 0, 1);
    error = wal_write(wal);
    assert(error == 0);
    wal_close(wal);
    error = read_log(options, from, &end);
    assert(error == 0 && end.lsn == last && end.cut_frames == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[PATH_MAX_HERE];
    const char *parent = getenv("TMPDIR");
    struct wal_end end;
    if (size == 0) {
        return 0;
    }
    int length = snprintf(path, sizeof path, "%s/fixkv-fuzz-XXXXXX",
        parent == NULL ? "/tmp" : parent);
    assert(length > 0 && length < PATH_MAX_HERE);
    const char *made = mkdtemp(path);
    assert(made != NULL);
    struct wal_options options = {
        .directory = file_open_directory(path, false),
        .segment_bytes = WAL_SEGMENT_MIN,
    };
    assert(options.directory >= 0);
    make_files(options.directory, bytes, size);
    uint64_t from = bytes[0] / 2 % 16;
    if (read_log(&options, from, &end) == 0) {
        go_on(&options, from, end.lsn);
    }
    int error = file_list(options.directory, remove_entry, &options.directory);
    file_close(options.directory);
    error = error != 0 ? error : rmdir(path);
    assert(error == 0);
    return 0;
}
