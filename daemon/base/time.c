#include "base/time.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

static usec_t now_clock(clockid_t id)
{
        struct timespec ts;

        (void)clock_gettime(id, &ts);
        return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

usec_t now_mono(void)
{
        return now_clock(CLOCK_MONOTONIC);
}

usec_t now_real(void)
{
        return now_clock(CLOCK_REALTIME);
}

usec_t usec_add(usec_t a, usec_t b)
{
        return a > USEC_INFINITY - b ? USEC_INFINITY : a + b;
}

usec_t usec_sub(usec_t a, usec_t b)
{
        if (a == USEC_INFINITY)
                return a;
        return a > b ? a - b : 0;
}

static const struct {
        const char *name;
        usec_t usec;
} units[] = {
        {"us", 1},
        {"ms", USEC_PER_MSEC},
        {"s", USEC_PER_SEC},
        {"sec", USEC_PER_SEC},
        {"min", USEC_PER_MIN},
        {"m", USEC_PER_MIN},
        {"h", 60 * USEC_PER_MIN},
        {"d", 24 * 60 * USEC_PER_MIN},
};

static int parse_one(const char **p, usec_t *ret)
{
        char *end;

        if (!isdigit((unsigned char)**p))
                return -EINVAL;
        errno = 0;
        unsigned long long n = strtoull(*p, &end, 10);
        if (errno)
                return -ERANGE;
        while (*end == ' ')
                end++;
        size_t len = strspn(end, "abcdefghijklmnopqrstuvwxyz");
        for (size_t i = 0; i < ELEMENTSOF(units); i++) {
                if (strlen(units[i].name) != len || strncmp(end, units[i].name, len) != 0)
                        continue;
                if (n > (USEC_INFINITY - 1) / units[i].usec)
                        return -ERANGE;
                *ret = n * units[i].usec;
                *p = end + len;
                return 0;
        }
        return -EINVAL;
}

int parse_duration(const char *s, usec_t *ret)
{
        usec_t sum = 0;

        s += strspn(s, " ");
        if (!*s)
                return -EINVAL;
        while (*s) {
                usec_t one;
                int r = parse_one(&s, &one);
                if (r < 0)
                        return r;
                sum = usec_add(sum, one);
                if (sum == USEC_INFINITY)
                        return -ERANGE;
                s += strspn(s, " ");
        }
        *ret = sum;
        return 0;
}

char *format_duration(char buf[DURATION_MAX], usec_t t)
{
        static const struct {
                const char *name;
                usec_t usec;
        } big[] = {
                {"d", 24 * 60 * USEC_PER_MIN},
                {"h", 60 * USEC_PER_MIN},
                {"min", USEC_PER_MIN},
                {"s", USEC_PER_SEC},
        };

        if (t == USEC_INFINITY)
                return str_copy(buf, DURATION_MAX, "infinity");
        if (t == 0)
                return str_copy(buf, DURATION_MAX, "0");
        if (t < USEC_PER_MSEC)
                (void)snprintf(buf, DURATION_MAX, "%lluus", (unsigned long long)t);
        else if (t < USEC_PER_SEC)
                (void)snprintf(buf, DURATION_MAX, "%llums",
                               (unsigned long long)(t / USEC_PER_MSEC));
        else if (t < 10 * USEC_PER_SEC && t % USEC_PER_SEC >= USEC_PER_MSEC)
                (void)snprintf(buf, DURATION_MAX, "%llu.%03llus",
                               (unsigned long long)(t / USEC_PER_SEC),
                               (unsigned long long)(t % USEC_PER_SEC / USEC_PER_MSEC));
        else {
                size_t i = 0;
                while (t < big[i].usec)
                        i++;
                int n = snprintf(buf, DURATION_MAX, "%llu%s", (unsigned long long)(t / big[i].usec),
                                 big[i].name);
                t %= big[i].usec;
                if (i + 1 < ELEMENTSOF(big) && t / big[i + 1].usec > 0)
                        (void)snprintf(buf + n, DURATION_MAX - (size_t)n, " %llu%s",
                                       (unsigned long long)(t / big[i + 1].usec), big[i + 1].name);
        }
        return buf;
}
