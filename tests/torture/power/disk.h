/* disk.h: the disk of a recorded server: what is on it for certain at a
 * point of the trace, what may be, and images of it as a loss of power may
 * leave them.
 *
 * What a disk and a journalling file system (ext4, xfs) may do, as far as this
 * goes:
 *  1. A sync makes durable what had returned before it began: of a file its
 *     writes and its size, of the directory the names.
 *  2. Of what was written since, each sector of 512 bytes has the content that
 *     is durable, or any that it was given later: writes are torn, and reach
 *     the disk in any order.
 *  3. What the journal holds, names and allocated sizes, reaches the disk in
 *     order: an image has all of it up to some moment.  A size that fdatasync
 *     made durable may be there before the names of that time are: this is
 *     harder than the journal, whose syncs carry all that is older.  Names in
 *     any other order would be harder still, but neither file system does
 *     that, and the log counts on it where it does not sync.
 *  4. A size that comes from a write alone may be there or not, up to each of
 *     the sectors that are there. */
#ifndef POWER_DISK_H
#define POWER_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "torture/power/trace.h"

enum power_image_kind {
    IMAGE_NOTHING, /* of what was not synced */
    IMAGE_ALL,
    IMAGE_LAST,      /* only the last write */
    IMAGE_NOT_FIRST, /* all but the first write */
    IMAGE_WRITES,    /* some of the writes, each as a whole */
    IMAGE_SECTORS,   /* some of the sectors of each */
    IMAGE_KINDS
};

struct power_image {
    uint64_t position; /* the first event that does not happen any more */
    enum power_image_kind kind;
    uint64_t seed; /* of what the kind leaves open */
};

struct power_disk;

/* A disk with what was there at first; NULL without memory. */
struct power_disk *power_disk_create(const struct power_trace *trace);
void power_disk_destroy(struct power_disk *disk);
/* Lets all events before the position happen.  NULL, or what in the trace
 * cannot be. */
const char *power_disk_advance(struct power_disk *disk, uint64_t position);
/* The event before which all that was written to the log is durable: what was
 * answered before it needs nothing that was written later. */
uint64_t power_disk_settled(const struct power_disk *disk);
/* Writes the image, of the disk's position, into an empty directory.  0 or
 * -errno. */
int power_disk_write(const struct power_disk *disk,
    const struct power_image *image, const char *directory);

#endif
