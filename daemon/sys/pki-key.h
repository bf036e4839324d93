/* The private key of a node or of the cluster's CA: ECDSA on P-256, and nothing else, so that there
 * is one kind of signature to understand. Everything of the PKI works on memory; whoever calls
 * keeps the files. */
#pragma once

#include <errno.h>

#include "base/buf.h"

/* SHA-256 over the DER SubjectPublicKeyInfo (RFC 5280 4.1.2.7; as a pin: RFC 7469 2.4). The same
 * for a key, the request and the certificates made of it; `openssl pkey -pubout -outform DER |
 * sha256sum` says it, too. */
#define PKI_PIN_SIZE 32
/* Longest PEM text read, a key or a bundle of certificates; more is -EMSGSIZE. */
#define PKI_PEM_MAX ((size_t)64 << 10)

typedef struct PkiKey PkiKey;

/* A new key. -ENOMEM; -EIO: OpenSSL cannot (no P-256 here, no random numbers). */
int pki_key_new(PkiKey **ret);
/* The first private key in a PEM text: PKCS#8 (RFC 5958) or "EC PRIVATE KEY" (RFC 5915). -EBADMSG:
 * there is none, it is damaged (the public half does not fit the private one), or it wants a
 * passphrase. -EKEYREJECTED: not on the named curve P-256. -EMSGSIZE, -ENOMEM, -EIO. */
int pki_key_from_pem(const void *pem, size_t n, PkiKey **ret);
PkiKey *pki_key_free(PkiKey *k);
DEFINE_CLEANUP(PkiKey *, pki_key_free);

/* Appends PKCS#8, unencrypted, in one piece, so that no growing buffer leaves a copy behind. The
 * caller forgets it with mac_forget() before buf_done(). -EMSGSIZE, -ENOMEM, -EIO. */
int pki_key_to_pem(const PkiKey *k, Buf *ret);
void pki_key_pin(const PkiKey *k, uint8_t ret[static PKI_PIN_SIZE]);
