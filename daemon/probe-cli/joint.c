#include "probe-cli/joint.h"

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "probe/remedy.h"

#define GCS_PORT 6379

/* What one report says of its own way. */
typedef enum WayEnd {
        WAY_OPEN,     /* a connection came about */
        WAY_RESET,    /* a reset came back: the way is open, or a firewall resets */
        WAY_BLOCKED,  /* somebody forbids or drops it */
        WAY_DEAD,     /* nothing comes back from the machine itself */
        WAY_HERE,     /* the machine that tried could not send */
        WAY_ONE_SIDE, /* it opens, and only one direction of it works */
        WAY_UNKNOWN,
} WayEnd;

static WayEnd way_of(const ProbeJson *p)
{
        int code = verdict_code(p->verdict);

        if (p->verdict == VERDICT_INCONCLUSIVE || code < 0)
                return WAY_UNKNOWN;
        if (p->verdict == VERDICT_PORT_CLOSED || p->verdict == VERDICT_HEAD_LOOPBACK_ONLY)
                return WAY_RESET;
        if (p->verdict == VERDICT_REPLIES_LOST || p->verdict == VERDICT_HALF_OPEN_PATH)
                return WAY_ONE_SIDE;
        if (code == 0 || code >= 53)
                return WAY_OPEN;
        if (code < 20)
                return WAY_UNKNOWN; /* a name; there was no way to look at */
        if (code < 30)
                return WAY_HERE;
        if (code < 40)
                return WAY_DEAD;
        return WAY_BLOCKED;
}

static bool arrives(WayEnd w)
{
        return w == WAY_OPEN || w == WAY_RESET;
}

const char *joint_mistake(const ProbeJson *out, const ProbeJson *back)
{
        if (!addr_is_set(&out->address) || !addr_is_set(&back->address))
                return "one of the reports has no address: examine the machines by address";
        if (addr_equal(&out->address, &back->address))
                return "both reports are of the way to one machine: the second must be made on the "
                       "head, towards the worker";
        if (out->address.family != back->address.family)
                return "one report is of IPv4 and the other of IPv6";
        return NULL;
}

/* --- words --------------------------------------------------------------------------------------
 */

/* What becomes of a connection on this way, for people. */
static char *fate(const ProbeJson *p)
{
        char to[ADDR_MAX], where[ADDR_MAX] = "a machine on the way";

        addr_format(to, &p->address);
        if (addr_is_set(&p->where))
                addr_format(where, &p->where);
        switch (p->verdict) {
        case VERDICT_PORT_CLOSED:
                return strdup("is answered with a reset: nothing listens there, or a firewall "
                              "resets");
        case VERDICT_HEAD_LOOPBACK_ONLY:
                return strdup("is reset: what listens there does so on loopback only");
        case VERDICT_REJECTED_AT_HEAD:
                return str_printf("is rejected by the firewall of %s", to);
        case VERDICT_REJECTED_ON_PATH:
                return str_printf("is rejected by router %s", where);
        case VERDICT_REFUSED_BY_FIREWALL:
                return str_printf("is refused by a firewall at %s", where);
        case VERDICT_FILTERED_SILENTLY:
                return str_printf("is dropped, by %s or on the way", to);
        case VERDICT_HOST_SILENT:
                return strdup("is not answered, and nothing else there answers either");
        case VERDICT_NEIGHBOUR_DEAD:
        case VERDICT_HOST_DOWN_REMOTE:
                return str_printf("ends before %s, which does not answer", to);
        case VERDICT_GATEWAY_DEAD:
                return str_printf("ends at gateway %s, which does not answer", where);
        case VERDICT_NO_ROUTE_REMOTE:
                return str_printf("ends at router %s, which has no route", where);
        case VERDICT_LOCAL_FIREWALL:
                return strdup("is blocked by the own firewall of the machine that begins it");
        case VERDICT_NO_ROUTE_LOCAL:
                return strdup("cannot begin: there is no route");
        case VERDICT_LINK_DOWN:
                return strdup("cannot begin: the link is down");
        case VERDICT_INCONCLUSIVE:
                return strdup("has an unknown end");
        default:
                if (way_of(p) == WAY_OPEN)
                        return strdup("arrives");
                return str_printf("ends with %s: %s", verdict_to_string(p->verdict), p->sentence);
        }
}

