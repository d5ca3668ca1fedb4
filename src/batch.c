#include "batch.h"

#include <stdarg.h>
#include <stdio.h>

const char *verb_name(unsigned verb)
{
    switch (verb) {
    case VERB_SWEEP:
        return "SWEEP";
    case VERB_MARK:
        return "MARK";
    case VERB_RECORD:
        return "RECORD";
    case VERB_DROP:
        return "DROP";
    case VERB_FLUSH:
        return "FLUSH";
    default:
        return kv_request_name((int)verb);
    }
}

void op_refuse(struct op *op, kv_error_t status, const char *format, ...)
{
    char text[KV_VALUE_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    op_reply(op, status);
    if (length > 0) {
        op->message->value_len =
            (uint16_t)u64_min((uint64_t)length, KV_VALUE_MAX);
        memcpy(op->message->value, text, op->message->value_len);
    }
}
