/* One examination: the stages of state.h, one after the other. Each writes into the Evidence; the
 * judgement is made from it once, at the end. */
#include "probe/probe.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "probe/addresses.h"
#include "probe/alive.h"
#include "probe/facts.h"
#include "probe/hello.h"
#include "probe/judge.h"
#include "probe/measure.h"
#include "probe/name.h"
#include "probe/other-side.h"
#include "probe/ports.h"
#include "probe/report.h"
#include "probe/request.h"
#include "probe/state.h"
#include "probe/tcp.h"
#include "probe/verdict.h"
#include "sys/resolve.h"

#define DEADLINE_DEFAULT (6 * USEC_PER_SEC)
/* with all ports: few descriptors and rationed ICMP take their time */
#define DEADLINE_ALL  (20 * USEC_PER_SEC)
#define NAME_TIMEOUT  (1800 * USEC_PER_MSEC)
#define ALIVE_TIMEOUT (2 * USEC_PER_SEC)
/* of it the words at the end */
#define SCAN_SPARE (50 * USEC_PER_MSEC)

struct Probe {
        sd_event *event; /* weak */
        probe_cb cb;
        void *userdata;
        char *token;
        const TlsContext *tls; /* weak */
        Versions *engines;
        size_t n_engines;
        usec_t deadline;
        const Transport *reflect; /* weak */
        PortPlan plan;
        int family;
        bool discover;
        void (*nss)(NssFacts *ret, void *userdata);
        void *nss_userdata;
        bool dashboard_local, thorough;

        ProbeState state;
        usec_t began, state_since;
        bool held; /* the state is at its end, and waits for the reflector to be met */
        Evidence e;
        Addresses addresses;
        ProbeReport report;

        Resolver *resolver;
        ResolveQuery *query;
        OtherSide *other;
        TcpStage *tcp;
        HelloStage *hello;
        Alive *alive;
        Measure *measure;
        PortsStage *scan;
        PortsFacts ports;
        sd_event_source *deadline_timer;
        sd_event_source *start_defer;
};

/* What a state started and does not outlive. */
static void stop_work(Probe *p)
{
        p->start_defer = sd_event_source_disable_unref(p->start_defer);
        p->query = resolve_query_cancel(p->query);
        p->tcp = tcp_stage_free(p->tcp);
        p->hello = hello_stage_free(p->hello);
        p->alive = alive_free(p->alive);
        p->measure = measure_free(p->measure);
        p->scan = ports_stage_free(p->scan);
}

Probe *probe_free(Probe *p)
{
        if (!p)
                return NULL;
        stop_work(p);
        other_side_free(p->other);
        ports_facts_done(&p->ports);
        sd_event_source_disable_unref(p->deadline_timer);
        resolver_free(p->resolver);
        report_done(&p->report);
        addresses_done(&p->addresses);
        free(p->engines);
        free(p->token);
        free(p);
        return NULL;
}

const char *probe_doing(const Probe *p, usec_t *ret_since)
{
        if (p->hello)
                return hello_stage_doing(p->hello, ret_since);
        *ret_since = p->state_since;
        return probe_state_doing(p->held ? PROBE_MEETING : p->state);
}

/* Once a state. */
static void tell_step(Probe *p)
{
        const char *step = probe_state_step(p->state);
        usec_t now = now_mono();

        if (step)
                report_add_step(&p->report, step, usec_sub(p->state_since, p->began),
                                usec_sub(now, p->state_since),
                                probe_state_result(p->state, &p->e, &p->ports));
}

static int probe_set_state(Probe *p, ProbeState state)
{
        if (!probe_state_may(p->state, state))
                return -EPROTO;
        if (!p->held)
                tell_step(p);
        p->held = false;
        p->state = state;
        p->state_since = now_mono();
        return 0;
}

/* The reflector may still tell more of this than is known from here. */
static bool hold(Probe *p)
{
        if (!p->other || !other_side_meets(p->other) || p->e.cut)
                return false;
        if (!p->held)
                tell_step(p);
        p->held = true;
        return true;
}

static void start_way(Probe *p);
static void start_connect(Probe *p);