static char *direction_words(const ProbeJson *p, const char *who, const Addr *from)
{
        char a[ADDR_MAX] = "", to[ADDR_MAX];
        _cleanup_free_ char *end = fate(p);

        if (!end)
                return NULL;
        if (addr_is_set(from))
                addr_format(a, from);
        return str_printf("from the %s%s%s to %s port %u: %s (%s)", who, *a ? " " : "", a,
                          addr_format(to, &p->address), p->port, end,
                          probe_confidence_to_string(p->confidence));
}

/* The line to be typed on the guilty machine of one report. self: the machine that made it. */
static char *remedy_of(const ProbeJson *p, const Addr *self, RemedyProfile profile)
{
        char to[ADDR_MAX], own[ADDR_MAX] = "the other machine", where[ADDR_MAX], port[8];
        Addr dest = p->address;

        addr_format(to, &p->address);
        dest.port = p->port;
        if (addr_is_set(self))
                addr_format(own, self);
        (void)snprintf(port, sizeof(port), "%u", p->port);
        switch (p->verdict) {
        case VERDICT_REJECTED_ON_PATH:
                return str_printf("on router %s: allow TCP port %u from %s to %s",
                                  addr_is_set(&p->where) ? addr_format(where, &p->where) : "ROUTER",
                                  p->port, own, to);
        case VERDICT_REJECTED_AT_HEAD:
        case VERDICT_FILTERED_SILENTLY:
        case VERDICT_HOST_SILENT:
                return remedy_open_ports(FIREWALL_UNKNOWN, to, p->address.family, port, profile);
        case VERDICT_REFUSED_BY_FIREWALL:
                if (p->place == PROBE_PLACE_HEAD)
                        return remedy_open_ports(FIREWALL_UNKNOWN, to, p->address.family, port,
                                                 profile);
                return str_printf("on the firewalls between: allow TCP port %u from %s to %s",
                                  p->port, own, to);
        case VERDICT_LOCAL_FIREWALL:
                return remedy_open_out(FIREWALL_UNKNOWN, own, &dest, NULL);
        case VERDICT_NO_ROUTE_LOCAL:
                return remedy_route(own, &p->address, NULL);
        case VERDICT_PORT_CLOSED:
                return str_printf("on %s: systemctl status ray-head; ss -ltn 'sport = :%u'", to,
                                  p->port);
        default:
                return str_printf("on %s: ray-probe %s %u", own, to, p->port);
        }
}

/* --- the two together ---------------------------------------------------------------------------
 */

typedef struct Pair {
        const ProbeJson *out, *back;
        WayEnd there, home;
        Addr worker, head; /* as the other one knows them */
} Pair;

static void say(ProbeReport *r, Verdict v, ProbeConfidence c, ProbeDirection d, ProbePlace p,
                const Addr *where)
{
        r->verdict = v;
        r->confidence = c;
        r->direction = d;
        r->place = p;
        r->where = where ? *where : (Addr){0};
}

static void say_out(ProbeReport *r, const ProbeJson *out, ProbeDirection d)
{
        say(r, out->verdict, out->confidence, d, out->place, &out->where);
}

static void say_open(ProbeReport *r)
{
        say(r, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, PROBE_DIRECTION_OUT, PROBE_PLACE_UNKNOWN,
            NULL);
}

/* The report of the head was made with the roles exchanged: its "head" is the worker. */
static ProbePlace place_of_back(const ProbeJson *back)
{
        switch (back->place) {
        case PROBE_PLACE_HERE:
                return PROBE_PLACE_HEAD;
        case PROBE_PLACE_HEAD:
                return PROBE_PLACE_HERE;
        default:
                return back->place;
        }
}

