/* What this machine, a head, sees of one that asks: its own ports, counters and routes, by the
 * kernel's tables alone. Synchronous, nothing leaves the machine, no privilege needed. */
#pragma once

#include "sys/netstat.h"
#include "wire/reflect-codec.h"

/* The two ends of the asker's connection, as they are here; IPv4 never in IPv6's clothes. */
typedef struct ViewEnds {
        Addr observed, local; /* with port */
} ViewEnds;

/* Counters of the asker's IP version at one time; known: they could be read. */
typedef struct ViewCounters {
        bool known;
        NetCounters now;
} ViewCounters;

void view_counters(const ViewEnds *ends, ViewCounters *ret);
/* From one time to a later one. */
void view_rise(const ViewCounters *then, const ViewCounters *now, CounterRise *ret);

/* A port here, and what is half open on it from these addresses (port 0: not known). */
void view_port(uint16_t port, const ViewEnds *ends, const Addr *from, size_t n_from, PortView *ret);
/* The way back to the asker: route_* of the answer. */
void view_route(const ViewEnds *ends, ReflectReply *p);
/* Who we are: ends, host name, firewall manager, clock. */
void view_head(const ViewEnds *ends, ReflectReply *p);
