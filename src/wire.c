#include "wire.h"

#include <inttypes.h>

enum {
    TLS_HANDSHAKE = 0x16, /* RFC 8446, 5.1: the type of a first TLS record */
    NATIVE_MAX = 31,
    REQUEST_MIN = KV_PUT,
    REQUEST_MAX = KV_BACKUP
};

_Static_assert(
    (int)REQUEST_MAX < (int)VERB_SWEEP, "internal verbs stay inside");
_Static_assert((int)REQUEST_MAX < (int)TLS_HANDSHAKE, "no request is a hello");

enum wire_protocol wire_protocol(uint8_t first)
{
    if (first == TLS_HANDSHAKE) {
        return WIRE_TLS;
    }
    uint8_t number = first & (uint8_t)~KV_LINKED;
    if (number >= REQUEST_MIN && number <= NATIVE_MAX) {
        return WIRE_NATIVE;
    }
    uint8_t lower = first | 0x20;
    if (first == '*' || (lower >= 'a' && lower <= 'z')) {
        return WIRE_RESP;
    }
    return WIRE_UNKNOWN;
}

/* True if the value block is zero from offset on: the first byte there is, and
 * each is like the one before it. */
static bool zero_from(const kv_message_t *message, size_t offset)
{
    const uint8_t *rest = message->value + offset;
    size_t size = KV_VALUE_MAX - offset;
    return size == 0 || (rest[0] == 0 && memcmp(rest, rest + 1, size - 1) == 0);
}

/* The first byte of the value block from offset on that is not zero, or
 * KV_VALUE_MAX. */
static size_t find_dirt(const kv_message_t *message, size_t offset)
{
    if (zero_from(message, offset)) {
        return KV_VALUE_MAX;
    }
    while (message->value[offset] == 0) {
        offset++;
    }
    return offset;
}

/* Gives a value that came as a C string its length. */
static void measure_string(kv_message_t *message)
{
    if (zero_from(message, 0)) {
        return;
    }
    size_t length = strnlen((const char *)message->value, KV_VALUE_MAX);
    memset(message->value + length, 0, KV_VALUE_MAX - length);
    message->value_len = (uint16_t)length;
}

static void decode_number(struct op *op)
{
    const kv_message_t *message = op->message;
    bool overflow;
    bool number = decimal_parse(
        message->value, message->value_len, &op->number, &overflow);
    if (op->verb == KV_EXPIRE) {
        if (!number || op->number < 1 || op->number > WIRE_EXPIRE_MAX_MS) {
            op_refuse(op, KV_INVALID,
                "EXPIRE takes 1 to %" PRId64 " milliseconds as decimal text",
                WIRE_EXPIRE_MAX_MS);
            op->state = OP_REFUSED;
        }
        return;
    }
    if (!number) {
        op_refuse(op, overflow ? KV_OVERFLOW : KV_NOT_A_NUMBER,
            overflow ? "the delta does not fit in 64 bits"
                     : "the delta is not a decimal number such as -12");
        op->state = OP_REFUSED;
    }
}

/* Refuses what no verb allows.  True if the message is well formed. */
static bool check_form(struct op *op)
{
    const kv_message_t *message = op->message;
    unsigned number = message->type & ~(unsigned)KV_LINKED;
    if (number < REQUEST_MIN || number > REQUEST_MAX) {
        op_refuse(op, KV_INVALID,
            "request number %u is unknown; this version knows %d to %d", number,
            REQUEST_MIN, REQUEST_MAX);
        op->verb = VERB_NONE;
        return false;
    }
    if (message->status != 0) {
        op_refuse(op, KV_INVALID, "the status of a request is 0, not %u",
            (unsigned)message->status);
        return false;
    }
    if (message->value_len > KV_VALUE_MAX) {
        op_refuse(op, KV_INVALID, "value_len is %u; a value has at most %d",
            (unsigned)message->value_len, KV_VALUE_MAX);
        return false;
    }
    if (message->value_len > 0) {
        size_t dirt = find_dirt(message, message->value_len);
        if (dirt < KV_VALUE_MAX) {
            op_refuse(op, KV_INVALID,
                "byte %zu of the value is not zero, but value_len is %u", dirt,
                (unsigned)message->value_len);
            return false;
        }
    }
    if ((verb_flags(op->verb) & VERB_KEY) != 0 &&
        bytes_all_zero(message->key, KV_KEY_SIZE)) {
        op_refuse(op, KV_INVALID, "the key is empty; %s needs one",
            kv_request_name(op->verb));
        return false;
    }
    return true;
}

void wire_decode(kv_message_t *message, struct op *op)
{
    unsigned verb = message->type & ~(unsigned)KV_LINKED;
    op->message = message;
    op->hash = 0;
    op->number = 0;
    op->verb = (uint8_t)verb;
    op->linked = (message->type & KV_LINKED) != 0;
    if (!check_form(op)) {
        op->state = OP_REFUSED;
        return;
    }
    unsigned flags = verb_flags(verb);
    op->state = op->linked || (flags & VERB_WRITE) != 0 ? OP_COMMIT : OP_READ;
    if ((flags & VERB_VALUE) != 0 && message->value_len == 0) {
        measure_string(message);
    }
    if ((flags & VERB_NUMBER) != 0) {
        decode_number(op);
    } else if (verb == KV_AUTH) {
        op_refuse(
            op, KV_INVALID, "authentication is not available in this version");
        op->state = OP_REFUSED;
    }
}

static int hexadecimal_digit(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    uint8_t lower = digit | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool wire_cursor_parse(const kv_message_t *message, uint64_t *cursor)
{
    *cursor = 0;
    if (message->value_len == 0) {
        return true;
    }
    if (message->value_len != WIRE_CURSOR_SIZE) {
        return false;
    }
    uint64_t number = 0;
    for (size_t i = 0; i < WIRE_CURSOR_SIZE; i++) {
        int digit = hexadecimal_digit(message->value[i]);
        if (digit < 0) {
            return false;
        }
        number = number << 4 | (uint64_t)digit;
    }
    *cursor = number;
    return true;
}

void wire_cursor_format(kv_message_t *message, uint64_t cursor)
{
    memset(message->value, 0, KV_VALUE_MAX);
    message->value_len = cursor == 0 ? 0 : WIRE_CURSOR_SIZE;
    for (size_t i = 0; i < message->value_len; i++) {
        unsigned shift = 4 * (unsigned)(WIRE_CURSOR_SIZE - 1 - i);
        message->value[i] = (uint8_t) "0123456789abcdef"[cursor >> shift & 15];
    }
}
