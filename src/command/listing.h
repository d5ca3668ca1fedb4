/* listing.h: COMMAND: what the table of commands tells of them.
 *
 * Of what Redis tells these are left out: complexities and arguments (DOCS),
 * specifications of keys beyond first, last and step, and subcommands, which
 * are no rows; flags and categories are those that follow from the row. */
#ifndef COMMAND_LISTING_H
#define COMMAND_LISTING_H

#include "command/subcommand.h"

void listing_command(struct call *call);
extern const struct subcommand listing_words[];

#endif
