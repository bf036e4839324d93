#include "probe/text.h"

#include <errno.h>
#include <stdio.h>

/* What the firewall profiles of raycluster open on a head, among others (units/firewalld). */
#define GCS_PORT 6379

/* The head as people know it: "compute04 (10.77.0.1)", or the address alone. */
#define HEAD_MAX (sizeof(((Evidence *)0)->host) + ADDR_MAX + 4)
static const char *head_label(const Evidence *e, char buf[HEAD_MAX])
{
        char addr[ADDR_MAX];
        if (!addr_is_set(&e->addr))
                return e->host;
        addr_format(addr, &e->addr);
        if (e->name == NAME_LITERAL && (isempty(e->host) || streq(e->host, addr)))
                str_copy(buf, HEAD_MAX, addr);
        else
                (void)snprintf(buf, HEAD_MAX, "%s (%s)", e->host, addr);
        return buf;
}

/* The shortest name of the head, for a command line to be typed there. */
static const char *head_name(const Evidence *e, char buf[ADDR_MAX])
{
        if (e->local.own)
                return "this machine";
        return isempty(e->host) && addr_is_set(&e->addr) ? addr_format(buf, &e->addr) : e->host;
}

/* Our own address as the head would see it, for a command to be typed there. */
static const char *own_name(const Evidence *e, char buf[ADDR_MAX])
{
        const Addr *a = addr_is_set(&e->tcp.local) && !addr_is_any(&e->tcp.local)
                                ? &e->tcp.local
                                : &e->local.route.source;
        return addr_is_set(a) ? addr_format(buf, a) : "the address of this machine";
}

static const char *neigh_protocol(const Evidence *e)
{
        return e->addr.family == AF_INET6 ? "neighbour discovery" : "ARP";
}

static const char *icmp_text(const Evidence *e, char buf[64])
{
        const IcmpNote *n = &e->tcp.icmp;
        const char *name = icmp_name(e->addr.family, n->type, n->code);
        if (name)
                (void)snprintf(buf, 64, "ICMP %s", name);
        else
                (void)snprintf(buf, 64, "ICMP type %u code %u", n->type, n->code);
        return buf;
}

/* What answers instead of a GCS. */
static char *text_not_ray(const Evidence *e, const char *head)
{
        ServiceKind k = e->hello.kind == SERVICE_CLOSED ? e->hello.by_http : e->hello.kind;

        if (k == SERVICE_GRPC || k == SERVICE_HTTP2)
                return str_printf(
                        e->alive.outcome == ALIVE_GARBAGE
                                ? "port %u of %s speaks %s but not as a GCS does: %s"
                                : "port %u of %s speaks %s but is no GCS: it does not know "
                                  "CheckAlive%s",
                        e->addr.port, head, service_kind_to_string(k),
                        e->alive.outcome == ALIVE_GARBAGE ? e->alive.text
                        : e->addr.port == 10001           ? " (this is Ray Client's port)"
                                                          : "");
        return str_printf("port %u of %s is answered by %s, not by Ray's GCS", e->addr.port, head,
                          service_kind_to_string(k));
}

static const char *down_why(const Evidence *e)
{
        const NetLink *l = e->local.route_error ? &e->local.down : &e->local.link;
        if (e->local.route_error && !e->local.down_known)
                l = &e->local.link;
        return l->up ? "has no carrier: no cable, or the switch port is off" : "is switched off";
}

static const char *down_name(const Evidence *e)
{
        return e->local.route_error && e->local.down_known ? e->local.down.name
                                                           : e->local.link.name;
}

static const char *route_kind(int error)
{
        switch (error) {
        case EINVAL:
                return "blackhole";
        case EHOSTUNREACH:
                return "unreachable";
        case EACCES:
                return "prohibit";
        default:
                return "forbidding";
        }
}

static char *text_wrong_interface(const Evidence *e)
{
        switch (e->local.source) {
        case SOURCE_NO_INTERFACE:
                return str_printf("this machine has no interface %s", e->from);
        case SOURCE_NO_ADDRESS:
                return str_printf("interface %s of this machine has no %s address", e->from,
                                  e->addr.family == AF_INET6 ? "IPv6" : "IPv4");
        case SOURCE_NOT_OWN:
        case SOURCE_FREE:
        default:
                return str_printf("%s is no %s address of this machine", e->from,
                                  e->addr.family == AF_INET6 ? "IPv6" : "IPv4");
        }
}

