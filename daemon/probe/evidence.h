/* Everything one examination saw, as values: what the decision (verdict.h) and the sentences
 * (text.h) are made from. No fd, no clock: a unit test fills it by hand. */
#pragma once

#include "base/addr.h"
#include "base/time.h"
#include "model/identity.h"
#include "model/node.h"
#include "model/port-plan.h"
#include "model/port-ranges.h"
#include "model/reflection.h"
#include "model/verdict.h"
#include "probe/hear.h"
#include "probe/host.h"
#include "probe/ladder.h"
#include "probe/large.h"
#include "probe/notes.h"
#include "probe/probe.h"
#include "probe/samples.h"
#include "probe/service.h"
#include "sys/clock-keeper.h"
#include "sys/netlink.h"
#include "sys/probe-sock.h"
#include "sys/tls-client.h"

typedef enum NameOutcome {
        NAME_LITERAL,   /* an address was given; nothing was asked */
        NAME_RESOLVED,  /* addr holds the first answer */
        NAME_NOT_THERE, /* NXDOMAIN, NODATA, or no host name at all */
        NAME_NO_ANSWER, /* the name server failed, refused or was silent */
        NAME_UNKNOWN,   /* not asked to the end */
        _NAME_OUTCOME_MAX,
        _NAME_OUTCOME_INVALID = -EINVAL,
} NameOutcome;

typedef enum SourceOutcome {
        SOURCE_FREE,         /* the kernel chooses, or the wish can be met */
        SOURCE_NO_INTERFACE, /* no such interface here */
        SOURCE_NOT_OWN,      /* no interface of this machine has the address */
        SOURCE_NO_ADDRESS,   /* the interface has no address of this family */
        _SOURCE_OUTCOME_MAX,
        _SOURCE_OUTCOME_INVALID = -EINVAL,
} SourceOutcome;

/* What this machine's kernel knows about the way. */
typedef struct LocalFacts {
        SourceOutcome source;
        int route_error; /* positive errno of the route look-up; 0 = there is a route */
        NetRoute route;
        bool link_known;
        NetLink link;     /* of the route, or of --from */
        bool down_known;  /* without a route: a link that is down and would explain it */
        NetLink down;     /* the link */
        bool down_covers; /* its addresses cover the destination, or no other link is there */
        bool has_neigh;   /* the way has a neighbour that must answer ARP or ND */
        Addr nexthop;
        NeighState neigh;        /* the worst that was seen while waiting */
        bool own;                /* the destination is an address of this machine */
        uint64_t retrans_fail;   /* TcpExt.TCPRetransFail: rise since the first SYN */
        bool retrans_fail_known; /* /proc/net/netstat could be read */
        bool undelivered_known;  /* packets that came in and were thrown away by netfilter: */
        uint64_t undelivered;    /* rise since the first SYN */
        bool udp_forbidden;      /* EPERM on a datagram to the same address and port */
        uint64_t rp_filter;      /* TcpExt.IPReversePathFilter: rise since the first SYN */
        bool rp_filter_known;
        char scopes[64];     /* of a link-local address without one: links that it may be on */
        bool scope_known;    /* it is a neighbour there */
        bool source_strange; /* the source address is none of the interface's own: */
        Addr source_usual;   /* and this is one that is, */
        bool usual_answered; /* from which the head answers */
        bool tx_known;       /* the link's send counter could be compared: */
        bool tx_silent;      /* refused again and again while the link sent nothing */
        bool tx_quiet;       /* two SYNs were due, and the link sent nothing at all */
} LocalFacts;

/* This machine's clock. */
typedef struct ClockFacts {
        bool known;
        bool synced; /* kept by NTP or the like */
} ClockFacts;

/* What else the head answered, when the port itself was silent. */
typedef struct LifeFacts {
        bool asked;
        bool alive;
        char how[64]; /* "port 22 refused" */
} LifeFacts;

/* What the first bytes on the connection brought. */
typedef struct HelloFacts {
        bool asked;
        ServiceKind kind;
        bool began;         /* some bytes came, not enough to tell */
        char text[80];      /* foreign words, escaped, or "" */
        int closed;         /* positive errno when the other side reset; 0 = EOF or open */
        usec_t took;        /* to the answer, or until given up */
        StreamFacts stream; /* at that time */
        bool stream_known;  /* stream was read */
        bool second_silent; /* a second connection with small segments was silent too */
        bool second_spoke;  /* a second connection with small segments was answered */
        bool second_lost;   /* what was sent on that one was never acknowledged either */
        bool again;         /* closed at once: the TLS and the HTTP/1 greeting had an end, too, and
                             * no answer can have been lost before it */
        bool tls;           /* a TLS ClientHello was answered with TLS */
        ServiceKind
                by_http; /* what an HTTP/1 request brought, when the first greeting was closed */
} HelloFacts;

