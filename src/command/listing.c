#include "command/listing.h"

#include "command/command.h"
#include "glob_match.h"

#include <assert.h>

static size_t count_rows(void)
{
    size_t count = 0;
    while (command_at(count) != NULL) {
        count++;
    }
    return count;
}

/* ---- What follows from a row --------------------------------------------- */

static bool is_group(const struct command *row, const char *group)
{
    return strcmp(row->group, group) == 0;
}

/* About the connection or the server, not about records. */
static bool is_beside(const struct command *row)
{
    return row->run == NULL || is_group(row, "connection") ||
           is_group(row, "transactions");
}

static bool is_write(const struct command *row)
{
    return (row->flags & COMMAND_WRITE) != 0;
}

static bool is_read(const struct command *row)
{
    return !is_write(row) && !is_beside(row) &&
           (!is_group(row, "server") || (row->flags & COMMAND_MANY) != 0);
}

/* INFO only tells. */
static bool is_admin(const struct command *row)
{
    return is_group(row, "server") && row->run == NULL &&
           strcmp(row->name, "info") != 0;
}

static bool is_unqueued(const struct command *row)
{
    return (row->flags & (COMMAND_SESSION | COMMAND_LONE | COMMAND_AT_ONCE)) !=
           0;
}

static bool is_dangerous(const struct command *row)
{
    return is_admin(row) || strncmp(row->name, "flush", 5) == 0 ||
           strcmp(row->name, "keys") == 0;
}

static bool is_keyspace(const struct command *row)
{
    return is_group(row, "generic") ||
           (is_group(row, "server") && (is_write(row) || is_read(row)));
}

struct trait {
    const char *name;
    bool (*has)(const struct command *row);
    const char *group; /* if it is that of the row */
};

static const struct trait flags[] = {
    {"write", is_write, NULL},
    {"readonly", is_read, NULL},
    {"admin", is_admin, NULL},
    {"no_multi", is_unqueued, NULL},
};

static const struct trait categories[] = {
    {"@write", is_write, NULL},
    {"@read", is_read, NULL},
    {"@admin", is_admin, NULL},
    {"@dangerous", is_dangerous, NULL},
    {"@keyspace", is_keyspace, NULL},
    {"@string", NULL, "string"},
    {"@list", NULL, "list"},
    {"@set", NULL, "set"},
    {"@connection", NULL, "connection"},
    {"@transaction", NULL, "transactions"},
};

static bool has(const struct trait *trait, const struct command *row)
{
    return trait->has != NULL ? trait->has(row) : is_group(row, trait->group);
}

static void put_traits(struct call *call, const struct command *row,
    const struct trait *traits, size_t count)
{
    size_t held = 0;
    for (size_t i = 0; i < count; i++) {
        held += has(&traits[i], row) ? 1 : 0;
    }
    resp_set(&call->reply, held);
    for (size_t i = 0; i < count; i++) {
        if (has(&traits[i], row)) {
            resp_simple(&call->reply, traits[i].name);
        }
    }
}

/* ---- INFO and DOCS ------------------------------------------------------- */

static void put_row(struct call *call, const struct command *row)
{
    struct resp_reply *reply = &call->reply;
    resp_array(reply, 10);
    resp_bulk_text(reply, row->name);
    resp_number(reply, row->arity);
    put_traits(call, row, flags, ARRAY_SIZE(flags));
    resp_number(reply, row->first);
    resp_number(reply, row->last);
    resp_number(reply, row->step);
    put_traits(call, row, categories, ARRAY_SIZE(categories));
    resp_array(reply, 0); /* hints */
    resp_array(reply, 0); /* specifications of keys */
    resp_array(reply, 0); /* subcommands */
}

static void put_all(struct call *call)
{
    resp_array(&call->reply, count_rows());
    for (size_t i = 0; command_at(i) != NULL; i++) {
        put_row(call, command_at(i));
    }
}

static const struct command *named(const struct call *call, uint32_t i)
{
    return command_find(call->args[i].bytes, call->args[i].size);
}

static void info(struct call *call)
{
    if (call->count == 2) {
        put_all(call);
        return;
    }
    resp_array(&call->reply, call->count - 2);
    for (uint32_t i = 2; i < call->count; i++) {
        const struct command *row = named(call, i);
        if (row != NULL) {
            put_row(call, row);
        } else {
            resp_null(&call->reply);
        }
    }
}

static void put_docs(struct call *call, const struct command *row)
{
    const struct {
        const char *name;
        const char *text;
    } fields[] = {
        {"summary", row->summary},
        {"since", row->since},
        {"group", row->group},
    };
    resp_bulk_text(&call->reply, row->name);
    resp_map(&call->reply, ARRAY_SIZE(fields));
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        resp_bulk_text(&call->reply, fields[i].name);
        resp_bulk_text(&call->reply, fields[i].text);
    }
}

static void docs(struct call *call)
{
    size_t known = 0;
    if (call->count == 2) {
        resp_map(&call->reply, count_rows());
        for (size_t i = 0; command_at(i) != NULL; i++) {
            put_docs(call, command_at(i));
        }
        return;
    }
    for (uint32_t i = 2; i < call->count; i++) {
        known += named(call, i) != NULL ? 1 : 0;
    }
    resp_map(&call->reply, known);
    for (uint32_t i = 2; i < call->count; i++) {
        if (named(call, i) != NULL) {
            put_docs(call, named(call, i));
        }
    }
}

static void count(struct call *call)
{
    resp_number(&call->reply, (int64_t)count_rows());
}

