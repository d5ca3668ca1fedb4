/* kv_store.h: what a program that uses fixkv includes: the limits, the
 * message, the statuses, the store inside a process, the client over TCP.
 *
 * Every record has one size: a key of 32 bytes, a value of at most 256.
 *
 *     offset  size  message, 292 bytes on the wire, little-endian
 *     0       1     type       request; bit 7: linked with the next message
 *     1       1     status     0 in a request; a kv_error_t in a reply
 *     2       2     value_len  0..256
 *     4       32    key        zero-padded; the 32 bytes are the key
 *     36      256   value      zero-padded after value_len
 *
 * A key is 1 to 32 bytes, padded with zeros; trailing zeros do not tell two
 * keys apart, and a key of nothing but zeros is refused.  value_len 0 with a
 * value block that is not all zero means a C string. */
#ifndef KV_STORE_H
#define KV_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KV_VERSION "0.1.0"

/* What the shared library shows; all else is hidden in it. */
#if defined(__GNUC__)
#define KV_API __attribute__((visibility("default")))
#else
#define KV_API
#endif

enum {
    KV_KEY_SIZE = 32,
    KV_VALUE_MAX = 256,
    KV_MESSAGE_SIZE = 292,
    KV_CHAIN_MAX = 64,  /* messages linked into one transaction */
    KV_SCAN_MAX = 1024, /* records that one SCAN hands out */
    KV_LINKED = 0x80    /* in kv_message_t.type: linked with the next */
};

/* The requests: number, name. */
#define KV_REQUEST_MAP(X)                                                      \
    X(1, PUT)                                                                  \
    X(2, GET)                                                                  \
    X(3, DELETE)                                                               \
    X(4, EXISTS)                                                               \
    X(5, EXPIRE)                                                               \
    X(6, TTL)                                                                  \
    X(7, PERSIST)                                                              \
    X(8, ADD)                                                                  \
    X(9, EXPECT)                                                               \
    X(10, EXPECT_ABSENT)                                                       \
    X(11, SCAN)                                                                \
    X(12, PING)                                                                \
    X(13, STATS)                                                               \
    X(14, COUNT)                                                               \
    X(15, AUTH)                                                                \
    X(16, BACKUP)

typedef enum kv_request {
#define X(number, name) KV_##name = number,
    KV_REQUEST_MAP(X)
#undef X
} kv_request_t;

/* The statuses: number, name, text.  What is negative comes from the library
 * in this process and never travels.
 *
 * BUSY: too many connections, or too many who wait for a backup, or a disk that
 * has not answered a write for two seconds.  Nothing was done, and the same
 * request may be sent again later; but for a write that the disk has already:
 * its text says that it may take effect yet, once the disk answers.
 *
 * WRONG_TYPE: the key holds a list or a set, which only the Redis protocol
 * makes, and this is about a value: GET, ADD, EXPECT.  PUT replaces it; EXISTS,
 * EXPIRE, TTL, PERSIST and DELETE take it as any key; SCAN hands out its key
 * with an empty value; COUNT counts it as one. */
#define KV_STATUS_MAP(X)                                                       \
    X(0, SUCCESS, "success")                                                   \
    X(1, NOT_FOUND, "no such key")                                             \
    X(2, NO_SPACE, "the table is full")                                        \
    X(3, INVALID, "malformed request")                                         \
    X(4, MISMATCH, "the record is not as expected")                            \
    X(5, ABORTED, "another message of the chain failed")                       \
    X(6, NOT_A_NUMBER, "the value is not a decimal number")                    \
    X(7, OVERFLOW, "the number would leave 64 bits")                           \
    X(8, WRONG_TYPE, "the record is of another type")                          \
    X(9, DENIED, "authentication required or refused")                         \
    X(10, READ_ONLY, "writes are refused")                                     \
    X(11, BUSY, "a limit is reached")                                          \
    X(12, UNAVAILABLE, "no quorum")                                            \
    X(13, END, "end of the stream")                                            \
    X(14, INTERNAL, "internal error")                                          \
    X(-1, REFUSED, "connection refused")                                       \
    X(-2, TIMED_OUT, "timed out")                                              \
    X(-3, LOST, "connection lost")                                             \
    X(-4, STRANGE_REPLY, "the reply does not match the request")               \
    X(-5, ARGUMENT, "bad argument")                                            \
    X(-6, NO_MEMORY, "out of memory")                                          \
    X(-7, UNUSABLE, "the data directory cannot be used")

typedef enum kv_error {
#define X(number, name, text) KV_##name = number,
    KV_STATUS_MAP(X)
#undef X
} kv_error_t;

typedef struct kv_message {
    uint8_t type;
    uint8_t status;
    uint16_t value_len;
    uint8_t key[KV_KEY_SIZE];
    uint8_t value[KV_VALUE_MAX];
} kv_message_t;

