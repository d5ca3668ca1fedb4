/* client_commands.c: subcommands that ask one thing and print its answer. */
#include "client_program.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "clock.h"

enum { CHAIN_MAX = 3 };

struct put_settings {
    int64_t ttl_ms;
    bool absent;
};

struct scan_settings {
    int64_t limit;
    bool values;
};

static const struct option put_options[] = {
    {.name = "ttl",
        .kind = OPTION_DURATION,
        .offset = offsetof(struct put_settings, ttl_ms),
        .argument = "TIME",
        .text = "the record goes away after it: 1500ms, 90s, 15m, 12h, 7d"},
    {0}};

static const struct option cas_options[] = {
    {.name = "absent",
        .kind = OPTION_FLAG,
        .offset = offsetof(struct put_settings, absent),
        .argument = "",
        .text = "in place of EXPECTED: only if there is no such key"},
    {.name = "ttl",
        .kind = OPTION_DURATION,
        .offset = offsetof(struct put_settings, ttl_ms),
        .argument = "TIME",
        .text = "the record goes away after it: 1500ms, 90s, 15m, 12h, 7d"},
    {0}};

static const struct option scan_options[] = {
    {.name = "values",
        .kind = OPTION_FLAG,
        .offset = offsetof(struct scan_settings, values),
        .argument = "",
        .text = "prints key, tabulator, value"},
    {.name = "limit",
        .kind = OPTION_NUMBER,
        .offset = offsetof(struct scan_settings, limit),
        .least = 1,
        .most = INT64_MAX,
        .initial = INT64_MAX,
        .argument = "N",
        .text = "ends after so many"},
    {0}};

/* Makes the message of a request, or tells what is wrong with the words. */
static int fill_message(kv_message_t *message, int type, const char *key,
    const void *value, size_t value_len)
{
    size_t key_len = strlen(key);
    if (key_len == 0 || key_len > KV_KEY_SIZE) {
        return program_fail(PROGRAM_USAGE,
            "the key has %zu bytes; 1 to %d are allowed", key_len, KV_KEY_SIZE);
    }
    if (value_len > KV_VALUE_MAX) {
        return program_fail(PROGRAM_USAGE,
            "the value has %zu bytes; at most %d are allowed", value_len,
            KV_VALUE_MAX);
    }
    kv_error_t error =
        kv_message_fill(message, type, key, key_len, value, value_len);
    return error == KV_SUCCESS
               ? PROGRAM_YES
               : program_fail(PROGRAM_USAGE, "%s", kv_error_text(error));
}

/* The request is in *message, and so is the reply. */
static int ask(struct program *program, kv_message_t *message)
{
    int status = program_execute(program, message, 1);
    return status == PROGRAM_YES ? program_judge(message) : status;
}

static int ask_key(
    struct program *program, int type, const char *key, kv_message_t *message)
{
    int status = fill_message(message, type, key, NULL, 0);
    return status == PROGRAM_YES ? ask(program, message) : status;
}

static void print_line(const kv_message_t *reply)
{
    program_print_bytes(stdout, reply->value, reply->value_len);
    (void)putchar('\n');
}

/* Of a chain the message that failed says why; the others were aborted. */
static int ask_chain(
    struct program *program, kv_message_t *messages, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++) {
        messages[i].type |= KV_LINKED;
    }
    int status = program_execute(program, messages, count);
    if (status != PROGRAM_YES) {
        return status;
    }
    const kv_message_t *failed = NULL;
    for (size_t i = 0; i < count; i++) {
        bool worse = failed == NULL || failed->status == KV_ABORTED;
        if (messages[i].status != KV_SUCCESS && worse) {
            failed = &messages[i];
        }
    }
    return failed == NULL ? PROGRAM_YES : program_judge(failed);
}

struct value {
    size_t length;
    const char *bytes;
    char room[KV_VALUE_MAX + 1]; /* one more than fits, to see that */
};