/* ---- LIST ---------------------------------------------------------------- */

/* In the category that argument 4 names. */
static bool in_category(const struct call *call, const struct command *row)
{
    for (size_t i = 0; i < ARRAY_SIZE(categories); i++) {
        if (call_is(call, 4, categories[i].name + strlen("@"))) {
            return has(&categories[i], row);
        }
    }
    return false;
}

/* Names are in lower case. */
static bool has_form(const struct command *row, const struct resp_arg *pattern)
{
    char lower[KV_VALUE_MAX];
    assert(pattern->size <= sizeof lower);
    bytes_lower(lower, pattern->bytes, pattern->size);
    return glob_match(lower, pattern->size, row->name, strlen(row->name));
}

static bool is_wanted(const struct call *call, const struct command *row)
{
    if (call->count == 2) {
        return true;
    }
    if (call_is(call, 3, "pattern")) {
        return has_form(row, &call->args[4]);
    }
    return call_is(call, 3, "aclcat") && in_category(call, row);
}

static void list(struct call *call)
{
    bool plain = call->count == 2;
    bool filtered = call->count == 5 && call_is(call, 2, "filterby") &&
                    (call_is(call, 3, "module") || call_is(call, 3, "aclcat") ||
                        call_is(call, 3, "pattern"));
    size_t wanted = 0;
    if (!plain && !filtered) {
        call_syntax(call);
        return;
    }
    for (size_t i = 0; command_at(i) != NULL; i++) {
        wanted += is_wanted(call, command_at(i)) ? 1 : 0;
    }
    resp_array(&call->reply, wanted);
    for (size_t i = 0; command_at(i) != NULL; i++) {
        if (is_wanted(call, command_at(i))) {
            resp_bulk_text(&call->reply, command_at(i)->name);
        }
    }
}

/* ---- GETKEYS ------------------------------------------------------------- */

/* Where the keys of a command are: count of them, from number first on. */
struct keys {
    uint32_t first;
    uint32_t last;
    uint32_t step;
};

/* Commands that are told how many keys they have, and where. */
static const struct {
    const char *name;
    uint32_t numkeys;
} counted[] = {
    {"lmpop", 1},
    {"sintercard", 1},
};

/* 0: it is not told. */
static uint32_t numkeys_of(const struct command *row)
{
    for (size_t i = 0; i < ARRAY_SIZE(counted); i++) {
        if (strcmp(counted[i].name, row->name) == 0) {
            return counted[i].numkeys;
        }
    }
    return 0;
}

/* Of the command whose name is argument 2; false if they are not all there. */
static bool find_keys(
    const struct call *call, const struct command *row, struct keys *keys)
{
    uint32_t numkeys = numkeys_of(row);
    uint32_t end = call->count - 2; /* arguments of the command */
    int64_t number;
    bool overflow;
    if (row->first > 0) {
        *keys = (struct keys){(uint32_t)row->first,
            (uint32_t)(row->last < 0 ? (int)end + row->last : row->last),
            (uint32_t)row->step};
        return keys->last < end;
    }
    const struct resp_arg *arg = &call->args[2 + numkeys];
    if (!decimal_parse(arg->bytes, arg->size, &number, &overflow) ||
        number < 1 || number >= (int64_t)(end - numkeys)) {
        return false;
    }
    *keys = (struct keys){numkeys + 1, numkeys + (uint32_t)number, 1};
    return true;
}

static void getkeys(struct call *call)
{
    const struct command *row = named(call, 2);
    uint32_t given = call->count - 2;
    struct keys keys;
    if (row == NULL) {
        resp_error(&call->reply, "ERR Invalid command specified");
    } else if (row->first == 0 && numkeys_of(row) == 0) {
        resp_error(&call->reply, "ERR The command has no key arguments");
    } else if (row->arity > 0 ? given != (uint32_t)row->arity
                              : given < (uint32_t)-row->arity) {
        resp_error(&call->reply,
            "ERR Invalid number of arguments specified for command");
    } else if (!find_keys(call, row, &keys)) {
        resp_error(&call->reply, "ERR Invalid arguments specified for command");
    } else {
        resp_array(&call->reply, (keys.last - keys.first) / keys.step + 1);
        for (uint32_t i = keys.first; i <= keys.last; i += keys.step) {
            const struct resp_arg *arg = &call->args[2 + i];
            resp_bulk(&call->reply, arg->bytes, arg->size);
        }
    }
}

/* ---- COMMAND ------------------------------------------------------------- */

static void help(struct call *call);

const struct subcommand listing_words[] = {
    {"command|count", 2, count, "COUNT",
        "Return the total number of commands in this server."},
    {"command|list", -2, list,
        "LIST [FILTERBY MODULE <name>|ACLCAT <category>|PATTERN <pattern>]",
        "Return a list of all commands in this server."},
    {"command|info", -2, info, "INFO [<command-name> ...]",
        "Return details about commands, or all of them."},
    {"command|docs", -2, docs, "DOCS [<command-name> ...]",
        "Return summaries of commands, or of all of them."},
    {"command|getkeys", -4, getkeys, "GETKEYS <full-command>",
        "Return the keys from a full command."},
    {"command|help", 2, help, "HELP", "Prints this help."},
    {0},
};

static void help(struct call *call)
{
    subcommand_help(call, listing_words);
}

void listing_command(struct call *call)
{
    if (call->count == 1) {
        put_all(call);
    } else {
        subcommand_run(call, listing_words);
    }
}
