/* arguments.h: the command lines of test programs. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

enum { EXIT_USAGE = 2 };

/* One that a program knows, and where its value goes: to that of these which is
 * not NULL. */
struct argument {
    const char *name;  /* "--build"; "": the next one that stands alone */
    uint64_t *number;  /* decimal */
    const char **text; /* points to argv */
    bool *flag;        /* has no value: set, if it is there */
};

/* Takes them; known ends with a name that is NULL.  False if one is not known,
 * or has no value, or one that is no number. */
bool arguments_take(char **argv, const struct argument *known);

/* Where the numbers begin unless a --seed tells: TEST_SEED, or at random.
 * False if TEST_SEED is no number. */
bool arguments_seed(uint64_t *seed);

/* What programs have that want no more than
 *
 *     PROGRAM [--seed N] [--build DIR] [NUMBER] */
struct arguments {
    const char *build; /* "build" */
    uint64_t seed;     /* as arguments_seed tells */
    uint64_t number;   /* the caller's default */
};

/* Takes them, and prints the seed.  False, with the usage printed, if they are
 * wrong. */
bool arguments_take_common(char **argv, struct arguments *arguments);

#endif
