/* table.c: the rows, in the order of their names, and the search in them. */
#include "command/command.h"

#include "command/keys.h"
#include "command/lists.h"
#include "command/session.h"
#include "command/sets.h"
#include "command/strings.h"
#include "command/transaction.h"

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
    {"auth", -2, SESSION, 0, 0, 0, session_auth, "connection", "1.0.0",
        "Authenticates the connection."},
    {"dbsize", 1, MANY, 0, 0, 0, keys_dbsize, "server", "1.0.0",
        "Returns the number of keys in the database."},
    {"del", -2, WRITE, 1, -1, 1, keys_del, "generic", "1.0.0",
        "Deletes one or more keys."},
    {"discard", 1, SESSION | AT_ONCE, 0, 0, 0, transaction_discard,
        "transactions", "2.0.0", "Discards a transaction."},
    {"echo", 2, READ, 0, 0, 0, session_echo, "connection", "1.0.0",
        "Returns the given string."},
    {"exec", 1, AT_ONCE, 0, 0, 0, transaction_exec, "transactions", "1.2.0",
        "Executes all commands in a transaction."},
    {"exists", -2, MANY, 1, -1, 1, keys_exists, "generic", "1.0.0",
        "Determines whether one or more keys exist."},
    {"flushall", -1, WRITE, 0, 0, 0, keys_flushall, "server", "1.0.0",
        "Removes all keys."},
    {"get", 2, READ, 1, 1, 1, strings_get, "string", "1.0.0",
        "Returns the string value of a key."},
    {"hello", -1, SESSION, 0, 0, 0, session_hello, "connection", "6.0.0",
        "Handshakes with the server."},
    {"incr", 2, WRITE, 1, 1, 1, strings_incr, "string", "1.0.0",
        "Increments the integer value of a key by one."},
    {"lindex", 3, MANY, 1, 1, 1, lists_lindex, "list", "1.0.0",
        "Returns an element from a list by its index."},
    {"linsert", 5, WRITE, 1, 1, 1, lists_linsert, "list", "2.2.0",
        "Inserts an element before or after another one in a list."},
    {"llen", 2, READ, 1, 1, 1, lists_llen, "list", "1.0.0",
        "Returns the length of a list."},
    {"lmove", 5, WRITE, 1, 2, 1, lists_lmove, "list", "6.2.0",
        "Takes an element from one end of a list, adds it to an end of another "
        "one, and returns it."},
    {"lpop", -2, WRITE, 1, 1, 1, lists_lpop, "list", "1.0.0",
        "Takes the first elements from a list and returns them."},
    {"lpos", -3, MANY, 1, 1, 1, lists_lpos, "list", "6.0.6",
        "Returns the index of matching elements of a list."},
    {"lpush", -3, WRITE, 1, 1, 1, lists_lpush, "list", "1.0.0",
        "Adds elements at the beginning of a list."},
    {"lpushx", -3, WRITE, 1, 1, 1, lists_lpushx, "list", "2.2.0",
        "Adds elements at the beginning of a list, if there is one."},
    {"lrange", 4, MANY, 1, 1, 1, lists_lrange, "list", "1.0.0",
        "Returns a range of elements from a list."},
    {"lrem", 4, WRITE, 1, 1, 1, lists_lrem, "list", "1.0.0",
        "Removes the elements of a list that are equal to a value."},
    {"lset", 4, WRITE, 1, 1, 1, lists_lset, "list", "1.0.0",
        "Sets the value of an element in a list by its index."},
    {"ltrim", 4, WRITE, 1, 1, 1, lists_ltrim, "list", "1.0.0",
        "Removes the elements of a list outside a range."},
    {"mget", -2, MANY, 1, -1, 1, strings_mget, "string", "1.0.0",
        "Returns the string values of one or more keys at one instant."},
    {"multi", 1, SESSION | AT_ONCE, 0, 0, 0, transaction_multi, "transactions",
        "1.2.0", "Starts a transaction."},
    {"ping", -1, READ, 0, 0, 0, session_ping, "connection", "1.0.0",
        "Returns the server's liveliness response."},
    {"quit", -1, SESSION | AT_ONCE, 0, 0, 0, session_quit, "connection",
        "1.0.0", "Closes the connection."},
    {"reset", 1, SESSION | AT_ONCE, 0, 0, 0, session_reset, "connection",
        "6.2.0", "Resets the connection."},
    {"rpop", -2, WRITE, 1, 1, 1, lists_rpop, "list", "1.0.0",
        "Takes the last elements from a list and returns them."},
    {"rpoplpush", 3, WRITE, 1, 2, 1, lists_rpoplpush, "list", "1.2.0",
        "Takes the last element from a list, adds it at the beginning of "
        "another one, and returns it."},
    {"rpush", -3, WRITE, 1, 1, 1, lists_rpush, "list", "1.0.0",
        "Adds elements at the end of a list."},
    {"rpushx", -3, WRITE, 1, 1, 1, lists_rpushx, "list", "2.2.0",
        "Adds elements at the end of a list, if there is one."},
    {"select", 2, READ, 0, 0, 0, session_select, "connection", "1.0.0",
        "Changes the selected database; there is number 0."},
    {"set", -3, WRITE, 1, 1, 1, strings_set, "string", "1.0.0",
        "Sets the string value of a key, ignoring its type."},
    {"type", 2, READ, 1, 1, 1, keys_type, "generic", "1.0.0",
        "Determines the type of value stored at a key."},
    {"unwatch", 1, SESSION, 0, 0, 0, transaction_unwatch, "transactions",
        "2.2.0", "Forgets about watched keys of a transaction."},
    {"watch", -2, LONE | AT_ONCE, 1, -1, 1, transaction_watch, "transactions",
        "2.2.0",
        "Monitors changes to keys to determine the execution of a "
        "transaction."},
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
