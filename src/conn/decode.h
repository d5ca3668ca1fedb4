/* decode.h: conn_decode for each protocol; for the files of this folder,
 * and for tests. */
#ifndef CONN_DECODE_H
#define CONN_DECODE_H

#include "conn/conn.h"

void native_decode(struct conn *conn, uint8_t *bytes, size_t size,
    struct batch *batch, struct conn_intake *intake);
void resp_decode(struct conn *conn, uint8_t *bytes, size_t size,
    struct batch *batch, struct conn_intake *intake);

/* How a call is executed that stands alone. */
enum op_state resp_state(const struct call *call);

#endif
