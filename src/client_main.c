/* client_main.c: the client program: settings, the table of subcommands. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "client/client.h"
#include "client_program.h"
#include "process.h"

enum { OPTION_COLUMN = 20 };

static const struct subcommand *const families[] = {commands_family,
    transfer_family, check_family, restore_family, test_family, bench_family};

struct globals {
    const char *host;
    int64_t port;
    int64_t timeout_ms;
    bool version;
};

static const struct option global_options[] = {
    {.name = "host",
        .kind = OPTION_TEXT,
        .offset = offsetof(struct globals, host),
        .argument = "HOST",
        .text = "name or address of the server (KV_HOST, 127.0.0.1)"},
    {.name = "port",
        .kind = OPTION_NUMBER,
        .offset = offsetof(struct globals, port),
        .least = 1,
        .most = UINT16_MAX,
        .argument = "PORT",
        .text = "its port (KV_PORT, 8080)"},
    {.name = "timeout",
        .kind = OPTION_NUMBER,
        .offset = offsetof(struct globals, timeout_ms),
        .least = 1,
        .most = INT32_MAX,
        .argument = "MS",
        .text = "milliseconds to wait for a connection and each reply (5000)"},
    {.name = "version",
        .kind = OPTION_FLAG,
        .offset = offsetof(struct globals, version),
        .argument = "",
        .text = "prints the version"},
    {0}};

static void print_options(const struct option *option)
{
    for (; option != NULL && option->name != NULL; option++) {
        int length = printf("  --%s %s", option->name, option->argument);
        (void)printf("%*s%s\n",
            length < OPTION_COLUMN ? OPTION_COLUMN - length : 1, "",
            option->text);
    }
}

static void print_help(void)
{
    (void)puts("client [OPTION]... COMMAND ...: asks a fixkv server\n");
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        for (const struct subcommand *each = families[i]; each->name; each++) {
            (void)printf(
                "  %-8s %-18s %s\n", each->name, each->arguments, each->text);
        }
    }
    (void)puts("\nclient COMMAND --help tells more of one.\n");
    print_options(global_options);
    (void)puts(
        "\nKV_VERBOSE=1 prints the server asked, 2 each request.\n"
        "Exit status: 0 yes; 1 a valid no; 2 usage; 3 server not "
        "reached or lost;\n4 the server refused; 5 local or data error.");
}

static void print_command_help(const struct subcommand *command)
{
    (void)printf(
        "client %s %s: %s\n", command->name, command->arguments, command->text);
    if (command->more != NULL) {
        (void)printf("%s\n", command->more);
    }
    print_options(command->options);
}

static const struct subcommand *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        for (const struct subcommand *each = families[i]; each->name; each++) {
            if (strcmp(each->name, name) == 0) {
                return each;
            }
        }
    }
    return NULL;
}

/* A number from the environment, if it is there. */
static bool read_setting(const char *name, int least, int most, int *number)
{
    const char *text = getenv(name);
    int64_t parsed;
    if (text == NULL) {
        return true;
    }
    if (!options_number(text, least, most, &parsed)) {
        (void)program_fail(PROGRAM_USAGE,
            "%s is \"%.60s\"; it must be a whole number from %d to %d", name,
            text, least, most);
        return false;
    }
    *number = (int)parsed;
    return true;
}

/* Flag over environment over default. */
static int set_up(struct program *program, const struct globals *globals)
{
    const char *host = getenv("KV_HOST");
    const char *name = globals->host == NULL ? "KV_HOST" : "--host";
    program->host = host == NULL ? CLIENT_HOST : host;
    program->host = globals->host == NULL ? program->host : globals->host;
    program->port = CLIENT_PORT;
    if (globals->port != 0) {
        program->port = (int)globals->port;
    } else if (!read_setting("KV_PORT", 1, UINT16_MAX, &program->port)) {
        return PROGRAM_USAGE;
    }
    if (!read_setting("KV_VERBOSE", 0, 2, &program->verbose)) {
        return PROGRAM_USAGE;
    }
    program->client = kv_client_create(program->host, program->port);
    if (program->client == NULL && errno == EINVAL) {
        return program_fail(PROGRAM_USAGE,
            "%s is \"%.60s\"; it must be a name or an address of 1 to 255 "
            "characters",
            name, program->host);
    }
    if (program->client == NULL) {
        return program_fail(PROGRAM_LOCAL, "no memory");
    }
    program->timeout_given = globals->timeout_ms != 0;
    program->timeout_ms =
        program->timeout_given ? (int)globals->timeout_ms : CLIENT_TIMEOUT_MS;
    kv_client_set_timeout(program->client, program->timeout_ms);
    if (program->verbose >= 1) {
        (void)fprintf(stderr, "client: server %s:%d, timeout %d ms\n",
            program->host, program->port, program->timeout_ms);
    }
    return PROGRAM_YES;
}

/* arguments: what follows the name of the command. */
static int run_command(const struct globals *globals,
    const struct subcommand *command, struct arguments *arguments)
{
    char why[OPTIONS_WHY_MAX];
    struct program program = {0};
    void *settings = calloc(1, PROGRAM_SETTINGS_MAX);
    int status = PROGRAM_YES;
    if (settings == NULL) {
        status = program_fail(PROGRAM_LOCAL, "no memory");
    } else if (!options_read(
                   command->options, arguments, false, settings, why)) {
        status = program_fail(PROGRAM_USAGE,
            "%s: %s; see client %s --help (--host, --port and --timeout stand "
            "before the command)",
            command->name, why, command->name);
    } else if (arguments->help) {
        print_command_help(command);
    } else if (arguments->count < command->words_least ||
               arguments->count > command->words_most) {
        status = program_fail(PROGRAM_USAGE,
            "usage: client %s%s%s; see client %s --help", command->name,
            command->arguments[0] != '\0' ? " " : "", command->arguments,
            command->name);
    } else {
        status = set_up(&program, globals);
        if (status == PROGRAM_YES) {
            status = command->run(&program, arguments, settings);
        }
    }
    kv_client_destroy(program.client);
    free(settings);
    return status;
}

static int run(struct arguments *arguments)
{
    char why[OPTIONS_WHY_MAX];
    struct globals globals = {0};
    if (!options_read(global_options, arguments, true, &globals, why)) {
        return program_fail(PROGRAM_USAGE, "%s; see client --help", why);
    }
    if (arguments->help) {
        print_help();
        return PROGRAM_YES;
    }
    if (globals.version) {
        (void)puts("client (fixkv) " KV_VERSION);
        return PROGRAM_YES;
    }
    if (arguments->count == 0) {
        return program_fail(PROGRAM_USAGE,
            "usage: client [OPTION]... COMMAND ...; see client --help");
    }
    const struct subcommand *command = find_command(arguments->words[0]);
    if (command == NULL) {
        return program_fail(PROGRAM_USAGE,
            "no command \"%.60s\"; client --help lists them",
            arguments->words[0]);
    }
    arguments->words++;
    arguments->count--;
    return run_command(&globals, command, arguments);
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.words = argv + 1, .count = argc - 1};
    process_reserve_streams();
    process_ignore_size_limit();
    int status = argc > 0 ? run(&arguments) : PROGRAM_USAGE;
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == PROGRAM_YES) {
        status = program_fail(PROGRAM_LOCAL,
            "cannot write to standard output: %s", strerror(errno));
    }
    return status;
}
