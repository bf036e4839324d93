/* What this machine brings along and what was measured beyond the first connect, as facts. */
#include <errno.h>
#include <stdio.h>

#include "probe/judge.h"
#include "probe/phrase.h"

const char *last_hop(const Evidence *e, char buf[ADDR_MAX])
{
        const LadderFacts *l = &e->ladder;
        return l->n_hops > 0 ? addr_format(buf, &l->hops[l->n_hops - 1]) : NULL;
}

static int because_ladder(const Evidence *e, const Judgement *j, char ***l)
{
        char hop[ADDR_MAX];
        if (e->tcp.outcome != CONNECT_PENDING || !e->ladder.asked ||
            j->verdict == VERDICT_LOCAL_FIREWALL)
                return 0;
        if (last_hop(e, hop))
                return strv_extendf(l, "the last hop that answers is %s (hop %u)", hop,
                                    e->ladder.n_hops);
        if (!e->ladder.ended || !addr_is_set(&e->local.route.gateway))
                return 0;
        return strv_extendf(l, "not even gateway %s says where a SYN ends that lives one hop",
                            addr_format(hop, &e->local.route.gateway));
}

static int because_source(const Evidence *e, char ***l)
{
        const LocalFacts *f = &e->local;
        char from[ADDR_MAX], usual[ADDR_MAX];
        if (e->tcp.outcome != CONNECT_PENDING || !f->source_strange)
                return 0;
        return strv_extendf(l, "%s is no address of %s%s%s%s", addr_format(from, &f->route.source),
                            f->route.ifname, f->usual_answered ? ", and from " : "",
                            f->usual_answered ? addr_format(usual, &f->source_usual) : "",
                            f->usual_answered ? " the head answers at once" : "");
}

static int because_resources(const Evidence *e, char ***l)
{
        const HostFacts *h = &e->host_facts;
        if (e->tcp.error == EADDRNOTAVAIL && h->ports_known && h->ports_counted)
                return strv_extendf(l, "%u of %u local ports (%u to %u) are in use", h->ports_used,
                                    h->port_last - h->port_first + 1U, h->port_first, h->port_last);
        if ((e->tcp.error == EMFILE || e->tcp.error == ENFILE) && h->files_known)
                return strv_extendf(l, "%u of %llu descriptors are open", h->files_open,
                                    (unsigned long long)h->files_max);
        return 0;
}

static int because_large(const Evidence *e, const Judgement *j, char ***l)
{
        const LargeFacts *g = &e->large;
        bool hole = j->verdict == VERDICT_MTU_HOLE_OUT || j->verdict == VERDICT_MTU_HOLE_IN;
        int r = 0;

        if (g->out == LARGE_HOLE)
                r = strv_extendf(l,
                                 "16 KiB in packets of %u bytes: nothing acknowledged; in packets "
                                 "of %u: all",
                                 g->tried, g->fits);
        if (r >= 0 && g->in == LARGE_HOLE)
                r = strv_extendf(l,
                                 "an answer of 8 KiB: nothing arrives; in packets of %u bytes: all",
                                 g->fits);
        if (r >= 0 && hole && e->host_facts.mtu_probing == 1)
                r = strv_extend(l,
                                "net.ipv4.tcp_mtu_probing is on here and takes some ten seconds");
        if (r >= 0 && g->out == LARGE_ARRIVED && g->pmtu > 0 && g->pmtu < g->tried)
                r = strv_extendf(l, "the way takes packets of %u bytes, %s of %u", g->pmtu,
                                 e->local.route.ifname, g->tried);
        return r;
}

static int because_samples(const Evidence *e, char ***l)
{
        const SampleFacts *s = &e->samples;
        if (!s->asked)
                return 0;
        return strv_extendf(l, "%u of %u SYNs answered, in %.1f ms by the median",
                            s->sent - s->lost, s->sent, (double)s->rtt / (double)USEC_PER_MSEC);
}

static const char *kept(bool known, bool synced)
{
        return !known ? "unknown" : synced ? "kept" : "kept by nobody";
}

static int because_clock(const Evidence *e, const Judgement *j, char ***l)
{
        char error[DURATION_MAX];
        const Reflection *o = &e->other;
        if (j->verdict != VERDICT_CLOCK_SKEW)
                return 0;
        return strv_extendf(
                l,
                "the head's time minus ours is %+.3f s, give or take %s; the clock "
                "here is %s, there %s",
                (double)o->clock_offset_usec / (double)USEC_PER_SEC,
                format_duration(error, o->clock_error), kept(e->clock.known, e->clock.synced),
                kept(o->clock_sync != CLOCK_SYNC_UNKNOWN, o->clock_sync == CLOCK_SYNC_YES));
}

static int because_hearing(const Evidence *e, const Judgement *j, char ***l)
{
        const HearFacts *h = &e->hear;
        if (!h->asked || !h->ended)
                return 0;
        if (h->heard)
                return strv_extend(l, "it is heard by mDNS");
        if (h->deaf || j->verdict != VERDICT_DISCOVERY_BLIND)
                return 0;
        return h->others > 0 ? strv_extendf(l,
                                            "mDNS: %u other head%s heard (\"%s\"), none with its "
                                            "address",
                                            h->others, h->others > 1 ? "s" : "", h->text)
                             : strv_extend(l, "mDNS: nothing heard in two seconds");
}

