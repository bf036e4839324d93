/*   LOOKING (the node table: the head's row, and ours) ──answers, or 1 s──> SCANNING ──> DONE
 *   without a GCS that answers ─────────────────────────────────────────────────^ */
#include "probe/ports.h"

#include "base/alloc.h"
#include "gcs/client.h"
#include "probe/facts.h"
#include "sys/port-scan.h"

/* a SYN that is lost is sent again after one second, and then after two more */
#define TABLE_TIMEOUT (3500 * USEC_PER_MSEC)
/* Rows of one address: a node that came back often has many, the living ones come first. */
#define ROWS_MAX 8

typedef enum PortsState {
        PORTS_LOOKING,  /* the GCS is asked */
        PORTS_SCANNING, /* the ports are tried */
        PORTS_DONE,     /* the owner was told, or will not be */
        _PORTS_STATE_MAX,
        _PORTS_STATE_INVALID = -EINVAL,
} PortsState;

struct PortsStage {
        sd_event *event; /* weak */
        const Evidence *e;
        PortsFacts *f; /* weak */
        ports_stage_cb cb;
        void *userdata;

        PortsState state;
        usec_t until;
        GcsClient *gcs;
        unsigned n_asked;
        sd_event_source *start_defer;
        PortScan *scan;
};

static const uint32_t next_states[_PORTS_STATE_MAX] = {
        [PORTS_LOOKING] = 1U << PORTS_SCANNING | 1U << PORTS_DONE,
        [PORTS_SCANNING] = 1U << PORTS_DONE,
};

static int ports_set_state(PortsStage *s, PortsState state)
{
        if (!(next_states[s->state] & 1U << state))
                return -EPROTO;
        s->state = state;
        return 0;
}

void ports_facts_done(PortsFacts *f)
{
        free(f->ranges);
        *f = (PortsFacts){0};
}

PortsStage *ports_stage_free(PortsStage *s)
{
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->start_defer);
        gcs_client_free(s->gcs);
        port_scan_free(s->scan);
        free(s);
        return NULL;
}

static void end(PortsStage *s)
{
        if (ports_set_state(s, PORTS_DONE) >= 0)
                s->cb(s, s->userdata);
}

/* --- the scan -----------------------------------------------------------------------------------
 */

/* A datagram to a silent port: forbidden here, as what TCP sends there is then. */
static bool is_forbidden_here(const Evidence *e, const PortsFacts *f)
{
        ConnectPolicy policy = {.addr = e->addr};
        ProbeUdp *u = NULL;
        size_t i = 0;

        while (i < f->n && f->ranges[i].state != PORT_SILENT)
                i++;
        if (i == f->n || !f->retrans_known || f->retrans_fail < f->retrans)
                return false;
        policy.addr.port = f->ranges[i].first;
        facts_source(e, &policy);
        bool forbidden = probe_udp_new(&policy, &u) >= 0 && probe_udp_forbidden(u);
        probe_udp_free(u);
        return forbidden;
}

static void take_facts(PortsStage *s, const PortScanFacts *r)
{
        PortsFacts *f = s->f;

        if (port_ranges_fold(r->results, r->n, NULL, &f->ranges, &f->n) < 0)
                return;
        f->complete = r->complete;
        f->trouble = r->trouble;
        f->narrow = r->narrow;
        f->window = r->window;
        f->retrans_known = r->retrans_known;
        f->retrans = r->retrans;
        f->retrans_fail = r->retrans_fail;
        f->udp_forbidden = is_forbidden_here(s->e, f);
}

static void on_scan_end(PortScan *scan, const PortScanFacts *r, void *userdata)
{
        PortsStage *s = userdata;
        take_facts(s, r);
        end(s);
}

static void start_scan(PortsStage *s)
{
        const Evidence *e = s->e;
        PortSpan spans[PORT_PLAN_SPANS_MAX];
        ConnectPolicy source = {.addr = e->addr};

        facts_source(e, &source);
        PortScanPolicy policy = {
                .addr = e->addr,
                .from = source.from,
                .interface = source.interface,
                .spans = spans,
                .n_spans = port_plan_spans(&s->f->plan, ROLE_HEAD, spans),
                .rtt = e->tcp.outcome == CONNECT_PENDING ? 0 : e->tcp.took,
                .deadline = MAX(usec_sub(s->until, now_mono()), USEC_PER_MSEC),
        };
        if (ports_set_state(s, PORTS_SCANNING) >= 0 &&
            port_scan_new(s->event, &policy, on_scan_end, s, &s->scan) < 0)
                end(s);
}

/* --- the node table -----------------------------------------------------------------------------
 */

