#include "command/command.h"

#include "command/subcommand.h"
#include "command/transaction.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* ---- Before it is executed ----------------------------------------------- */

static inline bool is_key(const struct resp_arg *arg)
{
    return arg->size > 0 && arg->size <= KV_KEY_SIZE &&
           arg->bytes[arg->size - 1] != 0;
}

bool command_key(const struct resp_arg *arg, uint8_t key[KV_KEY_SIZE])
{
    if (!is_key(arg)) {
        return false;
    }
    bytes_pad(key, arg->bytes, arg->size);
    return true;
}

void command_key_why(const struct resp_arg *arg, char why[COMMAND_WHY_MAX])
{
    if (arg->size > 0 && arg->size <= KV_KEY_SIZE) {
        snprintf(why, COMMAND_WHY_MAX,
            "ERR a key of %" PRIu32 " bytes ends in a NUL byte: trailing NUL "
            "bytes do not tell two keys apart here",
            arg->size);
    } else {
        snprintf(why, COMMAND_WHY_MAX,
            "ERR a key has 1 to %d bytes, and this one %" PRIu32, KV_KEY_SIZE,
            arg->size);
    }
}

/* Redis cuts what it repeats of the arguments at 128 characters. */
static void unknown(const struct call *call, char why[COMMAND_WHY_MAX])
{
    enum { REPEATED_MAX = 128 };
    char args[REPEATED_MAX + 8] = "";
    size_t length = 0;
    for (uint32_t i = 1; i < call->count && length < REPEATED_MAX; i++) {
        int room = (int)(REPEATED_MAX - length);
        int shown = (int)u64_min(call->args[i].size, (uint64_t)room);
        length += (size_t)snprintf(args + length, sizeof args - length,
            "'%.*s' ", shown, (const char *)call->args[i].bytes);
        length = u64_min(length, sizeof args - 1);
    }
    snprintf(why, COMMAND_WHY_MAX,
        "ERR unknown command '%.*s', with args beginning with: %s",
        (int)u64_min(call->args[0].size, REPEATED_MAX),
        (const char *)call->args[0].bytes, args);
}

/* Fills the first key.  Sizes are looked at here, so that no command has to. */
static bool check_sizes(struct call *call, char why[COMMAND_WHY_MAX])
{
    const struct command *command = call->command;
    uint32_t key = (uint32_t)command->first; /* the next one */
    uint32_t last = command->last < 0
                        ? (uint32_t)((int)call->count + command->last)
                        : (uint32_t)command->last;
    for (uint32_t i = 1; i < call->count; i++) {
        const struct resp_arg *arg = &call->args[i];
        if (i == key && i <= last) {
            key += (uint32_t)command->step;
            if (i == 1 ? !command_key(arg, call->key.bytes) : !is_key(arg)) {
                command_key_why(arg, why);
                return false;
            }
        } else if (arg->size > KV_VALUE_MAX) {
            snprintf(why, COMMAND_WHY_MAX,
                "ERR a value has at most %d bytes, and argument %" PRIu32
                " of '%s' %" PRIu32,
                KV_VALUE_MAX, i, command->name, arg->size);
            return false;
        }
    }
    return true;
}

bool command_prepare(struct call *call, char why[COMMAND_WHY_MAX])
{
    const struct resp_arg *name = &call->args[0];
    assert(call->count >= 1);
    if (call->command == NULL ||
        !command_is(call->command, name->bytes, name->size)) {
        call->command = command_find(name->bytes, name->size);
    }
    if (call->command == NULL) {
        unknown(call, why);
        return false;
    }
    int arity = call->command->arity;
    if (arity > 0 ? call->count != (uint32_t)arity
                  : call->count < (uint32_t)-arity) {
        snprintf(why, COMMAND_WHY_MAX,
            "ERR wrong number of arguments for '%s' command",
            call->command->name);
        return false;
    }
    const struct subcommand *words =
        call->command->first == 0 ? command_words(call->command) : NULL;
    if (words != NULL && call->count > 1 &&
        subcommand_find(call, words, why) == NULL) {
        return false;
    }
    return check_sizes(call, why);
}

/* ---- Executing ----------------------------------------------------------- */

_Static_assert(
    COMMAND_ERRORS_ROOM < BATCH_REPLIES_MAX / 2, "most is for replies");

bool command_run(struct call *call, struct view *view, struct buffer *out)
{
    uint32_t before = out->size;
    assert(call->command->run != NULL && out->max > COMMAND_ERRORS_ROOM);
    call->view = view;
    call->reply = (struct resp_reply){.buffer = out, .version = call->version};
    call->command->run(call);
    view_release(view);
    uint32_t max = out->max - COMMAND_ERRORS_ROOM;
    if (!call->reply.failed && out->size <= max) {
        return true;
    }
    out->size = before;
    call->reply.failed = false;
    resp_error(&call->reply,
        "ERR the replies to this, and to what came with it, have more than "
        "%" PRIu32 " bytes: ask again, or for less at a time",
        max);
    return false;
}

void command_refuse(
    struct call *call, struct buffer *out, const char *code, const char *why)
{
    call->reply = (struct resp_reply){.buffer = out, .version = call->version};
    resp_error(&call->reply, "%s %s", code, why);
}

bool command_writes(const struct call *call)
{
    return call->command->run == transaction_exec
               ? call->transaction->writes
               : (call->command->flags & COMMAND_WRITE) != 0;
}

uint32_t command_changes(const struct call *call)
{
    enum { SLACK = 16 };
    if (call->command->run == transaction_exec) {
        return call->transaction->changes;
    }
    return command_writes(call) ? call->count + SLACK : 0;
}
