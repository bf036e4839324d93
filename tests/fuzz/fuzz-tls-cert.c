/* Any bytes as a certificate (DER): what we say of it is short, printable and ends. */
#include <stdlib.h>
#include <string.h>

#include "sys/tls-private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *s, size_t size)
{
        size_t n = strnlen(s, size);

        for (size_t i = 0; i < n; i++)
                if (s[i] < 0x20 || s[i] > 0x7e)
                        abort();
        if (n == size)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        TlsCert c;

        X509 *x = d2i_X509(NULL, &data, (long)size);
        ERR_clear_error();
        if (!x)
                return 0;
        tls_cert_read(&c, x);
        if (!c.known || ERR_peek_error())
                abort();
        check(c.subject, sizeof(c.subject));
        check(c.issuer, sizeof(c.issuer));
        check(c.names, sizeof(c.names));
        check(c.sha256, sizeof(c.sha256));
        X509_free(x);
        return 0;
}
