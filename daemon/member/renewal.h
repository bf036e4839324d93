/* The head's decision on a member that wants a later certificate for the same key: it is in the
 * roster, not revoked, and called what it was called before. Its certificate may have ended; TLS
 * says how long ago that may be. */
#pragma once

#include "member/certify.h"
#include "member/enrolment.h"

/* member: whose connection it is, as TLS and the roster know it. Done in one transaction or not at
 * all. 0, or -ENOMEM, and then nothing was changed. */
int renewal_decide(EnrolmentDesk *d, const MemberRow *member, const CertifyWish *w,
                   EnrolmentAnswer *ret);
