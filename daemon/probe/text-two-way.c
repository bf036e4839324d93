/* What the other side saw, in words. */
#include <errno.h>
#include <stdio.h>

#include "model/way-back.h"
#include "probe/judge.h"
#include "probe/phrase.h"

const char *text_other_side(const Evidence *e)
{
        if (!isempty(e->other.text))
                return e->other.text;
        if (e->other.answered)
                return e->cut && e->other.back_waits
                               ? "the time was over before all of it was tried"
                               : "";
        return e->cut ? "the time was over before it answered" : "it did not answer";
}

static char *text_filtered(const Evidence *e, const char *head)
{
        switch (syns_fate(e)) {
        case SYNS_AT_HEAD:
                return str_printf("the firewall of head %s drops what is sent to port %u", head,
                                  e->addr.port);
        case SYNS_ON_WAY:
                return str_printf("what is sent to port %u of head %s is dropped on the way: it "
                                  "does not arrive there",
                                  e->addr.port, head);
        default:
                return str_printf("head %s is alive, but what is sent to its port %u is dropped, "
                                  "by its firewall or on the way",
                                  head, e->addr.port);
        }
}

static char *text_refused(const Evidence *e, const Judgement *j, const char *head)
{
        if (j->place == PROBE_PLACE_HEAD)
                return str_printf("the firewall of head %s refuses port %u with a reset: blocked, "
                                  "not closed",
                                  head, e->addr.port);
        return str_printf("a firewall on the way refuses port %u of head %s with a reset: blocked, "
                          "not closed",
                          e->addr.port, head);
}

static char *text_closed(const Evidence *e, const char *head)
{
        if (port_view(e)->listening)
                return str_printf("head %s refuses on port %u, although something listens there: "
                                  "on another address, or only since a moment",
                                  head, e->addr.port);
        return str_printf("nothing listens on port %u of head %s: Ray is not running there",
                          e->addr.port, head);
}

static char *text_replies_lost(const Evidence *e, const Judgement *j, const char *head)
{
        if (j->place == PROBE_PLACE_HERE)
                return str_printf("head %s answers our requests to port %u, and this machine's own "
                                  "firewall drops the answers",
                                  head, e->addr.port);
        return str_printf("our requests to port %u arrive at head %s, and its answers are lost on "
                          "the way back",
                          e->addr.port, head);
}

static char *sentence_other_side(const Evidence *e, const Judgement *j, const char *head)
{
        char own[ADDR_MAX];

        switch (j->verdict) {
        case VERDICT_FILTERED_SILENTLY:
                return text_filtered(e, head);
        case VERDICT_REFUSED_BY_FIREWALL:
                return e->tcp.icmp.seen ? NULL : text_refused(e, j, head);
        case VERDICT_PORT_CLOSED:
                return port_view(e) ? text_closed(e, head) : NULL;
        case VERDICT_REPLIES_LOST:
                return text_replies_lost(e, j, head);
        case VERDICT_HEAD_RPFILTER:
                return str_printf("head %s throws our packets away: its reverse path filter "
                                  "expects %s on another of its interfaces",
                                  head, own_name(e, own));
        case VERDICT_HEAD_NO_RETURN_ROUTE:
                return str_printf("our requests arrive at head %s, which has no route to answer "
                                  "%s by",
                                  head, own_name(e, own));
        case VERDICT_HEAD_LOOPBACK_ONLY:
                return str_printf("Ray on head %s listens on port %u of its loopback address only, "
                                  "where no other machine gets to",
                                  head, e->addr.port);
        case VERDICT_BACKLOG_FULL:
                return str_printf("the queue of port %u on head %s is full: gcs_server takes no "
                                  "connections, it is stopped or stuck",
                                  e->addr.port, head);
        default:
                return NULL;
        }
}

/* How the head's connections end that do not come through. */
static char *text_how(const Evidence *e, const Judgement *j, const WayBack *w)
{
        char where[ADDR_MAX] = "";

        if (addr_is_set(&j->where))
                addr_format(where, &j->where);
        if (w->rejection && j->place == PROBE_PLACE_HERE)
                return strdup("this machine's own firewall rejects its connections");
        if (w->rejection && j->place == PROBE_PLACE_HEAD)
                return strdup("its own firewall rejects its connections");
        if (w->rejection)
                return str_printf("router %s rejects its connections", where);
        if (w->impossible && forbids_itself(w->impossible))
                return strdup("its own firewall forbids it");
        if (w->impossible)
                return str_printf("it has no way to send (%s)", strerror(w->impossible->error));
        bool reset = w->refused > w->silent;
        if (j->place == PROBE_PLACE_HERE)
                return str_printf("this machine's own firewall %s its connections",
                                  reset ? "resets" : "drops");
        return str_printf("its connections are %s here or on the way",
                          reset ? "reset by a firewall" : "dropped");
}

