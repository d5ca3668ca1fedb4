/* arguments.h: the command line that the programs of this folder share:
 *
 *     PROGRAM [--seed N] [--build DIR] [NUMBER] */
#ifndef TORTURE_ARGUMENTS_H
#define TORTURE_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

enum { EXIT_USAGE = 2 };

struct arguments {
    const char *build; /* "build" */
    uint64_t seed;     /* TEST_SEED, or at random */
    uint64_t number;   /* the caller's default */
};

/* Takes them, and prints the seed.  False, with the usage printed, if they are
 * wrong. */
bool arguments_take(char **argv, struct arguments *arguments);

#endif
