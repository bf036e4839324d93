#include "probe/judge.h"
#include "probe/phrase.h"

#include <errno.h>
#include <stdio.h>

static const char *neigh_protocol(const Evidence *e)
{
        return e->addr.family == AF_INET6 ? "neighbour discovery" : "ARP";
}

/* What answers instead of a GCS. */
static char *text_not_ray(const Evidence *e, const char *head)
{
        ServiceKind k = e->hello.kind == SERVICE_CLOSED ? e->hello.by_http : e->hello.kind;

        char *tls = sentence_tls_foreign(e, head);
        if (tls)
                return tls;
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

const char *text_down_link(const Evidence *e)
{
        return e->local.route_error && e->local.down_known ? e->local.down.name
                                                           : e->local.link.name;
}

const char *text_route_kind(int error)
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

static char *text_wrong_interface(const Evidence *e, const char *head)
{
        char from[ADDR_MAX], usual[ADDR_MAX];
        if (e->local.usual_answered)
                return str_printf("head %s does not know the way back to %s, the address that this "
                                  "machine speaks from; %s of %s it does",
                                  head, addr_format(from, &e->local.route.source),
                                  addr_format(usual, &e->local.source_usual),
                                  e->local.route.ifname);
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
                return str_printf("interface %s of this machine %s", text_down_link(e),
                                  down_why(e));
        case VERDICT_NO_ROUTE_LOCAL:
                return str_printf("this machine has no route to head %s", head);
        case VERDICT_ROUTE_FORBIDS:
                return str_printf("a %s route of this machine forbids the way to head %s",
                                  text_route_kind(e->tcp.error), head);
        case VERDICT_LOCAL_FIREWALL:
                return str_printf("this machine's own firewall blocks the way to head %s port %u",
                                  head, e->addr.port);
        case VERDICT_LOCAL_RESOURCES:
                return str_printf("this machine cannot open a connection: %s",
                                  e->tcp.error == EADDRNOTAVAIL ? "no local port is free"
                                                                : strerror(e->tcp.error));
        case VERDICT_WRONG_INTERFACE:
                return text_wrong_interface(e, head);
        case VERDICT_SCOPE_MISSING:
                return str_printf("%s is a link-local address and needs its interface", head);
        default:
                return NULL;
        }
}

static char *sentence_path(const Evidence *e, const Judgement *j, const char *head)
{
        char where[ADDR_MAX] = "", hop_buf[ADDR_MAX];
        const char *hop = last_hop(e, hop_buf);
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
                                  "way to it or back is dropped%s%s",
                                  head, hop ? "; the last hop that answers is " : "",
                                  strempty(hop));
        case VERDICT_REPLIES_LOST:
                if (j->place != PROBE_PLACE_HERE || !answers_filtered(e))
                        return NULL;
                return str_printf("this machine throws away what head %s answers: its reverse path "
                                  "filter expects the answers on another interface",
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
                        "the way%s%s drops it, or the process there is stuck",
                        head, e->addr.port, hop ? " behind hop " : "", strempty(hop));
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
        char *tls = sentence_tls_open(e, head);
        if (tls)
                return tls;
        if (e->unmeasured)
                return str_printf("head %s serves on port %u; how well the way there works was not "
                                  "found out in time",
                                  head, e->addr.port);
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

        s = sentence_ports(e, j, head);
        if (!s)
                s = sentence_two_way(e, j, head); /* who asked the other side knows more */
        if (!s && j->verdict == VERDICT_INCONCLUSIVE)
                return sentence_open(e, head);
        if (!s)
                s = sentence_local(e, j, head);
        if (!s)
                s = sentence_path(e, j, head);
        if (!s)
                s = sentence_service(e, j, head);
        if (!s)
                s = sentence_tls(e, j, head);
        return s ? s : sentence_quality(e, j, head);
}
