/* Whether silence is this machine's own: of some silent ports the kernel is let repeat its SYN, and
 * is asked whether that could be sent (probe.md 2.4 B3; TcpExt.TCPRetransFail counts what an own
 * firewall's drop in the output chain does to TCP alone). */
#pragma once

#include "base/time.h"

#define PORT_WITNESSES 8
/* The kernel repeats a SYN after 1 s. */
#define PORT_WITNESS_TIME (1150 * USEC_PER_MSEC)

typedef struct PortWitness {
        uint32_t port; /* the caller's index */
        int fd;        /* -EBADF: heard, or over */
} PortWitness;

typedef struct PortWitnesses {
        PortWitness each[PORT_WITNESSES];
        size_t n;
        usec_t begin;
        uint64_t fail; /* the counter then */
} PortWitnesses;

/* From now on SYNs are counted. Negative errno: they cannot be. */
int port_witnesses_begin(PortWitnesses *w);
/* Takes a connecting socket; at most PORT_WITNESSES. */
void port_witnesses_add(PortWitnesses *w, uint32_t port, int fd);
/* One of them has an answer. */
void port_witness_close(PortWitness *w);
void port_witnesses_drop(PortWitnesses *w);
/* When they have seen what there is to see. */
usec_t port_witnesses_end(const PortWitnesses *w);
/* One has no answer yet. */
bool port_witnesses_silent(const PortWitnesses *w);
/* *ret_retrans: SYNs that were repeated; *ret_fail: how many packets TCP failed to repeat
 * meanwhile, of everybody on this machine. -EAGAIN: not yet, or there is none. */
int port_witnesses_hear(const PortWitnesses *w, unsigned *ret_retrans, uint64_t *ret_fail);
