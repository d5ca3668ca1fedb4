/* subcommand.h: the second words of commands such as CLIENT LIST: a table of
 * them each, which tells HELP too. */
#ifndef COMMAND_SUBCOMMAND_H
#define COMMAND_SUBCOMMAND_H

#include "command/command.h"

struct subcommand {
    const char *name; /* of both words, as errors tell it: "client|list" */
    int arity;        /* as of a command: the first word counts */
    void (*run)(struct call *call);
    const char *usage; /* "LIST [option ...]" */
    const char *help;
};

/* The one that argument 1, which is there, names; the table ends with a row
 * without a name.  NULL: there is none, or it has other arguments, as why then
 * says. */
const struct subcommand *subcommand_find(const struct call *call,
    const struct subcommand *table, char why[COMMAND_WHY_MAX]);
/* Executes it, or replies why not. */
void subcommand_run(struct call *call, const struct subcommand *table);
/* The reply to HELP. */
void subcommand_help(struct call *call, const struct subcommand *table);

#endif
