/* The head's authority: makes itself at the first start, and issues to members. Its key is in one
 * file of the state directory, and nowhere else in the program: what signs may once move into a
 * process of its own without anybody here noticing.
 *
 * Files, 0600 each, written whole or not at all: authority.pem (key and certificate of the CA),
 * identity.pem (key, certificate and CA of the head's own node). */
#pragma once

#include "member/identity.h"
#include "sys/pki-ca.h"
#include "sys/tls-link.h"

/* In the state directory. */
#define AUTHORITY_FILE "authority.pem"

typedef struct Authority Authority;

/* Ten years, after which the cluster is a new one: tokens have room for a second pin, that of an
 * authority that follows, but nothing makes one. */
#define AUTHORITY_LIFE (3650 * 24 * 60 * USEC_PER_MIN)
/* Of a certificate; it is renewed when two thirds are over. */
#define CERT_LIFE (30 * 24 * 60 * USEC_PER_MIN)
/* Certificates begin so much before they are made, a quarter of their life at most: clocks of a
 * room differ. */
#define CERT_SLACK (10 * USEC_PER_MIN)

/* A new CA for a cluster called PREFIX and 32 hex digits, saved at `path` before anybody hears of
 * it; errors as of identity_save(). */
int authority_make(const char *prefix, const char *path, usec_t now, Identity *ret);

typedef struct AuthorityPolicy {
        const char *dir;  /* the state directory */
        const char *node; /* own node id */
        const char *name; /* own host name */
        const Addr *addrs;
        size_t n_addrs;
        size_t n_members; /* that know the key: with any, no other is made in its place */
        usec_t life;      /* of certificates; 0 = CERT_LIFE */
} AuthorityPolicy;

/* Opens what is there, or makes it; the head's own certificate is made anew when two thirds of its
 * life are over, or its name or addresses are others. now: Unix time. *reterr (caller frees) says
 * in one sentence what is wrong and what to do, for every error but -ENOMEM: a file that is
 * damaged, or lost, is never replaced, because all members know the old key. */
int authority_open(const AuthorityPolicy *p, usec_t now, Authority **ret, char **reterr);
Authority *authority_free(Authority *a);
DEFINE_CLEANUP(Authority *, authority_free);

/* The same while it runs, to be called once an hour and when own addresses are others: the head's
 * own certificate is made anew when it is time. 1: it was, and connections from now on show it; 0:
 * it is still good. An error leaves everything as it was; *reterr as above. */
int authority_renew(Authority *a, usec_t now, const Addr *addrs, size_t n_addrs, char **reterr);

/* It was made by authority_open(): a cluster begins. */
bool authority_is_new(const Authority *a);

/* The cluster, as it stands in its certificates: 32 random hex digits, made with the authority.
 * Its names for people may change. The authority's, as all that follows. */
const char *authority_cluster(const Authority *a);
const PkiCert *authority_cert(const Authority *a);
const PkiCert *authority_own(const Authority *a);
/* Who the head is in TLS; whoever keeps it takes a reference, as the next may be another. */
TlsParty *authority_party(const Authority *a);

/* To a member: names->cluster and role are set here. now: Unix time. As pki_issue(). */
int authority_issue(const Authority *a, const PkiRequest *request, const PkiNames *names,
                    usec_t now, PkiCert **ret);
