#include "base/hex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *hex_encode(const void *data, size_t n)
{
        static const char digits[] = "0123456789abcdef";
        const uint8_t *p = data;

        char *s = malloc(n * 2 + 1);
        if (!s)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                s[i * 2] = digits[p[i] >> 4];
                s[i * 2 + 1] = digits[p[i] & 15];
        }
        s[n * 2] = 0;
        return s;
}

static int digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -EINVAL;
}

int hex_decode(const char *s, uint8_t *ret, size_t n)
{
        if (strlen(s) != n * 2)
                return -EINVAL;
        for (size_t i = 0; i < n; i++) {
                int hi = digit(s[i * 2]), lo = digit(s[i * 2 + 1]);
                if (hi < 0 || lo < 0)
                        return -EINVAL;
                ret[i] = (uint8_t)(hi << 4 | lo);
        }
        return 0;
}
