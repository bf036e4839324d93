/* CRC-32 of IEEE 802.3, as in gzip and PNG: finds slips, such as any that lie within 32 bits of one
 * another. It is no protection from anybody who means it. */
#pragma once

#include "base/macro.h"

/* "123456789" gives 0xcbf43926; nothing gives 0. */
uint32_t crc32_of(const void *data, size_t n);
