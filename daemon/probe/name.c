#include "probe/name.h"

#include <errno.h>
#include <stdio.h>

int name_literal(Evidence *e)
{
        uint16_t port = e->addr.port;
        int r = addr_parse(e->host, &e->addr);
        if (r == -ENODEV) {
                const char *zone = strchr(e->host, '%');
                char bare[sizeof(e->host)];
                (void)snprintf(bare, sizeof(bare), "%.*s", (int)(zone - e->host), e->host);
                r = addr_parse(bare, &e->addr);
                (void)snprintf(e->from, sizeof(e->from), "%s", zone + 1);
        }
        e->addr.port = port;
        if (r >= 0)
                e->name = NAME_LITERAL;
        return r;
}

static NameOutcome outcome_of(ResolveResult r)
{
        switch (r) {
        case RESOLVE_OK:
                return NAME_RESOLVED;
        case RESOLVE_NXDOMAIN:
        case RESOLVE_NODATA:
        case RESOLVE_BAD_NAME:
                return NAME_NOT_THERE;
        case RESOLVE_INTERNAL:
                return NAME_UNKNOWN;
        default:
                return NAME_NO_ANSWER;
        }
}

static bool fits(const Addr *a, int family)
{
        return family == AF_UNSPEC || a->family == family;
}

/* The first that could be another machine, IPv4 before IPv6, else the first of all. */
static size_t choose(const ResolveAnswer *a, int family)
{
        size_t first = a->n_addrs;
        for (size_t i = 0; i < a->n_addrs; i++) {
                if (!fits(&a->addrs[i], family))
                        continue;
                if (addr_is_usable(&a->addrs[i]))
                        return i;
                first = MIN(first, i);
        }
        return first;
}

static void tell(Evidence *e, const ResolveAnswer *a)
{
        char addr[ADDR_MAX];
        addr_format(addr, &e->addr);
        if (a->from_hosts)
                (void)snprintf(e->name_text, sizeof(e->name_text), "/etc/hosts says that %s is %s",
                               e->host, addr);
        else if (a->n_addrs > 1)
                (void)snprintf(e->name_text, sizeof(e->name_text),
                               "DNS gives %u addresses of %s, of which %s comes first", e->n_addrs,
                               e->host, addr);
}

size_t name_answer(Evidence *e, const ResolveAnswer *a, int family, Addr *others, size_t max)
{
        uint16_t port = e->addr.port;
        size_t n = 0;

        e->name = outcome_of(a->result);
        e->n_addrs = (unsigned)a->n_addrs;
        str_copy(e->name_text, sizeof(e->name_text), a->text);
        str_copy(e->host_facts.dns, sizeof(e->host_facts.dns),
                 strempty(resolve_result_to_string(a->result)));
        if (e->name != NAME_RESOLVED)
                return 0;
        size_t best = choose(a, family);
        if (best >= a->n_addrs) {
                e->name = NAME_NOT_THERE;
                (void)snprintf(e->name_text, sizeof(e->name_text), "%s has no IPv%c address",
                               e->host, family == AF_INET6 ? '6' : '4');
                return 0;
        }
        e->addr = a->addrs[best];
        e->addr.port = port;
        tell(e, a);
        for (size_t i = best + 1; i < a->n_addrs && n < max; i++)
                if (addr_is_usable(&a->addrs[i]) && fits(&a->addrs[i], family))
                        others[n++] = a->addrs[i];
        return n;
}
