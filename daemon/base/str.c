#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

const char *startswith(const char *s, const char *prefix)
{
        size_t n = strlen(prefix);
        return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool endswith(const char *s, const char *suffix)
{
        size_t n = strlen(s), m = strlen(suffix);
        return n >= m && streq(s + n - m, suffix);
}

char *str_printf(const char *fmt, ...)
{
        char *s = NULL;
        va_list ap;

        va_start(ap, fmt);
        int r = vasprintf(&s, fmt, ap);
        va_end(ap);
        return r < 0 ? NULL : s;
}

char *str_copy(char *buf, size_t size, const char *s)
{
        size_t n = strnlen(s, size - 1);

        memcpy(buf, s, n);
        buf[n] = 0;
        return buf;
}

int free_and_strdup(char **p, const char *s)
{
        if (streq_ptr(*p, s))
                return 0;
        char *copy = NULL;
        if (s) {
                copy = strdup(s);
                if (!copy)
                        return -ENOMEM;
        }
        free(*p);
        *p = copy;
        return 1;
}

bool str_is_name(const char *s, size_t max)
{
        size_t n = strlen(s);

        for (size_t i = 0; i < n; i++)
                if (!isalnum((unsigned char)s[i]) && (!strchr("._-", s[i]) || i == 0 || i + 1 == n))
                        return false;
        return n >= 1 && n <= max;
}

char *str_strip(char *s)
{
        while (isspace((unsigned char)*s))
                s++;
        size_t n = strlen(s);
        while (n > 0 && isspace((unsigned char)s[n - 1]))
                s[--n] = 0;
        return s;
}

#define DISTANCE_MAX_LEN 64

size_t str_distance(const char *a, const char *b)
{
        size_t n = strlen(a), m = strlen(b);
        size_t row[3][DISTANCE_MAX_LEN + 1];

        if (n > DISTANCE_MAX_LEN || m > DISTANCE_MAX_LEN)
                return SIZE_MAX;
        size_t *two = row[0], *one = row[1], *now = row[2];
        for (size_t j = 0; j <= m; j++)
                one[j] = two[j] = j;
        for (size_t i = 1; i <= n; i++) {
                now[0] = i;
                for (size_t j = 1; j <= m; j++) {
                        size_t swap = SIZE_MAX;
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                swap = two[j - 2] + 1;
                        size_t step = one[j - 1] + (a[i - 1] != b[j - 1]);
                        size_t edit = MIN(one[j], now[j - 1]) + 1;
                        step = MIN(step, edit);
                        now[j] = MIN(step, swap);
                }
                size_t *spare = two;
                two = one;
                one = now;
                now = spare;
        }
        return one[m];
}

const char *str_nearest(const char *s, const char *const *list)
{
        const char *best = NULL;
        size_t least = SIZE_MAX;

        for (; *list; list++) {
                size_t d = str_distance(s, *list);
                if (d < least) {
                        least = d;
                        best = *list;
                }
        }
        if (!best || least == SIZE_MAX || least > MAX(strlen(best) / 3, (size_t)1))
                return NULL;
        return best;
}

char *str_escape(const char *s, size_t len, size_t max)
{
        size_t n = MIN(len, max);
        char *out = malloc(n * 4 + 4);
        if (!out)
                return NULL;
        char *o = out;
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)s[i];
                if (c >= 0x20 && c < 0x7f && c != '\\')
                        *o++ = (char)c;
                else
                        o += sprintf(o, "\\x%02x", c);
        }
        if (len > max) {
                memcpy(o, "...", 3);
                o += 3;
        }
        *o = 0;
        return out;
}

/* Length of the character at s with its value, 0 when malformed (overlong, surrogate, too great).
 */
static size_t utf8_next(const unsigned char *s, uint32_t *ret)
{
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        size_t n = *s < 0x80 ? 1 : *s >> 5 == 6 ? 2 : *s >> 4 == 14 ? 3 : *s >> 3 == 30 ? 4 : 0;
        uint32_t c = n == 1 ? *s : *s & (0x7fU >> n);

        for (size_t i = 1; i < n; i++) {
                if (s[i] >> 6 != 2) /* the end of the string, too */
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }
        if (n == 0 || (n > 1 && c < least[n]) || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
                return 0;
        *ret = c;
        return n;
}

bool utf8_is_printable(const char *s)
{
        const unsigned char *p = (const unsigned char *)s;
        uint32_t c = 0;

        for (size_t n; *p; p += n) {
                n = utf8_next(p, &c);
                if (n == 0 || (c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7f && c < 0xa0))
                        return false;
        }
        return true;
}
