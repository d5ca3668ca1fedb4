/* hiredis.c: a client on hiredis, the library under many others.
 *
 *     hiredis replies     sends the commands of its standard input, one a line
 *                         as redis-cli takes them, one by one
 *     hiredis pipelined   the same, all of them before it reads a reply
 *     hiredis checks      what commands and replies alone do not show
 *
 * The first two print each reply on a line, as redis-cli --json does, for
 * judge.awk.  What the environment tells: tests/clients/run. */
#include <hiredis/hiredis.h>
#include <hiredis/sds.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum {
    COMMANDS_MAX = 1000,
    WORDS_MAX = 64,
    NESTING_MAX = 8,
    PIPELINED = 10000,
    VALUE_MAX = 256,
    KEY_MAX = 32,
    PATIENCE_S = 60,
    EXIT_USAGE = 2
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "hiredis: %s: %s\n", what, why);
    exit(EXIT_USAGE);
}

static void give_password(redisContext *context)
{
    const char *password = getenv("KV_PASSWORD");
    redisReply *reply;

    if (password == NULL || password[0] == '\0') {
        return;
    }
    reply = redisCommand(context, "AUTH %s", password);
    if (reply == NULL || reply->type != REDIS_REPLY_STATUS) {
        die("AUTH", reply ? reply->str : context->errstr);
    }
    freeReplyObject(reply);
}

static redisContext *connect_here(void)
{
    const char *port = getenv("KV_PORT");
    struct timeval patience = {.tv_sec = PATIENCE_S};
    long number = port ? strtol(port, NULL, 10) : 0;
    redisContext *context =
        redisConnectWithTimeout("127.0.0.1", (int)number, patience);

    if (context == NULL || context->err != 0) {
        die("connect", context ? context->errstr : "no memory");
    }
    if (redisSetTimeout(context, patience) != REDIS_OK) {
        die("timeout", context->errstr);
    }
    give_password(context);
    return context;
}

static redisReply *next_reply(redisContext *context)
{
    void *reply = NULL;

    if (redisGetReply(context, &reply) != REDIS_OK) {
        die("reply", context->errstr);
    }
    return reply;
}

/* ---- Replies, as redis-cli --json prints them ---------------------------- */

static void print_string(const redisReply *reply)
{
    static const char plain[] = "\"\\\n\t\r";
    static const char letter[] = "\"\\ntr";

    putchar('"');
    for (size_t i = 0; i < (size_t)reply->len; i++) {
        unsigned char byte = (unsigned char)reply->str[i];
        const char *found = byte ? strchr(plain, byte) : NULL;

        if (found != NULL) {
            printf("\\%c", letter[found - plain]);
        } else if (byte < ' ') {
            printf("\\u%04x", byte);
        } else {
            putchar(byte);
        }
    }
    putchar('"');
}

static void print_scalar(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER) {
        printf("%lld", reply->integer);
    } else if (reply->type == REDIS_REPLY_NIL) {
        fputs("null", stdout);
    } else {
        fputs(reply->type == REDIS_REPLY_ERROR ? "error:" : "", stdout);
        print_string(reply);
    }
}

static void print_reply(const redisReply *reply)
{
    const redisReply *open[NESTING_MAX];
    size_t next[NESTING_MAX];
    size_t depth = 0;

    for (;;) {
        if (reply->type != REDIS_REPLY_ARRAY) {
            print_scalar(reply);
        } else if (depth == NESTING_MAX) {
            die("reply", "nested deeper than any should be");
        } else {
            putchar('[');
            open[depth] = reply;
            next[depth++] = 0;
        }
        while (depth > 0 && next[depth - 1] == open[depth - 1]->elements) {
            putchar(']');
            depth--;
        }
        if (depth == 0) {
            return;
        }
        if (next[depth - 1] > 0) {
            putchar(',');
        }
        reply = open[depth - 1]->element[next[depth - 1]++];
    }
}

static void print_next(redisContext *context)
{
    redisReply *reply = next_reply(context);

    print_reply(reply);
    putchar('\n');
    freeReplyObject(reply);
}

static void append_line(redisContext *context, const char *line)
{
    const char *words[WORDS_MAX];
    size_t lengths[WORDS_MAX];
    int count = 0;
    sds *split = sdssplitargs(line, &count);

    if (split == NULL || count > WORDS_MAX) {
        die("not a command", line);
    }
    for (int i = 0; i < count; i++) {
        words[i] = split[i];
        lengths[i] = sdslen(split[i]);
    }
    if (redisAppendCommandArgv(context, count, words, lengths) != REDIS_OK) {
        die("append", context->errstr);
    }
    sdsfreesplitres(split, count);
}