/* A word, or standard input if it is "-". */
static int read_value(const char *word, struct value *value)
{
    value->bytes = word;
    value->length = strlen(word);
    if (strcmp(word, "-") != 0) {
        return PROGRAM_YES;
    }
    value->bytes = value->room;
    value->length = fread(value->room, 1, sizeof value->room, stdin);
    if (ferror(stdin)) {
        return program_fail(
            PROGRAM_LOCAL, "cannot read standard input: %s", strerror(errno));
    }
    if (value->length > KV_VALUE_MAX) {
        return program_fail(PROGRAM_USAGE,
            "standard input has more than %d bytes, which is the most that a "
            "value may have",
            KV_VALUE_MAX);
    }
    return PROGRAM_YES;
}

/* Adds PUT, and EXPIRE if there is a ttl; returns how many, 0: wrong words. */
static size_t add_put(kv_message_t *messages, const char *key,
    const struct value *value, int64_t ttl_ms)
{
    uint8_t text[DECIMAL_MAX];
    if (fill_message(messages, KV_PUT, key, value->bytes, value->length) !=
        PROGRAM_YES) {
        return 0;
    }
    if (ttl_ms == 0) {
        return 1;
    }
    size_t length = decimal_format(ttl_ms, text);
    (void)fill_message(messages + 1, KV_EXPIRE, key, text, length);
    return 2;
}

static int run_put(struct program *program, const struct arguments *arguments,
    const void *settings)
{
    const struct put_settings *put = settings;
    kv_message_t messages[CHAIN_MAX] = {0};
    struct value value;
    int status = read_value(arguments->words[1], &value);
    if (status != PROGRAM_YES) {
        return status;
    }
    size_t count = add_put(messages, arguments->words[0], &value, put->ttl_ms);
    return count == 0 ? PROGRAM_USAGE : ask_chain(program, messages, count);
}

static int run_cas(struct program *program, const struct arguments *arguments,
    const void *settings)
{
    const struct put_settings *cas = settings;
    kv_message_t messages[CHAIN_MAX] = {0};
    struct value value;
    const char *key = arguments->words[0];
    if (arguments->count != (cas->absent ? 2 : 3)) {
        return program_fail(PROGRAM_USAGE,
            "cas takes KEY EXPECTED NEW, or KEY NEW with --absent");
    }
    const char *expected = cas->absent ? "" : arguments->words[1];
    int type = cas->absent ? KV_EXPECT_ABSENT : KV_EXPECT;
    int status =
        fill_message(&messages[0], type, key, expected, strlen(expected));
    if (status == PROGRAM_YES) {
        status = read_value(arguments->words[arguments->count - 1], &value);
    }
    if (status != PROGRAM_YES) {
        return status;
    }
    size_t count = add_put(messages + 1, key, &value, cas->ttl_ms);
    return count == 0 ? PROGRAM_USAGE : ask_chain(program, messages, count + 1);
}

static int run_get(struct program *program, const struct arguments *arguments,
    const void *settings)
{
    (void)settings;
    kv_message_t message;
    int status = ask_key(program, KV_GET, arguments->words[0], &message);
    if (status == PROGRAM_YES) {
        (void)fwrite(message.value, 1, message.value_len, stdout);
        if (isatty(STDOUT_FILENO)) {
            (void)putchar('\n');
        }
    }
    return status;
}

static int run_delete(struct program *program,
    const struct arguments *arguments, const void *settings)
{
    (void)settings;
    kv_message_t message;
    int result = PROGRAM_YES;
    /* All words are looked at before the first record goes. */
    for (int i = 0; i < arguments->count; i++) {
        int status =
            fill_message(&message, KV_DELETE, arguments->words[i], NULL, 0);
        if (status != PROGRAM_YES) {
            return status;
        }
    }
    for (int i = 0; i < arguments->count; i++) {
        int status = ask_key(program, KV_DELETE, arguments->words[i], &message);
        if (status > PROGRAM_NO) {
            return status;
        }
        result = status == PROGRAM_NO ? PROGRAM_NO : result;
    }
    return result;
}

