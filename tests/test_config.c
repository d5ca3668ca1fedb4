/* The settings: what overrides what, and each sentence of refusal. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "config/setting.h"

enum { ARGUMENTS_MAX = 8, LINE_MAX_BYTES = 512 };

/* What config_load is given and what came of it. */
struct attempt {
    const char *flags[ARGUMENTS_MAX]; /* without the name of the program */
    const char *environment[ARGUMENTS_MAX];
    char *warnings; /* to be freed */
    int result;
    struct config config;
};

static void load(struct attempt *attempt)
{
    const char *argv[ARGUMENTS_MAX + 2] = {"fixkv-server"};
    size_t length = 0;
    struct diag diag = {
        .stream = open_memstream(&attempt->warnings, &length), .name = ""};
    struct config_input input = {
        .argc = 1,
        .argv = argv,
        .environment = attempt->environment,
        .diag = &diag,
    };
    REQUIRE(diag.stream != NULL);
    while (input.argc <= ARGUMENTS_MAX && attempt->flags[input.argc - 1]) {
        argv[input.argc] = attempt->flags[input.argc - 1];
        input.argc++;
    }
    attempt->result = config_load(&attempt->config, &input);
    CHECK(fclose(diag.stream) == 0);
}

static void unload(struct attempt *attempt)
{
    free(attempt->warnings);
}

/* The sentence of refusal that these flags and this environment lead to. */
static void check_refusal(struct attempt *attempt, const char *why)
{
    load(attempt);
    CHECK_ERRNO(attempt->result, EINVAL);
    CHECK_TEXT(attempt->config.why, why);
    unload(attempt);
}

/* Loads text as a file named "f"; warnings go nowhere. */
static int load_text(struct config *config, const char *text, size_t size)
{
    config_set_defaults(config);
    config->file = "f";
    return config_load_file(config, text, size, NULL);
}

static void without_settings_all_are_at_their_defaults(void)
{
    struct attempt attempt = {.flags = {NULL}};
    load(&attempt);
    CHECK_OK(attempt.result);
    CHECK_INT(attempt.config.action, CONFIG_SERVE);
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        CHECK_TEXT(
            config_text(&attempt.config, id), setting_row(id)->otherwise);
        CHECK_INT(attempt.config.values[id].source, CONFIG_FROM_DEFAULT);
    }
    CHECK_U64(config_number(&attempt.config, CONFIG_PORT), 8080);
    CHECK_U64(config_number(&attempt.config, CONFIG_LOG_SEGMENT), 64 << 20);
    CHECK_U64(config_number(&attempt.config, CONFIG_CAPACITY), 0);
    CHECK_TEXT(attempt.warnings, "");
    CHECK_OK(config_check(&attempt.config));
    unload(&attempt);
}

