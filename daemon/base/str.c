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
