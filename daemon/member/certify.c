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

static bool fill_names(const MemberRow *m, PkiNames *ret, EnrolmentAnswer *a)
{
        if (!pki_label_is_valid(m->node) || !pki_host_name_is_valid(m->name)) {
                answer_refuse(a, MEMBER_REFUSAL_BAD,
                              "a machine needs a host name of letters, digits, dots and hyphens");
                return false;
        }
        *ret = (PkiNames){0};
        str_copy(ret->node, sizeof(ret->node), m->node);
        str_copy(ret->name, sizeof(ret->name), m->name);
        return true;
}

int certify(Db *db, const Authority *authority, const PkiRequest *q, const CertifyWish *w,
            PkiNames *names, EnrolmentAnswer *a)
{
        MemberRow *m = &a->member;
        PkiNames head;
        usec_t from;

        if (!fill_names(m, names, a))
                return 0;
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
