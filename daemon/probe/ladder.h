/* How far does a SYN come? SYNs that live one hop, two hops, …; the router where one dies says so
 * with its address, without privilege (probe.md 2.2, rule 6). One SYN a hop, never sent again; it
 * ends after three hops of silence in a row, or where the head itself answers. */
#pragma once

#include <systemd/sd-event.h>

#include "sys/probe-sock.h"

/* Between two machines of one site there are one or two routers; behind this many it is not the
 * machine room's own path any more. */
#define LADDER_HOPS_MAX 8

typedef struct LadderFacts {
        bool asked, ended;
        Addr hops[LADDER_HOPS_MAX]; /* by distance; unset = no answer */
        unsigned n_hops;            /* distance of the farthest hop that answered */
        bool arrived;               /* the head itself answered */
} LadderFacts;

typedef struct Ladder Ladder;

/* facts is weak and filled as it goes. policy: address, port and source; the name of the interface
 * must live as long. At most LADDER_HOPS_MAX + 3 SYNs, three of which may reach the head. */
int ladder_new(sd_event *event, const ConnectPolicy *policy, LadderFacts *facts, Ladder **ret);
Ladder *ladder_free(Ladder *l);
DEFINE_CLEANUP(Ladder *, ladder_free);