/* A reset to what was sent before the reflector counted: was it the head's? The next will tell. */
static bool try_again(Probe *p)
{
        const ConnectFacts *t = &p->e.tcp;

        if (p->state != PROBE_CONNECTING || p->e.cut || !p->e.other.answered ||
            t->outcome != CONNECT_FAILED || t->error != ECONNREFUSED || t->icmp.seen ||
            p->e.syns_before == 0 || syns_sent(&p->e) > p->e.syns_before)
                return false;
        p->tcp = tcp_stage_free(p->tcp);
        facts_forget(&p->e);
        p->e.syns_before = 0;
        start_connect(p);
        return true;
}

static bool try_other(Probe *p)
{
        if ((p->state != PROBE_CONNECTING && p->state != PROBE_LOOKING) || p->e.cut ||
            !addresses_may_help(&p->addresses, &p->e) || addresses_next(&p->addresses, &p->e) < 0)
                return false;
        stop_work(p);
        start_way(p);
        return true;
}

static bool serves(Verdict v)
{
        return v == VERDICT_OK || verdict_is_degraded(v);
}

/* No connection: the reflector tells what became of our SYNs. */
static bool try_look(Probe *p)
{
        return p->state == PROBE_CONNECTING && !p->e.cut && p->other &&
               p->e.tcp.outcome != CONNECT_ESTABLISHED && other_side_look(p->other) >= 0 &&
               probe_set_state(p, PROBE_LOOKING) >= 0;
}

static bool try_back(Probe *p)
{
        if (!probe_state_may(p->state, PROBE_RETURNING) || p->e.cut || !p->other ||
            !serves(judge_from_here(&p->e)) || other_side_back(p->other) < 0)
                return false;
        return probe_set_state(p, PROBE_RETURNING) >= 0;
}

static void finish(Probe *p);

static void on_scanned(PortsStage *s, void *userdata)
{
        Probe *p = userdata;
        if (p->other && p->ports.own_table)
                other_side_set_plan(p->other, &p->ports.own_plan);
        finish(p);
}

/* Somebody is there, whatever is wrong with it: then its other ports say more. */
static bool wants_ports(const Probe *p)
{
        if (!p->e.all || p->e.ports || p->e.cut || !probe_state_may(p->state, PROBE_SCANNING))
                return false;
        /* of several addresses that failed the first is told of, not the last */
        if (addresses_failed(&p->addresses, &p->e))
                return false;
        Verdict v = judge_from_here(&p->e);
        return serves(v) || (v >= VERDICT_REJECTED_AT_HEAD && v <= VERDICT_VERSION_MISMATCH);
}

static bool try_ports(Probe *p)
{
        usec_t gone = usec_sub(now_mono(), p->began);
        PortsRequest request = {
                .plan = &p->plan,
                .token = p->token,
                .table = p->e.alive.outcome == ALIVE_OK && !p->tls,
                .dashboard_local = p->dashboard_local,
                .deadline = usec_sub(p->deadline, gone + SCAN_SPARE),
        };
        if (!wants_ports(p) ||
            ports_stage_new(p->event, &request, &p->e, &p->ports, on_scanned, p, &p->scan) < 0)
                return false;
        p->e.ports = &p->ports;
        return probe_set_state(p, PROBE_SCANNING) >= 0;
}

/* The one end: judge, put into words, tell. Out of memory leaves the words empty. */
static void finish(Probe *p)
{
        if (hold(p) || try_again(p) || try_look(p) || try_other(p) || try_ports(p) || try_back(p) ||
            probe_set_state(p, PROBE_DONE) < 0)
                return;
        if (p->measure)
                measure_snapshot(p->measure);
        stop_work(p);
        p->other = other_side_free(p->other);
        addresses_choose(&p->addresses, &p->e);
        if (p->nss && p->e.name == NAME_RESOLVED)
                p->nss(&p->e.host_facts.nss, p->nss_userdata);
        p->deadline_timer = sd_event_source_disable_unref(p->deadline_timer);
        report_fill(&p->report, &p->e);
        report_add_notes(&p->report, &p->e.notes, p->began);
        p->cb(p, &p->report, p->userdata);
}

