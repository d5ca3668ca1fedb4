#include "torture/arguments.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static bool parse_number(const char *text, uint64_t *number)
{
    char *rest = NULL;
    errno = 0;
    *number = strtoull(text, &rest, 10);
    return errno == 0 && *text != '\0' && *rest == '\0';
}

bool arguments_take(char **argv, struct arguments *arguments)
{
    const char *program = argv[0];
    const char *seed = getenv("TEST_SEED");
    bool valid = getrandom(&arguments->seed, sizeof(uint32_t), 0) > 0;
    arguments->seed &= UINT32_MAX;
    arguments->build = "build";
    if (seed != NULL) {
        valid = valid && parse_number(seed, &arguments->seed);
    }
    while (*++argv != NULL && valid) {
        if (strcmp(*argv, "--seed") == 0 && argv[1] != NULL) {
            valid = parse_number(*++argv, &arguments->seed);
        } else if (strcmp(*argv, "--build") == 0 && argv[1] != NULL) {
            arguments->build = *++argv;
        } else {
            valid = parse_number(*argv, &arguments->number);
        }
    }
    if (valid) {
        (void)printf("seed %" PRIu64 "\n", arguments->seed);
    } else {
        (void)fprintf(
            stderr, "usage: %s [--seed N] [--build DIR] [NUMBER]\n", program);
    }
    return valid;
}