#ifndef __cplusplus
_Static_assert(sizeof(kv_message_t) == KV_MESSAGE_SIZE, "message size");
_Static_assert(offsetof(kv_message_t, type) == 0, "type");
_Static_assert(offsetof(kv_message_t, status) == 1, "status");
_Static_assert(offsetof(kv_message_t, value_len) == 2, "value_len");
_Static_assert(offsetof(kv_message_t, key) == 4, "key");
_Static_assert(offsetof(kv_message_t, value) == 36, "value");
#endif

/* "NOT_FOUND", "no such key"; of a number that is none: "UNKNOWN" and a text
 * that says so.  Both live for ever. */
KV_API const char *kv_error_name(int error);
KV_API const char *kv_error_text(int error);
/* "PUT"; "UNKNOWN" for a number that is none.  Bit 7 is ignored. */
KV_API const char *kv_request_name(int type);

/* Fills *message: type, key (1..32 bytes, not all zero unless key_len is 0),
 * value (0..256 bytes), all else zero.  KV_ARGUMENT if a length is too large;
 * *message is zero then. */
KV_API kv_error_t kv_message_fill(kv_message_t *message, int type,
    const void *key, size_t key_len, const void *value, size_t value_len);

/* ---- The store inside this process ------------------------------------- */

/* All functions of one store may be called from many threads at once. */
typedef struct kv_store kv_store_t;

typedef enum kv_sync {
    KV_SYNC_ALWAYS,   /* a call returns when its write is on disk */
    KV_SYNC_EVERYSEC, /* a power loss may cost the last second */
    KV_SYNC_NONE      /* the kernel decides; a killed process loses nothing */
} kv_sync_t;

typedef struct kv_store_options {
    uint64_t capacity;          /* records; 0: 1,000,000 */
    kv_sync_t sync;             /* default: always */
    uint32_t backup_interval_s; /* seconds between backups; 0: only at close */
    uint32_t backup_keep;       /* newest backups kept; 0: 2 */
    uint64_t segment_bytes;     /* of the log; 0: 64 MiB */
} kv_store_options_t;

/* Opens the store in directory (made if it is not there), or one in memory
 * alone if directory is NULL, and recovers what it holds.  NULL on failure,
 * errno set (EBUSY: another process has it open; EUCLEAN: damage that a person
 * must look at); kv_store_open tells more. */
KV_API kv_store_t *kv_store_create(const char *directory);

/* The same with options (NULL: defaults).  On failure *store is NULL, the
 * result KV_UNUSABLE, KV_ARGUMENT or KV_NO_MEMORY, and why (why_size bytes, may
 * be NULL) holds a sentence: what, with which numbers, what to do. */
KV_API kv_error_t kv_store_open(kv_store_t **store, const char *directory,
    const kv_store_options_t *options, char *why, size_t why_size);

/* Writes a backup if anything has changed, closes, frees.  NULL is fine.  No
 * other call may be running. */
KV_API void kv_store_destroy(kv_store_t *store);

/* key: 1..32 bytes; value: 0..256 bytes.  Each returns KV_SUCCESS or says why
 * not: KV_ARGUMENT (lengths, an all-zero key), KV_NOT_FOUND, KV_NO_SPACE,
 * KV_READ_ONLY, KV_NOT_A_NUMBER, KV_OVERFLOW, KV_WRONG_TYPE, KV_BUSY (the disk
 * has not answered others for two seconds; a call whose write it has waits for
 * it). */
KV_API kv_error_t kv_store_put(kv_store_t *store, const void *key,
    size_t key_len, const void *value, size_t value_len);
/* value: room for KV_VALUE_MAX bytes; *value_len: how many were written, 0 on
 * failure. */
KV_API kv_error_t kv_store_get(kv_store_t *store, const void *key,
    size_t key_len, void *value, size_t *value_len);
KV_API kv_error_t kv_store_delete(
    kv_store_t *store, const void *key, size_t key_len);
KV_API kv_error_t kv_store_exists(
    kv_store_t *store, const void *key, size_t key_len);
/* The record goes away ttl_ms milliseconds from now; ttl_ms at least 1. */
KV_API kv_error_t kv_store_expire(
    kv_store_t *store, const void *key, size_t key_len, int64_t ttl_ms);
/* *ttl_ms: what is left; -1 without expiry. */
KV_API kv_error_t kv_store_ttl(
    kv_store_t *store, const void *key, size_t key_len, int64_t *ttl_ms);
KV_API kv_error_t kv_store_persist(
    kv_store_t *store, const void *key, size_t key_len);
/* Adds delta to a decimal number; a key that is not there counts as 0.
 * *sum (may be NULL): the new number. */
KV_API kv_error_t kv_store_add(kv_store_t *store, const void *key,
    size_t key_len, int64_t delta, int64_t *sum);
