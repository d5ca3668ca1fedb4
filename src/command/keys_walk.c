/* keys_walk.c: keys that nobody has named: KEYS, SCAN, RANDOMKEY.
 *
 * They go through the records bucket by bucket, in the order of hashes read
 * backwards: see table_scan.  A cursor of SCAN is a place in that order with
 * its bits turned around, so it is below the number of buckets, and clients
 * that keep it as a floating-point number keep it exactly. */
#include "command/keys.h"

#include "glob_match.h"
#include "random.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

static bool is_live_key(const struct record *record, int64_t now_ms)
{
    return !kind_inner(record->kind) && !record_expired(record, now_ms);
}

/* ---- KEYS and SCAN ------------------------------------------------------- */

/* What is looked for, and what has been found. */
struct search {
    int64_t now_ms;
    const struct resp_arg *pattern; /* NULL: any */
    const struct resp_arg *type;    /* NULL: any */
    uint64_t from; /* a place; those before it have been seen already */
    uint64_t seen; /* keys looked at */
    uint64_t count;
    struct resp_reply found; /* count keys, into a buffer of its own */
};

static bool is_wanted(const struct search *search, const struct record *record)
{
    const struct resp_arg *pattern = search->pattern;
    const struct resp_arg *type = search->type;
    const char *name = kind_name(record->kind);
    if (type != NULL &&
        (type->size != strlen(name) ||
            strncasecmp((const char *)type->bytes, name, type->size) != 0)) {
        return false;
    }
    return pattern == NULL ||
           glob_match(pattern->bytes, pattern->size, record->key,
               bytes_unpadded(record->key, KV_KEY_SIZE));
}

static void search_see(void *context, const struct record *record)
{
    struct search *search = context;
    if (!is_live_key(record, search->now_ms) ||
        u64_reverse(record->hash) < search->from) {
        return;
    }
    search->seen++;
    if (is_wanted(search, record)) {
        search->count++;
        resp_bulk(&search->found, record->key,
            bytes_unpadded(record->key, KV_KEY_SIZE));
    }
}

/* The keys are announced by their number, so they wait in a buffer, which may
 * take no more than the replies. */
static void search_begin(
    struct call *call, struct search *search, struct buffer *buffer)
{
    *buffer = (struct buffer){.max = call->reply.buffer->max};
    search->now_ms = call->view->now_ms;
    search->found =
        (struct resp_reply){.buffer = buffer, .version = call->version};
}

static void search_end(struct call *call, struct search *search)
{
    struct buffer *buffer = search->found.buffer;
    resp_array(&call->reply, search->count);
    if (search->found.failed ||
        (buffer->size > 0 &&
            !buffer_append(call->reply.buffer, buffer->bytes, buffer->size))) {
        call->reply.failed = true;
    }
    buffer_free(buffer);
}

void keys_keys(struct call *call)
{
    struct buffer buffer;
    struct search search = {.pattern = &call->args[1]};
    uint64_t position = 0;
    search_begin(call, &search, &buffer);
    do {
        view_visit(call->view, &position, search_see, &search);
    } while (position != 0 && !search.found.failed);
    search_end(call, &search);
}

/* As strtoul reads it: with a sign, but without a blank before it. */
static bool read_cursor(struct call *call, uint64_t *cursor)
{
    char text[KV_VALUE_MAX + 1];
    char *end;
    const struct resp_arg *arg = &call->args[1];
    memcpy(text, arg->bytes, arg->size);
    text[arg->size] = '\0';
    errno = 0;
    *cursor = strtoull(text, &end, 10);
    if (isspace((unsigned char)text[0]) || *end != '\0' || errno == ERANGE) {
        resp_error(&call->reply, "ERR invalid cursor");
        return false;
    }
    return true;
}

static bool read_count(struct call *call, uint32_t i, int64_t *count)
{
    if (!call_integer(call, i, count)) {
        return false;
    }
    if (*count < 1) {
        call_syntax(call);
        return false;
    }
    return true;
}

