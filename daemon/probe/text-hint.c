/* What to do about it, and on which machine. */
#include <errno.h>
#include <stdio.h>

#include "probe/judge.h"
#include "probe/phrase.h"
#include "probe/remedy.h"

/* What the firewall profiles of raycluster open on a head, among others (units/firewalld). */
#define GCS_PORT 6379

/* The kernel's packet filters never forbid a connect() at once: that is the doing of a unit's own
 * IPAddressDeny= or of a sandbox. */
static char *hint_own_firewall(const Evidence *e)
{
        if (e->tcp.at_once && e->tcp.error == EPERM)
                return strdup("here: cat /proc/self/cgroup # the unit named there forbids it: "
                              "systemctl cat UNIT");
        return remedy_open_out(e->keepers.firewall, REMEDY_HERE, &e->addr, NULL);
}

/* The address to speak from, where the one in use is not answered. */
static char *hint_source(const Evidence *e, const char *addr)
{
        const LocalFacts *f = &e->local;
        char usual[ADDR_MAX], gateway[ADDR_MAX];
        if (!f->usual_answered)
                return str_printf("here: ip -br address");
        addr_format(usual, &f->source_usual);
        if (!isempty(e->from))
                return str_printf("--from %s", usual);
        bool via = addr_is_set(&f->route.gateway);
        return str_printf("here, as root: ip%s route replace %s%s%s dev %s src %s",
                          e->addr.family == AF_INET6 ? " -6" : "", addr, via ? " via " : "",
                          via ? addr_format(gateway, &f->route.gateway) : "", f->route.ifname,
                          usual);
}

/* "write fe80::1%eth0, or fe80::1%eth1" */
static char *hint_scope(const Evidence *e, const char *addr)
{
        _cleanup_strv_free_ char **links = NULL, **words = NULL;
        if (strv_split(e->local.scopes, " ", &links) < 0)
                return NULL;
        STRV_FOREACH (s, links)
                if (strv_extendf(&words, "%s%%%s", addr, *s) < 0)
                        return NULL;
        if (!words)
                return str_printf("write %s%%INTERFACE", addr);
        _cleanup_free_ char *list = strv_join(words, ", or ");
        return list ? str_printf("write %s%s", list,
                                 e->local.scope_known ? " # where it is a neighbour" : "")
                    : NULL;
}

static char *hint_local(const Evidence *e, const Judgement *j, const char *addr)
{
        switch (j->verdict) {
        case VERDICT_NAME_NOT_FOUND:
                return str_printf(
                        "give the address instead of the name, or add the name to DNS or to "
                        "/etc/hosts here");
        case VERDICT_DNS_UNAVAILABLE:
                return str_printf("here: getent hosts %s; cat /etc/resolv.conf",
                                  is_plain_word(e->host) ? e->host : "NAME");
        case VERDICT_NAME_IS_LOOPBACK:
                return str_printf("here: grep -n %s /etc/hosts # put the head's own address there",
                                  is_plain_word(e->host) ? e->host : "127");
        case VERDICT_LINK_DOWN:
                return str_printf("here: ip link set %s up; ip -br link show %s", text_down_link(e),
                                  text_down_link(e));
        case VERDICT_NO_ROUTE_LOCAL:
                return remedy_route(REMEDY_HERE, &e->addr, NULL);
        case VERDICT_ROUTE_FORBIDS:
                return str_printf("here: ip route show table all | grep %s",
                                  text_route_kind(e->tcp.error));
        case VERDICT_LOCAL_FIREWALL:
                return hint_own_firewall(e);
        case VERDICT_LOCAL_RESOURCES:
                return str_printf("here: ss -s; sysctl net.ipv4.ip_local_port_range; ulimit -n");
        case VERDICT_WRONG_INTERFACE:
                return hint_source(e, addr);
        case VERDICT_SCOPE_MISSING:
                return hint_scope(e, addr);
        default:
                return NULL;
        }
}

/* The profile opens everything that Ray needs, but only knows Ray's own port. */
char *hint_open_head(const Evidence *e, const char *name)
{
        char port[8];
        bool own = e->local.own;
        (void)snprintf(port, sizeof(port), "%u", e->addr.port);
        return remedy_open_ports(own ? e->keepers.firewall : e->other.firewall,
                                 own ? REMEDY_HERE : name, e->addr.family, port,
                                 e->addr.port == GCS_PORT ? REMEDY_PROFILE_HEAD
                                                          : REMEDY_PROFILE_NONE);
}

static char *hint_router_route(const Evidence *e, const char *where)
{
        _cleanup_free_ char *router = str_printf("router %s", where);
        return router ? remedy_route(router, &e->addr, NULL) : NULL;
}

