#include "called.h"

#include <stdio.h>

#include "conn/decode.h"
#include "stored.h"

struct storage_options called_options(
    const char *directory, uint64_t capacity, struct diag *diag)
{
    return (struct storage_options){
        .directory = directory,
        .capacity = capacity,
        .sync = KV_SYNC_NONE,
        .backup_keep = 2,
        .segment_bytes = 4 << 20,
        .load_threads = 1,
        .stall_ms = TEST_STALL_MS,
        .diag = diag,
    };
}

struct storage *called_storage(const struct storage_options *options)
{
    struct storage *storage = NULL;
    char why[STORAGE_WHY_MAX];
    if (!CHECK_OK(storage_open(&storage, options, why))) {
        printf("    %s\n", why);
    }
    REQUIRE(storage != NULL);
    return storage;
}

void called_open(
    struct called *called, const char *directory, uint64_t capacity)
{
    *called = (struct called){.version = 2};
    called->options = called_options(directory, capacity, &called->diag);
    called->batch = calloc(1, sizeof *called->batch);
    called->args = calloc(CALLED_ARGS_MAX, sizeof *called->args);
    REQUIRE(called->batch != NULL && called->args != NULL);
    called->batch->replies.max = BATCH_REPLIES_MAX;
    called->batch->commit_replies.max = BATCH_REPLIES_MAX;
    called->storage = called_storage(&called->options);
}

void called_reopen(struct called *called)
{
    CHECK_OK(storage_close(called->storage, false));
    called->storage = called_storage(&called->options);
}

void called_reopen_from_backup(struct called *called)
{
    CHECK_OK(storage_close(called->storage, true));
    called->storage = called_storage(&called->options);
}

void called_close(struct called *called)
{
    CHECK_OK(storage_close(called->storage, false));
    buffer_free(&called->batch->replies);
    buffer_free(&called->batch->commit_replies);
    free(called->batch);
    free(called->args);
    free(called->text);
}

const char *called_text(char **text, const uint8_t *bytes, size_t size)
{
    size_t length = 0;
    free(*text);
    char *made = *text = malloc(size + 1);
    REQUIRE(made != NULL);
    for (size_t i = 0; i < size; i++) {
        bool end = i + 1 < size && bytes[i] == '\r' && bytes[i + 1] == '\n';
        made[length++] = (char)(end ? ' ' : bytes[i]);
        i += end ? 1 : 0;
    }
    length -= length > 0 && made[length - 1] == ' ' ? 1 : 0;
    made[length] = '\0';
    return made;
}

const char *called_run_args(
    struct called *called, const struct resp_arg *args, uint32_t count)
{
    struct batch *batch = called->batch;
    char why[COMMAND_WHY_MAX];
    struct call call = {
        .args = called->args, .count = count, .version = called->version};
    REQUIRE(count >= 1 && count <= CALLED_ARGS_MAX);
    if (args != called->args) {
        memcpy(called->args, args, count * sizeof *args);
    }
    if (!command_prepare(&call, why)) {
        char line[COMMAND_WHY_MAX + 3];
        int length = snprintf(line, sizeof line, "-%s\r\n", why);
        return called_text(
            &called->text, (const uint8_t *)line, (size_t)length);
    }
    batch->count = 1;
    batch->replies.size = 0;
    batch->commit_replies.size = 0;
    batch->ops[0] = (struct op){
        .call = &call, .verb = VERB_CALL, .state = (uint8_t)resp_state(&call)};
    storage_read(called->storage, batch);
    stored_commit(called->storage, batch);
    const struct op *op = &batch->ops[0];
    return called_text(&called->text, batch_reply(batch, op), op->reply_size);
}

const char *called_run(struct called *called, const char *line)
{
    size_t size = strlen(line);
    uint8_t *bytes = malloc(size + 1);
    REQUIRE(bytes != NULL);
    memcpy(bytes, line, size + 1);
    bytes[size] = '\n';
    struct resp_scan scan = {0};
    struct resp_request request = {.args = called->args};
    enum resp_result result = resp_parse(&scan, bytes, size + 1, &request);
    REQUIRE(result == RESP_REQUEST);
    const char *reply = called_run_args(called, called->args, request.count);
    free(bytes);
    return reply;
}

int64_t called_native(
    struct called *called, uint8_t verb, const char *key, int64_t number)
{
    kv_message_t message = {.type = verb};
    struct batch *batch = called->batch;
    memcpy(message.key, key, strlen(key));
    batch->count = 1;
    batch->ops[0] = (struct op){.message = &message,
        .number = number,
        .verb = verb,
        .state = OP_COMMIT};
    storage_read(called->storage, batch);
    stored_commit(called->storage, batch);
    CHECK_INT(message.status, KV_SUCCESS);
    int64_t answer = 0;
    bool overflow;
    (void)decimal_parse(message.value, message.value_len, &answer, &overflow);
    return answer;
}
