/* Many ports, in a few words. */
#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "probe/judge.h"
#include "probe/phrase.h"
#include "probe/remedy.h"

/* Different kinds of blocked ranges that are told; a head with more has a firewall of riddles. */
#define BECAUSE_KINDS_MAX 4

/* What raycluster's own firewall profiles open on a head (units/firewalld, units/ufw). */
static const PortSpan profile[] = {{6379, 6388}, {8265, 8265}, {10001, 19999}};

/* The ranges of one cause. Caller frees; NULL: none, or out of memory. */
static PortRange *ranges_of(const Evidence *e, const Judgement *j, size_t *ret_n)
{
        const PortsFacts *f = e->ports;
        PortRange *list = f ? new0(PortRange, f->n + 1) : NULL;
        size_t n = 0;

        for (size_t i = 0; list && i < f->n; i++) {
                Judgement one;
                if (judge_port_range(e, &f->ranges[i], &one) && same_cause(&one, j))
                        list[n++] = f->ranges[i];
        }
        if (n == 0) {
                free(list);
                return NULL;
        }
        *ret_n = n;
        return list;
}

/* "port 6381 (object manager)", "ports 6380-6388, 10002-19999" */
static char *words_of(const Evidence *e, const PortRange *list, size_t n)
{
        if (n == 1 && list[0].first == list[0].last) {
                const char *use = port_plan_use(&e->ports->plan, list[0].first);
                return use ? str_printf("port %u (%s)", list[0].first, use)
                           : str_printf("port %u", list[0].first);
        }
        _cleanup_free_ char *ports = port_ranges_format(list, n, PORT_MASK_BLOCKED);
        return ports ? str_printf("ports %s", ports) : NULL;
}

static char *sentence_blocked(const Evidence *e, const Judgement *j, const char *head)
{
        size_t n;
        _cleanup_free_ PortRange *list = ranges_of(e, j, &n);
        _cleanup_free_ char *words = list ? words_of(e, list, n) : NULL;
        char where[ADDR_MAX] = "";

        if (!words)
                return NULL;
        if (addr_is_set(&j->where))
                addr_format(where, &j->where);
        switch (j->verdict) {
        case VERDICT_LOCAL_FIREWALL:
                return str_printf("this machine's own firewall blocks the way to %s of head %s",
                                  words, head);
        case VERDICT_REJECTED_AT_HEAD:
                return str_printf("head %s serves, but its firewall rejects %s", head, words);
        case VERDICT_REJECTED_ON_PATH:
                return str_printf("head %s serves, but router %s forbids the way to its %s", head,
                                  where, words);
        case VERDICT_REFUSED_BY_FIREWALL:
                return str_printf("head %s serves, but a firewall at %s refuses its %s: blocked, "
                                  "not closed",
                                  head, j->place == PROBE_PLACE_ROUTER ? where : "the head itself",
                                  words);
        case VERDICT_FILTERED_SILENTLY:
                return str_printf("head %s serves, but its %s stay%s silent: a firewall there or "
                                  "on the way drops what is sent to them",
                                  head, words, startswith(words, "port ") ? "s" : "");
        default:
                return NULL;
        }
}

static char *sentence_refused(const Evidence *e, const char *head)
{
        const PortRange *r = e->ports ? announced_and_refused(e) : NULL;
        if (!r)
                return NULL;
        uint16_t port = e->ports->plan.node_manager;
        if (port < r->first || port > r->last)
                port = e->ports->plan.object_manager;
        return str_printf("head %s announces port %u (%s) and refuses it: its raylet is gone, or a "
                          "firewall there answers with resets",
                          head, port, port_plan_use(&e->ports->plan, port));
}

static char *sentence_good(const Evidence *e, const char *head)
{
        const PortsFacts *f = e->ports;
        bool back = e->other.answered && e->other.n_back > 0;

        if (!f || !f->complete)
                return NULL;
        return str_printf("head %s serves Ray%s%s on port %u, and the way to all %zu ports that it "
                          "uses is open%s",
                          head, isempty(e->head.ray) ? "" : " ", e->head.ray, e->addr.port,
                          port_ranges_count(f->ranges, f->n, ~0U),
                          back ? ", as is the way back" : "");
}

/* All that is wrong is said of the ports, not of the connection. */
static bool is_about_ports(const Evidence *e)
{
        return e->all && e->connected && e->tcp.outcome == CONNECT_ESTABLISHED &&
               e->alive.outcome == ALIVE_OK;
}

