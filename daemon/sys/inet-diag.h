/* The kernel's own view of a local TCP port (NETLINK_SOCK_DIAG): who listens, how full its queue
 * is, and which connections are half open. Synchronous, nothing leaves the machine, no privilege
 * needed. -ENOENT where the kernel has no inet_diag. */
#pragma once

#include "base/addr.h"

/* One port is bound to a few addresses, by SO_REUSEPORT to each of them many times. What is beyond
 * is not kept. */
#define DIAG_LISTENERS_MAX 64

typedef struct DiagListener {
        Addr addr;      /* bound to; any = all of its family, and IPv4 too of [::] */
        bool v6only;    /* but for this */
        unsigned queue; /* connections that wait to be accepted */
        unsigned room;  /* how many may (listen(), capped by net.core.somaxconn) */
} DiagListener;

/* Listeners of the port, IPv4 first. 0 or negative errno. */
int inet_diag_listeners(uint16_t port, DiagListener ret[static DIAG_LISTENERS_MAX], size_t *ret_n);

/* How many half-open connections (SYN-RECV) the port has from one of these addresses. */
int inet_diag_syn_recv(uint16_t port, const Addr *from, size_t n_from, unsigned *ret);