/* The worker gets to the head, the head not to the worker. */
static void judge_back(const Pair *p, ProbeReport *r)
{
        const ProbeJson *b = p->back;

        switch (b->verdict) {
        case VERDICT_NO_ROUTE_LOCAL:
        case VERDICT_ROUTE_FORBIDS:
        case VERDICT_NEIGHBOUR_DEAD:
        case VERDICT_HOST_DOWN_REMOTE:
        case VERDICT_NO_ROUTE_REMOTE:
                /* connections of the worker are answered: if there is no way to this address, then
                 * to another one that it is seen by; or the two were not made at one time */
                say(r, VERDICT_NAT_NO_WAY_BACK, PROBE_LIKELY, PROBE_DIRECTION_BACK,
                    PROBE_PLACE_PATH, NULL);
                return;
        case VERDICT_LOCAL_FIREWALL:
                say(r, VERDICT_REVERSE_BLOCKED, b->confidence, PROBE_DIRECTION_BACK,
                    PROBE_PLACE_HEAD, &p->head);
                return;
        default:
                if (p->home == WAY_BLOCKED || p->home == WAY_ONE_SIDE ||
                    b->verdict == VERDICT_HOST_SILENT)
                        say(r, VERDICT_REVERSE_BLOCKED, b->confidence, PROBE_DIRECTION_BACK,
                            place_of_back(b), &b->where);
                else
                        say_open(r);
                return;
        }
}

/* The head gets to the worker, and its answers come back: both are alive, and have routes. */
static void judge_out(const Pair *p, ProbeReport *r)
{
        switch (p->out->verdict) {
        case VERDICT_HOST_SILENT:
                say(r, VERDICT_FILTERED_SILENTLY, PROBE_LIKELY, PROBE_DIRECTION_OUT,
                    PROBE_PLACE_HEAD, &p->head);
                return;
        case VERDICT_NEIGHBOUR_DEAD:
        case VERDICT_GATEWAY_DEAD:
        case VERDICT_HOST_DOWN_REMOTE:
        case VERDICT_NO_ROUTE_REMOTE:
                say_open(r); /* the two contradict each other */
                return;
        default:
                say_out(r, p->out, p->out->direction);
                return;
        }
}

static void judge_pair(const Pair *p, ProbeReport *r)
{
        bool out_known = p->there != WAY_UNKNOWN;

        if (arrives(p->there) && arrives(p->home)) {
                /* a reset may be a firewall's: then the way back is not seen to be open */
                ProbeConfidence c = p->home == WAY_OPEN ? p->out->confidence : PROBE_LIKELY;
                say_out(r, p->out, p->out->direction);
                if (p->out->verdict == VERDICT_OK)
                        r->confidence = c;
        } else if (p->there == WAY_OPEN)
                judge_back(p, r);
        else if (out_known && arrives(p->home))
                judge_out(p, r);
        else if (out_known && (p->out->confidence == PROBE_PROVEN || p->home == WAY_UNKNOWN ||
                               p->back->confidence != PROBE_PROVEN))
                /* neither gets through; what is proven goes first */
                say_out(r, p->out,
                        p->home == WAY_UNKNOWN ? p->out->direction : PROBE_DIRECTION_BOTH);
        else if (p->home != WAY_UNKNOWN && !arrives(p->home))
                say(r, VERDICT_REVERSE_BLOCKED, p->back->confidence,
                    out_known ? PROBE_DIRECTION_BOTH : PROBE_DIRECTION_BACK, place_of_back(p->back),
                    &p->back->where);
        else if (!out_known)
                say_out(r, p->out, p->out->direction); /* a name that is none, or unknown */
        else
                say_open(r);
}

static char *sentence_of(const Pair *p, const ProbeReport *r)
{
        char worker[ADDR_MAX], head[ADDR_MAX];

        addr_format(worker, &p->worker);
        addr_format(head, &p->head);
        if (r->verdict == VERDICT_OK)
                return str_printf("worker %s and head %s reach each other", worker, head);
        if (r->verdict == VERDICT_INCONCLUSIVE)
                return (arrives(p->home) && p->there == WAY_DEAD) ||
                                       (arrives(p->there) && p->home != WAY_UNKNOWN)
                               ? str_printf("the two reports of worker %s and head %s contradict "
                                            "each other: make both anew, one right after the other",
                                            worker, head)
                               : str_printf("the two reports do not decide whether worker %s and "
                                            "head %s reach each other",
                                            worker, head);
        bool out = arrives(p->there), back = arrives(p->home);
        if (out && back)
                return str_printf("worker %s and head %s reach each other, but: %s", worker, head,
                                  p->out->sentence);
        if (out)
                return str_printf("worker %s reaches head %s, and the head does not reach the "
                                  "worker",
                                  worker, head);
        if (back)
                return str_printf("head %s reaches worker %s, and the worker does not reach the "
                                  "head",
                                  head, worker);
        return str_printf("neither does worker %s reach head %s nor the head the worker", worker,
                          head);
}

