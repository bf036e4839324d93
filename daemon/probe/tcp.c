/* The connect stage.
 *
 *   WAITING ──answer────────────────────────────────────────────> DONE
 *      │        └─an answer that one more try would tell apart─> REPEATING ─answer or 1 s─> DONE
 *      ├─400 ms of silence: ask other ports too (stays WAITING)
 *      └─the evidence decides, or 3.6 s─────────────────────────> DONE
 */
#include "probe/tcp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "probe/facts.h"
#include "probe/verdict.h"
#include "sys/netstat.h"

#define TICK          (50 * USEC_PER_MSEC)
#define CONTROL_AFTER (400 * USEC_PER_MSEC)
/* what is known without any answer: a link that has no carrier */
#define NO_CARRIER (20 * USEC_PER_MSEC)
/* so many failures inside this machine in a row are not somebody else's */
#define OWN_DROPS   2
#define GIVE_UP     (3600 * USEC_PER_MSEC)
#define REPEAT_WAIT USEC_PER_SEC
/* a router that asks for a dead neighbour says so after 3 s */
#define REPEAT_WAIT_ARP (3400 * USEC_PER_MSEC)

/* Ports that are either open or answered by a reset on most machines. */
static const uint16_t control_ports[] = {22, 443, 9};

typedef enum TcpStageState {
        TCP_STAGE_WAITING,   /* the attempt has no answer */
        TCP_STAGE_REPEATING, /* a second attempt, to learn how it is refused */
        TCP_STAGE_DONE,      /* the owner was told */
        _TCP_STAGE_STATE_MAX,
        _TCP_STAGE_STATE_INVALID = -EINVAL,
} TcpStageState;

typedef struct Control {
        TcpStage *stage; /* weak */
        uint16_t port;
        ProbeSock *sock;
} Control;

struct TcpStage {
        sd_event *event; /* weak */
        Evidence *e;     /* weak */
        tcp_stage_cb cb;
        void *userdata;

        TcpStageState state;
        FactsBase base;
        ProbeSock *sock;
        ProbeSock *repeat;
        Control controls[ELEMENTSOF(control_ports)];
        ProbeSock *usual; /* the same port, from the interface's own address */
        ProbeUdp *udp;
        Ladder *ladder;
        sd_event_source *tick_timer;
        uint64_t tx_before; /* the interface's, before the first SYN */
        usec_t controls_at; /* monotonic: other ports are asked since */
        NeighState seen;    /* the neighbour's state when it was looked at last */
        bool udp_told;
        bool tx_known, tx_still; /* of the latest attempt: the interface sent nothing meanwhile */
};

TcpStage *tcp_stage_free(TcpStage *t)
{
        if (!t)
                return NULL;
        sd_event_source_disable_unref(t->tick_timer);
        for (size_t i = 0; i < ELEMENTSOF(t->controls); i++)
                probe_sock_free(t->controls[i].sock);
        probe_sock_free(t->usual);
        probe_udp_free(t->udp);
        ladder_free(t->ladder);
        probe_sock_free(t->repeat);
        probe_sock_free(t->sock);
        free(t);
        return NULL;
}

static const uint32_t next_states[_TCP_STAGE_STATE_MAX] = {
        [TCP_STAGE_WAITING] = 1U << TCP_STAGE_REPEATING | 1U << TCP_STAGE_DONE,
        [TCP_STAGE_REPEATING] = 1U << TCP_STAGE_DONE,
};

static int tcp_stage_set_state(TcpStage *t, TcpStageState state)
{
        if (!(next_states[t->state] & 1U << state))
                return -EPROTO;
        t->state = state;
        return 0;
}

static void note_ladder(TcpStage *t)
{
        const LadderFacts *f = &t->e->ladder;
        char addr[ADDR_MAX];

        for (unsigned i = 0; f->asked && i < f->n_hops; i++)
                if (addr_is_set(&f->hops[i]))
                        notes_add(&t->e->notes, "hop", t->controls_at, 0, "%u: %s", i + 1,
                                  addr_format(addr, &f->hops[i]));
}

