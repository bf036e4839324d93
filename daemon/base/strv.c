#include "base/strv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"

char **strv_free(char **l)
{
        STRV_FOREACH (s, l)
                free(*s);
        free(l);
        return NULL;
}

size_t strv_length(char *const *l)
{
        size_t n = 0;
        STRV_FOREACH (s, l)
                n++;
        return n;
}

bool strv_contains(char *const *l, const char *needle)
{
        STRV_FOREACH (s, l)
                if (streq(*s, needle))
                        return true;
        return false;
}

bool strv_equal(char *const *a, char *const *b)
{
        size_t n = strv_length(a);
        if (n != strv_length(b))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!streq(a[i], b[i]))
                        return false;
        return true;
}

int strv_consume(char ***l, char *s)
{
        if (!s)
                return -ENOMEM;
        size_t n = strv_length(*l);
        char **m = reallocarray(*l, n + 2, sizeof(char *));
        if (!m) {
                free(s);
                return -ENOMEM;
        }
        m[n] = s;
        m[n + 1] = NULL;
        *l = m;
        return 0;
}

int strv_extend(char ***l, const char *s)
{
        return strv_consume(l, strdup(s));
}

int strv_extendf(char ***l, const char *fmt, ...)
{
        char *s = NULL;
        va_list ap;

        va_start(ap, fmt);
        int r = vasprintf(&s, fmt, ap);
        va_end(ap);
        return r < 0 ? -ENOMEM : strv_consume(l, s);
}

char **strv_copy(char *const *l)
{
        _cleanup_strv_free_ char **copy = new0(char *, 1);
        if (!copy)
                return NULL;
        STRV_FOREACH (s, l)
                if (strv_extend(&copy, *s) < 0)
                        return NULL;
        return TAKE_PTR(copy);
}

char *strv_join(char *const *l, const char *sep)
{
        size_t size = 1, k = strlen(sep);
        STRV_FOREACH (s, l)
                size += strlen(*s) + k;
        char *out = malloc(size);
        if (!out)
                return NULL;
        char *o = out;
        STRV_FOREACH (s, l) {
                if (s != l)
                        o = stpcpy(o, sep);
                o = stpcpy(o, *s);
        }
        *o = 0;
        return out;
}

int strv_split(const char *s, const char *seps, char ***ret)
{
        _cleanup_strv_free_ char **l = NULL;

        while (*s) {
                s += strspn(s, seps);
                size_t n = strcspn(s, seps);
                if (n == 0)
                        break;
                int r = strv_consume(&l, strndup(s, n));
                if (r < 0)
                        return r;
                s += n;
        }
        *ret = TAKE_PTR(l);
        return 0;
}
