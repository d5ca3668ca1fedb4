#include "client_transfer/input.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "crc32c.h"
#include "file.h"

int input_begin(struct input *input, const char *path)
{
    struct stat status;
    bool standard = strcmp(path, "-") == 0;
    input->offset = 0;
    input->crc = 0;
    input->begin = 0;
    input->end = 0;
    input->last = false;
    input->size = 0;
    input->fd = standard ? STDIN_FILENO : file_open_read(AT_FDCWD, path);
    if (input->fd < 0) {
        return input->fd;
    }
    if (fstat(input->fd, &status) != 0) {
        return -errno;
    }
    input->regular = !standard && S_ISREG(status.st_mode);
    if (S_ISREG(status.st_mode)) {
        input->size = (uint64_t)status.st_size;
    }
    return 0;
}

void input_end(struct input *input)
{
    if (input->fd != STDIN_FILENO) {
        file_close(input->fd);
    }
    input->fd = -1;
}

/* Until there is something to read: a terminal or a pipe may keep it waiting,
 * and the signals are blocked. */
static int await(const struct input *input, int interrupted)
{
    struct pollfd entries[] = {{.fd = input->fd, .events = POLLIN},
        {.fd = interrupted, .events = POLLIN}};
    for (;;) {
        int ready = poll(entries, ARRAY_SIZE(entries), -1);
        if (ready < 0 && errno != EINTR) {
            return -errno;
        }
        if (ready > 0 && entries[1].revents != 0) {
            return -EINTR;
        }
        if (ready > 0) {
            return 0;
        }
    }
}

int input_fill(struct input *input, int interrupted)
{
    assert(!input->last);
    memmove(
        input->buffer, input->buffer + input->begin, input->end - input->begin);
    input->end -= input->begin;
    input->begin = 0;
    assert(input->end < sizeof input->buffer);
    ssize_t got;
    do {
        int error = await(input, interrupted);
        if (error != 0) {
            return error;
        }
        got = read(input->fd, input->buffer + input->end,
            sizeof input->buffer - input->end);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN));
    if (got < 0) {
        return -errno;
    }
    input->last = got == 0;
    input->end += (size_t)got;
    return 0;
}

void input_use(struct input *input, size_t size)
{
    assert(size <= input->end - input->begin);
    input->crc = crc32c(input->crc, input->buffer + input->begin, size);
    input->begin += size;
    input->offset += size;
}

struct format_bytes input_bytes(const struct input *input)
{
    return (struct format_bytes){.at = input->buffer + input->begin,
        .size = input->end - input->begin,
        .last = input->last};
}
