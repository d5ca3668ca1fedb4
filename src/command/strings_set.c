/* strings_set.c: SET, and what shares its options. */
#include "command/expiry.h"
#include "command/strings.h"

#include <assert.h>

/* ---- Options ------------------------------------------------------------- */

enum {
    NX = 1,
    XX = 2,
    IFEQ = 4,
    GET = 8,
    KEEPTTL = 16,
    PERSIST = 32,
    EX = 64,
    PX = 128,
    EXAT = 256,
    PXAT = 512,
    TIMES = EX | PX | EXAT | PXAT,
    OF_GETEX = PERSIST | TIMES,
    OF_SET = NX | XX | IFEQ | GET | KEEPTTL | TIMES
};

/* Each time may be given twice, and the last one counts, as in Redis. */
static const struct row {
    char word[8];
    uint16_t option;
    uint16_t against; /* options that it cannot stand with */
    bool argument;
    uint8_t form; /* enum expiry_form, of a time */
} rows[] = {
    {"nx", NX, XX | IFEQ, false, 0},
    {"xx", XX, NX | IFEQ, false, 0},
    {"ifeq", IFEQ, NX | XX | IFEQ, true, 0},
    {"get", GET, 0, false, 0},
    {"keepttl", KEEPTTL, TIMES, false, 0},
    {"persist", PERSIST, TIMES, false, 0},
    {"ex", EX, KEEPTTL | PERSIST | (TIMES & ~EX), true,
        EXPIRY_SECONDS | EXPIRY_FROM_NOW},
    {"px", PX, KEEPTTL | PERSIST | (TIMES & ~PX), true, EXPIRY_FROM_NOW},
    {"exat", EXAT, KEEPTTL | PERSIST | (TIMES & ~EXAT), true, EXPIRY_SECONDS},
    {"pxat", PXAT, KEEPTTL | PERSIST | (TIMES & ~PXAT), true, 0},
};

struct options {
    unsigned given;
    uint32_t time_at; /* numbers of arguments, 0: not given */
    uint32_t equal_at;
    unsigned form; /* of the time */
};

static const struct row *find_row(
    const struct call *call, uint32_t i, unsigned allowed)
{
    for (size_t n = 0; n < ARRAY_SIZE(rows); n++) {
        if ((rows[n].option & allowed) != 0 && call_is(call, i, rows[n].word)) {
            return &rows[n];
        }
    }
    return NULL;
}

/* Reads the options from argument number i on; none are given so far. */
static bool read_options(
    struct call *call, uint32_t i, unsigned allowed, struct options *options)
{
    for (; i < call->count; i++) {
        const struct row *row = find_row(call, i, allowed);
        if (row == NULL || (options->given & row->against) != 0 ||
            (row->argument && i + 1 == call->count)) {
            call_syntax(call);
            return false;
        }
        options->given |= row->option;
        i += row->argument ? 1 : 0;
        if ((row->option & TIMES) != 0) {
            options->time_at = i;
            options->form = row->form | EXPIRY_POSITIVE;
        } else if (row->option == IFEQ) {
            options->equal_at = i;
        }
    }
    return true;
}

/* ---- SET ----------------------------------------------------------------- */

/* True if the value is to be set, record being what there is. */
static bool is_wanted(const struct call *call, const struct options *options,
    const struct record *record)
{
    if ((options->given & NX) != 0) {
        return record == NULL;
    }
    if ((options->given & XX) != 0) {
        return record != NULL;
    }
    const struct resp_arg *equal = &call->args[options->equal_at];
    return (options->given & IFEQ) == 0 ||
           (record != NULL && record_holds(record, equal->bytes, equal->size));
}

/* SET with conditions, or what depends on the value that there is.  With GET
 * the old value is the reply, whether a new one is set or not. */
static void set(
    struct call *call, const struct options *options, struct string *string)
{
    const struct record *record = call_find(call, &call->key);
    bool get = (options->given & GET) != 0;
    struct record old;
    if (record != NULL && record->kind != KIND_STRING &&
        (get || (options->given & IFEQ) != 0)) {
        call_wrong_type(call);
        return;
    }
    if (!is_wanted(call, options, record)) {
        strings_reply(call, get ? record : NULL);
        return;
    }
    if (record != NULL && get) {
        old = *record;
    }
    if (record != NULL && (options->given & KEEPTTL) != 0) {
        string->expire_ms = record->expire_ms;
    }
    if (!strings_put(call, string)) {
        return;
    }
    if (get) {
        strings_reply(call, record != NULL ? &old : NULL);
    } else {
        resp_ok(&call->reply);
    }
}

void strings_set(struct call *call)
{
    struct options options = {0};
    struct string string = {
        .bytes = call->args[2].bytes, .size = call->args[2].size};
    if ((call->count > 3 && !read_options(call, 3, OF_SET, &options)) ||
        (options.time_at != 0 && !expiry_read(call, options.time_at,
                                     options.form, &string.expire_ms))) {
        return;
    }
    if ((options.given & ~TIMES) != 0) {
        set(call, &options, &string);
    } else if (strings_put(call, &string)) {
        resp_ok(&call->reply);
    }
}

static void set_with_time(struct call *call, unsigned form)
{
    struct string string = {
        .bytes = call->args[3].bytes, .size = call->args[3].size};
    if (expiry_read(call, 2, form, &string.expire_ms) &&
        call_put(call, &call->key, &string)) {
        resp_ok(&call->reply);
    }
}

void strings_setex(struct call *call)
{
    set_with_time(call, EXPIRY_SECONDS | EXPIRY_FROM_NOW | EXPIRY_POSITIVE);
}

void strings_psetex(struct call *call)
{
    set_with_time(call, EXPIRY_FROM_NOW | EXPIRY_POSITIVE);
}

/* ---- GETEX --------------------------------------------------------------- */

void strings_getex(struct call *call)
{
    struct options options = {0};
    const struct record *record;
    int64_t expire_ms = 0;
    if (!read_options(call, 2, OF_GETEX, &options) ||
        !strings_find(call, &record)) {
        return;
    }
    if (record == NULL) {
        resp_null(&call->reply);
        return;
    }
    if (options.time_at != 0 &&
        !expiry_read(call, options.time_at, options.form, &expire_ms)) {
        return;
    }
    strings_reply(call, record);
    /* What changes it fails only where all is undone, the reply too. */
    if (options.time_at != 0 && expire_ms <= call->view->now_ms) {
        (void)call_remove(call, &call->key);
    } else if (options.time_at != 0 ||
               ((options.given & PERSIST) != 0 && record->expire_ms != 0)) {
        (void)expiry_set(call, &call->key, expire_ms);
    }
}
