/* config.c: see config.h. */
#include "config/config.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "config/env_file.h"
#include "config/setting.h"
#include "file.h"

enum { SHOWN_MAX = 64, WHERE_MAX = 320, REASON_MAX = 192 };

static const char file_flag[] = "--config";
static const char hidden[] = "****";

_Static_assert((int)ENV_VALUE_MAX == (int)CONFIG_TEXT_MAX,
    "each value of a file finds room");

/* What the command line holds: of each setting the text of its last flag. */
struct flags {
    const char *texts[CONFIG_COUNT];
    const char *file;
    enum config_action action;
};

__attribute__((format(printf, 2, 3))) static int refuse(
    struct config *config, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(config->why, sizeof config->why, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

/* text, fit to stand in a sentence. */
static const char *show(const char *text, char shown[SHOWN_MAX])
{
    static const char dots[] = "...";
    if (snprintf(shown, SHOWN_MAX, "%s", text) >= SHOWN_MAX) {
        memcpy(shown + SHOWN_MAX - sizeof dots, dots, sizeof dots);
    }
    for (char *c = shown; *c != '\0'; c++) {
        *c = iscntrl((unsigned char)*c) ? '?' : *c;
    }
    return shown;
}

static enum config_id find_setting(const char *name)
{
    enum config_id id = 0;
    while (id < CONFIG_COUNT && strcmp(setting_row(id)->name, name) != 0) {
        id++;
    }
    return id;
}

/* ---- One value --------------------------------------------------------- */

/* Where it came from; returns where or a constant. */
static const char *where_from(
    const struct config *config, enum config_id id, char where[WHERE_MAX])
{
    char flag[SETTING_FLAG_MAX];
    const struct config_value *value = &config->values[id];
    switch (value->source) {
    case CONFIG_FROM_DEFAULT:
        return "default";
    case CONFIG_FROM_ENVIRONMENT:
        return "environment";
    case CONFIG_FROM_FLAG:
        (void)snprintf(where, WHERE_MAX, "flag %s",
            setting_flag(setting_row(id)->name, flag));
        break;
    case CONFIG_FROM_FILE:
        (void)snprintf(
            where, WHERE_MAX, "%.256s:%u", config->file, value->line);
        break;
    }
    return where;
}

static int refuse_value(
    struct config *config, enum config_id id, const char *reason)
{
    char shown[SHOWN_MAX];
    char where[WHERE_MAX];
    const struct setting *setting = setting_row(id);
    return refuse(config, "%s=%s (%s): %s", setting->name,
        setting->kind == SETTING_SECRET ? hidden
                                        : show(config->values[id].text, shown),
        where_from(config, id, where), reason);
}

static int set(struct config *config, enum config_id id, const char *text,
    enum config_source source, unsigned line)
{
    char allowed[SETTING_ALLOWED_MAX];
    char reason[REASON_MAX];
    struct config_value *value = &config->values[id];
    const struct setting *setting = setting_row(id);
    if (setting->kind == SETTING_ADDRESS && strcmp(text, "localhost") == 0) {
        /* Not looked up: whatever a name server says, this is what is meant. */
        text = "127.0.0.1";
    }
    value->source = source;
    value->line = line;
    int length = snprintf(value->text, sizeof value->text, "%s", text);
    bool fits = length >= 0 && length < (int)sizeof value->text;
    if (fits && setting_parse(setting, text, &value->number)) {
        return 0;
    }
    (void)snprintf(
        reason, sizeof reason, "must be %s", setting_allowed(setting, allowed));
    return refuse_value(config, id, reason);
}

static void set_default(struct config *config, enum config_id id)
{
    const char *otherwise = setting_row(id)->otherwise;
    config->values[id] = (struct config_value){.number = 0};
    if (*otherwise != '\0') {
        int result = set(config, id, otherwise, CONFIG_FROM_DEFAULT, 0);
        assert(result == 0);
    }
}

void config_set_defaults(struct config *config)
{
    *config = (struct config){.action = CONFIG_SERVE};
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        set_default(config, id);
    }
}

uint64_t config_number(const struct config *config, enum config_id id)
{
    assert(id < CONFIG_COUNT);
    return config->values[id].number;
}

uint64_t config_span_bytes(const struct config *config, enum config_id id)
{
    uint64_t number = config_number(config, id);
    return (number & CONFIG_SPAN_TIME) == 0 ? number : 0;
}

int64_t config_span_ms(const struct config *config, enum config_id id)
{
    uint64_t number = config_number(config, id);
    bool time = (number & CONFIG_SPAN_TIME) != 0;
    return time ? (int64_t)(number & ~CONFIG_SPAN_TIME) : 0;
}

const char *config_text(const struct config *config, enum config_id id)
{
    assert(id < CONFIG_COUNT);
    return config->values[id].text;
}

void config_resolve(struct config *config, enum config_id id, uint64_t number)
{
    struct config_value *value = &config->values[id];
    const struct setting *setting = setting_row(id);
    assert(number >= setting->least && number <= setting->most);
    if (strcmp(value->text, CONFIG_AUTO) == 0) {
        value->number = number;
        (void)snprintf(value->text, sizeof value->text, "%llu",
            (unsigned long long)number);
    }
}

/* ---- Flags ------------------------------------------------------------- */

static enum config_action find_action(const char *flag)
{
    char spelled[SETTING_FLAG_MAX];
    enum config_action action = CONFIG_SERVE + 1;
    while (action < CONFIG_ACTION_COUNT &&
           strcmp(flag,
               setting_flag(setting_action_row(action)->name, spelled)) != 0) {
        action++;
    }
    if (strcmp(flag, "-h") == 0) {
        return CONFIG_HELP;
    }
    return action < CONFIG_ACTION_COUNT ? action : CONFIG_SERVE;
}

/* Where the value of a flag belongs; NULL if there is no such flag. */
static const char **find_place(struct flags *flags, const char *flag)
{
    char spelled[SETTING_FLAG_MAX];
    if (strcmp(flag, file_flag) == 0) {
        return &flags->file;
    }
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        if (strcmp(flag, setting_flag(setting_row(id)->name, spelled)) == 0) {
            return &flags->texts[id];
        }
    }
    return NULL;
}

