#include "client_options.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

enum { NAME_SHOWN_MAX = 40 };

bool options_number(
    const char *text, int64_t least, int64_t most, int64_t *number)
{
    int64_t parsed;
    bool overflow;
    if (!decimal_parse(text, strlen(text), &parsed, &overflow) ||
        parsed < least || parsed > most) {
        return false;
    }
    *number = parsed;
    return true;
}

bool options_duration(const char *text, int64_t *duration_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60 * 1000},
        {"h", 60 * 60 * 1000}, {"d", 24 * 60 * 60 * 1000}};
    size_t digits = strspn(text, "0123456789");
    int64_t number;
    bool overflow;
    if (!decimal_parse(text, digits, &number, &overflow) || number < 1) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (strcmp(text + digits, units[i].name) == 0) {
            if (number > INT64_MAX / units[i].ms) {
                return false;
            }
            *duration_ms = number * units[i].ms;
            return true;
        }
    }
    return false;
}

static bool parse_fraction(
    const char *text, const struct option *option, double *number)
{
    char *end;
    errno = 0;
    double parsed = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || errno != 0 ||
        !(parsed >= (double)option->least / 1000) ||
        !(parsed <= (double)option->most / 1000)) {
        return false;
    }
    *number = parsed;
    return true;
}

/* The place of the option's value. */
static void *place_of(const struct option *option, void *settings)
{
    return (uint8_t *)settings + option->offset;
}

static bool parse_value(
    const struct option *option, const char *text, void *settings)
{
    void *place = place_of(option, settings);
    switch (option->kind) {
    case OPTION_TEXT:
        memcpy(place, &text, sizeof text);
        return true;
    case OPTION_NUMBER:
        return options_number(text, option->least, option->most, place);
    case OPTION_DURATION:
        return options_duration(text, place);
    case OPTION_FRACTION:
        return parse_fraction(text, option, place);
    case OPTION_FLAG:
        break;
    }
    return false;
}

static void describe_allowed(
    const struct option *option, char *text, size_t size)
{
    switch (option->kind) {
    case OPTION_NUMBER:
        (void)snprintf(text, size,
            "a whole number from %" PRId64 " to %" PRId64, option->least,
            option->most);
        break;
    case OPTION_DURATION:
        (void)snprintf(text, size, "a time such as 1500ms, 90s, 15m, 12h, 7d");
        break;
    case OPTION_FRACTION:
        (void)snprintf(text, size, "a number from %g to %g",
            (double)option->least / 1000, (double)option->most / 1000);
        break;
    case OPTION_TEXT:
    case OPTION_FLAG:
        (void)snprintf(text, size, "%s", option->argument);
        break;
    }
}

static const struct option *find_option(
    const struct option *table, const char *name, size_t length)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (strncmp(table->name, name, length) == 0 &&
            table->name[length] == '\0') {
            return table;
        }
    }
    return NULL;
}

static void set_initial(const struct option *table, void *settings)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (table->kind == OPTION_NUMBER || table->kind == OPTION_DURATION) {
            memcpy(place_of(table, settings), &table->initial,
                sizeof table->initial);
        }
    }
}

/* Reads the option at words[at].  How many words it took; 0: wrong. */
static int read_option(const struct option *table,
    const struct arguments *arguments, int at, void *settings,
    char why[OPTIONS_WHY_MAX])
{
    const char *name = arguments->words[at] + 2;
    size_t length = strcspn(name, "=");
    const struct option *option = find_option(table, name, length);
    if (option == NULL) {
        (void)snprintf(why, OPTIONS_WHY_MAX, "unknown option --%.*s",
            (int)u64_min(length, NAME_SHOWN_MAX), name);
        return 0;
    }
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    if (option->kind == OPTION_FLAG) {
        *(bool *)place_of(option, settings) = true;
        (void)snprintf(
            why, OPTIONS_WHY_MAX, "--%s takes no value", option->name);
        return value == NULL ? 1 : 0;
    }
    int taken = value == NULL ? 2 : 1;
    if (value == NULL && at + 1 < arguments->count) {
        value = arguments->words[at + 1];
    }
    if (option->kind == OPTION_FRACTION && taken == 2 &&
        (value == NULL || strspn(value, "0123456789.") == 0)) {
        double initial = (double)option->initial / 1000;
        memcpy(place_of(option, settings), &initial, sizeof initial);
        return 1;
    }
    if (value == NULL || !parse_value(option, value, settings)) {
        char allowed[OPTIONS_WHY_MAX / 2];
        describe_allowed(option, allowed, sizeof allowed);
        (void)snprintf(why, OPTIONS_WHY_MAX, "--%s%s%.60s: it takes %s",
            option->name, value == NULL ? "" : " ", value == NULL ? "" : value,
            allowed);
        return 0;
    }
    return taken;
}

bool options_read(const struct option *table, struct arguments *arguments,
    bool as_leader, void *settings, char why[OPTIONS_WHY_MAX])
{
    int kept = 0;
    int at = 0;
    set_initial(table, settings);
    while (at < arguments->count) {
        char *word = arguments->words[at];
        if (strncmp(word, "--", 2) != 0) {
            if (as_leader) {
                break;
            }
            arguments->words[kept++] = word;
            at++;
            continue;
        }
        if (word[2] == '\0') {
            at++;
            break;
        }
        if (strcmp(word, "--help") == 0) {
            arguments->help = true;
            at++;
            continue;
        }
        int taken = read_option(table, arguments, at, settings, why);
        if (taken == 0) {
            return false;
        }
        at += taken;
    }
    while (at < arguments->count) {
        arguments->words[kept++] = arguments->words[at++];
    }
    arguments->count = kept;
    return true;
}
