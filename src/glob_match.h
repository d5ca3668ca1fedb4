/* glob_match.h: patterns of Redis's KEYS and SCAN, as its stringmatchlen reads
 * them:
 *
 *     *         any bytes, or none
 *     ?         one byte
 *     [a-c\]x]  one of these; ranges in either order; a class that is not
 *               closed ends with the pattern
 *     [^ab]     one that is none of these
 *     \x        x itself; a backslash at the end is one
 *
 * Its oddities are kept: bytes of a range are compared as signed ones, []
 * matches nothing and [^] any byte, and no pattern but the empty one matches an
 * empty text. */
#ifndef GLOB_MATCH_H
#define GLOB_MATCH_H

#include <stdbool.h>
#include <stddef.h>

/* Takes at most pattern_size * text_size steps. */
bool glob_match(const void *pattern, size_t pattern_size, const void *text,
    size_t text_size);

#endif
