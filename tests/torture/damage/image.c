#include "torture/damage/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "crc32c.h"
#include "file.h"

enum { CHUNK = 64 * 1024 };

void image_fail(const char *what, const char *name, int error)
{
    (void)fprintf(stderr, "%s %s: %s\n", what, name, strerror(error));
    exit(EXIT_FAILURE);
}

static int by_name(const void *left, const void *right)
{
    const struct image_file *a = left;
    const struct image_file *b = right;
    return strcmp(a->name, b->name);
}

/* ---- Taking -------------------------------------------------------------- */

struct taking {
    struct image *image;
    int directory;
};

/* What is being made, and renamed then, belongs to nobody yet. */
static int take_entry(void *context, const char *name)
{
    const struct taking *taking = context;
    struct image *image = taking->image;
    int fd = file_open_read(taking->directory, name);
    const char *end = strrchr(name, '-');
    if (fd == -ENOENT || (end != NULL && strcmp(end, "-new") == 0)) {
        file_close(fd);
        return 0;
    }
    if (image->count == IMAGE_FILES_MAX || strlen(name) >= IMAGE_NAME_MAX) {
        return -E2BIG;
    }
    struct image_file *file = &image->files[image->count++];
    (void)snprintf(file->name, sizeof file->name, "%s", name);
    int64_t size = fd < 0 ? fd : file_size(fd);
    if (size < 0) {
        return (int)size;
    }
    file->size = (uint64_t)size;
    file->bytes = calloc(1, file->size + DISK_PAGE);
    if (file->bytes == NULL ||
        file_read_at(fd, file->bytes, file->size, 0) != size) {
        return -EIO;
    }
    file_close(fd);
    file->used = bytes_unpadded(file->bytes, file->size);
    file->used = u64_min(u64_round_up(file->used, DISK_PAGE), file->size);
    return 0;
}

void image_take(struct image *image, int directory)
{
    struct taking taking = {image, directory};
    *image = (struct image){.count = 0};
    int error = file_list(directory, take_entry, &taking);
    if (error != 0) {
        image_fail("cannot read", "the directory of a store", -error);
    }
    qsort(image->files, image->count, sizeof image->files[0], by_name);
}

void image_free(struct image *image)
{
    for (uint32_t i = 0; i < image->count; i++) {
        free(image->files[i].bytes);
    }
    image->count = 0;
}

const struct image_file *image_find(const struct image *image, const char *name)
{
    for (uint32_t i = 0; i < image->count; i++) {
        if (strcmp(image->files[i].name, name) == 0) {
            return &image->files[i];
        }
    }
    return NULL;
}

/* ---- Putting ------------------------------------------------------------- */

struct putting {
    const struct image *image;
    int directory;
};

/* What is no file of the image, or not a plain file, goes. */
static int remove_other(void *context, const char *name)
{
    const struct putting *putting = context;
    struct stat status;
    if (fstatat(putting->directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return -errno;
    }
    if (S_ISREG(status.st_mode) && image_find(putting->image, name) != NULL) {
        return 0;
    }
    int flags = S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0;
    return unlinkat(putting->directory, name, flags) == 0 ? 0 : -errno;
}

static bool has(int fd, const struct image_file *file)
{
    uint8_t chunk[CHUNK];
    for (uint64_t at = 0; at < file->used;) {
        size_t part = u64_min(sizeof chunk, file->used - at);
        if (file_read_at(fd, chunk, part, at) != (int64_t)part ||
            memcmp(chunk, file->bytes + at, part) != 0) {
            return false;
        }
        at += part;
    }
    return true;
}

void image_write(const struct image_file *file, int directory, const char *name)
{
    int fd = file_open_write(directory, name);
    fd = fd == -ENOENT ? file_create(directory, name) : fd;
    if (fd < 0) {
        image_fail("cannot make", name, -fd);
    }
    int error = 0;
    if (file_size(fd) != (int64_t)file->size) {
        error = file_truncate(fd, file->size);
    }
    if (error == 0 && !has(fd, file)) {
        error = file_write_at(fd, file->bytes, file->used, 0);
    }
    /* What came behind it is cut off. */
    if (error == 0 && lseek(fd, (off_t)file->used, SEEK_DATA) >= 0) {
        error = file_truncate(fd, file->used);
        error = error != 0 ? error : file_truncate(fd, file->size);
    }
    file_close(fd);
    if (error != 0) {
        image_fail("cannot write", name, -error);
    }
}

void image_put(const struct image *image, int directory)
{
    struct putting putting = {image, directory};
    int error = file_list(directory, remove_other, &putting);
    if (error != 0) {
        image_fail("cannot tidy", "the directory of a store", -error);
    }
    for (uint32_t i = 0; i < image->count; i++) {
        image_write(&image->files[i], directory, image->files[i].name);
    }
}

/* ---- Comparing ----------------------------------------------------------- */

static uint32_t digest_bytes(int fd, uint32_t digest)
{
    uint8_t chunk[CHUNK];
    off_t at = 0;
    while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
        int64_t got = file_read_at(fd, chunk, sizeof chunk, (uint64_t)at);
        if (got <= 0) {
            break;
        }
        /* A page of zeros counts as the hole that it was before. */
        for (int64_t i = 0; i < got; i += DISK_PAGE) {
            size_t part = u64_min(DISK_PAGE, (uint64_t)(got - i));
            if (!bytes_all_zero(chunk + i, part)) {
                digest = crc32c(digest, chunk + i, part);
                digest = crc32c(digest, &(off_t){at + i}, sizeof at);
            }
        }
        at += got;
    }
    return digest;
}

struct digesting {
    int directory;
    uint32_t sum;
};

/* The names come in any order, so their digests are added. */
static int digest_entry(void *context, const char *name)
{
    struct digesting *digesting = context;
    struct stat status;
    if (strcmp(name, "lock") == 0) {
        return 0;
    }
    if (fstatat(digesting->directory, name, &status, AT_SYMLINK_NOFOLLOW) !=
        0) {
        return -errno;
    }
    uint32_t digest = crc32c(0, name, strlen(name));
    digest = crc32c(digest, &status.st_mode, sizeof status.st_mode);
    if (S_ISREG(status.st_mode)) {
        digest = crc32c(digest, &status.st_size, sizeof status.st_size);
        int fd = file_open_read(digesting->directory, name);
        digest = fd < 0 ? digest : digest_bytes(fd, digest);
        file_close(fd < 0 ? -1 : fd);
    }
    digesting->sum += digest;
    return 0;
}

uint32_t image_digest(int directory)
{
    struct digesting digesting = {.directory = directory};
    int error = file_list(directory, digest_entry, &digesting);
    if (error != 0) {
        image_fail("cannot read", "the directory of a store", -error);
    }
    return digesting.sum;
}
