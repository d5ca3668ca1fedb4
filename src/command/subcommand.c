#include "command/subcommand.h"

#include "command/session.h"

#include <ctype.h>
#include <stdio.h>

static const char *upper(const struct call *call, char name[COMMAND_NAME_MAX])
{
    size_t i = 0;
    for (; call->command->name[i] != '\0'; i++) {
        name[i] = (char)toupper((unsigned char)call->command->name[i]);
    }
    name[i] = '\0';
    return name;
}

static const struct subcommand *named(
    const struct call *call, const struct subcommand *table)
{
    for (; table->name != NULL; table++) {
        if (call_is(call, 1, strchr(table->name, '|') + 1)) {
            return table;
        }
    }
    return NULL;
}

const struct subcommand *subcommand_find(const struct call *call,
    const struct subcommand *table, char why[COMMAND_WHY_MAX])
{
    enum { SHOWN_MAX = 128 };
    char name[COMMAND_NAME_MAX];
    const struct subcommand *row = named(call, table);
    if (row == NULL) {
        snprintf(why, COMMAND_WHY_MAX,
            "ERR unknown subcommand '%.*s'. Try %s HELP.",
            (int)u64_min(call->args[1].size, SHOWN_MAX),
            (const char *)call->args[1].bytes, upper(call, name));
        return NULL;
    }
    bool fits = row->arity > 0 ? call->count == (uint32_t)row->arity
                               : call->count >= (uint32_t)-row->arity;
    if (!fits) {
        snprintf(why, COMMAND_WHY_MAX,
            "ERR wrong number of arguments for '%s' command", row->name);
        return NULL;
    }
    return row;
}

void subcommand_run(struct call *call, const struct subcommand *table)
{
    char why[COMMAND_WHY_MAX];
    const struct subcommand *row = subcommand_find(call, table, why);
    if (row == NULL) {
        resp_error(&call->reply, "%s", why);
        return;
    }
    if (call->session != NULL) {
        call->session->last = row->name;
    }
    row->run(call);
}

void subcommand_help(struct call *call, const struct subcommand *table)
{
    enum { LINE_MAX = 160 };
    char line[LINE_MAX];
    char name[COMMAND_NAME_MAX];
    size_t rows = 0;
    while (table[rows].name != NULL) {
        rows++;
    }
    resp_array(&call->reply, 1 + 2 * rows);
    (void)snprintf(line, sizeof line,
        "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        upper(call, name));
    resp_simple(&call->reply, line);
    for (size_t i = 0; i < rows; i++) {
        resp_simple(&call->reply, table[i].usage);
        (void)snprintf(line, sizeof line, "    %s", table[i].help);
        resp_simple(&call->reply, line);
    }
}
