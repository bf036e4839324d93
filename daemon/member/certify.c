#include "member/certify.h"

#include "base/str.h"
#include "member/address-book.h"

int certify_read(const CertifyWish *w, PkiRequest **ret, EnrolmentAnswer *a)
{
        int r = pki_request_read(w->csr.data, w->csr.size, ret);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                answer_refuse(a, MEMBER_REFUSAL_BAD,
                              "the certificate request makes no sense here: is "
                              "raycluster of one version on both machines?");
        return r >= 0;
}

int certify(Db *db, const Authority *authority, const PkiRequest *q, const CertifyWish *w,
            PkiNames *names, EnrolmentAnswer *a)
{
        MemberRow *m = &a->member;
        PkiNames head;
        usec_t from;

        *names = (PkiNames){0};
        str_copy(names->node, sizeof(names->node), m->node);
        str_copy(names->name, sizeof(names->name), m->name);
        int r = pki_cert_names(authority_own(authority), &head);
        if (r >= 0)
                r = address_book_choose(db, &head, &w->from, w->addrs, w->n_addrs, names);
        if (r >= 0)
                r = authority_issue(authority, q, names, w->now, &a->cert);
        if (r == -ENOMEM)
                return r;
        if (answer_store_failed(a, r))
                return 0;
        pki_cert_dates(a->cert, &from, &m->not_after);
        pki_cert_pin(a->cert, m->pin);
        return 1;
}

int certify_record(Db *db, const MemberRow *m, const PkiNames *names)
{
        int r = roster_put(db, m);
        return r < 0 ? r : address_book_put(db, names);
}
