/* What every file behind the OpenSSL door may want: owners that end at the brace, and the queue of
 * errors, which is one for the whole thread and must not tell the next reader of our failures. */
#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/macro.h"

DEFINE_CLEANUP(BIO *, BIO_free);
DEFINE_CLEANUP(X509 *, X509_free);
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free);

static inline void openssl_errors_done(const int *unused)
{
        ERR_clear_error();
}

/* Declared first, so that it runs last: empties the queue, now and at the end of the block. */
#define _cleanup_errors_ _cleanup_(openssl_errors_done) const int _errors = (ERR_clear_error(), 0)
