#include "base/subnet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned bits_of(const Addr *a)
{
        return a->family == AF_INET ? 32 : 128;
}

static const uint8_t *bytes_of(const Addr *a)
{
        return (const uint8_t *)&a->in;
}

static bool bit(const Addr *a, unsigned i)
{
        return bytes_of(a)[i / 8] & (0x80U >> i % 8);
}

static int parse_bits(const char *s, unsigned max, unsigned *ret)
{
        char *end;

        if (*s < '0' || *s > '9')
                return -EINVAL;
        unsigned long n = strtoul(s, &end, 10);
        if (*end || n > max)
                return -EINVAL;
        *ret = (unsigned)n;
        return 0;
}

int subnet_parse(const char *s, Subnet *ret)
{
        char text[ADDR_MAX];
        const char *slash = strchr(s, '/');
        size_t n = slash ? (size_t)(slash - s) : strlen(s);
        Subnet net = {0};

        if (n == 0 || n >= sizeof(text))
                return -EINVAL;
        memcpy(text, s, n);
        text[n] = 0;
        if (addr_parse(text, &net.addr) < 0 || net.addr.scope != 0)
                return -EINVAL;
        net.bits = bits_of(&net.addr);
        if (slash && parse_bits(slash + 1, net.bits, &net.bits) < 0)
                return -EINVAL;
        for (unsigned i = net.bits; i < bits_of(&net.addr); i++)
                if (bit(&net.addr, i))
                        return -EINVAL;
        *ret = net;
        return 0;
}

char *subnet_format(char buf[SUBNET_MAX], const Subnet *s)
{
        char text[ADDR_MAX];

        buf[0] = 0;
        if (addr_is_set(&s->addr))
                (void)snprintf(buf, SUBNET_MAX, "%s/%u", addr_format(text, &s->addr), s->bits);
        return buf;
}

bool subnet_has(const Subnet *s, const Addr *a)
{
        if (!addr_is_set(&s->addr))
                return true;
        if (a->family != s->addr.family)
                return false;
        for (unsigned i = 0; i < s->bits; i++)
                if (bit(a, i) != bit(&s->addr, i))
                        return false;
        return true;
}
