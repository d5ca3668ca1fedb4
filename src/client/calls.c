/* calls.c: one function for each request.  They fill one message, execute it
 * and read its reply. */
#include "client/client.h"

#include <stdio.h>
#include <string.h>

#include "bytes.h"

struct span {
    const void *bytes;
    size_t length;
};

static const struct span nothing = {NULL, 0};

static kv_error_t ask(
    struct kv_client *client, int type, struct span value, kv_message_t *reply)
{
    /* The key stands in *reply already, or is not wanted. */
    reply->type = (uint8_t)type;
    reply->value_len = (uint16_t)value.length;
    if (value.length > 0) {
        memcpy(reply->value, value.bytes, value.length);
    }
    kv_error_t error = kv_client_execute(client, reply, 1);
    if (error == KV_SUCCESS && reply->status != KV_SUCCESS) {
        return client_fail_reply(client, reply);
    }
    return error;
}

/* Of a request with a key. */
static kv_error_t ask_key(struct kv_client *client, int type, struct span key,
    struct span value, kv_message_t *reply)
{
    if (key.length == 0 || key.length > KV_KEY_SIZE) {
        return client_fail(client, KV_ARGUMENT,
            "the key has %zu bytes; 1 to %d are allowed", key.length,
            KV_KEY_SIZE);
    }
    if (value.length > KV_VALUE_MAX) {
        return client_fail(client, KV_ARGUMENT,
            "the value has %zu bytes; at most %d are allowed", value.length,
            KV_VALUE_MAX);
    }
    if (kv_message_fill(reply, type, key.bytes, key.length, NULL, 0) !=
        KV_SUCCESS) {
        return client_fail(client, KV_ARGUMENT,
            "the key is %zu zero bytes; one must not be zero", key.length);
    }
    return ask(client, type, value, reply);
}

static kv_error_t read_number(
    struct kv_client *client, const kv_message_t *reply, int64_t *number)
{
    bool overflow;
    if (decimal_parse(reply->value, reply->value_len, number, &overflow)) {
        return KV_SUCCESS;
    }
    char where[CLIENT_WHERE_MAX];
    client_close(client);
    return client_fail(client, KV_STRANGE_REPLY,
        "%s sent \"%.*s\" in answer to %s, which is no number",
        client_where(client, where), (int)reply->value_len,
        (const char *)reply->value, kv_request_name(reply->type));
}

kv_error_t kv_client_put(kv_client_t *client, const void *key, size_t key_len,
    const void *value, size_t value_len)
{
    kv_message_t reply = {0};
    return ask_key(client, KV_PUT, (struct span){key, key_len},
        (struct span){value, value_len}, &reply);
}

kv_error_t kv_client_get(kv_client_t *client, const void *key, size_t key_len,
    void *value, size_t *value_len)
{
    *value_len = 0;
    kv_message_t reply = {0};
    kv_error_t error =
        ask_key(client, KV_GET, (struct span){key, key_len}, nothing, &reply);
    if (error == KV_SUCCESS) {
        memcpy(value, reply.value, reply.value_len);
        *value_len = reply.value_len;
    }
    return error;
}

kv_error_t kv_client_delete(
    kv_client_t *client, const void *key, size_t key_len)
{
    kv_message_t reply = {0};
    return ask_key(
        client, KV_DELETE, (struct span){key, key_len}, nothing, &reply);
}

kv_error_t kv_client_exists(
    kv_client_t *client, const void *key, size_t key_len)
{
    kv_message_t reply = {0};
    return ask_key(
        client, KV_EXISTS, (struct span){key, key_len}, nothing, &reply);
}

kv_error_t kv_client_expire(
    kv_client_t *client, const void *key, size_t key_len, int64_t ttl_ms)
{
    if (ttl_ms < 1) {
        return client_fail(client, KV_ARGUMENT,
            "an expiry %lld ms from now; it must be at least 1 ms",
            (long long)ttl_ms);
    }
    kv_message_t reply = {0};
    uint8_t text[DECIMAL_MAX];
    size_t length = decimal_format(ttl_ms, text);
    return ask_key(client, KV_EXPIRE, (struct span){key, key_len},
        (struct span){text, length}, &reply);
}

kv_error_t kv_client_ttl(
    kv_client_t *client, const void *key, size_t key_len, int64_t *ttl_ms)
{
    kv_message_t reply = {0};
    kv_error_t error =
        ask_key(client, KV_TTL, (struct span){key, key_len}, nothing, &reply);
    return error == KV_SUCCESS ? read_number(client, &reply, ttl_ms) : error;
}

kv_error_t kv_client_persist(
    kv_client_t *client, const void *key, size_t key_len)
{
    kv_message_t reply = {0};
    return ask_key(
        client, KV_PERSIST, (struct span){key, key_len}, nothing, &reply);
}

kv_error_t kv_client_add(kv_client_t *client, const void *key, size_t key_len,
    int64_t delta, int64_t *sum)
{
    kv_message_t reply = {0};
    uint8_t text[DECIMAL_MAX];
    size_t length = decimal_format(delta, text);
    kv_error_t error = ask_key(client, KV_ADD, (struct span){key, key_len},
        (struct span){text, length}, &reply);
    if (error != KV_SUCCESS || sum == NULL) {
        return error;
    }
    return read_number(client, &reply, sum);
}

kv_error_t kv_client_count(kv_client_t *client, uint64_t *count)
{
    kv_message_t reply = {0};
    int64_t number = 0;
    kv_error_t error = ask(client, KV_COUNT, nothing, &reply);
    if (error == KV_SUCCESS) {
        error = read_number(client, &reply, &number);
    }
    if (error == KV_SUCCESS) {
        *count = (uint64_t)number;
    }
    return error;
}

kv_error_t kv_client_ping(kv_client_t *client)
{
    kv_message_t reply = {0};
    uint8_t text[DECIMAL_MAX];
    client->pings++;
    size_t length = decimal_format((int64_t)client->pings, text);
    kv_error_t error =
        ask(client, KV_PING, (struct span){text, length}, &reply);
    if (error != KV_SUCCESS) {
        return error;
    }
    if (reply.value_len != length || memcmp(reply.value, text, length) != 0) {
        char where[CLIENT_WHERE_MAX];
        client_close(client);
        return client_fail(client, KV_STRANGE_REPLY,
            "%s did not echo the %zu bytes of a PING",
            client_where(client, where), length);
    }
    return KV_SUCCESS;
}

kv_error_t kv_client_backup(kv_client_t *client, uint64_t *lsn)
{
    kv_message_t reply = {0};
    int64_t number = 0;
    kv_error_t error = ask(client, KV_BACKUP, nothing, &reply);
    if (error != KV_SUCCESS || lsn == NULL) {
        return error;
    }
    error = read_number(client, &reply, &number);
    if (error == KV_SUCCESS) {
        *lsn = (uint64_t)number;
    }
    return error;
}