/* Of several the head's own would be taken; without it the newest shows what is here. */
static const Versions *engine_for(const Probe *p, const char *ray)
{
        for (size_t i = 0; i < p->n_engines; i++)
                if (streq(p->engines[i].ray, ray))
                        return &p->engines[i];
        return p->engines;
}

static void on_alive_answer(Alive *a, const AliveFacts *facts, const Versions *head, void *userdata)
{
        Probe *p = userdata;
        p->e.alive = *facts;
        p->e.head = *head;
        if (p->n_engines > 0 && isempty(p->e.here.ray))
                p->e.here = *engine_for(p, head->ray);
        if (p->measure && facts->outcome == ALIVE_OK && probe_set_state(p, PROBE_MEASURING) >= 0)
                measure_finish(p->measure);
        else
                finish(p);
}

static void ask_alive(Probe *p)
{
        ConnectPolicy policy = {.addr = p->e.addr};
        AliveRequest request = {
                .token = p->token,
                .cluster = isempty(p->e.cluster) ? NULL : p->e.cluster,
                .tls = p->tls,
                .host = hello_host(&p->e),
                .timeout = ALIVE_TIMEOUT,
        };
        facts_source(&p->e, &policy);
        if (probe_set_state(p, PROBE_ASKING) < 0 ||
            alive_new(p->event, &policy, &request, on_alive_answer, p, &p->alive) < 0)
                finish(p);
}

static void on_hello_step(HelloStage *h, const char *name, const char *result, usec_t since,
                          void *userdata)
{
        Probe *p = userdata;
        report_add_step(&p->report, name, usec_sub(since, p->began), usec_sub(now_mono(), since),
                        strdup(result));
}

static void on_measured(Measure *m, void *userdata)
{
        finish(userdata);
}

/* Trouble here only leaves the quality unknown. */
static void start_measure(Probe *p)
{
        if (!p->measure)
                (void)measure_new(p->event, &p->e, p->discover, on_measured, p, &p->measure);
}

static void on_hello_connection(HelloStage *h, int fd, const uint8_t *seen, size_t n,
                                void *userdata)
{
        Probe *p = userdata;
        _cleanup_close_ int conn = fd;
        start_measure(p);
        if (p->measure)
                measure_connection(p->measure, TAKE_FD(conn), seen, n);
}

static void on_hello_end(HelloStage *h, bool serves, void *userdata)
{
        Probe *p = userdata;
        p->hello = hello_stage_free(p->hello);
        if (serves) {
                start_measure(p);
                ask_alive(p);
        } else
                finish(p);
}

static void on_tcp_end(TcpStage *t, int fd, void *userdata)
{
        static const HelloOps hello_ops = {.on_step = on_hello_step,
                                           .on_connection = on_hello_connection,
                                           .on_end = on_hello_end};
        Probe *p = userdata;
        _cleanup_close_ int conn = fd;

        if (conn < 0 || probe_set_state(p, PROBE_GREETING) < 0) {
                finish(p);
                return;
        }
        int r = hello_stage_new(p->event, &p->e, conn, p->tls, &hello_ops, p, &p->hello);
        if (r >= 0)
                (void)TAKE_FD(conn);
        p->tcp = tcp_stage_free(p->tcp);
        if (r < 0)
                finish(p);
}

static void start_connect(Probe *p)
{
        if (probe_set_state(p, PROBE_CONNECTING) < 0 ||
            tcp_stage_new(p->event, &p->e, on_tcp_end, p, &p->tcp) < 0)
                finish(p);
}

static void on_other_side(OtherSide *o, OtherSideEvent event, void *userdata)
{
        Probe *p = userdata;

        /* an answer that came meanwhile changes the picture */
        if (p->tcp)
                tcp_stage_snapshot(p->tcp);
        if (event == OTHER_SIDE_MET) /* it counts from now on */
                p->e.syns_before = syns_sent(&p->e);
        if (p->state == PROBE_MEETING)
                start_connect(p);
        else if (event != OTHER_SIDE_MET || p->held)
                finish(p);
}

/* With a reflector it is met first, where it is near: its counters are best known from before our
 * first SYN. One that has no answer by then is met beside the connect. */