static char *text_blocked(const Evidence *e, const Judgement *j, const char *head)
{
        char own[ADDR_MAX];
        WayBack w;

        way_back(&e->other, announced(e), &w);
        addr_format(own, announced(e));
        _cleanup_free_ char *how = text_how(e, j, &w);
        _cleanup_free_ char *ports = back_blocked_words(&e->other, announced(e), &e->back.sampled);
        if (!how || !ports)
                return NULL;
        if (j->verdict == VERDICT_REVERSE_BLOCKED)
                return str_printf("head %s cannot connect to this machine at %s: %s", head, own,
                                  how);
        return str_printf("head %s cannot connect to port%s %s of this machine at %s: %s", head,
                          strpbrk(ports, ",-") ? "s" : "", ports, own, how);
}

static char *sentence_way_back(const Evidence *e, const Judgement *j, const char *head)
{
        char own[ADDR_MAX] = "", seen[ADDR_MAX] = "", local[ADDR_MAX] = "";

        if (addr_is_set(announced(e)))
                addr_format(own, announced(e));
        if (addr_is_set(&e->other.observed))
                addr_format(seen, &e->other.observed);
        if (addr_is_set(&e->other.local))
                addr_format(local, &e->other.local);

        switch (j->verdict) {
        case VERDICT_OK:
                return str_printf("head %s serves Ray%s%s on port %u, and can connect to this "
                                  "machine",
                                  head, isempty(e->head.ray) ? "" : " ", e->head.ray, e->addr.port);
        case VERDICT_WRONG_INTERFACE:
                return str_printf("Ray here announces the address %s, by which head %s cannot "
                                  "connect to this machine; by %s it can",
                                  own, head, seen);
        case VERDICT_NAT_ONE_WAY:
                return str_printf("head %s sees this machine as %s, by which it cannot connect; by "
                                  "this machine's own address %s it can",
                                  head, seen, own);
        case VERDICT_NAT_NO_WAY_BACK:
                return str_printf("head %s sees this machine as %s and cannot connect to it, "
                                  "neither so nor by its own address %s: Ray needs both ways",
                                  head, seen, own);
        case VERDICT_NAT_FORWARDED:
                return str_printf("head %s can connect to this machine only by %s, the address of "
                                  "a translator on the way, not by its own address %s",
                                  head, seen, own);
        case VERDICT_HEAD_BEHIND_DNAT:
                return str_printf("head %s knows itself as %s: the address dialled is translated "
                                  "on the way, and Ray will hand out the other one",
                                  head, local);
        case VERDICT_REVERSE_BLOCKED:
        case VERDICT_REVERSE_PORTS_PARTIAL:
                return text_blocked(e, j, head);
        case VERDICT_WRONG_PEER:
                return str_printf("something else answers when head %s connects to this machine's "
                                  "address %s: two machines have it, or it is translated on the "
                                  "way",
                                  head, own);
        default:
                return NULL;
        }
}

/* It serves, and that is only half of the question. */
static char *text_half(const Evidence *e, const char *head)
{
        const char *why = text_other_side(e);
        if (large_is_open(e))
                return str_printf("head %s serves on port %u; whether large packets pass was not "
                                  "found out in time",
                                  head, e->addr.port);
        return str_printf("head %s serves on port %u; whether it can connect to this machine was "
                          "not found out%s%s",
                          head, e->addr.port, isempty(why) ? "" : ": ", why);
}

char *sentence_two_way(const Evidence *e, const Judgement *j, const char *head)
{
        bool half = j->verdict == VERDICT_INCONCLUSIVE ||
                    (j->verdict == VERDICT_OK && !way_back_is_known(e));
        if (half && e->other.asked && e->alive.outcome == ALIVE_OK)
                return text_half(e, head);
        if (!e->other.answered ||
            (j->verdict == VERDICT_WRONG_INTERFACE && e->local.source != SOURCE_FREE))
                return NULL;
        char *s = sentence_other_side(e, j, head);
        return s ? s : sentence_way_back(e, j, head);
}
