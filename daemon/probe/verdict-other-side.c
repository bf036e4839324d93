/* What the other side of the way saw of a connection that did not come about.
 *
 * The head's counters are of its whole network namespace: whoever else knocks there at the same
 * time counts, too. So they make a verdict likely; proven is only what its socket tables say about
 * the very port. And they speak of the machine that the reflector runs on: where the address
 * dialled is translated on the way, the port may lie on another one. */
#include "probe/judge.h"

#include <errno.h>

/* The reflector looked, and its machine has the very address that we dial. */
static bool same_machine(const Evidence *e)
{
        return addr_equal(&e->other.local, &e->addr);
}

const PortView *port_view(const Evidence *e)
{
        const Reflection *o = &e->other;
        return o->port.known ? &o->port : o->before.known ? &o->before : NULL;
}

static ProbeConfidence surely(bool proven)
{
        return proven ? PROBE_PROVEN : PROBE_LIKELY;
}

unsigned syns_sent(const Evidence *e)
{
        unsigned n = e->tcp.n_sockets + e->tcp.total_retrans;
        return n > e->tcp.n_unsent ? n - e->tcp.n_unsent : 0;
}

/* Those that the other side's counters may tell of. */
static unsigned syns_counted(const Evidence *e)
{
        unsigned sent = syns_sent(e);
        return sent > e->syns_before ? sent - e->syns_before : 0;
}

/* As many as our SYNs, less what the way may have lost of them. */
static bool as_many(const Evidence *e, uint64_t n)
{
        unsigned sent = syns_counted(e);
        return sent > 0 && n >= sent - sent / 3;
}

/* No more than strangers' packets that were thrown away meanwhile. */
static bool few(const Evidence *e, uint64_t n)
{
        return n <= syns_counted(e) / 5;
}

SynsFate syns_fate(const Evidence *e)
{
        const Reflection *o = &e->other;

        if (!o->answered || !o->rise.known || !o->rise.undelivered_known || syns_counted(e) == 0)
                return SYNS_UNKNOWN;
        if (as_many(e, o->rise.undelivered))
                return SYNS_AT_HEAD;
        return few(e, o->rise.undelivered) && !as_many(e, o->rise.undelivered_most) ? SYNS_ON_WAY
                                                                                    : SYNS_UNKNOWN;
}

static void say_head_back(const Evidence *e, Judgement *j, Verdict v, ProbeConfidence c)
{
        say(j, v, c, PROBE_DIRECTION_BACK, PROBE_PLACE_HEAD, &e->addr);
}

/* Half-open connections of ours at the head that were not there before. */
static unsigned half_open(const Reflection *o)
{
        if (!o->port.known || !o->before.known || o->port.syn_recv < o->before.syn_recv)
                return 0;
        return o->port.syn_recv - o->before.syn_recv;
}

/* Our requests arrive, and what the head answers does not. */
static void say_replies_lost(const Evidence *e, Judgement *j)
{
        const Reflection *o = &e->other;
        /* behind a translator the half-open connections may be a neighbour's */
        bool ours = addr_equal(&o->observed, &o->here);
        bool here = e->local.undelivered_known && e->local.undelivered >= half_open(o);

        say(j, VERDICT_REPLIES_LOST, surely(half_open(o) > 1 && ours && same_machine(e)),
            PROBE_DIRECTION_BACK, here ? PROBE_PLACE_HERE : PROBE_PLACE_PATH, NULL);
}

static bool queue_is_full(const PortView *p)
{
        return p->known && p->listening && p->queue > 0 && p->queue >= p->room;
}

/* A listener drops a SYN that it cannot answer, and counts it. */
static bool cannot_answer(const Evidence *e)
{
        const Reflection *o = &e->other;
        return as_many(e, o->rise.no_routes) &&
               (!o->port.known || !o->port.listening || as_many(e, o->rise.listen_drops));
}