/* The flag at argv[*index], with its value if it takes one; *index moves to the
 * last argument used. */
static int read_flag(struct config *config, struct flags *flags,
    const struct config_input *input, int *index)
{
    char flag[SHOWN_MAX];
    char shown[SHOWN_MAX];
    char hint[SETTING_HINT_MAX];
    const char *argument = input->argv[*index];
    const char *value = strchr(argument, '=');
    size_t length = strcspn(argument, "=");
    (void)snprintf(flag, sizeof flag, "%.*s",
        (int)u64_min(length, sizeof flag - 1), argument);
    enum config_action action = find_action(flag);
    if (action != CONFIG_SERVE && value == NULL) {
        flags->action = action;
        return 0;
    }
    const char **place = find_place(flags, flag);
    if (action != CONFIG_SERVE) {
        return refuse(config, "%s takes no value", flag);
    }
    if (place == NULL) {
        return refuse(config, "unknown flag %s%s; --help lists them",
            show(flag, shown), setting_hint(flag, true, hint));
    }
    if (place == &flags->file && flags->file != NULL) {
        return refuse(config, "%s is given twice", file_flag);
    }
    if (value == NULL && *index + 1 < input->argc &&
        strncmp(input->argv[*index + 1], "--", 2) != 0) {
        (*index)++;
        *place = input->argv[*index];
        return 0;
    }
    *place = value == NULL ? NULL : value + 1;
    return value == NULL ? refuse(config, "%s needs a value", flag) : 0;
}

static int read_flags(struct config *config, struct flags *flags,
    const struct config_input *input)
{
    int result = 0;
    for (int i = 1; i < input->argc && result == 0; i++) {
        result = read_flag(config, flags, input, &i);
        if (flags->action == CONFIG_HELP || flags->action == CONFIG_VERSION) {
            break;
        }
    }
    return result;
}

static int set_flags(struct config *config, const struct flags *flags)
{
    int result = 0;
    for (enum config_id id = 0; id < CONFIG_COUNT && result == 0; id++) {
        if (flags->texts[id] != NULL) {
            result = set(config, id, flags->texts[id], CONFIG_FROM_FLAG, 0);
        }
    }
    return result;
}

/* ---- File -------------------------------------------------------------- */

static bool is_ours(const char *name)
{
    return strncmp(name, CONFIG_PREFIX, strlen(CONFIG_PREFIX)) == 0;
}

static int set_from_file(
    struct config *config, const struct env_file *file, struct diag *diag)
{
    char hint[SETTING_HINT_MAX];
    enum config_id id = find_setting(file->name);
    if (id < CONFIG_COUNT && file->value_len > 0) {
        return set(config, id, file->value, CONFIG_FROM_FILE, file->name_line);
    }
    if (id < CONFIG_COUNT) {
        set_default(config, id);
        return 0;
    }
    (void)setting_hint(file->name, false, hint);
    if (is_ours(file->name)) {
        return refuse(config, "%.256s:%u: %s is not a setting%s", config->file,
            file->name_line, file->name, hint);
    }
    diag_line(diag, "warning: %s:%u: %s is not a setting, and does nothing%s",
        config->file, file->name_line, file->name, hint);
    return 0;
}

int config_load_file(
    struct config *config, const char *bytes, size_t size, struct diag *diag)
{
    struct env_file file;
    int result;
    assert(config->file != NULL);
    env_file_begin(&file, bytes, size);
    while ((result = env_file_next(&file)) > 0) {
        result = set_from_file(config, &file, diag);
        if (result < 0) {
            return result;
        }
    }
    if (result < 0) {
        return refuse(
            config, "%.256s:%u: %s", config->file, file.name_line, file.why);
    }
    return 0;
}

