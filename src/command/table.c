/* table.c: the rows, in the order of their names, and the search in them. */
#include "command/command.h"

#include "command/keys.h"
#include "command/lists.h"
#include "command/sets.h"
#include "command/strings.h"

#include <string.h>

enum {
    READ = 0,
    WRITE = COMMAND_WRITE,
    MANY = COMMAND_MANY,
    SESSION = COMMAND_SESSION,
    LONE = COMMAND_LONE,
    AT_ONCE = COMMAND_AT_ONCE
};

/* name, arity, flags, first and last key, step, function, group, since,
 * summary */
static const struct command rows[] = {
    {"dbsize", 1, MANY, 0, 0, 0, keys_dbsize, "server", "1.0.0",
        "Returns the number of keys in the database."},
    {"del", -2, WRITE, 1, -1, 1, keys_del, "generic", "1.0.0",
        "Deletes one or more keys."},
    {"exists", -2, MANY, 1, -1, 1, keys_exists, "generic", "1.0.0",
        "Determines whether one or more keys exist."},
    {"flushall", -1, WRITE, 0, 0, 0, keys_flushall, "server", "1.0.0",
        "Removes all keys."},
    {"get", 2, READ, 1, 1, 1, strings_get, "string", "1.0.0",
        "Returns the string value of a key."},
    {"incr", 2, WRITE, 1, 1, 1, strings_incr, "string", "1.0.0",
        "Increments the integer value of a key by one."},
    {"mget", -2, MANY, 1, -1, 1, strings_mget, "string", "1.0.0",
        "Returns the string values of one or more keys at one instant."},
    {"set", -3, WRITE, 1, 1, 1, strings_set, "string", "1.0.0",
        "Sets the string value of a key, ignoring its type."},
    {"type", 2, READ, 1, 1, 1, keys_type, "generic", "1.0.0",
        "Determines the type of value stored at a key."},
};

const struct command *command_find(const void *name, size_t size)
{
    char lower[COMMAND_NAME_MAX] = "";
    size_t low = 0;
    size_t high = ARRAY_SIZE(rows);
    if (size >= sizeof lower) {
        return NULL;
    }
    for (size_t i = 0; i < size; i++) {
        char letter = ((const char *)name)[i];
        bool upper = letter >= 'A' && letter <= 'Z';
        lower[i] = (char)(upper ? letter - 'A' + 'a' : letter);
    }
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = memcmp(lower, rows[middle].name, sizeof lower);
        if (order == 0) {
            return &rows[middle];
        }
        low = order > 0 ? middle + 1 : low;
        high = order < 0 ? middle : high;
    }
    return NULL;
}

const struct command *command_at(size_t i)
{
    return i < ARRAY_SIZE(rows) ? &rows[i] : NULL;
}