static bool judge_unheard(const Evidence *e, Judgement *j)
{
        const Reflection *o = &e->other;
        const CounterRise *r = &o->rise;

        if (half_open(o) > 0) {
                say_replies_lost(e, j);
                return true;
        }
        if (!r->known)
                return false;
        if (queue_is_full(&o->port) && r->listen_overflows > 0)
                /* Linux takes no SYN from the moment on when the queue holds more than its room */
                say_head(e, j, VERDICT_BACKLOG_FULL,
                         surely(o->port.queue > o->port.room && as_many(e, r->listen_overflows) &&
                                same_machine(e)));
        else if (cannot_answer(e))
                say_head_back(e, j, VERDICT_HEAD_NO_RETURN_ROUTE,
                              surely(o->route_known && o->route_error != 0 &&
                                     addr_equal(&o->observed, &e->tcp.local) && same_machine(e)));
        else if (as_many(e, r->rp_filter))
                say_head(e, j, VERDICT_HEAD_RPFILTER, PROBE_LIKELY);
        else
                return false;
        return true;
}

/* A reset came, and the reflector's latest look is missing: what it said before we knocked. */
static bool judge_reset_before(const Evidence *e, Judgement *j)
{
        const PortView *p = &e->other.before;

        if (!p->known || !p->listening)
                return false;
        say_head(e, j, p->loopback_only ? VERDICT_HEAD_LOOPBACK_ONLY : VERDICT_PORT_CLOSED,
                 PROBE_LIKELY);
        return true;
}

/* A reset came. The head's kernel counts those that it makes; a rule of a firewall does not. */
static bool judge_reset(const Evidence *e, Judgement *j)
{
        const Reflection *o = &e->other;
        bool foreign = o->rise.known && o->rise.resets == 0 && syns_counted(e) > 0;

        if (e->local.tx_known && e->local.tx_silent)
                return false;
        if (!o->port.known)
                return judge_reset_before(e, j);
        if (!o->port.listening)
                return false;
        if (o->port.loopback_only)
                say_head(e, j, VERDICT_HEAD_LOOPBACK_ONLY, surely(!foreign && same_machine(e)));
        else if (!foreign)
                /* somebody listens there, but not on this address, or not yet when we asked */
                say_head(e, j, VERDICT_PORT_CLOSED, PROBE_LIKELY);
        /* a container's kernel may have made it, behind a forwarded port: never proven */
        else if (syns_fate(e) == SYNS_AT_HEAD)
                say_head(e, j, VERDICT_REFUSED_BY_FIREWALL, PROBE_LIKELY);
        else
                say(j, VERDICT_REFUSED_BY_FIREWALL, PROBE_LIKELY, PROBE_DIRECTION_OUT,
                    PROBE_PLACE_PATH, NULL);
        return true;
}

bool judge_other_side(const Evidence *e, Judgement *j)
{
        const ConnectFacts *t = &e->tcp;
        const LocalFacts *l = &e->local;

        if (!e->connected || !e->other.answered)
                return false;
        if (t->outcome == CONNECT_FAILED)
                return t->error == ECONNREFUSED && !t->icmp.seen && judge_reset(e, j);
        if (t->outcome != CONNECT_PENDING || t->took < JUDGE_SILENCE)
                return false;
        /* what never left this machine says nothing about the other */
        if (l->retrans_fail_known && t->total_retrans > 0 && l->retrans_fail >= t->total_retrans)
                return false;
        return judge_unheard(e, j);
}

void say_filtered(const Evidence *e, Judgement *j)
{
        if (syns_fate(e) == SYNS_ON_WAY)
                say(j, VERDICT_FILTERED_SILENTLY, PROBE_LIKELY, PROBE_DIRECTION_OUT,
                    PROBE_PLACE_PATH, NULL);
        else
                say_head(e, j, VERDICT_FILTERED_SILENTLY, PROBE_LIKELY);
}
