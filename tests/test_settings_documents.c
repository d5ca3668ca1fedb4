/* The documents that repeat the table of settings say what it says. */
#include "support.h"

#include <string.h>

#include "config/setting.h"

enum { DOCUMENT_MAX = 1 << 17, LINE_MAX_BYTES = 512 };

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

static void the_readme_has_the_table(void)
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

const struct test_case test_settings_documents[] = {
    TEST_CASE(the_settings_file_is_the_table),
    TEST_CASE(the_settings_file_says_the_defaults),
    TEST_CASE(the_readme_has_the_table),
    TEST_END,
};
