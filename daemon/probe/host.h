/* What this machine itself brings to a connection, beside the way: local ports, descriptors, the
 * name servers, the settings that change how TCP behaves. Read without privilege. */
#pragma once

#include "base/addr.h"

#define HOST_SERVERS_MAX 160 /* bytes of a list of name servers; the rest is cut */
#define NSS_ADDRS_MAX    4

/* What the system's own resolver (nsswitch.conf) says of the name, beside DNS. */
typedef struct NssFacts {
        bool answered; /* it came to an end */
        Addr addrs[NSS_ADDRS_MAX];
        size_t n; /* 0 = it does not know the name either */
} NssFacts;

typedef struct HostFacts {
        bool ports_known;
        uint16_t port_first, port_last; /* ip_local_port_range */
        bool ports_counted;             /* only when a connection failed for want of one: */
        unsigned ports_used;            /* of these, held by TCP sockets */

        bool files_known;
        uint64_t files_max; /* RLIMIT_NOFILE, soft */
        bool files_counted; /* only when one was missing: */
        unsigned files_open;

        bool mtu_probing_known;
        unsigned mtu_probing; /* net.ipv4.tcp_mtu_probing: 0, 1 after loss, 2 always */

        /* of a name that was asked for: */
        char servers[HOST_SERVERS_MAX];  /* name servers of resolv.conf: "10.0.0.53" */
        char upstream[HOST_SERVERS_MAX]; /* those that systemd-resolved asks, when it is asked */
        char dns[32];                    /* what came of it: "SERVFAIL" */
        NssFacts nss;
} HostFacts;

/* What costs next to nothing; what was asked about the name is left as it is. */
void host_gather(HostFacts *h);
/* The counts, for a connection that this machine could not open. */
void host_count(HostFacts *h);
/* The name servers that were asked, as "10.0.0.53, 10.0.0.54". */
void host_servers(HostFacts *h, const char *servers);

/* Local ports first to last in the text of /proc/net/tcp or tcp6, entered into `seen`, a bit a
 * port. Returns how many are new. */
unsigned host_ports_in(const char *text, uint16_t first, uint16_t last, uint8_t seen[8192]);
/* The servers of a resolv.conf text, "a, b"; cut to what fits. */
void host_resolv_conf(const char *text, char *buf, size_t size);
