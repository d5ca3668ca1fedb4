/* image.h: the files of a directory, held in memory: so that a directory
 * can be damaged and made as it was again, tens of thousands of times.
 *
 * Zeros at the end of a file are holes, so that a segment of 2 MB costs what
 * stands in it. */
#ifndef DAMAGE_IMAGE_H
#define DAMAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

enum { IMAGE_FILES_MAX = 24, IMAGE_NAME_MAX = 64 };

struct image_file {
    char name[IMAGE_NAME_MAX];
    uint64_t size;
    uint64_t used; /* bytes before the pages of zeros at the end */
    uint8_t *bytes;
};

struct image {
    struct image_file files[IMAGE_FILES_MAX];
    uint32_t count;
};

/* Takes the regular files of the directory, by name.  Ends the program with a
 * line if it cannot; so do the others. */
void image_take(struct image *image, int directory);
/* Makes the directory hold these files and nothing else. */
void image_put(const struct image *image, int directory);
void image_free(struct image *image);
/* NULL if there is none. */
const struct image_file *image_find(
    const struct image *image, const char *name);
/* The whole of it into a file of that name. */
void image_write(
    const struct image_file *file, int directory, const char *name);

/* Another number if any name, kind, size or byte has changed; the file named
 * lock does not count. */
uint32_t image_digest(int directory);

/* Says what failed, and ends the program. */
_Noreturn void image_fail(const char *what, const char *name, int error);

#endif