static void end(TcpStage *t)
{
        if (tcp_stage_set_state(t, TCP_STAGE_DONE) < 0)
                return;
        t->tick_timer = sd_event_source_disable_unref(t->tick_timer);
        note_ladder(t);
        int fd = -EBADF;
        if (t->e->tcp.outcome == CONNECT_ESTABLISHED)
                fd = probe_sock_take_fd(t->sock);
        t->cb(t, fd, t->userdata);
}

static void note_alive(Evidence *e, const char *fmt, ...) _printf_(2, 3);
static void note_alive(Evidence *e, const char *fmt, ...)
{
        if (e->life.alive)
                return;
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(e->life.how, sizeof(e->life.how), fmt, ap);
        va_end(ap);
        e->life.alive = true;
}

static void on_control_answer(ProbeSock *p, const ConnectFacts *f, void *userdata)
{
        Control *c = userdata;
        Evidence *e = c->stage->e;
        notes_add(&e->notes, "control", c->stage->controls_at, f->took, "port %u: %s", c->port,
                  f->outcome == CONNECT_ESTABLISHED ? "open" : strerror(f->error));
        if (f->outcome == CONNECT_ESTABLISHED)
                note_alive(e, "port %u is open", c->port);
        else if (f->icmp.seen && addr_equal(&f->icmp.from, &e->addr))
                note_alive(e, "port %u is rejected", c->port);
        else if (!f->icmp.seen && f->error == ECONNREFUSED)
                note_alive(e, "port %u refuses", c->port);
        c->sock = probe_sock_free(c->sock);
}

static void on_usual_answer(ProbeSock *p, const ConnectFacts *f, void *userdata)
{
        TcpStage *t = userdata;
        t->e->local.usual_answered = f->outcome == CONNECT_ESTABLISHED ||
                                     (!f->at_once && !f->icmp.seen && f->error == ECONNREFUSED) ||
                                     (f->icmp.seen && addr_equal(&f->icmp.from, &t->e->addr));
        t->usual = probe_sock_free(t->usual);
}

/* Routers stand between, or a link that has no neighbours to ask. */
static bool has_way(const Evidence *e)
{
        return addr_is_set(&e->local.route.gateway) || !e->local.has_neigh;
}

/* Before anything else is sent: did the SYNs leave? An address that waits for ARP sends that. */
static void note_quiet(TcpStage *t)
{
        uint64_t now;
        t->e->local.tx_quiet = t->tx_known && t->e->tcp.n_sockets >= 2 &&
                               netdev_read_tx_packets(t->e->local.route.ifname, &now) >= 0 &&
                               now == t->tx_before;
}

/* Trouble here only leaves "alive" unknown. */
static void controls_start(TcpStage *t)
{
        Evidence *e = t->e;
        ConnectPolicy policy = {.addr = e->addr, .n_sockets = 2};

        t->controls_at = now_mono();
        e->life.asked = true;
        note_quiet(t);
        facts_source(e, &policy);
        if (has_way(e))
                (void)ladder_new(t->event, &policy, &e->ladder, &t->ladder);
        if (e->local.source_strange) {
                ConnectPolicy usual = policy;
                usual.from = e->local.source_usual;
                (void)probe_sock_new(t->event, &usual, on_usual_answer, t, &t->usual);
        }
        (void)probe_udp_new(&policy, &t->udp);
        for (size_t i = 0; i < ELEMENTSOF(control_ports); i++) {
                t->controls[i] = (Control){.stage = t, .port = control_ports[i]};
                if (control_ports[i] == e->addr.port)
                        continue;
                policy.addr.port = control_ports[i];
                (void)probe_sock_new(t->event, &policy, on_control_answer, &t->controls[i],
                                     &t->controls[i].sock);
        }
}