/* For each way that is not open, in the order of the ways. */
static char *hint_of(const Pair *p)
{
        _cleanup_free_ char *out = NULL, *back = NULL;

        if (p->there != WAY_OPEN && p->there != WAY_UNKNOWN) {
                out = remedy_of(p->out, &p->worker,
                                p->out->port == GCS_PORT ? REMEDY_PROFILE_HEAD
                                                         : REMEDY_PROFILE_NONE);
                if (!out)
                        return NULL;
        }
        if (!arrives(p->home) && p->home != WAY_UNKNOWN) {
                back = remedy_of(p->back, &p->head, REMEDY_PROFILE_WORKER);
                if (!back)
                        return NULL;
        }
        return out && back ? str_printf("%s; and %s", out, back)
                           : strdup(out ? out : strempty(back));
}

static int facts_of(const Pair *p, ProbeReport *r)
{
        int k = strv_extendf(&r->facts, "out=%s", verdict_to_string(p->out->verdict));
        if (k >= 0)
                k = strv_extendf(&r->facts, "out_confidence=%s",
                                 probe_confidence_to_string(p->out->confidence));
        if (k >= 0)
                k = strv_extendf(&r->facts, "out_at=%s", p->out->at);
        if (k >= 0)
                k = strv_extendf(&r->facts, "back=%s", verdict_to_string(p->back->verdict));
        if (k >= 0)
                k = strv_extendf(&r->facts, "back_confidence=%s",
                                 probe_confidence_to_string(p->back->confidence));
        if (k >= 0)
                k = strv_extendf(&r->facts, "back_at=%s", p->back->at);
        if (k >= 0 && p->home == WAY_RESET)
                k = strv_extendf(&r->missing,
                                 "whether the head's connections really arrive: something that "
                                 "listens on port %u of the worker",
                                 p->back->port);
        if (k >= 0 && r->confidence != PROBE_PROVEN)
                k = strv_extend(&r->missing, "what the other side sees: ray-probe --serve on the "
                                             "head, on any port that is open");
        return k;
}

/* An address that the other machine was tried by, and is not the one that it sends from. */
static char *note_of(const char *who, const Addr *tried, const Addr *sends)
{
        char a[ADDR_MAX], b[ADDR_MAX];

        if (!addr_is_set(sends) || addr_equal(tried, sends))
                return strdup("");
        return str_printf("; the %s sends from %s and was tried by %s", who, addr_format(a, sends),
                          addr_format(b, tried));
}

void joint_done(Joint *j)
{
        free(j->report.sentence);
        free(j->report.because);
        free(j->report.hint);
        strv_free(j->report.facts);
        strv_free(j->report.missing);
        *j = (Joint){0};
}

int joint_make(const ProbeJson *out, const ProbeJson *back, Joint *ret)
{
        _cleanup_joint_ Joint j = {0};
        ProbeReport *r = &j.report;
        const Pair p = {
                .out = out,
                .back = back,
                .there = way_of(out),
                .home = way_of(back),
                .worker = back->address,
                .head = out->address,
        };

        r->addr = out->address;
        r->port = out->port;
        judge_pair(&p, r);
        _cleanup_free_ char *there = direction_words(out, "worker", &out->source);
        _cleanup_free_ char *home = direction_words(back, "head", &back->source);
        _cleanup_free_ char *note = note_of("worker", &back->address, &out->source);
        _cleanup_free_ char *note2 = note_of("head", &out->address, &back->source);
        if (!there || !home || !note || !note2)
                return -ENOMEM;
        r->sentence = sentence_of(&p, r);
        r->because = str_printf("%s; %s%s%s", there, home, note, note2);
        r->hint = hint_of(&p);
        if (!r->sentence || !r->because || !r->hint)
                return -ENOMEM;
        int k = facts_of(&p, r);
        if (k < 0)
                return k;
        *ret = j;
        j = (Joint){0};
        return 0;
}
