#include "wire/reflect-codec.h"

#include <errno.h>
#include <string.h>

#include "wire/pb.h"
#include "wire/reflect.pb-c.h"
#include "wire/text.h"

static const char *const reflect_kind_table[_REFLECT_KIND_MAX] = {
        [0] = "unknown",         [REFLECT_BEGIN] = "begin", [REFLECT_LOOK] = "look",
        [REFLECT_BACK] = "back", [REFLECT_DOWN] = "down",   [REFLECT_UP] = "up",
};
DEFINE_STRTAB(reflect_kind, ReflectKind);

static const char *const reflect_refusal_table[_REFLECT_REFUSAL_MAX] = {
        [REFLECT_NONE] = "none",           [REFLECT_VERSIONS] = "version", [REFLECT_RATE] = "rate",
        [REFLECT_FORBIDDEN] = "forbidden", [REFLECT_BUSY] = "busy",        [REFLECT_BAD] = "bad",
};
DEFINE_STRTAB(reflect_refusal, ReflectRefusal);

/* The numbers on the wire are those of the enums here. */
static_assert((int)REFLECT_UP == REFLECTPB__REQUEST__KIND__UP, "kinds");
static_assert((int)REFLECT_BAD == REFLECTPB__REPLY__REFUSAL__BAD, "refusals");

/* --- bytes --------------------------------------------------------------------------------------
 */

/* Bytes that do not shrink: a tunnel that compresses would else hide that large packets vanish. */
static int fill(size_t n, uint8_t **ret)
{
        uint32_t x = 0x9e3779b9;
        uint8_t *p = malloc(n);

        if (!p)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                x ^= x << 13;
                x ^= x >> 17;
                x ^= x << 5;
                p[i] = (uint8_t)x;
        }
        *ret = p;
        return 0;
}

/* Into m, unless unset; *ret points to m or stays NULL. */
static void put_addr(Reflectpb__Address *m, const Addr *a, Reflectpb__Address **ret)
{
        if (!addr_is_set(a))
                return;
        reflectpb__address__init(m);
        m->ip.data = (uint8_t *)&a->in;
        m->ip.len = a->family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
        m->port = a->port;
        *ret = m;
}

/* A scope means nothing on another machine, so there is none. */
static int take_addr(const Reflectpb__Address *m, Addr *ret)
{
        Addr a = {0};

        if (!m) {
                *ret = a;
                return 0;
        }
        if (m->port > UINT16_MAX || (m->ip.len != sizeof(a.in) && m->ip.len != sizeof(a.in6)))
                return -EBADMSG;
        a.family = m->ip.len == sizeof(a.in) ? AF_INET : AF_INET6;
        a.port = (uint16_t)m->port;
        memcpy(&a.in, m->ip.data, m->ip.len);
        *ret = a;
        return 0;
}

static int take_text(char *dest, size_t size, const char *s)
{
        _cleanup_free_ char *clean = text_clean(s, strlen(s), size - 1);

        if (!clean)
                return -ENOMEM;
        str_copy(dest, size, clean);
        return 0;
}

static int take_versions(Versions *dest, const char *ray, const char *python)
{
        int r = text_version(dest->ray, ray);
        return r < 0 ? r : text_version(dest->python, python);
}

/* --- request ------------------------------------------------------------------------------------
 */

static bool request_is_sound(const ReflectRequest *q)
{
        bool range = q->back_first || q->back_last;

        return q->kind >= REFLECT_BEGIN && q->kind < _REFLECT_KIND_MAX &&
               q->n_claimed <= CLAIMED_MAX && q->n_back <= BACK_TRIES_MAX &&
               q->bulk <= REFLECT_BULK_MAX && q->filler <= REFLECT_BULK_MAX &&
               (!range || (q->back_first > 0 && q->back_first <= q->back_last && q->n_back == 0));
}

