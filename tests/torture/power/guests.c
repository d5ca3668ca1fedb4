#include "torture/power/guests.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "command/command.h"
#include "torture/collections/guests.h"

enum { WORDS_MAX = 4, WORD_MAX = 16, REPLY_MAX = 1 << 20 };

/* The reply to a command that changes nothing; false if there is none. */
static bool ask(struct storage *storage, char words[WORDS_MAX][WORD_MAX],
    struct buffer *reply)
{
    char why[COMMAND_WHY_MAX];
    struct resp_arg args[WORDS_MAX];
    struct call call = {.args = args, .version = 2};
    while (call.count < WORDS_MAX && words[call.count][0] != '\0') {
        char *word = words[call.count];
        args[call.count++] =
            (struct resp_arg){(uint8_t *)word, (uint32_t)strlen(word)};
    }
    reply->size = 0;
    if (!command_prepare(&call, why)) {
        return false;
    }
    storage_call(storage, &call, reply);
    return buffer_append(reply, "", 1);
}

/* The last numbers up to that one, as LRANGE shows them. */
static bool shows_numbers(const char *reply, uint64_t number)
{
    uint64_t count = number < ADDED_KEPT ? number : ADDED_KEPT;
    char text[64];
    int length = snprintf(text, sizeof text, "*%" PRIu64 "\r\n", count);
    bool right = strncmp(reply, text, (size_t)length) == 0;
    for (uint64_t i = number - count + 1; right && i <= number; i++) {
        char digits[24];
        reply += length;
        int size = snprintf(digits, sizeof digits, "%" PRIu64, i);
        length = snprintf(text, sizeof text, "$%d\r\n%s\r\n", size, digits);
        right = strncmp(reply, text, (size_t)length) == 0;
    }
    return right && reply[length] == '\0';
}

static bool numbers_agree(struct storage *storage)
{
    char get[WORDS_MAX][WORD_MAX] = {"GET", "added"};
    char range[WORDS_MAX][WORD_MAX] = {"LRANGE", "added:log", "0", "-1"};
    struct buffer reply = {.max = REPLY_MAX};
    uint64_t number = 0;
    bool right = ask(storage, get, &reply);
    const char *end = right ? strchr((const char *)reply.bytes, '\n') : NULL;
    if (end != NULL) {
        number = strtoull(end + 1, NULL, 10);
    }
    right = right && ask(storage, range, &reply) &&
            shows_numbers((const char *)reply.bytes, number);
    buffer_free(&reply);
    return right;
}

bool power_guests_right(const char *path, char *why, size_t size)
{
    struct diag diag = {0};
    struct storage *storage;
    struct audit audit;
    char reason[STORAGE_WHY_MAX];
    const struct storage_options options = {
        .directory = path, .load_threads = 1, .diag = &diag};
    const struct storage_moment newest = STORAGE_NEWEST;
    int error = storage_open_at(&storage, &options, &newest, reason);
    if (error != 0) {
        (void)snprintf(why, size, "%s", reason);
        return error == -ENOENT; /* there is no store yet */
    }
    bool right = audit_storage(storage, &audit);
    if (!right) {
        (void)snprintf(why, size, "%s", audit.why);
    } else if (!numbers_agree(storage)) {
        right = false;
        (void)snprintf(why, size, "the numbers that were added disagree");
    }
    (void)storage_close(storage, false);
    return right;
}