static void start_way(Probe *p)
{
        const OtherSideRequest q = {
                .transport = p->reflect,
                .others = p->addresses.others,
                .n_others = p->addresses.n_others,
                .plan = &p->plan,
                .thorough = p->thorough,
        };
        p->other = other_side_free(p->other);
        p->e.syns_before = 0;
        if (!p->reflect || !transport_reaches(p->reflect, &p->e.addr)) {
                start_connect(p);
                return;
        }
        if (other_side_new(p->event, &q, &p->e, on_other_side, p, &p->other) < 0 ||
            probe_set_state(p, PROBE_MEETING) < 0)
                finish(p);
}

static void on_name_answer(const ResolveAnswer *a, void *userdata)
{
        Probe *p = userdata;

        p->query = NULL;
        p->addresses.n_others = name_answer(&p->e, a, p->family, p->addresses.others,
                                            ELEMENTSOF(p->addresses.others));
        if (p->e.name == NAME_RESOLVED)
                start_way(p);
        else
                finish(p);
}

static int ask_name(Probe *p)
{
        _cleanup_free_ char *servers = NULL;
        int r = resolver_new(p->event, &p->resolver);
        if (r >= 0)
                r = resolver_servers(p->resolver, &servers);
        if (r < 0)
                return r;
        host_servers(&p->e.host_facts, servers);
        return resolver_host(p->resolver, p->e.host, MIN(NAME_TIMEOUT, p->deadline), on_name_answer,
                             p, &p->query);
}

static int on_start(sd_event_source *s, void *userdata)
{
        Probe *p = userdata;
        Evidence *e = &p->e;

        p->start_defer = sd_event_source_disable_unref(p->start_defer);
        if (addr_is_set(&e->addr) || name_literal(e) >= 0) {
                start_way(p);
                return 0;
        }
        int r = ask_name(p);
        if (r < 0) {
                (void)snprintf(e->name_text, sizeof(e->name_text), "the resolver did not start: %s",
                               strerror(-r));
                finish(p);
        }
        return 0;
}

static int on_deadline_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
        Probe *p = userdata;
        p->e.cut = true;
        p->e.unmeasured = p->state == PROBE_MEASURING;
        if (p->tcp)
                tcp_stage_snapshot(p->tcp);
        if (p->hello)
                hello_stage_snapshot(p->hello);
        if (p->scan)
                ports_stage_cut(p->scan);
        finish(p);
        return 0;
}

static int copy_request(Probe *p, const ProbeRequest *q)
{
        int r = request_evidence(q, &p->e);
        if (r < 0)
                return r;
        p->family = q->family;
        p->discover = q->discover;
        p->nss = q->addr ? NULL : q->nss;
        p->nss_userdata = q->nss_userdata;
        p->deadline = q->deadline ? q->deadline : q->all ? DEADLINE_ALL : DEADLINE_DEFAULT;
        p->tls = q->tls;
        p->reflect = q->reflect;
        if (q->plan)
                p->plan = *q->plan;
        p->dashboard_local = q->dashboard_local;
        p->thorough = q->thorough;
        p->e.other_optional = q->reflect_optional;
        if (q->n_engines > 0) {
                p->engines = new0(Versions, q->n_engines);
                if (!p->engines)
                        return -ENOMEM;
                memcpy(p->engines, q->engines, q->n_engines * sizeof(Versions));
                p->n_engines = q->n_engines;
        }
        return p->e.has_token ? free_and_strdup(&p->token, q->token) : 0;
}

int probe_new(sd_event *event, const ProbeRequest *request, probe_cb cb, void *userdata,
              Probe **ret)
{
        _cleanup_(probe_freep) Probe *p = new0(Probe, 1);
        if (!p)
                return -ENOMEM;
        p->event = event;
        p->cb = cb;
        p->userdata = userdata;
        p->began = p->state_since = now_mono();
        int r = copy_request(p, request);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &p->deadline_timer, CLOCK_MONOTONIC,
                                               p->deadline, USEC_PER_MSEC, on_deadline_timer, p);
        if (r >= 0)
                r = sd_event_add_defer(event, &p->start_defer, on_start, p);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}
