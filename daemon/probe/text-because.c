/* What a judgement rests on. */
#include <errno.h>
#include <stdio.h>

#include "model/way-back.h"
#include "probe/judge.h"
#include "probe/phrase.h"

static const char *icmp_text(const Evidence *e, char buf[64])
{
        const IcmpNote *n = &e->tcp.icmp;
        const char *name = icmp_name(e->addr.family, n->type, n->code);
        if (name)
                (void)snprintf(buf, 64, "ICMP %s", name);
        else
                (void)snprintf(buf, 64, "ICMP type %u code %u", n->type, n->code);
        return buf;
}

/* Times of the network: "0.2 ms", "3.1 s". */
static const char *took_text(usec_t t, char buf[DURATION_MAX])
{
        if (t < USEC_PER_SEC)
                (void)snprintf(buf, DURATION_MAX, "%.1f ms", (double)t / (double)USEC_PER_MSEC);
        else
                (void)snprintf(buf, DURATION_MAX, "%.1f s", (double)t / (double)USEC_PER_SEC);
        return buf;
}

static int because_way(const Evidence *e, char ***l)
{
        const LocalFacts *f = &e->local;
        char from[ADDR_MAX] = "", gw[ADDR_MAX] = "";

        if (f->route_error)
                return strv_extendf(l, "route look-up: %s", strerror(f->route_error));
        if (isempty(f->route.ifname))
                return 0;
        if (addr_is_set(&f->route.source))
                addr_format(from, &f->route.source);
        if (addr_is_set(&f->route.gateway))
                addr_format(gw, &f->route.gateway);
        return strv_extendf(l, "the route goes through %s%s%s%s%s", f->route.ifname,
                            *from ? " from " : "", from, *gw ? " by gateway " : "", gw);
}

static int because_tcp(const Evidence *e, char ***l)
{
        char took[DURATION_MAX], icmp[64], from[ADDR_MAX] = "";
        const ConnectFacts *t = &e->tcp;

        if (!e->connected)
                return 0;
        took_text(t->took, took);
        if (t->outcome == CONNECT_ESTABLISHED)
                return strv_extendf(l, "connected after %s", took);
        if (t->outcome == CONNECT_PENDING)
                return strv_extendf(l, "%u SYN%s and %u retransmission%s without an answer in %s",
                                    t->n_sockets, t->n_sockets == 1 ? "" : "s", t->total_retrans,
                                    t->total_retrans == 1 ? "" : "s", took);
        if (t->at_once)
                return strv_extendf(l, "connect() fails at once: %s", strerror(t->error));
        if (!t->icmp.seen)
                return strv_extendf(l,
                                    t->error == ECONNREFUSED
                                            ? "a TCP reset came after %s, without ICMP"
                                    : t->error == ECONNRESET ? "it was accepted and reset within %s"
                                                             : "connect failed after %s",
                                    took);
        if (addr_is_set(&t->icmp.from))
                addr_format(from, &t->icmp.from);
        return strv_extendf(l, "%s from %s%s after %s", icmp_text(e, icmp), from,
                            e->icmp_own ? " (this machine)" : "", took);
}

static int because_silence(const Evidence *e, char ***l)
{
        int r = 0;
        const LocalFacts *f = &e->local;

        if (f->udp_forbidden)
                r = strv_extend(l, "a datagram to it is forbidden by this machine (EPERM)");
        if (r >= 0 && ((f->tx_known && f->tx_silent) || (f->tx_quiet && f->retrans_fail > 0)))
                r = strv_extendf(l, "%s sent nothing meanwhile", f->route.ifname);
        if (r >= 0 && f->retrans_fail_known && e->tcp.total_retrans > 0 &&
            f->retrans_fail >= e->tcp.total_retrans)
                r = strv_extendf(l, "%u retransmission%s of %u failed inside this machine",
                                 e->tcp.total_retrans, e->tcp.total_retrans == 1 ? "" : "s",
                                 e->tcp.total_retrans);
        if (r >= 0 && f->has_neigh &&
            (f->neigh == NEIGH_INCOMPLETE || f->neigh == NEIGH_FAILED || f->neigh == NEIGH_PROBE)) {
                char hop[ADDR_MAX];
                r = strv_extendf(l, "neighbour %s is %s", addr_format(hop, &f->nexthop),
                                 neigh_state_to_string(f->neigh));
        }
        if (r >= 0 && e->life.alive)
                r = strv_extend(l, e->life.how);
        else if (r >= 0 && e->life.asked && e->tcp.outcome == CONNECT_PENDING)
                r = strv_extend(l, "no other port tried answers either");
        return r;
}

