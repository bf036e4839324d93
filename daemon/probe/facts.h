/* What this machine's own kernel says about the way to an address, without privilege and without
 * sending anything: source, route, link, neighbour, counters. */
#pragma once

#include "probe/evidence.h"

/* The values of counters before the first SYN: only their rise is evidence. */
typedef struct FactsBase {
        bool known;
        uint64_t retrans_fail;
        NeighState neigh;
} FactsBase;

/* Fills e->local from e->addr and e->from. What cannot be read stays "not known"; -ENOMEM only. */
int facts_gather(Evidence *e, FactsBase *ret);
/* Reads again what changes while a SYN waits: neighbour, link, counters. */
void facts_refresh(Evidence *e, const FactsBase *base);

/* Whether somebody keeps this machine's clock. */
void facts_clock(Evidence *e);

/* The own address and interface to use, from e->from; NULL and unset where the kernel chooses. */
void facts_source(const Evidence *e, ConnectPolicy *policy);

/* Packets that an interface has sent; of /proc/net/dev, whose counters the virtual interfaces keep
 * exact. -ENOENT, -EINVAL. */
int netdev_tx_packets(const char *text, const char *ifname, uint64_t *ret);
int facts_tx_packets(const char *ifname, uint64_t *ret);

/* A counter of /proc/net/netstat or /proc/net/snmp: group "TcpExt:", name "TCPRetransFail". -ENOENT
 * when it is not there, -EINVAL when the text is not of the form. */
int netstat_value(const char *text, const char *group, const char *name, uint64_t *ret);
