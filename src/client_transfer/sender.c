#include "client_transfer/sender.h"

#include <assert.h>
#include <inttypes.h>

#include "bytes.h"
#include "clock.h"
#include "wire.h"

static uint16_t count_messages(
    const struct sender *sender, const struct item *item)
{
    int count = sender->keep_existing ? 2 : 1;
    return (uint16_t)(count + (item->expire_at_ms != 0 ? 1 : 0));
}

bool sender_has_room(const struct sender *sender, const struct item *item)
{
    return sender->messages_count + count_messages(sender, item) <=
           TRANSFER_MESSAGES_MAX;
}

void sender_add(struct sender *sender, const struct item *item,
    const struct sender_mark *mark)
{
    assert(sender_has_room(sender, item));
    assert(sender->count < TRANSFER_MESSAGES_MAX);
    struct sender_item *added = &sender->items[sender->count++];
    added->item = *item;
    added->mark = *mark;
    added->messages = count_messages(sender, item);
    added->stored = false;
    sender->messages_count += added->messages;
}

static kv_message_t make_message(int type, const struct item *item)
{
    kv_message_t message = {.type = (uint8_t)type};
    memcpy(message.key, item->key, sizeof message.key);
    return message;
}

/* [EXPECT_ABSENT] PUT [EXPIRE], linked. */
static void fill_chain(
    const struct sender_item *item, bool keep_existing, kv_message_t *messages)
{
    size_t at = 0;
    const struct item *from = &item->item;
    if (keep_existing) {
        messages[at++] = make_message(KV_EXPECT_ABSENT, from);
    }
    kv_message_t *put = &messages[at++];
    *put = make_message(KV_PUT, from);
    put->value_len = (uint16_t)from->value_len;
    memcpy(put->value, from->value, sizeof put->value);
    if (from->expire_at_ms != 0) {
        kv_message_t *expire = &messages[at++];
        *expire = make_message(KV_EXPIRE, from);
        int64_t ttl_ms = from->expire_at_ms - clock_wall_ms();
        ttl_ms = ttl_ms > WIRE_EXPIRE_MAX_MS ? WIRE_EXPIRE_MAX_MS : ttl_ms;
        /* It has expired since it was added: then it soon will be gone. */
        ttl_ms = ttl_ms < 1 ? 1 : ttl_ms;
        expire->value_len = (uint16_t)decimal_format(ttl_ms, expire->value);
    }
    assert(at == item->messages);
    for (size_t i = 0; i + 1 < at; i++) {
        messages[i].type |= KV_LINKED;
    }
}

/* The messages of the items from the first one on; returns how many. */
static size_t fill(struct sender *sender, size_t first)
{
    size_t filled = 0;
    for (size_t i = first; i < sender->count; i++) {
        fill_chain(&sender->items[i], sender->keep_existing,
            &sender->messages[filled]);
        filled += sender->items[i].messages;
    }
    assert(filled <= TRANSFER_MESSAGES_MAX);
    return filled;
}

/* The reply that tells how an item fared: of a chain that failed, the one that
 * was not merely aborted with it. */
static const kv_message_t *reply_of(
    const struct sender_item *item, const kv_message_t *replies)
{
    const kv_message_t *reply = &replies[0];
    for (size_t i = 1; i < item->messages; i++) {
        bool worse = reply->status == KV_SUCCESS || reply->status == KV_ABORTED;
        if (worse && replies[i].status != KV_SUCCESS &&
            replies[i].status != KV_ABORTED) {
            reply = &replies[i];
        }
    }
    return reply;
}

/* Counts the item if it is settled. */
static bool settle(struct sender *sender, const struct sender_item *item,
    const kv_message_t *reply)
{
    bool there = reply->type == (KV_EXPECT_ABSENT | KV_LINKED) &&
                 reply->status == KV_MISMATCH;
    if (reply->status != KV_SUCCESS && !there) {
        return false;
    }
    struct resume *done = &sender->done;
    done->kept += there && !item->stored ? 1 : 0;
    done->imported += there && !item->stored ? 0 : 1;
    done->bytes = item->mark.bytes;
    done->crc32c = item->mark.crc;
    done->expired = item->mark.expired;
    return true;
}

/* Settles items from *at on, until one failed; its reply, or NULL. */
static const kv_message_t *judge(struct sender *sender, size_t *at)
{
    const kv_message_t *replies = sender->messages;
    const kv_message_t *failed = NULL;
    for (size_t i = *at; i < sender->count; i++) {
        struct sender_item *item = &sender->items[i];
        const kv_message_t *reply = reply_of(item, replies);
        replies += item->messages;
        item->stored = item->stored || reply->status == KV_SUCCESS;
        if (failed == NULL && settle(sender, item, reply)) {
            *at = i + 1;
        } else if (failed == NULL) {
            failed = reply;
        }
    }
    return failed;
}

/* Notes why, in a sentence; returns the error. */
static int note_failure(
    struct sender *sender, kv_error_t error, const kv_message_t *failed)
{
    /* Without a reply there is only what the client knows. */
    if (error != KV_SUCCESS && failed->status == KV_UNAVAILABLE) {
        (void)snprintf(sender->why, sizeof sender->why, "%s",
            kv_client_error(sender->program->client));
        return error;
    }
    bool told = failed->value_len > 0;
    (void)snprintf(sender->why, sizeof sender->why, "%s: %.*s",
        kv_request_name(failed->type),
        told ? (int)failed->value_len : (int)sizeof sender->why,
        told ? (const char *)failed->value : kv_error_text(failed->status));
    return failed->status;
}

static int flush(struct sender *sender)
{
    size_t at = 0;
    size_t begin = 0;
    for (int waits = 0; at < sender->count; waits++) {
        size_t messages = fill(sender, at);
        kv_error_t error = kv_client_execute(
            sender->program->client, sender->messages, messages);
        const kv_message_t *failed = judge(sender, &at);
        if (failed == NULL) {
            break;
        }
        int reason = note_failure(sender, error, failed);
        sender->line = sender->items[at].mark.line;
        waits = at > begin ? 0 : waits;
        begin = at;
        if (reason != KV_BUSY || waits == TRANSFER_WAITS_MAX) {
            /* A no is not what an import asks for. */
            enum program_exit status = program_exit_of(reason);
            return status == PROGRAM_NO ? PROGRAM_REFUSED : status;
        }
        if (transfer_pause(sender->signals, TRANSFER_WAIT_MS)) {
            sender->interrupted = true;
            return PROGRAM_LOCAL;
        }
    }
    return PROGRAM_YES;
}

int sender_flush(struct sender *sender)
{
    int status = flush(sender);
    sender->count = 0;
    sender->messages_count = 0;
    return status;
}
