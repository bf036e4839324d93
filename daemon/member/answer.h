/* What comes of a request for a certificate: it, or a refusal with a sentence and a remedy. */
#pragma once

#include "member/roster.h"
#include "member/waiting.h"
#include "sys/pki-cert.h"
#include "wire/member-codec.h"

typedef struct EnrolmentAnswer {
        bool accepted;
        bool pending;          /* neither: an admin is asked */
        bool news;             /* the first time */
        WaitingMachine waits;  /* when it is pending */
        MemberRow member;      /* when it is */
        PkiCert *cert;         /* and its certificate */
        MemberRow replaced;    /* a member that is none any more, as it has its name; or node "" */
        MemberRefused refused; /* when it is not: the reason, with a sentence and a remedy */
        int error;             /* of MEMBER_REFUSAL_STORE: negative errno, for the log; or 0 */
        usec_t locked;         /* of a wrong proof: for so long now; 0 = not yet */
} EnrolmentAnswer;

void enrolment_answer_done(EnrolmentAnswer *a);
void answer_refuse(EnrolmentAnswer *a, MemberRefusal reason, const char *fmt, ...) _printf_(3, 4);
/* r < 0: refuses. What the head could not write down it has not done. */
bool answer_store_failed(EnrolmentAnswer *a, int r);
