#include "disk.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "file.h"

enum { CHUNK = 64 * 1024 };

void disk_make(struct disk *disk)
{
    REQUIRE(test_directory_make(&disk->temporary));
    disk->directory = file_open_directory(disk->temporary.path, false);
    REQUIRE(disk->directory >= 0);
}

void disk_remove(const struct disk *disk)
{
    file_close(disk->directory);
    CHECK(test_directory_remove(&disk->temporary));
}

static int open_file(const struct disk *disk, const char *name)
{
    int fd = file_open_write(disk->directory, name);
    REQUIRE(fd >= 0);
    return fd;
}

/* Zeros are left out: the copy has holes there. */
static void copy_file(int source, int target)
{
    uint8_t *chunk = malloc(CHUNK);
    uint64_t offset = 0;
    int64_t got;
    REQUIRE(chunk != NULL && target >= 0);
    while ((got = file_read_at(source, chunk, CHUNK, offset)) > 0) {
        bool zeros = got == CHUNK && bytes_all_zero(chunk, CHUNK);
        REQUIRE(
            zeros || file_write_at(target, chunk, (size_t)got, offset) == 0);
        offset += (uint64_t)got;
    }
    REQUIRE(got == 0 && file_truncate(target, offset) == 0);
    file_close(source);
    file_close(target);
    free(chunk);
}

void disk_bring(
    const struct disk *from, const char *name, const struct disk *to)
{
    copy_file(open_file(from, name), file_create(to->directory, name));
}

struct copying {
    const struct disk *from;
    const struct disk *to;
};

/* A file may go while its directory is copied: what is made is renamed. */
static int copy_entry(void *context, const char *name)
{
    const struct copying *copying = context;
    int source = file_open_read(copying->from->directory, name);
    if (source >= 0) {
        copy_file(source, file_create(copying->to->directory, name));
    }
    return source >= 0 || source == -ENOENT ? 0 : source;
}

void disk_copy(const struct disk *disk, struct disk *copy)
{
    disk_make(copy);
    struct copying copying = {disk, copy};
    REQUIRE(file_list(disk->directory, copy_entry, &copying) == 0);
}

bool disk_has(const struct disk *disk, const char *name)
{
    int fd = file_open_read(disk->directory, name);
    file_close(fd < 0 ? -1 : fd);
    return fd >= 0;
}

uint64_t disk_size(const struct disk *disk, const char *name)
{
    int fd = open_file(disk, name);
    int64_t size = file_size(fd);
    REQUIRE(size >= 0);
    file_close(fd);
    return (uint64_t)size;
}

struct counting {
    const char *prefix;
    unsigned count;
};

static int count_entry(void *context, const char *name)
{
    struct counting *counting = context;
    size_t length = strlen(counting->prefix);
    counting->count += strncmp(name, counting->prefix, length) == 0 ? 1 : 0;
    return 0;
}

unsigned disk_count(const struct disk *disk, const char *prefix)
{
    struct counting counting = {prefix, 0};
    REQUIRE(file_list(disk->directory, count_entry, &counting) == 0);
    return counting.count;
}

struct digesting {
    const struct disk *disk;
    uint64_t sum; /* in whatever order the names come */
};

static int digest_entry(void *context, const char *name)
{
    struct digesting *digesting = context;
    uint8_t *chunk = malloc(CHUNK);
    int fd = open_file(digesting->disk, name);
    uint32_t crc = crc32c(0, name, strlen(name));
    uint64_t offset = 0;
    int64_t got;
    REQUIRE(chunk != NULL);
    while ((got = file_read_at(fd, chunk, CHUNK, offset)) > 0) {
        crc = crc32c(crc, chunk, (size_t)got);
        offset += (uint64_t)got;
    }
    REQUIRE(got == 0);
    digesting->sum += (uint64_t)crc << 20 ^ offset;
    file_close(fd);
    free(chunk);
    return 0;
}

uint64_t disk_digest(const struct disk *disk)
{
    struct digesting digesting = {disk, 0};
    REQUIRE(file_list(disk->directory, digest_entry, &digesting) == 0);
    return digesting.sum;
}

void disk_get(const struct disk *disk, const char *name, struct disk_span span,
    void *bytes)
{
    int fd = open_file(disk, name);
    REQUIRE(
        file_read_at(fd, bytes, span.size, span.offset) == (int64_t)span.size);
    file_close(fd);
}

void disk_set(const struct disk *disk, const char *name, struct disk_span span,
    const void *bytes)
{
    int fd = open_file(disk, name);
    REQUIRE(file_write_at(fd, bytes, span.size, span.offset) == 0);
    file_close(fd);
}

void disk_zero(const struct disk *disk, const char *name, struct disk_span span)
{
    uint8_t *zeros = calloc(1, span.size);
    REQUIRE(zeros != NULL);
    disk_set(disk, name, span, zeros);
    free(zeros);
}

void disk_flip(
    const struct disk *disk, const char *name, uint64_t offset, unsigned bit)
{
    uint8_t byte;
    const struct disk_span span = {offset, 1};
    disk_get(disk, name, span, &byte);
    byte ^= (uint8_t)(1U << bit);
    disk_set(disk, name, span, &byte);
}

void disk_cut(const struct disk *disk, const char *name, uint64_t size)
{
    int fd = open_file(disk, name);
    REQUIRE(file_truncate(fd, size) == 0);
    file_close(fd);
}

void disk_rename(const struct disk *disk, const char *from, const char *to)
{
    REQUIRE(file_rename(disk->directory, from, to) == 0);
}

void disk_delete(const struct disk *disk, const char *name)
{
    REQUIRE(file_remove(disk->directory, name) == 0);
}

void disk_write(const struct disk *disk, const char *name, const char *text)
{
    int fd = file_create(disk->directory, name);
    REQUIRE(fd >= 0 && file_write_at(fd, text, strlen(text), 0) == 0);
    file_close(fd);
}
