/* subcommand.h: the second words of commands such as CLIENT LIST: a table of
 * them each, which tells HELP too. */
#ifndef COMMAND_SUBCOMMAND_H
#define COMMAND_SUBCOMMAND_H

#include "command/call.h"

struct subcommand {
    const char *name; /* of both words, as errors tell it: "client|list" */
    int arity;        /* as of a command: the first word counts */
    void (*run)(struct call *call);
    const char *usage; /* "LIST [option ...]" */
    const char *help;
};

/* Executes the one that argument 1, which is there, names; or replies that
 * there is none, or that it has other arguments.  The table ends with a row
 * without a name. */
void subcommand_run(struct call *call, const struct subcommand *table);
/* The reply to HELP. */
void subcommand_help(struct call *call, const struct subcommand *table);

#endif
