/* The way back: whether the head reaches this machine, and by which address (probe.md 3.1). */
#include "probe/judge.h"

#include <errno.h>

#include "model/way-back.h"

/* So many ports that stay silent, each of them asked more than once, are not bad luck. */
#define SILENT_ENOUGH 3

static void say_back(Judgement *j, Verdict v, ProbeConfidence c, ProbePlace p, const Addr *where)
{
        say(j, v, c, PROBE_DIRECTION_BACK, p, where);
}

static ProbeConfidence surely(bool proven)
{
        return proven ? PROBE_PROVEN : PROBE_LIKELY;
}

bool is_translated(const Evidence *e)
{
        const Reflection *o = &e->other;
        return addr_is_set(&o->observed) && addr_is_set(&o->here) &&
               !addr_equal(&o->observed, &o->here);
}

const Addr *announced(const Evidence *e)
{
        return addr_is_set(&e->back.node) ? &e->back.node : &e->other.here;
}

bool forbids_itself(const BackTry *t)
{
        if (t->icmp.seen)
                return icmp_meaning(t->addr.family, &t->icmp) != ICMP_MEANS_HOST;
        return t->error == EPERM || t->error == EACCES;
}

/* Whoever sent the ICMP is the one that rejects. */
static ProbePlace place_of(const Evidence *e, const Addr *from)
{
        if (addr_equal(from, &e->other.here) || addr_equal(from, announced(e)))
                return PROBE_PLACE_HERE;
        if (addr_equal(from, &e->other.local) || addr_equal(from, &e->addr))
                return PROBE_PLACE_HEAD;
        return PROBE_PLACE_ROUTER;
}

/* Where the tries end that do not come through. */
static void find_place(const Evidence *e, const WayBack *w, ProbePlace *ret_place, Addr *ret_where)
{
        *ret_place = PROBE_PLACE_PATH;
        *ret_where = (Addr){0};
        if (w->rejection && addr_is_set(&w->rejection->icmp.from)) {
                *ret_place = place_of(e, &w->rejection->icmp.from);
                *ret_where = w->rejection->icmp.from;
        } else if (w->no_way > 0) {
                *ret_place = PROBE_PLACE_HEAD;
                *ret_where = e->addr;
        } else if (e->back.undelivered_known &&
                   e->back.undelivered * 3 >= 2 * (w->silent + w->refused))
                /* two of three: multicast that comes meanwhile is taken off (sys/netstat.h) */
                *ret_place = PROBE_PLACE_HERE;
}

static bool surely_blocked(const WayBack *w)
{
        return w->rejected > 0 || w->no_way > 0 || w->silent >= SILENT_ENOUGH;
}

static void say_blocked(const Evidence *e, Judgement *j, Verdict v, const WayBack *w)
{
        ProbePlace place;
        Addr where;

        find_place(e, w, &place, &where);
        say_back(j, v, surely(surely_blocked(w)), place, &where);
}

/* Ray announces an address by which the head does not get here, and another one would do. */
static bool judge_node_address(const Evidence *e, const WayBack *by_node, Judgement *j)
{
        WayBack by_here;

        if (!addr_is_set(&e->back.node) || addr_equal(&e->back.node, &e->other.here) ||
            by_node->tried == 0 || way_back_good(by_node) > 0)
                return false;
        way_back(&e->other, &e->other.here, &by_here);
        if (by_here.nonce == 0)
                return false;
        say_local(j, VERDICT_WRONG_INTERFACE,
                  surely(surely_blocked(by_node) || by_node->wrong > 1));
        return true;
}

/* Without translation on the way: our own address is what the head sees. */
static bool judge_plain(const Evidence *e, Judgement *j)
{
        WayBack w;

        way_back(&e->other, announced(e), &w);
        if (judge_node_address(e, &w, j))
                return true;
        if (w.wrong > 0)
                say_back(j, VERDICT_WRONG_PEER, surely(w.wrong > 1 && w.nonce == 0),
                         PROBE_PLACE_PATH, NULL);
        else if (way_back_bad(&w) == 0) {
                if (way_back_good(&w) > 0)
                        return false;
                say_open(j);
        } else
                say_blocked(e, j,
                            way_back_good(&w) > 0 ? VERDICT_REVERSE_PORTS_PARTIAL
                                                  : VERDICT_REVERSE_BLOCKED,
                            &w);
        return true;
}