static int open_and_load(struct config *config, struct diag *diag)
{
    char *bytes = malloc(ENV_FILE_MAX + 1);
    int64_t size = 0;
    int fd = bytes == NULL ? -ENOMEM : file_open_read(AT_FDCWD, config->file);
    int result = fd;
    if (fd >= 0) {
        size = file_read_at(fd, bytes, ENV_FILE_MAX + 1, 0);
        result = size < 0 ? (int)size : 0;
    }
    if (result < 0) {
        (void)refuse(config, "%s %.256s: %s", file_flag, config->file,
            strerror(-result));
    } else {
        result = config_load_file(config, bytes, (size_t)size, diag);
    }
    file_close(fd);
    free(bytes);
    return result;
}

/* ---- Environment ------------------------------------------------------- */

static int set_from_environment(
    struct config *config, const char *entry, struct diag *diag)
{
    char name[ENV_NAME_MAX];
    char hint[SETTING_HINT_MAX];
    size_t length = strcspn(entry, "=");
    (void)snprintf(name, sizeof name, "%.*s",
        (int)u64_min(length, sizeof name - 1), entry);
    enum config_id id = find_setting(name);
    if (id == CONFIG_COUNT) {
        diag_line(diag,
            "warning: environment: %s is not a setting, and does "
            "nothing%s",
            name, setting_hint(name, false, hint));
        return 0;
    }
    if (entry[length] == '\0' || entry[length + 1] == '\0') {
        return 0;
    }
    return set(config, id, entry + length + 1, CONFIG_FROM_ENVIRONMENT, 0);
}

/* ---- All --------------------------------------------------------------- */

int config_load(struct config *config, const struct config_input *input)
{
    struct flags flags = {.action = CONFIG_SERVE};
    config_set_defaults(config);
    int result = read_flags(config, &flags, input);
    config->action = flags.action;
    config->file = flags.file;
    if (result < 0 || config->action == CONFIG_HELP ||
        config->action == CONFIG_VERSION) {
        return result;
    }
    if (config->file != NULL) {
        result = open_and_load(config, input->diag);
    }
    for (const char *const *entry = input->environment;
         *entry != NULL && result == 0; entry++) {
        if (is_ours(*entry)) {
            result = set_from_environment(config, *entry, input->diag);
        }
    }
    return result < 0 ? result : set_flags(config, &flags);
}

int config_check(struct config *config)
{
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        const char *missing = setting_row(id)->missing;
        const char *text = config->values[id].text;
        bool any = strcmp(missing, "*") == 0 && *text != '\0';
        if (any || (*text != '\0' && strcmp(missing, text) == 0)) {
            return refuse_value(
                config, id, "is not available in this version; unset it");
        }
    }
    if (config->values[CONFIG_ALLOW_OPEN].number == 0 &&
        !setting_is_loopback(config->values[CONFIG_HOST].text)) {
        return refuse_value(config, CONFIG_HOST,
            "whoever reaches this address could read and change everything, "
            "for there is no password; set KV_ALLOW_OPEN=1 if that is meant, "
            "or KV_HOST=127.0.0.1");
    }
    return 0;
}

/* ---- Printing ---------------------------------------------------------- */

void config_print(const struct config *config, FILE *out)
{
    enum { COLUMN = 40 };
    char where[WHERE_MAX];
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        const struct setting *setting = setting_row(id);
        const char *text = config->values[id].text;
        bool hide = setting->kind == SETTING_SECRET && *text != '\0';
        int used = fprintf(out, "%s=%s", setting->name, hide ? hidden : text);
        (void)fprintf(out, "%*s # %s\n", used < COLUMN ? COLUMN - used : 0, "",
            where_from(config, id, where));
    }
}

void config_print_help(FILE *out)
{
    char flag[SETTING_FLAG_MAX];
    char allowed[SETTING_ALLOWED_MAX];
    (void)fprintf(out,
        "usage: fixkv-server [--FLAG VALUE | --FLAG=VALUE]...\n\n"
        "A flag goes over the environment, that over the file, that over the "
        "default.\n\n");
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        const struct setting *setting = setting_row(id);
        (void)fprintf(out, "%s, %s\n    %s;\n    %s; default: %s\n",
            setting_flag(setting->name, flag), setting->name,
            setting->explanation, setting_allowed(setting, allowed),
            *setting->otherwise == '\0' ? "none" : setting->otherwise);
    }
    (void)fprintf(out,
        "\n%s FILE\n    reads settings from FILE: lines KEY=VALUE, in the "
        "syntax of systemd's\n    EnvironmentFile\n",
        file_flag);
    for (enum config_action action = CONFIG_SERVE + 1;
         action < CONFIG_ACTION_COUNT; action++) {
        (void)fprintf(out, "%s\n    %s\n",
            setting_flag(setting_action_row(action)->name, flag),
            setting_action_row(action)->explanation);
    }
}
