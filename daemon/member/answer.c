#include "member/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void enrolment_answer_done(EnrolmentAnswer *a)
{
        a->cert = pki_cert_free(a->cert);
}

void answer_refuse(EnrolmentAnswer *a, MemberRefusal reason, const char *fmt, ...)
{
        va_list ap;

        a->refused.reason = reason;
        va_start(ap, fmt);
        (void)vsnprintf(a->refused.text, sizeof(a->refused.text), fmt, ap);
        va_end(ap);
}

bool answer_store_failed(EnrolmentAnswer *a, int r)
{
        if (r >= 0)
                return false;
        if (r == -EXFULL) { /* roster_put(): the sentence is all there is to say */
                answer_refuse(a, MEMBER_REFUSAL_STORE,
                              "the head has %d members, and room for no more: on the head, "
                              "raycluster node forget one that is gone",
                              STORE_MEMBERS_MAX);
                return true;
        }
        a->error = r;
        answer_refuse(a, MEMBER_REFUSAL_STORE,
                      "the head cannot write it down (%s): see its journal", strerror(-r));
        return true;
}