int reflect_encode_request(Buf *out, const ReflectRequest *q)
{
        Reflectpb__Request m = REFLECTPB__REQUEST__INIT;
        Reflectpb__Address dialled, claimed[CLAIMED_MAX], *claimed_p[CLAIMED_MAX];
        Reflectpb__BackPort back[BACK_TRIES_MAX], *back_p[BACK_TRIES_MAX];
        _cleanup_free_ uint8_t *filler = NULL;

        if (!request_is_sound(q))
                return -EINVAL;
        m.kind = (Reflectpb__Request__Kind)q->kind;
        m.version = q->version ? q->version : REFLECT_VERSION;
        m.t1_usec = q->t1_usec;
        put_addr(&dialled, &q->dialled, &m.dialled);
        for (size_t i = 0; i < q->n_claimed; i++) {
                if (!addr_is_set(&q->claimed[i]))
                        return -EINVAL;
                put_addr(&claimed[i], &q->claimed[i], &claimed_p[i]);
        }
        m.claimed = claimed_p;
        m.n_claimed = q->n_claimed;
        m.port = q->port;
        m.ray_version = (char *)q->here.ray;
        m.python_version = (char *)q->here.python;
        if (q->has_nonce)
                m.nonce =
                        (ProtobufCBinaryData){.len = sizeof(q->nonce), .data = (uint8_t *)q->nonce};
        for (size_t i = 0; i < q->n_back; i++) {
                back_p[i] = &back[i];
                reflectpb__back_port__init(&back[i]);
                back[i].port = q->back[i].port;
                back[i].nonce = q->back[i].nonce;
        }
        m.back = back_p;
        m.n_back = q->n_back;
        m.back_first = q->back_first;
        m.back_last = q->back_last;
        m.bulk = q->bulk;
        if (q->filler > 0 && fill(q->filler, &filler) < 0)
                return -ENOMEM;
        m.filler = (ProtobufCBinaryData){.len = q->filler, .data = filler};
        return pb_pack(out, &m.base);
}

/* The lists and the nonce; what has no more than one value is taken by the caller. */
static int take_request_lists(const Reflectpb__Request *m, ReflectRequest *q)
{
        if (m->n_claimed > CLAIMED_MAX || m->n_back > BACK_TRIES_MAX ||
            m->bulk > REFLECT_BULK_MAX || m->filler.len > REFLECT_BULK_MAX)
                return -EMSGSIZE;
        for (size_t i = 0; i < m->n_claimed; i++) {
                int r = take_addr(m->claimed[i], &q->claimed[i]);
                if (r < 0)
                        return r;
                q->claimed[i].port = 0;
        }
        for (size_t i = 0; i < m->n_back; i++) {
                if (m->back[i]->port == 0 || m->back[i]->port > UINT16_MAX)
                        return -EBADMSG;
                q->back[i] = (ReflectBackPort){.port = (uint16_t)m->back[i]->port,
                                               .nonce = m->back[i]->nonce};
        }
        if (m->nonce.len > 0) {
                if (m->nonce.len != REFLECT_NONCE_SIZE)
                        return -EBADMSG;
                memcpy(q->nonce, m->nonce.data, REFLECT_NONCE_SIZE);
                q->has_nonce = true;
        }
        q->n_claimed = m->n_claimed;
        q->n_back = m->n_back;
        q->bulk = m->bulk;
        q->filler = m->filler.len;
        return 0;
}

int reflect_decode_request(const void *data, size_t size, ReflectRequest *ret)
{
        _cleanup_pb_ Reflectpb__Request *m = NULL;

        int r = pb_unpack(&reflectpb__request__descriptor, data, size, &m);
        if (r < 0)
                return r;
        if (m->port > UINT16_MAX || m->back_first > UINT16_MAX || m->back_last > UINT16_MAX)
                return -EBADMSG;
        ReflectRequest q = {
                .kind = (int)m->kind > 0 && (int)m->kind < _REFLECT_KIND_MAX ? (ReflectKind)m->kind
                                                                             : 0,
                .version = m->version,
                .t1_usec = m->t1_usec,
                .port = (uint16_t)m->port,
                .back_first = (uint16_t)m->back_first,
                .back_last = (uint16_t)m->back_last,
        };
        r = take_request_lists(m, &q);
        if (r >= 0)
                r = take_addr(m->dialled, &q.dialled);
        if (r >= 0)
                r = take_versions(&q.here, m->ray_version, m->python_version);
        if (r < 0)
                return r;
        if (q.kind && !request_is_sound(&q))
                return -EBADMSG;
        *ret = q;
        return 0;
}

/* --- reply --------------------------------------------------------------------------------------
 */

typedef struct BackMessage {
        Reflectpb__Back back;
        Reflectpb__Address addr, from;
        Reflectpb__Icmp icmp;
} BackMessage;

