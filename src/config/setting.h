/* setting.h: one row of the table of settings: its names, what it takes, how a
 * text becomes its value.  Not the value itself, nor where that came from. */
#ifndef SETTING_H
#define SETTING_H

#include "config/config.h"

enum setting_kind {
    SETTING_ADDRESS,
    SETTING_NUMBER,
    SETTING_SIZE,
    SETTING_SPAN,
    SETTING_WORD,
    SETTING_PATH,
    SETTING_SECRET
};

struct setting {
    const char *name; /* "KV_PORT" */
    enum setting_kind kind;
    const char *otherwise; /* the default */
    uint64_t least;
    uint64_t most;
    const char *words;
    const char *missing;
    const char *explanation;
};

/* The names of the flags of CONFIG_ACTION_MAP are spelled like settings. */
struct setting_action {
    const char *name;
    const char *explanation;
};

/* Rows of the tables: settings 0..CONFIG_COUNT-1, actions 1.. (0 is none). */
const struct setting *setting_row(enum config_id id);
const struct setting_action *setting_action_row(enum config_action action);

/* "--data-dir" of "KV_DATA_DIR"; returns flag. */
enum { SETTING_FLAG_MAX = 32 };
const char *setting_flag(const char *name, char flag[SETTING_FLAG_MAX]);

/* "; did you mean KV_PORT?", or "" if no name is close; is_flag: name is that
 * of a flag, and so is the answer.  Returns text. */
enum { SETTING_HINT_MAX = 64 };
const char *setting_hint(
    const char *name, bool is_flag, char text[SETTING_HINT_MAX]);

/* Whether the setting takes text; *number: see struct config_value. */
bool setting_parse(
    const struct setting *setting, const char *text, uint64_t *number);

/* What it takes: "a whole number from 0 to 65535"; returns text. */
enum { SETTING_ALLOWED_MAX = 128 };
const char *setting_allowed(
    const struct setting *setting, char text[SETTING_ALLOWED_MAX]);

/* Whether nobody but this machine reaches an address. */
bool setting_is_loopback(const char *address);

#endif
