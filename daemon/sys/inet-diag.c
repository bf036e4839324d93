#include "sys/inet-diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>

#include "sys/netlink-private.h"

/* ifindex: of the socket, which an IPv6 link-local address needs. */
static Addr diag_addr(int family, const __be32 word[static 4], __be16 port, uint32_t ifindex)
{
        Addr a = {.family = family, .port = ntohs(port)};

        if (family == AF_INET)
                memcpy(&a.in, word, sizeof(a.in));
        else
                memcpy(&a.in6, word, sizeof(a.in6));
        addr_unmap(&a);
        if (a.family == AF_INET6 && addr_is_link_local(&a))
                a.scope = ifindex;
        return a;
}

/* NULL when the message is none of ours. */
static const struct inet_diag_msg *diag_message(struct nlmsghdr *h)
{
        if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
            nlmsg_datalen(h) < (int)sizeof(struct inet_diag_msg))
                return NULL;
        const struct inet_diag_msg *m = nlmsg_data(h);
        return m->idiag_family == AF_INET || m->idiag_family == AF_INET6 ? m : NULL;
}

/* Sockets of the port in one state, of both families. */
static int dump(uint16_t port, unsigned state, netlink_parse_func parse, void *arg)
{
        static const uint8_t families[] = {AF_INET, AF_INET6};

        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                _cleanup_(nlmsg_freep) struct nl_msg *msg = NULL;
                struct inet_diag_req_v2 q = {
                        .sdiag_family = families[i],
                        .sdiag_protocol = IPPROTO_TCP,
                        .idiag_states = 1U << state,
                        .id = {.idiag_sport = htons(port),
                               .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
                };
                int r = netlink_message_new(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &q, sizeof(q), &msg);
                if (r >= 0)
                        r = netlink_request(NETLINK_SOCK_DIAG, msg, parse, arg);
                /* a kernel without IPv6 has no IPv6 sockets */
                if (r < 0 && !(r == -ENOENT && families[i] == AF_INET6))
                        return r;
        }
        return 0;
}

typedef struct ListenerQuery {
        uint16_t port;
        DiagListener *listeners;
        size_t n;
} ListenerQuery;

static int parse_listener(struct nlmsghdr *h, void *arg)
{
        ListenerQuery *q = arg;
        struct nlattr *tb[INET_DIAG_MAX + 1];
        const struct inet_diag_msg *m = diag_message(h);

        if (!m || m->idiag_state != TCP_LISTEN || ntohs(m->id.idiag_sport) != q->port ||
            q->n >= DIAG_LISTENERS_MAX)
                return 0;
        if (nlmsg_parse(h, sizeof(*m), tb, INET_DIAG_MAX, NULL) < 0)
                return -EBADMSG;
        const struct nlattr *only = tb[INET_DIAG_SKV6ONLY];
        q->listeners[q->n++] = (DiagListener){
                .addr = diag_addr(m->idiag_family, m->id.idiag_src, m->id.idiag_sport,
                                  m->id.idiag_if),
                .queue = m->idiag_rqueue,
                .room = m->idiag_wqueue,
                .v6only = only && nla_len(only) >= 1 && nla_get_u8(only),
        };
        return 0;
}

int inet_diag_listeners(uint16_t port, DiagListener ret[static DIAG_LISTENERS_MAX], size_t *ret_n)
{
        ListenerQuery q = {.port = port, .listeners = ret};

        int r = dump(port, TCP_LISTEN, parse_listener, &q);
        if (r >= 0)
                *ret_n = q.n;
        return r;
}

typedef struct SynQuery {
        uint16_t port;
        const Addr *from;
        size_t n_from;
        unsigned n;
} SynQuery;

static int parse_syn(struct nlmsghdr *h, void *arg)
{
        SynQuery *q = arg;
        const struct inet_diag_msg *m = diag_message(h);

        if (!m || m->idiag_state != TCP_SYN_RECV || ntohs(m->id.idiag_sport) != q->port)
                return 0;
        Addr peer = diag_addr(m->idiag_family, m->id.idiag_dst, m->id.idiag_dport, m->id.idiag_if);
        for (size_t i = 0; i < q->n_from; i++)
                if (addr_equal(&peer, &q->from[i])) {
                        q->n++;
                        break;
                }
        return 0;
}

int inet_diag_syn_recv(uint16_t port, const Addr *from, size_t n_from, unsigned *ret)
{
        SynQuery q = {.port = port, .from = from, .n_from = n_from};

        int r = dump(port, TCP_SYN_RECV, parse_syn, &q);
        if (r >= 0)
                *ret = q.n;
        return r;
}
