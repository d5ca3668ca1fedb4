/* export.c: `client export`.
 *
 * SCAN hands out the keys; each record is then read by a chain of GET and TTL,
 * which is one instant: SCAN's own value with a TTL asked for later could be
 * the value of one session and the expiry of the next.
 *
 * Lists and sets have no place in these files: they are left out, and counted,
 * and the status says that something is missing. */
#include "client_transfer/transfer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "clock.h"
#include "client_transfer/output.h"
#include "client_transfer/progress.h"

enum { MESSAGES_EACH = 2, BATCH_MAX = TRANSFER_MESSAGES_MAX / MESSAGES_EACH };

struct exporter {
    struct program *program;
    const char *path;
    enum format_kind kind;
    struct output output;
    struct progress progress;
    int signals; /* -1: they end the process */
    uint64_t exported;
    uint64_t left_out; /* lists and sets */
    size_t keys;       /* of one SCAN */
    uint8_t key[KV_SCAN_MAX][KV_KEY_SIZE];
    kv_message_t messages[TRANSFER_MESSAGES_MAX];
};

static int fail_output(struct exporter *exporter, int error)
{
    progress_clear(&exporter->progress);
    return program_fail(PROGRAM_LOCAL,
        "export: cannot write %s after %" PRIu64 " records: %s", exporter->path,
        exporter->exported, strerror(-error));
}

/* What the server or the connection says. */
static int fail_server(
    struct exporter *exporter, int error, const char *sentence)
{
    progress_clear(&exporter->progress);
    return program_fail(program_exit_of(error),
        "export: %s; %" PRIu64 " records were read", sentence,
        exporter->exported);
}

static int fail_interrupted(struct exporter *exporter)
{
    progress_clear(&exporter->progress);
    return program_fail(PROGRAM_LOCAL,
        "export: interrupted after %" PRIu64 " records", exporter->exported);
}

static bool add_key(void *context, const kv_message_t *record)
{
    struct exporter *exporter = context;
    assert(exporter->keys < KV_SCAN_MAX);
    memcpy(exporter->key[exporter->keys++], record->key, KV_KEY_SIZE);
    return true;
}

/* The reply that tells why a chain failed: the other one was aborted. */
static const kv_message_t *reply_of(const kv_message_t *chain)
{
    return chain[0].status == KV_ABORTED ? &chain[1] : &chain[0];
}

/* PROGRAM_YES also if the record is not there any more, or is no value. */
static int write_record(
    struct exporter *exporter, const kv_message_t *chain, int64_t now_ms)
{
    bool overflow;
    int64_t ttl_ms;
    const kv_message_t *record = &chain[0];
    const kv_message_t *ttl = &chain[1];
    if (reply_of(chain)->status != KV_SUCCESS) {
        exporter->left_out += reply_of(chain)->status == KV_WRONG_TYPE ? 1 : 0;
        return PROGRAM_YES;
    }
    if (!decimal_parse(ttl->value, ttl->value_len, &ttl_ms, &overflow) ||
        ttl_ms > ITEM_EXPIRE_MAX_MS - now_ms) {
        return fail_server(
            exporter, KV_STRANGE_REPLY, "the server's TTL is no time to live");
    }
    struct item item = {
        .value_len = record->value_len,
        .key_len = program_key_length(record),
        .expire_at_ms = ttl_ms < 0 ? 0 : now_ms + ttl_ms,
    };
    memcpy(item.key, record->key, sizeof item.key);
    memcpy(item.value, record->value, sizeof item.value);
    char text[FORMAT_WRITTEN_MAX];
    int error = output_write(
        &exporter->output, text, format_write(exporter->kind, &item, text));
    if (error != 0) {
        return fail_output(exporter, error);
    }
    exporter->exported++;
    return PROGRAM_YES;
}

static void fill_chains(struct exporter *exporter, size_t from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kv_message_t *chain = &exporter->messages[i * MESSAGES_EACH];
        chain[0] = (kv_message_t){.type = KV_GET | KV_LINKED};
        chain[1] = (kv_message_t){.type = KV_TTL};
        memcpy(chain[0].key, exporter->key[from + i], KV_KEY_SIZE);
        memcpy(chain[1].key, exporter->key[from + i], KV_KEY_SIZE);
    }
}

/* True if nothing is wrong: a record that is gone, or a list or set, is no
 * failure. */
static bool is_told(const kv_message_t *reply)
{
    return reply->status == KV_SUCCESS || reply->status == KV_NOT_FOUND ||
           reply->status == KV_WRONG_TYPE;
}

/* Why a chain failed, of the first that did; NULL: none. */
static const kv_message_t *find_failed(
    const struct exporter *exporter, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const kv_message_t *reply =
            reply_of(&exporter->messages[i * MESSAGES_EACH]);
        if (!is_told(reply)) {
            return reply;
        }
    }
    return NULL;
}

/* Asks for count records, all again while the server refuses some for the
 * moment: a chain may be in one group with writes that a full disk fails. */
