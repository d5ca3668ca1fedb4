/* called.h: commands of the Redis protocol, executed by an engine of the test's
 * own as a worker would, without sockets. */
#ifndef CALLED_H
#define CALLED_H

#include "batch.h"
#include "command/command.h"
#include "storage/storage.h"
#include "support.h"

enum { CALLED_ARGS_MAX = 16384 };

struct called {
    struct storage *storage;
    struct storage_options options;
    struct diag diag;
    struct batch *batch;
    struct resp_arg *args;
    uint8_t version; /* of RESP: 2, unless the test says 3 */
    char *text;      /* of the last reply */
};

/* The options of such a store, in a directory or, if that is NULL, in memory
 * alone; and the store, without which the test ends. */
struct storage_options called_options(
    const char *directory, uint64_t capacity, struct diag *diag);
struct storage *called_storage(const struct storage_options *options);
/* The bytes with a blank for every CR LF but the last, which goes; in place of
 * *text. */
const char *called_text(char **text, const uint8_t *bytes, size_t size);

/* Opens a store in a directory, or in memory alone if it is NULL, for so many
 * records.  Ends the test if it cannot. */
void called_open(
    struct called *called, const char *directory, uint64_t capacity);
/* Closes it and opens it again, without a backup: what the log says. */
void called_reopen(struct called *called);
/* The same, after a backup. */
void called_reopen_from_backup(struct called *called);
void called_close(struct called *called);

/* Executes one request, its words written as in the inline form (quotes,
 * "\x00").  The reply, every CR LF but the last a blank: "+OK", "$1 a",
 * "*2 $1 a $-1".  It lives until the next call. */
const char *called_run(struct called *called, const char *line);
/* The same with arguments as they are. */
const char *called_run_args(
    struct called *called, const struct resp_arg *args, uint32_t count);
/* What the native protocol asks of a key; it must succeed.  The number that is
 * the answer, 0 if it is none. */
int64_t called_native(
    struct called *called, uint8_t verb, const char *key, int64_t number);

#endif
