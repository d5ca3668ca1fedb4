#include "command/expiry.h"

#include "command/command.h"

#include <assert.h>

enum { SECOND_MS = 1000 };

/* ---- Times --------------------------------------------------------------- */

static bool in_milliseconds(
    const struct call *call, unsigned form, int64_t *number)
{
    int64_t unit = (form & EXPIRY_SECONDS) != 0 ? SECOND_MS : 1;
    int64_t from = (form & EXPIRY_FROM_NOW) != 0 ? call->view->now_ms : 0;
    return ((form & EXPIRY_POSITIVE) == 0 || *number > 0) &&
           !__builtin_mul_overflow(*number, unit, number) &&
           !__builtin_add_overflow(*number, from, number);
}

bool expiry_read(
    struct call *call, uint32_t i, unsigned form, int64_t *expire_ms)
{
    if (!call_integer(call, i, expire_ms)) {
        return false;
    }
    if (!in_milliseconds(call, form, expire_ms)) {
        resp_error(&call->reply, "ERR invalid expire time in '%s' command",
            call->command->name);
        return false;
    }
    return true;
}

bool expiry_set(struct call *call, const struct key *key, int64_t expire_ms)
{
    struct view *view = call->view;
    struct name name = key_name(key);
    if (!call_fits(call, 0, 1)) {
        return false;
    }
    struct record *record = view_edit(view, name, view_find_any(view, name));
    assert(record != NULL && expire_ms >= 0);
    record->expire_ms = expire_ms;
    view_log_record(view, record);
    return true;
}

/* ---- EXPIRE -------------------------------------------------------------- */

enum { ONLY_NEW = 1, ONLY_OLD = 2, ONLY_LATER = 4, ONLY_SOONER = 8 };

static const struct {
    char word[4];
    unsigned option;
} options[] = {
    {"nx", ONLY_NEW},
    {"xx", ONLY_OLD},
    {"gt", ONLY_LATER},
    {"lt", ONLY_SOONER},
};

static unsigned option_of(const struct call *call, uint32_t i)
{
    for (size_t n = 0; n < ARRAY_SIZE(options); n++) {
        if (call_is(call, i, options[n].word)) {
            return options[n].option;
        }
    }
    return 0;
}

static bool read_options(struct call *call, unsigned *found)
{
    *found = 0;
    for (uint32_t i = 3; i < call->count; i++) {
        unsigned option = option_of(call, i);
        if (option == 0) {
            resp_error(&call->reply, "ERR Unsupported option %.*s",
                (int)call->args[i].size, (const char *)call->args[i].bytes);
            return false;
        }
        *found |= option;
    }
    if ((*found & ONLY_NEW) != 0 && *found != ONLY_NEW) {
        resp_error(&call->reply, "ERR NX and XX, GT or LT options at the same "
                                 "time are not compatible");
        return false;
    }
    if ((*found & ONLY_LATER) != 0 && (*found & ONLY_SOONER) != 0) {
        resp_error(&call->reply, "ERR GT and LT options at the same time are "
                                 "not compatible");
        return false;
    }
    return true;
}

/* Who never ends ends later than everybody who does. */
static bool is_wanted(
    unsigned option, const struct record *record, int64_t expire_ms)
{
    int64_t old_ms = record->expire_ms;
    bool ends = old_ms != 0;
    return !((option & ONLY_NEW) != 0 && ends) &&
           !((option & ONLY_OLD) != 0 && !ends) &&
           !((option & ONLY_LATER) != 0 && (!ends || expire_ms <= old_ms)) &&
           !((option & ONLY_SOONER) != 0 && ends && expire_ms >= old_ms);
}

static void expire(struct call *call, unsigned form)
{
    unsigned option;
    int64_t expire_ms;
    if (!read_options(call, &option) ||
        !expiry_read(call, 2, form, &expire_ms)) {
        return;
    }
    const struct record *record = call_find(call, &call->key);
    if (record == NULL || !is_wanted(option, record, expire_ms)) {
        resp_number(&call->reply, 0);
        return;
    }
    bool over = expire_ms <= call->view->now_ms;
    if (over ? call_remove(call, &call->key)
             : expiry_set(call, &call->key, expire_ms)) {
        resp_number(&call->reply, 1);
    }
}

void expiry_expire(struct call *call)
{
    expire(call, EXPIRY_SECONDS | EXPIRY_FROM_NOW);
}

void expiry_pexpire(struct call *call)
{
    expire(call, EXPIRY_FROM_NOW);
}

void expiry_expireat(struct call *call)
{
    expire(call, EXPIRY_SECONDS);
}

void expiry_pexpireat(struct call *call)
{
    expire(call, 0);
}

void expiry_persist(struct call *call)
{
    const struct record *record = call_find(call, &call->key);
    if (record == NULL || record->expire_ms == 0) {
        resp_number(&call->reply, 0);
    } else if (expiry_set(call, &call->key, 0)) {
        resp_number(&call->reply, 1);
    }
}

/* ---- TTL ----------------------------------------------------------------- */

static void tell(struct call *call, unsigned form)
{
    enum { NO_KEY = -2, NO_END = -1 };
    const struct record *record = call_find(call, &call->key);
    if (record == NULL || record->expire_ms == 0) {
        resp_number(&call->reply, record == NULL ? NO_KEY : NO_END);
        return;
    }
    int64_t from_ms = (form & EXPIRY_FROM_NOW) != 0 ? call->view->now_ms : 0;
    int64_t left_ms = record->expire_ms - from_ms;
    if ((form & EXPIRY_SECONDS) == 0) {
        resp_number(&call->reply, left_ms);
        return;
    }
    int64_t half = left_ms % SECOND_MS >= SECOND_MS / 2 ? 1 : 0;
    resp_number(&call->reply, left_ms / SECOND_MS + half);
}

void expiry_ttl(struct call *call)
{
    tell(call, EXPIRY_SECONDS | EXPIRY_FROM_NOW);
}

void expiry_pttl(struct call *call)
{
    tell(call, EXPIRY_FROM_NOW);
}

void expiry_expiretime(struct call *call)
{
    tell(call, EXPIRY_SECONDS);
}

void expiry_pexpiretime(struct call *call)
{
    tell(call, 0);
}
