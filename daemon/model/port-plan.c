#include "model/port-plan.h"

#include <stdlib.h>

#define HEAD   (1U << ROLE_HEAD)
#define WORKER (1U << ROLE_WORKER)
#define BOTH   (HEAD | WORKER)

/* ray-facts 9: what listens where with every port pinned. */
static const struct {
        size_t offset;
        unsigned roles;
        const char *use;
} fixed_ports[] = {
        {offsetof(PortPlan, gcs), HEAD, "GCS"},
        {offsetof(PortPlan, node_manager), BOTH, "node manager"},
        {offsetof(PortPlan, object_manager), BOTH, "object manager"},
        {offsetof(PortPlan, runtime_env_agent), BOTH, "runtime environment agent"},
        {offsetof(PortPlan, dashboard_agent_grpc), BOTH, "dashboard agent"},
        {offsetof(PortPlan, metrics_export), BOTH, "metrics"},
        {offsetof(PortPlan, dashboard_agent), BOTH, "dashboard agent's HTTP"},
        {offsetof(PortPlan, dashboard_metrics), HEAD, "dashboard metrics"},
        {offsetof(PortPlan, autoscaler_metrics), HEAD, "autoscaler metrics"},
        {offsetof(PortPlan, control), HEAD, "raycluster's control port"},
        {offsetof(PortPlan, dashboard), HEAD, "dashboard"},
        {offsetof(PortPlan, client), HEAD, "Ray Client"},
};
_Static_assert(ELEMENTSOF(fixed_ports) + 1 == PORT_PLAN_SPANS_MAX, "one span each, and the range");

static uint16_t port_at(const PortPlan *plan, size_t i)
{
        uint16_t port;
        memcpy(&port, (const uint8_t *)plan + fixed_ports[i].offset, sizeof(port));
        return port;
}

static int compare_spans(const void *a, const void *b)
{
        const PortSpan *x = a, *y = b;
        return (x->first > y->first) - (x->first < y->first);
}

PortSpan port_plan_workers(const PortPlan *plan)
{
        return (PortSpan){plan->worker_first, plan->worker_last};
}

size_t port_plan_spans(const PortPlan *plan, Role role, PortSpan ret[PORT_PLAN_SPANS_MAX])
{
        size_t n = 0, k = 0;
        for (size_t i = 0; i < ELEMENTSOF(fixed_ports); i++) {
                uint16_t port = port_at(plan, i);
                if (port > 0 && fixed_ports[i].roles & 1U << role)
                        ret[n++] = (PortSpan){port, port};
        }
        if (plan->worker_first > 0 && plan->worker_last >= plan->worker_first)
                ret[n++] = port_plan_workers(plan);
        qsort(ret, n, sizeof(*ret), compare_spans);
        for (size_t i = 0; i < n; i++) {
                if (k > 0 && ret[i].first <= (uint32_t)ret[k - 1].last + 1)
                        ret[k - 1].last = MAX(ret[k - 1].last, ret[i].last);
                else
                        ret[k++] = ret[i];
        }
        return k;
}

size_t port_spans_count(const PortSpan *spans, size_t n)
{
        size_t sum = 0;
        for (size_t i = 0; i < n; i++)
                sum += (size_t)(spans[i].last - spans[i].first) + 1;
        return sum;
}

const char *port_plan_use(const PortPlan *plan, uint16_t port)
{
        for (size_t i = 0; i < ELEMENTSOF(fixed_ports); i++)
                if (port > 0 && port_at(plan, i) == port)
                        return fixed_ports[i].use;
        if (port > 0 && port >= plan->worker_first && port <= plan->worker_last)
                return "worker processes";
        return NULL;
}

/* splitmix64: any seed will do, also 0. */
static uint64_t next_random(uint64_t *state)
{
        uint64_t z = (*state += 0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
}

static size_t add_port(uint16_t *ports, size_t n, uint16_t port)
{
        for (size_t i = 0; i < n; i++)
                if (ports[i] == port)
                        return n;
        ports[n] = port;
        return n + 1;
}

static int compare_ports(const void *a, const void *b)
{
        uint16_t x = *(const uint16_t *)a, y = *(const uint16_t *)b;
        return (x > y) - (x < y);
}

size_t plan_back_ports(const PortPlan *plan, uint64_t seed, uint16_t ret[BACK_PORTS_MAX])
{
        size_t n = 0;
        for (size_t i = 0; i < ELEMENTSOF(fixed_ports); i++) {
                uint16_t port = port_at(plan, i);
                if (port > 0 && fixed_ports[i].roles & WORKER)
                        n = add_port(ret, n, port);
        }
        if (plan->worker_first > 0 && plan->worker_last >= plan->worker_first) {
                uint32_t width = (uint32_t)(plan->worker_last - plan->worker_first) + 1;
                uint32_t parts = MIN(width, (uint32_t)BACK_SAMPLE);
                for (uint32_t i = 0; i < parts; i++) {
                        /* a port of each of so many equal parts; the ends of a range are where a
                         * rule goes wrong */
                        uint32_t from = width * i / parts, to = width * (i + 1) / parts;
                        uint32_t at = from + (uint32_t)(next_random(&seed) % (to - from));
                        if (i == 0)
                                at = 0;
                        else if (i == parts - 1)
                                at = width - 1;
                        n = add_port(ret, n, (uint16_t)(plan->worker_first + at));
                }
        }
        qsort(ret, n, sizeof(*ret), compare_ports);
        return n;
}
