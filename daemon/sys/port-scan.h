/* Many TCP ports of one address, tried without privilege: which are open, refused, rejected by whom
 * or silent. model/port-rounds decides what is tried and what the answers mean; this opens the
 * sockets, as many at once as descriptors allow, and closes every one of them: what is open gets a
 * reset, so that no TIME_WAIT is left and whoever listens there sees a connection come and go.
 *
 * Ten thousand ports take some 0.3 s when they refuse and 2 s when nothing comes back. */
#pragma once

#include <systemd/sd-event.h>

#include "base/time.h"
#include "model/port-ranges.h"

typedef struct PortScan PortScan;

typedef struct PortScanPolicy {
        Addr addr;             /* its port does not matter */
        Addr from;             /* own address to bind, or unset */
        const char *interface; /* to bind, or NULL; copied */
        const PortSpan *spans; /* ascending, without overlap; copied */
        size_t n_spans;
        usec_t rtt;      /* a round trip there, as far as known; 0 = not known */
        usec_t deadline; /* for all of it; 0 = 15 s */
        unsigned window; /* sockets at once at most; 0 = as many as there are ports */
} PortScanPolicy;

typedef struct PortScanFacts {
        PortResult *results; /* of every port, ascending; the callee may sort them */
        size_t n;
        bool complete;   /* each has a result that is known */
        bool cut;        /* the deadline, or `trouble`, ended it */
        int trouble;     /* positive errno: no more sockets or own ports were to be had; 0 */
        bool narrow;     /* fewer sockets at once than ports, for want of descriptors */
        unsigned window; /* sockets at once */
        usec_t took;
        /* Of some silent ports the kernel was let repeat its SYN, which tells an own firewall's
         * silence (probe.md 2.4 B3): */
        bool retrans_known;
        unsigned retrans;      /* SYNs it repeated */
        uint64_t retrans_fail; /* TcpExt.TCPRetransFail: rise meanwhile, of everybody */
} PortScanFacts;

/* Once, from the loop. The facts belong to the scan; it may be freed inside. */
typedef void (*port_scan_cb)(PortScan *s, const PortScanFacts *facts, void *userdata);

/* Raises this process's soft limit of descriptors for as long as the scan lives, where the hard one
 * allows. -EINVAL: bad spans. */
int port_scan_new(sd_event *event, const PortScanPolicy *policy, port_scan_cb cb, void *userdata,
                  PortScan **ret);
PortScan *port_scan_free(PortScan *s);
DEFINE_CLEANUP(PortScan *, port_scan_free);
/* Ends it now, as its deadline would: the callback comes from inside this call. */
void port_scan_end(PortScan *s);
