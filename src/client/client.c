#include "client/client.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "client/link.h"

enum {
    HOST_MAX = 255 /* RFC 1035, 2.3.4: characters of a name */
};

/* The port in the environment, else the default; 0 if it is none. */
static int port_from_environment(void)
{
    const char *text = getenv("KV_PORT");
    if (text == NULL) {
        return CLIENT_PORT;
    }
    int64_t port;
    bool overflow;
    if (!decimal_parse(text, strlen(text), &port, &overflow) || port < 1 ||
        port > UINT16_MAX) {
        return 0;
    }
    return (int)port;
}

static const char *host_from_environment(void)
{
    const char *host = getenv("KV_HOST");
    return host == NULL ? CLIENT_HOST : host;
}

kv_client_t *kv_client_create(const char *host, int port)
{
    if (host == NULL) {
        host = host_from_environment();
    }
    if (port == 0) {
        port = port_from_environment();
    }
    size_t length = strlen(host);
    if (length == 0 || length > HOST_MAX || port < 1 || port > UINT16_MAX) {
        errno = EINVAL;
        return NULL;
    }
    struct kv_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return NULL;
    }
    client->host = strdup(host);
    if (client->host == NULL) {
        free(client);
        return NULL;
    }
    client->port = port;
    client->timeout_ms = CLIENT_TIMEOUT_MS;
    client->fd = -1;
    return client;
}

void kv_client_destroy(kv_client_t *client)
{
    if (client != NULL) {
        client_close(client);
        free(client->host);
        free(client);
    }
}

void kv_client_set_timeout(kv_client_t *client, int timeout_ms)
{
    client->timeout_ms = timeout_ms < 1 ? 1 : timeout_ms;
}

const char *kv_client_error(const kv_client_t *client)
{
    return client->error;
}

kv_error_t client_fail(
    struct kv_client *client, kv_error_t error, const char *format, ...)
{
    assert(error != KV_SUCCESS);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(client->error, sizeof client->error, format, arguments);
    va_end(arguments);
    /* The sentence may be a stranger's, and is bound for a terminal. */
    for (char *letter = client->error; *letter != '\0'; letter++) {
        if ((unsigned char)*letter < ' ' || *letter == '\x7f') {
            *letter = '?';
        }
    }
    return error;
}

kv_error_t client_fail_reply(
    struct kv_client *client, const kv_message_t *reply)
{
    assert(reply->value_len <= KV_VALUE_MAX);
    const char *name =
        reply->type == 0 ? "the server refuses" : kv_request_name(reply->type);
    kv_error_t error = (kv_error_t)reply->status;
    if (reply->value_len == 0) {
        return client_fail(client, error, "%s: %s", name, kv_error_text(error));
    }
    return client_fail(client, error, "%s: %.*s", name, (int)reply->value_len,
        (const char *)reply->value);
}

const char *client_where(
    const struct kv_client *client, char text[CLIENT_WHERE_MAX])
{
    bool colons = strchr(client->host, ':') != NULL;
    (void)snprintf(text, CLIENT_WHERE_MAX, colons ? "[%s]:%d" : "%s:%d",
        client->host, client->port);
    return text;
}

void client_close(struct kv_client *client)
{
    link_close(&client->fd);
    client->held = 0;
}

static kv_error_t open_connection(struct kv_client *client)
{
    char why[LINK_WHY_MAX];
    char where[CLIENT_WHERE_MAX];
    int fd = link_open(client->host, client->port, client->timeout_ms, why);
    if (fd >= 0) {
        client->fd = fd;
        client->held = 0;
        return KV_SUCCESS;
    }
    client_where(client, where);
    if (fd == -ENOMEM) {
        return client_fail(
            client, KV_NO_MEMORY, "no memory for a connection to %s", where);
    }
    if (fd == -ETIMEDOUT) {
        return client_fail(client, KV_TIMED_OUT,
            "cannot connect to %s: no answer within %d ms; is the address "
            "right? (KV_HOST, KV_PORT, --host, --port name it)",
            where, client->timeout_ms);
    }
    return client_fail(client, KV_REFUSED,
        "cannot connect to %s: %s; is the server running? (KV_HOST, KV_PORT, "
        "--host, --port name it)",
        where, why);
}

kv_error_t client_ready(struct kv_client *client)
{
    assert(client->held == 0);
    if (client->fd >= 0 && link_quiet(client->fd)) {
        return KV_SUCCESS;
    }
    client_close(client);
    return open_connection(client);
}

kv_error_t kv_client_connect(kv_client_t *client)
{
    return client_ready(client);
}
