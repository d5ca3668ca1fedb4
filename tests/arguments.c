#include "arguments.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
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

/* The first with that name; the end, if there is none. */
static const struct argument *find(
    const struct argument *known, const char *name)
{
    while (known->name != NULL && strcmp(known->name, name) != 0) {
        known++;
    }
    return known;
}

static bool take(const struct argument *argument, const char *value)
{
    if (value != NULL && argument->number != NULL) {
        return parse_number(value, argument->number);
    }
    if (value != NULL && argument->text != NULL) {
        *argument->text = value;
    }
    return value != NULL;
}

bool arguments_take(char **argv, const struct argument *known)
{
    const struct argument *alone = find(known, "");
    bool valid = true;
    while (valid && *++argv != NULL) {
        bool named = strncmp(*argv, "--", 2) == 0;
        const struct argument *found = named ? find(known, *argv) : alone;
        if (found->name == NULL) {
            valid = false;
        } else if (found->flag != NULL) {
            *found->flag = true;
        } else if (named) {
            valid = take(found, *++argv);
        } else {
            valid = take(found, *argv);
            alone = find(alone + 1, "");
        }
    }
    return valid;
}

bool arguments_seed(uint64_t *seed)
{
    const char *given = getenv("TEST_SEED");
    *seed = 0;
    return given != NULL ? parse_number(given, seed)
                         : getrandom(seed, sizeof(uint32_t), 0) > 0;
}

bool arguments_take_common(char **argv, struct arguments *arguments)
{
    const struct argument known[] = {
        {.name = "--seed", .number = &arguments->seed},
        {.name = "--build", .text = &arguments->build},
        {.name = "", .number = &arguments->number},
        {.name = NULL},
    };
    arguments->build = "build";
    if (!arguments_seed(&arguments->seed) || !arguments_take(argv, known)) {
        (void)fprintf(
            stderr, "usage: %s [--seed N] [--build DIR] [NUMBER]\n", argv[0]);
        return false;
    }
    (void)printf("seed %" PRIu64 "\n", arguments->seed);
    return true;
}