static int because_hello(const Evidence *e, char ***l)
{
        char took[DURATION_MAX];
        const HelloFacts *h = &e->hello;

        /* how TLS ended has been said */
        bool told = e->tls_wanted && e->tls.spoken && e->tls.outcome != TLS_OUTCOME_OPEN;
        if (!h->asked || (told && (h->kind == SERVICE_CLOSED || h->kind == SERVICE_UNKNOWN)))
                return 0;
        took_text(h->took, took);
        switch (h->kind) {
        case SERVICE_UNKNOWN:
                if (h->began)
                        return strv_extendf(
                                l, "it began to speak and did not end its greeting in %s", took);
                return strv_extendf(l, "%s, and nothing came back in %s%s",
                                    !h->stream_known       ? "a greeting was sent"
                                    : h->stream.unsent > 0 ? "the greeting was never acknowledged"
                                                           : "its kernel took the greeting",
                                    took,
                                    h->second_spoke ? "; in segments of 536 bytes it answers" : "");
        case SERVICE_CLOSED:
                return strv_extendf(l, "%s after %s without a byte%s",
                                    h->closed ? "reset" : "closed", took,
                                    h->tls ? "; a TLS greeting is answered" : "");
        case SERVICE_GRPC:
        case SERVICE_HTTP2:
                return strv_extendf(l, "it greets as %s", service_kind_to_string(h->kind));
        default:
                return strv_extendf(l, "it says \"%s\"", h->text);
        }
}

/* Why it does not take us for one of its own. */
static int because_member(const Evidence *e, const Judgement *j, char ***l)
{
        switch (j->verdict) {
        case VERDICT_TOKEN_REQUIRED:
                return strv_extend(l, "Ray takes a token from RAY_AUTH_TOKEN, the file that "
                                      "RAY_AUTH_TOKEN_PATH names, or ~/.ray/auth_token, and sends "
                                      "it with RAY_AUTH_MODE=token");
        case VERDICT_TOKEN_WRONG:
                return isempty(e->token_from) ? 0
                                              : strv_extendf(l, "ours is from %s", e->token_from);
        case VERDICT_WRONG_CLUSTER:
                if (isempty(e->alive.cluster) || isempty(e->cluster))
                        return 0;
                return strv_extendf(l, "its cluster is %s, ours %s", e->alive.cluster, e->cluster);
        default:
                return 0;
        }
}

/* What the head's side saw while we knocked in vain. */
static int because_there(const Evidence *e, char ***l)
{
        const Reflection *o = &e->other;
        const struct {
                uint64_t n;
                const char *what;
        } counts[] = {
                {o->port.known ? o->port.syn_recv : 0, "half-open connections of ours"},
                {o->port.known && o->port.queue > 0 ? o->port.queue : 0, "connections not taken"},
                {o->rise.listen_overflows, "connections too many for a queue"},
                {o->rise.rp_filter, "packets stopped by the reverse path filter"},
                {o->rise.no_routes, "packets without a route"},
                {o->rise.undelivered_known ? o->rise.undelivered : 0,
                 "packets thrown away by netfilter"},
        };
        int r = 0;

        if (o->port.known)
                r = strv_extendf(l, "seen from there: %s on port %u",
                                 !o->port.listening      ? "nothing listens"
                                 : o->port.loopback_only ? "a listener for loopback only"
                                                         : "a listener",
                                 e->addr.port);
        for (size_t i = 0; i < ELEMENTSOF(counts) && r >= 0 && o->rise.known; i++)
                if (counts[i].n > 0)
                        r = strv_extendf(l, "%s there: %llu", counts[i].what,
                                         (unsigned long long)counts[i].n);
        if (r >= 0 && o->rise.known && o->rise.resets == 0 && e->tcp.outcome == CONNECT_FAILED &&
            e->tcp.error == ECONNREFUSED && !e->tcp.icmp.seen)
                r = strv_extend(l, "its kernel sent no reset meanwhile");
        return r;
}

