/* A backup file: the first byte tells whether the rest is the file as it is, or
 * its frames, to which head, footer and CRCs are made, some of them wrong. What
 * is read of it is valid, or it is refused with a sentence. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backup/backup.h"
#include "file.h"
#include "head.h"

enum { PATH_MAX_HERE = 256, LSN = 7, TIME_MS = 1000, SLICE = 5 };

/* Bits of the first byte. */
enum { MAKE = 1, NO_CRC = 2, NO_FOOTER = 4, OTHER_COUNT = 8, OTHER_LSN = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void write_frame(
    int fd, struct frame *frame, uint64_t number, bool mended)
{
    if (mended) {
        frame->lsn = number;
        frame->time_ms = TIME_MS;
        frame->crc = frame_crc(frame);
    }
    int error = file_write_at(
        fd, frame, sizeof *frame, DISK_PAGE + (number - 1) * FRAME_SIZE);
    assert(error == 0);
}

static void make_file(int fd, const uint8_t *bytes, size_t size)
{
    uint8_t bits = bytes[0];
    uint64_t count = 0;
    bytes++;
    size--;
    for (; size > 0; count++) {
        struct frame frame = {.message = {.type = KV_PUT}};
        size_t part = size < sizeof frame ? size : sizeof frame;
        memcpy(&frame, bytes, part);
        write_frame(fd, &frame, count + 1, (bits & NO_CRC) == 0);
        bytes += part;
        size -= part;
    }
    struct frame footer = {.arg = LSN, .message = {.type = VERB_MARK}};
    if ((bits & NO_FOOTER) == 0) {
        write_frame(fd, &footer, count + 1, true);
    }
    struct head head = {.numbers = {LSN, count, TIME_MS}};
    memcpy(head.kind, "fixkvbak", sizeof head.kind);
    head.numbers[0] += (bits & OTHER_LSN) != 0 ? 1 : 0;
    head.numbers[1] ^= (bits & OTHER_COUNT) != 0 ? UINT64_MAX / 3 : 0;
    int error = head_write(fd, &head);
    assert(error == 0);
}

static void check_frame(const struct frame *frame, uint64_t number)
{
    assert(frame_valid(frame, number));
    assert(frame->time_ms == TIME_MS);
    assert(frame->message.type == KV_PUT);
    assert(frame->message.value_len <= KV_VALUE_MAX);
    assert(!bytes_all_zero(frame->message.key, KV_KEY_SIZE));
}

static void read_file(int directory)
{
    struct backup_reader reader;
    struct frame frames[SLICE];
    char why[BACKUP_WHY_MAX] = "";
    int error = backup_open(&reader, directory, LSN, NULL, why);
    assert(error == 0 || (error == -EUCLEAN && why[0] != '\0'));
    if (error != 0) {
        assert(reader.fd < 0);
        return;
    }
    for (uint64_t first = 1; first <= reader.head.count && error == 0;
         first += SLICE) {
        uint32_t count =
            (uint32_t)u64_min(SLICE, reader.head.count + 1 - first);
        error = backup_read(&reader, first, count, frames, why);
        assert(error == 0 || (error == -EUCLEAN && why[0] != '\0'));
        for (uint32_t i = 0; error == 0 && i < count; i++) {
            check_frame(&frames[i], first + i);
        }
    }
    backup_close(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[PATH_MAX_HERE];
    char name[BACKUP_NAME_MAX];
    const char *parent = getenv("TMPDIR");
    if (size == 0) {
        return 0;
    }
    int length = snprintf(path, sizeof path, "%s/fixkv-fuzz-XXXXXX",
        parent == NULL ? "/tmp" : parent);
    assert(length > 0 && length < PATH_MAX_HERE);
    const char *made = mkdtemp(path);
    assert(made != NULL);
    int directory = file_open_directory(path, false);
    assert(directory >= 0);
    backup_name(name, LSN);
    int fd = file_create(directory, name);
    assert(fd >= 0);
    int error = 0;
    if ((bytes[0] & MAKE) != 0) {
        make_file(fd, bytes, size);
    } else {
        error = file_write_at(fd, bytes + 1, size - 1, 0);
    }
    assert(error == 0);
    file_close(fd);
    read_file(directory);
    error = backup_remove(directory, LSN);
    file_close(directory);
    error = error != 0 ? error : rmdir(path);
    assert(error == 0);
    return 0;
}
