/* env_file.h: the syntax of systemd's EnvironmentFile, systemd.exec(5).
 *
 *     # a comment; so is a line that begins with ;
 *     NAME=value with blanks inside, \
 *     continued on this line
 *     NAME='verbatim, may span lines'
 *     NAME="the escapes \" \\ \` \$ and a continued line"
 *
 * Pure: bytes in, assignments out, in the order of the file; it knows no names
 * and no files.  Where systemd passes over what it cannot use (a line without
 * an equals sign, a name that is none) or takes it as it comes (a quote that is
 * never closed), this is an error: a slip must not silently leave a setting at
 * its default. */
#ifndef ENV_FILE_H
#define ENV_FILE_H

#include <stddef.h>

enum {
    ENV_FILE_MAX = 1 << 20, /* bytes of a file */
    ENV_NAME_MAX = 64,      /* of a name and of a value, the final zero */
    ENV_VALUE_MAX = 4096,   /* included; they bound a line */
    ENV_WHY_MAX = 128
};

struct env_file {
    const char *bytes; /* the caller's; not closed by a zero */
    size_t size;
    size_t at;
    unsigned line; /* of the byte at at; the first is 1 */

    /* The assignment just read, and the line on which it begins. */
    unsigned name_line;
    size_t value_len;
    char name[ENV_NAME_MAX];
    char value[ENV_VALUE_MAX];
    char why[ENV_WHY_MAX];
};

void env_file_begin(struct env_file *file, const char *bytes, size_t size);

/* Reads the next assignment.  1: name, value and name_line are set; 0: the end;
 * -EINVAL: not of this syntax, or over a limit; why tells what, name_line
 * where, and nothing more can be read. */
int env_file_next(struct env_file *file);

#endif