static void note_neighbour(TcpStage *t)
{
        const LocalFacts *l = &t->e->local;
        char hop[ADDR_MAX];

        if (!l->has_neigh || l->neigh == t->seen)
                return;
        t->seen = l->neigh;
        notes_add(&t->e->notes, "neighbour", now_mono(), 0, "%s is %s",
                  addr_format(hop, &l->nexthop), neigh_state_to_string(l->neigh));
}

void tcp_stage_snapshot(TcpStage *t)
{
        Evidence *e = t->e;
        if (e->tcp.outcome == CONNECT_PENDING)
                probe_sock_snapshot(t->sock, &e->tcp);
        facts_refresh(e, &t->base);
        note_neighbour(t);
        if (t->udp) {
                IcmpNote note;
                e->local.udp_forbidden = probe_udp_forbidden(t->udp);
                if (e->local.udp_forbidden && !t->udp_told)
                        notes_add(&e->notes, "datagram", now_mono(), 0,
                                  "forbidden by this machine (EPERM)");
                t->udp_told = e->local.udp_forbidden;
                probe_udp_poll(t->udp, &note);
                if (note.seen && addr_equal(&note.from, &e->addr))
                        note_alive(e, "it answers a datagram to port %u", e->addr.port);
        }
}

/* Whether more waiting could change the judgement. */
static bool decided(const Evidence *e)
{
        Judgement j;
        judge(e, &j);
        if (j.confidence == PROBE_PROVEN)
                return e->tcp.took >= NO_CARRIER;
        if (j.verdict == VERDICT_LOCAL_FIREWALL && j.confidence == PROBE_LIKELY &&
            e->tcp.total_retrans >= (e->local.tx_quiet ? 1U : OWN_DROPS))
                return true;
        if (j.confidence == PROBE_LIKELY && j.verdict != VERDICT_NEIGHBOUR_DEAD &&
            j.verdict != VERDICT_GATEWAY_DEAD && e->tcp.took >= JUDGE_SILENCE)
                return true;
        return e->tcp.took >= GIVE_UP;
}

static int on_tick_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        TcpStage *t = userdata;
        if (t->state == TCP_STAGE_REPEATING) {
                /* not refused again in this time: the router asks the neighbour, or rations its
                 * ICMP */
                t->e->repeated = true;
                end(t);
                return 0;
        }
        tcp_stage_snapshot(t);
        if (!t->e->life.asked && t->e->tcp.took >= CONTROL_AFTER && !t->e->local.own)
                controls_start(t);
        if (decided(t->e)) {
                end(t);
                return 0;
        }
        (void)sd_event_source_set_time_relative(s, TICK);
        (void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        return 0;
}

/* Starts an attempt and watches whether the interface sends anything in that moment. An answer that
 * is there when connect() returns, while nothing was sent, was made by this machine itself. */
static int attempt(TcpStage *t, uint16_t port, unsigned n_sockets, probe_sock_cb cb,
                   ProbeSock **ret)
{
        uint64_t before = 0, after = 0;
        const char *ifname = t->e->local.route.ifname;
        ConnectPolicy policy = {.addr = t->e->addr, .n_sockets = n_sockets};

        policy.addr.port = port;
        facts_source(t->e, &policy);
        t->tx_known = !t->e->local.own && netdev_read_tx_packets(ifname, &before) >= 0;
        int r = probe_sock_new(t->event, &policy, cb, t, ret);
        t->tx_known = t->tx_known && netdev_read_tx_packets(ifname, &after) >= 0;
        t->tx_before = before;
        t->tx_still = t->tx_known && before == after;
        return r;
}

static bool made_here(const TcpStage *t, const ConnectFacts *f)
{
        return f->outcome == CONNECT_FAILED && f->error == ECONNREFUSED && !f->icmp.seen &&
               f->instant && t->tx_still;
}

static bool same_icmp(const IcmpNote *a, const IcmpNote *b)
{
        return a->seen && b->seen && a->type == b->type && a->code == b->code &&
               addr_equal(&a->from, &b->from);
}

