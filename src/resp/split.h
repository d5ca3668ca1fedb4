/* split.h: the words of an inline request.
 *
 * Blanks part them.  A double quote opens a part in which \xHH, \n, \r, \t, \b
 * and \a are single bytes, and any other byte after a backslash is itself; a
 * single quote opens one in which only \' is unescaped.  Behind a closing quote
 * stands a blank or nothing.  As in Redis a quote may open within a word, and a
 * vertical tab or a form feed is a blank before a word but part of one. */
#ifndef RESP_SPLIT_H
#define RESP_SPLIT_H

#include "resp/resp.h"

/* Splits the line, without its end, unescaping in place.  Writes at most
 * RESP_ARGS_MAX words, and how many there are into *count.  False if a quote
 * is not closed, or closed within a word. */
bool resp_split(
    uint8_t *line, size_t size, struct resp_arg *args, uint32_t *count);

#endif
