/* TLS below one connection to the GCS, as Ray has it: the same three files on both sides, and the
 * address that is dialled stands in the other's certificate. The files are read for each
 * connection: a certificate that was renewed is the next one's. */
#pragma once

#include "sys/h2.h"
#include "sys/tls-client.h"

typedef struct GcsTls {
        TlsContext *context;
        TlsFacts facts; /* once the connection has ended */
        bool used;
        bool refused;      /* by us, for the: */
        char mistake[400]; /* a file of ours: which, and what is wrong with it; "" = none */
} GcsTls;

/* Right behind h2_connect(). What is wrong with a file ends the connection as soon as it is up,
 * with `mistake` said: that nobody listens is the better reason, when it is one. t must outlive h.
 * -ENOMEM, -EIO. */
int gcs_tls_begin(GcsTls *t, const TlsFiles *files, const Addr *addr, H2 *h);
/* Behind h2_free(). */
void gcs_tls_done(GcsTls *t);

/* Whether TLS is why a connection ended on which nothing was `received`; then *ret says it in one
 * sentence about `name`. */
bool gcs_tls_is_reason(const GcsTls *t, const char *name, bool received, char *ret, size_t size);
