#include "decimal.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool decimal_parse_float(const void *text, size_t size, long double *number)
{
    char copy[DECIMAL_FLOAT_TEXT_MAX + 1];
    if (size == 0 || size > DECIMAL_FLOAT_TEXT_MAX) {
        return false;
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    if (isspace((unsigned char)copy[0])) {
        return false;
    }
    char *end;
    errno = 0;
    long double read = strtold(copy, &end);
    if (end != copy + size || isnan(read) ||
        (errno == ERANGE &&
            (read == HUGE_VALL || read == -HUGE_VALL || read == 0))) {
        return false;
    }
    *number = read;
    return true;
}

size_t decimal_format_float(long double number, uint8_t text[DECIMAL_FLOAT_MAX])
{
    assert(isfinite(number));
    int length = snprintf((char *)text, DECIMAL_FLOAT_MAX, "%.*Lf",
        DECIMAL_FRACTION_DIGITS, number);
    assert(length > DECIMAL_FRACTION_DIGITS && length < DECIMAL_FLOAT_MAX);
    size_t size = (size_t)length;
    while (text[size - 1] == '0') {
        size--;
    }
    size -= text[size - 1] == '.' ? 1 : 0;
    if (size == 2 && text[0] == '-' && text[1] == '0') {
        text[0] = '0';
        size = 1;
    }
    return size;
}
