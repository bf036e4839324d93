#include "reflect/back-rules.h"

static const char *const back_veto_table[_BACK_VETO_MAX] = {
        [BACK_MAY] = "may be connected to",
        [BACK_VETO_UNSET] = "is the address of no machine",
        [BACK_VETO_LOOPBACK] = "is a loopback address",
        [BACK_VETO_MULTICAST] = "is a multicast address",
        [BACK_VETO_LINK_LOCAL] = "is a link-local address, of a link that is not known here",
        [BACK_VETO_OWN] = "is this machine's own address",
        [BACK_VETO_CLAIMED] = "is not the address that the request came from",
        [BACK_VETO_OTHERS] = "is not in the certificate of the machine that asks",
        [BACK_VETO_PORT] = "is no port of the plan",
};
DEFINE_STRTAB(back_veto, BackVeto);

/* 0.0.0.0/8 is "this network", 240.0.0.0/4 is reserved and ends with the broadcast address. */
static bool is_nobody(const Addr *a)
{
        uint32_t top = a->family == AF_INET ? ntohl(a->in.s_addr) >> 24 : 1;

        return !addr_is_set(a) || addr_is_any(a) || top == 0 || top >= 240;
}

static bool is_listed(const BackPolicy *p, const Addr *addr)
{
        for (size_t i = 0; i < p->n_only; i++)
                if (addr_equal(&p->only[i], addr))
                        return true;
        return false;
}

BackVeto back_veto_addr(const BackPolicy *p, const Addr *peer, const Addr *addr, bool own)
{
        bool is_peer = addr_equal(peer, addr);

        if (is_nobody(addr))
                return BACK_VETO_UNSET;
        if (addr_is_multicast(addr))
                return BACK_VETO_MULTICAST;
        if (addr_is_loopback(addr) && !p->own)
                return BACK_VETO_LOOPBACK;
        if (own && !p->own)
                return BACK_VETO_OWN;
        if (addr_is_link_local(addr) && !is_peer)
                return BACK_VETO_LINK_LOCAL;
        if (p->only)
                return is_listed(p, addr) ? BACK_MAY : BACK_VETO_OTHERS;
        if (!is_peer && !p->claimed)
                return BACK_VETO_CLAIMED;
        return BACK_MAY;
}

BackVeto back_veto_port(const BackPolicy *p, uint16_t port)
{
        for (size_t i = 0; i < p->n_ports; i++)
                if (port > 0 && port >= p->ports[i].first && port <= p->ports[i].last)
                        return BACK_MAY;
        return BACK_VETO_PORT;
}

size_t back_addrs(const BackPolicy *p, const ReflectRequest *q, const Addr *peer,
                  back_is_own_func is_own, Addr ret[static BACK_ADDRS_MAX], BackVeto *ret_veto)
{
        size_t n = 0;

        *ret_veto = BACK_MAY;
        for (size_t i = 0; i <= q->n_claimed && i < BACK_ADDRS_MAX; i++) {
                Addr a = i == 0 ? *peer : q->claimed[i - 1];
                bool known = false;

                addr_unmap(&a);
                a.port = 0;
                for (size_t k = 0; k < n; k++)
                        known = known || addr_equal(&ret[k], &a);
                if (known)
                        continue;
                /* one that cannot be looked up is not ours: then the connect fails as well */
                BackVeto veto = back_veto_addr(p, peer, &a, is_own(&a) > 0);
                if (veto == BACK_MAY)
                        ret[n++] = a;
                else if (*ret_veto == BACK_MAY)
                        *ret_veto = veto;
        }
        return n;
}
