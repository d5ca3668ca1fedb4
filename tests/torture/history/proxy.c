#include "torture/history/proxy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "kv_store.h"
#include "tcp.h"

enum { REMEMBERED = 64, STALE_ONCE_IN = 64 };

struct link {
    struct proxy *proxy;
    pthread_t thread;
    int client;
    int server;
    uint64_t gets;
    uint64_t wrong;
    kv_message_t remembered[REMEMBERED]; /* replies to GETs */
    uint32_t remembered_count;
};

struct proxy {
    enum proxy_fault fault;
    uint16_t server;
    uint16_t port;
    int listener;
    pthread_t thread;
    struct link links[PROXY_CONNECTIONS_MAX]; /* the acceptor's, to its end */
    uint32_t links_count;
};

/* ---- One connection ------------------------------------------------------ */

/* What this connection was answered the last time; NULL: never asked. */
static kv_message_t *find_remembered(
    struct link *link, const kv_message_t *request)
{
    for (uint32_t i = 0; i < link->remembered_count; i++) {
        kv_message_t *reply = &link->remembered[i];
        if (memcmp(reply->key, request->key, KV_KEY_SIZE) == 0) {
            return reply;
        }
    }
    return NULL;
}

static void remember(struct link *link, const kv_message_t *reply)
{
    kv_message_t *place = find_remembered(link, reply);
    if (place == NULL && link->remembered_count < REMEMBERED) {
        place = &link->remembered[link->remembered_count++];
    }
    if (place != NULL) {
        *place = *reply;
    }
}

static bool pass(struct link *link, kv_message_t *messages, uint32_t count)
{
    size_t size = count * sizeof *messages;
    return tcp_send(link->server, messages, size) &&
           tcp_receive(link->server, messages, size);
}

static bool answer_get(struct link *link, kv_message_t *message)
{
    kv_message_t *old = find_remembered(link, message);
    if (old != NULL && link->gets++ % STALE_ONCE_IN == 0) {
        *message = *old;
        link->wrong++;
        return true;
    }
    if (!pass(link, message, 1)) {
        return false;
    }
    remember(link, message);
    return true;
}

/* The others alone go to the server; those that compare have held. */
static bool answer_unchecked(
    struct link *link, kv_message_t *messages, uint32_t count)
{
    uint32_t first = 0;
    while (first < count && (messages[first].type & ~KV_LINKED) >= KV_EXPECT &&
           (messages[first].type & ~KV_LINKED) <= KV_EXPECT_ABSENT) {
        messages[first].value_len = 0;
        memset(messages[first].value, 0, KV_VALUE_MAX);
        link->wrong++;
        first++;
    }
    return first == count || pass(link, &messages[first], count - first);
}

static bool answer(struct link *link, kv_message_t *messages, uint32_t count)
{
    if (link->proxy->fault == PROXY_UNCHECKED) {
        return answer_unchecked(link, messages, count);
    }
    return count == 1 && messages[0].type == KV_GET
               ? answer_get(link, messages)
               : pass(link, messages, count);
}

static void *serve(void *context)
{
    struct link *link = context;
    kv_message_t messages[KV_CHAIN_MAX];
    bool going = true;
    while (going) {
        uint32_t count = 0;
        do {
            going =
                tcp_receive(link->client, &messages[count], sizeof messages[0]);
            count++;
        } while (going && count < KV_CHAIN_MAX &&
                 (messages[count - 1].type & KV_LINKED) != 0);
        going = going && answer(link, messages, count) &&
                tcp_send(link->client, messages, count * sizeof messages[0]);
    }
    (void)close(link->client);
    (void)close(link->server);
    return NULL;
}

/* ---- The proxy ----------------------------------------------------------- */

static void *accept_all(void *context)
{
    struct proxy *proxy = context;
    int client = tcp_accept(proxy->listener);
    while (client >= 0 && proxy->links_count < PROXY_CONNECTIONS_MAX) {
        struct link *link = &proxy->links[proxy->links_count++];
        link->proxy = proxy;
        link->client = client;
        link->server = tcp_dial(proxy->server);
        int error = pthread_create(&link->thread, NULL, serve, link);
        assert(error == 0);
        (void)error;
        client = tcp_accept(proxy->listener);
    }
    if (client >= 0) {
        (void)close(client);
    }
    return NULL;
}

struct proxy *proxy_start(uint16_t server, enum proxy_fault fault)
{
    struct proxy *proxy = calloc(1, sizeof *proxy);
    if (proxy == NULL) {
        return NULL;
    }
    proxy->fault = fault;
    proxy->server = server;
    proxy->listener = tcp_listen(&proxy->port);
    if (proxy->listener < 0 ||
        pthread_create(&proxy->thread, NULL, accept_all, proxy) != 0) {
        (void)close(proxy->listener);
        free(proxy);
        return NULL;
    }
    return proxy;
}

uint16_t proxy_port(const struct proxy *proxy)
{
    return proxy->port;
}

uint64_t proxy_end(struct proxy *proxy)
{
    uint64_t wrong = 0;
    (void)shutdown(proxy->listener, SHUT_RDWR);
    (void)pthread_join(proxy->thread, NULL);
    for (uint32_t i = 0; i < proxy->links_count; i++) {
        (void)pthread_join(proxy->links[i].thread, NULL);
        wrong += proxy->links[i].wrong;
    }
    (void)close(proxy->listener);
    free(proxy);
    return wrong;
}