/* There is no way to this address, or it is another machine's: no firewall that could be opened. */
static bool leads_nowhere(const WayBack *w)
{
        if (w->rejection) {
                IcmpMeaning m = icmp_meaning(w->rejection->addr.family, &w->rejection->icmp);
                if (m == ICMP_MEANS_HOST || m == ICMP_MEANS_NET)
                        return true;
        }
        return w->wrong > 0 || (w->impossible && !forbids_itself(w->impossible));
}

/* A firewall stands in a way that is there: one that rejects, or ours, which counts what it drops.
 */
static bool meets_firewall(const Evidence *e, const WayBack *w)
{
        if (way_back_good(w) > 0 || leads_nowhere(w))
                return false;
        return w->rejection || w->impossible ||
               (w->silent > 0 && e->back.undelivered_known && e->back.undelivered >= w->silent);
}

/* Behind translation a reset or an open port may be the translator's: only the nonce is our word.
 */
static bool judge_translated(const Evidence *e, Judgement *j)
{
        WayBack own, seen;

        way_back(&e->other, announced(e), &own);
        way_back(&e->other, &e->other.observed, &seen);
        if (own.nonce > 0) {
                if (own.silent + own.rejected > 0)
                        say_blocked(e, j, VERDICT_REVERSE_PORTS_PARTIAL, &own);
                else if (seen.nonce > 0)
                        return false; /* by either */
                else
                        say_back(j, VERDICT_NAT_ONE_WAY, surely(way_back_bad(&seen) > 0),
                                 PROBE_PLACE_PATH, NULL);
        } else if (seen.nonce > 0)
                say_back(j, VERDICT_NAT_FORWARDED, surely(leads_nowhere(&own)), PROBE_PLACE_PATH,
                         NULL);
        else if (way_back_bad(&own) + way_back_bad(&seen) == 0)
                say_open(j); /* nothing of ours was there to answer */
        else if (meets_firewall(e, &own)) {
                say_blocked(e, j, VERDICT_REVERSE_BLOCKED, &own);
                if (own.silent == own.tried)
                        j->confidence = PROBE_LIKELY; /* our netfilter may have dropped others */
        } else
                /* silence may be a firewall, which can be opened */
                say_back(j, VERDICT_NAT_NO_WAY_BACK,
                         surely(way_back_bad(&seen) > 0 && leads_nowhere(&own)), PROBE_PLACE_PATH,
                         NULL);
        return true;
}

/* The head does not know itself by the address that we dial, and may tell others its own. */
static bool judge_dnat(const Evidence *e, Judgement *j)
{
        const Reflection *o = &e->other;

        if (!addr_is_set(&o->local) || addr_equal(&o->local, &o->dialled) ||
            !addr_equal(&o->dialled, &e->addr) || addr_equal(&o->head_node, &e->addr))
                return false;
        say(j, VERDICT_HEAD_BEHIND_DNAT, PROBE_PROVEN, PROBE_DIRECTION_OUT, PROBE_PLACE_HEAD,
            &o->local);
        return true;
}

static bool was_tried(const Reflection *o)
{
        for (size_t i = 0; i < o->n_back; i++)
                if (o->back[i].result != BACK_NOT_TRIED)
                        return true;
        return false;
}

bool way_back_is_known(const Evidence *e)
{
        return e->other.answered && was_tried(&e->other);
}

bool judge_way_back(const Evidence *e, Judgement *j)
{
        if (!way_back_is_known(e))
                return false;
        return (is_translated(e) ? judge_translated(e, j) : judge_plain(e, j)) || judge_dnat(e, j);
}

bool large_is_open(const Evidence *e)
{
        return e->cut && e->other.bulk_waits && !e->other.back_waits;
}

bool large_is_unknown(const Evidence *e)
{
        const Reflection *o = &e->other;
        return o->bulk_asked ? !o->down_known || !o->up_known || o->down_stalled || o->up_stalled
                             : e->large.in_vain;
}

static bool back_is_open(const Evidence *e)
{
        return !way_back_is_known(e) || (e->cut && e->other.back_waits);
}

bool judge_half(const Evidence *e, Judgement *j)
{
        if (!e->other.asked || e->other_optional || !(back_is_open(e) || large_is_open(e)))
                return false;
        say_open(j);
        return true;
}