static bool read_options(
    struct call *call, struct search *search, int64_t *count)
{
    enum { COUNT_UNTOLD = 10 };
    *count = COUNT_UNTOLD;
    for (uint32_t i = 2; i < call->count; i += 2) {
        bool pair = i + 1 < call->count;
        if (pair && call_is(call, i, "count")) {
            if (!read_count(call, i + 1, count)) {
                return false;
            }
        } else if (pair && call_is(call, i, "match")) {
            search->pattern = &call->args[i + 1];
        } else if (pair && call_is(call, i, "type")) {
            search->type = &call->args[i + 1];
        } else {
            call_syntax(call);
            return false;
        }
    }
    return true;
}

/* How many buckets a call looks at: as in Redis more where more keys are asked
 * for, since many of them may be empty. */
static uint32_t buckets_for(int64_t count)
{
    enum { BUCKETS_A_KEY = 10, BUCKETS_MAX = 64 * 1024 };
    uint64_t buckets = u64_min((uint64_t)count, BUCKETS_MAX) * BUCKETS_A_KEY;
    return (uint32_t)u64_max(u64_min(buckets, BUCKETS_MAX), TABLE_SCAN_BUCKETS);
}

/* Whole buckets, until there are count keys, whether they match or not. */
void keys_scan(struct call *call)
{
    uint64_t cursor;
    int64_t count;
    struct buffer buffer;
    struct search search = {0};
    if (!read_cursor(call, &cursor) || !read_options(call, &search, &count)) {
        return;
    }
    search_begin(call, &search, &buffer);
    uint64_t position = u64_reverse(cursor);
    search.from = position;
    uint32_t left = buckets_for(count);
    do {
        view_visit(call->view, &position, search_see, &search);
        left--;
    } while (position != 0 && left > 0 && search.seen < (uint64_t)count);
    uint8_t text[DECIMAL_MAX];
    resp_array(&call->reply, 2);
    resp_bulk(&call->reply, text,
        decimal_format((int64_t)u64_reverse(position), text));
    search_end(call, &search);
}

/* ---- RANDOMKEY ----------------------------------------------------------- */

enum {
    DRAWS_MAX = 4096,
    DRAWN_OF = 32 /* more keys than that a bucket has only if somebody has
                     chosen them so */
};

/* One of the live keys of a bucket, each as likely as any other. */
struct draw {
    int64_t now_ms;
    uint64_t count;
    uint8_t key[KV_KEY_SIZE];
};

static void draw_see(void *context, const struct record *record)
{
    struct draw *draw = context;
    if (!is_live_key(record, draw->now_ms)) {
        return;
    }
    draw->count++;
    if (random_below(draw->count) == 0) {
        memcpy(draw->key, record->key, KV_KEY_SIZE);
    }
}

static void draw_from(struct view *view, uint64_t *position, struct draw *draw)
{
    draw->count = 0;
    view_visit(view, position, draw_see, draw);
}

/* Draws buckets, each as likely as any other, and takes what one has with a
 * chance that grows with how much that is: so no key is likelier than another.
 * Where that finds nothing keys are rare, and the next one to a random place is
 * good enough. */
static bool draw_key(struct view *view, struct draw *draw)
{
    uint64_t buckets = table_buckets(view->table);
    uint64_t position;
    for (uint32_t i = 0; i < DRAWS_MAX; i++) {
        position = u64_reverse(random_below(buckets));
        draw_from(view, &position, draw);
        if (random_below(DRAWN_OF) < draw->count) {
            return true;
        }
    }
    position = u64_reverse(random_below(buckets));
    for (uint64_t i = 0; i <= buckets; i++) {
        draw_from(view, &position, draw);
        if (draw->count > 0) {
            return true;
        }
    }
    return false;
}

void keys_randomkey(struct call *call)
{
    struct view *view = call->view;
    struct draw draw = {.now_ms = view->now_ms};
    bool any = view_records(view) > view_inner(view);
    if (any && draw_key(view, &draw)) {
        resp_bulk(
            &call->reply, draw.key, bytes_unpadded(draw.key, KV_KEY_SIZE));
    } else {
        resp_null(&call->reply);
    }
}
