#include "glob_match.h"

#include <stdint.h>

/* One element of a pattern that stands for one byte. */
struct element {
    const int8_t *next; /* behind it */
    bool matches;
};

static bool in_range(int8_t byte, int8_t one, int8_t other)
{
    return one <= other ? byte >= one && byte <= other
                        : byte >= other && byte <= one;
}

/* next: behind the bracket. */
static struct element match_class(
    const int8_t *next, const int8_t *end, int8_t byte)
{
    bool found = false;
    bool negated = next < end && *next == '^';
    next += negated ? 1 : 0;
    while (next < end && *next != ']') {
        if (end - next >= 2 && *next == '\\') {
            found = found || next[1] == byte;
            next += 2;
        } else if (end - next >= 3 && next[1] == '-') {
            found = found || in_range(byte, next[0], next[2]);
            next += 3;
        } else {
            found = found || *next == byte;
            next++;
        }
    }
    next += next < end ? 1 : 0;
    return (struct element){next, found != negated};
}

static struct element match_element(
    const int8_t *next, const int8_t *end, int8_t byte)
{
    switch (*next) {
    case '?':
        return (struct element){next + 1, true};
    case '[':
        return match_class(next + 1, end, byte);
    case '\\':
        next += end - next >= 2 ? 1 : 0;
        return (struct element){next + 1, *next == byte};
    default:
        return (struct element){next + 1, *next == byte};
    }
}

bool glob_match(const void *pattern, size_t pattern_size, const void *text,
    size_t text_size)
{
    const int8_t *next = pattern;
    const int8_t *end = next + pattern_size;
    const int8_t *byte = text;
    const int8_t *text_end = byte + text_size;
    /* Behind the last star, and the first byte that it does not take.  Earlier
     * stars need not take more: what stands between two has matched as early
     * as it can. */
    const int8_t *behind_star = NULL;
    const int8_t *rest = NULL;
    if (text_size == 0) {
        return pattern_size == 0;
    }
    while (byte < text_end) {
        if (next < end && *next == '*') {
            behind_star = ++next;
            rest = byte;
            if (next == end) {
                return true;
            }
            continue;
        }
        struct element element = {next, false};
        if (next < end) {
            element = match_element(next, end, *byte);
        }
        if (element.matches) {
            next = element.next;
            byte++;
        } else if (behind_star == NULL) {
            return false;
        } else {
            next = behind_star;
            byte = ++rest;
        }
    }
    while (next < end && *next == '*') {
        next++;
    }
    return next == end;
}
