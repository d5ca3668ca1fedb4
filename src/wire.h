/* wire.h: the native protocol: bytes of a message into an operation.
 *
 * Pure: no socket, no clock, no memory of its own.  The layout of a message
 * stands in kv_store.h.  A message is valid if
 *
 *     type       1..16 in bits 0..6; bit 7: linked with the next message
 *     status     0
 *     value_len  0..256; the bytes of the value block after it are zero
 *     key        not all zero, for verbs that have one
 *
 * With value_len 0 and a block that is not all zero, the value is a C string:
 * the bytes before the first zero.  Verbs that take no value ignore the block
 * then, so that a plain struct that was filled with strcpy is a request. */
#ifndef WIRE_H
#define WIRE_H

#include "batch.h"

/* Expiries end within this, so that no sum of times leaves 64 bits. */
#define WIRE_EXPIRE_MAX_MS INT64_C(1000000000000000)

enum { WIRE_CURSOR_SIZE = 16 }; /* hexadecimal digits */

enum wire_protocol { WIRE_NATIVE, WIRE_RESP, WIRE_TLS, WIRE_UNKNOWN };

/* What a connection speaks whose first byte this is. */
enum wire_protocol wire_protocol(uint8_t first);

/* Makes *op of the message, which must stay where it is: value_len 0 with a C
 * string becomes its length, the rest of the block zero.  A message that is
 * not valid is overwritten by its reply and op->state is OP_REFUSED; else
 * OP_COMMIT if it is a write or linked, OP_READ if not.  type and key are left
 * as they came. */
void wire_decode(kv_message_t *message, struct op *op);

/* The cursor in the value of a decoded SCAN: 0 if it is empty.  False if it is
 * none; *cursor is 0 then. */
bool wire_cursor_parse(const kv_message_t *message, uint64_t *cursor);
/* Makes the cursor the value of message: empty if it is 0. */
void wire_cursor_format(kv_message_t *message, uint64_t cursor);

#endif
