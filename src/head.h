/* head.h: the first page of a file of the store: a segment of the log, a
 * backup.
 *
 *     0   8   what kind of file
 *     8   4   format version, 1
 *     12  4   size of a frame, 320
 *     16  16  identity of the store
 *     32  32  four numbers, which the kind of file gives their meaning
 *     64  4   crc32c of the 64 bytes before
 *     68      zeros, up to 4096
 *
 * It is valid if the kind is the expected one, the CRC holds and version and
 * size are known. */
#ifndef HEAD_H
#define HEAD_H

#include "bytes.h"

enum {
    HEAD_KIND_SIZE = 8,
    HEAD_IDENTITY_SIZE = 16,
    HEAD_NUMBERS = 4,
    HEAD_WHY_MAX = 512
};

struct head {
    char kind[HEAD_KIND_SIZE];
    uint8_t identity[HEAD_IDENTITY_SIZE];
    uint64_t numbers[HEAD_NUMBERS];
};

/* Writes the page.  0 or -errno. */
int head_write(int fd, const struct head *head);
/* Reads and checks it.  head->kind is the expected one, identity too unless
 * NULL.  0, -EUCLEAN with the reason in why, or another -errno. */
int head_read(
    int fd, struct head *head, const uint8_t *identity, char why[HEAD_WHY_MAX]);
/* True if the CRC holds, whatever else the page says. */
bool head_intact(int fd);
/* True if the page is all zeros: the file was made, and its head never
 * written. */
bool head_unwritten(int fd);

#endif
