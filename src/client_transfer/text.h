/* text.h: UTF-8 (RFC 3629) and base64 (RFC 4648, section 4). */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEXT_UTF8_MAX = 4 /* bytes of one character */ };

/* True if the bytes are UTF-8: shortest forms, no surrogates, up to U+10FFFF.
 * No bytes are, too. */
bool text_is_utf8(const uint8_t *bytes, size_t size);
/* Writes one character; returns its bytes.  code: no surrogate. */
size_t text_put_utf8(uint32_t code, uint8_t bytes[TEXT_UTF8_MAX]);

/* Characters for so many bytes. */
#define TEXT_BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/* Writes TEXT_BASE64_SIZE(size) characters, no zero byte; returns how many. */
size_t text_put_base64(const uint8_t *bytes, size_t size, char *text);
/* Decodes in place; returns how many bytes, or -1 if it is not base64 with its
 * padding and nothing else. */
int64_t text_take_base64(uint8_t *text, size_t length);

#endif
