/* Whom a head may connect back to. Done badly, this is a scanner that strangers use on others; so
 * every address and port is asked for here first (probe.md 3.4). Pure, but for what is an own
 * address, which the caller says. */
#pragma once

#include "model/port-plan.h"
#include "wire/reflect-codec.h"

/* Rate of all connect-backs of a reflector together, in any second. */
#define BACK_PER_SECOND 50
/* Of one test at a time. */
#define BACK_IN_FLIGHT_MAX 8

typedef struct BackPolicy {
        PortSpan ports[PORT_PLAN_SPANS_MAX]; /* which may be connected to */
        size_t n_ports;
        bool claimed;     /* also addresses that the asker only says are its own */
        bool range;       /* also whole ranges, much faster than BACK_PER_SECOND */
        bool own;         /* also this machine and its loopback: where both are one (tests) */
        usec_t interval;  /* between two tests of one peer; 0 = BACK_INTERVAL */
        const Addr *only; /* no address but these, whatever is claimed or asks; NULL = as above */
        size_t n_only;
} BackPolicy;

#define BACK_INTERVAL (10 * USEC_PER_SEC)

typedef enum BackVeto {
        BACK_MAY,
        BACK_VETO_UNSET, /* unspecified, broadcast: no machine */
        BACK_VETO_LOOPBACK,
        BACK_VETO_MULTICAST,
        BACK_VETO_LINK_LOCAL, /* of a link that we cannot know: only the peer itself may be so */
        BACK_VETO_OWN,        /* this machine's */
        BACK_VETO_CLAIMED,    /* not the peer's own address, and claims do not count here */
        BACK_VETO_OTHERS,     /* none of those that are the peer's by its certificate */
        BACK_VETO_PORT,       /* outside the port plan */
        _BACK_VETO_MAX,
        _BACK_VETO_INVALID = -EINVAL,
} BackVeto;

/* "is this machine's own address" */
DECLARE_STRTAB(back_veto, BackVeto);

/* peer: where the connection comes from; own: whether addr is one of this machine's. */
BackVeto back_veto_addr(const BackPolicy *p, const Addr *peer, const Addr *addr, bool own);
BackVeto back_veto_port(const BackPolicy *p, uint16_t port);

typedef int (*back_is_own_func)(const Addr *addr); /* netlink_is_own */

/* The addresses that a request may be connected back to, in its order, each once: the peer, then
 * what it claims. Of those that may not be, *ret_veto has the reason of the first one (BACK_MAY =
 * none was refused). Returns how many. */
#define BACK_ADDRS_MAX (1 + CLAIMED_MAX)
size_t back_addrs(const BackPolicy *p, const ReflectRequest *q, const Addr *peer,
                  back_is_own_func is_own, Addr ret[static BACK_ADDRS_MAX], BackVeto *ret_veto);
