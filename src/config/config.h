/* config.h: the settings of the server.
 *
 * One table drives all: reading flags, the environment and a file; --help;
 * --show-config; config/fixkv.conf and the table in README.md, which a test
 * compares with it.  A setting NAME is the variable KV_NAME in the environment
 * and in the file, and the flag --name, with - for _.
 *
 * Flag over environment over file over default.  An empty value in the
 * environment or the file leaves the setting unset.  Every value given is
 * checked, also one that another overrides.
 *
 * It does not know the machine: what is "auto" stays so until main, which
 * asks the machine, calls config_resolve. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "diag.h"

/* name, kind, default, least, most, words, what is missing, explanation
 *
 * Kinds: ADDRESS: numeric, or localhost; NUMBER: decimal, and "auto" if that
 * is its default; SIZE: bytes, a multiple of 4096, with a suffix K, M, G or T
 * for powers of 1024; WORD: one of words; PATH and SECRET: least and most are
 * their length in bytes, and a secret is never printed; SPAN: "none", bytes
 * from least to most with such a suffix, or a time of CONFIG_SPAN_MS at most
 * with a suffix s, h or d; no m, which stands for bytes already.
 *
 * Missing: the word that this version refuses; "*": any value. */
#define CONFIG_MAP(X)                                                          \
    X(HOST, ADDRESS, "127.0.0.1", 0, 0, "", "", "address to listen on")        \
    X(PORT, NUMBER, "8080", 0, 65535, "", "",                                  \
        "port to listen on; 0: the kernel chooses, and the start tells")       \
    X(VERBOSE, NUMBER, "0", 0, 2, "", "",                                      \
        "1: a line for every connection and every backup; 2: every request")   \
    X(DATA_DIR, PATH, "./kv-data", 1, CONFIG_TEXT_MAX - 1, "", "",             \
        "directory of the log and the backups; made if it is not there")       \
    X(CAPACITY, NUMBER, CONFIG_AUTO, 1, CONFIG_CAPACITY_MAX, "", "",           \
        "records that fit; auto: what half of the memory holds; see --plan")   \
    X(PREALLOCATE, NUMBER, "0", 0, 1, "", "",                                  \
        "1: takes all memory at the start, or refuses to start; see --plan")   \
    X(SYNC, WORD, "always", 0, 0, "always everysec none", "",                  \
        "when a write is on disk: before its reply, each second, or whenever") \
    X(BACKUP_INTERVAL, NUMBER, "60", 0, 31536000, "", "",                      \
        "seconds between backups; 0: only at stop and on demand")              \
    X(BACKUP_KEEP, NUMBER, "2", 1, 1000, "", "", "newest backups kept")        \
    X(LOG_SEGMENT, SIZE, "64M", 2 << 20, (uint64_t)4 << 30, "", "",            \
        "bytes of one file of the log")                                        \
    X(LOG_KEEP, SPAN, "none", 2 << 20, (uint64_t)1024 << 40, "", "",           \
        "log kept behind what recovery needs, for client restore")             \
    X(WORKERS, NUMBER, CONFIG_AUTO, 1, CONFIG_WORKERS_MAX, "", "",             \
        "threads that serve; auto: as many as cores this process may run on")  \
    X(MAX_CONNECTIONS, NUMBER, "10000", 1, 1000000, "", "",                    \
        "connections at a time; the next one is told BUSY and closed")         \
    X(IDLE_TIMEOUT, NUMBER, "0", 0, 31536000, "", "",                          \
        "seconds after which a silent connection is closed; 0: never")         \
    X(REQUEST_TIMEOUT, NUMBER, "60", 0, 3600, "", "",                          \
        "seconds to finish a request, or to go on taking replies; 0: no end")  \
    X(EVICT, WORD, "none", 0, 0, "none clock", "clock",                        \
        "when full: none refuses new keys; clock is not available yet")        \
    X(PASSWORD, SECRET, "", 1, 256, "", "*",                                   \
        "secret that clients must send; not available yet")                    \
    X(PASSWORD_FILE, PATH, "", 1, CONFIG_TEXT_MAX - 1, "", "*",                \
        "file that holds the secret; not available yet")                       \
    X(ALLOW_OPEN, NUMBER, "0", 0, 1, "", "",                                   \
        "1: listen beyond this machine without a password")

/* Flags that are no settings: name, explanation. */
#define CONFIG_ACTION_MAP(X)                                                   \
    X(HELP, "prints this text")                                                \
    X(VERSION, "prints the version")                                           \
    X(SHOW_CONFIG, "prints each setting and where it came from")               \
    X(PLAN, "prints the memory that KV_CAPACITY records take")

#define CONFIG_SPAN_TIME (UINT64_C(1) << 63)
#define CONFIG_SPAN_MS (UINT64_C(3650) * 24 * 60 * 60 * 1000)

#define CONFIG_PREFIX "KV_"
#define CONFIG_NONE "none"
#define CONFIG_AUTO "auto"

enum {
    CONFIG_TEXT_MAX = 4096, /* with the final zero */
    CONFIG_WHY_MAX = 1024,
    CONFIG_CAPACITY_MAX = 1000000000,
    CONFIG_WORKERS_MAX = 256
};

enum config_id {
#define X(name, ...) CONFIG_##name,
    CONFIG_MAP(X)
#undef X
        CONFIG_COUNT
};

enum config_action {
    CONFIG_SERVE, /* no such flag */
#define X(name, text) CONFIG_##name,
    CONFIG_ACTION_MAP(X)
#undef X
        CONFIG_ACTION_COUNT
};

enum config_source {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_FILE,
    CONFIG_FROM_ENVIRONMENT,
    CONFIG_FROM_FLAG
};

struct config_value {
    uint64_t number; /* NUMBER, SIZE; WORD: its place; 0 while "auto"; SPAN:
                        bytes, or milliseconds and CONFIG_SPAN_TIME; 0: none */
    enum config_source source;
    unsigned line; /* of the file */
    char text[CONFIG_TEXT_MAX];
};

struct config {
    struct config_value values[CONFIG_COUNT];
    enum config_action action;
    const char *file; /* of --config, within argv; or NULL */
    char why[CONFIG_WHY_MAX];
};

struct config_input {
    int argc;
    const char *const *argv;        /* must outlive the config */
    const char *const *environment; /* as environ */
    struct diag *diag;              /* for warnings */
};

/* Fills *config.  0, or -errno (-EINVAL for what is wrong in itself) with a
 * sentence in config->why: the setting, the value, where it came from, what is
 * allowed.  With --help or --version nothing else is looked at. */
int config_load(struct config *config, const struct config_input *input);

/* What config_load does with a file's bytes, over defaults; config->file is its
 * name. */
void config_set_defaults(struct config *config);
int config_load_file(
    struct config *config, const char *bytes, size_t size, struct diag *diag);

/* Whether these settings can be served by this version, and safely.  As
 * config_load. */
int config_check(struct config *config);

/* The value of a setting; the text lives as long as the config. */
uint64_t config_number(const struct config *config, enum config_id id);
const char *config_text(const struct config *config, enum config_id id);

/* Of a SPAN: the one or the other, or 0. */
uint64_t config_span_bytes(const struct config *config, enum config_id id);
int64_t config_span_ms(const struct config *config, enum config_id id);

/* Puts a number in the place of "auto"; any other value stays. */
void config_resolve(struct config *config, enum config_id id, uint64_t number);

void config_print_help(FILE *out);
/* One line a setting: NAME=VALUE and where it came from. */
void config_print(const struct config *config, FILE *out);

#endif
