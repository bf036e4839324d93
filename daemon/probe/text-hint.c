/* What to do about it, and on which machine. */
#include <errno.h>
#include <stdio.h>

#include "probe/phrase.h"

/* What the firewall profiles of raycluster open on a head, among others (units/firewalld). */
#define GCS_PORT 6379

static char *hint_local(const Evidence *e, const Judgement *j, const char *addr)
{
        switch (j->verdict) {
        case VERDICT_NAME_NOT_FOUND:
                return str_printf(
                        "give the address instead of the name, or add the name to DNS or to "
                        "/etc/hosts here");
        case VERDICT_DNS_UNAVAILABLE:
                return str_printf("here: getent hosts %s; cat /etc/resolv.conf", e->host);
        case VERDICT_NAME_IS_LOOPBACK:
                return str_printf(
                        "here: grep -n %s /etc/hosts, and put the head's own address there",
                        e->host);
        case VERDICT_LINK_DOWN:
                return str_printf("here: ip link set %s up; ip -br link show %s", text_down_link(e),
                                  text_down_link(e));
        case VERDICT_NO_ROUTE_LOCAL:
                return str_printf("here: ip route get %s; ip route show default", addr);
        case VERDICT_ROUTE_FORBIDS:
                return str_printf("here: ip route show table all | grep %s",
                                  text_route_kind(e->tcp.error));
        case VERDICT_LOCAL_FIREWALL:
                return str_printf(
                        "here, as root: nft list ruleset | grep -n -A9 output; systemd units "
                        "may block too (IPAddressDeny=)");
        case VERDICT_LOCAL_RESOURCES:
                return str_printf("here: ss -s; sysctl net.ipv4.ip_local_port_range; ulimit -n");
        case VERDICT_WRONG_INTERFACE:
                return str_printf("here: ip -br address");
        case VERDICT_SCOPE_MISSING:
                return str_printf("write %s%%INTERFACE", addr);
        default:
                return NULL;
        }
}

/* The profile opens everything that Ray needs, but only knows Ray's own port. */
static char *hint_open_port(const Evidence *e, const char *name)
{
        if (e->addr.port == GCS_PORT)
                return str_printf(
                        "on %s: firewall-cmd --permanent --add-service=raycluster-head && "
                        "firewall-cmd --reload, or: ufw allow 'Ray head'",
                        name);
        return str_printf("on %s: firewall-cmd --permanent --add-port=%u/tcp && firewall-cmd "
                          "--reload, or: ufw allow %u/tcp",
                          name, e->addr.port, e->addr.port);
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
                return str_printf("on router %s: ip route get %s", where, addr);
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
                return hint_open_port(e, name);
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
                return str_printf("copy /etc/raycluster/ray-token of %s to this machine (0640 "
                                  "root:ray)",
                                  name);
        case VERDICT_WRONG_CLUSTER:
                return str_printf("here: raycluster restart-engine");
        case VERDICT_VERSION_MISMATCH:
                return str_printf("here: raycluster doctor");
        case VERDICT_INCONCLUSIVE:
                return str_printf(e->cut ? "give it more time: --deadline 6s"
                                         : "on %s: systemctl status ray-head",
                                  name);
        default:
                return NULL;
        }
}

char *text_hint(const Evidence *e, const Judgement *j)
{
        char name_buf[ADDR_MAX], addr_buf[ADDR_MAX];
        const char *name = head_name(e, name_buf);
        const char *addr = addr_is_set(&e->addr) ? addr_format(addr_buf, &e->addr) : e->host;

        char *s = hint_two_way(e, j, name); /* who asked the other side knows more */
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
