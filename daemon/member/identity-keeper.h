/* A member's identity while it is used: says when its certificate is to be renewed, and keeps the
 * old one until the new one has worked.
 *
 *   KEPT ──Issued──> TRIED ──Welcome──> KEPT
 *                      └──the head does not take it──> KEPT
 *
 * On the disk: PATH is what has worked. PATH.new lies beside it from Issued until a connection with
 * it is welcome, then it takes PATH's place by one rename(2): after a power cut at any point there
 * is one that works, and the other is tried again. */
#pragma once

#include "member/identity.h"
#include "wire/member-codec.h"

typedef struct IdentityKeeper IdentityKeeper;

/* Of a certificate's life; jitter of a tenth of it to both sides comes on top, so that a room that
 * was installed in an hour does not renew in that hour. */
#define IDENTITY_RENEW_NUM 2
#define IDENTITY_RENEW_DEN 3
#define IDENTITY_JITTER    10
/* After a renewal that failed. */
#define IDENTITY_RETRY     USEC_PER_MIN
#define IDENTITY_RETRY_MAX (60 * USEC_PER_MIN)

/* Errors of identity_load(); a PATH.new that is damaged or another's is passed over. */
int identity_keeper_new(const char *path, IdentityKeeper **ret);
IdentityKeeper *identity_keeper_free(IdentityKeeper *k);
DEFINE_CLEANUP(IdentityKeeper *, identity_keeper_free);

/* Who we are for the next connection: the one that is tried, else the one that has worked. */
TlsParty *identity_keeper_party(const IdentityKeeper *k);
bool identity_keeper_tries(const IdentityKeeper *k);
/* now: Unix time, as below. When nothing is tried. */
bool identity_keeper_is_due(const IdentityKeeper *k, usec_t now);
/* The certificate for the next connection is over. */
bool identity_keeper_is_expired(const IdentityKeeper *k, usec_t now);
/* Whether the certificate for the next connection names this address. */
bool identity_keeper_names(const IdentityKeeper *k, const Addr *a);
usec_t identity_keeper_until(const IdentityKeeper *k);
/* Appends a request for the same key. As pki_request_new(). */
int identity_keeper_request(const IdentityKeeper *k, Buf *ret_der);

/* A certificate to be tried, in PATH.new when this returns. head: what the other side showed. As
 * issued_read() and identity_save(): nothing is tried then. */
int identity_keeper_take(IdentityKeeper *k, const MemberIssued *m, const PkiCert *head);
/* What was tried has worked; errors of rename(2), which is tried again by the next call. */
int identity_keeper_worked(IdentityKeeper *k, usec_t now);
/* It did not; or a renewal failed: asked for again later. */
void identity_keeper_failed(IdentityKeeper *k, usec_t now);
