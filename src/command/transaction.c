#include "command/transaction.h"

#include "command/command.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define STAMP_ABSENT UINT64_MAX

void transaction_init(struct transaction *transaction)
{
    *transaction = (struct transaction){
        .queued.max = TRANSACTION_CALLS_MAX * sizeof(struct queued),
        .bytes.max = TRANSACTION_BYTES_MAX,
        .watched.max = TRANSACTION_WATCHED_MAX * sizeof(struct watched),
    };
}

void transaction_clear(struct transaction *transaction)
{
    buffer_free(&transaction->queued);
    buffer_free(&transaction->bytes);
    buffer_free(&transaction->watched);
    transaction_init(transaction);
}

uint32_t transaction_held(const struct transaction *transaction)
{
    return transaction->queued.room + transaction->bytes.room +
           transaction->watched.room;
}

/* ---- Queueing ------------------------------------------------------------ */

static bool keep_args(struct buffer *bytes, const struct call *call)
{
    for (uint32_t i = 0; i < call->count; i++) {
        const struct resp_arg *arg = &call->args[i];
        if (!buffer_append(bytes, &arg->size, sizeof arg->size) ||
            !buffer_append(bytes, arg->bytes, arg->size)) {
            return false;
        }
    }
    return true;
}

static const char *why_not(const struct transaction *transaction)
{
    return transaction->queued.size + sizeof(struct queued) >
                   transaction->queued.max
               ? "commands"
               : "bytes of arguments";
}

void transaction_queue(struct transaction *transaction, struct call *call)
{
    struct queued queued = {
        .command = call->command,
        .count = call->count,
        .at = transaction->bytes.size,
    };
    memcpy(queued.key, call->key.bytes, sizeof queued.key);
    if ((call->command->flags & (COMMAND_SESSION | COMMAND_LONE)) != 0 &&
        call->command->run != transaction_unwatch) {
        transaction->broken = true;
        resp_error(
            &call->reply, "ERR Command not allowed inside a transaction");
        return;
    }
    if (!buffer_append(&transaction->queued, &queued, sizeof queued) ||
        !keep_args(&transaction->bytes, call)) {
        transaction->broken = true;
        resp_error(&call->reply,
            "ERR a transaction has at most %d commands and %d bytes of "
            "arguments; this one has more %s",
            TRANSACTION_CALLS_MAX, TRANSACTION_BYTES_MAX, why_not(transaction));
        return;
    }
    transaction->writes = transaction->writes || command_writes(call);
    transaction->changes += command_changes(call);
    if (call->count > transaction->args_max) {
        transaction->args_max = call->count;
    }
    resp_simple(&call->reply, "QUEUED");
}

void transaction_multi(struct call *call)
{
    if (call->transaction->open) {
        resp_error(&call->reply, "ERR MULTI calls can not be nested");
        return;
    }
    call->transaction->open = true;
    resp_ok(&call->reply);
}

void transaction_discard(struct call *call)
{
    if (!call->transaction->open) {
        resp_error(&call->reply, "ERR DISCARD without MULTI");
        return;
    }
    transaction_clear(call->transaction);
    resp_ok(&call->reply);
}

/* ---- Watching ------------------------------------------------------------ */

static uint64_t stamp_of(struct call *call, const struct key *key)
{
    const struct record *record = call_find(call, key);
    return record != NULL ? record->stamp : STAMP_ABSENT;
}

static bool is_watched(
    const struct transaction *transaction, const uint8_t key[KV_KEY_SIZE])
{
    const struct watched *watched = (const void *)transaction->watched.bytes;
    size_t count = transaction->watched.size / sizeof *watched;
    for (size_t i = 0; i < count; i++) {
        if (memcmp(watched[i].key, key, KV_KEY_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

/* A key that is watched already keeps its first stamp. */
void transaction_watch(struct call *call)
{
    struct transaction *transaction = call->transaction;
    if (transaction->open) {
        resp_error(&call->reply, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    for (uint32_t i = 1; i < call->count; i++) {
        struct key key;
        struct watched watched;
        if (!call_key(call, i, &key)) {
            return;
        }
        if (is_watched(transaction, key.bytes)) {
            continue;
        }
        memcpy(watched.key, key.bytes, sizeof watched.key);
        watched.stamp = stamp_of(call, &key);
        if (!buffer_append(&transaction->watched, &watched, sizeof watched)) {
            resp_error(&call->reply,
                "ERR a connection watches at most %d keys; none more is "
                "watched",
                TRANSACTION_WATCHED_MAX);
            return;
        }
    }
    resp_ok(&call->reply);
}

/* Within EXEC, which forgets all that is watched, there is nothing to do. */
void transaction_unwatch(struct call *call)
{
    if (call->transaction != NULL) {
        buffer_free(&call->transaction->watched);
    }
    resp_ok(&call->reply);
}

/* ---- Executing ----------------------------------------------------------- */

static bool is_changed(struct call *call)
{
    const struct transaction *transaction = call->transaction;
    const struct watched *watched = (const void *)transaction->watched.bytes;
    size_t count = transaction->watched.size / sizeof *watched;
    for (size_t i = 0; i < count; i++) {
        struct key key;
        memcpy(key.bytes, watched[i].key, sizeof key.bytes);
        key.hash = view_name(call->view, key.bytes).hash;
        if (stamp_of(call, &key) != watched[i].stamp) {
            return true;
        }
    }
    return false;
}

/* Points args at what keep_args has kept. */
static void point_at_args(const struct transaction *transaction,
    const struct queued *queued, struct resp_arg *args)
{
    uint8_t *bytes = transaction->bytes.bytes + queued->at;
    for (uint32_t i = 0; i < queued->count; i++) {
        memcpy(&args[i].size, bytes, sizeof args[i].size);
        args[i].bytes = bytes + sizeof args[i].size;
        bytes = args[i].bytes + args[i].size;
    }
}

void transaction_exec(struct call *call)
{
    const struct transaction *transaction = call->transaction;
    const struct queued *queued = (const void *)transaction->queued.bytes;
    size_t count = transaction->queued.size / sizeof *queued;
    assert(transaction->open && !transaction->broken);
    if (is_changed(call)) {
        resp_null_array(&call->reply);
        return;
    }
    resp_array(&call->reply, count);
    if (count == 0) {
        return;
    }
    struct resp_arg *args = calloc(transaction->args_max, sizeof *args);
    if (args == NULL) {
        call->reply.failed = true;
        return;
    }
    for (size_t i = 0; i < count && !view_full(call->view); i++) {
        struct call part = *call;
        part.command = queued[i].command;
        part.args = args;
        part.count = queued[i].count;
        part.transaction = NULL;
        memcpy(part.key.bytes, queued[i].key, sizeof part.key.bytes);
        part.key.hash = view_name(call->view, part.key.bytes).hash;
        point_at_args(transaction, &queued[i], args);
        part.command->run(&part);
        call->reply.failed = part.reply.failed;
    }
    free(args);
}
