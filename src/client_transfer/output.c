#include "client_transfer/output.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

/* A name that leads to another, as /dev/stdout does, is followed: the link
 * stays, what it leads to is replaced. */
static int begin_file(struct output *output, const char *path, bool exists)
{
    output->path = exists ? realpath(path, NULL) : strdup(path);
    if (output->path == NULL) {
        return -errno;
    }
    return beside_begin(&output->beside, output->path);
}

int output_begin(struct output *output, const char *path)
{
    struct stat status;
    output->fd = -1;
    output->owned = false;
    output->path = NULL;
    output->held = 0;
    output->beside = (struct beside){.directory = -1, .fd = -1};
    if (strcmp(path, "-") == 0) {
        output->fd = STDOUT_FILENO;
        return 0;
    }
    bool exists = stat(path, &status) == 0;
    if (!exists && errno != ENOENT) {
        return -errno;
    }
    if (exists && S_ISDIR(status.st_mode)) {
        return -EISDIR;
    }
    if (!exists || S_ISREG(status.st_mode)) {
        return begin_file(output, path, exists);
    }
    do {
        output->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    } while (output->fd < 0 && errno == EINTR);
    output->owned = output->fd >= 0;
    return output->fd < 0 ? -errno : 0;
}

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return written < 0 ? -errno : -EIO;
        }
        bytes += written;
        size -= (size_t)written;
    }
    return 0;
}

static int flush(struct output *output)
{
    int error =
        output->fd >= 0
            ? write_all(output->fd, output->buffer, output->held)
            : beside_write(&output->beside, output->buffer, output->held);
    output->held = 0;
    return error;
}

int output_write(struct output *output, const char *bytes, size_t size)
{
    int error = 0;
    assert(size <= sizeof output->buffer);
    if (output->held + size > sizeof output->buffer) {
        error = flush(output);
    }
    memcpy(output->buffer + output->held, bytes, size);
    output->held += size;
    return error;
}

int output_finish(struct output *output)
{
    int error = flush(output);
    if (error == 0 && output->fd < 0) {
        error = beside_finish(&output->beside);
    }
    output_abandon(output);
    return error;
}

void output_abandon(struct output *output)
{
    beside_abandon(&output->beside);
    if (output->owned) {
        file_close(output->fd);
        output->owned = false;
    }
    output->fd = -1;
    free(output->path);
    output->path = NULL;
}
