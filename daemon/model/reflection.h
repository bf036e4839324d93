/* What the other side of the way said of us: the answer of a reflector, as values (probe.md 3.2).
 * No fd, no clock. What was not said is not known, never false. */
#pragma once

#include "base/addr.h"
#include "base/strtab.h"
#include "base/time.h"
#include "model/icmp.h"
#include "model/identity.h"

/* Connect-backs of one test, each to one address and port: all fixed ports of a plan, sixteen of
 * the worker range, over two addresses (probe.md 3.4). */
#define BACK_TRIES_MAX 64
/* Own addresses that an asker may claim; more would be a scan of somebody else's network. */
#define CLAIMED_MAX 8

typedef enum BackResult {
        BACK_NOT_TRIED,   /* not allowed, or the test ended first */
        BACK_NONCE_OK,    /* our listener answered with the nonce */
        BACK_WRONG_NONCE, /* somebody else answered */
        BACK_OPEN,        /* connected; no nonce was to be expected, or nobody said a word */
        BACK_REFUSED,     /* a reset: the way is open, nobody listens */
        BACK_REJECTED,    /* ICMP; `icmp` has it */
        BACK_SILENT,      /* nothing came back */
        BACK_NO_WAY,      /* the head itself could not send: `error` */
        _BACK_RESULT_MAX,
        _BACK_RESULT_INVALID = -EINVAL,
} BackResult;

DECLARE_STRTAB(back_result, BackResult);

typedef struct BackTry {
        Addr addr; /* with port */
        BackResult result;
        int error; /* positive errno of BACK_NO_WAY */
        IcmpNote icmp;
        usec_t took;
        bool ours;          /* a listener of this test was there: only the nonce is right */
        uint16_t last_port; /* of a range with one result: addr.port to here; 0 = one port */
} BackTry;

typedef enum FirewallManager {
        FIREWALL_UNKNOWN, /* not told, or not to be seen without privilege */
        FIREWALL_NONE,    /* looked for; none is active */
        FIREWALL_FIREWALLD,
        FIREWALL_UFW,
        FIREWALL_NFTABLES, /* rules by hand, nftables.service */
        FIREWALL_IPTABLES, /* rules by hand, or netfilter-persistent */
        _FIREWALL_MANAGER_MAX,
        _FIREWALL_MANAGER_INVALID = -EINVAL,
} FirewallManager;

DECLARE_STRTAB(firewall_manager, FirewallManager);

typedef enum ClockSync {
        CLOCK_SYNC_UNKNOWN, /* not told, or not to be seen (a sandbox without adjtimex) */
        CLOCK_SYNC_YES,     /* the kernel's clock is held by NTP, PTP or the like */
        CLOCK_SYNC_NO,
        _CLOCK_SYNC_MAX,
        _CLOCK_SYNC_INVALID = -EINVAL,
} ClockSync;

DECLARE_STRTAB(clock_sync, ClockSync);

/* Of the head's port that we knock at, as its own kernel sees it. */
typedef struct PortView {
        bool known;
        bool listening;       /* somewhere */
        bool loopback_only;   /* and nowhere else */
        Addr bound;           /* where, when that does not take in where we arrived; else unset */
        unsigned queue, room; /* connections waiting to be accepted, and how many may */
        unsigned syn_recv;    /* half-open connections from our addresses */
} PortView;

/* Kernel counters of the head: their rise between two looks. Per network namespace, so of
 * everybody. */
typedef struct CounterRise {
        bool known;
        uint64_t listen_overflows; /* TcpExt.ListenOverflows */
        uint64_t listen_drops;     /* TcpExt.ListenDrops */
        uint64_t rp_filter;        /* TcpExt.IPReversePathFilter */
        uint64_t no_routes;        /* Ip.OutNoRoutes */
        uint64_t resets;           /* Tcp.OutRsts */
        /* Packets of the asker's IP version that came and went no further: InReceives less
         * InDelivers, less what was forwarded or has a counter of its own for why not (header and
         * address errors, no route, rp_filter). What is left was thrown away by netfilter, or is
         * multicast of groups that nobody joined, which is not in the first and in the second. */
        bool undelivered_known;
        uint64_t undelivered, undelivered_most;
} CounterRise;

typedef struct Reflection {
        bool asked;     /* there was a reflector to ask */
        bool answered;  /* and it did */
        char text[160]; /* why not, or "" */

        Addr here;      /* our end of the connection to the reflector, as we see it; with port */
        Addr observed;  /* where our connection comes from, as the head sees it; with port */
        Addr local;     /* where it arrived there; with port */
        Addr dialled;   /* where we dialled; with port */
        Addr head_node; /* the address that the head's Ray announces; unset = not known */
        char hostname[64];
        Versions head;
        FirewallManager firewall;

        PortView before;    /* the first look, before any connect of ours */
        PortView port;      /* the latest look */
        CounterRise rise;   /* between the first look and the latest */
        bool route_known;   /* the head's route back to `observed`: */
        int route_error;    /* positive errno; 0 = there is one */
        char route_dev[16]; /* and leads through this interface */
        Addr route_source;
        unsigned route_mtu;

        BackTry back[BACK_TRIES_MAX];
        size_t n_back;
        bool back_waits; /* some of what was asked for has no answer yet */

        bool clock_known;
        int64_t clock_offset_usec; /* head minus here */
        usec_t clock_error;        /* at most half a round trip */
        ClockSync clock_sync;      /* of the head */

        bool bulk_asked;           /* large transfers were begun */
        bool bulk_known;           /* and tried to the end, in one direction at least: */
        bool down_known, up_known; /* in which */
        bool down_stalled;         /* twice 64 KiB from the head did not arrive whole */
        bool down_small;           /* and with segments of 536 bytes they did */
        bool up_stalled, up_small; /* the same towards the head */
        bool bulk_waits;           /* one of them is under way */
} Reflection;
