/* A member's standing connection to its head: dials, says who it is, is heard every beat, and dials
 * again when the way breaks, with back-off and jitter, so that a room does not come back in step.
 */
#pragma once

#include "member/peer.h"

typedef struct MemberLink MemberLink;

typedef struct MemberLinkPolicy {
        Addr head;                /* with the control port */
        TlsParty *party;          /* referenced; not needed with `identity` */
        const MemberFacts *facts; /* copied */
        /* The file that says who we are, which is renewed over the connection
         * (member/identity-keeper.h); NULL: `party` does, and is not. */
        const char *identity;
} MemberLinkPolicy;

/* One sentence each, for people. From the loop; the link may be freed inside. */
typedef struct MemberLinkOps {
        /* w is the callee's until it returns: it may hold Ray's token. Comes again when something
         * of it changes. */
        void (*on_welcome)(MemberLink *l, const MemberWelcome *w, void *userdata);
        /* It goes on by itself. Also for each attempt that fails. */
        void (*on_lost)(MemberLink *l, const char *why, void *userdata);
        /* What the head says that holds for all machines, before the first Welcome and when it
         * changes; text is the callee's until it returns. May be NULL. */
        void (*on_settings)(MemberLink *l, const char *text, void *userdata);
        /* What the head's admin wants; to be answered by member_link_done(), also later. May be
         * NULL: then the head is told that nothing is done here. */
        void (*on_command)(MemberLink *l, const MemberCommand *c, void *userdata);
        /* What the head's reflector answers to member_link_reflect(); the callee's until it
         * returns. May be NULL. */
        void (*on_reflect)(MemberLink *l, MemberBytes reply, void *userdata);
        /* After member_link_leave(): the head knows, or cannot be told. May be NULL. */
        void (*on_left)(MemberLink *l, void *userdata);
        /* The certificate is a later one, which has worked, until then (Unix time); or it is not:
         * asked again by itself. May be NULL; the link must not be freed inside. */
        void (*on_renewed)(MemberLink *l, usec_t until, void *userdata);
        void (*on_renewal_failed)(MemberLink *l, const char *why, void *userdata);
        /* What became of member_link_ask_ray(): the certificate, the callee's until it returns; or
         * why there is none. May be NULL; the link must not be freed inside. */
        void (*on_ray_issued)(MemberLink *l, const MemberIssued *m, void *userdata);
        void (*on_ray_refused)(MemberLink *l, const char *why, void *userdata);
        /* The head does not want us. It is asked again with back-off: an admin may change that. */
        void (*on_refused)(MemberLink *l, const MemberRefused *r, void *userdata);
} MemberLinkOps;

/* Between two attempts, before jitter. */
#define MEMBER_LINK_PAUSE     (USEC_PER_SEC / 2)
#define MEMBER_LINK_PAUSE_MAX (15 * USEC_PER_SEC)

/* Errors are those of identity_keeper_new(), too. */
int member_link_new(sd_event *event, const MemberLinkPolicy *p, const MemberLinkOps *ops,
                    void *userdata, MemberLink **ret);
MemberLink *member_link_free(MemberLink *l);
DEFINE_CLEANUP(MemberLink *, member_link_free);

/* Where it is dialled from the next attempt on. */
void member_link_set_head(MemberLink *l, const Addr *head);
/* While it waits for its next attempt: dials now, as if the last one had not been. For the next of
 * several addresses; who has tried them all lets it wait. */
void member_link_hurry(MemberLink *l);
bool member_link_is_joined(const MemberLink *l);
/* The head's certificate, verified, and for whoever wants to see whether it names the address that
 * was dialled: someone in between may pass on what both say. NULL: not connected. The link's. */
const PkiCert *member_link_head_cert(const MemberLink *l);
/* The last attempt met somebody else than a head of our authority. */
bool member_link_met_stranger(const MemberLink *l);
/* Other addresses, another Ray: the head hears it now or when it is there. For an address that the
 * certificate does not name, it is renewed. */
int member_link_set_facts(MemberLink *l, const MemberFacts *facts);
/* Asks for a certificate of Ray's TLS by a request (DER) of a key of its own. -ENOTCONN;
 * -EOPNOTSUPP: the head does not know of it; -EBUSY: one certificate at a time; as peer_send(). */
int member_link_ask_ray(MemberLink *l, MemberBytes csr);
/* The answer to a command. text: for people, cut to MEMBER_ANSWER_MAX. These three: -ENOTCONN: not
 * joined now; -EOPNOTSUPP: the head's raycluster does not know of it; as peer_send(). */
int member_link_done(MemberLink *l, uint64_t number, bool ok, const char *text);
/* For the journal of the head. message_id: 32 hex digits; text: one line, cut to MEMBER_EVENT_MAX.
 * The head takes GATE_EVENTS a minute. at: when it was, Unix time. */
int member_link_event(MemberLink *l, const char *message_id, const char *text, usec_t at);
/* This machine is to be a member no more: the head hears it, then the link is over for good and
 * on_left() comes. */
int member_link_leave(MemberLink *l);
/* In on_left(): it does, else it has not answered in time. */
bool member_link_was_heard(const MemberLink *l);
/* Asks the head's reflector (wire/reflect-codec.h): one answer to each, in order, unless the
 * connection ends before. As member_link_done(). */
int member_link_reflect(MemberLink *l, const void *request, size_t size);
/* Where the head is, as this connection and its certificate have it. */
typedef struct MemberLinkHead {
        Addr here, there;          /* both ends, with ports */
        Addr addrs[PKI_ADDRS_MAX]; /* that the head has by its certificate, without port */
        size_t n_addrs;
        bool reflects; /* it has a reflector */
} MemberLinkHead;
/* false: not joined now. */
bool member_link_head(const MemberLink *l, MemberLinkHead *ret);
/* The clock of the head minus ours, and how wrong that can be; false: not known yet. */
bool member_link_clock(const MemberLink *l, int64_t *ret_offset_usec, usec_t *ret_error);
