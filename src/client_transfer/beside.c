#include "client_transfer/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

/* Splits the path; opens its directory. */
static int open_place(struct beside *beside, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (strlen(name) == 0 || strlen(name) > NAME_MAX) {
        return strlen(name) == 0 ? -EISDIR : -ENAMETOOLONG;
    }
    (void)snprintf(beside->name, sizeof beside->name, "%s", name);
    if (slash == NULL) {
        return file_open_directory(".", false);
    }
    /* With the slash, so that "/" is itself. */
    char *parent = strndup(path, (size_t)(slash - path) + 1);
    if (parent == NULL) {
        return -ENOMEM;
    }
    int directory = file_open_directory(parent, false);
    free(parent);
    return directory;
}

int beside_begin(struct beside *beside, const char *path)
{
    uint32_t random;
    *beside = (struct beside){.directory = -1, .fd = -1};
    int error = file_random(&random, sizeof random);
    if (error != 0) {
        return error;
    }
    beside->directory = open_place(beside, path);
    if (beside->directory < 0) {
        return beside->directory;
    }
    int length = snprintf(beside->part, sizeof beside->part,
        "%s.%08" PRIx32 ".part", beside->name, random);
    beside->fd = length < 0 || (size_t)length >= sizeof beside->part
                     ? -ENAMETOOLONG
                     : file_create(beside->directory, beside->part);
    if (beside->fd < 0) {
        error = beside->fd;
        file_close(beside->directory);
        beside->directory = -1;
        beside->fd = -1;
    }
    return error;
}

int beside_write(struct beside *beside, const void *bytes, size_t size)
{
    int error = file_write_at(beside->fd, bytes, size, beside->size);
    beside->size += error == 0 ? size : 0;
    return error;
}

static void end(struct beside *beside)
{
    file_close(beside->fd);
    file_close(beside->directory);
    beside->fd = -1;
    beside->directory = -1;
}

int beside_finish(struct beside *beside)
{
    int error = file_sync(beside->fd);
    if (error == 0) {
        error = file_rename(beside->directory, beside->part, beside->name);
    }
    if (error != 0) {
        beside_abandon(beside);
        return error;
    }
    error = file_sync_directory(beside->directory);
    end(beside);
    return error;
}

void beside_abandon(struct beside *beside)
{
    if (beside->fd >= 0) {
        /* Nothing is to be told of it that the failure did not tell. */
        (void)file_remove(beside->directory, beside->part);
    }
    end(beside);
}
