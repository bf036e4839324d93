/* A certificate request (CSR, PKCS#10, RFC 2986): a node's public key, signed by it. What else a
 * stranger writes into one is not looked at; the head decides on names. */
#pragma once

#include "sys/pki-key.h"

/* Ours have 200 to 270 bytes. */
#define PKI_REQUEST_MAX ((size_t)4096)

typedef struct PkiRequest PkiRequest;

/* Appends the DER request of key. name: the host name, for whoever looks at the request; the rule
 * is that of PkiNames.name, and what is longer is cut. -EINVAL, -EMSGSIZE, -ENOMEM, -EIO. */
int pki_request_new(const PkiKey *key, const char *name, Buf *ret_der);

/* -EMSGSIZE: longer than PKI_REQUEST_MAX. -EBADMSG: no request, or bytes behind it. -EKEYREJECTED:
 * the key is not on the named curve P-256, the signature not ecdsa-with-SHA256 (RFC 5758 3.2), or
 * not made with that key. -ENOMEM, -EIO. */
int pki_request_read(const void *der, size_t n, PkiRequest **ret);
PkiRequest *pki_request_free(PkiRequest *q);
DEFINE_CLEANUP(PkiRequest *, pki_request_free);

void pki_request_pin(const PkiRequest *q, uint8_t ret[static PKI_PIN_SIZE]);
