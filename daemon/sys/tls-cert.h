/* What a certificate says, as values. Every text in it was written by a stranger and is printable
 * ASCII here, cut where it is too long. */
#pragma once

#include "base/time.h"

#define TLS_CERT_NAME_MAX  160
#define TLS_CERT_NAMES_MAX 200
#define TLS_SHA256_MAX     96

typedef struct TlsCert {
        bool known;
        char subject[TLS_CERT_NAME_MAX]; /* "CN=compute04" (RFC 2253) */
        char issuer[TLS_CERT_NAME_MAX];
        char names[TLS_CERT_NAMES_MAX]; /* "DNS:compute04, IP:10.77.0.1, and 3 more"; "" = none */
        char sha256[TLS_SHA256_MAX];    /* fingerprint as openssl x509 prints it: "AB:CD:…" */
        usec_t not_before, not_after;   /* Unix time; 0 and USEC_INFINITY when they cannot be read,
                                           and for what lies before 1970 */
} TlsCert;
