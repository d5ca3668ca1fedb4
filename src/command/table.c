/* table.c: the rows, in the order of their names, and the search in them. */
#include "command/command.h"

#include "command/expiry.h"
#include "command/keys.h"
#include "command/listing.h"
#include "command/lists.h"
#include "command/session.h"
#include "command/sets.h"
#include "command/strings.h"
#include "command/transaction.h"

enum {
    READ = 0,
    WRITE = COMMAND_WRITE,
    MANY = COMMAND_MANY,
    SESSION = COMMAND_SESSION,
    LONE = COMMAND_LONE,
    AT_ONCE = COMMAND_AT_ONCE
};

enum { LOWER = 0x20 /* of a letter, the bit that an upper one has not */ };

/* name, arity, flags, first and last key, step, function, group, since,
 * summary */
static const struct command rows[] = {
    {"append", 3, WRITE, 1, 1, 1, strings_append, "string", "2.0.0",
        "Appends to the value of a key, or sets it."},
    {"auth", -2, SESSION, 0, 0, 0, session_auth, "connection", "1.0.0",
        "Authenticates the connection."},
    {"bgsave", -1, LONE, 0, 0, 0, NULL, "server", "1.0.0",
        "Writes a backup in the background."},
    {"client", -2, LONE, 0, 0, 0, NULL, "connection", "2.4.0",
        "A container for client connection commands."},
    {"command", -1, READ, 0, 0, 0, listing_command, "server", "2.8.13",
        "Returns details about all commands."},
    {"config", -2, LONE, 0, 0, 0, NULL, "server", "2.0.0",
        "A container for server configuration commands."},
    {"copy", -3, WRITE, 1, 2, 1, keys_copy, "generic", "6.2.0",
        "Copies what a key holds to another key."},
    {"dbsize", 1, MANY, 0, 0, 0, keys_dbsize, "server", "1.0.0",
        "Returns the number of keys in the database."},
#ifdef FIXKV_DEBUG
    {"debug", -2, LONE, 0, 0, 0, NULL, "server", "1.0.0",
        "A container for debugging commands."},
#endif
    {"decr", 2, WRITE, 1, 1, 1, strings_decr, "string", "1.0.0",
        "Decrements the integer value of a key by one."},
    {"decrby", 3, WRITE, 1, 1, 1, strings_decrby, "string", "1.0.0",
        "Decrements the integer value of a key by a number."},
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
    {"expire", -3, WRITE, 1, 1, 1, expiry_expire, "generic", "1.0.0",
        "Sets in how many seconds a key ends."},
    {"expireat", -3, WRITE, 1, 1, 1, expiry_expireat, "generic", "1.2.0",
        "Sets at which second since 1970 a key ends."},
    {"expiretime", 2, READ, 1, 1, 1, expiry_expiretime, "generic", "7.0.0",
        "Returns at which second since 1970 a key ends."},
    {"flushall", -1, WRITE, 0, 0, 0, keys_flushall, "server", "1.0.0",
        "Removes all keys."},
    {"flushdb", -1, WRITE, 0, 0, 0, keys_flushall, "server", "1.0.0",
        "Removes all keys of the database."},
    {"get", 2, READ, 1, 1, 1, strings_get, "string", "1.0.0",
        "Returns the string value of a key."},
    {"getdel", 2, WRITE, 1, 1, 1, strings_getdel, "string", "6.2.0",
        "Returns the string value of a key and deletes the key."},
    {"getex", -2, WRITE, 1, 1, 1, strings_getex, "string", "6.2.0",
        "Returns the string value of a key and sets when it ends."},
    {"getrange", 4, READ, 1, 1, 1, strings_getrange, "string", "2.4.0",
        "Returns a part of the string value of a key."},
    {"getset", 3, WRITE, 1, 1, 1, strings_getset, "string", "1.0.0",
        "Returns the string value of a key and sets a new one."},
    {"hello", -1, SESSION, 0, 0, 0, session_hello, "connection", "6.0.0",
        "Handshakes with the server."},
    {"incr", 2, WRITE, 1, 1, 1, strings_incr, "string", "1.0.0",
        "Increments the integer value of a key by one."},
    {"incrby", 3, WRITE, 1, 1, 1, strings_incrby, "string", "1.0.0",
        "Increments the integer value of a key by a number."},
    {"incrbyfloat", 3, WRITE, 1, 1, 1, strings_incrbyfloat, "string", "2.6.0",
        "Increments the value of a key by a number with a fraction."},
    {"info", -1, LONE, 0, 0, 0, NULL, "server", "1.0.0",
        "Returns information and statistics about the server."},
    {"keys", 2, MANY, 0, 0, 0, keys_keys, "generic", "1.0.0",
        "Returns all keys that match a pattern."},
    {"lastsave", 1, LONE, 0, 0, 0, NULL, "server", "1.0.0",
        "Returns the Unix time of the newest backup."},
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
    {"mset", -3, WRITE, 1, -1, 2, strings_mset, "string", "1.0.1",
        "Sets the string values of one or more keys."},
    {"msetnx", -3, WRITE, 1, -1, 2, strings_msetnx, "string", "1.0.1",
        "Sets the string values of one or more keys if none of them exists."},
    {"multi", 1, SESSION | AT_ONCE, 0, 0, 0, transaction_multi, "transactions",
        "1.2.0", "Starts a transaction."},
    {"object", -2, MANY, 0, 0, 0, keys_object, "generic", "2.2.3",
        "Tells how Redis would keep what a key holds."},
    {"persist", 2, WRITE, 1, 1, 1, expiry_persist, "generic", "2.2.0",
        "Lets a key never end."},
    {"pexpire", -3, WRITE, 1, 1, 1, expiry_pexpire, "generic", "2.6.0",
        "Sets in how many milliseconds a key ends."},
    {"pexpireat", -3, WRITE, 1, 1, 1, expiry_pexpireat, "generic", "2.6.0",
        "Sets at which millisecond since 1970 a key ends."},
    {"pexpiretime", 2, READ, 1, 1, 1, expiry_pexpiretime, "generic", "7.0.0",
        "Returns at which millisecond since 1970 a key ends."},
    {"ping", -1, READ, 0, 0, 0, session_ping, "connection", "1.0.0",
        "Returns the server's liveliness response."},
    {"psetex", 4, WRITE, 1, 1, 1, strings_psetex, "string", "2.6.0",
        "Sets the string value of a key and in how many milliseconds it ends."},
    {"pttl", 2, READ, 1, 1, 1, expiry_pttl, "generic", "2.6.0",
        "Returns in how many milliseconds a key ends."},
    {"quit", -1, SESSION | AT_ONCE, 0, 0, 0, session_quit, "connection",
        "1.0.0", "Closes the connection."},
    {"randomkey", 1, MANY, 0, 0, 0, keys_randomkey, "generic", "1.0.0",
        "Returns a key, each as likely as any other."},
    {"rename", 3, WRITE, 1, 2, 1, keys_rename, "generic", "1.0.0",
        "Renames a key, in place of whatever has the new name."},
    {"renamenx", 3, WRITE, 1, 2, 1, keys_renamenx, "generic", "1.0.0",
        "Renames a key if nothing has the new name."},
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
    {"sadd", -3, WRITE, 1, 1, 1, sets_add, "set", "1.0.0",
        "Adds one or more members to a set."},
    {"save", 1, LONE, 0, 0, 0, NULL, "server", "1.0.0",
        "Writes a backup, and replies when it is durable."},
    {"scan", -2, MANY, 0, 0, 0, keys_scan, "generic", "2.8.0",
        "Returns some of the keys, and where to go on."},
    {"scard", 2, READ, 1, 1, 1, sets_count, "set", "1.0.0",
        "Returns the number of members in a set."},
    {"sdiff", -2, MANY, 1, -1, 1, sets_diff, "set", "1.0.0",
        "Returns the members of the first set that are in none of the others."},
    {"sdiffstore", -3, WRITE, 1, -1, 1, sets_diff_store, "set", "1.0.0",
        "Stores the difference of sets in a key."},
    {"select", 2, READ, 0, 0, 0, session_select, "connection", "1.0.0",
        "Changes the selected database; there is number 0."},
    {"set", -3, WRITE, 1, 1, 1, strings_set, "string", "1.0.0",
        "Sets the string value of a key, ignoring its type."},
    {"setex", 4, WRITE, 1, 1, 1, strings_setex, "string", "2.0.0",
        "Sets the string value of a key and in how many seconds it ends."},
    {"setnx", 3, WRITE, 1, 1, 1, strings_setnx, "string", "1.0.0",
        "Sets the string value of a key if it does not exist."},
    {"setrange", 4, WRITE, 1, 1, 1, strings_setrange, "string", "2.2.0",
        "Overwrites a part of the string value of a key."},
    {"sinter", -2, MANY, 1, -1, 1, sets_inter, "set", "1.0.0",
        "Returns the members that all of the sets have."},
    {"sintercard", -3, MANY, 0, 0, 0, sets_inter_count, "set", "7.0.0",
        "Returns how many members all of the sets have."},
    {"sinterstore", -3, WRITE, 1, -1, 1, sets_inter_store, "set", "1.0.0",
        "Stores the intersection of sets in a key."},
    {"sismember", 3, READ, 1, 1, 1, sets_is_member, "set", "1.0.0",
        "Determines whether a member belongs to a set."},
    {"smembers", 2, MANY, 1, 1, 1, sets_members, "set", "1.0.0",
        "Returns all members of a set."},
    {"smismember", -3, MANY, 1, 1, 1, sets_are_members, "set", "6.2.0",
        "Determines whether several members belong to a set."},
    {"smove", 4, WRITE, 1, 2, 1, sets_move, "set", "1.0.0",
        "Moves a member from one set to another."},
    {"spop", -2, WRITE, 1, 1, 1, sets_pop, "set", "1.0.0",
        "Returns random members of a set after removing them."},
    {"srandmember", -2, MANY, 1, 1, 1, sets_random, "set", "1.0.0",
        "Returns random members of a set."},
    {"srem", -3, WRITE, 1, 1, 1, sets_remove, "set", "1.0.0",
        "Removes one or more members from a set."},
    {"sscan", -3, MANY, 1, 1, 1, sets_scan, "set", "2.8.0",
        "Iterates over the members of a set."},
    {"strlen", 2, READ, 1, 1, 1, strings_strlen, "string", "2.2.0",
        "Returns how many bytes the string value of a key has."},
    {"substr", 4, READ, 1, 1, 1, strings_getrange, "string", "1.0.0",
        "Returns a part of the string value of a key: GETRANGE."},
    {"sunion", -2, MANY, 1, -1, 1, sets_union, "set", "1.0.0",
        "Returns the members that any of the sets has."},
    {"sunionstore", -3, WRITE, 1, -1, 1, sets_union_store, "set", "1.0.0",
        "Stores the union of sets in a key."},
    {"time", 1, READ, 0, 0, 0, session_time, "server", "2.6.0",
        "Returns the server's time."},
    {"touch", -2, MANY, 1, -1, 1, keys_exists, "generic", "3.2.1",
        "Counts those of the keys that exist."},
    {"ttl", 2, READ, 1, 1, 1, expiry_ttl, "generic", "1.0.0",
        "Returns in how many seconds a key ends."},
    {"type", 2, READ, 1, 1, 1, keys_type, "generic", "1.0.0",
        "Determines the type of value stored at a key."},
    {"unlink", -2, WRITE, 1, -1, 1, keys_del, "generic", "4.0.0",
        "Deletes one or more keys."},
    {"unwatch", 1, SESSION, 0, 0, 0, transaction_unwatch, "transactions",
        "2.2.0", "Forgets about watched keys of a transaction."},
    {"watch", -2, LONE | AT_ONCE, 1, -1, 1, transaction_watch, "transactions",
        "2.2.0",
        "Monitors changes to keys to determine the execution of a "
        "transaction."},
};

