/* The head's authority for Ray's own TLS: another one than the cluster's (member/authority.h), so
 * that a key that Ray's processes can read, and whoever runs code as Ray, enrols no machine.
 *
 * File: ray-authority.pem, 0600, written whole or not at all. */
#pragma once

#include "sys/pki-ca.h"

typedef struct RayAuthority RayAuthority;

/* A certificate is over only when Ray has been restarted since, which costs what runs on a machine:
 * two thirds of a year are room for a maintenance. */
#define RAY_CERT_LIFE (365 * 24 * 60 * USEC_PER_MIN)

/* Of a member's addresses; two more are loopback's. */
#define RAY_CERT_ADDRS_MAX (PKI_ADDRS_MAX - 2)

/* Opens what is there, or makes it. life: of certificates, 0 = RAY_CERT_LIFE. now: Unix time.
 * *reterr (caller frees) says what is wrong and what to do, for every error but -ENOMEM: one that
 * is damaged is not replaced unasked, since all of Ray has to be restarted for it. */
int ray_authority_open(const char *state_dir, usec_t life, usec_t now, RayAuthority **ret,
                       char **reterr);
RayAuthority *ray_authority_free(RayAuthority *a);
DEFINE_CLEANUP(RayAuthority *, ray_authority_free);

/* The authority's. */
const PkiCert *ray_authority_cert(const RayAuthority *a);

/* For the node that names say; cluster is set here. Its addresses are the member's, which the head
 * knows (RAY_CERT_ADDRS_MAX; what is over is left out), and loopback's, which Ray Client's proxy
 * dials. As pki_issue(). */
int ray_authority_issue(const RayAuthority *a, const PkiRequest *request, const PkiNames *names,
                        usec_t now, PkiCert **ret);
/* A member's request (DER), for the names and addresses of its certificate of membership: a machine
 * cannot ask for another one's. -EKEYREJECTED also for the member's own key, which Ray must not be
 * able to read; else as pki_request_read() and pki_issue(). */
int ray_authority_answer(const RayAuthority *a, const PkiCert *member, const void *csr, size_t n,
                         usec_t now, PkiCert **ret);
