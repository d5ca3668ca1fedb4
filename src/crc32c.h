/* crc32c.h: CRC-32C (Castagnoli; RFC 3720, appendix B.4), with the processor's
 * instruction where it has one. */
#ifndef CRC32C_H
#define CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of size bytes that follow others whose CRC is crc; 0 at first. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);
/* The same by table, on any processor: the other's measure in the tests. */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t size);

#endif
