#include "client_program.h"

#include <stdarg.h>
#include <string.h>

#include "bytes.h"

int program_fail(enum program_exit status, const char *format, ...)
{
    va_list arguments;
    (void)fflush(stdout);
    (void)fputs("client: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    return status;
}

enum program_exit program_exit_of(int error)
{
    switch (error) {
    case KV_SUCCESS:
        return PROGRAM_YES;
    case KV_NOT_FOUND:
    case KV_MISMATCH:
        return PROGRAM_NO;
    case KV_ARGUMENT:
        return PROGRAM_USAGE;
    case KV_REFUSED:
    case KV_TIMED_OUT:
    case KV_LOST:
        return PROGRAM_LOST;
    case KV_STRANGE_REPLY:
    case KV_NO_MEMORY:
        return PROGRAM_LOCAL;
    default:
        return PROGRAM_REFUSED;
    }
}

size_t program_key_length(const kv_message_t *message)
{
    return bytes_unpadded(message->key, KV_KEY_SIZE);
}

void program_print_bytes(FILE *out, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] < ' ' || bytes[i] > '~' || bytes[i] == '\\') {
            (void)fprintf(out, "\\x%02x", bytes[i]);
        } else {
            (void)fputc(bytes[i], out);
        }
    }
}

/* "GET name" */
static void print_request(FILE *out, const kv_message_t *message)
{
    size_t key = program_key_length(message);
    (void)fprintf(out, "client: %s%s", kv_request_name(message->type),
        key > 0 ? " " : "");
    program_print_bytes(out, message->key, key);
}

static void trace(
    const struct program *program, const kv_message_t *message, int status)
{
    if (program->verbose >= 2) {
        print_request(stderr, message);
        (void)fprintf(stderr, "%s: %s\n",
            (message->type & KV_LINKED) != 0 ? " (linked)" : "",
            kv_error_name(status));
    }
}

int program_execute(
    struct program *program, kv_message_t *messages, size_t count)
{
    kv_error_t error = kv_client_execute(program->client, messages, count);
    for (size_t i = 0; i < count; i++) {
        bool answered =
            error == KV_SUCCESS || messages[i].status != KV_UNAVAILABLE;
        trace(program, &messages[i], answered ? messages[i].status : error);
    }
    if (error != KV_SUCCESS) {
        return program_fail(
            program_exit_of(error), "%s", kv_client_error(program->client));
    }
    return PROGRAM_YES;
}

int program_judge(const kv_message_t *reply)
{
    if (reply->status == KV_SUCCESS) {
        return PROGRAM_YES;
    }
    (void)fflush(stdout);
    print_request(stderr, reply);
    (void)fputs(": ", stderr);
    if (reply->value_len == 0) {
        (void)fputs(kv_error_text(reply->status), stderr);
    } else {
        program_print_bytes(stderr, reply->value, reply->value_len);
    }
    (void)fputc('\n', stderr);
    return program_exit_of(reply->status);
}

int program_stream(struct program *program, const kv_message_t *request,
    struct program_rows *rows)
{
    kv_error_t error = kv_client_stream(
        program->client, request, rows->row, rows->context, &rows->end);
    trace(program, request, error);
    if (error != KV_SUCCESS) {
        return program_fail(
            program_exit_of(error), "%s", kv_client_error(program->client));
    }
    return PROGRAM_YES;
}
