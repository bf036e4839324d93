/* What works badly, in words. */
#include <stdio.h>
#include <stdlib.h>

#include "probe/phrase.h"
#include "probe/remedy.h"

static char *sentence_mtu(const Evidence *e, const Judgement *j, const char *head)
{
        const LargeFacts *l = &e->large;
        const char *what = j->verdict == VERDICT_MTU_HOLE_OUT ? "to" : "from";
        if (l->fits > 0)
                return str_printf("large packets %s head %s vanish on the way: none of %u bytes "
                                  "arrives, those of %u do",
                                  what, head, l->tried, l->fits);
        return str_printf("large packets %s head %s vanish on the way, small ones arrive", what,
                          head);
}

static char *sentence_clock(const Evidence *e, const Judgement *j, const char *head)
{
        char by[DURATION_MAX];
        int64_t off = e->other.clock_offset_usec;
        usec_t size = (usec_t)llabs(off);
        /* nobody wants to know of an hour how many milliseconds it lacks */
        usec_t step = size < 10 * USEC_PER_SEC ? 10 * USEC_PER_MSEC : USEC_PER_SEC;
        format_duration(by, (size + step / 2) / step * step);

        if (j->place == PROBE_PLACE_HEAD)
                return str_printf("the clock of head %s is %s %s this machine's, and nobody keeps "
                                  "it",
                                  head, by, off > 0 ? "ahead of" : "behind");
        return str_printf("the clock of this machine is %s %s that of head %s%s", by,
                          off > 0 ? "behind" : "ahead of", head,
                          j->place == PROBE_PLACE_HERE ? ", and nobody keeps it" : "");
}

static char *sentence_samples(const Evidence *e, const char *head)
{
        const SampleFacts *s = &e->samples;
        double ms = (double)s->rtt / (double)USEC_PER_MSEC;
        if (s->lost * 100 > s->sent * SAMPLES_LOST_PERCENT)
                return str_printf("the way to head %s loses packets: %u of %u SYNs got no answer",
                                  head, s->lost, s->sent);
        return str_printf("the way to head %s is slow: a round trip takes %.0f ms", head, ms);
}

static char *sentence_hearing(const Evidence *e, const char *head)
{
        if (e->hear.deaf)
                return str_printf("head %s serves, and this machine cannot hear it by mDNS: %s",
                                  head, e->hear.text);
        if (addr_is_set(&e->local.route.gateway))
                return str_printf("head %s serves, and is not heard by mDNS here, which does not "
                                  "cross routers",
                                  head);
        return str_printf("head %s serves, and is not heard by mDNS here: a firewall blocks UDP "
                          "port 5353, the switch holds multicast back, or it is not announced",
                          head);
}

char *sentence_quality(const Evidence *e, const Judgement *j, const char *head)
{
        switch (j->verdict) {
        case VERDICT_MTU_HOLE_OUT:
        case VERDICT_MTU_HOLE_IN:
                return sentence_mtu(e, j, head);
        case VERDICT_CLOCK_SKEW:
                return sentence_clock(e, j, head);
        case VERDICT_LOSSY_OR_SLOW:
                return sentence_samples(e, head);
        case VERDICT_DISCOVERY_BLIND:
                return sentence_hearing(e, head);
        default:
                return NULL;
        }
}

/* IPv6 does not work on a link of less. */
#define LINK_MTU_MIN 1280U

/* For so small packets the way to the head alone is narrowed, not the link. */
static char *hint_route_mtu(const Evidence *e)
{
        const LocalFacts *f = &e->local;
        char addr[ADDR_MAX], gateway[ADDR_MAX];
        bool via = addr_is_set(&f->route.gateway);
        unsigned headers = e->addr.family == AF_INET6 ? 60 : 40;
        return str_printf(
                "here, as root: ip%s route replace %s%s%s dev %s mtu lock %u advmss %u # or "
                "look for what drops larger packets on the way",
                e->addr.family == AF_INET6 ? " -6" : "", addr_format(addr, &e->addr),
                via ? " via " : "", via ? addr_format(gateway, &f->route.gateway) : "",
                f->route.ifname, e->large.fits, e->large.fits - headers);
}

/* Smaller packets of ours are smaller packets of the head's, too: TCP tells it what fits. */
static char *hint_mtu(const Evidence *e)
{
        const LargeFacts *l = &e->large;
        if (l->fits > 0 && l->fits < LINK_MTU_MIN)
                return hint_route_mtu(e);
        const char *probing = e->host_facts.mtu_probing_known && e->host_facts.mtu_probing > 0
                                      ? ""
                                      : "; until then: sysctl net.ipv4.tcp_mtu_probing=1";
        return str_printf(
                "here, as root: ip link set dev %s mtu %u # or let the routers on the way "
                "send ICMP%s%s",
                e->local.route.ifname, l->fits > 0 ? l->fits : LINK_MTU_MIN,
                e->addr.family == AF_INET6 ? "v6 packet-too-big" : " 3/4", probing);
}

static char *hint_clock(const Evidence *e, const Judgement *j, const char *name)
{
        if (j->place == PROBE_PLACE_HEAD)
                return remedy_clock(CLOCK_KEEPER_UNKNOWN, name);
        return remedy_clock(e->keepers.clock, REMEDY_HERE);
}

static char *hint_hearing(const Evidence *e)
{
        if (e->hear.deaf)
                return str_printf("here, as root: apt install avahi-daemon || dnf install avahi; "
                                  "systemctl enable --now avahi-daemon");
        if (addr_is_set(&e->local.route.gateway))
                return str_printf("name the head in /etc/raycluster.conf: cluster: { head = "
                                  "\"%s\"; }; or in DNS: SRV _raycluster._tcp",
                                  e->host);
        return str_printf("on both machines, as root: firewall-cmd --permanent --add-service=mdns "
                          "&& firewall-cmd --reload, or: ufw allow 5353/udp");
}

char *hint_quality(const Evidence *e, const Judgement *j, const char *name)
{
        switch (j->verdict) {
        case VERDICT_MTU_HOLE_OUT:
        case VERDICT_MTU_HOLE_IN:
                return hint_mtu(e);
        case VERDICT_CLOCK_SKEW:
                return hint_clock(e, j, name);
        case VERDICT_LOSSY_OR_SLOW:
                return str_printf("here: ip -s link show %s # errors, drops; ping -c 50 -i 0.2 %s",
                                  e->local.route.ifname, name);
        case VERDICT_DISCOVERY_BLIND:
                return hint_hearing(e);
        default:
                return NULL;
        }
}
