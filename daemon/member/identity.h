/* Who a machine is, in one file: its private key, its certificate, and the authorities above it, so
 * that they are never of two times. 0600, written whole or not at all. */
#pragma once

#include "sys/tls-link.h"

/* In the state directory. */
#define IDENTITY_FILE "identity.pem"

typedef struct Identity {
        PkiKey *key;
        PkiCert *cert;
        PkiCert *cas[PKI_BUNDLE_MAX - 1]; /* none: the certificate is an authority's own */
        size_t n_cas;
} Identity;

void identity_done(Identity *i);
#define _cleanup_identity_ _cleanup_(identity_done)

/* -ENOENT: there is none. -EBADMSG: damaged, or key and certificate do not go together.
 * -EKEYREJECTED, -EMSGSIZE, -E2BIG: no file of ours; -ENOMEM, -EIO, and those of reading. */
int identity_load(const char *path, Identity *ret);
/* The same of the text of such a file. */
int identity_read(const void *pem, size_t n, Identity *ret);
/* A head's and a worker's lie in the same place, on a machine that was made the one of the other.
 */
bool identity_is(const Identity *i, PkiRole role);
/* The key that is to be certified: that of the identity, that of an attempt before, or a new one,
 * which is on the disk (PATH.key) before anybody hears of it: an answer that is lost on the way
 * does not cost a machine its name, but one use of its token. */
int identity_key(const char *path, PkiKey **ret);
/* The same; the key of an identity of another role stays with that. */
int identity_key_as(const char *path, PkiRole role, PkiKey **ret);
/* As write_file_atomic(). A key that waited for this has an end, a certificate that was to be
 * tried (member/identity-keeper.h), and waiting for approval. */
int identity_save(const char *path, const Identity *i);
/* Who it is in TLS. */
int identity_party(const Identity *i, TlsParty **ret);