/* "2.60.0" is in package raycluster-engine-2.60. */
static char *hint_versions(const Evidence *e)
{
        const char *dot = strchr(e->head.ray, '.');
        dot = dot ? strchr(dot + 1, '.') : NULL;
        if (isempty(e->here.ray) || streq(e->head.ray, e->here.ray) || !dot ||
            !is_plain_word(e->head.ray))
                return strdup("here: raycluster doctor # which Python each engine has");
        return str_printf("here, as root: apt install raycluster-engine-%.*s # or dnf, or set "
                          "engine.venv to an environment with Ray %s",
                          (int)(dot - e->head.ray), e->head.ray, e->head.ray);
}

static char *hint_token(const Evidence *e, const char *name)
{
        if (e->local.own)
                return strdup("here: ls -l /run/raycluster/ray-token # 0640, group ray; ray-probe "
                              "reads it with --token-file");
        return str_printf("here, as root: ssh root@%s raycluster token create | raycluster join -",
                          name);
}

static char *hint_path(const Evidence *e, const Judgement *j, const char *name, const char *addr)
{
        char where[ADDR_MAX] = "", own[ADDR_MAX];
        if (addr_is_set(&j->where))
                addr_format(where, &j->where);

        switch (j->verdict) {
        case VERDICT_NEIGHBOUR_DEAD:
                return str_printf(
                        "here, as root: arping -I %s %s; on %s: is it on, in this VLAN, with "
                        "this address?",
                        e->local.route.ifname, addr, name);
        case VERDICT_GATEWAY_DEAD:
                return str_printf("here, as root: arping -I %s %s; ip route get %s",
                                  e->local.route.ifname, where, addr);
        case VERDICT_HOST_DOWN_REMOTE:
                return str_printf("look whether %s is on and still has address %s", name, addr);
        case VERDICT_NO_ROUTE_REMOTE:
                return hint_router_route(e, where);
        case VERDICT_HOST_SILENT:
                return str_printf("look whether %s is on; on %s: ip route get %s", name, name,
                                  own_name(e, own));
        case VERDICT_REJECTED_ON_PATH:
                return str_printf("on router %s: allow TCP port %u to %s", where, e->addr.port,
                                  addr);
        case VERDICT_REFUSED_BY_FIREWALL:
                if (j->place == PROBE_PLACE_ROUTER)
                        return str_printf("on router %s: allow TCP port %u to %s", where,
                                          e->addr.port, addr);
                _fallthrough_;
        case VERDICT_REJECTED_AT_HEAD:
        case VERDICT_FILTERED_SILENTLY:
                return hint_open_head(e, name);
        case VERDICT_REPLIES_LOST:
                if (j->place != PROBE_PLACE_HERE || !answers_filtered(e))
                        return NULL;
                return str_printf(
                        "here, as root: sysctl net.ipv4.conf.all.rp_filter=2 # or a route "
                        "to %s by the interface that its answers come in by",
                        addr);
        case VERDICT_HALF_OPEN_PATH:
                return str_printf("on %s: ip route get %s, and compare with the way from here",
                                  name, own_name(e, own));
        default:
                return NULL;
        }
}

static char *hint_service(const Evidence *e, const Judgement *j, const char *name)
{
        switch (j->verdict) {
        case VERDICT_OK:
                return strdup("");
        case VERDICT_PORT_CLOSED:
                return str_printf("on %s: systemctl status ray-head; ss -ltn 'sport = :%u'", name,
                                  e->addr.port);
        case VERDICT_SERVICE_FROZEN:
                return str_printf("on %s: ps -o pid,stat,wchan,args -C gcs_server; raycluster "
                                  "restart-engine",
                                  name);
        case VERDICT_CLOSED_AFTER_ACCEPT:
        case VERDICT_NOT_RAY:
                return str_printf("on %s, as root: ss -ltnp 'sport = :%u' shows who has the port",
                                  name, e->addr.port);
        case VERDICT_TOKEN_REQUIRED:
        case VERDICT_TOKEN_WRONG:
                return hint_token(e, name);
        case VERDICT_WRONG_CLUSTER:
                return str_printf("here: raycluster restart-engine");
        case VERDICT_VERSION_MISMATCH:
                return hint_versions(e);
        case VERDICT_INCONCLUSIVE:
                return e->cut ? strdup("here: give it more time with --deadline 6s")
                              : str_printf("on %s: systemctl status ray-head", name);
        default:
                return NULL;
        }
}

char *text_hint(const Evidence *e, const Judgement *j)
{
        char name_buf[ADDR_MAX], addr_buf[ADDR_MAX];
        const char *name = head_name(e, name_buf);
        const char *addr = addr_is_set(&e->addr) ? addr_format(addr_buf, &e->addr) : e->host;

        char *s = hint_ports(e, j, name);
        if (!s)
                s = hint_two_way(e, j, name); /* who asked the other side knows more */
        if (!s)
                s = hint_local(e, j, addr);
        if (!s)
                s = hint_path(e, j, name, addr);
        if (!s)
                s = hint_service(e, j, name);
        if (!s)
                s = hint_tls(e, j, name);
        return s ? s : hint_quality(e, j, name);
}
