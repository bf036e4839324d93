/* Which ports Ray uses on a head and on a worker, from the port plan (raycluster.conf(5), ports):
 * what a probe has to try in either direction. Pure. */
#pragma once

#include "model/port-ranges.h"
#include "model/role.h"
#include "model/settings.h"

/* Twelve single ports and the range of the worker processes. */
#define PORT_PLAN_SPANS_MAX 13

/* Everything that Ray and raycluster use on a machine of this role, in order, neighbours joined,
 * each port once. Returns how many spans. */
size_t port_plan_spans(const PortPlan *plan, Role role, PortSpan ret[PORT_PLAN_SPANS_MAX]);
/* The ports in it. */
size_t port_spans_count(const PortSpan *spans, size_t n);
/* What the plan has on this port, for people: "object manager", "worker processes"; NULL when it
 * has nothing there. */
const char *port_plan_use(const PortPlan *plan, uint16_t port);
PortSpan port_plan_workers(const PortPlan *plan);

/* The ports of a worker that a head tries to reach it by: all fixed ones, and of the worker
 * processes' range both ends and others spread evenly between them, moved about by the seed, so
 * that repeated tests see different ones. In order, each port once. Returns how many. */
#define BACK_SAMPLE    16
#define BACK_PORTS_MAX (PORT_PLAN_SPANS_MAX - 1 + BACK_SAMPLE)
size_t plan_back_ports(const PortPlan *plan, uint64_t seed, uint16_t ret[BACK_PORTS_MAX]);
