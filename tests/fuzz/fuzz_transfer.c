/* The files of client import: whatever they hold, what is read of them keeps to
 * the limits of a record, what is refused is refused with a sentence, and how
 * much of the file is there at a time makes no difference.  An item that is
 * read is read as the same when it is written down again, in both formats.
 *
 * The first byte says which format, and how many bytes come at a time. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "client_transfer/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum {
    INPUT_MAX = 1 << 15, /* enough for a record that is too long */
    HEAD_MAX = 64
};

static void check_same(const struct item *a, const struct item *b)
{
    assert(a->key_len == b->key_len && a->value_len == b->value_len);
    assert(memcmp(a->key, b->key, sizeof a->key) == 0);
    assert(memcmp(a->value, b->value, sizeof a->value) == 0);
    assert(a->expire_at_ms == b->expire_at_ms);
}

static void check_again(const struct item *item)
{
    struct format_reader *reader = malloc(sizeof *reader);
    assert(reader != NULL);
    for (enum format_kind kind = 0; kind < FORMAT_KINDS; kind++) {
        char text[FORMAT_WRITTEN_MAX + HEAD_MAX];
        struct item again;
        size_t head = strlen(format_head(kind));
        memcpy(text, format_head(kind), head);
        struct format_bytes left = {.at = (const uint8_t *)text,
            .size = head + format_write(kind, item, text + head),
            .last = true};
        enum format_result result;
        format_begin(reader, kind);
        do {
            result = format_read(reader, &left, &again);
            assert(result == FORMAT_NOTHING || result == FORMAT_ITEM);
            left.at += reader->used;
            left.size -= reader->used;
        } while (result == FORMAT_NOTHING);
        assert(left.size == 0);
        check_same(item, &again);
    }
    free(reader);
}

static void check_item(const struct item *item)
{
    assert(item->key_len >= 1 && item->key_len <= KV_KEY_SIZE);
    assert(item->value_len <= KV_VALUE_MAX);
    assert(item->expire_at_ms >= 0 && item->expire_at_ms <= ITEM_EXPIRE_MAX_MS);
    assert(!bytes_all_zero(item->key, KV_KEY_SIZE));
    check_again(item);
}

/* What is read of a file, in order. */
struct event {
    enum format_result result;
    struct item item;
    uint64_t line;
};

struct trace {
    size_t count;
    struct event events[];
};

/* The results, part bytes more at a time, until the end or for good. */
static struct trace *receive(
    enum format_kind kind, const uint8_t *bytes, size_t size, size_t part)
{
    struct format_reader *reader = malloc(sizeof *reader);
    struct trace *trace =
        malloc(sizeof *trace + (size + 1) * sizeof trace->events[0]);
    size_t used = 0;
    size_t shown = 0;
    assert(reader != NULL && trace != NULL);
    trace->count = 0;
    format_begin(reader, kind);
    for (;;) {
        struct item item;
        struct format_bytes left = {
            .at = bytes + used, .size = shown - used, .last = shown == size};
        enum format_result result = format_read(reader, &left, &item);
        if (result == FORMAT_MORE) {
            assert(left.size < FORMAT_RECORD_MAX && reader->used == 0);
            if (left.last) {
                assert(left.size == 0);
                break;
            }
            shown = u64_min(shown + part, size);
            continue;
        }
        assert((reader->fault.why[0] != '\0') == (result == FORMAT_BAD));
        assert(result == FORMAT_BAD || reader->used > 0);
        assert(trace->count <= size);
        trace->events[trace->count++] = (struct event){
            .result = result, .item = item, .line = reader->line};
        used += reader->used;
        if (reader->used == 0) {
            break;
        }
    }
    free(reader);
    return trace;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1 || size > INPUT_MAX) {
        return 0;
    }
    enum format_kind kind = bytes[0] % FORMAT_KINDS;
    struct trace *whole = receive(kind, bytes + 1, size - 1, size);
    struct trace *parts = receive(kind, bytes + 1, size - 1, 1 + bytes[0] * 8);
    assert(whole->count == parts->count);
    for (size_t i = 0; i < whole->count; i++) {
        assert(whole->events[i].result == parts->events[i].result);
        assert(whole->events[i].line == parts->events[i].line);
        if (whole->events[i].result == FORMAT_ITEM) {
            check_same(&whole->events[i].item, &parts->events[i].item);
            check_item(&whole->events[i].item);
        }
    }
    free(whole);
    free(parts);
    return 0;
}
