/* input.h: the file that is imported, read once from its beginning to its end,
 * through one buffer. */
#ifndef INPUT_H
#define INPUT_H

#include "client_transfer/format.h"

enum { INPUT_BUFFER = 1 << 18 };

_Static_assert((int)INPUT_BUFFER >= 2 * (int)FORMAT_RECORD_MAX,
    "a record is whole in the buffer");

struct input {
    int fd;
    bool regular;    /* it can be read again */
    uint64_t size;   /* when it was opened; 0 if it is not regular */
    uint64_t offset; /* of begin in the file */
    uint32_t crc;    /* CRC-32C of the bytes before it */
    size_t begin;    /* of what is read and not used */
    size_t end;
    bool last; /* nothing follows */
    uint8_t buffer[INPUT_BUFFER];
};

/* "-" is standard input.  0 or -errno. */
int input_begin(struct input *input, const char *path);
void input_end(struct input *input);
/* Reads more.  0, -errno, or -EINTR if interrupted, a descriptor, has become
 * readable while there was nothing to read. */
int input_fill(struct input *input, int interrupted);
/* So many bytes are used. */
void input_use(struct input *input, size_t size);
/* What is read and not used. */
struct format_bytes input_bytes(const struct input *input);

#endif
