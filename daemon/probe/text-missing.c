/* What is not known, and what would tell it. */
#include "probe/judge.h"
#include "probe/phrase.h"

/* What only the other side knows, when it was not heard. */
static int missing_other(const Evidence *e, const Judgement *j, char ***l)
{
        const Reflection *o = &e->other;

        if (o->asked && !o->answered)
                return strv_extendf(l, "the other side's view: %s", text_other_side(e));
        if (j->verdict == VERDICT_INCONCLUSIVE && (large_is_open(e) || e->unmeasured))
                return strv_extend(l, "whether large packets pass: a longer deadline");
        if (o->asked && j->verdict == VERDICT_INCONCLUSIVE && e->alive.outcome == ALIVE_OK)
                return strv_extendf(l, "whether the head reaches this machine: %s",
                                    isempty(o->text) ? "a longer deadline" : o->text);
        if (j->verdict == VERDICT_OK && large_is_unknown(e))
                return strv_extend(
                        l, "whether large packets pass: no transfer came to its end, try again");
        if (j->verdict == VERDICT_OK && !o->asked)
                return strv_extend(l, "whether the head reaches this machine: ray-probe --serve "
                                      "there and --code here");
        return 0;
}

static const char *missing_of_closed(const Evidence *e)
{
        return port_view(e) ? NULL
                            : "whether the head or a firewall sent the reset: the head's "
                              "listening sockets (ss -ltn there)";
}

static int missing_of_silence(const Evidence *e, const Judgement *j, char ***l)
{
        bool six = e->addr.family == AF_INET6;
        int r = 0;

        if (j->verdict == VERDICT_HOST_SILENT && e->local.has_neigh &&
            !addr_is_set(&e->local.route.gateway))
                r = strv_extendf(l, "whether it still answers %s: root (%s)",
                                 six ? "neighbour discovery" : "ARP", six ? "ndisc6" : "arping");
        if (r < 0 || e->other.answered)
                return r;
        return strv_extend(
                l, "whether our SYNs arrive: a look at the head (ss -tn state syn-recv there)");
}

/* What would decide where the facts do not. */
static int missing_of_open(const Evidence *e, char ***l)
{
        int r = 0;

        if (e->cut)
                r = strv_extend(l, "the rest of the examination: a longer deadline (--deadline)");
        if (r >= 0 && e->name == NAME_UNKNOWN)
                return strv_extend(l, "which address the name has: its address in place of it");
        if (r < 0 || !e->connected || e->other.answered)
                return r;
        if (e->alive.outcome == ALIVE_OK)
                return 0;
        if (e->tcp.outcome == CONNECT_ESTABLISHED)
                return e->alive.outcome == ALIVE_OTHER
                               ? strv_extend(l, "why the GCS refuses: its log on the head "
                                                "(journalctl -u ray-engine@head)")
                               : strv_extend(l, "what serves there: the process that has the port "
                                                "(ss -ltnp on the head, as root)");
        if (e->tcp.outcome == CONNECT_PENDING)
                return strv_extend(l, "whether our SYNs arrive: the head's side (ray-probe --serve "
                                      "there)");
        return strv_extend(l, "what refused it inside this machine: root (nft list ruleset, "
                              "dmesg)");
}

static int missing_of_verdict(const Evidence *e, const Judgement *j, char ***l)
{
        const char *text = NULL;

        switch (j->verdict) {
        case VERDICT_PORT_CLOSED:
                text = missing_of_closed(e);
                break;
        case VERDICT_FILTERED_SILENTLY:
        case VERDICT_HOST_SILENT:
                return missing_of_silence(e, j, l);
        case VERDICT_NO_ROUTE_REMOTE:
        case VERDICT_HOST_DOWN_REMOTE:
                if (j->confidence != PROBE_PROVEN)
                        text = "whether the router has a route and asks for the head: its route "
                               "and neighbour tables";
                break;
        case VERDICT_LOCAL_FIREWALL:
                text = "which rule: root (nft list ruleset)";
                break;
        case VERDICT_OK:
                if (isempty(e->here.ray))
                        text = "whether the versions match: an installed engine on this machine";
                break;
        case VERDICT_INCONCLUSIVE:
                return missing_of_open(e, l);
        default:
                break;
        }
        return text ? strv_extend(l, text) : 0;
}

int text_missing(const Evidence *e, const Judgement *j, char ***ret)
{
        _cleanup_strv_free_ char **l = NULL;

        int r = missing_other(e, j, &l);

        if (r >= 0)
                r = ports_missing(e, &l);
        if (r >= 0)
                r = missing_tls(e, j, &l);
        if (r >= 0)
                r = missing_of_verdict(e, j, &l);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(l);
        return 0;
}
