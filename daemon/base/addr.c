#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"

int addr_parse(const char *s, Addr *ret)
{
        char buf[ADDR_MAX + 2];
        Addr a = {0};

        size_t n = strlen(s);
        if (n == 0 || n >= sizeof(buf))
                return -EINVAL;
        str_copy(buf, sizeof(buf), s);
        char *p = buf;
        if (p[0] == '[' && p[n - 1] == ']') {
                p[n - 1] = 0;
                p++;
        }
        char *zone = strchr(p, '%');
        if (zone)
                *zone++ = 0;
        if (inet_pton(AF_INET, p, &a.in) == 1 && !zone)
                a.family = AF_INET;
        else if (inet_pton(AF_INET6, p, &a.in6) == 1)
                a.family = AF_INET6;
        else
                return -EINVAL;
        if (zone) {
                a.scope = if_nametoindex(zone);
                if (a.scope == 0)
                        a.scope = (uint32_t)strtoul(zone, NULL, 10);
                if (a.scope == 0)
                        return -ENODEV;
        }
        *ret = a;
        return 0;
}

char *addr_format(char buf[ADDR_MAX], const Addr *a)
{
        char zone[IF_NAMESIZE];

        if (!addr_is_set(a) || !inet_ntop(a->family, &a->in, buf, INET6_ADDRSTRLEN))
                return str_copy(buf, ADDR_MAX, "-");
        if (a->family == AF_INET6 && a->scope && addr_is_link_local(a)) {
                size_t n = strlen(buf);
                if (if_indextoname(a->scope, zone))
                        (void)snprintf(buf + n, ADDR_MAX - n, "%%%s", zone);
                else
                        (void)snprintf(buf + n, ADDR_MAX - n, "%%%u", a->scope);
        }
        return buf;
}

char *addr_format_port(char buf[ADDR_PORT_MAX], const Addr *a)
{
        char one[ADDR_MAX];

        (void)snprintf(buf, ADDR_PORT_MAX, a->family == AF_INET6 ? "[%s]:%u" : "%s:%u",
                       addr_format(one, a), a->port);
        return buf;
}

int addr_parse_port(const char *s, Addr *ret)
{
        char host[ADDR_PORT_MAX];
        uint16_t port;
        Addr a;

        const char *colon = strrchr(s, ':');
        if (!colon || (size_t)(colon - s) >= sizeof(host))
                return -EINVAL;
        int r = parse_port(colon + 1, &port);
        if (r < 0)
                return r;
        (void)snprintf(host, sizeof(host), "%.*s", (int)(colon - s), s);
        r = addr_parse(host, &a);
        if (r < 0)
                return r;
        /* "fd00::1:6379" could be an address whole */
        if ((a.family == AF_INET6) != (host[0] == '['))
                return -EINVAL;
        a.port = port;
        *ret = a;
        return 0;
}

int addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, Addr *ret)
{
        SockAddr s;

        if (len > sizeof(s))
                return -EINVAL;
        memcpy(&s, sa, len);
        if (s.sa.sa_family == AF_INET && len >= sizeof(s.in))
                *ret = (Addr){.family = AF_INET, .in = s.in.sin_addr, .port = ntohs(s.in.sin_port)};
        else if (s.sa.sa_family == AF_INET6 && len >= sizeof(s.in6))
                *ret = (Addr){.family = AF_INET6,
                              .in6 = s.in6.sin6_addr,
                              .scope = s.in6.sin6_scope_id,
                              .port = ntohs(s.in6.sin6_port)};
        else
                return -EAFNOSUPPORT;
        return 0;
}

socklen_t addr_to_sockaddr(const Addr *a, SockAddr *ret)
{
        memset(ret, 0, sizeof(*ret));
        if (a->family == AF_INET6) {
                ret->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                                 .sin6_addr = a->in6,
                                                 .sin6_scope_id = a->scope,
                                                 .sin6_port = htons(a->port)};
                return sizeof(ret->in6);
        }
        ret->in = (struct sockaddr_in){
                .sin_family = AF_INET, .sin_addr = a->in, .sin_port = htons(a->port)};
        return sizeof(ret->in);
}

void addr_unmap(Addr *a)
{
        struct in_addr in;

        if (a->family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->in6))
                return;
        memcpy(&in, &a->in6.s6_addr[12], sizeof(in));
        *a = (Addr){.family = AF_INET, .in = in, .port = a->port};
}

bool addr_equal(const Addr *a, const Addr *b)
{
        if (a->family != b->family)
                return false;
        if (a->family == AF_INET)
                return a->in.s_addr == b->in.s_addr;
        if (a->family == AF_INET6)
                return IN6_ARE_ADDR_EQUAL(&a->in6, &b->in6) && a->scope == b->scope;
        return true;
}

bool addr_port_equal(const Addr *a, const Addr *b)
{
        return addr_equal(a, b) && a->port == b->port;
}

bool addr_port_in(const Addr *list, size_t n, const Addr *a)
{
        for (size_t i = 0; i < n; i++)
                if (addr_port_equal(&list[i], a))
                        return true;
        return false;
}

bool addr_same_source(const Addr *a, const Addr *b)
{
        if (a->family != AF_INET6 || b->family != AF_INET6)
                return addr_equal(a, b);
        return memcmp(&a->in6, &b->in6, 8) == 0;
}

bool addr_is_set(const Addr *a)
{
        return a->family == AF_INET || a->family == AF_INET6;
}

bool addr_is_loopback(const Addr *a)
{
        if (a->family == AF_INET)
                return ntohl(a->in.s_addr) >> 24 == 127;
        if (a->family != AF_INET6)
                return false;
        if (IN6_IS_ADDR_V4MAPPED(&a->in6))
                return a->in6.s6_addr[12] == 127;
        return IN6_IS_ADDR_LOOPBACK(&a->in6);
}

bool addr_is_link_local(const Addr *a)
{
        if (a->family == AF_INET)
                return ntohl(a->in.s_addr) >> 16 == 0xa9fe;
        return a->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&a->in6);
}

bool addr_is_multicast(const Addr *a)
{
        if (a->family == AF_INET)
                return IN_MULTICAST(ntohl(a->in.s_addr));
        return a->family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&a->in6);
}

bool addr_is_any(const Addr *a)
{
        if (a->family == AF_INET)
                return a->in.s_addr == INADDR_ANY;
        return a->family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->in6);
}

bool addr_is_usable(const Addr *a)
{
        return addr_is_set(a) && !addr_is_loopback(a) && !addr_is_link_local(a) &&
               !addr_is_multicast(a) && !addr_is_any(a);
}
