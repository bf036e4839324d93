#include "base/base32.h"

#include <errno.h>
#include <stdlib.h>

char *base32_write(char *buf, const void *data, size_t n)
{
        const uint8_t *p = data;
        unsigned bits = 0, held = 0; /* `held` low bits of `bits` are not written yet */

        for (size_t i = 0; i < n; i++) {
                bits = (bits << 8 | p[i]) & 0xfff;
                for (held += 8; held >= 5; held -= 5)
                        *buf++ = BASE32_ALPHABET[bits >> (held - 5) & 31];
        }
        if (held > 0)
                *buf++ = BASE32_ALPHABET[bits << (5 - held) & 31];
        *buf = 0;
        return buf;
}

char *base32_encode(const void *data, size_t n)
{
        char *s = malloc(BASE32_LENGTH(n) + 1);
        if (s)
                base32_write(s, data, n);
        return s;
}

static int digit(char c)
{
        if (c >= 'a' && c <= 'z')
                return c - 'a';
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= '2' && c <= '7')
                return c - '2' + 26;
        return -EINVAL;
}

int base32_decode(const char *s, size_t len, uint8_t *ret, size_t n)
{
        unsigned bits = 0, held = 0;

        if (len != BASE32_LENGTH(n))
                return -EINVAL;
        for (size_t i = 0; i < len; i++) {
                int d = digit(s[i]);
                if (d < 0)
                        return -EINVAL;
                bits = bits << 5 | (unsigned)d;
                held += 5;
                if (held >= 8) {
                        held -= 8;
                        *ret++ = (uint8_t)(bits >> held);
                }
                bits &= (1U << held) - 1;
        }
        return bits ? -EINVAL : 0;
}
