/* error.c: names and texts of the public numbers, and the filling of a message.
 * What kv_store.h declares and both the store and the client need. */
#include "kv_store.h"

#include "bytes.h"

const char *kv_error_name(int error)
{
    switch (error) {
#define X(number, name, text)                                                  \
    case number:                                                               \
        return #name;
        KV_STATUS_MAP(X)
#undef X
    default:
        return "UNKNOWN";
    }
}

const char *kv_error_text(int error)
{
    switch (error) {
#define X(number, name, text)                                                  \
    case number:                                                               \
        return text;
        KV_STATUS_MAP(X)
#undef X
    default:
        return "a status that this version does not know";
    }
}

const char *kv_request_name(int type)
{
    switch (type & ~KV_LINKED) {
#define X(number, name)                                                        \
    case number:                                                               \
        return #name;
        KV_REQUEST_MAP(X)
#undef X
    default:
        return "UNKNOWN";
    }
}

kv_error_t kv_message_fill(kv_message_t *message, int type, const void *key,
    size_t key_len, const void *value, size_t value_len)
{
    memset(message, 0, sizeof *message);
    if (type < 0 || type > UINT8_MAX || key_len > KV_KEY_SIZE ||
        value_len > KV_VALUE_MAX) {
        return KV_ARGUMENT;
    }
    if (key_len > 0) {
        memcpy(message->key, key, key_len);
        if (bytes_all_zero(message->key, KV_KEY_SIZE)) {
            return KV_ARGUMENT;
        }
    }
    if (value_len > 0) {
        memcpy(message->value, value, value_len);
    }
    message->type = (uint8_t)type;
    message->value_len = (uint16_t)value_len;
    return KV_SUCCESS;
}
