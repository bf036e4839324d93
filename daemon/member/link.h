/* A member's standing connection to its head: dials, says who it is, is heard every beat, and dials
 * again when the way breaks, at once the first time and then with back-off and jitter, so that a
 * room does not come back in step. */
#pragma once

#include "member/peer.h"

typedef struct MemberLink MemberLink;

typedef struct MemberLinkPolicy {
        Addr head;                /* with the control port */
        TlsParty *party;          /* referenced */
        const MemberFacts *facts; /* copied */
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
        /* The head does not want us. It is asked again with back-off: an admin may change that. */
        void (*on_refused)(MemberLink *l, const MemberRefused *r, void *userdata);
} MemberLinkOps;

/* Between two attempts, before jitter. */
#define MEMBER_LINK_PAUSE     (USEC_PER_SEC / 2)
#define MEMBER_LINK_PAUSE_MAX (15 * USEC_PER_SEC)

int member_link_new(sd_event *event, const MemberLinkPolicy *p, const MemberLinkOps *ops,
                    void *userdata, MemberLink **ret);
MemberLink *member_link_free(MemberLink *l);
DEFINE_CLEANUP(MemberLink *, member_link_free);

/* Where it is dialled from the next attempt on. */
void member_link_set_head(MemberLink *l, const Addr *head);
bool member_link_is_joined(const MemberLink *l);
/* The clock of the head minus ours, and how wrong that can be; false: not known yet. */
bool member_link_clock(const MemberLink *l, int64_t *ret_offset_usec, usec_t *ret_error);
