/* command.h: the table of commands, one row each, and how one is executed.
 *
 * What has to be known of a command outside its own function stands in its
 * row; COMMAND tells it to clients. */
#ifndef COMMAND_H
#define COMMAND_H

#include "command/call.h"

enum command_flag {
    COMMAND_WRITE = 1,   /* may change the table: goes through commit */
    COMMAND_MANY = 2,    /* reads several records at one instant */
    COMMAND_SESSION = 4, /* about the connection: run where it is decoded */
    COMMAND_LONE = 8,    /* about the server: executed alone, by it */
    COMMAND_AT_ONCE = 16 /* not queued within MULTI */
};

enum { COMMAND_NAME_MAX = 24, COMMAND_WHY_MAX = 320 };

struct command {
    char name[COMMAND_NAME_MAX]; /* in lower case, zero-padded */
    int16_t arity; /* arguments, the name among them; negative: at least */
    uint8_t flags;
    /* Where the keys are, as COMMAND tells: numbers of the first argument that
     * is one (1, or 0: there is none, as where a second word follows) and of
     * the last (-1: the last of all), and the step between. */
    int16_t first;
    int16_t last;
    int16_t step;
    void (*run)(struct call *call); /* NULL: the server's */
    const char *group;
    const char *since; /* version of Redis */
    const char *summary;
};

/* The row of a name in upper or lower case; NULL: unknown. */
const struct command *command_find(const void *name, size_t size);
/* True if that is the row's name. */
bool command_is(const struct command *command, const void *name, size_t size);
/* Row number i in the order of names, NULL behind the last. */
const struct command *command_at(size_t i);

/* Its second words, if it has any and they are known without the server: what
 * is wrong with them is told before it is executed, or queued. */
struct subcommand;
const struct subcommand *command_words(const struct command *command);

/* An argument as a key; false if it is none, and what to say then. */
bool command_key(const struct resp_arg *arg, uint8_t key[KV_KEY_SIZE]);
void command_key_why(const struct resp_arg *arg, char why[COMMAND_WHY_MAX]);

/* Makes ready a call whose args are set, the rest zero, but that its command
 * may be a guess: finds its row, checks arity, second word and the sizes of its
 * arguments, fills the first key.  False with the text of the error reply in
 * why. */
bool command_prepare(struct call *call, char why[COMMAND_WHY_MAX]);

/* Left free in a buffer of replies: every operation of a batch can have an
 * error, whatever the others have used, and another one if its group cannot be
 * written. */
enum {
    COMMAND_ERRORS_ROOM =
        2 * BATCH_OPS_MAX * (RESP_ERROR_TEXT_MAX + RESP_HEAD_MAX)
};

/* Executes it in view, its reply appended to out.  False if its changes must be
 * undone: the reply says why, unless view_full. */
bool command_run(struct call *call, struct view *view, struct buffer *out);
/* Replies that it is not executed: code is "BUSY" and the like. */
void command_refuse(
    struct call *call, struct buffer *out, const char *code, const char *why);
/* True if it may change the table. */
bool command_writes(const struct call *call);
/* How many changes it is likely to make at the most. */
uint32_t command_changes(const struct call *call);

#endif
