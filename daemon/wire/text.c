#include "wire/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Length of the UTF-8 character at s, 0 when it is none (overlong, surrogate, above U+10FFFF, cut).
 */
static size_t utf8_length(const unsigned char *s, size_t size)
{
        size_t n = s[0] < 0x80   ? 1
                   : s[0] < 0xc2 ? 0
                   : s[0] < 0xe0 ? 2
                   : s[0] < 0xf0 ? 3
                   : s[0] < 0xf5 ? 4
                                 : 0;

        if (n == 0 || n > size)
                return 0;
        for (size_t i = 1; i < n; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
            (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
                return 0;
        return n;
}

/* C0, DEL, and C1 (U+0080 to U+009F), which terminals obey too. */
static bool is_control(const unsigned char *s, size_t n)
{
        return n == 1 ? s[0] < 0x20 || s[0] == 0x7f : n == 2 && s[0] == 0xc2 && s[1] < 0xa0;
}

char *text_clean(const char *s, size_t size, size_t max)
{
        size_t room = MIN(size, max);
        char *out = malloc(room + 1);
        if (!out)
                return NULL;

        size_t k = 0;
        for (size_t i = 0; i < size && k < room;) {
                const unsigned char *p = (const unsigned char *)s + i;
                size_t n = utf8_length(p, size - i);

                if (n == 0 || is_control(p, n)) {
                        out[k++] = strchr("\n\r\t", *p) && *p ? ' ' : '?';
                        i += MAX(n, (size_t)1);
                        continue;
                }
                if (n > room - k)
                        break;
                memcpy(out + k, p, n);
                k += n;
                i += n;
        }
        out[k] = 0;
        return out;
}

int text_version(char dest[static 32], const char *s)
{
        size_t n = strlen(s);

        if (n >= 32)
                return -EMSGSIZE;
        if (strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+-_") != n)
                return -EBADMSG;
        memcpy(dest, s, n + 1);
        return 0;
}