/* The newest living row; dead ones are of the past. */
static const Node *living(const NodeSet *set)
{
        const Node *best = NULL;
        for (size_t i = 0; i < set->n; i++)
                if (set->nodes[i].state != NODE_DEAD &&
                    (!best || set->nodes[i].start_time_ms > best->start_time_ms))
                        best = &set->nodes[i];
        return best;
}

/* Another address of the head than the one examined may have another way to it, and behind an
 * address translator other ports. */
static bool is_at(const Node *n, const Addr *addr)
{
        Addr a;
        return n->address && addr_parse(n->address, &a) >= 0 && addr_equal(&a, addr);
}

static void take_ports(PortPlan *plan, const Node *n)
{
        const struct {
                uint16_t *dest, port;
        } ports[] = {
                {&plan->node_manager, n->node_manager_port},
                {&plan->object_manager, n->object_manager_port},
                {&plan->runtime_env_agent, n->runtime_env_agent_port},
                {&plan->dashboard_agent_grpc, n->dashboard_agent_grpc_port},
                {&plan->dashboard_agent, n->dashboard_agent_port},
                {&plan->metrics_export, n->metrics_export_port},
        };
        for (size_t i = 0; i < ELEMENTSOF(ports); i++)
                if (ports[i].port > 0)
                        *ports[i].dest = ports[i].port;
}

static void heard(PortsStage *s)
{
        /* the client is freed with the stage: it may be in the middle of its callback */
        if (--s->n_asked == 0 && s->state == PORTS_LOOKING)
                start_scan(s);
}

static void on_head_row(GcsClient *c, const GcsResult *result, NodeSet **nodes, void *userdata)
{
        PortsStage *s = userdata;
        const Node *n = result->status == GCS_OK ? living(*nodes) : NULL;
        s->f->table_silent = result->status == GCS_TIMEOUT || result->status == GCS_UNREACHABLE;
        if (n && is_at(n, &s->e->addr)) {
                s->f->table = true;
                take_ports(&s->f->plan, n);
        }
        heard(s);
}

static void on_own_row(GcsClient *c, const GcsResult *result, NodeSet **nodes, void *userdata)
{
        PortsStage *s = userdata;
        const Node *n = result->status == GCS_OK ? living(*nodes) : NULL;
        if (n && !n->is_head) {
                s->f->own_table = true;
                take_ports(&s->f->own_plan, n);
        }
        heard(s);
}

static int ask_table(PortsStage *s, const char *token)
{
        const Evidence *e = s->e;
        GcsClientPolicy policy = {
                .addr = e->addr,
                .token = token,
                .timeout = MIN(TABLE_TIMEOUT, MAX(usec_sub(s->until, now_mono()), USEC_PER_MSEC)),
        };
        const Addr *own = addr_is_set(&e->back.node) ? &e->back.node : &e->tcp.local;
        char address[ADDR_MAX];

        int r = gcs_client_new(s->event, &policy, &s->gcs);
        if (r < 0)
                return r;
        r = gcs_client_find_nodes(s->gcs, &(GcsNodeFilter){.head = true, .limit = ROWS_MAX},
                                  on_head_row, s);
        if (r < 0)
                return r;
        s->n_asked++;
        if (addr_is_set(own) &&
            gcs_client_find_nodes(
                    s->gcs,
                    &(GcsNodeFilter){.address = addr_format(address, own), .limit = ROWS_MAX},
                    on_own_row, s) >= 0)
                s->n_asked++;
        return 0;
}

static int on_start(sd_event_source *source, void *userdata)
{
        PortsStage *s = userdata;
        s->start_defer = sd_event_source_disable_unref(s->start_defer);
        start_scan(s);
        return 0;
}

int ports_stage_new(sd_event *event, const PortsRequest *request, const Evidence *e,
                    PortsFacts *ret_facts, ports_stage_cb cb, void *userdata, PortsStage **ret)
{
        _cleanup_(ports_stage_freep) PortsStage *s = new0(PortsStage, 1);
        if (!s)
                return -ENOMEM;
        *s = (PortsStage){
                .event = event,
                .e = e,
                .f = ret_facts,
                .cb = cb,
                .userdata = userdata,
                .until = usec_add(now_mono(), request->deadline),
        };
        *ret_facts = (PortsFacts){
                .plan = *request->plan,
                .own_plan = *request->plan,
                .dashboard_local = request->dashboard_local,
        };
        ret_facts->plan.gcs = e->addr.port;
        if (!request->table || ask_table(s, request->token) < 0) {
                int r = sd_event_add_defer(event, &s->start_defer, on_start, s);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(s);
        return 0;
}

void ports_stage_cut(PortsStage *s)
{
        PortScan *scan = s->scan;
        if (ports_set_state(s, PORTS_DONE) >= 0 && scan)
                port_scan_end(scan);
}
