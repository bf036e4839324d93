/* What this machine's own kernel says about the way to an address, without privilege and without
 * sending anything: source, route, link, neighbour, counters. */
#pragma once

#include "probe/evidence.h"

/* The values of counters before the first SYN: only their rise is evidence. */
typedef struct FactsBase {
        bool known;
        uint64_t retrans_fail;
        bool undelivered_known;
        int64_t undelivered;
        bool rp_filter_known;
        uint64_t rp_filter;
        NeighState neigh;
} FactsBase;

/* Fills e->local from e->addr and e->from. What cannot be read stays "not known"; -ENOMEM only. */
int facts_gather(Evidence *e, FactsBase *ret);
/* Reads again what changes while a SYN waits: neighbour, link, counters. */
void facts_refresh(Evidence *e, const FactsBase *base);

/* As if nothing had been sent to e->addr yet, before it is tried again. */
void facts_forget(Evidence *e);

/* Whether somebody keeps this machine's clock. */
void facts_clock(Evidence *e);

/* Which firewall manager and which clock keeper this machine has. */
void facts_keepers(Evidence *e);

/* The own address and interface to use, from e->from; NULL and unset where the kernel chooses. */
void facts_source(const Evidence *e, ConnectPolicy *policy);
