/* One TCP port of many, tried once: what its socket came to, as the state of that port. */
#pragma once

#include "model/port-ranges.h"
#include "sys/probe-sock.h"

typedef struct PortAnswer {
        PortState state; /* PORT_SILENT: none yet */
        int error;       /* positive errno, of PORT_FAILED */
        IcmpNote icmp;   /* of PORT_REJECTED */
} PortAnswer;

/* Connects to policy->addr. 1: *ret_fd waits for an answer (writable when it is there), and is the
 * caller's to close; 0: *ret has it already. Negative errno: what this machine lacks for one more
 * socket, which says nothing of the network. */
int port_try_begin(const ConnectPolicy *policy, int *ret_fd, PortAnswer *ret);
/* Whether the answer is there. A socket whose port is open sends a reset when it is closed after
 * this. */
bool port_try_look(int fd, PortAnswer *ret);
