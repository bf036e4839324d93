/* What the head's journal says of its members, a line and a MESSAGE_ID each. */
#pragma once

#include "base/ratelimit.h"
#include "head/line-limits.h"
#include "member/gate.h"

/* Strangers can make these: so many lines an interval, and then how many were held back. Members
 * can make the others, each so many of its own. Zero: nothing is written yet. */
typedef struct MemberLog {
        RateLimit refusals, pending, abuses;
        LineLimits visits, copies;
} MemberLog;

void member_log_done(MemberLog *l);

/* It asked the reflector to connect to what is not its own: `text` says what; n: such requests of
 * all members. */
void member_log_forbidden(const char *name, const Addr *from, const char *text, uint64_t n);
void member_log_enrolled(const MemberRow *m, const Addr *from);
/* As GateOps. */
void member_log_refused(MemberLog *l, const MemberRefused *r, const char *name, const Addr *from,
                        int error, usec_t locked);
/* name: of a member, or "". */
void member_log_abused(MemberLog *l, GateAbuse what, const Addr *from, const char *name);
void member_log_here(MemberLog *l, const GateMember *m);
void member_log_lost(MemberLog *l, const GateMember *m, GateLoss why);
/* words: of the head's key. */
void member_log_pending(MemberLog *l, const GatePending *p, const char *words);
void member_log_left(const GateMember *m);
/* Its fields (caller frees), among them when it was by the member's clock: it may have waited for
 * the head. */
char **member_log_event_fields(const GateMember *m, const MemberEvent *e);
void member_log_event(const GateMember *m, const MemberEvent *e, unsigned dropped);
void member_log_copied(MemberLog *l, const GateMember *here, const GateMember *there);
void member_log_revoked(const MemberRow *m);
