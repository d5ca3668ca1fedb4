/* The file of settings: what is read of it stays within its limits, and what is
 * refused is refused with a sentence.  A file that is taken says the same when
 * its assignments are written down again in single quotes. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "config/config.h"
#include "config/env_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_config(const char *bytes, size_t size)
{
    struct config *config = malloc(sizeof *config);
    assert(config != NULL);
    config_set_defaults(config);
    config->file = "f";
    int result = config_load_file(config, bytes, size, NULL);
    assert(result == 0 || result == -EINVAL);
    assert((config->why[0] == '\0') == (result == 0));
    assert(strnlen(config->why, sizeof config->why) < sizeof config->why);
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        const struct config_value *value = &config->values[id];
        assert(strnlen(value->text, sizeof value->text) < sizeof value->text);
        assert(value->line <= size + 1);
    }
    free(config);
}

/* The assignment just read, written in another way, is read as the same. */
static void check_again(const struct env_file *file)
{
    char text[ENV_NAME_MAX + 2 * ENV_VALUE_MAX];
    struct env_file again;
    if (strchr(file->value, '\'') != NULL) {
        return;
    }
    int length =
        snprintf(text, sizeof text, "%s='%s'", file->name, file->value);
    assert(length > 0 && (size_t)length < sizeof text);
    env_file_begin(&again, text, (size_t)length);
    int result = env_file_next(&again);
    assert(result == 1);
    assert(strcmp(again.name, file->name) == 0);
    assert(strcmp(again.value, file->value) == 0);
    result = env_file_next(&again);
    assert(result == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct env_file file;
    unsigned line = 0;
    int result;
    env_file_begin(&file, (const char *)bytes, size);
    while ((result = env_file_next(&file)) > 0) {
        assert(file.name_line > line && file.name_line <= size + 1);
        assert(strlen(file.name) > 0 && strlen(file.name) < ENV_NAME_MAX);
        assert(strlen(file.value) == file.value_len);
        assert(file.value_len < ENV_VALUE_MAX && file.value_len <= size);
        line = file.name_line;
        check_again(&file);
    }
    assert((file.why[0] == '\0') == (result == 0));
    check_config((const char *)bytes, size);
    return 0;
}
