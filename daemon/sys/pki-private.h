/* What the files pki-*.c share; the OpenSSL door's own. */
#pragma once

#include <time.h>

#include "sys/openssl-private.h"
#include "sys/pki-cert.h"
#include "sys/pki-key.h"
#include "sys/pki-request.h"

struct PkiKey {
        EVP_PKEY *key;
        uint8_t pin[PKI_PIN_SIZE];
};

/* Its key is all that is kept of a request: what is not there cannot find its way into a
 * certificate. */
struct PkiRequest {
        EVP_PKEY *key;
        uint8_t pin[PKI_PIN_SIZE];
};

struct PkiCert {
        X509 *x;
        uint8_t pin[PKI_PIN_SIZE];
        usec_t not_before, not_after;
        char serial[PKI_SERIAL_MAX];
};

DEFINE_CLEANUP(GENERAL_NAMES *, GENERAL_NAMES_free);

/* 9999-12-31 23:59:59, the last second that a certificate can name (RFC 5280 4.1.2.5). */
#define PKI_SECOND_MAX ((time_t)253402300799)

static inline time_t pki_second(usec_t t)
{
        return MIN((time_t)(t / USEC_PER_SEC), PKI_SECOND_MAX);
}

/* Empties OpenSSL's queue of errors: -ENOMEM when any of them says so, which is seldom the last
 * one, else `otherwise`. */
int pki_error(int otherwise);
/* SHA-256 over the DER SubjectPublicKeyInfo. -EIO. */
int pki_pubkey_pin(const X509_PUBKEY *pub, uint8_t ret[static PKI_PIN_SIZE]);
/* The same of a key, which must be on P-256: -EKEYREJECTED, -ENOMEM, -EIO. */
int pki_key_read_pin(EVP_PKEY *key, uint8_t ret[static PKI_PIN_SIZE]);
/* Appends the n bytes that i2d_…() allocated, and frees them; n <= 0: it failed. -EMSGSIZE,
 * -ENOMEM, -EIO. */
int pki_append_der(Buf *ret, unsigned char *der, int n);
/* A PEM text to read from. -EMSGSIZE, -EBADMSG (empty), -ENOMEM. */
int pki_open_pem(const void *pem, size_t n, BIO **ret);
/* A pem_password_cb that has none; without one OpenSSL asks the terminal. */
int pki_no_passphrase(char *buf, int size, int rwflag, void *userdata);
/* "CN=NAME", cut to what a common name may have. -ENOMEM, -EIO. */
int pki_set_common_name(X509_NAME *n, const char *name);

/* The same certificate as OpenSSL's owner has it, by all rules of pki_cert_from_der(): one copy,
 * two owners, and nobody changes it. */
int pki_cert_share(X509 *x, PkiCert **ret);

bool pki_names_are_valid(const PkiNames *n);
/* The subject alternative names of n, which are valid. -ENOMEM. */
int pki_names_encode(const PkiNames *n, GENERAL_NAMES **ret);
/* -EBADMSG, -ENOMEM. */
int pki_names_decode(X509 *x, PkiNames *ret);
