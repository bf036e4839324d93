/* A small authority for tests: keys, certificates with any dates and names, PEM files. */
#pragma once

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Identity {
        EVP_PKEY *key;
        X509 *cert;
} Identity;

static inline void identity_done(Identity *id)
{
        EVP_PKEY_free(id->key);
        X509_free(id->cert);
        *id = (Identity){0};
}

typedef struct IdentityWish {
        const char *name;   /* CN */
        const char *alt;    /* "IP:10.0.0.1,DNS:a", or NULL */
        const Identity *ca; /* NULL: signs itself, and is an authority */
        long from, until;   /* seconds from now; both 0: from an hour ago for a day */
} IdentityWish;

static inline void add_extension(X509 *x, int nid, const char *value)
{
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
        assert_non_null(e);
        assert_true(X509_add_ext(x, e, -1));
        X509_EXTENSION_free(e);
}

static inline Identity identity_new(IdentityWish w)
{
        static long serial;
        Identity id = {.key = EVP_EC_gen("P-256"), .cert = X509_new()};
        const Identity *ca = w.ca ? w.ca : &id;

        assert_non_null(id.key);
        assert_non_null(id.cert);
        if (w.from == 0 && w.until == 0) {
                w.from = -3600;
                w.until = 86400;
        }
        assert_true(X509_set_version(id.cert, X509_VERSION_3));
        assert_true(ASN1_INTEGER_set(X509_get_serialNumber(id.cert), ++serial));
        assert_non_null(X509_gmtime_adj(X509_getm_notBefore(id.cert), w.from));
        assert_non_null(X509_gmtime_adj(X509_getm_notAfter(id.cert), w.until));
        assert_true(X509_set_pubkey(id.cert, id.key));
        assert_true(X509_NAME_add_entry_by_txt(X509_get_subject_name(id.cert), "CN", MBSTRING_UTF8,
                                               (const unsigned char *)w.name, -1, -1, 0));
        assert_true(X509_set_issuer_name(id.cert, X509_get_subject_name(ca->cert)));
        if (!w.ca)
                add_extension(id.cert, NID_basic_constraints, "critical,CA:TRUE");
        if (w.alt)
                add_extension(id.cert, NID_subject_alt_name, w.alt);
        assert_true(X509_sign(id.cert, ca->key, EVP_sha256()) > 0);
        return id;
}

/* Certificate, key or both of id as a PEM file; the path's memory is the caller's. */
static inline char *identity_file(const char *dir, const char *name, const Identity *id, bool cert,
                                  bool key)
{
        char *path = NULL;

        assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        if (cert)
                assert_true(PEM_write_X509(f, id->cert));
        if (key)
                assert_true(PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL));
        assert_int_equal(fclose(f), 0);
        return path;
}
