/* Base 32 of RFC 4648, section 6, in lower case and without padding. */
#pragma once

#include "base/macro.h"

#define BASE32_ALPHABET "abcdefghijklmnopqrstuvwxyz234567"

/* Characters that n bytes take. */
#define BASE32_LENGTH(n) (((n)*8 + 4) / 5)

/* A new string (caller frees), or NULL when out of memory. */
char *base32_encode(const void *data, size_t n) _warn_unused_result_;
/* The same into a buffer of BASE32_LENGTH(n) + 1 bytes, for what may lie in no other place.
 * Returns the end of it, where the NUL is. */
char *base32_write(char *buf, const void *data, size_t n);

/* Exactly BASE32_LENGTH(n) characters, of either case, into n bytes. -EINVAL: another length,
 * another character, or spare bits behind the last byte that are not zero, so that no two texts
 * mean the same bytes; *ret is undefined then. */
int base32_decode(const char *s, size_t len, uint8_t *ret, size_t n);