char *sentence_ports(const Evidence *e, const Judgement *j, const char *head)
{
        if (!is_about_ports(e))
                return NULL;
        switch (j->verdict) {
        case VERDICT_OK:
                return sentence_good(e, head);
        case VERDICT_PORT_CLOSED:
                return sentence_refused(e, head);
        case VERDICT_INCONCLUSIVE:
                if (e->ports && e->ports->complete && e->ports->table_silent)
                        return str_printf("head %s serves on port %u, and no port of the "
                                          "configuration is blocked; its node table, which may "
                                          "say others, did not come in time",
                                          head, e->addr.port);
                if (e->ports && e->ports->complete)
                        return NULL;
                return str_printf("head %s serves on port %u; not all of its other ports could be "
                                  "tried%s",
                                  head, e->addr.port,
                                  e->ports && e->ports->trouble ? "" : " in the time allowed");
        default:
                return sentence_blocked(e, j, head);
        }
}

/* --- what to do ---------------------------------------------------------------------------------
 */

static bool in_profile(const PortRange *list, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                bool inside = false;
                for (size_t k = 0; k < ELEMENTSOF(profile); k++)
                        inside = inside || (list[i].first >= profile[k].first &&
                                            list[i].last <= profile[k].last);
                if (!inside)
                        return false;
        }
        return true;
}

static char *hint_head(const Evidence *e, const PortRange *list, size_t n, const char *ports,
                       const char *name)
{
        bool own = e->local.own;
        return remedy_open_ports(own ? e->keepers.firewall : e->other.firewall,
                                 own ? REMEDY_HERE : name, e->addr.family, ports,
                                 in_profile(list, n) ? REMEDY_PROFILE_HEAD : REMEDY_PROFILE_NONE);
}

char *hint_ports(const Evidence *e, const Judgement *j, const char *name)
{
        char where[ADDR_MAX] = "", addr[ADDR_MAX];
        size_t n;

        if (is_about_ports(e) && j->verdict == VERDICT_PORT_CLOSED)
                return str_printf("on %s: systemctl status ray-head; ss -ltn", name);
        if (is_about_ports(e) && j->verdict == VERDICT_INCONCLUSIVE &&
            !(e->ports && e->ports->complete))
                return e->ports && e->ports->trouble
                               ? strdup("here: ss -s; ulimit -n; sysctl "
                                        "net.ipv4.ip_local_port_range")
                               : strdup("here: give it more time with --deadline 30s");
        _cleanup_free_ PortRange *list = ranges_of(e, j, &n);
        _cleanup_free_ char *ports = list ? port_ranges_list(list, n, PORT_MASK_BLOCKED) : NULL;
        if (!ports)
                return NULL;
        if (addr_is_set(&j->where))
                addr_format(where, &j->where);
        if (j->place == PROBE_PLACE_ROUTER)
                return str_printf("on router %s: allow TCP port%s %s to %s", where,
                                  strpbrk(ports, ",-") ? "s" : "", ports,
                                  addr_format(addr, &e->addr));
        switch (j->verdict) {
        case VERDICT_LOCAL_FIREWALL:
                return remedy_open_out(e->keepers.firewall, REMEDY_HERE, &e->addr, ports);
        case VERDICT_REJECTED_AT_HEAD:
        case VERDICT_REFUSED_BY_FIREWALL:
        case VERDICT_FILTERED_SILENTLY:
                return j->place == PROBE_PLACE_PATH ? NULL : hint_head(e, list, n, ports, name);
        default:
                return NULL;
        }
}

/* --- what it rests on ---------------------------------------------------------------------------
 */

static char *icmp_words(const Evidence *e, const PortRange *r)
{
        const char *name = icmp_name(e->addr.family, r->icmp.type, r->icmp.code);
        char from[ADDR_MAX], number[32];
        (void)snprintf(number, sizeof(number), "type %u code %u", r->icmp.type, r->icmp.code);
        return str_printf("ICMP %s from %s", name ? name : number,
                          addr_format(from, &r->icmp.from));
}

