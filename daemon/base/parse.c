#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

int parse_u64(const char *s, uint64_t *ret)
{
        char *end;

        if (!isdigit((unsigned char)*s))
                return -EINVAL;
        errno = 0;
        unsigned long long n = strtoull(s, &end, 10);
        if (errno)
                return -ERANGE;
        if (*end)
                return -EINVAL;
        *ret = n;
        return 0;
}

int parse_i64(const char *s, int64_t *ret)
{
        char *end;

        if (!isdigit((unsigned char)*s) && !(*s == '-' && isdigit((unsigned char)s[1])))
                return -EINVAL;
        errno = 0;
        long long n = strtoll(s, &end, 10);
        if (errno)
                return -ERANGE;
        if (*end)
                return -EINVAL;
        *ret = n;
        return 0;
}

int parse_unsigned(const char *s, unsigned *ret)
{
        uint64_t n;
        int r = parse_u64(s, &n);
        if (r < 0)
                return r;
        if (n > UINT32_MAX)
                return -ERANGE;
        *ret = (unsigned)n;
        return 0;
}

int parse_port(const char *s, uint16_t *ret)
{
        uint64_t n;
        int r = parse_u64(s, &n);
        if (r < 0)
                return r;
        if (n < 1 || n > 65535)
                return -ERANGE;
        *ret = (uint16_t)n;
        return 0;
}

int parse_port_range(const char *s, uint16_t *ret_first, uint16_t *ret_last)
{
        char buf[16];
        uint16_t first, last;

        const char *dash = strchr(s, '-');
        if (!dash || (size_t)(dash - s) >= sizeof(buf))
                return -EINVAL;
        memcpy(buf, s, (size_t)(dash - s));
        buf[dash - s] = 0;
        int r = parse_port(buf, &first);
        if (r < 0)
                return r;
        r = parse_port(dash + 1, &last);
        if (r < 0)
                return r;
        if (first > last)
                return -ERANGE;
        *ret_first = first;
        *ret_last = last;
        return 0;
}

static const struct {
        const char *name;
        uint64_t bytes;
} sizes[] = {
        {"TiB", 1ULL << 40}, {"GiB", 1ULL << 30},      {"MiB", 1ULL << 20},
        {"KiB", 1ULL << 10}, {"TB", 1000000000000ULL}, {"GB", 1000000000ULL},
        {"MB", 1000000ULL},  {"kB", 1000ULL},          {"B", 1ULL},
};

int parse_size(const char *s, uint64_t *ret)
{
        char *end;

        if (!isdigit((unsigned char)*s))
                return -EINVAL;
        errno = 0;
        unsigned long long n = strtoull(s, &end, 10);
        if (errno)
                return -ERANGE;
        while (*end == ' ')
                end++;
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                if (!streq(end, sizes[i].name))
                        continue;
                if (n > UINT64_MAX / sizes[i].bytes)
                        return -ERANGE;
                *ret = n * sizes[i].bytes;
                return 0;
        }
        return -EINVAL;
}

char *format_size(char buf[SIZE_STR_MAX], uint64_t bytes)
{
        for (size_t i = 0; i < 4; i++) {
                if (bytes < sizes[i].bytes)
                        continue;
                uint64_t tenths = bytes / (sizes[i].bytes / 10 ? sizes[i].bytes / 10 : 1);
                if (tenths % 10)
                        (void)snprintf(buf, SIZE_STR_MAX, "%llu.%llu%s",
                                       (unsigned long long)(tenths / 10),
                                       (unsigned long long)(tenths % 10), sizes[i].name);
                else
                        (void)snprintf(buf, SIZE_STR_MAX, "%llu%s",
                                       (unsigned long long)(tenths / 10), sizes[i].name);
                return buf;
        }
        (void)snprintf(buf, SIZE_STR_MAX, "%lluB", (unsigned long long)bytes);
        return buf;
}
