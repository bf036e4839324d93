/* What an admin says to machines without a token: yes or no to a key, which holds for a day; and
 * subnets whose machines are approved by themselves for a while. On disk, so that it outlives a
 * restart of the head. Times are Unix time. Errors: member/store.h. */
#pragma once

#include <errno.h>

#include "base/subnet.h"
#include "member/store.h"

#define APPROVAL_LIFE (24 * 60 * USEC_PER_MIN)

typedef enum Verdict {
        VERDICT_NONE, /* nobody has said anything */
        VERDICT_APPROVED,
        VERDICT_DENIED,
} Verdict;

/* What an admin has seen when he said it: it holds for nothing else. */
typedef struct VerdictRow {
        Verdict verdict;
        char node[STORE_ID_MAX];
        char name[STORE_NAME_MAX];
        char takes[STORE_ID_MAX]; /* node id of the member whose place it takes; "" = nobody's */
} VerdictRow;

/* In place of what was said before. -EXFULL: STORE_VERDICTS_MAX hold. */
int approvals_put(Db *db, const uint8_t pin[static STORE_PIN_SIZE], const VerdictRow *v,
                  usec_t now);
int approvals_find(Db *db, const uint8_t pin[static STORE_PIN_SIZE], usec_t now, VerdictRow *ret);

typedef struct AutoApproval {
        Subnet subnet;
        usec_t until;
} AutoApproval;

/* Again: until another time; one that has passed ends it. -EINVAL: no subnet; -EXFULL:
 * STORE_AUTO_MAX hold. */
int auto_approvals_put(Db *db, const Subnet *subnet, usec_t until, usec_t now);
/* Those that hold; at most `max`. Returns how many. */
int auto_approvals_list(Db *db, usec_t now, AutoApproval *ret, size_t max);
/* 1: machines from there are approved; 0. */
int auto_approvals_match(Db *db, const Addr *from, usec_t now);