static void put_back(BackMessage *m, const BackTry *t)
{
        reflectpb__back__init(&m->back);
        put_addr(&m->addr, &t->addr, &m->back.addr);
        m->back.result = (uint32_t)t->result;
        m->back.error = (uint32_t)t->error;
        m->back.took_usec = (uint32_t)MIN(t->took, (usec_t)UINT32_MAX);
        m->back.last_port = t->last_port;
        if (t->icmp.seen) {
                reflectpb__icmp__init(&m->icmp);
                m->icmp.type = t->icmp.type;
                m->icmp.code = t->icmp.code;
                put_addr(&m->from, &t->icmp.from, &m->icmp.from);
                m->back.icmp = &m->icmp;
        }
}

static int take_back(const Reflectpb__Back *m, BackTry *ret)
{
        BackTry t = {
                /* what a later version knows and we do not is no result for us */
                .result = m->result < _BACK_RESULT_MAX ? (BackResult)m->result : BACK_NOT_TRIED,
                .error = (int)m->error,
                .took = m->took_usec,
                .last_port = (uint16_t)m->last_port,
        };

        int r = take_addr(m->addr, &t.addr);
        if (r < 0)
                return r;
        if (!addr_is_set(&t.addr) || m->error > INT16_MAX || m->last_port > UINT16_MAX ||
            (m->last_port > 0 && m->last_port < t.addr.port))
                return -EBADMSG;
        if (m->icmp) {
                if (m->icmp->type > UINT8_MAX || m->icmp->code > UINT8_MAX)
                        return -EBADMSG;
                t.icmp = (IcmpNote){.seen = true,
                                    .type = (uint8_t)m->icmp->type,
                                    .code = (uint8_t)m->icmp->code};
                r = take_addr(m->icmp->from, &t.icmp.from);
                if (r < 0)
                        return r;
        }
        *ret = t;
        return 0;
}

typedef struct ViewMessages {
        Reflectpb__Port port;
        Reflectpb__Address bound, source;
        Reflectpb__Counters rise;
        Reflectpb__Route route;
} ViewMessages;

static void put_views(ViewMessages *v, const ReflectReply *p, Reflectpb__Reply *m)
{
        if (p->port.known) {
                v->port = (Reflectpb__Port)REFLECTPB__PORT__INIT;
                v->port.listening = p->port.listening;
                v->port.loopback_only = p->port.loopback_only;
                v->port.queue = p->port.queue;
                v->port.room = p->port.room;
                v->port.syn_recv = p->port.syn_recv;
                put_addr(&v->bound, &p->port.bound, &v->port.bound);
                m->port = &v->port;
        }
        if (p->rise.known) {
                v->rise = (Reflectpb__Counters)REFLECTPB__COUNTERS__INIT;
                v->rise.listen_overflows = p->rise.listen_overflows;
                v->rise.listen_drops = p->rise.listen_drops;
                v->rise.rp_filter = p->rise.rp_filter;
                v->rise.no_routes = p->rise.no_routes;
                v->rise.resets = p->rise.resets;
                v->rise.undelivered_known = p->rise.undelivered_known;
                v->rise.undelivered = p->rise.undelivered;
                v->rise.undelivered_most = p->rise.undelivered_most;
                m->rise = &v->rise;
        }
        if (p->route_known) {
                v->route = (Reflectpb__Route)REFLECTPB__ROUTE__INIT;
                v->route.error = (uint32_t)p->route_error;
                v->route.dev = (char *)p->route_dev;
                put_addr(&v->source, &p->route_source, &v->route.source);
                v->route.mtu = p->route_mtu;
                m->route = &v->route;
        }
}

int reflect_encode_reply(Buf *out, const ReflectReply *p)
{
        Reflectpb__Reply m = REFLECTPB__REPLY__INIT;
        Reflectpb__Address observed, local, head_node;
        ViewMessages views;
        Reflectpb__Back *back_p[BACK_TRIES_MAX];
        _cleanup_free_ uint8_t *filler = NULL;

        if (p->refusal < 0 || p->refusal >= _REFLECT_REFUSAL_MAX || p->n_back > BACK_TRIES_MAX ||
            p->filler > REFLECT_BULK_MAX)
                return -EINVAL;
        _cleanup_free_ BackMessage *back = new0(BackMessage, MAX(p->n_back, (size_t)1));
        if (!back)
                return -ENOMEM;
        m.refusal = (Reflectpb__Reply__Refusal)p->refusal;
        m.text = (char *)p->text;
        m.retry_usec = p->retry;
        put_addr(&observed, &p->observed, &m.observed);
        put_addr(&local, &p->local, &m.local);
        put_addr(&head_node, &p->head_node, &m.head_node);
        m.t2_usec = p->t2_usec;
        m.t3_usec = p->t3_usec;
        m.clock_sync = (uint32_t)p->clock_sync;
        m.hostname = (char *)p->hostname;
        m.ray_version = (char *)p->head.ray;
        m.python_version = (char *)p->head.python;
        m.firewall = (uint32_t)p->firewall;
        put_views(&views, p, &m);
        for (size_t i = 0; i < p->n_back; i++) {
                put_back(&back[i], &p->back[i]);
                back_p[i] = &back[i].back;
        }
        m.back = back_p;
        m.n_back = p->n_back;
        if (p->filler > 0 && fill(p->filler, &filler) < 0)
                return -ENOMEM;
        m.filler = (ProtobufCBinaryData){.len = p->filler, .data = filler};
        m.received = p->received;
        return pb_pack(out, &m.base);
}