static int run_lines(bool pipelined)
{
    redisContext *context = connect_here();
    char *line = NULL;
    size_t size = 0;
    size_t count = 0;

    while (count < COMMANDS_MAX && getline(&line, &size, stdin) > 0) {
        append_line(context, line);
        count++;
        if (!pipelined) {
            print_next(context);
        }
    }
    for (size_t i = 0; pipelined && i < count; i++) {
        print_next(context);
    }
    free(line);
    redisFree(context);
    return 0;
}

/* ---- Checks -------------------------------------------------------------- */

static bool check(const char *text, bool good)
{
    printf("%s: hiredis: %s\n", good ? "ok" : "failed", text);
    return good;
}

static bool is_text(redisReply *reply, int type, const char *text)
{
    bool same = reply->type == type && strcmp(reply->str, text) == 0;

    freeReplyObject(reply);
    return same;
}

static bool is_nil(redisReply *reply)
{
    bool nil = reply->type == REDIS_REPLY_NIL;

    freeReplyObject(reply);
    return nil;
}

static bool has_limit(redisReply *reply, const char *limit)
{
    bool named =
        reply->type == REDIS_REPLY_ERROR && strstr(reply->str, limit) != NULL;

    freeReplyObject(reply);
    return named;
}

static redisReply *ask(redisContext *context, const char *command)
{
    redisReply *reply = redisCommand(context, command);

    if (reply == NULL) {
        die(command, context->errstr);
    }
    return reply;
}

static bool is_status(
    redisContext *context, const char *command, const char *status)
{
    return is_text(ask(context, command), REDIS_REPLY_STATUS, status);
}

static bool all_bytes_come_back(redisContext *context)
{
    char value[VALUE_MAX];
    redisReply *reply;
    bool same;

    for (size_t i = 0; i < sizeof value; i++) {
        value[i] = (char)i;
    }
    freeReplyObject(redisCommand(context, "SET bytes %b", value, sizeof value));
    reply = ask(context, "GET bytes");
    same = reply->type == REDIS_REPLY_STRING && reply->len == sizeof value &&
           memcmp(reply->str, value, sizeof value) == 0;
    freeReplyObject(reply);
    return same;
}

static bool pipeline_keeps_order(redisContext *context)
{
    long long right = 0;

    freeReplyObject(ask(context, "DEL counter"));
    for (int i = 0; i < PIPELINED; i++) {
        if (redisAppendCommand(context, "INCR counter") != REDIS_OK) {
            die("append", context->errstr);
        }
    }
    for (long long i = 1; i <= PIPELINED; i++) {
        redisReply *reply = next_reply(context);

        right += reply->type == REDIS_REPLY_INTEGER && reply->integer == i;
        freeReplyObject(reply);
    }
    return right == PIPELINED;
}

static bool watch_sees(redisContext *context, redisContext *other)
{
    return is_status(context, "WATCH watched", "OK") &&
           is_status(other, "SET watched theirs", "OK") &&
           is_status(context, "MULTI", "OK") &&
           is_status(context, "SET watched mine", "QUEUED") &&
           is_nil(ask(context, "EXEC")) &&
           is_text(ask(context, "GET watched"), REDIS_REPLY_STRING, "theirs");
}

static bool reconnects(redisContext *context)
{
    if (redisReconnect(context) != REDIS_OK) {
        return false;
    }
    give_password(context);
    return is_status(context, "PING", "PONG");
}

static bool limits_are_told(redisContext *context)
{
    char block[VALUE_MAX + 1];
    bool value;
    bool key;

    memset(block, 'x', sizeof block);
    value = has_limit(
        redisCommand(context, "SET k %b", block, sizeof block), "256");
    key = has_limit(
        redisCommand(context, "GET %b", block, (size_t)KEY_MAX + 1), "32");
    return value && key && is_status(context, "PING", "PONG") &&
           is_text(ask(context, "SELECT 1"), REDIS_REPLY_ERROR,
               "ERR DB index is out of range");
}

static int run_checks(void)
{
    redisContext *context = connect_here();
    redisContext *other = connect_here();
    const char *limits = getenv("KV_LIMITS");
    bool good = true;

    good &= check("all 256 byte values", all_bytes_come_back(context));
    good &=
        check("10000 commands in one pipeline", pipeline_keeps_order(context));
    good &= check(
        "WATCH, and another connection's SET", watch_sees(context, other));
    good &= check("redisReconnect", reconnects(context));
    if (limits != NULL && strcmp(limits, "1") == 0) {
        good &= check("limits are told, and the connection goes on",
            limits_are_told(context));
    }
    redisFree(context);
    redisFree(other);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *form = argc == 2 ? argv[1] : "";

    if (strcmp(form, "checks") == 0) {
        return run_checks();
    }
    if (strcmp(form, "replies") == 0 || strcmp(form, "pipelined") == 0) {
        return run_lines(strcmp(form, "pipelined") == 0);
    }
    fputs("usage: hiredis replies|pipelined|checks\n", stderr);
    return EXIT_USAGE;
}
