/* The head's decision on a machine that has no token, or one whose name belongs to another key: an
 * admin's word (member/approvals.h), or it waits (member/waiting.h). Nothing is issued without an
 * admin's act, of which the approval of a whole subnet is one; such an approval takes nobody's
 * name away. */
#pragma once

#include "member/enrolment.h"

typedef enum Admission {
        ADMISSION_REFUSED, /* told in the answer, as when it waits */
        ADMISSION_GRANTED,
} Admission;

/* other: the member that has the name or node id by another key, or NULL. */
Admission admission_decide(EnrolmentDesk *d, const EnrolmentClaim *c,
                           const uint8_t pin[static STORE_PIN_SIZE], const MemberRow *other,
                           EnrolmentAnswer *a);
/* Makes the name and node id of other free: it is a member no more, and its key is denied. In the
 * caller's transaction. Errors of the store. */
int admission_clear_way(Db *db, const MemberRow *other, usec_t now);
