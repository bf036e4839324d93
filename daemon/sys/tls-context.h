/* The files that one side of a TLS connection is made of, read once: whom it trusts, and who it is.
 * Ray wants all three (RAY_TLS_CA_CERT, RAY_TLS_SERVER_CERT, RAY_TLS_SERVER_KEY), on every machine,
 * and shows the "server" certificate also where it is the client. */
#pragma once

#include <errno.h>

#include "sys/tls-cert.h"

typedef struct TlsContext TlsContext;

/* Paths; NULL = none. Without a CA file the system's own authorities are trusted. Certificate and
 * key go together: -EINVAL for one alone. PEM; the certificate may be followed by its chain. */
typedef struct TlsFiles {
        const char *ca;
        const char *cert;
        const char *key;
} TlsFiles;

/* Longest file read: a bundle of all the world's authorities has 250 KiB. */
#define TLS_FILE_MAX ((size_t)2 << 20)

typedef enum TlsFile {
        TLS_FILE_CA,
        TLS_FILE_CERT,
        TLS_FILE_KEY,
        _TLS_FILE_MAX,
        _TLS_FILE_INVALID = -EINVAL,
} TlsFile;

/* A mistake in a file: which, and what is wrong with it ("is not PEM: no certificate in it"). */
typedef struct TlsMistake {
        TlsFile file;
        char text[160];
} TlsMistake;

/* -EBADMSG: *reterr says what is wrong with the content of which file; other errors are of reading
 * it, and *reterr says them, too. -ENOMEM and -EIO (OpenSSL does not start) say nothing. */
int tls_context_new(const TlsFiles *files, TlsMistake *reterr, TlsContext **ret);
TlsContext *tls_context_free(TlsContext *c);
DEFINE_CLEANUP(TlsContext *, tls_context_free);
/* As given; "" = none. */
const char *tls_context_ca_file(const TlsContext *c);
const char *tls_context_cert_file(const TlsContext *c);