/* Keys held; one that has expired counts until the sweep removes it. */
KV_API uint64_t kv_store_count(kv_store_t *store);
/* Writes a backup now and waits for it; *lsn (may be NULL): its LSN. */
KV_API kv_error_t kv_store_backup(kv_store_t *store, uint64_t *lsn);

/* Executes count requests in order, each reply written over its request.
 * Messages linked by KV_LINKED are one transaction: all or none.  Streams
 * (SCAN, STATS) and BACKUP are refused as KV_INVALID.  Returns KV_ARGUMENT if
 * count is 0 or over 256 or a chain is not closed, else KV_SUCCESS; the status
 * of each message tells its own result. */
KV_API kv_error_t kv_store_execute(
    kv_store_t *store, kv_message_t *messages, size_t count);

/* Hands out up to KV_SCAN_MAX records whose key begins with prefix (prefix_len
 * 0: all).  *cursor is 0 at first and 0 again when the scan is over.  records:
 * room for KV_SCAN_MAX messages; *count: how many were filled, possibly none
 * before the scan is over.  A record that exists during the whole scan is
 * handed out exactly once. */
KV_API kv_error_t kv_store_scan(kv_store_t *store, const void *prefix,
    size_t prefix_len, uint64_t *cursor, kv_message_t *records, size_t *count);

/* ---- The client over TCP ----------------------------------------------- */

/* One connection, for one thread at a time.
 *
 * It reconnects by itself.  A request whose last byte has not been handed to
 * the kernel cannot have been executed, so it is sent again on a new
 * connection; and so is a request that changes nothing (GET, EXISTS, TTL,
 * SCAN, PING, STATS, COUNT), once.  Any other that was sent and not answered
 * is never sent twice: it ends in KV_LOST or KV_TIMED_OUT, which means that it
 * may or may not have been executed. */
typedef struct kv_client kv_client_t;

/* host: a name or an address, NULL: KV_HOST from the environment, else
 * 127.0.0.1.  port: 0: KV_PORT from the environment, else 8080.  Does not
 * connect yet.  NULL when out of memory or if KV_PORT is not a port (errno
 * ENOMEM, EINVAL). */
KV_API kv_client_t *kv_client_create(const char *host, int port);
KV_API void kv_client_destroy(kv_client_t *client);
/* Limits connecting, and the wait for each reply; default 5,000 ms. */
KV_API void kv_client_set_timeout(kv_client_t *client, int timeout_ms);
/* Connects now; otherwise the first request does. */
KV_API kv_error_t kv_client_connect(kv_client_t *client);
/* A sentence about the last failure: what, with which numbers, what to do.
 * Lives until the next call. */
KV_API const char *kv_client_error(const kv_client_t *client);

KV_API kv_error_t kv_client_put(kv_client_t *client, const void *key,
    size_t key_len, const void *value, size_t value_len);
KV_API kv_error_t kv_client_get(kv_client_t *client, const void *key,
    size_t key_len, void *value, size_t *value_len);
KV_API kv_error_t kv_client_delete(
    kv_client_t *client, const void *key, size_t key_len);
KV_API kv_error_t kv_client_exists(
    kv_client_t *client, const void *key, size_t key_len);
KV_API kv_error_t kv_client_expire(
    kv_client_t *client, const void *key, size_t key_len, int64_t ttl_ms);
KV_API kv_error_t kv_client_ttl(
    kv_client_t *client, const void *key, size_t key_len, int64_t *ttl_ms);
KV_API kv_error_t kv_client_persist(
    kv_client_t *client, const void *key, size_t key_len);
KV_API kv_error_t kv_client_add(kv_client_t *client, const void *key,
    size_t key_len, int64_t delta, int64_t *sum);
KV_API kv_error_t kv_client_count(kv_client_t *client, uint64_t *count);
KV_API kv_error_t kv_client_ping(kv_client_t *client);
KV_API kv_error_t kv_client_backup(kv_client_t *client, uint64_t *lsn);

/* Sends count requests at once and waits for their replies, each written over
 * its request.  At most 1,024; streams are refused.  KV_SUCCESS means that all
 * were answered; each status tells its own result.  After another result the
 * replies that did arrive are there, and messages without one have the status
 * KV_UNAVAILABLE. */
KV_API kv_error_t kv_client_execute(
    kv_client_t *client, kv_message_t *messages, size_t count);

/* Sends one SCAN or STATS; calls row for each message of the stream until END.
 * *end (may be NULL) receives the END message.  A row that returns false stops
 * the calls; the stream is read to its end all the same. */
KV_API kv_error_t kv_client_stream(kv_client_t *client,
    const kv_message_t *request,
    bool (*row)(void *context, const kv_message_t *message), void *context,
    kv_message_t *end);

#ifdef __cplusplus
}
#endif

#endif
