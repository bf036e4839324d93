/* One side of a connection between a head and a member: TLS, then a Hello each way, then messages
 * (wire/member-codec.h). What comes is checked in this order: the length of a frame, the frame, the
 * version; who is there was settled by TLS before the first byte.
 *
 * A side without a certificate gets small frames only, until its owner trusts it. Deadlines of the
 * beginning are the peer's own; how long a silence may last afterwards is the owner's. */
#pragma once

#include "sys/tls-link.h"
#include "wire/member-codec.h"

typedef struct Peer Peer;

typedef enum PeerEnd {
        PEER_NO_WAY,  /* the connect failed: `error` */
        PEER_TLS,     /* the handshake did: `tls` */
        PEER_SLOW,    /* it was not through in PEER_GREETING_MAX */
        PEER_VERSION, /* no version in common */
        PEER_BAD,     /* what was said is not to be understood, or out of turn */
        PEER_CLOSED,  /* the other side hung up, or the way broke: `error`, 0 = EOF */
        _PEER_END_MAX,
        _PEER_END_INVALID = -EINVAL,
} PeerEnd;

DECLARE_STRTAB(peer_end, PeerEnd);

typedef struct PeerDown {
        PeerEnd end;
        int error; /* positive errno */
        TlsLinkFacts tls;
} PeerDown;

/* From the loop; the last thing the peer does in an event, so that it may be freed inside. */
typedef struct PeerOps {
        void (*on_up)(Peer *p, const MemberHello *hello, void *userdata); /* once */
        /* m is the callee's until it returns; not a Hello. */
        void (*on_message)(Peer *p, const MemberMessage *m, void *userdata);
        void (*on_down)(Peer *p, const PeerDown *down, void *userdata); /* nothing comes after */
} PeerOps;

/* What both sides of this version understand, and say in their Hello. */
#define PEER_CAPABILITIES                                                                          \
        (MEMBER_CAN_SETTINGS | MEMBER_CAN_COMMANDS | MEMBER_CAN_EVENTS | MEMBER_CAN_RENEW |        \
         MEMBER_CAN_REFLECT | MEMBER_CAN_WAIT | MEMBER_CAN_RAY_TLS)

/* Connect, handshake and Hello: three round trips, and some seconds of a busy head's time. */
#define PEER_GREETING_MAX (10 * USEC_PER_SEC)

/* party is referenced. policy->server says which side this is. */
int peer_connect(sd_event *event, const Addr *to, TlsParty *party, const TlsLinkPolicy *policy,
                 const PeerOps *ops, void *userdata, Peer **ret);
/* Takes over fd on success. */
int peer_accept(sd_event *event, int fd, TlsParty *party, const PeerOps *ops, void *userdata,
                Peer **ret);
/* Also those whose certificate ended no longer ago than grace: tls_link_is_expired(). */
int peer_accept_late(sd_event *event, int fd, TlsParty *party, usec_t grace, const PeerOps *ops,
                     void *userdata, Peer **ret);
Peer *peer_free(Peer *p);
DEFINE_CLEANUP(Peer *, peer_free);

/* -ENOTCONN before on_up and after on_down; -EINVAL, -ENOMEM; -EMSGSIZE: the other side does not
 * read, and a STREAM_OUTPUT_MAX waits for it. */
int peer_send(Peer *p, const MemberMessage *m);
/* Large frames are taken from now on. */
void peer_trust(Peer *p);
/* What it says has its turn before what others say, and before their handshakes. */
int peer_prefer(Peer *p);
/* Both ends as they are here, with ports, and the round trip (0 = not measured). false: there is no
 * connection. */
bool peer_ends(const Peer *p, Addr *ret_here, Addr *ret_there, usec_t *ret_rtt);
/* Nothing came that is not read yet, and what was sent last, if anything, was sent so long ago: it
 * is the other side's turn. */
bool peer_keeps_waiting(const Peer *p, usec_t so_long);
/* For tls_link_peer(), tls_link_authority() and tls_link_export(). The peer's. */
const TlsLink *peer_tls(const Peer *p);
