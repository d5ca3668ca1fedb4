/* frame.h: a request as it stands in the log, and a record in a backup.
 *
 *     offset  size
 *     0       4     crc32c of the 316 bytes that follow
 *     4       8     lsn       number of the frame
 *     12      8     time_ms   when it was committed, milliseconds since 1970
 *     20      8     arg       the request's number: EXPIRE's milliseconds,
 *                             ADD's delta, MARK's LSN; in a backup: expiry
 *     28      292   message   type, key, value; bit 7 of type: the next frame
 *                             belongs to the same chain
 *
 * A frame is valid if its CRC holds and its lsn is the one expected where it
 * stands. */
#ifndef FRAME_H
#define FRAME_H

#include "batch.h"
#include "bytes.h"
#include "crc32c.h"
#include "kv_store.h"

struct frame {
    uint32_t crc;
    uint64_t lsn;
    int64_t time_ms;
    int64_t arg;
    kv_message_t message;
} __attribute__((packed, aligned(4)));

enum { FRAME_SIZE = 320 };

_Static_assert(sizeof(struct frame) == FRAME_SIZE, "frame size");
_Static_assert(offsetof(struct frame, lsn) == 4, "lsn");
_Static_assert(offsetof(struct frame, time_ms) == 12, "time_ms");
_Static_assert(offsetof(struct frame, arg) == 20, "arg");
_Static_assert(offsetof(struct frame, message) == 28, "message");

static inline uint32_t frame_crc(const struct frame *frame)
{
    return crc32c(0, (const uint8_t *)frame + sizeof frame->crc,
        FRAME_SIZE - sizeof frame->crc);
}

static inline bool frame_valid(const struct frame *frame, uint64_t lsn)
{
    return frame->lsn == lsn && frame->crc == frame_crc(frame);
}

static inline bool frame_linked(const struct frame *frame)
{
    return (frame->message.type & KV_LINKED) != 0;
}

static inline unsigned frame_verb(const struct frame *frame)
{
    return frame->message.type & ~(unsigned)KV_LINKED;
}

#endif