/* All blocked ranges that are like this one. */
static int because_like(const Evidence *e, const PortRange *r, char ***l)
{
        const PortsFacts *f = e->ports;
        _cleanup_free_ PortRange *list = new0(PortRange, f->n);
        unsigned n_tried = 0, n_told = 0;
        size_t n = 0;

        for (size_t i = 0; list && i < f->n; i++)
                if (port_range_alike(&f->ranges[i], r)) {
                        list[n++] = f->ranges[i];
                        n_tried += f->ranges[i].n_tried;
                        n_told += f->ranges[i].n_told;
                }
        _cleanup_free_ char *ports = list ? port_ranges_format(list, n, PORT_MASK_BLOCKED) : NULL;
        if (!ports)
                return -ENOMEM;
        if (r->state == PORT_SILENT)
                return strv_extendf(l, "%s: silence", ports);
        if (r->state == PORT_FAILED)
                return strv_extendf(l, "%s: connect() fails: %s", ports, strerror(r->error));
        _cleanup_free_ char *icmp = icmp_words(e, r);
        if (!icmp)
                return -ENOMEM;
        return n_told < n_tried ? strv_extendf(l, "%s: %s, told for %u of %u (ICMP is rationed)",
                                               ports, icmp, n_told, n_tried)
                                : strv_extendf(l, "%s: %s", ports, icmp);
}

static int because_blocked(const Evidence *e, char ***l)
{
        const PortsFacts *f = e->ports;
        size_t told = 0;
        int r = 0;

        for (size_t i = 0; i < f->n && r >= 0 && told < BECAUSE_KINDS_MAX; i++) {
                size_t k = 0;
                if (!(PORT_MASK_BLOCKED & PORT_MASK(f->ranges[i].state)))
                        continue;
                while (k < i && !port_range_alike(&f->ranges[k], &f->ranges[i]))
                        k++;
                if (k < i)
                        continue;
                r = because_like(e, &f->ranges[i], l);
                told++;
        }
        return r;
}

int because_ports(const Evidence *e, char ***l)
{
        const PortsFacts *f = e->ports;

        if (!f || f->n == 0)
                return 0;
        size_t refused = port_ranges_count(f->ranges, f->n, PORT_MASK(PORT_REFUSED));
        int r = strv_extendf(l, "of %zu ports %zu are open",
                             port_ranges_count(f->ranges, f->n, ~0U),
                             port_ranges_count(f->ranges, f->n, PORT_MASK(PORT_OPEN)));
        if (r >= 0 && refused > 0)
                r = strv_extendf(l, "%zu refuse (nobody listens, the way is open)", refused);
        if (r >= 0)
                r = because_blocked(e, l);
        if (r >= 0 && f->retrans_known && f->retrans_fail >= f->retrans)
                r = strv_extendf(l, "all %u repeated SYNs failed inside this machine", f->retrans);
        if (r >= 0 && f->udp_forbidden)
                r = strv_extend(l,
                                "a datagram to such a port is forbidden by this machine (EPERM)");
        if (r >= 0 && f->narrow)
                r = strv_extendf(l, "only %u sockets at once, by this machine's limit (ulimit -n)",
                                 f->window);
        if (r >= 0 && f->trouble)
                r = strv_extendf(l, "sockets ran out here: %s", strerror(f->trouble));
        return r;
}

int ports_facts(const Evidence *e, char ***l)
{
        const PortsFacts *f = e->ports;
        int r = 0;

        if (!f)
                return 0;
        r = strv_extendf(l, "ports_plan=%s", f->table ? "node table" : "configuration");
        for (PortState s = 0; s < _PORT_STATE_MAX && r >= 0; s++) {
                _cleanup_free_ char *ports = port_ranges_format(f->ranges, f->n, PORT_MASK(s));
                if (!ports)
                        return -ENOMEM;
                if (*ports)
                        r = strv_extendf(l, "ports_%s=%s", port_state_to_string(s), ports);
        }
        return r;
}

int ports_missing(const Evidence *e, char ***l)
{
        const PortsFacts *f = e->ports;

        if (e->all && f && f->complete && f->table_silent)
                return strv_extend(l, "which ports Ray has there: its node table, in another run");
        if (!e->all || !f || f->complete)
                return 0;
        _cleanup_free_ char *ports = port_ranges_format(f->ranges, f->n, PORT_MASK(PORT_UNKNOWN));
        if (!ports)
                return -ENOMEM;
        return strv_extendf(l, "whether the way to ports %s is open: %s", *ports ? ports : "of Ray",
                            f->trouble ? "free sockets on this machine" : "a longer deadline");
}