/* DNS and the system's own resolver differ: ssh and ping go elsewhere than Ray does. */
static int because_nss(const Evidence *e, char ***l)
{
        const NssFacts *n = &e->host_facts.nss;
        char addr[ADDR_MAX];

        if (!n->answered || e->name != NAME_RESOLVED)
                return 0;
        for (size_t i = 0; i < n->n; i++)
                if (addr_equal(&n->addrs[i], &e->addr))
                        return 0;
        return n->n == 0 ? strv_extend(l, "this system (nsswitch.conf) does not know the name")
                         : strv_extendf(l, "this system (nsswitch.conf) says %s instead",
                                        addr_format(addr, &n->addrs[0]));
}

int because_measures(const Evidence *e, const Judgement *j, char ***l)
{
        int r = because_nss(e, l);
        if (r >= 0 && j->verdict == VERDICT_LOCAL_RESOURCES)
                r = because_resources(e, l);
        if (r >= 0)
                r = because_source(e, l);
        if (r >= 0)
                r = because_ladder(e, j, l);
        if (r >= 0 && j->verdict == VERDICT_REPLIES_LOST && answers_filtered(e))
                r = strv_extendf(l,
                                 "the reverse path filter here threw away %llu packets meanwhile",
                                 (unsigned long long)e->local.rp_filter);
        if (r >= 0)
                r = because_large(e, j, l);
        if (r >= 0)
                r = because_samples(e, l);
        if (r >= 0)
                r = because_clock(e, j, l);
        return r < 0 ? r : because_hearing(e, j, l);
}

/* --- for programs -------------------------------------------------------------------------------
 */

static const char *const large_words[_LARGE_OUTCOME_MAX] = {
        [LARGE_UNKNOWN] = "unknown",
        [LARGE_ARRIVED] = "arrived",
        [LARGE_HOLE] = "hole",
        [LARGE_LOST] = "lost",
};

static int host_lines(const Evidence *e, char ***l)
{
        const HostFacts *h = &e->host_facts;
        char addr[ADDR_MAX];
        int r = 0;

        if (!isempty(h->dns))
                r = strv_extendf(l, "dns=%s", h->dns);
        for (size_t i = 0; i < h->nss.n && r >= 0; i++)
                r = strv_extendf(l, "nss=%s", addr_format(addr, &h->nss.addrs[i]));
        if (r >= 0 && !isempty(h->servers))
                r = strv_extendf(l, "dns_servers=%s", h->servers);
        if (r >= 0 && !isempty(h->upstream))
                r = strv_extendf(l, "dns_upstream=%s", h->upstream);
        if (r >= 0 && h->ports_known)
                r = strv_extendf(l, "local_ports=%u-%u", h->port_first, h->port_last);
        if (r >= 0 && h->ports_counted)
                r = strv_extendf(l, "local_ports_used=%u", h->ports_used);
        if (r >= 0 && h->files_known)
                r = strv_extendf(l, "descriptors_max=%llu", (unsigned long long)h->files_max);
        if (r >= 0 && h->mtu_probing_known)
                r = strv_extendf(l, "tcp_mtu_probing=%u", h->mtu_probing);
        if (r >= 0 && e->clock.known)
                r = strv_extendf(l, "clock_synced=%s", e->clock.synced ? "yes" : "no");
        return r;
}

static int ladder_lines(const Evidence *e, char ***l)
{
        char hop[ADDR_MAX];
        int r = 0;

        for (unsigned i = 0; i < e->ladder.n_hops && r >= 0; i++)
                r = strv_extendf(l, "hop%u=%s", i + 1,
                                 addr_is_set(&e->ladder.hops[i])
                                         ? addr_format(hop, &e->ladder.hops[i])
                                         : "unknown");
        if (r >= 0 && last_hop(e, hop))
                r = strv_extendf(l, "last_hop=%s", hop);
        return r;
}

static int way_lines(const Evidence *e, char ***l)
{
        const LargeFacts *g = &e->large;
        int r = 0;

        if (g->asked)
                r = strv_extendf(l, "large_out=%s", large_words[g->out]);
        if (r >= 0 && g->asked)
                r = strv_extendf(l, "large_in=%s", large_words[g->in]);
        if (r >= 0 && g->pmtu > 0)
                r = strv_extendf(l, "pmtu=%u", g->pmtu);
        if (r >= 0 && g->fits > 0)
                r = strv_extendf(l, "packet_fits=%u", g->fits);
        if (r >= 0 && e->tcp.rtt > 0)
                r = strv_extendf(l, "rtt_us=%llu", (unsigned long long)e->tcp.rtt);
        if (r >= 0 && e->samples.asked)
                r = strv_extendf(l, "samples=%u", e->samples.sent);
        if (r >= 0 && e->samples.asked)
                r = strv_extendf(l, "samples_lost=%u", e->samples.lost);
        if (r >= 0 && e->samples.asked)
                r = strv_extendf(l, "samples_rtt_us=%llu", (unsigned long long)e->samples.rtt);
        if (r >= 0 && e->hear.asked && e->hear.ended)
                r = strv_extendf(l, "mdns=%s",
                                 e->hear.heard  ? "heard"
                                 : e->hear.deaf ? "deaf"
                                                : "nothing");
        return r;
}

int measure_facts(const Evidence *e, char ***l)
{
        int r = host_lines(e, l);
        if (r >= 0)
                r = ladder_lines(e, l);
        return r < 0 ? r : way_lines(e, l);
}
