/* What tls-cert.c, tls-context.c and tls-client.c share; the OpenSSL door's own. */
#pragma once

#include <openssl/ssl.h>

#include "sys/openssl-private.h"
#include "sys/tls-context.h"

struct TlsContext {
        SSL_CTX *ssl;
        BIO_METHOD *bio;
        char *ca_file, *cert_file;
        STACK_OF(X509) * cas;   /* of the CA file, in its order; NULL = the system's are trusted */
        TlsCert own;            /* of the certificate file */
        bool own_trusted;       /* by whom we trust ourselves, dates aside */
        STACK_OF(X509) * chain; /* of the certificate file, the own one first; NULL = none */
};

void tls_cert_read(TlsCert *c, X509 *x);
void tls_name_format(char buf[TLS_CERT_NAME_MAX], const X509_NAME *name);
/* The socket as OpenSSL is to see it; NULL when out of memory. */
BIO_METHOD *tls_client_bio_method(void);
/* The reason of the last error on OpenSSL's queue, which is emptied. */
void tls_error_text(char *buf, size_t size);
