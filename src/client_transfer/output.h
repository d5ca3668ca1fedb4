/* output.h: where an export goes: a file that is written beside and renamed;
 * or, if it is "-" or no regular file (a pipe, a device), that itself. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>

#include "client_transfer/beside.h"

enum { OUTPUT_BUFFER = 1 << 18 };

struct output {
    int fd;     /* -1: there is a file beside */
    bool owned; /* fd is to be closed */
    char *path; /* of the file to replace, without symbolic links */
    struct beside beside;
    size_t held;
    char buffer[OUTPUT_BUFFER];
};

/* Each returns 0 or -errno. */
int output_begin(struct output *output, const char *path);
int output_write(struct output *output, const char *bytes, size_t size);
/* Writes what is held; a file then takes its name.  *output is over. */
int output_finish(struct output *output);
/* A file beside is removed, the old one stays. */
void output_abandon(struct output *output);

#endif
