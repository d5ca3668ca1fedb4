/* resume.h: how far an import came, in a small file of text beside the one that
 * is imported.
 *
 *     fixkv import 1
 *     server 127.0.0.1:8080
 *     bytes 123456          of the file, whose records are imported
 *     crc32c 305419896      of these bytes
 *     imported 1000
 *     kept 0                were there already, with --keep-existing
 *     expired 2             were left out
 *
 * It is replaced as a whole, and synced: whatever happens to the import, what
 * it says is imported is. */
#ifndef RESUME_H
#define RESUME_H

#include <stdint.h>

enum { RESUME_SERVER_MAX = 288 };

struct resume {
    char server[RESUME_SERVER_MAX];
    uint64_t bytes;
    uint64_t crc32c;
    uint64_t imported;
    uint64_t kept;
    uint64_t expired;
};

/* Each returns 0 or -errno; reading: -EUCLEAN if the file is not as above. */
int resume_write(const char *path, const struct resume *resume);
int resume_read(const char *path, struct resume *resume);
int resume_remove(const char *path);
/* 0 if a note may be written there: over nothing, an empty file or a note;
 * -EUCLEAN if anything else would be replaced, or removed in the end. */
int resume_check(const char *path);

#endif
