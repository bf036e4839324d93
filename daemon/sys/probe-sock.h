/* One TCP connect attempt, watched closely: what a plain connect() hides (probe.md 2.2).
 *
 * Up to PROBE_SOCK_MAX sockets are opened one after the other, so that a lost SYN is told from a
 * filtered one in a second on every kernel, whose own SYN timers differ. IP_RECVERR brings the
 * type, code and sender of ICMP answers without privilege. The order of looking is fixed: poll,
 * SO_ERROR, error queue, TCP_INFO; reading the queue first would make SO_ERROR say "connected" of a
 * dead host.
 *
 * There is no deadline here: the owner has one, and takes a snapshot when it has waited enough. */
#pragma once

#include <errno.h>

#include <systemd/sd-event.h>

#include "base/time.h"
#include "model/icmp.h"

/* Four SYNs in 0.9 s: enough that random loss of one in twenty is not taken for a filter. */
#define PROBE_SOCK_MAX 4

typedef struct ProbeSock ProbeSock;

typedef enum ConnectOutcome {
        CONNECT_PENDING,     /* nothing came back so far */
        CONNECT_ESTABLISHED, /* TCP_INFO says so */
        CONNECT_FAILED,      /* `error` and, if somebody said it, `icmp` */
        _CONNECT_OUTCOME_MAX,
        _CONNECT_OUTCOME_INVALID = -EINVAL,
} ConnectOutcome;

typedef struct ConnectFacts {
        ConnectOutcome outcome;
        int error;            /* positive errno of a failed attempt */
        bool at_once;         /* connect() itself failed: nothing was sent */
        bool instant;         /* refused already when connect() returned: by this machine, or by one
                                 that shares its CPU (veth) */
        IcmpNote icmp;        /* the one that came with the failure, else the first one */
        usec_t took;          /* from the first attempt to the answer, or until now */
        usec_t rtt;           /* of the handshake, by the kernel's clock; 0 = not established */
        Addr local;           /* own address and port of the first socket, if it got one */
        unsigned n_sockets;   /* SYNs begun */
        unsigned n_unsent;    /* of these, SYNs that never left: they wait for ARP or ND */
        unsigned retransmits; /* sum over the sockets of retransmissions due */
        unsigned total_retrans; /* sum of retransmissions sent */
        unsigned segs_in;       /* sum of segments that came back */
} ConnectFacts;

typedef struct ConnectPolicy {
        Addr addr;             /* with port */
        Addr from;             /* own address to bind, or unset */
        const char *interface; /* to bind, or NULL; copied */
        unsigned n_sockets;    /* 1 to PROBE_SOCK_MAX; 0 = all */
        usec_t stagger;        /* between two sockets; 0 = 300 ms */
        int mss;               /* TCP_MAXSEG to offer; 0 = the kernel's */
        int ttl;               /* hops the SYN lives; 0 = the kernel's */
} ConnectPolicy;

/* At most once, from the loop, when the attempt has an answer. The object may be freed inside. */
typedef void (*probe_sock_cb)(ProbeSock *p, const ConnectFacts *facts, void *userdata);

int probe_sock_new(sd_event *event, const ConnectPolicy *policy, probe_sock_cb cb, void *userdata,
                   ProbeSock **ret);
ProbeSock *probe_sock_free(ProbeSock *p);
DEFINE_CLEANUP(ProbeSock *, probe_sock_free);

/* The facts as they are now; asks the kernel again. */
void probe_sock_snapshot(ProbeSock *p, ConnectFacts *ret);

/* The established socket; the caller owns it. RECVERR is off on it, because on an established
 * socket it would turn soft errors into hard ones. -ENOTCONN when there is none. */
int probe_sock_take_fd(ProbeSock *p);

/* What the kernel knows of an established connection: tells the network from the application. */
typedef struct StreamFacts {
        uint64_t bytes_acked;   /* the SYN counts one */
        unsigned unsent;        /* bytes in our queue that the other side has not acknowledged */
        unsigned retransmits;   /* in a row, of the one that is not acknowledged */
        unsigned total_retrans; /* of all */
        unsigned segs_in;
        unsigned pmtu;
        usec_t rtt;  /* smoothed; 0 = not measured */
        usec_t idle; /* since something was sent, or else since it was established */
} StreamFacts;
int probe_stream_facts(int fd, StreamFacts *ret);

/* A UDP datagram to the same address: EPERM at once means that this machine's own firewall throws
 * away what it sends; an ICMP port-unreachable from the head means that the head is alive. */
typedef struct ProbeUdp ProbeUdp;
int probe_udp_new(const ConnectPolicy *policy, ProbeUdp **ret);
ProbeUdp *probe_udp_free(ProbeUdp *u);
DEFINE_CLEANUP(ProbeUdp *, probe_udp_free);
/* True when sending was forbidden here. */
bool probe_udp_forbidden(const ProbeUdp *u);
/* What came back until now. */
void probe_udp_poll(ProbeUdp *u, IcmpNote *ret);
