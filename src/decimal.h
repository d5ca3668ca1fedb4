/* decimal.h: numbers with a fraction as text, as Redis's INCRBYFLOAT reads and
 * writes them.  Those without one: bytes.h.
 *
 * It reads and writes in the locale of the process, which must be "C" in its
 * numbers; programs that do not call setlocale are in it. */
#ifndef DECIMAL_H
#define DECIMAL_H

#include <float.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DECIMAL_FLOAT_TEXT_MAX = 5 * 1024 - 1, /* bytes that are read */
    DECIMAL_FRACTION_DIGITS = 17,
    /* Sign, digits, point, fraction, and the zero byte of snprintf. */
    DECIMAL_FLOAT_MAX =
        1 + LDBL_MAX_10_EXP + 1 + 1 + DECIMAL_FRACTION_DIGITS + 1
};

/* Reads the number that fills text exactly, as strtold does: a sign, decimal
 * or hexadecimal digits, an exponent, "inf"; no blank before it.  False if it
 * is none, NaN, beyond the type's range, or so small that nothing is left. */
bool decimal_parse_float(const void *text, size_t size, long double *number);

/* Writes the number with up to 17 digits behind the point, without zeros at the
 * end, without exponent; returns its length.  It is finite. */
size_t decimal_format_float(
    long double number, uint8_t text[DECIMAL_FLOAT_MAX]);

#endif