static int ask_records(
    struct exporter *exporter, size_t from, size_t count, int64_t *now_ms)
{
    for (int waits = 0;; waits++) {
        fill_chains(exporter, from, count);
        /* What is read then expires a moment too early rather than late. */
        *now_ms = clock_wall_ms();
        kv_error_t error = kv_client_execute(exporter->program->client,
            exporter->messages, count * MESSAGES_EACH);
        const char *sentence = kv_client_error(exporter->program->client);
        char said[KV_VALUE_MAX + 1];
        if (error == KV_SUCCESS) {
            const kv_message_t *failed = find_failed(exporter, count);
            if (failed == NULL) {
                return PROGRAM_YES;
            }
            error = failed->status;
            (void)snprintf(said, sizeof said, "%.*s", (int)failed->value_len,
                (const char *)failed->value);
            sentence = failed->value_len > 0 ? said : kv_error_text(error);
        }
        if ((error != KV_BUSY && error != KV_READ_ONLY) ||
            waits == TRANSFER_WAITS_MAX) {
            return fail_server(exporter, error, sentence);
        }
        if (transfer_pause(exporter->signals, TRANSFER_WAIT_MS)) {
            return fail_interrupted(exporter);
        }
    }
}

static int export_keys(struct exporter *exporter)
{
    for (size_t from = 0; from < exporter->keys; from += BATCH_MAX) {
        int64_t now_ms;
        size_t count = u64_min(exporter->keys - from, BATCH_MAX);
        int status = ask_records(exporter, from, count, &now_ms);
        for (size_t i = 0; status == PROGRAM_YES && i < count; i++) {
            status = write_record(
                exporter, &exporter->messages[i * MESSAGES_EACH], now_ms);
        }
        if (status != PROGRAM_YES) {
            return status;
        }
        progress_show(
            &exporter->progress, exporter->exported, exporter->exported);
        if (transfer_pause(exporter->signals, 0)) {
            return fail_interrupted(exporter);
        }
    }
    return PROGRAM_YES;
}

static int export_all(struct exporter *exporter, kv_message_t *request)
{
    kv_message_t end;
    do {
        exporter->keys = 0;
        kv_error_t error = kv_client_stream(
            exporter->program->client, request, add_key, exporter, &end);
        if (error != KV_SUCCESS) {
            return fail_server(
                exporter, error, kv_client_error(exporter->program->client));
        }
        int status = export_keys(exporter);
        if (status != PROGRAM_YES) {
            return status;
        }
        request->value_len = end.value_len;
        memcpy(request->value, end.value, sizeof request->value);
    } while (request->value_len > 0);
    return PROGRAM_YES;
}

/* A prefix has no count of its own: the line then shows no share. */
static int begin_progress(struct exporter *exporter, bool all)
{
    uint64_t count = 0;
    kv_error_t error = kv_client_count(exporter->program->client, &count);
    if (error != KV_SUCCESS) {
        return fail_server(
            exporter, error, kv_client_error(exporter->program->client));
    }
    bool mixed = exporter->output.fd >= 0 && isatty(exporter->output.fd) == 1;
    progress_begin(&exporter->progress, "export", all ? count : 0, !mixed);
    return PROGRAM_YES;
}

static int tell(struct exporter *exporter)
{
    int64_t elapsed_ms = progress_elapsed_ms(&exporter->progress);
    bool standard = strcmp(exporter->path, "-") == 0;
    progress_clear(&exporter->progress);
    (void)fprintf(standard ? stderr : stdout,
        "exported %" PRIu64 " records in %.1f s (%" PRIu64 "/s)\n",
        exporter->exported, (double)elapsed_ms / 1000,
        progress_rate(exporter->exported, elapsed_ms));
    return exporter->left_out == 0
               ? PROGRAM_YES
               : program_fail(PROGRAM_NO,
                     "export: %" PRIu64
                     " keys hold lists or sets and are left out: "
                     "such a file has values alone; client backup and client "
                     "restore keep them",
                     exporter->left_out);
}

static int run(struct exporter *exporter, kv_message_t *request)
{
    const char *head = format_head(exporter->kind);
    int status =
        begin_progress(exporter, bytes_all_zero(request->key, KV_KEY_SIZE));
    if (status == PROGRAM_YES) {
        /* A head cannot fail: the buffer holds it. */
        int error = output_write(&exporter->output, head, strlen(head));
        assert(error == 0);
        status = export_all(exporter, request);
    }
    if (status != PROGRAM_YES) {
        output_abandon(&exporter->output);
        return status;
    }
    int error = output_finish(&exporter->output);
    if (error != 0) {
        return fail_output(exporter, error);
    }
    return tell(exporter);
}

int transfer_export(struct program *program, const char *path,
    const struct transfer_settings *settings, enum format_kind kind)
{
    kv_message_t request = {.type = KV_SCAN};
    const char *prefix = settings->prefix == NULL ? "" : settings->prefix;
    size_t length = strlen(prefix);
    if (length > KV_KEY_SIZE) {
        return program_fail(PROGRAM_USAGE,
            "export: the prefix has %zu bytes; at most %d are allowed", length,
            KV_KEY_SIZE);
    }
    memcpy(request.key, prefix, length);
    struct exporter *exporter = calloc(1, sizeof *exporter);
    if (exporter == NULL) {
        return program_fail(PROGRAM_LOCAL, "no memory");
    }
    exporter->program = program;
    exporter->path = path;
    exporter->kind = kind;
    exporter->signals = -1;
    int status = PROGRAM_YES;
    int error = output_begin(&exporter->output, path);
    if (error == 0 && exporter->output.fd < 0) {
        exporter->signals = transfer_signals();
        error = exporter->signals < 0 ? exporter->signals : 0;
    }
    if (error != 0) {
        output_abandon(&exporter->output);
        status = program_fail(PROGRAM_LOCAL, "export: cannot write %s: %s",
            path, strerror(-error));
    } else {
        status = run(exporter, &request);
    }
    if (exporter->signals >= 0) {
        (void)close(exporter->signals);
    }
    free(exporter);
    return status;
}
