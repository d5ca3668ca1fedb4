#include "client_moment.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client_options.h"

enum { SECOND_MS = 1000, MINUTE_S = 60, HOUR_MINUTES = 60 };

/* True if text begins so: # is a digit, another character itself. */
static bool has_shape(const char *text, const char *shape)
{
    for (; *shape != '\0'; text++, shape++) {
        bool right =
            *shape == '#' ? isdigit((unsigned char)*text) : *text == *shape;
        if (!right) {
            return false;
        }
    }
    return true;
}

/* The number that count digits make. */
static int digits(const char *text, int count)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        number = 10 * number + (text[i] - '0');
    }
    return number;
}

/* ".250": the milliseconds; *text moves behind them. */
static bool parse_fraction(const char **text, int64_t *ms)
{
    int64_t unit = SECOND_MS;
    *ms = 0;
    if (**text != '.') {
        return true;
    }
    for ((*text)++; isdigit((unsigned char)**text) && unit > 1; (*text)++) {
        unit /= 10;
        *ms += unit * (**text - '0');
    }
    return unit < SECOND_MS;
}

/* True if the calendar has this day, and the day this second. */
static bool exists(const struct tm *parts)
{
    struct tm same = *parts;
    (void)timegm(&same);
    return same.tm_mon == parts->tm_mon && same.tm_mday == parts->tm_mday &&
           same.tm_hour == parts->tm_hour && same.tm_min == parts->tm_min &&
           same.tm_sec == parts->tm_sec;
}

/* The second in the zone that text names: none, Z, or +hh:mm. */
static bool find_second(
    const struct tm *parts, const char *text, int64_t *second)
{
    static const char offset[] = "##:##";
    struct tm copy = *parts;
    if (*text == '\0') {
        copy.tm_isdst = -1; /* whether it is summer follows from the day */
        *second = mktime(&copy);
        return true;
    }
    *second = timegm(&copy);
    if (strcmp(text, "Z") == 0) {
        return true;
    }
    if ((*text != '+' && *text != '-') || !has_shape(text + 1, offset) ||
        text[sizeof offset] != '\0') {
        return false;
    }
    int64_t east =
        MINUTE_S * (HOUR_MINUTES * digits(text + 1, 2) + digits(text + 4, 2));
    *second -= *text == '+' ? east : -east;
    return true;
}

static bool parse_time(const char *text, int64_t *time_ms)
{
    static const char shape[] = "####-##-##T##:##:##";
    if (!has_shape(text, shape)) {
        return false;
    }
    struct tm parts = {
        .tm_year = digits(text, 4) - 1900,
        .tm_mon = digits(text + 5, 2) - 1,
        .tm_mday = digits(text + 8, 2),
        .tm_hour = digits(text + 11, 2),
        .tm_min = digits(text + 14, 2),
        .tm_sec = digits(text + 17, 2),
    };
    int64_t ms;
    int64_t second;
    text += sizeof shape - 1;
    if (!exists(&parts) || !parse_fraction(&text, &ms) ||
        !find_second(&parts, text, &second)) {
        return false;
    }
    *time_ms = second * SECOND_MS + ms;
    return true;
}

bool moment_parse(
    const char *text, int64_t now_ms, struct storage_moment *moment)
{
    int64_t number;
    bool valid;
    *moment = STORAGE_NEWEST;
    if (options_number(text, 0, INT64_MAX, &number)) {
        moment->lsn = (uint64_t)number;
        return true;
    }
    if (*text == '@') {
        valid = options_number(text + 1, 0, INT64_MAX, &moment->time_ms);
    } else if (*text == '-') {
        valid = options_duration(text + 1, &number);
        moment->time_ms = valid && number <= now_ms ? now_ms - number : -1;
    } else {
        valid = parse_time(text, &moment->time_ms);
    }
    return valid && moment->time_ms >= 0 && moment->time_ms <= now_ms;
}

const char *moment_text(int64_t time_ms, char text[MOMENT_TEXT_MAX])
{
    char second[MOMENT_TEXT_MAX / 2];
    char zone[8];
    struct tm parts;
    time_t seconds = (time_t)(time_ms / SECOND_MS);
    if (localtime_r(&seconds, &parts) == NULL ||
        strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &parts) == 0 ||
        strftime(zone, sizeof zone, "%z", &parts) == 0) {
        (void)snprintf(text, MOMENT_TEXT_MAX, "@%" PRId64, time_ms);
        return text;
    }
    (void)snprintf(text, MOMENT_TEXT_MAX, "%s.%03d%.3s:%.2s", second,
        (int)(time_ms % SECOND_MS), zone, zone + 3);
    return text;
}
