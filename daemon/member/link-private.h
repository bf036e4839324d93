/* What the rooms of the link share. */
#pragma once

#include "base/backoff.h"
#include "member/identity-keeper.h"
#include "member/link.h"
#include "sys/deadline.h"

/* Hello to Welcome; and an answer to a beat. */
#define LINK_ANSWER_MAX (5 * USEC_PER_SEC)

typedef enum LinkState {
        LINK_WAITING,
        LINK_DIALLING,    /* connect, TLS, Hello */
        LINK_INTRODUCING, /* our Facts are out */
        LINK_RENEWING,    /* our certificate is over, our Renew is out */
        LINK_JOINED,
        LINK_CHANGING, /* the same, and the connection with the next certificate comes up */
        LINK_LEAVING,  /* the head was told; it hangs up */
        LINK_LEFT,
        _LINK_STATE_MAX,
        _LINK_STATE_INVALID = -EINVAL,
} LinkState;

struct MemberLink {
        sd_event *event; /* weak */
        Addr head;
        TlsParty *party;        /* of an identity that is not renewed here, or */
        IdentityKeeper *keeper; /* of one that is; NULL = not */
        MemberFacts facts;
        MemberLinkOps ops;
        void *userdata;

        LinkState state;
        Peer *peer;
        Peer *next; /* of CHANGING */
        bool next_up;
        usec_t next_since;  /* monotonic */
        Peer *before;       /* the one that next has replaced, until the next beat */
        Deadline *deadline; /* of the state: the next attempt, an answer, the next beat */
        Backoff backoff;
        uint64_t can; /* the head: MEMBER_CAN_* */
        usec_t beat;
        uint64_t number; /* of the last beat: */
        int64_t t1;
        bool awaits;   /* its answer */
        bool renews;   /* a Renew is out, */
        bool asks_ray; /* or a RayIssue: Refused does not say which it is about */
        usec_t asked;  /* when; monotonic */
        Addr asked_for[MEMBER_ADDRS_MAX + 1]; /* our addresses at the last Renew */
        size_t n_asked_for;
        usec_t renewed; /* when that was; 0 = not yet */
        bool moved;     /* we have one that is none of them, nor in our certificate */
        bool stranger;  /* met by the last attempt */
        bool heard;     /* of who leaves: the head hung up on it */
        bool clock_known;
        int64_t offset;
        usec_t offset_error;
};

/* --- link.c */

int link_set_state(MemberLink *l, LinkState state, usec_t deadline);
/* A connection by the identity of now. */
int link_connect(MemberLink *l, Peer **ret);
int link_say_facts(MemberLink *l, Peer *p);
/* Tried again after a pause. */
void link_fall_back(MemberLink *l);
void link_lose(MemberLink *l, const char *why);
void link_welcome(MemberLink *l, const MemberWelcome *w);
/* In words of at least 200 characters. */
void link_down_words(const PeerDown *down, char *buf, size_t size);

/* --- link-renewal.c: the change of a certificate, without a gap */

/* At each beat: asks when it is time, and gives up what takes too long. */
void link_renewal_tick(MemberLink *l);
int link_renewal_ask(MemberLink *l, Peer *p);
/* The certificate with which this connection came up has worked. */
void link_renewal_worked(MemberLink *l);
/* The connection is new, or our Facts are: so may our addresses be. */
void link_renewal_look(MemberLink *l);
/* What the head says to a Renew. */
void link_renewal_issued(MemberLink *l, const MemberIssued *m);
void link_renewal_refused(MemberLink *l, const MemberRefused *f);
/* Of `next`: it came up, was told something, went down. */
void link_next_up(MemberLink *l, const MemberHello *hello);
void link_next_message(MemberLink *l, const MemberMessage *m);
void link_next_down(MemberLink *l, const PeerDown *down);
/* The old connection ends before the new one is welcome: that is the connection now. */
void link_next_promote(MemberLink *l);

/* --- link-ray.c: the certificate of Ray's TLS */

/* At each beat: gives up what the head does not answer. */
void link_ray_tick(MemberLink *l);
void link_ray_issued(MemberLink *l, const MemberIssued *m);
void link_ray_refused(MemberLink *l, const char *why);