static char *sentence_local(const Evidence *e, const Judgement *j, const char *head)
{
        switch (j->verdict) {
        case VERDICT_NAME_NOT_FOUND:
                return str_printf("the name %s does not exist: %s", e->host, e->name_text);
        case VERDICT_DNS_UNAVAILABLE:
                return str_printf("the name %s cannot be looked up: %s", e->host, e->name_text);
        case VERDICT_NAME_IS_LOOPBACK:
                return str_printf("the name %s means this machine itself here, not the head", head);
        case VERDICT_LINK_DOWN:
                return str_printf("interface %s of this machine %s", down_name(e), down_why(e));
        case VERDICT_NO_ROUTE_LOCAL:
                return str_printf("this machine has no route to head %s", head);
        case VERDICT_ROUTE_FORBIDS:
                return str_printf("a %s route of this machine forbids the way to head %s",
                                  route_kind(e->tcp.error), head);
        case VERDICT_LOCAL_FIREWALL:
                return str_printf("this machine's own firewall blocks the way to head %s port %u",
                                  head, e->addr.port);
        case VERDICT_LOCAL_RESOURCES:
                return str_printf("this machine cannot open a connection: %s",
                                  e->tcp.error == EADDRNOTAVAIL ? "no local port is free"
                                                                : strerror(e->tcp.error));
        case VERDICT_WRONG_INTERFACE:
                return text_wrong_interface(e);
        case VERDICT_SCOPE_MISSING:
                return str_printf("%s is a link-local address and needs its interface", head);
        default:
                return NULL;
        }
}

static char *sentence_path(const Evidence *e, const Judgement *j, const char *head)
{
        char where[ADDR_MAX] = "";
        if (addr_is_set(&j->where))
                addr_format(where, &j->where);

        switch (j->verdict) {
        case VERDICT_NEIGHBOUR_DEAD:
                return str_printf(
                        "head %s does not answer %s on %s: it is off, in another VLAN, or "
                        "has another address",
                        head, neigh_protocol(e), e->local.route.ifname);
        case VERDICT_GATEWAY_DEAD:
                return str_printf("gateway %s does not answer %s on %s: nothing behind it can be "
                                  "reached, head %s neither",
                                  where, neigh_protocol(e), e->local.route.ifname, head);
        case VERDICT_HOST_DOWN_REMOTE:
                return str_printf("router %s gets no answer from head %s: it is off or has another "
                                  "address",
                                  where, head);
        case VERDICT_NO_ROUTE_REMOTE:
                return str_printf("router %s has no route to head %s", where, head);
        case VERDICT_HOST_SILENT:
                return str_printf("head %s answers nothing at all: it is off, or everything on the "
                                  "way to it or back is dropped",
                                  head);
        case VERDICT_REJECTED_AT_HEAD:
                return str_printf("the firewall of head %s rejects port %u", head, e->addr.port);
        case VERDICT_REJECTED_ON_PATH:
                return str_printf("router %s forbids the way to head %s port %u", where, head,
                                  e->addr.port);
        case VERDICT_REFUSED_BY_FIREWALL:
                return str_printf(
                        "a firewall at %s refuses port %u of head %s: blocked, not closed",
                        j->place == PROBE_PLACE_ROUTER ? where : "the head itself", e->addr.port,
                        head);
        case VERDICT_FILTERED_SILENTLY:
                return str_printf(
                        "head %s is alive, but port %u stays silent: a firewall there or on "
                        "the way drops it, or the process there is stuck",
                        head, e->addr.port);
        case VERDICT_HALF_OPEN_PATH:
                return str_printf(
                        "the connection to head %s port %u opens, but what is sent on it is "
                        "lost: a firewall on the way sees only one direction",
                        head, e->addr.port);
        default:
                return NULL;
        }
}