/* The beginning of a name, in lower case; such numbers are in the order of the
 * names.  Of what is no letter nothing becomes one. */
static uint64_t beginning(const uint8_t *name, size_t size)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < size && i < sizeof sum; i++) {
        sum |= (uint64_t)(name[i] | LOWER) << (8 * (sizeof sum - 1 - i));
    }
    return sum;
}

/* No two rows have the same one. */
static inline uint64_t row_beginning(const struct command *row)
{
    return __builtin_bswap64(bytes_u64(row->name));
}

/* Compares from letter number i on. */
static inline bool goes_on(
    const struct command *row, size_t i, const uint8_t *letters, size_t size)
{
    if (size >= COMMAND_NAME_MAX || row->name[size] != '\0') {
        return false;
    }
    for (; i < size; i++) {
        if ((letters[i] | LOWER) != row->name[i]) {
            return false;
        }
    }
    return true;
}

bool command_is(const struct command *command, const void *name, size_t size)
{
    return size > 0 && goes_on(command, 0, name, size);
}

const struct command *command_find(const void *name, size_t size)
{
    const struct command *row = rows;
    uint64_t wanted = beginning(name, size);
    for (size_t left = ARRAY_SIZE(rows); left > 1; left -= left / 2) {
        row += row_beginning(row + left / 2) <= wanted ? left / 2 : 0;
    }
    return row_beginning(row) == wanted &&
                   goes_on(row, sizeof wanted, name, size)
               ? row
               : NULL;
}

static const struct {
    void (*run)(struct call *call);
    const struct subcommand *words;
} worded[] = {
    {keys_object, keys_object_words},
    {listing_command, listing_words},
};

const struct subcommand *command_words(const struct command *command)
{
    for (size_t i = 0; i < ARRAY_SIZE(worded); i++) {
        if (worded[i].run == command->run) {
            return worded[i].words;
        }
    }
    return NULL;
}

const struct command *command_at(size_t i)
{
    return i < ARRAY_SIZE(rows) ? &rows[i] : NULL;
}