static const char *back_words(BackResult result)
{
        static const char *const words[_BACK_RESULT_MAX] = {
                [BACK_NONCE_OK] = "reached",
                [BACK_WRONG_NONCE] = "another answers",
                [BACK_OPEN] = "open",
                [BACK_REFUSED] = "refused",
                [BACK_REJECTED] = "rejected",
                [BACK_SILENT] = "silence",
                [BACK_NO_WAY] = "cannot be sent",
        };
        return strna(words[result]);
}

/* One range of ports and what the head's connections to it came to. */
static int because_range(const BackRange *b, char ***l)
{
        char addr[ADDR_MAX], ports[24], why[ADDR_MAX + 64] = "", from[ADDR_MAX];
        const BackTry *t = b->try;

        (void)snprintf(ports, sizeof(ports), b->first == b->last ? "port %u" : "ports %u-%u",
                       b->first, b->last);
        if (t->result == BACK_REJECTED && addr_is_set(&t->icmp.from)) {
                const char *name = icmp_name(t->addr.family, t->icmp.type, t->icmp.code);
                (void)snprintf(why, sizeof(why), " (ICMP %s from %s)", strempty(name),
                               addr_format(from, &t->icmp.from));
        } else if (t->result == BACK_NO_WAY)
                (void)snprintf(why, sizeof(why), " (%s)", strerror(t->error));
        return strv_extendf(l, "back to %s %s: %s%s", addr_format(addr, &t->addr), ports,
                            back_words(t->result), why);
}

/* More ranges than this are no sentence any more; the JSON has all of them. */
#define BECAUSE_RANGES_MAX 6

static int because_back(const Evidence *e, char ***l)
{
        const Reflection *o = &e->other;
        BackRange ranges[BACK_TRIES_MAX];
        int r = 0;

        if (addr_is_set(&o->observed) && !addr_equal(&o->observed, &o->here)) {
                char seen[ADDR_MAX], own[ADDR_MAX];
                r = strv_extendf(l, "sent from %s, seen there as %s", addr_format(own, &o->here),
                                 addr_format(seen, &o->observed));
        }
        const Addr *addrs[] = {&o->observed, announced(e)};
        for (size_t a = 0; a < ELEMENTSOF(addrs) && r >= 0; a++) {
                if (a > 0 && addr_equal(addrs[a], addrs[0]))
                        continue;
                size_t n = back_ranges(o, addrs[a], &e->back.sampled, ranges);
                for (size_t i = 0; i < n && i < BECAUSE_RANGES_MAX && r >= 0; i++)
                        r = because_range(&ranges[i], l);
        }
        return r;
}

static int because_other(const Evidence *e, char ***l)
{
        const Reflection *o = &e->other;

        if (!o->asked)
                return 0;
        if (!o->answered)
                return strv_extendf(l, "the other side was not heard: %s", text_other_side(e));
        if (e->tcp.outcome != CONNECT_ESTABLISHED)
                return because_there(e, l);
        int r = because_back(e, l);
        return r >= 0 && !isempty(o->text) ? strv_extend(l, o->text) : r;
}

char *text_because(const Evidence *e, const Judgement *j)
{
        _cleanup_strv_free_ char **l = NULL;
        char took[DURATION_MAX];
        int r = 0;

        if (!addr_is_set(&e->addr))
                return strdup(e->name_text);
        if (e->name == NAME_RESOLVED && !isempty(e->name_text))
                r = strv_extend(&l, e->name_text);
        if (r >= 0)
                r = because_tcp(e, &l);
        if (r >= 0)
                r = because_silence(e, &l);
        if (r >= 0 && e->tls_wanted)
                r = because_tls(e, j, &l);
        if (r >= 0)
                r = because_hello(e, &l);
        if (r >= 0 && !e->tls_wanted)
                r = because_tls(e, j, &l);
        if (r >= 0)
                r = because_measures(e, j, &l);
        if (r >= 0 && e->alive.outcome != ALIVE_NOT_ASKED)
                r = strv_extendf(&l, "CheckAlive: %s after %s",
                                 isempty(e->alive.text) ? "answered" : e->alive.text,
                                 took_text(e->alive.took, took));
        if (r >= 0)
                r = because_member(e, j, &l);
        if (r >= 0)
                r = because_ports(e, &l);
        if (r >= 0)
                r = because_other(e, &l);
        if (r >= 0)
                r = because_way(e, &l);
        if (r >= 0 && j->verdict == VERDICT_PORT_CLOSED && !port_view(e))
                r = strv_extend(&l, "a firewall that answers with resets looks the same");
        return r < 0 ? NULL : strv_join(l, "; ");
}
