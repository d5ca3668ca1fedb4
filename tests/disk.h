/* disk.h: a directory of the test's own, copies of it, and what may happen to
 * the files in it. */
#ifndef DISK_H
#define DISK_H

#include "support.h"

struct disk {
    struct test_directory temporary;
    int directory; /* a descriptor */
};

void disk_make(struct disk *disk);
void disk_remove(const struct disk *disk);
/* Makes copy, with the files of disk as they are now. */
void disk_copy(const struct disk *disk, struct disk *copy);

bool disk_has(const struct disk *disk, const char *name);
uint64_t disk_size(const struct disk *disk, const char *name);
/* How many names begin so. */
unsigned disk_count(const struct disk *disk, const char *prefix);
/* Another number if any name, size or byte has changed. */
uint64_t disk_digest(const struct disk *disk);

struct disk_span {
    uint64_t offset;
    size_t size;
};
void disk_get(const struct disk *disk, const char *name, struct disk_span span,
    void *bytes);
void disk_set(const struct disk *disk, const char *name, struct disk_span span,
    const void *bytes);
void disk_zero(
    const struct disk *disk, const char *name, struct disk_span span);
/* Turns one bit, 0..7, of the byte over; twice is as it was. */
void disk_flip(
    const struct disk *disk, const char *name, uint64_t offset, unsigned bit);
/* The file ends at size; what it gains is zeros. */
void disk_cut(const struct disk *disk, const char *name, uint64_t size);
void disk_rename(const struct disk *disk, const char *from, const char *to);
void disk_delete(const struct disk *disk, const char *name);
/* to gets a file like the one that from has under the same name. */
void disk_bring(
    const struct disk *from, const char *name, const struct disk *to);
/* A file with this text. */
void disk_write(const struct disk *disk, const char *name, const char *text);

#endif