static int run_exists(struct program *program,
    const struct arguments *arguments, const void *settings)
{
    (void)settings;
    kv_message_t message;
    int status =
        fill_message(&message, KV_EXISTS, arguments->words[0], NULL, 0);
    if (status == PROGRAM_YES) {
        status = program_execute(program, &message, 1);
    }
    if (status != PROGRAM_YES) {
        return status;
    }
    if (message.status == KV_NOT_FOUND) {
        (void)puts("no");
        return PROGRAM_NO;
    }
    status = program_judge(&message);
    if (status == PROGRAM_YES) {
        (void)puts("yes");
    }
    return status;
}

static int run_ttl(struct program *program, const struct arguments *arguments,
    const void *settings)
{
    (void)settings;
    kv_message_t message;
    int status = ask_key(program, KV_TTL, arguments->words[0], &message);
    if (status == PROGRAM_YES) {
        print_line(&message);
    }
    return status;
}

static int run_expire(struct program *program,
    const struct arguments *arguments, const void *settings)
{
    (void)settings;
    kv_message_t message;
    uint8_t text[DECIMAL_MAX];
    int64_t ttl_ms;
    if (!options_duration(arguments->words[1], &ttl_ms)) {
        return program_fail(PROGRAM_USAGE,
            "expire: %.60s is no time such as 1500ms, 90s, 15m, 12h, 7d",
            arguments->words[1]);
    }
    size_t length = decimal_format(ttl_ms, text);
    int status =
        fill_message(&message, KV_EXPIRE, arguments->words[0], text, length);
    return status == PROGRAM_YES ? ask(program, &message) : status;
}

static int run_persist(struct program *program,
    const struct arguments *arguments, const void *settings)
{
    (void)settings;
    kv_message_t message;
    return ask_key(program, KV_PERSIST, arguments->words[0], &message);
}

static int run_incr(struct program *program, const struct arguments *arguments,
    const void *settings)
{
    (void)settings;
    kv_message_t message;
    const char *delta = arguments->count > 1 ? arguments->words[1] : "1";
    int64_t number;
    if (!options_number(delta, INT64_MIN, INT64_MAX, &number)) {
        return program_fail(PROGRAM_USAGE,
            "incr: %.60s is no whole number of 64 bits such as 5 or -12",
            delta);
    }
    int status = fill_message(
        &message, KV_ADD, arguments->words[0], delta, strlen(delta));
    if (status == PROGRAM_YES) {
        status = ask(program, &message);
    }
    if (status == PROGRAM_YES) {
        print_line(&message);
    }
    return status;
}

struct scan {
    const struct scan_settings *settings;
    int64_t printed;
};

static bool print_record(void *context, const kv_message_t *record)
{
    struct scan *scan = context;
    if (scan->printed == scan->settings->limit) {
        return false;
    }
    program_print_bytes(stdout, record->key, program_key_length(record));
    if (scan->settings->values) {
        (void)putchar('\t');
        program_print_bytes(stdout, record->value, record->value_len);
    }
    (void)putchar('\n');
    scan->printed++;
    return !ferror(stdout);
}

static int run_scan(struct program *program, const struct arguments *arguments,
    const void *settings)
{
    struct scan scan = {.settings = settings};
    struct program_rows rows = {.row = print_record, .context = &scan};
    kv_message_t request = {.type = KV_SCAN};
    const char *prefix = arguments->count > 0 ? arguments->words[0] : "";
    if (*prefix != '\0') {
        int status = fill_message(&request, KV_SCAN, prefix, NULL, 0);
        if (status != PROGRAM_YES) {
            return status;
        }
    }
    do {
        int status = program_stream(program, &request, &rows);
        if (status != PROGRAM_YES) {
            return status;
        }
        request.value_len = rows.end.value_len;
        memcpy(request.value, rows.end.value, sizeof request.value);
    } while (request.value_len > 0 && scan.printed < scan.settings->limit &&
             !ferror(stdout));
    return PROGRAM_YES;
}

static int run_count(struct program *program, const struct arguments *arguments,
    const void *settings)
{
    (void)arguments;
    (void)settings;
    kv_message_t message = {.type = KV_COUNT};
    int status = ask(program, &message);
    if (status == PROGRAM_YES) {
        print_line(&message);
    }
    return status;
}

