/* client_program.h: what the subcommands of the client program share: the
 * server they speak to, how they end, what KV_VERBOSE prints. */
#ifndef CLIENT_PROGRAM_H
#define CLIENT_PROGRAM_H

#include "client_options.h"
#include "kv_store.h"

#include <stdio.h>

/* The exit status. */
enum program_exit {
    PROGRAM_YES = 0,
    PROGRAM_NO = 1,      /* a valid no: no such key, not as expected */
    PROGRAM_USAGE = 2,   /* arguments, or settings in the environment */
    PROGRAM_LOST = 3,    /* not reached, or the connection was lost */
    PROGRAM_REFUSED = 4, /* the server refused; a test failed */
    PROGRAM_LOCAL = 5    /* an error of this machine, or strange data */
};

/* Every record goes to disk before the reply. */
enum { PROGRAM_BACKUP_TIMEOUT_MS = 10 * 60 * 1000 };

struct program {
    kv_client_t *client;
    const char *host;
    int port;
    int timeout_ms;
    bool timeout_given;
    int verbose; /* KV_VERBOSE: 1: connections; 2: requests too */
};

/* A row of the table of subcommands; a family closes its rows with {0}. */
enum { PROGRAM_SETTINGS_MAX = 256, PROGRAM_WORDS_ANY = 1 << 20 };

struct subcommand {
    const char *name;
    const char *arguments; /* "KEY VALUE", for the help */
    const char *text;      /* what it does */
    int words_least;       /* arguments that are no options */
    int words_most;
    const struct option *options; /* of settings; may be NULL */
    const char *more;             /* further paragraphs of help; may be NULL */
    /* Returns the exit status.  settings: PROGRAM_SETTINGS_MAX bytes, zero but
     * for what the options say. */
    int (*run)(struct program *program, const struct arguments *arguments,
        const void *settings);
};

extern const struct subcommand commands_family[];
extern const struct subcommand transfer_family[];
extern const struct subcommand test_family[];
extern const struct subcommand bench_family[];
extern const struct subcommand check_family[];
extern const struct subcommand restore_family[];

/* Prints "client: " and the sentence on standard error; returns status. */
int program_fail(enum program_exit status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Which exit status an error stands for. */
enum program_exit program_exit_of(int error);

/* kv_client_execute.  PROGRAM_YES if all messages were answered, whatever their
 * statuses; else the sentence is printed. */
int program_execute(
    struct program *program, kv_message_t *messages, size_t count);

/* PROGRAM_YES if the reply is a success; else its sentence is printed. */
int program_judge(const kv_message_t *reply);

/* kv_client_stream; PROGRAM_YES, or the sentence is printed. */
struct program_rows {
    bool (*row)(void *context, const kv_message_t *message);
    void *context;
    kv_message_t end;
};
int program_stream(struct program *program, const kv_message_t *request,
    struct program_rows *rows);

/* Prints bytes so that they are one word of a line: what is not printable, and
 * the backslash, becomes \xNN. */
void program_print_bytes(FILE *out, const uint8_t *bytes, size_t size);
/* Without the padding. */
size_t program_key_length(const kv_message_t *message);

#endif
