/* image.c: an image of a recorded disk, written: see disk.h. */
#include "torture/power/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "support.h"
#include "torture/power/state.h"

enum { SECTOR = 512, EIGHTHS = 8 };

/* What the image's kind and seed say. */
struct choice {
    const struct power_image *image;
    struct test_random random;
    uint64_t journal; /* names and sizes before this event are there */
    uint64_t first;   /* event of the first write that is not durable */
    uint64_t last;
    uint64_t eighths; /* of the writes or sectors that are there */
};

static void choose(struct choice *choice, const struct power_disk *disk)
{
    bool random = choice->image->kind >= IMAGE_LAST;
    test_random_init_seed(&choice->random, choice->image->seed);
    choice->first = UINT64_MAX;
    choice->last = 0;
    for (uint32_t i = 0; i < disk->file_count; i++) {
        const struct power_file *file = &disk->files[i];
        for (uint32_t j = 0; j < file->change_count; j++) {
            uint64_t begun = file->changes[j].begun;
            if (file->changes[j].kind == POWER_WRITE) {
                choice->first = u64_min(choice->first, begun);
                choice->last = u64_max(choice->last, begun);
            }
        }
    }
    choice->journal = choice->image->kind == IMAGE_NOTHING ? disk->names_synced
                                                           : disk->position;
    if (random && test_random_once_in(&choice->random, 2)) {
        choice->journal =
            disk->names_synced + test_random_below(&choice->random,
                                     disk->position - disk->names_synced + 1);
    }
    choice->eighths = 1 + test_random_below(&choice->random, EIGHTHS - 1);
}

static bool happens(struct choice *choice)
{
    return test_random_below(&choice->random, EIGHTHS) < choice->eighths;
}

/* Whether the write is there, as a whole. */
static bool write_happens(
    struct choice *choice, const struct power_change *change)
{
    switch (choice->image->kind) {
    case IMAGE_NOTHING:
        return false;
    case IMAGE_LAST:
        return change->begun == choice->last;
    case IMAGE_NOT_FIRST:
        return change->begun != choice->first;
    case IMAGE_WRITES:
        return happens(choice);
    default:
        return true;
    }
}

/* Puts the sectors that happen into the bytes; returns where the last of them
 * ends, 0 if there is none. */
static uint64_t tear(
    struct choice *choice, const struct power_change *change, uint8_t *bytes)
{
    uint64_t end = change->offset + change->size;
    uint64_t reached = 0;
    bool torn = choice->image->kind == IMAGE_SECTORS;
    uint64_t at = change->offset;
    while (at < end) {
        uint64_t next = torn ? u64_min(end, (at / SECTOR + 1) * SECTOR) : end;
        if (!torn || happens(choice)) {
            memcpy(
                bytes + at, change->bytes + (at - change->offset), next - at);
            reached = next;
        }
        at = next;
    }
    return reached;
}

/* Fills in the content of the file; returns its size. */
static uint64_t fill(
    struct choice *choice, const struct power_file *file, uint8_t *bytes)
{
    uint64_t size = file->size;
    if (size > 0) {
        memcpy(bytes, file->bytes, size);
    }
    for (uint32_t i = 0; i < file->change_count; i++) {
        const struct power_change *change = &file->changes[i];
        if (change->kind == POWER_WRITE) {
            if (write_happens(choice, change)) {
                size = u64_max(size, tear(choice, change, bytes));
            }
        } else if (change->begun < choice->journal) {
            if (change->kind == POWER_CUT && size > change->size) {
                memset(bytes + change->size, 0, size - change->size);
                size = change->size;
            }
            size = u64_max(size, change->size);
        } else if (change->kind == POWER_CUT) {
            /* What was written behind the end that is not set went to blocks
             * that do not belong to the file. */
            break;
        }
    }
    return size;
}

/* Writes a file, pages of zeros as holes. */
static int write_file(
    int directory, const char *name, const uint8_t *bytes, uint64_t size)
{
    int fd =
        openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    int error = ftruncate(fd, (off_t)size) != 0 ? -errno : 0;
    uint64_t at = 0;
    while (at < size && error == 0) {
        uint64_t end = at;
        while (end < size &&
               !bytes_all_zero(bytes + end, u64_min(DISK_PAGE, size - end))) {
            end += u64_min(DISK_PAGE, size - end);
        }
        if (end > at && pwrite(fd, bytes + at, end - at, (off_t)at) !=
                            (ssize_t)(end - at)) {
            error = -EIO;
        }
        at = end + DISK_PAGE;
    }
    (void)close(fd);
    return error;
}

static uint64_t room_of(const struct power_file *file)
{
    uint64_t room = file->size;
    for (uint32_t i = 0; i < file->change_count; i++) {
        room = u64_max(room, file->changes[i].offset + file->changes[i].size);
    }
    return room;
}

int power_disk_write(const struct power_disk *disk,
    const struct power_image *image, const char *directory)
{
    struct choice choice = {.image = image};
    struct power_names names = disk->durable_names;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 ? -errno : 0;
    choose(&choice, disk);
    for (uint32_t i = 0; i < disk->renaming_count; i++) {
        if (disk->renamings[i].at < choice.journal) {
            power_names_change(&names, &disk->renamings[i]);
        }
    }
    for (uint32_t i = 0; i < names.count && error == 0; i++) {
        const struct power_file *file = &disk->files[names.list[i].file];
        uint8_t *bytes = calloc(1, room_of(file) + 1);
        error = bytes == NULL ? -ENOMEM : 0;
        if (error == 0) {
            uint64_t size = fill(&choice, file, bytes);
            error = write_file(fd, names.list[i].name, bytes, size);
        }
        free(bytes);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return error;
}
