#include "model.h"

#include <string.h>

uint64_t model_count(const struct model *model)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < MODEL_KEYS; i++) {
        count += model->entries[i].there ? 1 : 0;
    }
    return count;
}

static bool is_full(const struct model *model)
{
    return model->swept && model_count(model) >= model->capacity;
}

/* The value that a request carries: a C string has no length. */
static void take_value(const kv_message_t *message, struct model_entry *entry)
{
    entry->value_len =
        message->value_len != 0
            ? message->value_len
            : (uint16_t)strnlen((const char *)message->value, KV_VALUE_MAX);
    memcpy(entry->value, message->value, KV_VALUE_MAX);
}

static void expect_number(
    struct model_reply *reply, int64_t least, int64_t most)
{
    reply->number = true;
    reply->least = least;
    reply->most = most;
}

static kv_error_t add(struct model *model, const struct model_request *request,
    struct model_reply *reply)
{
    struct model_entry *entry = &model->entries[request->number];
    int64_t number = 0;
    int64_t sum;
    bool overflow;
    if (entry->there &&
        !decimal_parse(entry->value, entry->value_len, &number, &overflow)) {
        return KV_NOT_A_NUMBER;
    }
    if (__builtin_add_overflow(number, request->argument, &sum)) {
        return KV_OVERFLOW;
    }
    if (!entry->there) {
        if (is_full(model)) {
            return KV_NO_SPACE;
        }
        *entry = (struct model_entry){.there = true};
    }
    memset(entry->value, 0, sizeof entry->value);
    entry->value_len = (uint16_t)decimal_format(sum, entry->value);
    expect_number(reply, sum, sum);
    return KV_SUCCESS;
}

static kv_error_t put(struct model *model, const struct model_request *request)
{
    struct model_entry *entry = &model->entries[request->number];
    if (!entry->there && is_full(model)) {
        return KV_NO_SPACE;
    }
    *entry = (struct model_entry){.there = true};
    take_value(&request->message, entry);
    return KV_SUCCESS;
}

static void get(const struct model_entry *entry, struct model_reply *reply)
{
    reply->value_len = entry->value_len;
    memcpy(reply->value, entry->value, KV_VALUE_MAX);
}

static void ttl(
    const struct model_entry *entry, struct model_reply *reply, int64_t now_ms)
{
    if (entry->expire_min_ms == 0) {
        expect_number(reply, -1, -1);
    } else {
        /* How long the batch took is not known yet. */
        expect_number(reply, 1, entry->expire_max_ms - now_ms);
    }
}

static bool is_expected(
    const struct model_entry *entry, const struct model_request *request)
{
    struct model_entry given = {.there = true};
    take_value(&request->message, &given);
    return entry->there && entry->value_len == given.value_len &&
           memcmp(entry->value, given.value, KV_VALUE_MAX) == 0;
}

static void expire(
    struct model *model, struct model_entry *entry, int64_t argument)
{
    /* The end is made later when the batch has been executed. */
    entry->expire_min_ms = model->now_ms + argument;
    entry->expire_max_ms = INT64_MAX;
}

static kv_error_t apply(struct model *model,
    const struct model_request *request, struct model_reply *reply)
{
    struct model_entry *entry = &model->entries[request->number];
    struct model_entry echo = {.there = true};
    bool there = entry->there;
    switch (request->verb) {
    case KV_PUT:
        return put(model, request);
    case KV_ADD:
        return add(model, request, reply);
    case KV_PING:
        take_value(&request->message, &echo);
        get(&echo, reply);
        return KV_SUCCESS;
    case KV_COUNT:
        expect_number(reply, (int64_t)model_count(model),
            model->swept ? (int64_t)model_count(model) : MODEL_KEYS);
        return KV_SUCCESS;
    case KV_EXPECT:
        return is_expected(entry, request) ? KV_SUCCESS : KV_MISMATCH;
    case KV_EXPECT_ABSENT:
        return there ? KV_MISMATCH : KV_SUCCESS;
    default:
        break;
    }
    if (!there) {
        return KV_NOT_FOUND;
    }
    if (request->verb == KV_GET) {
        get(entry, reply);
    } else if (request->verb == KV_TTL) {
        ttl(entry, reply, model->now_ms);
    } else if (request->verb == KV_DELETE) {
        entry->there = false;
    } else if (request->verb == KV_EXPIRE) {
        expire(model, entry, request->argument);
    } else if (request->verb == KV_PERSIST) {
        entry->expire_min_ms = 0;
        entry->expire_max_ms = 0;
    }
    return KV_SUCCESS;
}

/* All of a chain, or nothing. */
static void apply_chain(struct model *model,
    const struct model_request *requests, struct model_reply *replies,
    uint32_t count)
{
    struct model_entry before[MODEL_KEYS];
    uint32_t guilty = UINT32_MAX;
    memcpy(before, model->entries, sizeof before);
    for (uint32_t i = 0; i < count; i++) {
        replies[i] = (struct model_reply){.status = KV_ABORTED};
        if (requests[i].refused != KV_SUCCESS) {
            replies[i].status = requests[i].refused;
            guilty = i;
        }
    }
    for (uint32_t i = 0; i < count && guilty == UINT32_MAX; i++) {
        replies[i].status = apply(model, &requests[i], &replies[i]);
        if (replies[i].status != KV_SUCCESS) {
            guilty = i;
            for (uint32_t j = 0; j < i; j++) {
                replies[j] = (struct model_reply){.status = KV_ABORTED};
            }
        }
    }
    if (guilty != UINT32_MAX) {
        memcpy(model->entries, before, sizeof before);
    }
}

void model_apply(struct model *model, const struct model_request *requests,
    struct model_reply *replies, uint32_t count)
{
    uint32_t length;
    for (uint32_t i = 0; i < count; i += length) {
        length = 1;
        while (requests[i + length - 1].linked) {
            length++;
        }
        apply_chain(model, &requests[i], &replies[i], length);
    }
}

void model_settle(struct model *model, int64_t took_ms)
{
    for (uint64_t i = 0; i < MODEL_KEYS; i++) {
        struct model_entry *entry = &model->entries[i];
        if (entry->expire_max_ms == INT64_MAX) {
            entry->expire_max_ms = entry->expire_min_ms + took_ms;
        }
    }
}