static void write_file(const struct test_directory *directory, const char *text,
    char path[TEST_PATH_MAX])
{
    int length = snprintf(path, TEST_PATH_MAX, "%s/f", directory->path);
    REQUIRE(length > 0 && length < TEST_PATH_MAX);
    FILE *file = fopen(path, "w");
    REQUIRE(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK(fclose(file) == 0);
}

static void flag_goes_over_environment_over_file_over_default(void)
{
    struct test_directory directory = {""};
    char path[TEST_PATH_MAX];
    REQUIRE(test_directory_make(&directory));
    write_file(&directory, "KV_PORT=1\nKV_WORKERS=1\nKV_VERBOSE=1\n", path);
    struct attempt attempt = {
        .flags = {"--port=3", "--config", path},
        .environment = {"KV_PORT=2", "KV_WORKERS=2", "PORT=9", NULL},
    };
    const struct config *config = &attempt.config;
    load(&attempt);
    CHECK_OK(attempt.result);
    CHECK_U64(config_number(config, CONFIG_PORT), 3);
    CHECK_U64(config_number(config, CONFIG_WORKERS), 2);
    CHECK_U64(config_number(config, CONFIG_VERBOSE), 1);
    CHECK_U64(config_number(config, CONFIG_BACKUP_KEEP), 2);
    CHECK_INT(config->values[CONFIG_PORT].source, CONFIG_FROM_FLAG);
    CHECK_INT(config->values[CONFIG_WORKERS].source, CONFIG_FROM_ENVIRONMENT);
    CHECK_INT(config->values[CONFIG_VERBOSE].source, CONFIG_FROM_FILE);
    CHECK_INT(config->values[CONFIG_VERBOSE].line, 3);
    CHECK_TEXT(attempt.warnings, "");
    unload(&attempt);
    CHECK(test_directory_remove(&directory));
}

static void a_file_that_cannot_be_read_is_refused(void)
{
    struct attempt attempt = {.flags = {"--config", "/nowhere/at/all"}};
    load(&attempt);
    CHECK_ERRNO(attempt.result, ENOENT);
    CHECK_TEXT(attempt.config.why,
        "--config /nowhere/at/all: No such file or directory");
    unload(&attempt);
    struct attempt directory = {.flags = {"--config=/"}};
    load(&directory);
    CHECK_ERRNO(directory.result, EISDIR);
    unload(&directory);
}

static void an_empty_value_leaves_a_setting_unset(void)
{
    static const char text[] = "KV_PORT=1\nKV_PORT=\nKV_SYNC=''\n";
    struct config config;
    struct attempt attempt = {.environment = {"KV_PORT=", "KV_HOST", NULL}};
    load(&attempt);
    CHECK_OK(attempt.result);
    CHECK_U64(config_number(&attempt.config, CONFIG_PORT), 8080);
    unload(&attempt);
    CHECK_OK(load_text(&config, text, strlen(text)));
    CHECK_U64(config_number(&config, CONFIG_PORT), 8080);
    CHECK_INT(config.values[CONFIG_PORT].source, CONFIG_FROM_DEFAULT);
    CHECK_TEXT(config_text(&config, CONFIG_SYNC), "always");
}

static void flags_take_their_value_in_either_form(void)
{
    struct attempt attempt = {.flags = {"--data-dir", "-x=y", "--sync=none",
                                  "--host", "localhost", "--plan"}};
    load(&attempt);
    CHECK_OK(attempt.result);
    CHECK_TEXT(config_text(&attempt.config, CONFIG_DATA_DIR), "-x=y");
    CHECK_U64(config_number(&attempt.config, CONFIG_SYNC), 2);
    CHECK_TEXT(config_text(&attempt.config, CONFIG_HOST), "127.0.0.1");
    CHECK_INT(attempt.config.action, CONFIG_PLAN);
    unload(&attempt);
}

static void help_and_version_look_at_nothing_else(void)
{
    static const struct {
        const char *flag;
        enum config_action action;
    } cases[] = {{"--help", CONFIG_HELP}, {"-h", CONFIG_HELP},
        {"--version", CONFIG_VERSION}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct attempt attempt = {
            .flags = {"--port=x", cases[i].flag, "--nonsense"},
            .environment = {"KV_PORT=y", NULL},
        };
        load(&attempt);
        CHECK_OK(attempt.result);
        CHECK_INT(attempt.config.action, cases[i].action);
        CHECK_OK(config_check(&attempt.config));
        unload(&attempt);
    }
}

static void wrong_flags_are_refused_by_name(void)
{
    static const struct {
        const char *flag;
        const char *why;
    } cases[] = {
        {"--prot", "unknown flag --prot; did you mean --port?; --help lists "
                   "them"},
        {"--Port=1", "unknown flag --Port; did you mean --port?; --help lists "
                     "them"},
        {"--hepl", "unknown flag --hepl; did you mean --help?; --help lists "
                   "them"},
        {"--passwrd=s3cret", "unknown flag --passwrd; did you mean "
                             "--password?; --help lists them"},
        {"something", "unknown flag something; --help lists them"},
        {"", "unknown flag ; --help lists them"},
        {"--", "unknown flag --; --help lists them"},
        {"--a\nb", "unknown flag --a?b; --help lists them"},
        {"--port", "--port needs a value"},
        {"--config", "--config needs a value"},
        {"--help=1", "--help takes no value"},
        {"--port=", "KV_PORT= (flag --port): must be a whole number from 0 to "
                    "65535"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct attempt attempt = {.flags = {cases[i].flag}};
        check_refusal(&attempt, cases[i].why);
    }
    struct attempt twice = {.flags = {"--config", "/a", "--config=/b"}};
    check_refusal(&twice, "--config is given twice");
    struct attempt next = {.flags = {"--port", "--host"}};
    check_refusal(&next, "--port needs a value");
}

static void wrong_values_are_refused_in_one_sentence(void)
{
    static const struct {
        const char *entry;
        const char *why;
    } cases[] = {
        {"KV_HOST=example.org", "KV_HOST=example.org (environment): must be "
                                "an IPv4 or IPv6 address, or localhost"},
        {"KV_PORT=65536", "KV_PORT=65536 (environment): must be a whole number "
                          "from 0 to 65535"},
        {"KV_SYNC=sometimes", "KV_SYNC=sometimes (environment): must be one "
                              "word of: always everysec none"},
        {"KV_LOG_SEGMENT=1000000",
            "KV_LOG_SEGMENT=1000000 (environment): must be a size from 2M to "
            "4G, a multiple of 4096"},
        {"KV_WORKERS=0", "KV_WORKERS=0 (environment): must be a whole number "
                         "from 1 to 256, or auto"},
        {"KV_DATA_DIR=a\tb", "KV_DATA_DIR=a?b (environment): must be 1 to 4095 "
                             "bytes without control characters"},
        {"KV_PASSWORD=se\ncret",
            "KV_PASSWORD=**** (environment): must be 1 to 256 bytes without "
            "control characters"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct attempt attempt = {.environment = {cases[i].entry, NULL}};
        check_refusal(&attempt, cases[i].why);
    }
    /* One that another overrides is looked at all the same. */
    struct attempt hidden = {
        .flags = {"--port=1"}, .environment = {"KV_PORT=x", NULL}};
    check_refusal(&hidden, "KV_PORT=x (environment): must be a whole number "
                           "from 0 to 65535");
}

static void long_values_are_cut_in_the_sentence(void)
{
    char entry[2 * CONFIG_TEXT_MAX] = "KV_DATA_DIR=";
    memset(entry + strlen(entry), 'x', CONFIG_TEXT_MAX);
    struct attempt attempt = {.environment = {entry, NULL}};
    load(&attempt);
    CHECK_ERRNO(attempt.result, EINVAL);
    CHECK(strstr(attempt.config.why, "xxx... (environment): must be") != NULL);
    unload(&attempt);
    entry[strlen(entry) - 1] = '\0';
    struct attempt longest = {.environment = {entry, NULL}};
    load(&longest);
    CHECK_OK(longest.result);
    unload(&longest);
}

static void unknown_names_are_told(void)
{
    static const char ours[] = "\n# x\n\nKV_PORTS=1\n";
    static const char far[] = "KV_NOTHING_OF_THE_KIND=1";
    static const char others[] = "TZ=UTC\n";
    struct config config;
    CHECK_ERRNO(load_text(&config, ours, strlen(ours)), EINVAL);
    CHECK_TEXT(
        config.why, "f:4: KV_PORTS is not a setting; did you mean KV_PORT?");
    CHECK_ERRNO(load_text(&config, far, strlen(far)), EINVAL);
    CHECK_TEXT(config.why, "f:1: KV_NOTHING_OF_THE_KIND is not a setting");
    CHECK_OK(load_text(&config, others, strlen(others)));

    struct attempt attempt = {
        .environment = {"KV_WORKER=1", "KV_STRANGE_THING=1", "KV_", NULL}};
    load(&attempt);
    CHECK_OK(attempt.result);
    CHECK_TEXT(attempt.warnings,
        "warning: environment: KV_WORKER is not a setting, and does nothing; "
        "did you mean KV_WORKERS?\n"
        "warning: environment: KV_STRANGE_THING is not a setting, and does "
        "nothing\n"
        "warning: environment: KV_ is not a setting, and does nothing\n");
    unload(&attempt);
}

static void what_this_version_cannot_do_is_refused(void)
{
    static const struct {
        const char *entry;
        const char *why;
    } cases[] = {
        {"KV_EVICT=clock", "KV_EVICT=clock (environment): is not available in "
                           "this version; unset it"},
        {"KV_PASSWORD=hush", "KV_PASSWORD=**** (environment): is not available "
                             "in this version; unset it"},
        {"KV_PASSWORD_FILE=/x", "KV_PASSWORD_FILE=/x (environment): is not "
                                "available in this version; unset it"},
        {"KV_EVICT=none", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct attempt attempt = {.environment = {cases[i].entry, NULL}};
        load(&attempt);
        CHECK_OK(attempt.result);
        bool refused = *cases[i].why != '\0';
        CHECK_INT(config_check(&attempt.config), refused ? -EINVAL : 0);
        CHECK_TEXT(attempt.config.why, cases[i].why);
        unload(&attempt);
    }
}

static void beyond_this_machine_only_if_allowed(void)
{
    static const struct {
        const char *host;
        bool open;
    } cases[] = {
        {"KV_HOST=127.0.0.1", false},
        {"KV_HOST=127.255.0.1", false},
        {"KV_HOST=::1", false},
        {"KV_HOST=localhost", false},
        {"KV_HOST=0.0.0.0", true},
        {"KV_HOST=::", true},
        {"KV_HOST=10.1.2.3", true},
        {"KV_HOST=126.0.0.1", true},
        {"KV_HOST=::ffff:127.0.0.1", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct attempt closed = {.environment = {cases[i].host, NULL}};
        struct attempt allowed = {
            .environment = {cases[i].host, "KV_ALLOW_OPEN=1", NULL}};
        load(&closed);
        load(&allowed);
        CHECK_INT(config_check(&closed.config), cases[i].open ? -EINVAL : 0);
        CHECK((strstr(closed.config.why, "KV_ALLOW_OPEN=1") != NULL) ==
              cases[i].open);
        CHECK_OK(config_check(&allowed.config));
        unload(&closed);
        unload(&allowed);
    }
}

static void automatic_values_are_resolved_and_others_stay(void)
{
    struct attempt attempt = {.flags = {"--workers=3", "--capacity=auto"}};
    load(&attempt);
    CHECK_OK(attempt.result);
    config_resolve(&attempt.config, CONFIG_WORKERS, 2);
    config_resolve(&attempt.config, CONFIG_CAPACITY, 77);
    CHECK_U64(config_number(&attempt.config, CONFIG_WORKERS), 3);
    CHECK_U64(config_number(&attempt.config, CONFIG_CAPACITY), 77);
    CHECK_TEXT(config_text(&attempt.config, CONFIG_CAPACITY), "77");
    unload(&attempt);
}

/* What printing to a stream gives; to be freed. */
static char *printed(const struct config *config)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    REQUIRE(out != NULL);
    if (config == NULL) {
        config_print_help(out);
    } else {
        config_print(config, out);
    }
    CHECK(fclose(out) == 0);
    return text;
}

static void printing_shows_values_and_sources_but_no_secret(void)
{
    static const char text[] = "\nKV_SYNC=none\n";
    struct config config;
    CHECK_OK(load_text(&config, text, strlen(text)));
    char *plain = printed(&config);
    CHECK(strstr(plain,
              "KV_PASSWORD=                             # default\n") != NULL);
    CHECK(strstr(plain, "KV_SYNC=none                             # f:2\n") !=
          NULL);
    free(plain);
    struct attempt attempt = {
        .flags = {"--password", "s3cret", "--verbose=2"},
        .environment = {"KV_PORT=9", NULL},
    };
    load(&attempt);
    char *shown = printed(&attempt.config);
    CHECK(strstr(shown, "s3cret") == NULL);
    CHECK(strstr(shown, "KV_PASSWORD=****                         "
                        "# flag --password\n") != NULL);
    CHECK(strstr(shown, "KV_PORT=9                                "
                        "# environment\n") != NULL);
    free(shown);
    unload(&attempt);
}

static void help_names_each_flag(void)
{
    char *help = printed(NULL);
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        char line[LINE_MAX_BYTES];
        char flag[SETTING_FLAG_MAX];
        const struct setting *setting = setting_row(id);
        (void)snprintf(line, sizeof line, "\n%s, %s\n    %s;\n",
            setting_flag(setting->name, flag), setting->name,
            setting->explanation);
        CHECK(strstr(help, line) != NULL);
    }
    for (enum config_action i = CONFIG_SERVE + 1; i < CONFIG_ACTION_COUNT;
         i++) {
        CHECK(strstr(help, setting_action_row(i)->explanation) != NULL);
    }
    free(help);
}

static void random_files_are_taken_or_refused_with_a_reason(void)
{
    static const char pieces[] = "KV_PORT=\n\"'\\#; 1aA\r\t=_";
    enum { ROUNDS = 2000, SIZE_MAX_BYTES = 64 };
    struct test_random random;
    test_random_init(&random);
    for (unsigned round = 0; round < ROUNDS; round++) {
        char text[SIZE_MAX_BYTES];
        struct config config;
        size_t size = test_random_below(&random, sizeof text + 1);
        for (size_t i = 0; i < size; i++) {
            text[i] = pieces[test_random_below(&random, sizeof pieces)];
        }
        int result = load_text(&config, text, size);
        CHECK(result == 0 || result == -EINVAL);
        CHECK((config.why[0] == '\0') == (result == 0));
    }
}

const struct test_case test_config[] = {
    TEST_CASE(without_settings_all_are_at_their_defaults),
    TEST_CASE(flag_goes_over_environment_over_file_over_default),
    TEST_CASE(a_file_that_cannot_be_read_is_refused),
    TEST_CASE(an_empty_value_leaves_a_setting_unset),
    TEST_CASE(flags_take_their_value_in_either_form),
    TEST_CASE(help_and_version_look_at_nothing_else),
    TEST_CASE(wrong_flags_are_refused_by_name),
    TEST_CASE(wrong_values_are_refused_in_one_sentence),
    TEST_CASE(long_values_are_cut_in_the_sentence),
    TEST_CASE(unknown_names_are_told),
    TEST_CASE(what_this_version_cannot_do_is_refused),
    TEST_CASE(beyond_this_machine_only_if_allowed),
    TEST_CASE(automatic_values_are_resolved_and_others_stay),
    TEST_CASE(printing_shows_values_and_sources_but_no_secret),
    TEST_CASE(help_names_each_flag),
    TEST_CASE(random_files_are_taken_or_refused_with_a_reason),
    TEST_END,
};
