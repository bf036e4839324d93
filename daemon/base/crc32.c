#include "base/crc32.h"

/* Bit by bit: what is summed here is as long as a line, and a table would be longer. */
uint32_t crc32_of(const void *data, size_t n)
{
        const uint8_t *p = data;
        uint32_t crc = UINT32_MAX;

        for (size_t i = 0; i < n; i++) {
                crc ^= p[i];
                for (unsigned bit = 0; bit < 8; bit++)
                        crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
        return ~crc;
}
