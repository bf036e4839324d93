/* What the files of TLS share; the OpenSSL door's own. */
#pragma once

#include <openssl/ssl.h>

#include "sys/openssl-private.h"
#include "sys/tls-client.h"

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
/* The socket as OpenSSL is to see it. It stays its owner's, and must not move. */
typedef struct TlsSocket {
        int fd;                       /* of the call under way */
        size_t idle, idle_max;        /* bytes that came and were no data; more is the end */
        uint8_t first[TLS_FIRST_MAX]; /* that came */
        size_t n_first;
        int io_error; /* positive errno */
        bool eof, over;
} TlsSocket;

/* NULL when out of memory. */
BIO_METHOD *tls_socket_method(void);
void tls_socket_init(TlsSocket *s, size_t idle_max);
/* The SSL owns the BIO from then on. -ENOMEM. */
int tls_socket_attach(TlsSocket *s, const BIO_METHOD *method, SSL *ssl);
/* As StreamLayer's write. -EPIPE where the socket itself has no error: the other side's reason is
 * still to be read, an alert may wait there. */
ssize_t tls_socket_write(TlsSocket *s, SSL *ssl, const void *data, size_t size,
                         uint32_t *ret_events);
/* The reason of the last error on OpenSSL's queue, which is emptied. */
void tls_error_text(char *buf, size_t size);
