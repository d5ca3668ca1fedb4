/* client_options.h: options as tables.
 *
 *     --name            a flag
 *     --name VALUE, --name=VALUE
 *     --                what follows is no option
 *
 * Only what begins with two minus signs is an option, so that -5 is a number
 * and - is standard input.  Pure: no environment is read, nothing printed. */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,     /* bool: takes no value */
    OPTION_TEXT,     /* const char *: points into the arguments */
    OPTION_NUMBER,   /* int64_t, decimal */
    OPTION_DURATION, /* int64_t, milliseconds: "1500ms", "90s", "15m", "90" */
    OPTION_FRACTION  /* double, least and most in thousandths; may be left out
                        where the next word is no number: initial then */
};

struct option {
    const char *name; /* without the minus signs; NULL closes a table */
    enum option_kind kind;
    size_t offset; /* of its place in the settings */
    int64_t least;
    int64_t most;
    int64_t initial;      /* of a number, before the arguments are read */
    const char *argument; /* "SECONDS", for the help */
    const char *text;
};

/* The arguments, and what of them is no option.  The options are taken out of
 * words, which stays in order. */
struct arguments {
    char **words;
    int count;
    bool help; /* --help was among them */
};

enum { OPTIONS_WHY_MAX = 256 };

/* Puts initial values into settings, then what the arguments say; as_leader:
 * stops at the first word that is no option.  table may be NULL.  False, with
 * a sentence in why, if an option is unknown or wrong. */
bool options_read(const struct option *table, struct arguments *arguments,
    bool as_leader, void *settings, char why[OPTIONS_WHY_MAX]);

/* Time as text into milliseconds: a whole number and ms, s, m, h or d; without
 * a unit seconds.  False if it is none, is less than 1 ms or leaves 64 bits. */
bool options_duration(const char *text, int64_t *duration_ms);

/* A decimal number from least to most. */
bool options_number(
    const char *text, int64_t least, int64_t most, int64_t *number);

#endif
