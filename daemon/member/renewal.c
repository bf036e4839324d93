#include "member/renewal.h"

#include <string.h>

#include "base/str.h"

/* It may have been revoked since it came. */
static bool check_roster(EnrolmentDesk *d, const MemberRow *member, EnrolmentAnswer *a)
{
        int r = roster_find_pin(d->db, member->pin, &a->member);
        if (answer_store_failed(a, r))
                return false;
        if (r == 0 || !streq(a->member.node, member->node)) {
                answer_refuse(a, MEMBER_REFUSAL_IDENTITY,
                              "the head has forgotten this machine: raycluster leave, then join it "
                              "with a token");
                return false;
        }
        if (a->member.revoked)
                answer_refuse(a, MEMBER_REFUSAL_REVOKED,
                              "this machine was revoked by an admin of the head");
        return !a->member.revoked;
}

static void write_down(EnrolmentDesk *d, const PkiNames *names, EnrolmentAnswer *a)
{
        int r = db_begin(d->db);
        if (answer_store_failed(a, r))
                return;
        r = certify_record(d->db, &a->member, names);
        if (r >= 0)
                r = db_commit(d->db);
        if (r < 0)
                db_rollback(d->db);
        a->accepted = !answer_store_failed(a, r);
}

static int decide(EnrolmentDesk *d, const MemberRow *member, const CertifyWish *w,
                  EnrolmentAnswer *a)
{
        _cleanup_(pki_request_freep) PkiRequest *q = NULL;
        uint8_t pin[PKI_PIN_SIZE];
        PkiNames names;

        int r = certify_read(w, &q, a);
        if (r <= 0)
                return r;
        pki_request_pin(q, pin);
        if (memcmp(pin, member->pin, sizeof(pin)) != 0) {
                answer_refuse(a, MEMBER_REFUSAL_BAD,
                              "a certificate is renewed for the same key only; raycluster leave, "
                              "then join with a token, makes another");
                return 0;
        }
        if (!check_roster(d, member, a))
                return 0;
        r = certify(d->db, d->authority, q, w, &names, a);
        if (r > 0)
                write_down(d, &names, a);
        return MIN(r, 0);
}

int renewal_decide(EnrolmentDesk *d, const MemberRow *member, const CertifyWish *w,
                   EnrolmentAnswer *ret)
{
        EnrolmentAnswer a = {0};

        int r = decide(d, member, w, &a);
        if (r < 0 || !a.accepted)
                enrolment_answer_done(&a);
        if (r >= 0)
                *ret = a;
        return r;
}