static bool print_figure(void *context, const kv_message_t *figure)
{
    (void)context;
    char name[KV_KEY_SIZE + 1] = "";
    memcpy(name, figure->key, program_key_length(figure));
    (void)printf("%-24s %.*s\n", name, (int)figure->value_len,
        (const char *)figure->value);
    return !ferror(stdout);
}

static int run_stats(struct program *program, const struct arguments *arguments,
    const void *settings)
{
    (void)arguments;
    (void)settings;
    kv_message_t request = {.type = KV_STATS};
    struct program_rows rows = {.row = print_figure};
    return program_stream(program, &request, &rows);
}

static int run_ping(struct program *program, const struct arguments *arguments,
    const void *settings)
{
    (void)arguments;
    (void)settings;
    kv_error_t error = kv_client_connect(program->client);
    int64_t begin_ns = clock_steady_ns();
    if (error == KV_SUCCESS) {
        error = kv_client_ping(program->client);
    }
    if (error != KV_SUCCESS) {
        return program_fail(
            program_exit_of(error), "%s", kv_client_error(program->client));
    }
    (void)printf("%s:%d answered in %.3f ms\n", program->host, program->port,
        (double)(clock_steady_ns() - begin_ns) / 1e6);
    return PROGRAM_YES;
}

static int run_backup(struct program *program,
    const struct arguments *arguments, const void *settings)
{
    (void)arguments;
    (void)settings;
    kv_message_t message = {.type = KV_BACKUP};
    if (!program->timeout_given) {
        kv_client_set_timeout(program->client, PROGRAM_BACKUP_TIMEOUT_MS);
    }
    int status = ask(program, &message);
    if (status == PROGRAM_YES) {
        print_line(&message);
    }
    return status;
}

const struct subcommand commands_family[] = {
    {"put", "KEY VALUE", "stores a record", 2, 2, put_options,
        "A VALUE of - is read from standard input.", run_put},
    {"get", "KEY", "prints the value, exactly its bytes", 1, 1, NULL,
        "A newline is added on a terminal only.", run_get},
    {"delete", "KEY...", "deletes records", 1, PROGRAM_WORDS_ANY, NULL,
        "All are tried; the exit status is 1 if any was not there.",
        run_delete},
    {"exists", "KEY", "prints yes or no", 1, 1, NULL, NULL, run_exists},
    {"ttl", "KEY", "prints the milliseconds left, or -1", 1, 1, NULL, NULL,
        run_ttl},
    {"expire", "KEY TIME", "lets the record go away after TIME", 2, 2, NULL,
        "TIME is 1500ms, 90s, 15m, 12h or 7d; a plain number is seconds.",
        run_expire},
    {"persist", "KEY", "takes the expiry away", 1, 1, NULL, NULL, run_persist},
    {"incr", "KEY [DELTA]", "adds DELTA (1) and prints the sum", 1, 2, NULL,
        "A key that is not there counts as 0.  DELTA may be negative.",
        run_incr},
    {"cas", "KEY EXPECTED NEW", "stores NEW if the value is EXPECTED", 2, 3,
        cas_options, "A NEW of - is read from standard input.", run_cas},
    {"scan", "[PREFIX]", "prints keys, in no order", 0, 1, scan_options,
        "Bytes that are not printable, and the backslash, are printed as "
        "\\xNN.\n"
        "A list or set has no value: --values prints its key alone.",
        run_scan},
    {"count", "", "prints how many keys there are", 0, 0, NULL,
        "A list or set is one; stats counts its parts too, as records and "
        "members.",
        run_count},
    {"stats", "", "prints the server's figures", 0, 0, NULL, NULL, run_stats},
    {"ping", "", "asks for a sign of life, and times it", 0, 0, NULL, NULL,
        run_ping},
    {"backup", "", "has a backup written, and prints its LSN", 0, 0, NULL,
        "It waits up to ten minutes, unless --timeout is given.", run_backup},
    {0}};
