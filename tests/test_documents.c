/* The documents that repeat the tables of settings and of commands say what
 * those say. */
#include "support.h"

#include <ctype.h>
#include <string.h>

#include "command/command.h"
#include "config/setting.h"

enum { DOCUMENT_MAX = 1 << 17, LINE_MAX_BYTES = 512, COMMANDS_MAX = 256 };

/* A file of this repository, at whose top the tests are run. */
static void read_document(const char *name, char text[DOCUMENT_MAX])
{
    FILE *file = fopen(name, "r");
    REQUIRE(file != NULL);
    size_t length = fread(text, 1, DOCUMENT_MAX - 1, file);
    CHECK(length > 0 && feof(file));
    CHECK(fclose(file) == 0);
    text[length] = '\0';
}

static void the_settings_file_is_the_table(void)
{
    char allowed[SETTING_ALLOWED_MAX];
    char text[DOCUMENT_MAX];
    read_document("config/fixkv.conf", text);
    const char *at = strstr(text, "\n\n");
    REQUIRE(at != NULL);
    at++;
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        char expected[LINE_MAX_BYTES];
        char found[LINE_MAX_BYTES];
        const struct setting *setting = setting_row(id);
        (void)snprintf(expected, sizeof expected, "\n# %s\n# %s\n#%s=%s\n",
            setting->explanation, setting_allowed(setting, allowed),
            setting->name, setting->otherwise);
        (void)snprintf(found, sizeof found, "%.*s", (int)strlen(expected), at);
        CHECK_TEXT(found, expected);
        at += strlen(found);
    }
    CHECK_TEXT(at, "");
}

static void the_settings_file_says_the_defaults(void)
{
    struct config config;
    char text[DOCUMENT_MAX];
    read_document("config/fixkv.conf", text);
    for (char *at = text; (at = strstr(at, "\n#KV_")) != NULL; at++) {
        at[1] = ' ';
    }
    config_set_defaults(&config);
    config.file = "config/fixkv.conf";
    CHECK_OK(config_load_file(&config, text, strlen(text), NULL));
    CHECK_TEXT(config.why, "");
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        const char *otherwise = setting_row(id)->otherwise;
        CHECK_TEXT(config_text(&config, id), otherwise);
        CHECK_INT(config.values[id].source,
            *otherwise == '\0' ? CONFIG_FROM_DEFAULT : CONFIG_FROM_FILE);
    }
}

static void the_readme_has_the_settings(void)
{
    char text[DOCUMENT_MAX];
    read_document("README.md", text);
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        char row[LINE_MAX_BYTES];
        const struct setting *setting = setting_row(id);
        (void)snprintf(row, sizeof row, "\n| %s | %s | %s |\n", setting->name,
            *setting->otherwise == '\0' ? "none" : setting->otherwise,
            setting->explanation);
        if (strstr(text, row) == NULL) {
            CHECK_TEXT("README.md", row);
        } else {
            CHECK(true);
        }
    }
}

/* ---- Commands ------------------------------------------------------------ */

static size_t number_of(const struct command *row)
{
    size_t i = 0;
    while (command_at(i) != row) {
        i++;
    }
    return i;
}

/* `NAME ...` between backquotes: a command of the family, told for the first
 * time.  Returns what follows the second one. */
static const char *see_command(
    const char *at, const char *family, bool told[COMMANDS_MAX])
{
    size_t size = strcspn(at, " `");
    const struct command *row = command_find(at, size);
    char name[COMMAND_NAME_MAX] = "";
    (void)snprintf(name, sizeof name, "%.*s", (int)size, at);
    for (size_t i = 0; i < strlen(name); i++) {
        CHECK(isupper((unsigned char)name[i]));
    }
    if (row == NULL) {
        CHECK_TEXT(name, "a command");
    } else {
        size_t number = number_of(row);
        REQUIRE(number < COMMANDS_MAX);
        CHECK_TEXT(row->group, family);
        CHECK_TEXT(told[number] ? name : "", "");
        told[number] = true;
    }
    at = strchr(at, '`');
    REQUIRE(at != NULL);
    return at + 1;
}

/* | family | `COMMAND ...`, `COMMAND ...` | note |; without a family it is that
 * of the line above. */
static void see_line(
    const char *line, char family[COMMAND_NAME_MAX], bool told[COMMANDS_MAX])
{
    const char *cell = line + strlen("| ");
    const char *end = strchr(cell, '|');
    REQUIRE(end != NULL);
    if (end > cell) {
        (void)snprintf(
            family, COMMAND_NAME_MAX, "%.*s", (int)(end - cell - 1), cell);
    }
    end = strchr(end + 1, '|');
    REQUIRE(end != NULL);
    const char *at = strchr(cell, '`');
    REQUIRE(at != NULL);
    while (at != NULL && at < end) {
        at = strchr(see_command(at + 1, family, told), '`');
    }
}

/* Each once, under its family, and no other; DEBUG, which is in the builds of
 * tests alone, is not told. */
static void the_readme_has_all_commands(void)
{
    static const char head[] = "| --- | --- | --- |\n";
    char text[DOCUMENT_MAX];
    char family[COMMAND_NAME_MAX] = "";
    bool told[COMMANDS_MAX] = {false};
    read_document("README.md", text);
    char *at = strstr(text, "\n<!-- commands -->\n");
    REQUIRE(at != NULL);
    char *end = strstr(at, "\n<!-- end of commands -->\n");
    REQUIRE(end != NULL);
    *end = '\0';
    at = strstr(at, head);
    REQUIRE(at != NULL);
    for (char *line = strtok(at + strlen(head), "\n"); line != NULL;
         line = strtok(NULL, "\n")) {
        see_line(line, family, told);
    }
    for (size_t i = 0; command_at(i) != NULL; i++) {
        const char *name = command_at(i)->name;
        if (!told[i] && strcmp(name, "debug") != 0) {
            CHECK_TEXT("README.md", name);
        }
    }
}

const struct test_case test_documents[] = {
    TEST_CASE(the_settings_file_is_the_table),
    TEST_CASE(the_settings_file_says_the_defaults),
    TEST_CASE(the_readme_has_the_settings),
    TEST_CASE(the_readme_has_all_commands),
    TEST_END,
};
