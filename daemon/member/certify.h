/* A member's certificate: for what the roster calls it and the addresses it may have. */
#pragma once

#include "member/answer.h"
#include "member/authority.h"

typedef struct CertifyWish {
        MemberBytes csr;
        const Addr *addrs; /* that it says it has */
        size_t n_addrs;
        Addr from; /* where it comes from */
        usec_t now;
} CertifyWish;

/* The request, when it is one; else refuses. 1; 0: refused; -ENOMEM. */
int certify_read(const CertifyWish *w, PkiRequest **ret, EnrolmentAnswer *a);
/* Of a->member, node and name are given; its pin and end are set, and a->cert. names: what was
 * certified, for certify_record(). As above. */
int certify(Db *db, const Authority *authority, const PkiRequest *q, const CertifyWish *w,
            PkiNames *names, EnrolmentAnswer *a);
/* Into the roster; in the caller's transaction. Errors of the roster. */
int certify_record(Db *db, const MemberRow *m, const PkiNames *names);
