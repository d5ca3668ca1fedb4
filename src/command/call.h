/* call.h: one command with its arguments, as it is executed; and what the
 * commands of all families need: keys, numbers, records, errors.
 *
 * A command sees records through call->view and writes its reply into
 * call->reply; it knows neither connection nor log.  What it does is decided
 * before it changes anything:
 *
 *  1. A command that fails has changed nothing: it checks first (call_fits),
 *     then changes.
 *  2. What is random or asks the clock is decided here: what is logged are the
 *     records as they are afterwards, so that recovery repeats it.
 *  3. If the group has no room for its changes (view_full) it returns at once;
 *     what it did is undone, and it is called again in a group of its own.
 *  4. Each change is told to the log as it is made (view_log_record and its
 *     like).  What commands did is written later, for many of them together:
 *     each record that they changed once, as it is then, and those that are
 *     gone first; see view/view.h. */
#ifndef COMMAND_CALL_H
#define COMMAND_CALL_H

#include "batch.h"
#include "resp/reply.h"
#include "resp/resp.h"
#include "view/view.h"

struct command;
struct conn;
struct session;
struct transaction;
struct worker;

/* Where the server executes a command that is about it. */
struct place {
    struct worker *worker;
    struct conn *conn;
};

/* A key as a record has it. */
struct key {
    uint8_t bytes[KV_KEY_SIZE];
    uint64_t hash;
};

static inline struct name key_name(const struct key *key)
{
    return (struct name){key->hash, key->bytes};
}

struct call {
    const struct command *command;
    struct resp_arg *args; /* args[0]: the name */
    uint32_t count;
    uint8_t version; /* of RESP */
    struct key key;  /* the first one, all zero if there is none; storage fills
                        its hash */
    struct view *view;
    struct resp_reply reply;
    struct session *session;         /* while the connection executes it */
    struct transaction *transaction; /* of EXEC */
    struct place place;
};

/* All zero but for these, field by field: that is cheaper than clearing a
 * whole block. */
static inline void call_init(
    struct call *call, const struct command *command, uint8_t version)
{
    call->command = command;
    call->args = NULL;
    call->count = 0;
    call->version = version;
    call->key = (struct key){0};
    call->view = NULL;
    call->reply = (struct resp_reply){0};
    call->session = NULL;
    call->transaction = NULL;
    call->place = (struct place){0};
}

/* ---- Arguments ----------------------------------------------------------- */

/* Argument number i as a key.  False if it is none: the reply says why. */
bool call_key(struct call *call, uint32_t i, struct key *key);

/* The keys of a call whose row has several, every step arguments to the last,
 * one after the other; their records are asked for in blocks, so that the waits
 * for memory overlap. */
enum { CALL_BLOCK = 16 };
struct call_walk {
    uint32_t next; /* argument to be asked for */
    uint32_t step;
    uint32_t used; /* of keys */
    uint32_t filled;
    struct key keys[CALL_BLOCK];
};
void call_walk_begin(struct call_walk *walk, uint32_t step);
/* The next key, which stays until the next call; NULL: there is none. */
const struct key *call_walk_next(struct call *call, struct call_walk *walk);

/* Argument number i as a number of 64 bits, or as one from least to most. */
bool call_integer(struct call *call, uint32_t i, int64_t *number);
bool call_range(struct call *call, uint32_t i, int64_t least, int64_t most,
    int64_t *number);
/* True if argument number i is the number of the one database, 0; if not, the
 * reply says so. */
bool call_database(struct call *call, uint32_t i);
/* True if argument number i is this word, in upper or lower case. */
bool call_is(const struct call *call, uint32_t i, const char *word);

/* ---- Errors, in Redis's words -------------------------------------------- */

void call_wrong_type(struct call *call);
void call_syntax(struct call *call);
void call_not_integer(struct call *call);

/* ---- Records ------------------------------------------------------------- */

/* The record, NULL if there is none or it has expired.  It stays until the next
 * call of these, or until it is changed. */
const struct record *call_find(struct call *call, const struct key *key);
/* The same, of that kind alone: with another, *wrong, and the reply is made. */
const struct record *call_find_kind(
    struct call *call, const struct key *key, unsigned kind, bool *wrong);

/* True if so many records more fit the table, and so many changes the group.
 * If not, there is nothing more to do: either the reply says that the table is
 * full, or view_full is true. */
bool call_fits(struct call *call, uint64_t records, uint64_t changes);

/* Sets a record of a client's key to be a string, in place of whatever it was;
 * expire_ms 0: for ever.  False if it does not fit, as call_fits. */
struct string {
    const uint8_t *bytes;
    size_t size; /* at most KV_VALUE_MAX */
    int64_t expire_ms;
};
bool call_put(
    struct call *call, const struct key *key, const struct string *string);
/* Removes the record of a client's key, which is there (expired or not), a
 * collection with all its members.  False if it does not fit. */
bool call_remove(struct call *call, const struct key *key);

#endif