/* What the GCS answered to CheckAlive; the statuses of gRPC, folded. */
typedef enum AliveOutcome {
        ALIVE_NOT_ASKED,
        ALIVE_OK,
        ALIVE_NO_METHOD,     /* status 12: gRPC, but no GCS */
        ALIVE_TOKEN,         /* status 16 InvalidAuthToken */
        ALIVE_WRONG_CLUSTER, /* status 16 WrongClusterID */
        ALIVE_SILENT,        /* no answer in time */
        ALIVE_CLOSED,        /* the connection ended first */
        ALIVE_GARBAGE,       /* not to be understood */
        ALIVE_OTHER,         /* another status; text has it */
        _ALIVE_OUTCOME_MAX,
        _ALIVE_OUTCOME_INVALID = -EINVAL,
} AliveOutcome;

typedef struct AliveFacts {
        AliveOutcome outcome;
        char text[160]; /* the server's words, escaped, or "" */
        usec_t took;
        char cluster[RAY_ID_STR_MAX]; /* the head's own, or "": not known */
} AliveFacts;

/* What the head was to reach on this machine, and what this machine saw of it. */
typedef struct BackPlan {
        Addr node;        /* the address that Ray is told to announce; unset = the one that the
                             route to the head has */
        PortSpan sampled; /* a range of which only some ports are tried */
        bool undelivered_known;
        uint64_t undelivered; /* packets that this machine's netfilter threw away meanwhile */
} BackPlan;

/* The ports that Ray uses on the head, tried one and all. */
typedef struct PortsFacts {
        PortPlan plan;        /* the head's, as far as its node table told */
        bool table;           /* it did */
        bool table_silent;    /* it was asked for, and nothing came */
        PortPlan own_plan;    /* of this machine, the same */
        bool own_table;       /* it did */
        bool dashboard_local; /* the dashboard is nobody's business but the head's */
        PortRange *ranges;    /* ascending */
        size_t n;
        bool complete;   /* every port has a result that is known */
        int trouble;     /* positive errno: sockets or own ports ran out; 0 */
        bool narrow;     /* fewer sockets than ports: */
        unsigned window; /* so many at once */
        /* Of silent ports: SYNs that this machine's kernel repeated, and how many of them did not
         * leave it; and whether a datagram to such a port is forbidden here. */
        bool retrans_known;
        unsigned retrans;
        uint64_t retrans_fail;
        bool udp_forbidden;
} PortsFacts;

/* What remedies for this machine are said in the words of; looked for when something is wrong. */
typedef struct OwnKeepers {
        FirewallManager firewall;
        ClockKeeper clock;
} OwnKeepers;

typedef struct Evidence {
        char host[256]; /* as asked for */
        char from[64];  /* interface or address asked for, or "" */
        NameOutcome name;
        char name_text[512]; /* what the resolver said */
        unsigned n_addrs;    /* addresses the name has */
        Addr addr;           /* with port; family AF_UNSPEC while no name resolved */
        LocalFacts local;
        bool connected; /* a connect was tried */
        ConnectFacts tcp;
        bool icmp_own; /* tcp.icmp.from is one of our addresses */
        /* A router's "unreachable" is followed by an attempt at another port: a route is missing
         * for all of them, a filter knows ports. */
        bool repeated;        /* it was made */
        bool repeat_answered; /* something came back */
        bool repeat_same;     /* the same refusal by the same router */
        usec_t repeat_took;   /* until then */
        LifeFacts life;
        LadderFacts ladder;
        HostFacts host_facts;
        ClockFacts clock;
        HelloFacts hello;
        bool tls_wanted;                           /* we are to speak TLS */
        char tls_ca_file[128], tls_cert_file[128]; /* of ours, cut; "" = none */
        TlsFacts tls; /* of the handshake, also of one that only looked whether TLS is spoken */
        char cluster[RAY_ID_STR_MAX]; /* that the head must belong to, or "" */
        AliveFacts alive;
        LargeFacts large;
        SampleFacts samples;
        HearFacts hear;
        Reflection other;        /* what the other side saw */
        unsigned syns_before;    /* of ours, sent before it began to look */
        BackPlan back;           /* what the head was to reach here */
        bool other_optional;     /* what a reflector does not tell is not missed */
        bool all;                /* every port of the head is asked for: */
        const PortsFacts *ports; /* weak; NULL = not asked for, or not come to */
        OwnKeepers keepers;
        bool has_token;
        char token_from[128]; /* where it comes from, in words, cut; or "" */
        Versions head;
        Versions here;
        bool cut;        /* the deadline ended it */
        bool unmeasured; /* while it measured how well the way works */
        Notes notes;
} Evidence;
