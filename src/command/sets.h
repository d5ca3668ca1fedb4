/* sets.h: the commands of sets.
 *
 * Each member is a record under the inner key of owner and the keyed 128-bit
 * hash of its bytes, so that one look finds it; equality is decided by the
 * bytes.  Each has a number, 0 to count - 1 without a gap, so that one draw
 * finds any: an array of all hashes, in blocks of fourteen.  Full blocks are
 * records, the last one, which is never empty, stands in the head.  Who removes
 * a member puts the last one in its place.
 *
 *     head's rest:  0   224  hashes of the last block, 16 bytes each
 *     inner key of a member:  16  16  hash
 *     member:       the record's value; its number n stands as -1 - n where
 *                   other records have their expiry
 *     inner key of a block:   16  8   number of the block; 24  8  bytes 0xff
 *     block:        0   224  hashes of fourteen members */
#ifndef COMMAND_SETS_H
#define COMMAND_SETS_H

#include "command/call.h"
#include "command/collection.h"

enum { SET_HASH_SIZE = 16, SET_BLOCK = HEAD_REST / SET_HASH_SIZE };

bool set_shed(struct view *view, struct collection *head);

#endif
