/* sender.h: items on their way to the server, a batch at a time, sent at once.
 *
 * 1. An item is one chain, or one message: all of it is stored or nothing.
 * 2. Items are judged in their order: what counts as settled is the first n of
 *    the file, without a gap.  Behind the first failure some may be stored too;
 *    they are sent again some day, which does no harm.
 * 3. While the server is busy the items from the first refused one on are sent
 *    again, all of them: so a key that comes twice ends with its last value. */
#ifndef SENDER_H
#define SENDER_H

#include "client_transfer/resume.h"
#include "client_transfer/transfer.h"

enum { SENDER_WHY_MAX = 1024 };

/* Where an item ends in its file. */
struct sender_mark {
    uint64_t line; /* where it begins */
    uint64_t bytes;
    uint32_t crc;
    uint64_t expired; /* items that were left out before */
};

struct sender_item {
    struct item item;
    struct sender_mark mark;
    uint16_t messages;
    bool stored; /* an earlier attempt did */
};

struct sender {
    struct program *program;
    int signals;
    bool keep_existing;
    struct resume done; /* what is settled */
    bool interrupted;
    uint64_t line;            /* of the item that failed */
    char why[SENDER_WHY_MAX]; /* it failed */
    size_t messages_count;
    size_t count;
    struct sender_item items[TRANSFER_MESSAGES_MAX];
    kv_message_t messages[TRANSFER_MESSAGES_MAX];
};

/* True if one more fits. */
bool sender_has_room(const struct sender *sender, const struct item *item);
void sender_add(struct sender *sender, const struct item *item,
    const struct sender_mark *mark);
/* Sends what was added, and waits for the replies.  PROGRAM_YES: all is
 * settled; else the exit status, with line and why set.  The sender is empty
 * then. */
int sender_flush(struct sender *sender);

#endif
