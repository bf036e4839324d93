/* The cluster's CA at work: makes itself, and issues to nodes. X.509 v3, ecdsa-with-SHA256, random
 * serial numbers of 128 bits (RFC 5280 4.1.2.2). Times are Unix time, kept to the second, cut off
 * at the end of the year 9999, which means no end (RFC 5280 4.1.2.5).
 *
 * Errors of all: -EINVAL: names that PkiNames does not allow, dates in the wrong order, a CA that
 * is none, is not of this cluster, or whose key is another one; -ENOMEM; -EIO. */
#pragma once

#include "sys/pki-cert.h"
#include "sys/pki-request.h"

/* Signed by itself: CA:TRUE without CAs below it, keyCertSign and cRLSign alone, both critical,
 * "raycluster CA CLUSTER" (cut to 64 characters) as its name, spiffe://CLUSTER as the alternative
 * one. */
int pki_ca_new(const PkiKey *key, const char *cluster, usec_t not_before, usec_t not_after,
               PkiCert **ret);

/* A node's certificate: CA:FALSE and digitalSignature, both critical, for both ends of TLS
 * (clientAuth and serverAuth), for `names` and nothing else. not_after is cut to that of the CA.
 * -EKEYEXPIRED: nothing is left then. */
int pki_issue(const PkiKey *ca_key, const PkiCert *ca, const PkiRequest *request,
              const PkiNames *names, usec_t not_before, usec_t not_after, PkiCert **ret);
/* The same for a key of our own: the head is a node, too. */
int pki_issue_key(const PkiKey *ca_key, const PkiCert *ca, const PkiKey *key, const PkiNames *names,
                  usec_t not_before, usec_t not_after, PkiCert **ret);
