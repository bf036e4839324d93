#include "probe-cli/nss.h"

#include <errno.h>
#include <netdb.h>

/* As the examination itself would choose: what could be another machine, IPv4 first. */
static int rank(const Addr *a)
{
        return (addr_is_usable(a) ? 0 : 2) + (a->family == AF_INET ? 0 : 1);
}

int nss_lookup(const char *host, Addr *ret)
{
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
        Addr best = {0};

        if (getaddrinfo(host, NULL, &hints, &list) != 0)
                return -ENOENT;
        for (const struct addrinfo *i = list; i; i = i->ai_next) {
                Addr a;
                if (addr_from_sockaddr(i->ai_addr, i->ai_addrlen, &a) >= 0 &&
                    (!addr_is_set(&best) || rank(&a) < rank(&best)))
                        best = a;
        }
        freeaddrinfo(list);
        if (!addr_is_set(&best))
                return -ENOENT;
        best.port = 0;
        *ret = best;
        return 0;
}