static char *sentence_service(const Evidence *e, const Judgement *j, const char *head)
{
        switch (j->verdict) {
        case VERDICT_OK:
                return isempty(e->head.ray)
                               ? str_printf("head %s serves Ray on port %u", head, e->addr.port)
                               : str_printf("head %s serves Ray %s on port %u", head, e->head.ray,
                                            e->addr.port);
        case VERDICT_PORT_CLOSED:
                return str_printf("head %s answers on port %u with a refusal: Ray is not running "
                                  "there",
                                  head, e->addr.port);
        case VERDICT_SERVICE_FROZEN:
                if (e->alive.outcome == ALIVE_SILENT)
                        return str_printf("head %s greets on port %u and then answers nothing: "
                                          "gcs_server is stuck or overloaded there",
                                          head, e->addr.port);
                return str_printf("head %s accepts connections on port %u and then says nothing: "
                                  "gcs_server is stopped or stuck there",
                                  head, e->addr.port);
        case VERDICT_CLOSED_AFTER_ACCEPT:
                if (e->alive.outcome == ALIVE_CLOSED)
                        return str_printf(
                                "head %s greets on port %u and hangs up before it answers: "
                                "gcs_server is just stopping or starting there",
                                head, e->addr.port);
                return str_printf(
                        "head %s accepts connections on port %u and closes them at once: a "
                        "forwarder without Ray behind it, or another service",
                        head, e->addr.port);
        case VERDICT_NOT_RAY:
                return text_not_ray(e, head);
        case VERDICT_TLS_REQUIRED:
                return str_printf("head %s speaks only TLS on port %u", head, e->addr.port);
        case VERDICT_TOKEN_REQUIRED:
                return str_printf("head %s asks for a token and this machine has none", head);
        case VERDICT_TOKEN_WRONG:
                return str_printf("head %s does not accept this machine's token", head);
        case VERDICT_WRONG_CLUSTER:
                return str_printf("head %s belongs to another cluster, or was created anew", head);
        case VERDICT_VERSION_MISMATCH:
                return versions_mismatch(&e->head, &e->here);
        default:
                return NULL;
        }
}

static char *sentence_open(const Evidence *e, const char *head)
{
        if (e->name == NAME_UNKNOWN)
                return str_printf("the name %s was not looked up in time", e->host);
        if (e->connected && e->tcp.outcome == CONNECT_FAILED)
                return str_printf("connecting to head %s port %u failed: %s", head, e->addr.port,
                                  strerror(e->tcp.error));
        if (e->connected && e->tcp.outcome == CONNECT_ESTABLISHED)
                return e->alive.outcome == ALIVE_OTHER
                               ? str_printf("head %s port %u answered: %s", head, e->addr.port,
                                            e->alive.text)
                               : str_printf("head %s port %u is open; what serves there was not "
                                            "found out in time",
                                            head, e->addr.port);
        return str_printf("head %s port %u gave no answer in the time allowed", head, e->addr.port);
}

char *text_sentence(const Evidence *e, const Judgement *j)
{
        char buf[HEAD_MAX];
        const char *head = head_label(e, buf);
        char *s = NULL;

        if (j->verdict == VERDICT_INCONCLUSIVE)
                return sentence_open(e, head);
        s = sentence_local(e, j, head);
        if (!s)
                s = sentence_path(e, j, head);
        return s ? s : sentence_service(e, j, head);
}

/* Times of the network: "0.2 ms", "3.1 s". */
static const char *took_text(usec_t t, char buf[DURATION_MAX])
{
        if (t < USEC_PER_SEC)
                (void)snprintf(buf, DURATION_MAX, "%.1f ms", (double)t / (double)USEC_PER_MSEC);
        else
                (void)snprintf(buf, DURATION_MAX, "%.1f s", (double)t / (double)USEC_PER_SEC);
        return buf;
}

static int because_way(const Evidence *e, char ***l)
{
        const LocalFacts *f = &e->local;
        char from[ADDR_MAX] = "", gw[ADDR_MAX] = "";

        if (f->route_error)
                return strv_extendf(l, "route look-up: %s", strerror(f->route_error));
        if (isempty(f->route.ifname))
                return 0;
        if (addr_is_set(&f->route.source))
                addr_format(from, &f->route.source);
        if (addr_is_set(&f->route.gateway))
                addr_format(gw, &f->route.gateway);
        return strv_extendf(l, "the route goes through %s%s%s%s%s", f->route.ifname,
                            *from ? " from " : "", from, *gw ? " by gateway " : "", gw);
}

static int because_tcp(const Evidence *e, char ***l)
{
        char took[DURATION_MAX], icmp[64], from[ADDR_MAX] = "";
        const ConnectFacts *t = &e->tcp;

        if (!e->connected)
                return 0;
        took_text(t->took, took);
        if (t->outcome == CONNECT_ESTABLISHED)
                return strv_extendf(l, "connected after %s", took);
        if (t->outcome == CONNECT_PENDING)
                return strv_extendf(l, "%u SYNs and %u retransmissions without an answer in %s",
                                    t->n_sockets, t->total_retrans, took);
        if (t->at_once)
                return strv_extendf(l, "connect() fails at once: %s", strerror(t->error));
        if (!t->icmp.seen)
                return strv_extendf(l,
                                    t->error == ECONNREFUSED
                                            ? "a TCP reset came after %s, without ICMP"
                                    : t->error == ECONNRESET ? "it was accepted and reset within %s"
                                                             : "connect failed after %s",
                                    took);
        if (addr_is_set(&t->icmp.from))
                addr_format(from, &t->icmp.from);
        return strv_extendf(l, "%s from %s%s after %s", icmp_text(e, icmp), from,
                            e->icmp_own ? " (this machine)" : "", took);
}

