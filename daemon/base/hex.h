/* Lower-case hexadecimal. */
#pragma once

#include "base/macro.h"

/* A new string of 2n characters, or NULL when out of memory. */
char *hex_encode(const void *data, size_t n) _warn_unused_result_;
/* Exactly 2n hex digits into n bytes; -EINVAL otherwise. */
int hex_decode(const char *s, uint8_t *ret, size_t n);