static int take_views(const Reflectpb__Reply *m, ReflectReply *p)
{
        int r = m->port ? take_addr(m->port->bound, &p->port.bound) : 0;
        if (r < 0)
                return r;
        if (m->port)
                p->port = (PortView){.known = true,
                                     .listening = m->port->listening,
                                     .loopback_only = m->port->loopback_only,
                                     .queue = m->port->queue,
                                     .room = m->port->room,
                                     .syn_recv = m->port->syn_recv,
                                     .bound = p->port.bound};
        if (m->rise)
                p->rise = (CounterRise){.known = true,
                                        .listen_overflows = m->rise->listen_overflows,
                                        .listen_drops = m->rise->listen_drops,
                                        .rp_filter = m->rise->rp_filter,
                                        .no_routes = m->rise->no_routes,
                                        .resets = m->rise->resets,
                                        .undelivered_known = m->rise->undelivered_known,
                                        .undelivered = m->rise->undelivered,
                                        .undelivered_most = m->rise->undelivered_most};
        if (!m->route)
                return 0;
        if (m->route->error > INT16_MAX)
                return -EBADMSG;
        p->route_known = true;
        p->route_error = (int)m->route->error;
        p->route_mtu = m->route->mtu;
        r = take_addr(m->route->source, &p->route_source);
        return r < 0 ? r : take_text(p->route_dev, sizeof(p->route_dev), m->route->dev);
}

static int take_names(const Reflectpb__Reply *m, ReflectReply *p)
{
        int r = take_text(p->text, sizeof(p->text), m->text);
        if (r >= 0)
                r = take_text(p->hostname, sizeof(p->hostname), m->hostname);
        if (r >= 0)
                r = take_versions(&p->head, m->ray_version, m->python_version);
        if (r >= 0)
                r = take_addr(m->observed, &p->observed);
        if (r >= 0)
                r = take_addr(m->local, &p->local);
        return r < 0 ? r : take_addr(m->head_node, &p->head_node);
}

int reflect_decode_reply(const void *data, size_t size, ReflectReply *ret)
{
        _cleanup_pb_ Reflectpb__Reply *m = NULL;

        int r = pb_unpack(&reflectpb__reply__descriptor, data, size, &m);
        if (r < 0)
                return r;
        if (m->n_back > BACK_TRIES_MAX || m->filler.len > REFLECT_BULK_MAX)
                return -EMSGSIZE;
        ReflectReply p = {
                .refusal = (int)m->refusal >= 0 && (int)m->refusal < _REFLECT_REFUSAL_MAX
                                   ? (ReflectRefusal)m->refusal
                                   : REFLECT_BAD,
                .retry = m->retry_usec,
                .t2_usec = m->t2_usec,
                .t3_usec = m->t3_usec,
                .clock_sync = m->clock_sync < _CLOCK_SYNC_MAX ? (ClockSync)m->clock_sync
                                                              : CLOCK_SYNC_UNKNOWN,
                .firewall = m->firewall < _FIREWALL_MANAGER_MAX ? (FirewallManager)m->firewall
                                                                : FIREWALL_UNKNOWN,
                .n_back = m->n_back,
                .filler = m->filler.len,
                .received = m->received,
        };
        r = take_names(m, &p);
        if (r >= 0)
                r = take_views(m, &p);
        for (size_t i = 0; i < m->n_back && r >= 0; i++)
                r = take_back(m->back[i], &p.back[i]);
        if (r < 0)
                return r;
        *ret = p;
        return 0;
}