static void on_repeat_answer(ProbeSock *p, const ConnectFacts *f, void *userdata)
{
        TcpStage *t = userdata;
        Evidence *e = t->e;

        e->repeated = e->repeat_answered = true;
        e->repeat_same = same_icmp(&e->tcp.icmp, &f->icmp);
        e->repeat_took = f->took;
        notes_add(&e->notes, "repeat", usec_sub(now_mono(), f->took), f->took, "%s",
                  e->repeat_same                      ? "refused the same way"
                  : f->outcome == CONNECT_ESTABLISHED ? "connected"
                                                      : strerror(f->error));
        e->local.tx_known = t->tx_known;
        e->local.tx_silent = made_here(t, f) && made_here(t, &e->tcp);
        end(t);
}

/* An answer that one more attempt would tell apart: a reset that nobody else can have sent (the
 * same port again), or a router's "unreachable", unless it came as late as a dead neighbour's
 * (another port). */
static bool wants_repeat(const TcpStage *t, uint16_t *ret_port)
{
        const Evidence *e = t->e;
        Judgement j;

        *ret_port = e->addr.port;
        if (made_here(t, &e->tcp))
                return true;
        *ret_port = e->addr.port == control_ports[0] ? control_ports[1] : control_ports[0];
        judge(e, &j);
        return j.verdict == VERDICT_NO_ROUTE_REMOTE ||
               (j.verdict == VERDICT_HOST_DOWN_REMOTE && j.confidence != PROBE_PROVEN);
}

static bool waits_for_arp(const TcpStage *t)
{
        Judgement j;
        judge(t->e, &j);
        return j.verdict == VERDICT_HOST_DOWN_REMOTE;
}

static void on_sock_answer(ProbeSock *p, const ConnectFacts *f, void *userdata)
{
        TcpStage *t = userdata;
        Evidence *e = t->e;

        e->tcp = *f;
        if (f->outcome == CONNECT_FAILED && f->at_once)
                host_count(&e->host_facts);
        e->icmp_own =
                f->icmp.seen && addr_is_set(&f->icmp.from) && netlink_is_own(&f->icmp.from) > 0;
        tcp_stage_snapshot(t);
        uint16_t port;
        if (wants_repeat(t, &port) && tcp_stage_set_state(t, TCP_STAGE_REPEATING) >= 0 &&
            attempt(t, port, 1, on_repeat_answer, &t->repeat) >= 0) {
                (void)sd_event_source_set_time_relative(
                        t->tick_timer, waits_for_arp(t) ? REPEAT_WAIT_ARP : REPEAT_WAIT);
                (void)sd_event_source_set_enabled(t->tick_timer, SD_EVENT_ONESHOT);
                return;
        }
        end(t);
}

/* The kernel's last word on whose address it is: the tables may lag behind one that is just added.
 */
static void trust_bind(TcpStage *t)
{
        ConnectFacts f;
        probe_sock_snapshot(t->sock, &f);
        if (t->e->local.source == SOURCE_NOT_OWN && addr_is_set(&f.local))
                t->e->local.source = SOURCE_FREE;
}

int tcp_stage_new(sd_event *event, Evidence *e, tcp_stage_cb cb, void *userdata, TcpStage **ret)
{
        _cleanup_(tcp_stage_freep) TcpStage *t = new0(TcpStage, 1);
        if (!t)
                return -ENOMEM;
        *t = (TcpStage){.event = event, .e = e, .cb = cb, .userdata = userdata};

        int r = facts_gather(e, &t->base);
        if (r < 0)
                return r;
        host_gather(&e->host_facts);
        facts_clock(e);
        r = attempt(t, e->addr.port, PROBE_SOCK_MAX, on_sock_answer, &t->sock);
        if (r < 0)
                return r;
        e->connected = true;
        trust_bind(t);
        r = sd_event_add_time_relative(event, &t->tick_timer, CLOCK_MONOTONIC, NO_CARRIER,
                                       USEC_PER_MSEC, on_tick_timer, t);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}
