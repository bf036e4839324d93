/* The head's decision on a machine that wants to be a member: the token's proof, its terms, who has
 * the name and the key already; then a certificate, a use off the token and a line in the roster,
 * all of it or nothing.
 *
 * Without a token, or with one and a name that is another key's, an admin decides
 * (member/admission.h).
 *
 * Looked at in this order: is the source locked, is the proof right, is the token still good, is
 * the request one, may it have this name. A wrong proof and a token that does not exist look the
 * same from outside. */
#pragma once

#include "member/answer.h"
#include "member/approvals.h"
#include "member/authority.h"
#include "member/proof.h"
#include "member/tokens.h"
#include "model/guard.h"

/* In place of a token's id in the roster: an admin approved it. */
#define ENROLMENT_APPROVED "approved"

typedef struct EnrolmentDesk {
        Db *db;                     /* weak */
        const Authority *authority; /* weak */
        Guard guard;
        WaitingList waiting;
} EnrolmentDesk;

typedef struct EnrolmentClaim {
        const MemberEnrol *enrol;
        Addr from; /* of the connection */
        uint8_t binding[PROOF_BINDING_SIZE];
        usec_t now;    /* Unix time */
        usec_t mono;   /* monotonic */
        bool can_wait; /* it knows what Pending is */
} EnrolmentClaim;

/* 0, or -ENOMEM, and then nothing was changed. */
int enrolment_decide(EnrolmentDesk *d, const EnrolmentClaim *c, EnrolmentAnswer *ret);