static int because_silence(const Evidence *e, char ***l)
{
        int r = 0;
        const LocalFacts *f = &e->local;

        if (f->udp_forbidden)
                r = strv_extend(l, "a datagram to it is forbidden by this machine (EPERM)");
        if (r >= 0 && f->tx_known && f->tx_silent)
                r = strv_extendf(l, "%s sent nothing meanwhile", f->route.ifname);
        if (r >= 0 && f->retrans_fail_known && e->tcp.total_retrans > 0 &&
            f->retrans_fail >= e->tcp.total_retrans)
                r = strv_extendf(l, "all %u retransmissions failed inside this machine",
                                 e->tcp.total_retrans);
        if (r >= 0 && f->has_neigh &&
            (f->neigh == NEIGH_INCOMPLETE || f->neigh == NEIGH_FAILED || f->neigh == NEIGH_PROBE)) {
                char hop[ADDR_MAX];
                r = strv_extendf(l, "neighbour %s is %s", addr_format(hop, &f->nexthop),
                                 neigh_state_to_string(f->neigh));
        }
        if (r >= 0 && e->life.alive)
                r = strv_extend(l, e->life.how);
        else if (r >= 0 && e->life.asked && e->tcp.outcome == CONNECT_PENDING)
                r = strv_extend(l, "no other port tried answers either");
        return r;
}

static int because_hello(const Evidence *e, char ***l)
{
        char took[DURATION_MAX];
        const HelloFacts *h = &e->hello;

        if (!h->asked)
                return 0;
        took_text(h->took, took);
        switch (h->kind) {
        case SERVICE_UNKNOWN:
                if (h->began)
                        return strv_extendf(
                                l, "it began to speak and did not end its greeting in %s", took);
                return strv_extendf(l, "%s, and nothing came back in %s",
                                    !h->stream_known       ? "a greeting was sent"
                                    : h->stream.unsent > 0 ? "the greeting was never acknowledged"
                                                           : "its kernel took the greeting",
                                    took);
        case SERVICE_CLOSED:
                return strv_extendf(l, "%s after %s without a byte%s",
                                    h->closed ? "reset" : "closed", took,
                                    h->tls ? "; a TLS greeting was answered" : "");
        case SERVICE_GRPC:
        case SERVICE_HTTP2:
                return strv_extendf(l, "it greets as %s", service_kind_to_string(h->kind));
        default:
                return strv_extendf(l, "it says \"%s\"", h->text);
        }
}

char *text_because(const Evidence *e, const Judgement *j)
{
        _cleanup_strv_free_ char **l = NULL;
        char took[DURATION_MAX];
        int r = 0;

        if (!addr_is_set(&e->addr))
                return strdup(e->name_text);
        if (e->name == NAME_RESOLVED && !isempty(e->name_text))
                r = strv_extend(&l, e->name_text);
        if (r >= 0)
                r = because_tcp(e, &l);
        if (r >= 0)
                r = because_silence(e, &l);
        if (r >= 0)
                r = because_hello(e, &l);
        if (r >= 0 && e->alive.outcome != ALIVE_NOT_ASKED)
                r = strv_extendf(&l, "CheckAlive: %s after %s",
                                 isempty(e->alive.text) ? "answered" : e->alive.text,
                                 took_text(e->alive.took, took));
        if (r >= 0)
                r = because_way(e, &l);
        if (r >= 0 && j->verdict == VERDICT_PORT_CLOSED)
                r = strv_extend(&l, "a firewall that answers with resets looks the same");
        return r < 0 ? NULL : strv_join(l, "; ");
}

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
                return str_printf("here: ip link set %s up; ip -br link show %s", down_name(e),
                                  down_name(e));
        case VERDICT_NO_ROUTE_LOCAL:
                return str_printf("here: ip route get %s; ip route show default", addr);
        case VERDICT_ROUTE_FORBIDS:
                return str_printf("here: ip route show table all | grep %s",
                                  route_kind(e->tcp.error));
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
        case VERDICT_TLS_REQUIRED:
                return str_printf("raycluster's Ray speaks no TLS yet; on %s: unset RAY_USE_TLS",
                                  name);
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

        char *s = hint_local(e, j, addr);
        if (!s)
                s = hint_path(e, j, name, addr);
        return s ? s : hint_service(e, j, name);
}
