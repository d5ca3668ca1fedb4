#include "resp_feed.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "resp/resp.h"

struct feeding {
    struct resp_scan scan;
    struct resp_request request;
    uint8_t *held; /* of exactly its size, so that a read behind it is seen */
    size_t size;
    struct buffer found;
};

static void note(struct buffer *found, const char *text)
{
    assert(buffer_append(found, text, strlen(text)));
}

static void note_argument(struct buffer *found, const struct resp_arg *arg)
{
    char text[32];
    note(found, "[");
    if (arg->size > RESP_FEED_LONG) {
        snprintf(text, sizeof text, "%u:%08x", (unsigned)arg->size,
            (unsigned)crc32c(0, arg->bytes, arg->size));
        note(found, text);
    }
    for (size_t i = 0; i < arg->size && arg->size <= RESP_FEED_LONG; i++) {
        bool printable = arg->bytes[i] >= ' ' && arg->bytes[i] <= '~';
        snprintf(text, sizeof text, printable ? "%c" : "\\x%02X",
            (unsigned)arg->bytes[i]);
        note(found, text);
    }
    note(found, "]");
}

static void note_request(struct feeding *feeding)
{
    const struct resp_request *request = &feeding->request;
    const uint8_t *end = feeding->held + request->used;
    assert(request->count <= RESP_ARGS_MAX && request->used > 0);
    for (uint32_t i = 0; i < request->count; i++) {
        const struct resp_arg *arg = &request->args[i];
        assert(arg->bytes >= feeding->held && arg->bytes + arg->size < end);
        note_argument(&feeding->found, arg);
    }
    if (request->count == 0) {
        note(&feeding->found, "[]");
    }
}

static void note_error(struct feeding *feeding, const char *frame)
{
    char text[RESP_ERROR_MAX + 2];
    const char *error = feeding->request.error;
    assert(strncmp(error, "ERR ", 4) == 0);
    assert(strlen(error) < RESP_ERROR_MAX);
    snprintf(text, sizeof text, "%c%s%c", frame[0], error, frame[1]);
    note(&feeding->found, text);
}

static void keep_rest(struct feeding *feeding)
{
    size_t used = feeding->request.used;
    assert(used <= feeding->size);
    feeding->size -= used;
    memmove(feeding->held, feeding->held + used, feeding->size);
}

static bool at_beginning(const struct resp_scan *scan)
{
    return scan->dropped == 0 && scan->at == 0 && scan->seen == 0 &&
           scan->count == 0 && scan->left == 0 && scan->large == 0 &&
           scan->state == 0 && !scan->dropping;
}

/* Hands what is held to the parser, until it wants more.  False if the
 * connection has ended. */
static bool take_all(struct feeding *feeding)
{
    enum resp_result result;
    do {
        result = resp_parse(
            &feeding->scan, feeding->held, feeding->size, &feeding->request);
        if (result == RESP_REQUEST) {
            note_request(feeding);
        } else if (result == RESP_TOO_LONG) {
            note_error(feeding, "()");
        } else if (result == RESP_BROKEN) {
            note_error(feeding, "{}");
        }
        assert(result == RESP_MORE || at_beginning(&feeding->scan));
        assert(result != RESP_MORE || feeding->request.used == 0 ||
               feeding->scan.dropping);
        keep_rest(feeding);
    } while (result == RESP_REQUEST || result == RESP_TOO_LONG);
    assert(feeding->size < RESP_REQUEST_MAX || result == RESP_BROKEN);
    return result == RESP_MORE;
}

static bool receive(struct feeding *feeding, const uint8_t *bytes, size_t size)
{
    uint8_t *held = malloc(feeding->size + size);
    assert(held != NULL);
    if (feeding->size > 0) {
        memcpy(held, feeding->held, feeding->size);
    }
    memcpy(held + feeding->size, bytes, size);
    free(feeding->held);
    feeding->held = held;
    feeding->size += size;
    return take_all(feeding);
}

static size_t choose_part(const struct resp_feed *feed, uint64_t *state)
{
    if (feed->part_max == 0) {
        return feed->size;
    }
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return 1 + (size_t)(*state >> 33) % feed->part_max;
}

char *resp_feed(const struct resp_feed *feed)
{
    struct feeding feeding = {.found.max = RESP_FEED_MAX};
    uint64_t state = feed->seed;
    const uint8_t *next = feed->bytes;
    const uint8_t *end = next + feed->size;
    bool open = true;
    feeding.request.args =
        malloc(RESP_ARGS_MAX * sizeof feeding.request.args[0]);
    assert(feeding.request.args != NULL);
    while (open && next < end) {
        size_t part =
            u64_min(choose_part(feed, &state), (uint64_t)(end - next));
        open = receive(&feeding, next, part);
        next += part;
    }
    if (open && (feeding.size > 0 || feeding.scan.dropping)) {
        note(&feeding.found, "~");
    }
    assert(buffer_append(&feeding.found, "", 1));
    free(feeding.request.args);
    free(feeding.held);
    return (char *)feeding.found.bytes;
}
